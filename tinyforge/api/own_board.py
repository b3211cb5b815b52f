"""A board file of one's own, kept with what was compiled for it: later commands find it from anywhere."""

from __future__ import annotations

import shutil
from pathlib import Path

from tinyforge.codegen.build_info import BuildInfo, metadata_dir
from tinyforge.paths import boards_dir
from tinyforge.target import Board, board_names

_FOLDER = "board_file"
_BESIDE = "./"


def keep_board(build_dir: Path, board: Board) -> None:
    """Copy the file of a board that is not shipped into the build folder, and the start-up code beside it."""
    if board.source is None or board.source.parent == boards_dir():
        return
    kept = metadata_dir(build_dir) / _FOLDER
    kept.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(board.source, kept / board.source.name)
    if board.bsp.startswith(_BESIDE) and board.bsp_dir is not None:
        shutil.copytree(board.bsp_dir, kept / board.bsp, dirs_exist_ok=True)


def compiled_for(build_dir: Path, info: BuildInfo) -> str:
    """The board of a build as `load_board` takes it: a name, or the path of the file that was kept."""
    kept = metadata_dir(build_dir) / _FOLDER / f"{info.board}.toml"
    return str(kept) if kept.is_file() and info.board not in board_names() else info.board
