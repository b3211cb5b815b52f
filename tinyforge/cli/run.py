"""``tinyforge run``."""

from __future__ import annotations

import typer

from tinyforge.cli.options import (
    BuildOrModel,
    Emulator,
    Inputs,
    Json,
    On,
    OtherBoard,
    Port,
    Profile,
    Reference,
    Samples,
    Toolchain,
)

_DIFFERENT = 1


def run(
    build: BuildOrModel,
    on: On = "emulator",
    board: OtherBoard = None,
    emulator: Emulator = None,
    inputs: Inputs = None,
    reference: Reference = None,
    samples: Samples = None,
    port: Port = None,
    toolchain: Toolchain = "zig",
    profile: Profile = False,
    json: Json = False,
) -> None:
    """Run a model and compare every output with the reference, integer for integer."""
    from tinyforge.api.run import run as execute
    from tinyforge.cli.console import print_json, progress, show
    from tinyforge.cli.views import run_view

    with progress() as report:
        result = execute(
            build,
            on=on,
            board=board,
            emulator=emulator,
            inputs=inputs,
            reference=reference,
            samples=samples,
            toolchain=toolchain,
            port=port,
            profile=profile,
            progress=report,
        )
    if json:
        print_json(result.as_json())
    else:
        show(*run_view(result, profile))
    if not result.ok:
        typer.echo(f"tinyforge: {result.explanation}", err=True)
        raise typer.Exit(_DIFFERENT)
