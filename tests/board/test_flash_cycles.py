"""Every method that can be tested without hardware, again and again, and through faults of wire and supply.

TINYFORGE_FLASH_CYCLES says how often each method flashes, verifies and runs in the long test.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.board.conftest import JtagBoard
from tests.board.flashing import (
    answers,
    answers_in_qemu,
    answers_on_rp2,
    empty_qemu,
    firmware_for,
    image,
    needs_gdb,
    needs_qemu,
)
from tests.chips.an3155 import Stm32BootLoader
from tests.chips.debug_port import ProbeServer
from tests.chips.drives import Drive, StlinkDrive, Uf2Drive
from tests.chips.esp32c3 import Esp32c3, Esp32c3Machine
from tests.chips.esp_rom import EspRom
from tests.chips.nor_flash import NorFlash
from tests.chips.wire import Wire
from tinyforge.device.client import DeviceClient
from tinyforge.device.flash import FlashJob, flash_firmware
from tinyforge.device.flash.stlink_msd import StlinkDriveFlasher
from tinyforge.device.flash.uf2 import Uf2Flasher
from tinyforge.device.transport import SerialTransport
from tinyforge.errors import DeviceError
from tinyforge.toolchain.firmware import Firmware

CYCLES = int(os.environ.get("TINYFORGE_FLASH_CYCLES", "3"))
PICO, NUCLEO = "Board-ID: RPI-RP2\n", "Version: 0221\n"


@pytest.mark.long
@needs_qemu
@pytest.mark.qemu
def test_cycles_of_stm32loader(tmp_path: Path, quiet_pty: None, boot_loader: Callable[..., Stm32BootLoader]) -> None:
    firmware, loader = firmware_for(tmp_path, "nucleo_f446re"), boot_loader("nucleo_f446re")
    for _ in range(CYCLES):
        loader.power_up()  # the program runs after a flash: the next one starts with a reset into the boot loader
        report = flash_firmware(firmware, "stm32loader", port=loader.port)
        assert report.verified
        answers_in_qemu(firmware, loader.flash.content(report.image_bytes), tmp_path)
    assert loader.flash.problems == []


@pytest.mark.long
@needs_qemu
@pytest.mark.qemu
def test_cycles_of_pyocd(tmp_path: Path, probe: Callable[..., ProbeServer]) -> None:
    firmware, server = firmware_for(tmp_path, "nucleo_f412zg"), probe()
    for _ in range(CYCLES):
        report = flash_firmware(firmware, "pyocd", probe=server.serial)
        assert report.verified
        answers_in_qemu(firmware, server.target.flash.content(report.image_bytes), tmp_path)
    assert server.target.flash.problems == []


@pytest.mark.long
@needs_qemu
@pytest.mark.qemu
def test_cycles_of_openocd(tmp_path: Path, jtag: JtagBoard) -> None:
    firmware = replace(firmware_for(tmp_path, "nucleo_f412zg"), board=jtag.board)
    for _ in range(CYCLES):
        report = flash_firmware(firmware, "openocd")
        assert report.verified
        answers_in_qemu(firmware, jtag.target.flash.content(report.image_bytes), tmp_path)
    assert jtag.target.flash.problems == []


@pytest.mark.long
@needs_qemu
@needs_gdb
@pytest.mark.qemu
def test_cycles_of_gdb(tmp_path: Path) -> None:
    firmware = firmware_for(tmp_path, "stm32f405")
    for _ in range(CYCLES):
        with empty_qemu(firmware) as (address, url):
            assert flash_firmware(firmware, "gdb", port=address).verified
            answers(firmware, DeviceClient(SerialTransport(url)))


@pytest.mark.long
def test_cycles_of_esptool(tmp_path: Path, esp: EspRom) -> None:
    firmware = firmware_for(tmp_path, "esp32c3_devkitm")
    for _ in range(CYCLES):
        esp.power_up()
        report = flash_firmware(firmware, "esptool", port=esp.port)
        assert report.verified
        boots_on_esp32c3(firmware, esp.flash)


def boots_on_esp32c3(firmware: Firmware, flash: NorFlash) -> None:
    """What is in the serial flash starts on the model of the chip, and answers exactly."""
    board = firmware.board
    content = flash.content(len(image(firmware)))
    assert flash.problems == []
    assert content == image(firmware)
    machine = Esp32c3Machine(board, Esp32c3(board), firmware.image(), content)
    answers(firmware, DeviceClient(machine))
    assert machine.chip.problems == []


@pytest.mark.long
def test_cycles_of_uf2(tmp_path: Path) -> None:
    firmware = firmware_for(tmp_path, "rpi_pico")
    drive = pico(tmp_path, firmware)
    for _ in range(CYCLES):
        drive.plug(PICO)
        flash_firmware(firmware, "uf2", port=str(drive.folder))
        drive.unplug()
        answers_on_rp2(firmware, drive.flash)


@pytest.mark.long
@needs_qemu
@pytest.mark.qemu
def test_cycles_of_stlinks_drive(tmp_path: Path) -> None:
    firmware = firmware_for(tmp_path, "nucleo_f446re")
    drive = nucleo(tmp_path, firmware)
    for _ in range(CYCLES):
        drive.plug(NUCLEO)
        report = flash_firmware(firmware, "stlink-msd", port=str(drive.folder))
        drive.unplug()
        answers_in_qemu(firmware, drive.flash.content(report.image_bytes), tmp_path)
    assert drive.flash.problems == []


def pico(folder: Path, firmware: Firmware) -> Uf2Drive:
    return Uf2Drive(folder / "RPI-RP2", "toy.uf2", NorFlash(firmware.board), firmware.board.tools.uf2_family)


def nucleo(folder: Path, firmware: Firmware) -> StlinkDrive:
    return StlinkDrive(folder / "NODE_F446RE", "toy.bin", NorFlash(firmware.board))


# Drives


def cut_power(drive: Drive) -> None:
    drive.flash.operations_left = 8


def test_uf2_faults_end_clearly_and_the_next_flash_succeeds(tmp_path: Path) -> None:
    """The power goes in the middle; blocks get lost on the way; the drive is another chip's."""
    firmware = firmware_for(tmp_path, "rpi_pico")
    drive, flasher = pico(tmp_path, firmware), Uf2Flasher(patience_s=0.3)
    job = FlashJob(firmware, port=str(drive.folder))
    drive.plug(PICO)
    cut_power(drive)
    with pytest.raises(DeviceError, match=r"went away or refused after [\d,]+ of [\d,]+ B: .*connect the board again"):
        flasher.flash(job)
    drive.unplug()
    drive.plug(PICO)
    drive.lose = frozenset({3})
    with pytest.raises(DeviceError, match="is still there: the boot loader waits for blocks that were lost"):
        flasher.flash(job)
    drive.unplug()
    drive.lose = frozenset()
    drive.plug("Board-ID: RP2350\n")
    with pytest.raises(DeviceError, match="drive of another chip"):
        flasher.flash(job)
    drive.unplug()
    drive.plug(PICO)
    flasher.flash(job)
    drive.unplug()
    answers_on_rp2(firmware, drive.flash)


def test_stlink_drive_faults_end_clearly_and_the_next_flash_succeeds(tmp_path: Path) -> None:
    """The power goes in the middle, or behind the last byte; the flash is locked; the drive is another board's."""
    firmware = firmware_for(tmp_path, "nucleo_f446re")
    drive, flasher = nucleo(tmp_path, firmware), StlinkDriveFlasher(patience_s=1.0)
    job = FlashJob(firmware, port=str(drive.folder))
    pages = len(image(firmware)) // 1024
    for left, message in (
        (2, "went away or refused after"),
        (pages + 1, "did not come back: was nucleo_f446re"),
    ):
        drive.plug(NUCLEO)
        drive.flash.operations_left = left
        with pytest.raises(DeviceError, match=message):
            flasher.flash(job)
        drive.unplug()
    drive.plug(NUCLEO)
    drive.flash.locked = True
    with pytest.raises(DeviceError, match="could not write nucleo_f446re: The flash of the target is locked; unplug"):
        flasher.flash(job)
    drive.unplug()
    drive.flash.locked = False
    drive.flash.problems.clear()
    other = StlinkDrive(tmp_path / "NODE_F412ZG", "toy.bin", NorFlash(firmware.board))
    other.plug(NUCLEO)
    with pytest.raises(DeviceError, match="is the drive of another board, that of nucleo_f446re is NODE_F446RE"):
        flasher.flash(FlashJob(firmware, port=str(other.folder)))
    other.unplug()
    assert set(other.flash.data) == {0xFF}
    drive.plug(NUCLEO)
    flasher.flash(job)
    drive.unplug()
    assert drive.flash.problems == []
    assert drive.flash.content(len(image(firmware))) == image(firmware)


# Wires


@needs_qemu
@needs_gdb
@pytest.mark.qemu
@pytest.mark.long
@pytest.mark.parametrize("fault", ["wrong chip", "lost byte", "power cut"])
def test_gdb_faults_end_clearly_and_the_next_flash_succeeds(tmp_path: Path, fault: str) -> None:
    """A chip with nothing where the image belongs; a byte lost in the middle of the image; a target that goes away."""
    firmware = firmware_for(tmp_path, "stm32f405")
    other = firmware_for(tmp_path / "other", "mps2_an386")
    with empty_qemu(other if fault == "wrong chip" else firmware) as (server, _):
        at = {"lost byte": {"lose_at": 3000}, "power cut": {"cut_at": 3000}}.get(fault)
        wire = Wire(int(server.split(":")[1]), **at) if at else None
        through = f"127.0.0.1:{wire.port}" if wire else server
        if fault == "lost byte":
            # GDB's packets have check sums: the target asks for that one again.
            assert flash_firmware(firmware, "gdb", port=through).verified
        else:
            with pytest.raises(DeviceError, match="could not write stm32f405"):
                flash_firmware(firmware, "gdb", port=through)
        assert wire is None or wire.carried > 3000
    with empty_qemu(firmware) as (server, url):
        assert flash_firmware(firmware, "gdb", port=server).verified
        answers(firmware, DeviceClient(SerialTransport(url)))


@pytest.mark.long
@pytest.mark.parametrize("harm, before_the_end", [("lose_at", 6000), ("cut_at", 1500)])
def test_esptool_and_a_bad_wire(tmp_path: Path, esp: EspRom, harm: str, before_the_end: int) -> None:
    """A byte of esptool's loader is lost, or the plug is pulled while the image is written."""
    firmware = firmware_for(tmp_path, "esp32c3_devkitm")
    whole = through_wire(firmware, esp)
    esp.power_up()
    with pytest.raises(DeviceError, match="esptool could not write esp32c3_devkitm"):
        through_wire(firmware, esp, **{harm: whole - before_the_end})
    esp.power_up()
    through_wire(firmware, esp)
    boots_on_esp32c3(firmware, esp.flash)


@pytest.mark.long
def test_esptool_sends_what_was_lost_again(tmp_path: Path, esp: EspRom) -> None:
    firmware = firmware_for(tmp_path, "esp32c3_devkitm")
    whole = through_wire(firmware, esp)
    esp.power_up()
    assert through_wire(firmware, esp, lose_at=whole - 1500) > whole + 1500
    boots_on_esp32c3(firmware, esp.flash)


def through_wire(firmware: Firmware, rom: EspRom, **harm: int) -> int:
    """Flash through a wire; returns the bytes it carried to the chip."""
    wire = Wire(int(rom.port.rsplit(":", 1)[1]), **harm)
    try:
        assert flash_firmware(firmware, "esptool", port=f"socket://127.0.0.1:{wire.port}").verified
    finally:
        wire.close()
    return wire.carried
