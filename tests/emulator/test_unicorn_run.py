"""The instruction-set emulator: exact outputs, counts, paints, memory checks and faults, on a hand-written model."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.toy_build import ARENA_BYTES, toy_expected, toy_inputs, write_toy_build
from tinyforge.device.emulate.run import BLOCK, run_emulator
from tinyforge.errors import DeviceError, UsageError
from tinyforge.target import load_board
from tinyforge.toolchain.firmware import build_firmware

BOARDS = ("emulated_m0plus", "emulated_m4", "emulated_m7", "emulated_m33", "stm32f405")
TOOLCHAINS = [
    "zig",
    pytest.param(
        "gcc", marks=pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="no arm-none-eabi-gcc")
    ),
]
INPUTS = toy_inputs(3)


@pytest.mark.parametrize("rows", [False, True], ids=["whole", "rows"])
@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("board", BOARDS)
def test_runs_exactly(tmp_path: Path, board: str, toolchain: str, rows: bool) -> None:
    build = write_toy_build(tmp_path / "toy", rows=rows)
    firmware = build_firmware(build, load_board(board), toolchain)
    result = run_emulator(firmware, [INPUTS])
    np.testing.assert_array_equal(result.outputs[0], toy_expected(INPUTS))
    assert result.arena_high_water_bytes == ARENA_BYTES == firmware.arena_linked_bytes
    assert 0 < result.stack_high_water_bytes <= firmware.stack.bytes
    assert firmware.stack.proven
    assert result.out_of_bounds_accesses == 0, result.violations
    assert 1000 < sum(layer.instructions for layer in result.layers) < result.instructions < 10_000
    assert all(cycles > result.instructions / 2 for cycles in result.estimated_cycles.values())
    traffic = {region.region: region for region in result.traffic}
    assert traffic["arena"].written_bytes >= 128 + 128 + 4
    assert traffic["flash"].read_bytes >= 512


def test_operators_are_profiled(tmp_path: Path) -> None:
    firmware = build_firmware(write_toy_build(tmp_path / "toy"), load_board("emulated_m4"))
    halve, dense = run_emulator(firmware, [INPUTS], profile=True).layers
    assert (halve.written_bytes or 0) >= 128 + 128  # copied to scratch, halved in place
    assert 512 <= (dense.flash_read_bytes or 0) < 700  # every weight once, some literals
    assert (dense.sram_read_bytes or 0) >= 4 * 128
    assert all(layer.estimated_cycles["cortex-m4"] >= layer.instructions for layer in (halve, dense))


def test_flash_wait_states_cost_what_is_not_at_hand(tmp_path: Path) -> None:
    firmware = build_firmware(write_toy_build(tmp_path / "toy"), load_board("stm32f405"))
    cycles = run_emulator(firmware, [INPUTS]).estimated_cycles
    small = replace(firmware, board=replace(firmware.board, flash=replace(firmware.board.flash, cache_bytes=0)))
    uncached = run_emulator(small, [INPUTS]).estimated_cycles
    # 512 bytes of weights are 32 lines of 5 wait states; loops run from the cache, where there is one.
    assert cycles["cortex-m4"] + 32 * 5 <= cycles["cortex-m4@5ws"] < uncached["cortex-m4@5ws"]
    assert uncached["cortex-m4"] == cycles["cortex-m4"]
    assert sorted(run_emulator(firmware, [INPUTS], check_memory=False).estimated_cycles) == ["cortex-m4", "cortex-m7"]


def test_counts_do_not_depend_on_the_samples_before(tmp_path: Path) -> None:
    firmware = build_firmware(write_toy_build(tmp_path / "toy"), load_board("emulated_m7"))
    counts = {run_emulator(firmware, [INPUTS[:n]]).instructions for n in (1, 2, 3)}
    assert len(counts) == 1


def test_many_samples_run_on_all_cores_and_stay_in_order(tmp_path: Path) -> None:
    firmware = build_firmware(write_toy_build(tmp_path / "toy"), load_board("emulated_m4"))
    many, told = toy_inputs(5 * BLOCK + 3), []
    result = run_emulator(firmware, [many], progress=lambda done, total: told.append((done, total)))
    np.testing.assert_array_equal(result.outputs[0], toy_expected(many))
    assert told == [(min(1 + BLOCK * n, len(many)), len(many)) for n in range(1, 7)]
    assert result.instructions == run_emulator(firmware, [many[:1]]).instructions


def test_trace_build_reports_every_output(tmp_path: Path) -> None:
    firmware = build_firmware(write_toy_build(tmp_path / "toy"), load_board("emulated_m4"), trace=True)
    result = run_emulator(firmware, [INPUTS])
    np.testing.assert_array_equal(result.traces[0, 0].view(np.int8), INPUTS.reshape(3, -1) >> 1)
    np.testing.assert_array_equal(result.traces[1, 0].view(np.int8), result.outputs[0].reshape(3, -1))


def run_bug(folder: Path, bug: str, board: str = "emulated_m4", limit: int = 10**6):  # type: ignore[no-untyped-def]
    build = write_toy_build(folder / "toy", bug=bug)
    return run_emulator(build_firmware(build, load_board(board)), [INPUTS], instruction_limit=limit)


@pytest.mark.parametrize("full_up_to", [0, 10**9], ids=["bounds", "full"])
def test_writes_past_the_arena_are_counted(tmp_path: Path, full_up_to: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinyforge.device.emulate.run.FULL_CHECK_INSTRUCTIONS", full_up_to)
    result = run_bug(tmp_path, "overflow")
    assert result.out_of_bounds_accesses == 64
    assert result.violations[0].is_write
    assert "toy_op01_fully_connected" in str(result.violations[0])


def test_unaligned_access_counts_where_the_core_faults(tmp_path: Path) -> None:
    assert run_bug(tmp_path, "unaligned", "emulated_m0plus").out_of_bounds_accesses == 1
    assert run_bug(tmp_path, "unaligned", "emulated_m7").out_of_bounds_accesses == 0


def test_wild_write_is_a_fault_with_place_and_address(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"unmapped address 0x3ffffff0 .* \(toy_op01_fully_connected"):
        run_bug(tmp_path, "wild")


def test_endless_loop_ends(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"does not end on emulated_m4: still at .*toy_op01"):
        run_bug(tmp_path, "endless")


def test_wrong_inputs_are_refused(tmp_path: Path) -> None:
    firmware = build_firmware(write_toy_build(tmp_path / "toy"), load_board("emulated_m4"))
    with pytest.raises(UsageError, match="input in is int8"):
        run_emulator(firmware, [INPUTS.astype(np.int16)])
    with pytest.raises(UsageError, match="has 1 inputs, 2 were given"):
        run_emulator(firmware, [INPUTS, INPUTS])
