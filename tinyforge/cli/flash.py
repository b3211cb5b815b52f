"""``tinyforge flash``."""

from __future__ import annotations

from tinyforge.cli.options import Build, Json, OtherBoard, Toolchain


def flash(
    build: Build,
    board: OtherBoard = None,
    toolchain: Toolchain = "zig",
    json: Json = False,
) -> None:
    """Build the firmware and put it on the board, real or emulated."""
    from tinyforge.api.flash import flash as put
    from tinyforge.cli.console import print_json, progress, show
    from tinyforge.cli.views import flash_view

    with progress() as report:
        result = put(build, board=board, toolchain=toolchain, progress=report)
    if json:
        print_json(result.as_json())
    else:
        show(*flash_view(result))
