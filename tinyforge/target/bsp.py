"""Start-up code of boards: a folder with C and, in bsp.toml, the settings a board file must give it.

    sources = ["bsp.c"]
    [settings.pll_n]
    low = 50
    high = 432

reaches the C as the macro TFB_CLOCK_PLL_N.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyforge.paths import firmware_dir
from tinyforge.target.fields import Fields

NO_BSP = "none"
BSP_FILE = "bsp.toml"


@dataclass(frozen=True, slots=True)
class BspSetting:
    """A setting of `[clock]` in board files: an integer in [low, high]."""

    name: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Bsp:
    """A folder of start-up code: its C sources and the settings it needs."""

    folder: Path
    sources: tuple[str, ...]
    settings: tuple[BspSetting, ...]


def bsp_folder(name: str, board_file: Path) -> Path | None:
    """Folder of `firmware/bsp/<name>`, or `./name` beside the board's file; None for `none`."""
    if name == NO_BSP:
        return None
    return board_file.parent / name if name.startswith(".") else firmware_dir() / "bsp" / name


def read_bsp(folder: Path, table: Mapping[str, Any]) -> Bsp:
    """What `folder` holds; `table` is its bsp.toml (empty where there is none: one bsp.c, no settings)."""
    fields = Fields(table, f"{folder.name}/{BSP_FILE}")
    sources = fields.texts("sources", ("bsp.c",))
    settings = []
    wanted = fields.optional_table("settings")
    if wanted is not None:
        for name in table["settings"]:
            limits = wanted.table(name)
            settings.append(BspSetting(name, limits.integer("low"), limits.integer("high")))
            limits.finish()
        wanted.finish()
    fields.finish()
    return Bsp(folder, sources, tuple(settings))


def read_settings(bsp: Bsp, fields: Fields | None, board: Fields) -> tuple[tuple[str, int], ...]:
    """Values of the settings `bsp` needs, from the board's `[clock]` table."""
    if fields is None:
        if bsp.settings:
            names = ", ".join(setting.name for setting in bsp.settings)
            board.fail("clock", f"bsp {bsp.folder.name!r} needs a [clock] table with: {names}")
        return ()
    values = tuple((s.name, fields.integer(s.name, low=s.low, high=s.high)) for s in bsp.settings)
    fields.finish()
    return values
