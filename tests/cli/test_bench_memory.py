"""``tinyforge bench memory``: every family of schedules under one definition, other tools' figures beside them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.runner import tinyforge_command
from tests.shared import DIGITS

PAGE = "# Mine\n\n<!-- measured by tinyforge bench memory -->\nold\n<!-- end -->\nafter\n"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A small network under a name of the benchmarks: figures of other tools go by the name of the file."""
    named = tmp_path / "mlperf_kws_dscnn_int8.tflite"
    shutil.copyfile(DIGITS, named)
    return named


def test_families_of_one_model(model: Path, tmp_path: Path) -> None:
    page, record = tmp_path / "page.md", tmp_path / "record.json"
    page.write_text(PAGE)
    done = tinyforge_command("bench", "memory", model, "--no-measure", "--json", "--page", page, "--out", record)
    assert done.code == 0, done.err
    assert json.loads(record.read_text()) == done.json
    (found,) = done.json["models"]
    rows = {row["family"]: row for row in found["rows"]}
    assert {row["state"] for row in rows.values()} == {"planned"}
    assert rows["layer by layer"]["mac_factor"] == 1.0
    sizes = {name: row["arena_bytes"] for name, row in rows.items()}
    assert sizes["layer by layer"] < sizes["TinyEngine-style layers"] <= sizes["TFLM-style layers"]
    assert sizes["rows, 1.25x, any speed"] <= sizes["rows, 1.05x"] <= sizes["rows, 1.00x"]
    for name, ours in (("1.25x", "whole input, 1.25x"), ("rows, 1.25x", "rows, 1.25x, any speed")):
        assert sizes[ours] <= sizes[f"StreamNet-style, {name}"]
        assert sizes[ours] <= sizes.get(f"msf-CNN-style, {name}", sizes[ours])
    assert sizes["whole input, 1.25x"] <= sizes["MCUNetV2-style patches, 1.25x"] <= sizes["layer by layer"]
    for row in rows.values():
        assert sum(row["at_peak"].values()) == row["arena_bytes"]
    assert {other["tool"]: other["sram_bytes"] for other in found["published"]} == {"TFLM + CMSIS-NN": 22_820}
    text = page.read_text()
    assert text.startswith("# Mine\n")
    assert text.endswith("<!-- end -->\nafter\n")
    assert "old" not in text
    assert f"| mlperf_kws_dscnn | whole input, 1.25x | {sizes['whole input, 1.25x']:,} |" in text
    page.write_text(PAGE)
    again = tinyforge_command("bench", "memory", "--from", record, "--page", page, "--json")
    assert again.json == done.json
    assert page.read_text() == text
    for wrong in (["--from", page], ["--from", record, "--board", "emulated_m4"], [tmp_path / "none.tflite"], []):
        assert tinyforge_command("bench", "memory", *wrong).code == 2


@pytest.mark.long
def test_rows_are_built_and_measured(model: Path) -> None:
    done = tinyforge_command("bench", "memory", model, "--json")
    assert done.code == 0, done.err
    (found,) = done.json["models"]
    for row in found["rows"]:
        if row["family"].endswith("-style layers"):
            assert row["state"] == "planned"
        else:
            assert row["state"] == "measured", row
            assert row["run"]["stack_bytes"] > 0
            assert row["run"]["instructions"] > 0
