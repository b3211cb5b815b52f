"""``tinyforge boards``."""

from __future__ import annotations

from tinyforge.cli.options import BoardName, CoreName, Json, LeastSram


def boards(
    name: BoardName = None,
    sram: LeastSram = None,
    core: CoreName = None,
    json: Json = False,
) -> None:
    """List boards and their memories."""
    from tinyforge.api.boards import boards as find
    from tinyforge.cli.console import print_json, show, table

    found = find(name, sram=sram, core=core)
    if json:
        print_json(found.as_json())
        return
    rows = table("board", "core", "flash", "SRAM", "clock", "runs on", right=("flash", "SRAM", "clock"))
    for board in found.boards:
        banks = " + ".join(f"{bank.size >> 10:,} K" for bank in board.banks)
        runs = board.emulator or "hardware"
        core_text = " ".join([board.core.name, *(f for f in board.features if f not in board.core.always)])
        rows.add_row(
            board.name, core_text, f"{board.flash_bytes >> 10:,} K", banks, f"{board.clock_hz // 10**6} MHz", runs
        )
    show(rows if found.boards else "no board matches")
