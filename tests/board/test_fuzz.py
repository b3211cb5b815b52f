"""Sessions over terrible lines and through resets: no wrong result is ever accepted, and each ends in the right one.

TINYFORGE_FUZZ_ROUNDS says how many sessions a board of the long test goes through.
"""

from __future__ import annotations

import os
import random
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from tests.board.bad_line import BYTE_FAULTS, CHUNK_FAULTS, BadLine, resettable
from tests.shared import golden, shared_model
from tests.toy_build import ARENA_BYTES, toy_expected, toy_inputs, write_toy_build
from tinyforge.api.compile import compile as compile_model
from tinyforge.codegen.build_info import load_build_info
from tinyforge.device.client import DeviceClient, RefusedError, Request, Status
from tinyforge.device.flash import flash_firmware
from tinyforge.device.flash.emulated import flash_file
from tinyforge.device.result import Array
from tinyforge.device.session import run_client
from tinyforge.errors import DeviceError
from tinyforge.target import load_board
from tinyforge.toolchain.firmware import build_firmware

ROUNDS = int(os.environ.get("TINYFORGE_FUZZ_ROUNDS", "1000"))
KWS = "mlperf_kws_dscnn_int8"
BOARDS = [("emulated_m4", "unicorn"), ("stm32f405", "qemu")]
RATE = 0.0015
KINDS = [*((fault,) for fault in (*BYTE_FAULTS, *CHUNK_FAULTS)), ("reset",), (*BYTE_FAULTS, *CHUNK_FAULTS, "reset")]


def flashed(build: Path, name: str) -> Path:
    """The flash file of the board with the build on it."""
    board = load_board(name)
    flash_firmware(build_firmware(build, board), "emulated")
    return flash_file(build, board)


def skip_without(emulator: str) -> None:
    if emulator == "qemu" and shutil.which("qemu-system-arm") is None:
        pytest.skip("no qemu-system-arm")


def fuzz(
    build: Path, name: str, emulator: str, rounds: int, samples: tuple[Array, Array], arena_high_water: int
) -> dict[str, int]:
    """Every round is a whole session on one sample. Returns what was suffered, to show that it was something."""
    inputs, expected = samples
    info = load_build_info(build)
    suffered = {"resent": 0, "resets": 0}
    with resettable(load_board(name), flashed(build, name), emulator) as board:
        for number in range(rounds):
            chaos = random.Random(number)
            kind = KINDS[number % len(KINDS)]
            line = BadLine(board, chaos, RATE, kind, board.reset if "reset" in kind else None)
            client = DeviceClient(line, reply_s=0.2, attempts=200)
            k = chaos.randrange(len(inputs))
            result = run_client(client, info, [inputs[k : k + 1]])
            np.testing.assert_array_equal(result.outputs[0][0], expected[k], err_msg=f"round {number}")
            assert result.arena_high_water_bytes == arena_high_water, f"round {number}"
            suffered["resent"] += client.resent
            suffered["resets"] += line.resets
    return suffered


@pytest.mark.parametrize("name, emulator", [BOARDS[0], pytest.param(*BOARDS[1], marks=pytest.mark.long)])
def test_a_few_terrible_sessions(tmp_path: Path, name: str, emulator: str) -> None:
    skip_without(emulator)
    inputs = toy_inputs(4)
    build = write_toy_build(tmp_path / "toy")
    fuzz(build, name, emulator, len(KINDS), (inputs, toy_expected(inputs)), ARENA_BYTES)


@pytest.mark.long
@pytest.mark.parametrize("input_mode", ["whole", "rows"])
@pytest.mark.parametrize("name, emulator", BOARDS)
def test_terrible_sessions(tmp_path: Path, name: str, emulator: str, input_mode: str) -> None:
    """Half of the rounds each with inputs written whole and row by row; an input takes two frames."""
    skip_without(emulator)
    build = compile_model(
        shared_model(KWS), board="emulated_m4", objective="sram", input_mode=input_mode, out=tmp_path / "kws"
    ).out
    with np.load(golden(KWS)) as recorded:
        samples = recorded["input_0"], recorded["output_0"]
    clean = fuzz(build, name, emulator, 0, samples, 0)
    assert clean == {"resent": 0, "resets": 0}
    suffered = fuzz(build, name, emulator, ROUNDS // 2, samples, load_build_info(build).arena_bytes)
    assert suffered["resent"] > ROUNDS // 2
    assert suffered["resets"] > ROUNDS // 20
    print(suffered)


@pytest.mark.parametrize("name, emulator", BOARDS)
def test_a_reset_between_two_pieces_of_an_input_is_noticed(tmp_path: Path, name: str, emulator: str) -> None:
    """The second piece alone must not pass for an input, nor the marks of nothing for those of a run."""
    skip_without(emulator)
    data = toy_inputs(1)[0].tobytes()
    flash = flashed(write_toy_build(tmp_path / "toy"), name)
    with resettable(load_board(name), flash, emulator) as board:
        client = DeviceClient(board)
        client.hello()
        client.request(Request.WRITE, struct.pack("<BI", 0, 0) + data[:64])
        board.reset()
        for kind, body in (
            (Request.WRITE, struct.pack("<BI", 0, 64) + data[64:]),
            (Request.INVOKE, b""),
            (Request.MEMORY, b""),
        ):
            with pytest.raises(RefusedError) as refused:
                client.request(kind, body)
            assert refused.value.status == Status.BAD_STATE
        client.hello()
        client.write_input(0, data)
        client.invoke()
        assert client.read_tensor(1, 4) == toy_expected(toy_inputs(1)).tobytes()


@pytest.mark.long
@pytest.mark.qemu
@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="no qemu-system-arm")
def test_a_board_that_resets_all_the_time_ends_the_run(tmp_path: Path) -> None:
    """As with a watchdog that is shorter than the inference: no endless repetition."""
    build = write_toy_build(tmp_path / "toy")
    with resettable(load_board("stm32f405"), flashed(build, "stm32f405"), "qemu") as board:

        class Watched(DeviceClient):
            def invoke(self, timeout_s: float = 120.0) -> int:
                board.reset()
                return super().invoke(timeout_s)

        with pytest.raises(DeviceError, match="lost its state 10 times in one sample: does it reset"):
            run_client(Watched(board, reply_s=0.2), load_build_info(build), [toy_inputs(1)])
