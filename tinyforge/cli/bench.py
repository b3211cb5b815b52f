"""``tinyforge bench``: measurements that reproduce the tables of the documentation.

By itself: instructions, cycles, SRAM and flash of models x boards x compilers. Other tables are commands of their own.
"""

from __future__ import annotations

import typer

from tinyforge.cli.bench_memory import memory
from tinyforge.cli.help import GroupedCommand, GroupedCommands
from tinyforge.cli.options import (
    Against,
    BenchBoards,
    BenchOut,
    BenchPage,
    InputMode,
    Json,
    ModelsFolder,
    Objective,
    OnlyModels,
    Short,
    TakenFrom,
    Toolchains,
)

bench = typer.Typer(cls=GroupedCommands, invoke_without_command=True)
bench.command("memory", cls=GroupedCommand)(memory)
_WORSE = 1


@bench.callback()
def instructions(
    ctx: typer.Context,
    models: ModelsFolder = None,
    only: OnlyModels = None,
    board: BenchBoards = None,
    toolchain: Toolchains = None,
    short: Short = False,
    objective: Objective = "balanced",
    input_mode: InputMode = "whole",
    taken_from: TakenFrom = None,
    against: Against = None,
    page: BenchPage = None,
    out: BenchOut = None,
    json: Json = False,
) -> None:
    """Measure models x boards x compilers: instructions, cycles, SRAM, flash; compare with a record."""
    if ctx.invoked_subcommand is not None:
        return
    from tinyforge.api.bench import bench as measure
    from tinyforge.cli.bench_view import bench_view
    from tinyforge.cli.console import print_json, progress, show

    with progress() as tell:
        result = measure(
            models,
            boards=board or (),
            toolchains=toolchain or (),
            only=only or (),
            short=short,
            objective=objective,
            input_mode=input_mode,
            records=taken_from or (),
            against=against,
            page=page,
            out=out,
            progress=tell,
        )
    if json:
        print_json(result.as_json())
    else:
        show(*bench_view(result))
    if not result.ok:
        for name, why in result.record.failed.items():
            typer.echo(f"tinyforge: failed: {name}: {why}", err=True)
        for regression in result.regressions:
            typer.echo(f"tinyforge: worse: {regression}", err=True)
        raise typer.Exit(_WORSE)
