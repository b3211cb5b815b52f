"""``tinyforge report``."""

from __future__ import annotations

from tinyforge.cli.options import Build, Front, Json, Measure, Page


def report(
    build: Build,
    out: Page = None,
    measure: Measure = True,
    front: Front = True,
    json: Json = False,
) -> None:
    """Write one self-contained HTML page about a build: memory over time, layers, schedule, flash."""
    from tinyforge.api.report import report as write
    from tinyforge.cli.console import print_json, progress, show

    with progress() as tell:
        result = write(build, out=out, measure=measure, front=front, progress=tell)
    if json:
        print_json(result.as_json())
    else:
        show(f"wrote {result.path} ({result.path.stat().st_size:,} B)")
