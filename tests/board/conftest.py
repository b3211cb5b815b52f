"""Chips to flash: boot loaders and probes that are closed after the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chips.an3155 import Stm32BootLoader
from tests.chips.debug_port import ProbeServer, Stm32Target
from tests.chips.esp_rom import EspRom
from tests.chips.nor_flash import NorFlash
from tinyforge.target import load_board

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


@pytest.fixture
def esp() -> Iterator[EspRom]:
    """An ESP32-C3 in its boot loader, behind a socket."""
    pytest.importorskip("esptool")
    rom = EspRom(NorFlash(load_board("esp32c3_devkitm")))
    yield rom
    rom.close()
