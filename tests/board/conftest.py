"""Chips to flash: boot loaders and probes that are closed after the test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.chips.an3155 import Stm32BootLoader
from tests.chips.debug_port import ProbeServer, Stm32Target
from tests.chips.esp_rom import EspRom
from tests.chips.jtag import JtagServer
from tests.chips.nor_flash import NorFlash
from tinyforge.target import Board, load_board

SHIM = Path(__file__).parents[1] / "chips" / "pty_shim"
F412_ID = 0x10006441


@pytest.fixture
def quiet_pty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ptys have no parity and no modem lines: pyserial does without in the tools that are started."""
    pytest.importorskip("stm32loader")
    monkeypatch.setenv("PYTHONPATH", str(SHIM))


@pytest.fixture
def boot_loader() -> Iterator[Callable[..., Stm32BootLoader]]:
    """``boot_loader(board, chip_id)``: an STM32 in its boot loader, behind a pty."""
    made: list[Stm32BootLoader] = []

    def make(name: str, chip_id: int = 0x421, **options: bool) -> Stm32BootLoader:
        made.append(Stm32BootLoader(NorFlash(load_board(name)), chip_id, **options))
        return made[-1]

    yield make
    for loader in made:
        loader.close()


@pytest.fixture
def probe() -> Iterator[Callable[..., ProbeServer]]:
    """``probe(idcode)``: an STM32F412 behind a debug probe."""
    pytest.importorskip("pyocd")
    made: list[ProbeServer] = []

    def make(idcode: int = F412_ID) -> ProbeServer:
        made.append(ProbeServer(Stm32Target(NorFlash(load_board("nucleo_f412zg")), idcode, 256 << 10)))
        return made[-1]

    yield make
    for server in made:
        server.close()


_OPENOCD_SCRIPT = """\
adapter driver remote_bitbang
remote_bitbang host 127.0.0.1
remote_bitbang port {port}
source [find target/stm32f4x.cfg]
reset_config none
# remote_bitbang knows no speed, which the script's own handlers set.
stm32f4x.cpu configure -event reset-start {{}}
stm32f4x.cpu configure -event reset-init {{}}
gdb_port disabled
tcl_port disabled
telnet_port disabled
"""


@dataclass
class JtagBoard:
    """A Nucleo-F412ZG whose probe is a JTAG cable; board: with the script that OpenOCD needs for it."""

    board: Board
    target: Stm32Target


@pytest.fixture
def jtag(tmp_path: Path) -> Iterator[JtagBoard]:
    """An STM32F412 that OpenOCD reaches: its own script for the chip, another cable."""
    if shutil.which("openocd") is None:
        pytest.skip("no openocd")
    board = load_board("nucleo_f412zg")
    target = Stm32Target(NorFlash(board), F412_ID, 256 << 10)
    server = JtagServer(target)
    script = tmp_path / "cable.cfg"
    script.write_text(_OPENOCD_SCRIPT.format(port=server.port))
    yield JtagBoard(replace(board, tools=replace(board.tools, openocd_config=str(script))), target)
    server.close()


@pytest.fixture
def esp() -> Iterator[EspRom]:
    """An ESP32-C3 in its boot loader, behind a socket."""
    pytest.importorskip("esptool")
    rom = EspRom(NorFlash(load_board("esp32c3_devkitm")))
    yield rom
    rom.close()
