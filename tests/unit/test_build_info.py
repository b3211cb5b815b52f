"""Build info survives the round trip and refuses malformed files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tinyforge.codegen.build_info import (
    BankUse,
    BuildInfo,
    FlashBytes,
    OperatorInfo,
    TensorInfo,
    load_build_info,
    save_build_info,
)
from tinyforge.errors import UsageError

INFO = BuildInfo(
    name="net",
    model_file="net.tflite",
    source_sha256="00" * 32,
    digest="11" * 32,
    board="emulated_m7",
    arena_bytes=64,
    arena_bytes_without_input=32,
    stack_bytes=0,
    flash=FlashBytes(1, 2, 3),
    input_mode="whole",
    inputs=(TensorInfo("in", (1, 4), "int8", 0.5, -1, 4, "net_input"),),
    outputs=(TensorInfo("out", (1, 2), "int8", 1e-3, 3, 2, "net_output"),),
    operators=(OperatorInfo(0, "fc", "fully_connected", "net_op00_fully_connected", 8, (2,)),),
    banks=(BankUse("sram", 64, 1024),),
    schedule=({"kind": "layer", "ops": [0]},),
    macs=8,
    executed_macs=8,
    options={"sram": None},
)


def test_round_trip(tmp_path: Path) -> None:
    path = save_build_info(INFO, tmp_path)
    first = path.read_bytes()
    assert load_build_info(tmp_path) == INFO
    save_build_info(load_build_info(tmp_path), tmp_path)
    assert path.read_bytes() == first


@pytest.mark.parametrize(
    "change, message",
    [
        ({"extra": 1}, "unknown key extra"),
        ({"name": "a b"}, "no C identifier"),
        ({"macs": "many"}, "macs: 'many' has the wrong type"),
        ({"format": 99}, "another tinyforge"),
        ({"input_mode": "bits"}, "not one of: whole, rows"),
        ({"inputs": [3]}, r"\[\[inputs\]\] 0: expected a table"),
    ],
)
def test_malformed(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = save_build_info(INFO, tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UsageError, match=message):
        load_build_info(tmp_path)


def test_absent_and_broken(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no build folder"):
        load_build_info(tmp_path)
    path = save_build_info(INFO, tmp_path)
    path.write_text("{")
    with pytest.raises(UsageError, match="not valid JSON"):
        load_build_info(tmp_path)
