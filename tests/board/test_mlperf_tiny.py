"""MLPerf Tiny's published command sequence against firmware on emulated boards: loads, inference, results, errors."""

from __future__ import annotations

import re
import shutil
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import tinyforge
from tests.board.cable import qemu_on_a_pty
from tests.shared import golden, shared_model
from tinyforge.device.emulate.process import booted
from tinyforge.device.flash import flash_firmware
from tinyforge.device.transport import SerialTransport
from tinyforge.errors import UsageError
from tinyforge.target import load_board
from tinyforge.toolchain.firmware import build_firmware

BYTES_A_LINE = 31
needs_qemu = pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="no qemu-system-arm")


class Runner:
    """The host's side as the rules describe it: one command, then lines up to ``m-ready``."""

    def __init__(self, url: str) -> None:
        self.port = SerialTransport(url)
        self.text = ""

    def command(self, text: str, patience_s: float = 60.0) -> list[str]:
        assert len(text) < 80
        self.port.write(f"{text}%".encode())
        return self.until_ready(patience_s)

    def until_ready(self, patience_s: float) -> list[str]:
        deadline = time.monotonic() + patience_s
        while "m-ready\r\n" not in self.text:
            assert time.monotonic() < deadline, self.text
            self.text += self.port.read(1.0).decode()
        answer, self.text = self.text.split("m-ready\r\n", 1)
        assert answer.replace("\r\n", "").isprintable()
        return answer.split("\r\n")[:-1]

    def load(self, data: bytes) -> None:
        assert self.command(f"db load {len(data)}") == [f"m-[Expecting {len(data)} bytes]"]
        answers = [self.command(f"db {data[at : at + BYTES_A_LINE].hex()}") for at in range(0, len(data), BYTES_A_LINE)]
        assert answers[-1] == ["m-load-done"]
        assert not any(answers[:-1])

    def infer(self, count: int, warmups: int) -> tuple[list[float], int]:
        """Results, and microseconds by the device's clock."""
        lines = self.command(f"infer {count} {warmups}", 300.0)
        assert lines[:3] == [f"m-warmup-start-{warmups}", "m-warmup-done", f"m-infer-start-{count}"]
        assert lines[5] == "m-infer-done"
        laps = [int(re.fullmatch(r"m-lap-us-(\d+)", line).group(1)) for line in lines[3:5]]  # type: ignore[union-attr]
        return numbers(lines[6]), laps[1] - laps[0]


def numbers(line: str) -> list[float]:
    match = re.fullmatch(r"m-results-\[(.*)\]", line)
    assert match is not None, line
    assert all(re.fullmatch(r"-?\d+\.\d{3}", text) for text in match.group(1).split(","))
    return [float(text) for text in match.group(1).split(",")]


@contextmanager
def device(model: str, board_name: str, folder: Path, emulator: str, **options: str) -> Iterator[Runner]:
    board = load_board(board_name)
    build = tinyforge.compile(shared_model(model), board=board_name, out=folder / "build", **options).out
    report = flash_firmware(build_firmware(build, board, harness="mlperf-tiny"))
    flash = Path(report.target)
    with qemu_on_a_pty(board, flash) if emulator == "pty" else booted(board, flash, emulator) as url:
        runner = Runner(url)
        runner.port.write(b"%")  # whatever of the boot text was lost, from here on both are in step
        # QEMU looks for a reader of its pty once a second.
        while runner.port.read(1.5 if emulator == "pty" else 0.5):
            pass
        yield runner
        runner.port.close()


CASES = [
    pytest.param("mlperf_kws_dscnn_int8", "kws01", "emulated_m4", "unicorn", {}, id="kws01"),
    pytest.param("mlperf_ic_resnet8_int8", "ic01", "emulated_m7", "unicorn", {"input_mode": "rows"}, id="ic01-rows"),
    pytest.param("mlperf_kws_dscnn_int8", "kws01", "mps2_an386", "qemu", {}, id="kws01-qemu", marks=needs_qemu),
    *(
        pytest.param(model, name, "mps2_an500", "pty", {}, id=f"{name}-pty", marks=[needs_qemu, pytest.mark.long])
        for model, name in (
            ("mlperf_kws_dscnn_int8", "kws01"),
            ("mlperf_vww96_mobilenetv1_int8", "vww01"),
            ("mlperf_ic_resnet8_int8", "ic01"),
        )
    ),
]


@pytest.mark.parametrize("model, name, board, emulator, options", CASES)
def test_published_sequence(
    model: str, name: str, board: str, emulator: str, options: dict[str, str], tmp_path: Path
) -> None:
    with np.load(golden(model)) as recorded:
        value, expected = recorded["input_0"][0], recorded["output_0"][0].reshape(-1)
    pixels = value.astype(np.int16) + (128 if name != "kws01" else 0)
    with device(model, board, tmp_path, emulator, **options) as runner:
        assert runner.command("name") == ["m-name-dut-[tinyforge]"]
        assert runner.command("profile")[1] == f"m-model-[{name}]"
        data = pixels.astype(np.uint8).tobytes() if name != "kws01" else value.astype(np.int8).tobytes()
        runner.load(data)
        results, micros = runner.infer(2, 1)
        assert micros > 0
        scale, zero = output_quantisation(tmp_path / "build")
        np.testing.assert_allclose(results, (expected.astype(int) - zero) * scale, atol=0.00051)
        assert numbers(runner.command("results")[0]) == results
        assert runner.command("nonsense") == ["e-[Unknown command: nonsense]"]
        assert runner.command("db load 0")[0].startswith("e-[Expected 1 to ")
        assert runner.command("db load 2")
        assert runner.command("db 4G") == ["e-[Invalid hex digit '4G']"]
        assert runner.command("db 410") == ["e-[Insufficent number of hex digits]"]


def output_quantisation(build: Path) -> tuple[float, int]:
    from tinyforge.codegen.build_info import load_build_info

    tensor = load_build_info(build).outputs[0]
    return tensor.scale, tensor.zero_point


@pytest.mark.parametrize(
    "board, emulator",
    [("emulated_m4", "unicorn"), pytest.param("mps2_an500", "pty", marks=[needs_qemu, pytest.mark.long])],
)
def test_anomaly_detection_answers_the_error(tmp_path: Path, board: str, emulator: str) -> None:
    """ad01: float32 in; the answer is the mean squared difference of output and input."""
    model = "mlperf_ad_toycar_int8"
    with device(model, board, tmp_path, emulator) as runner:
        with np.load(golden(model)) as recorded:
            value, expected = recorded["input_0"][0].reshape(-1), recorded["output_0"][0].reshape(-1)
        from tinyforge.codegen.build_info import load_build_info

        info = load_build_info(tmp_path / "build")
        source, sink = info.inputs[0], info.outputs[0]
        real = ((value.astype(np.float32) - source.zero_point) * np.float32(source.scale)).astype("<f4")
        runner.load(struct.pack("<640f", *real))
        assert runner.command("profile")[1] == "m-model-[ad01]"
        (error,), _ = runner.infer(1, 0)
        wanted = np.mean(((expected.astype(int) - sink.zero_point) * sink.scale - real) ** 2)
        assert abs(error - wanted) <= 0.0006 + 1e-5 * wanted


def test_frames_are_answered_too_and_other_models_refused(tmp_path: Path) -> None:
    from tests.toy_build import write_toy_build
    from tinyforge.device.client import DeviceClient

    with device("mlperf_kws_dscnn_int8", "emulated_m4", tmp_path, "unicorn") as runner:
        assert DeviceClient(runner.port).hello().name == "mlperf_kws_dscnn_int8"
        runner.port.write(b"%")
        runner.until_ready(10.0)
        assert runner.command("name") == ["m-name-dut-[tinyforge]"]
    with pytest.raises(UsageError, match="toy is no model of MLPerf Tiny: 128 to 4 values"):
        build_firmware(write_toy_build(tmp_path / "toy"), load_board("emulated_m4"), harness="mlperf-tiny")
