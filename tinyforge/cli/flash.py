"""``tinyforge flash``."""

from __future__ import annotations

import shlex

from tinyforge.cli.options import (
    Build,
    Counted,
    DryRun,
    FlashMethod,
    FlashPort,
    Harness,
    Json,
    OtherBoard,
    Probe,
    Toolchain,
)


def flash(
    build: Build,
    board: OtherBoard = None,
    toolchain: Toolchain = "zig",
    method: FlashMethod = None,
    probe: Probe = None,
    port: FlashPort = None,
    profile: Counted = False,
    harness: Harness = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Build the firmware and put it on the board, real or emulated."""
    from tinyforge.api.flash import flash as put
    from tinyforge.cli.console import print_json, progress, show
    from tinyforge.cli.views import flash_view

    with progress() as report:
        result = put(
            build,
            board=board,
            toolchain=toolchain,
            method=method,
            probe=probe,
            port=port,
            dry_run=dry_run,
            profile=profile,
            harness=harness,
            progress=report,
        )
    if json:
        print_json(result.as_json())
    elif dry_run:
        print(*(shlex.join(command) for command in result.commands), sep="\n")
    else:
        show(*flash_view(result))
