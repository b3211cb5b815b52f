"""A serial line at 921,600 baud into a receiver of one byte that cannot hold the other side off."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.toy_build import toy_expected, toy_inputs, write_toy_build
from tinyforge.codegen.build_info import load_build_info
from tinyforge.device.client import DeviceClient, Request
from tinyforge.device.emulate.peripherals import LineClock, Uart
from tinyforge.device.emulate.process import booted
from tinyforge.device.flash import flash_firmware
from tinyforge.device.frames import MAX_BODY, Frame, encode_frame
from tinyforge.device.session import run_client
from tinyforge.device.transport import SerialTransport
from tinyforge.paths import boards_dir
from tinyforge.target import load_board
from tinyforge.toolchain.firmware import build_firmware

BYTE_TICKS = 100
KILOBYTE = 1024
TRANSFERS = 200


class Sender:
    """The far end of a UART under test: bytes at times."""

    def __init__(self) -> None:
        self.chunks: list[tuple[int, bytes]] = []
        self.said = bytearray()

    def arrived(self, clock: Callable[[], int], *, wait: bool) -> list[tuple[int, bytes]]:
        del clock, wait
        chunks, self.chunks = self.chunks, []
        return chunks

    def send(self, byte: int) -> None:
        self.said.append(byte)


class Bench:
    """A UART whose program's instructions are counted by hand."""

    def __init__(self) -> None:
        self.instructions = 0
        self.line = Sender()
        self.uart = Uart(self.line, LineClock(lambda: self.instructions), BYTE_TICKS)

    def take(self) -> int | None:
        """What a program does to get a byte: None where there is none yet."""
        return self.uart.read(0) if self.uart.read(4) & 2 else None


@pytest.mark.parametrize("busy, expected", [(BYTE_TICKS - 1, b"abcd"), (BYTE_TICKS + 1, b"abd"), (450, b"a")])
def test_a_byte_that_is_not_read_in_its_time_costs_the_next(busy: int, expected: bytes) -> None:
    """After the first byte the program is busy for a while, then reads as fast as it can."""
    bench = Bench()
    bench.line.chunks.append((0, b"abcd"))
    got = bytearray()
    for _ in range(40):
        byte = bench.take()
        if byte is None:
            continue
        got.append(byte)
        if len(got) == 1:
            # The second byte arrives meanwhile, is held, and the third finds the receiver full.
            bench.instructions += BYTE_TICKS + busy
    assert bytes(got) == {b"a": b"ab"}.get(expected, expected)
    overrun = bool(bench.uart.read(4) & 8)
    assert overrun == (bytes(got) != b"abcd")
    bench.uart.write(4, 8)
    assert not bench.uart.read(4) & 8


def test_sending_takes_its_time() -> None:
    bench = Bench()
    bench.uart.write(0, 0x55)
    assert bench.uart.read(4) & 1
    bench.instructions += BYTE_TICKS
    assert not bench.uart.read(4) & 1
    assert bench.line.said == b"\x55"


BOARDS = ["emulated_m4", pytest.param("emulated_m0plus", marks=pytest.mark.long)]


@pytest.fixture(scope="module", params=BOARDS)
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The toy on a board of one's own whose only difference is the line's speed: 271 cycles a byte."""
    folder = tmp_path_factory.mktemp("fast")
    text = (boards_dir() / f"{request.param}.toml").read_text(encoding="utf-8")
    (folder / "fast_line.toml").write_text(text.replace(request.param, "fast_line").replace("115200", "921600"))
    board = load_board(folder / "fast_line.toml")
    assert board.uart.baud == 921600
    report = flash_firmware(build_firmware(write_toy_build(folder / "toy"), board))
    with booted(board, Path(report.target)) as url:
        yield url


def transfer(client: DeviceClient, data: bytes) -> bytes:
    """There and back, in as many frames as it takes."""
    return b"".join(client.echo(data[at : at + MAX_BODY - 1]) for at in range(0, len(data), MAX_BODY - 1))


def test_200_transfers_of_a_kilobyte_lose_nothing_by_stop_and_wait(port: str) -> None:
    client = DeviceClient(SerialTransport(port))
    client.hello()
    before = client.stats()
    chaos = random.Random(9)
    for _ in range(TRANSFERS):
        data = chaos.randbytes(KILOBYTE)
        assert transfer(client, data) == data
    after = client.stats()
    assert client.resent == 0
    assert (after.damaged, after.too_long, after.uart_errors) == (before.damaged, before.too_long, before.uart_errors)
    assert after.frames - before.frames == TRANSFERS * 3 + 1
    client.close()


def test_pipelined_frames_are_lost_and_noticed(port: str, tmp_path: Path) -> None:
    """Two frames at once: the second comes while the device answers the first. What follows is exact again."""
    transport = SerialTransport(port)
    client = DeviceClient(transport)
    before = client.stats().uart_errors
    frames = [encode_frame(Frame(Request.ECHO, seq, bytes(range(256)))) for seq in (1, 2)]
    transport.write(b"".join(frames))
    assert client.stats().uart_errors > before
    inputs = toy_inputs(3)
    result = run_client(client, load_build_info(write_toy_build(tmp_path / "toy")), [inputs])
    np.testing.assert_array_equal(result.outputs[0], toy_expected(inputs))
    client.close()


def test_a_frame_cut_short_does_not_spoil_all_that_follow(port: str) -> None:
    """The zero that opens the next frame ends the cut one; the device complains while that frame arrives, and loses it
    but for its mark, which opens another one: without care that goes on for ever."""
    transport = SerialTransport(port)
    client = DeviceClient(transport, reply_s=0.5, attempts=5)
    client.hello()
    transport.write(encode_frame(Frame(Request.READ, 1, bytes(7)))[:5])
    assert client.echo(b"all the same") == b"all the same"
    assert client.resent <= 2
    client.close()
