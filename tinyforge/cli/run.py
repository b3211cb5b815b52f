"""``tinyforge run``."""

from __future__ import annotations

from pathlib import Path

import typer

from tinyforge.cli.options import (
    BuildOrModel,
    Emulator,
    Inputs,
    Json,
    On,
    Port,
    Profile,
    Reference,
    Resume,
    RunBoards,
    Samples,
    Toolchain,
)
from tinyforge.errors import DeviceError, UsageError

_DIFFERENT = 1


def run(
    build: BuildOrModel,
    on: On = "emulator",
    board: RunBoards = None,
    emulator: Emulator = None,
    inputs: Inputs = None,
    reference: Reference = None,
    samples: Samples = None,
    port: Port = None,
    toolchain: Toolchain = "zig",
    profile: Profile = False,
    resume: Resume = False,
    json: Json = False,
) -> None:
    """Run a model and compare every output with the reference, integer for integer."""
    boards, ports = board or [], port or []
    if max(len(boards), len(ports)) > 1:
        if on != "board":
            raise UsageError("several boards run with --on board")
        _run_several(build, boards, ports, (emulator, inputs, reference, samples), profile, resume, json)
        return
    from tinyforge.api.run import run as execute
    from tinyforge.cli.console import print_json, progress, show
    from tinyforge.cli.views import run_view

    with progress() as report:
        result = execute(
            build,
            on=on,
            board=boards[0] if boards else None,
            emulator=emulator,
            inputs=inputs,
            reference=reference,
            samples=samples,
            toolchain=toolchain,
            port=ports[0] if ports else None,
            profile=profile,
            resume=resume,
            progress=report,
        )
    if json:
        print_json(result.as_json())
    else:
        show(*run_view(result, profile))
    if not result.ok:
        typer.echo(f"tinyforge: {result.explanation}", err=True)
        raise typer.Exit(_DIFFERENT)


def _run_several(
    build: Path,
    boards: list[str],
    ports: list[str],
    options: tuple[str | None, Path | None, Path | None, int | None],
    profile: bool,
    resume: bool,
    json: bool,
) -> None:
    """A row a board; every error to stderr. A board whose run ended early counts more than wrong values."""
    from tinyforge.api.fleet import default_board, pair, run_boards
    from tinyforge.cli.console import print_json, progress, show
    from tinyforge.cli.views import fleet_view

    places = pair(boards, ports, default_board(build))
    with progress() as report:
        fleet = run_boards(build, places, *options, profile=profile, resume=resume, progress=report)
    if json:
        print_json(fleet.as_json())
    else:
        show(fleet_view(fleet))
    for place in fleet.places:
        if place.explanation:
            typer.echo(f"tinyforge: {place.place}: {place.explanation}", err=True)
    if not fleet.ok:
        raise typer.Exit(DeviceError.exit_code if fleet.failed else _DIFFERENT)
