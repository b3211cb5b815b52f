"""The C of a log-mel front end: tables and one function that makes a network's int8 input from int16 samples."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np

from tinyforge import __version__
from tinyforge.codegen.render import number_lines, render
from tinyforge.ir.types import Array
from tinyforge.paths import firmware_dir
from tinyforge.search.log_mel_fixed import FeatureQuant, FixedFrontEnd

HEADER = "tf_log_mel.h"


def front_end_files(fixed: FixedFrontEnd, quant: FeatureQuant, prefix: str) -> dict[str, str]:
    """File name -> text. They need ``HEADER`` beside them."""
    front = fixed.front
    tables = {
        "hann": ("uint16_t", fixed.hann),
        "twiddles": ("int32_t", fixed.twiddles),
        "first": ("uint16_t", np.asarray(fixed.first)),
        "count": ("uint16_t", np.asarray(fixed.count)),
        "weights": ("uint16_t", np.concatenate(fixed.weights)),
        "log2_table": ("int32_t", fixed.log2_table),
    }
    numbers = {name: getattr(front, name) for name in ("window", "hop", "frames", "bands", "size_log2")}
    fields = {
        **numbers,
        "fraction": fixed.fraction,
        **{name: f"{name}_table" if name != "log2_table" else name for name in tables},
        "floor": f"{fixed.floor}u",
        "offset": fixed.offset,
        **dataclasses.asdict(quant),
    }
    context = {
        "prefix": prefix,
        "guard": prefix.upper(),
        "version": __version__,
        "front": front,
        "rate": front.rate,
        "low": f"{front.low:g}",
        "high": f"{front.high:g}",
        "samples": front.window + (front.frames - 1) * front.hop,
        "features": front.frames * front.bands,
        "scratch_words": 2 * front.size,
        "tables": [_table(name, ctype, values) for name, (ctype, values) in tables.items()],
        "fields": fields,
    }
    return {f"{prefix}_front_end.{end}": render(f"front_end.{end}.j2", **context) for end in ("h", "c")}


def write_front_end(folder: Path, fixed: FixedFrontEnd, quant: FeatureQuant, prefix: str) -> None:
    """The files, and the header they need, into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in front_end_files(fixed, quant, prefix).items():
        (folder / name).write_text(text, encoding="utf-8")
    shutil.copyfile(firmware_dir() / "include" / HEADER, folder / HEADER)


def _table(name: str, ctype: str, values: Array) -> dict[str, object]:
    symbol = name if name == "log2_table" else f"{name}_table"
    return {"ctype": ctype, "symbol": symbol, "length": values.size, "lines": number_lines(values)}
