"""What the tests of flashing share: firmware, what must boot afterwards, boards with nothing in their flash."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.chips.chip import ChipMachine
from tests.chips.nor_flash import NorFlash
from tests.chips.rp2 import Rp2, image_def
from tests.toy_build import toy_expected, toy_inputs, write_toy_build
from tinyforge.device.client import DeviceClient
from tinyforge.device.emulate.process import booted, qemu_command
from tinyforge.device.flash import flash_content
from tinyforge.device.session import run_client
from tinyforge.device.transport import SerialTransport
from tinyforge.target import load_board
from tinyforge.toolchain.firmware import Firmware, build_firmware

INPUTS = toy_inputs(2)
needs_qemu = pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="no qemu-system-arm")
needs_gdb = pytest.mark.skipif(shutil.which("gdb-multiarch") is None, reason="no gdb-multiarch")


def firmware_for(folder: Path, name: str) -> Firmware:
    return build_firmware(write_toy_build(folder / "toy"), load_board(name))


def image(firmware: Firmware) -> bytes:
    return flash_content(firmware.image().segments, firmware.board)


def answers(firmware: Firmware, client: DeviceClient) -> None:
    """What the client talks to is this firmware, and computes exactly."""
    try:
        result = run_client(client, firmware.info, [INPUTS])
    finally:
        client.close()
    np.testing.assert_array_equal(result.outputs[0], toy_expected(INPUTS))


def answers_in_qemu(firmware: Firmware, content: bytes, folder: Path) -> None:
    """The flashed bytes, not the file they came from, boot and answer exactly."""
    flash = folder / "flashed.bin"
    flash.write_bytes(content)
    with booted(firmware.board, flash, "qemu") as url:
        answers(firmware, DeviceClient(SerialTransport(url)))


def answers_on_rp2(firmware: Firmware, flash: NorFlash) -> None:
    """The same on the model of an RP2040 or RP2350."""
    board = firmware.board
    content = flash.content(len(image(firmware)))
    assert flash.problems == []
    assert content == image(firmware)
    assert board.mcu == "RP2040" or image_def(flash.content(4096)) is not None
    machine = ChipMachine(board, Rp2(board), firmware.image())
    machine.uc.mem_write(board.flash.origin, content)
    machine.start(board.flash.origin + (0x100 if board.mcu == "RP2040" else 0))
    answers(firmware, DeviceClient(machine))


@contextmanager
def empty_qemu(firmware: Firmware) -> Iterator[tuple[str, str]]:
    """A board with nothing in its flash, stopped, with a GDB server; yields (server, url of the serial port)."""
    ports = []
    for _ in range(2):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
    serial = f"tcp:127.0.0.1:{ports[1]},server=on,wait=off,nodelay=on"
    command = qemu_command(firmware.board, Path("none"), serial)
    at = command.index("-kernel")
    command[at : at + 2] = ["-S", "-gdb", f"tcp:127.0.0.1:{ports[0]}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", ports[1])) == 0:
                    break
            time.sleep(0.05)
        yield f"127.0.0.1:{ports[0]}", f"socket://127.0.0.1:{ports[1]}"
    finally:
        process.kill()
        process.communicate()
