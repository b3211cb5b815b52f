"""``tinyforge boards``."""

from __future__ import annotations

from tinyforge.cli.options import BoardLike, BoardName, BoardOut, CoreName, Json, LeastSram, NewBoardName
from tinyforge.errors import UsageError

_NEW = "new"


def boards(
    name: BoardName = None,
    new_name: NewBoardName = None,
    sram: LeastSram = None,
    core: CoreName = None,
    like: BoardLike = None,
    out: BoardOut = None,
    json: Json = False,
) -> None:
    """List boards and their memories, or one with its sources; new: start a file of your own."""
    from tinyforge.cli.console import print_json, show

    if name == _NEW:
        _new(new_name, like, out, json)
        return
    if new_name is not None or like is not None or out is not None:
        raise UsageError("--like, --out and a second name go with: tinyforge boards new NAME")
    from tinyforge.api.boards import boards as find
    from tinyforge.cli.board_views import board_list_view, board_view

    found = find(name, sram=sram, core=core)
    if json:
        print_json(found.as_json())
    elif name and found.boards:
        show(*board_view(found.boards[0]))
    else:
        show(*board_list_view(found.boards))


def _new(name: str | None, like: str | None, out: str | None, json: bool) -> None:
    from tinyforge.api.boards import new_board
    from tinyforge.cli.console import print_json, show

    if name is None:
        raise UsageError("the new board needs a name: tinyforge boards new my_board --like nucleo_f446re")
    path = new_board(name, like=like, out=out)
    if json:
        print_json({"board": name, "file": str(path)})
    else:
        show(f"{path} written; edit it, then: tinyforge boards {path}")
