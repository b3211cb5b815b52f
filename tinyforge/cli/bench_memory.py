"""``tinyforge bench memory``."""

from __future__ import annotations

from tinyforge.cli.options import Json, Models


def memory(models: Models, json: Json = False) -> None:
    """Compare families of schedules: SRAM of each, itemised by what its peak is made of."""
    from tinyforge.api.bench_memory import bench_memory
    from tinyforge.cli.console import print_json, progress, show
    from tinyforge.cli.views import memory_view

    with progress() as tell:
        result = bench_memory(models, progress=tell)
    if json:
        print_json(result.as_json())
    else:
        show(*memory_view(result))
