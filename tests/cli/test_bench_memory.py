"""``tinyforge bench memory``: every family of schedules under one definition, other tools' figures beside them."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.cli.runner import tinyforge_command
from tests.shared import DIGITS


def test_families_of_one_model(tmp_path: Path) -> None:
    named = tmp_path / "mlperf_kws_dscnn_int8.tflite"
    shutil.copyfile(DIGITS, named)  # published figures go by the name of the file
    done = tinyforge_command("bench", "memory", named, "--json")
    assert done.code == 0, done.err
    (model,) = done.json["models"]
    rows = {row["family"]: row for row in model["rows"]}
    assert rows["layer by layer"]["mac_factor"] == 1.0
    sizes = [rows[f"rows, {factor}x"]["arena_bytes"] for factor in ("1.25", "1.05", "1.00")]
    assert sizes == sorted(sizes)
    assert rows["whole input, 1.25x"]["arena_bytes"] < rows["layer by layer"]["arena_bytes"]
    assert all(sum(row["at_peak"].values()) > 0 for row in rows.values())
    published = {other["tool"]: other["sram_bytes"] for other in model["published"]}
    assert published == {"TFLM + CMSIS-NN": 22_820}
    assert tinyforge_command("bench", "memory", tmp_path / "none.tflite").code == 2
