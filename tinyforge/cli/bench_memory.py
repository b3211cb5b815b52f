"""``tinyforge bench memory``."""

from __future__ import annotations

from tinyforge.cli.options import BenchOut, BenchPage, EmulatedBoard, Json, Measured, Models, TakenFrom


def memory(
    models: Models = None,
    board: EmulatedBoard = "emulated_m7",
    measure: Measured = True,
    taken_from: TakenFrom = None,
    page: BenchPage = None,
    out: BenchOut = None,
    json: Json = False,
) -> None:
    """Compare families of schedules, ours and other tools': SRAM of each, itemised, built and measured."""
    from tinyforge.api.bench_memory import bench_memory
    from tinyforge.cli.console import print_json, progress, show
    from tinyforge.cli.views import memory_view

    with progress() as tell:
        result = bench_memory(
            models or (), board=board, measure=measure, records=taken_from or (), out=out, page=page, progress=tell
        )
    if json:
        print_json(result.as_json())
    else:
        show(*memory_view(result))
