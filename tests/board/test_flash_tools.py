"""Flashing with other people's tools, unmodified, against models of the chips; what they wrote then boots.

stm32loader talks to a boot loader of AN3155 on a pty, GDB to QEMU; UF2 files are read back by uf2utils and programmed
as a boot ROM does it. Faults: wrong chip, locked flash, lost bytes, power cut; more of them, and 100 cycles of each
method, in test_flash_cycles.py.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.board.conftest import F412_ID, JtagBoard
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
from tests.chips.drives import StlinkDrive, Uf2Drive
from tests.chips.esp_rom import EspRom
from tests.chips.nor_flash import NorFlash
from tinyforge.api.flash import flash
from tinyforge.device.client import DeviceClient
from tinyforge.device.flash import FLASHERS, FlashJob, flash_firmware
from tinyforge.device.flash.uf2 import INFO, Uf2Flasher
from tinyforge.device.transport import SerialTransport
from tinyforge.errors import DeviceError, ToolMissing, UsageError
from tinyforge.target import load_board
from tinyforge.toolchain.firmware import Firmware

F446_ID = 0x10006421
ESP = "esp32c3_devkitm"


# STM32 boot loader over a serial port


@needs_qemu
@pytest.mark.qemu
def test_stm32loader_writes_what_then_boots(
    tmp_path: Path, quiet_pty: None, boot_loader: Callable[..., Stm32BootLoader]
) -> None:
    firmware = firmware_for(tmp_path, "nucleo_f446re")
    loader = boot_loader("nucleo_f446re")
    loader.flash.data[0x100:0x200] = bytes(256)
    report = flash_firmware(firmware, "stm32loader", port=loader.port)
    assert report.verified
    assert loader.flash.content(report.image_bytes) == image(firmware)
    assert loader.flash.problems == []
    assert loader.started == firmware.board.flash.origin
    answers_in_qemu(firmware, loader.flash.content(report.image_bytes), tmp_path)


def test_stm32loader_refuses_another_chip_before_it_writes(
    tmp_path: Path, quiet_pty: None, boot_loader: Callable[..., Stm32BootLoader]
) -> None:
    firmware = firmware_for(tmp_path, "nucleo_f446re")
    loader = boot_loader("nucleo_f446re", 0x441)
    with pytest.raises(DeviceError, match="wrong chip: it answers ID 0x441, STM32F446RE has 0x421"):
        flash_firmware(firmware, "stm32loader", port=loader.port)
    assert set(loader.flash.data) == {0xFF}


@pytest.mark.long
@pytest.mark.parametrize("fault", ["protected", "power cut while erasing", "power cut while writing", "deaf"])
def test_stm32loader_faults_end_clearly_and_the_next_flash_succeeds(
    tmp_path: Path, quiet_pty: None, boot_loader: Callable[..., Stm32BootLoader], fault: str
) -> None:
    firmware = firmware_for(tmp_path, "nucleo_f446re")
    loader = boot_loader("nucleo_f446re")
    loader.protected = fault == "protected"
    loader.flash.operations_left = {"power cut while erasing": 3, "power cut while writing": 14}.get(fault)
    loader.deaf_after = 900 if fault == "deaf" else None
    with pytest.raises(DeviceError, match="stm32loader could not write nucleo_f446re"):
        flash_firmware(firmware, "stm32loader", port=loader.port)
    loader.protected = False
    loader.power_up()
    report = flash_firmware(firmware, "stm32loader", port=loader.port)
    assert loader.flash.content(report.image_bytes) == image(firmware)
    assert loader.flash.problems == []


# pyOCD through a debug probe


@needs_qemu
@pytest.mark.qemu
def test_pyocd_writes_what_then_boots(tmp_path: Path, probe: Callable[..., ProbeServer]) -> None:
    """Old content under the image is erased, that of other sectors is kept, option bytes are never touched."""
    firmware = firmware_for(tmp_path, "nucleo_f412zg")
    server = probe()
    flash = server.target.flash
    flash.data[: 16 << 10] = bytes(16 << 10)
    flash.data[128 << 10 : 129 << 10] = b"\x5a" * 1024
    report = flash_firmware(firmware, "pyocd", probe=server.serial)
    assert report.verified
    assert flash.problems == []
    assert flash.content(report.image_bytes) == image(firmware)
    assert flash.data[128 << 10 : 129 << 10] == b"\x5a" * 1024
    answers_in_qemu(firmware, flash.content(report.image_bytes), tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("fault", ["wrong chip", "locked", "power cut while erasing", "power cut while writing"])
def test_pyocd_faults_end_clearly_and_the_next_flash_succeeds(
    tmp_path: Path, probe: Callable[..., ProbeServer], fault: str
) -> None:
    firmware = firmware_for(tmp_path, "nucleo_f412zg")
    server = probe(F446_ID if fault == "wrong chip" else F412_ID)
    target, flash = server.target, server.target.flash
    flash.data[:64] = bytes(64)
    flash.locked = fault == "locked"
    flash.operations_left = {"power cut while erasing": 0, "power cut while writing": 500}.get(fault)
    message = "wrong chip: it answers ID 0x421" if fault == "wrong chip" else "pyocd could not write nucleo_f412zg"
    with pytest.raises(DeviceError, match=message):
        flash_firmware(firmware, "pyocd", probe=server.serial)
    assert fault != "wrong chip" or flash.data[:64] == bytes(64)
    target.power_up(F412_ID)
    report = flash_firmware(firmware, "pyocd", probe=server.serial)
    assert flash.content(report.image_bytes) == image(firmware)
    assert flash.problems == []


# OpenOCD over a JTAG cable


def for_cable(folder: Path, jtag: JtagBoard) -> Firmware:
    return replace(firmware_for(folder, "nucleo_f412zg"), board=jtag.board)


@needs_qemu
@pytest.mark.qemu
def test_openocd_writes_what_then_boots(tmp_path: Path, jtag: JtagBoard) -> None:
    """Its own script of the chip, its own flash algorithm; other sectors are kept, option bytes never touched."""
    firmware, flash = for_cable(tmp_path, jtag), jtag.target.flash
    flash.data[: 16 << 10] = bytes(16 << 10)
    flash.data[128 << 10 : 129 << 10] = b"\x5a" * 1024
    report = flash_firmware(firmware, "openocd")
    assert report.verified
    assert flash.problems == []
    assert flash.content(report.image_bytes) == image(firmware)
    assert flash.data[128 << 10 : 129 << 10] == b"\x5a" * 1024
    answers_in_qemu(firmware, flash.content(report.image_bytes), tmp_path)


@pytest.mark.parametrize(
    "fault",
    [
        "wrong chip",
        pytest.param("locked", marks=pytest.mark.long),
        pytest.param("power cut while erasing", marks=pytest.mark.long),
        pytest.param("power cut while writing", marks=pytest.mark.long),
    ],
)
def test_openocd_faults_end_clearly_and_the_next_flash_succeeds(tmp_path: Path, jtag: JtagBoard, fault: str) -> None:
    firmware, target, flash = for_cable(tmp_path, jtag), jtag.target, jtag.target.flash
    flash.data[:64] = bytes(64)
    target.idcode = F446_ID if fault == "wrong chip" else F412_ID
    flash.locked = fault == "locked"
    flash.operations_left = {"power cut while erasing": 0, "power cut while writing": 500}.get(fault)
    message = "wrong chip: it answers ID 0x421" if fault == "wrong chip" else "exit code 1"
    with pytest.raises(DeviceError, match=f"openocd could not write nucleo_f412zg: {message}"):
        flash_firmware(firmware, "openocd")
    assert fault != "wrong chip" or flash.data[:64] == bytes(64)
    target.power_up(F412_ID)
    report = flash_firmware(firmware, "openocd")
    assert flash.content(report.image_bytes) == image(firmware)
    assert flash.problems == []


# esptool and Espressif's boot loader


def test_esptool_writes_and_verifies(tmp_path: Path, esp: EspRom) -> None:
    firmware, rom = firmware_for(tmp_path, ESP), esp
    rom.flash.data[:64] = bytes(64)
    report = flash_firmware(firmware, "esptool", port=rom.port)
    assert report.verified
    assert rom.flash.content(report.image_bytes) == image(firmware)
    assert rom.flash.problems == []


def test_esptool_refuses_another_chip(tmp_path: Path, esp: EspRom) -> None:
    firmware, rom = firmware_for(tmp_path, ESP), esp
    rom.chip_id = 9
    with pytest.raises(DeviceError, match=r"(?s)could not write esp32c3_devkitm: .*not ESP32-C3"):
        flash_firmware(firmware, "esptool", port=rom.port)
    assert set(rom.flash.data) == {0xFF}


@pytest.mark.long
@pytest.mark.parametrize("fault", ["locked", "power cut while erasing", "power cut while writing"])
def test_esptool_faults_end_clearly_and_the_next_flash_succeeds(tmp_path: Path, esp: EspRom, fault: str) -> None:
    firmware, rom = firmware_for(tmp_path, ESP), esp
    rom.flash.locked = fault == "locked"
    rom.flash.operations_left = {"power cut while erasing": 1, "power cut while writing": 2}.get(fault)
    with pytest.raises(DeviceError, match="esptool could not write"):
        flash_firmware(firmware, "esptool", port=rom.port)
    rom.flash.locked = False
    rom.power_up()
    report = flash_firmware(firmware, "esptool", port=rom.port)
    assert rom.flash.content(report.image_bytes) == image(firmware)
    assert rom.flash.problems == []


# GDB and a GDB server


@needs_qemu
@needs_gdb
@pytest.mark.qemu
@pytest.mark.parametrize("name", ["mps2_an386", "stm32f405"])
def test_gdb_loads_compares_and_starts(tmp_path: Path, name: str) -> None:
    firmware = firmware_for(tmp_path, name)
    with empty_qemu(firmware) as (server, url):
        report = FLASHERS["gdb"].flash(FlashJob(firmware, port=server))
        assert report.verified
        answers(firmware, DeviceClient(SerialTransport(url)))


@pytest.mark.long
@needs_qemu
@needs_gdb
@pytest.mark.qemu
def test_gdb_through_openocd_programs_flash(tmp_path: Path, jtag: JtagBoard) -> None:
    """What users with a probe do: OpenOCD's server knows the flash, so that `load` erases and programs it."""
    firmware, flash = for_cable(tmp_path, jtag), jtag.target.flash
    flash.data[:64] = bytes(64)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    script = Path(jtag.board.tools.openocd_config)
    script.write_text(script.read_text().replace("gdb_port disabled", f"gdb_port {port}"))
    with subprocess.Popen(["openocd", "-f", str(script)], stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        assert any("Listening on port" in line for line in server.stderr)
        report = flash_firmware(firmware, "gdb", port=f"127.0.0.1:{port}")
        server.kill()
    assert report.verified
    assert flash.problems == []
    # GDB loads section by section: OpenOCD fills gaps of a few bytes as it likes.
    for segment in firmware.image().segments:
        at = segment.address - firmware.board.flash.origin
        assert flash.data[at : at + len(segment.data)] == segment.data
    answers_in_qemu(firmware, flash.content(report.image_bytes), tmp_path)


@needs_gdb
def test_gdb_without_a_server_says_so(tmp_path: Path) -> None:
    firmware = firmware_for(tmp_path, "stm32f405")
    with pytest.raises(DeviceError, match=r"(?s)could not write stm32f405: .*does a GDB server listen there"):
        flash_firmware(firmware, "gdb", port="127.0.0.1:9")


# UF2


def boot_drive(folder: Path, firmware: Firmware, board_id: str) -> Uf2Drive:
    """A board whose boot loader shows its drive."""
    family = firmware.board.tools.uf2_family
    drive = Uf2Drive(folder / "drive", "toy.uf2", NorFlash(firmware.board), family)
    drive.plug(f"UF2 Bootloader v3.0\nModel: somebody's\nBoard-ID: {board_id}\n")
    return drive


@pytest.mark.parametrize("name, board_id", [("rpi_pico", "RPI-RP2"), ("rpi_pico2", "RP2350")])
def test_uf2_reaches_flash_and_boots(tmp_path: Path, name: str, board_id: str) -> None:
    """An independent reader takes the file apart; what it finds is what the boot loader has put into flash."""
    uf2utils = pytest.importorskip("uf2utils.file")
    firmware = firmware_for(tmp_path, name)
    drive = boot_drive(tmp_path, firmware, board_id)
    job = FlashJob(firmware, port=str(drive.folder))
    report = Uf2Flasher().flash(job)
    drive.unplug()
    assert (report.image_bytes, report.verified) == (len(image(firmware)), False)
    for block in uf2utils.UF2File.readBlocks(str(job.file(".uf2"))):
        assert block.header.family.id == drive.family
        offset = block.header.address - firmware.board.flash.origin
        assert drive.flash.data[offset : offset + 256] == bytes(block.payload)[:256]
    answers_on_rp2(firmware, drive.flash)


def test_uf2_info_of_an_independent_reader(tmp_path: Path) -> None:
    uf2info = Path(sys.executable).parent / "uf2info"
    if not uf2info.is_file():
        pytest.skip("uf2utils is not installed")
    firmware = firmware_for(tmp_path, "rpi_pico")
    drive = boot_drive(tmp_path, firmware, "RPI-RP2")
    job = FlashJob(firmware, port=str(drive.folder))
    Uf2Flasher().flash(job)
    drive.unplug()
    done = subprocess.run([str(uf2info), str(job.file(".uf2"))], capture_output=True, text=True, check=True)
    assert "RP2040" in done.stdout
    assert "10000000" in done.stdout


def test_uf2_wrong_drive_and_one_that_takes_no_file(tmp_path: Path) -> None:
    firmware = firmware_for(tmp_path, "rpi_pico")
    drive = tmp_path / "somewhere"
    drive.mkdir()
    flasher = Uf2Flasher(patience_s=0.0)
    with pytest.raises(DeviceError, match=f"has no {INFO}"):
        flasher.flash(FlashJob(firmware, port=str(drive)))
    (drive / INFO).write_text("Board-ID: RP2350\n")
    with pytest.raises(DeviceError, match=r"drive of another chip \(RP2350\), not of RP2040"):
        flasher.flash(FlashJob(firmware, port=str(drive)))
    (drive / INFO).write_text("Board-ID: RPI-RP2\n")
    with pytest.raises(DeviceError, match="is still there: the boot loader waits for blocks"):
        flasher.flash(FlashJob(firmware, port=str(drive)))
    (drive / "toy.uf2").unlink()
    (drive / "toy.uf2").mkdir()
    with pytest.raises(DeviceError, match="went away or refused after 0 of"):
        flasher.flash(FlashJob(firmware, port=str(drive)))


# ST-Link's drive


@needs_qemu
@pytest.mark.qemu
def test_stlink_drive(tmp_path: Path) -> None:
    firmware = firmware_for(tmp_path, "nucleo_f446re")
    folder = tmp_path / "NODE_F446RE"
    folder.mkdir()
    with pytest.raises(DeviceError, match="no ST-Link drive"):
        flash_firmware(firmware, "stlink-msd", port=str(folder))
    drive = StlinkDrive(folder, "toy.bin", NorFlash(firmware.board))
    drive.plug("Version: 0221\n")
    report = flash_firmware(firmware, "stlink-msd", port=str(folder))
    drive.unplug()
    assert drive.flash.problems == []
    assert drive.flash.content(report.image_bytes) == image(firmware)
    answers_in_qemu(firmware, drive.flash.content(report.image_bytes), tmp_path)


# Programs that need USB: only their command lines are tested


def fake_program(folder: Path, name: str, script: str = "exit 0") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$0" "$@" >> "{folder}/argv.txt"\n{script}\n')
    path.chmod(0o755)
    return folder


F446_SAYS = 'echo "0xe0042000: 10006421"'
COMMAND_LINES = {
    "openocd": ("nucleo_f446re", "openocd", ["-f", "board/st_nucleo_f4.cfg", "-c", "adapter serial S1"]),
    "jlink": (
        "nrf52840dk",
        "JLinkExe",
        ["-device", "nRF52840_xxAA", "-if", "SWD", "-speed", "4000", "-autoconnect", "1", "-SelectEmuBySN", "S1"],
    ),
    "picotool": ("rpi_pico", "picotool", ["load", "-v", "-x"]),
    "bossac": ("arduino_nano_33_ble", "bossac", ["--port=/dev/ttyX", "-e", "-w", "-v"]),
}


@pytest.mark.parametrize("method", COMMAND_LINES)
def test_command_lines(tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, program, expected = COMMAND_LINES[method]
    firmware = firmware_for(tmp_path, name)
    monkeypatch.setenv("PATH", str(fake_program(tmp_path / "bin", program, F446_SAYS)), prepend=":")
    planned = flash_firmware(firmware, method, probe="S1", port="/dev/ttyX", dry_run=True)
    assert not (tmp_path / "bin" / "argv.txt").exists()
    report = flash_firmware(firmware, method, probe="S1", port="/dev/ttyX")
    assert report.commands == planned.commands
    ran = (tmp_path / "bin" / "argv.txt").read_text().splitlines()
    assert ran[0].endswith(program)
    assert ran[1 : 1 + len(expected)] == expected
    assert report.verified


def test_openocd_accepts_the_boards_scripts() -> None:
    """OpenOCD itself parses them; without a probe it can do no more."""
    openocd = shutil.which("openocd")
    if openocd is None:
        pytest.skip("no openocd")
    for name in (
        "nucleo_f446re",
        "nucleo_f746zg",
        "nucleo_h743zi2",
        "nucleo_l476rg",
        "stm32f4_disco",
        "disco_f746ng",
        "nrf52840dk",
    ):
        config = load_board(name).tools.openocd_config
        done = subprocess.run(
            [openocd, "-f", config, "-c", "echo parsed", "-c", "shutdown"], capture_output=True, text=True, timeout=60
        )
        assert "parsed" in done.stderr + done.stdout, done.stderr


@pytest.mark.parametrize("back, message", [("cp", ""), (": > ", "differs from the image at offset 0x0")])
def test_dfu_util_reads_back(tmp_path: Path, back: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    firmware = firmware_for(tmp_path, "stm32f4_disco")
    copy = 'cp "${last%.readback.bin}.bin" "$last"' if back == "cp" else ': > "$last"'
    script = f'for last; do :; done\ncase "$*" in *-U*) {copy};; esac'
    monkeypatch.setenv("PATH", str(fake_program(tmp_path / "bin", "dfu-util", script)), prepend=":")
    if message:
        with pytest.raises(DeviceError, match=message):
            flash_firmware(firmware, "dfu-util")
    else:
        assert flash_firmware(firmware, "dfu-util").verified


def test_failures_carry_the_tools_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    firmware = firmware_for(tmp_path, "nucleo_f446re")
    script = 'echo "Error: open failed" >&2; exit 1'
    monkeypatch.setenv("PATH", str(fake_program(tmp_path / "bin", "openocd", script)), prepend=":")
    with pytest.raises(
        DeviceError, match=r"(?s)openocd could not write nucleo_f446re: exit code 1:\nError: open failed\n.*other ways"
    ):
        flash_firmware(firmware, "openocd")


def test_a_missing_tool_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    firmware = firmware_for(tmp_path, "nucleo_f446re")
    monkeypatch.setattr("tinyforge.device.flash.command.shutil.which", lambda _name: None)
    with pytest.raises(ToolMissing, match="openocd was not found; install it with: apt install openocd"):
        flash_firmware(firmware, "openocd")


def test_nothing_usable_and_methods_a_board_has_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    firmware = firmware_for(tmp_path, "nucleo_f446re")
    for flasher in FLASHERS.values():
        monkeypatch.setattr(type(flasher), "missing", lambda self, _job: f"no {self.name}")
    with pytest.raises(ToolMissing, match=r"no openocd; no pyocd; .*Install one with: apt install openocd"):
        flash_firmware(firmware)
    with pytest.raises(UsageError, match="cannot be flashed with bossac; it offers: openocd, pyocd"):
        flash_firmware(firmware, "bossac")
    with pytest.raises(UsageError, match="nucleo_f446re: which serial port"):
        flash_firmware(firmware, "stm32loader", dry_run=True)


def test_dry_run_needs_nothing_and_writes_nothing(tmp_path: Path) -> None:
    firmware_for(tmp_path, "nucleo_f446re")
    result = flash(tmp_path / "toy", board="nucleo_f446re", method="openocd", dry_run=True)
    assert result.commands[0][:3] == ("openocd", "-f", "board/st_nucleo_f4.cfg")
    assert result.commands[-1][-1].endswith("verify reset exit")
    assert not result.verified
