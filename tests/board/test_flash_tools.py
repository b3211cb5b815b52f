"""Flashing with other people's tools, unmodified, against models of the chips; what they wrote then boots.

stm32loader talks to a boot loader of AN3155 on a pty, GDB to QEMU; UF2 files are read back by uf2utils and programmed
as a boot ROM does it. Faults: wrong chip, locked flash, lost bytes, power cut.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.chips.an3155 import Stm32BootLoader
from tests.chips.chip import ChipMachine
from tests.chips.debug_port import ProbeServer, Stm32Target
from tests.chips.esp_rom import EspRom
from tests.chips.nor_flash import NorFlash
from tests.chips.rp2 import Rp2, image_def
from tests.toy_build import toy_expected, toy_inputs, write_toy_build
from tinyforge.api.flash import flash
from tinyforge.device.client import DeviceClient
from tinyforge.device.emulate.process import booted, qemu_command
from tinyforge.device.flash import FLASHERS, FlashJob, flash_content, flash_firmware
from tinyforge.device.flash.uf2 import INFO, Uf2Flasher
from tinyforge.device.session import run_client
from tinyforge.device.transport import SerialTransport
from tinyforge.errors import DeviceError, ToolMissing, UsageError
from tinyforge.target import load_board
from tinyforge.target.flashing import FlashTools
from tinyforge.toolchain.firmware import Firmware, build_firmware

INPUTS = toy_inputs(2)
SHIM = Path(__file__).parents[1] / "chips" / "pty_shim"
needs_qemu = pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="no qemu-system-arm")
needs_gdb = pytest.mark.skipif(shutil.which("gdb-multiarch") is None, reason="no gdb-multiarch")


def firmware_for(folder: Path, name: str) -> Firmware:
    return build_firmware(write_toy_build(folder / "toy"), load_board(name))


def answers_in_qemu(firmware: Firmware, content: bytes, folder: Path) -> None:
    """The flashed bytes, not the file they came from, boot and answer exactly."""
    flash = folder / "flashed.bin"
    flash.write_bytes(content)
    with booted(firmware.board, flash, "qemu") as url:
        answers(firmware, DeviceClient(SerialTransport(url)))


def answers(firmware: Firmware, client: DeviceClient) -> None:
    try:
        result = run_client(client, firmware.info, [INPUTS])
    finally:
        client.close()
    np.testing.assert_array_equal(result.outputs[0], toy_expected(INPUTS))


def image(firmware: Firmware) -> bytes:
    return flash_content(firmware.image().segments, firmware.board)


# STM32 boot loader over a serial port


@pytest.fixture
def quiet_pty(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("stm32loader")
    monkeypatch.setenv("PYTHONPATH", str(SHIM))


@pytest.fixture
def boot_loader() -> Iterator[Callable[..., Stm32BootLoader]]:
    made: list[Stm32BootLoader] = []

    def make(name: str, chip_id: int = 0x421, **options: bool) -> Stm32BootLoader:
        made.append(Stm32BootLoader(NorFlash(load_board(name)), chip_id, **options))
        return made[-1]

    yield make
    for loader in made:
        loader.close()


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

F412_ID, F446_ID = 0x10006441, 0x10006421


@pytest.fixture
def probe() -> Iterator[Callable[..., ProbeServer]]:
    pytest.importorskip("pyocd")
    made: list[ProbeServer] = []

    def make(idcode: int = F412_ID) -> ProbeServer:
        made.append(ProbeServer(Stm32Target(NorFlash(load_board("nucleo_f412zg")), idcode, 256 << 10)))
        return made[-1]

    yield make
    for server in made:
        server.close()


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
    flash.locked, flash.operations_left, target.powered, target.idcode = False, None, True, F412_ID
    target.controller.status = 0
    report = flash_firmware(firmware, "pyocd", probe=server.serial)
    assert flash.content(report.image_bytes) == image(firmware)
    assert flash.problems == []


# esptool and Espressif's boot loader


@pytest.fixture
def esp(tmp_path: Path) -> Iterator[tuple[Firmware, EspRom]]:
    """An image for a chip with 4 KiB sectors from address 0, and an ESP32-C3 to put it on."""
    pytest.importorskip("esptool")
    firmware = firmware_for(tmp_path, "nrf52840dk")
    board = replace(firmware.board, tools=FlashTools(esptool_chip="esp32c3"), flashers=("esptool",))
    rom = EspRom(NorFlash(board))
    yield replace(firmware, board=board), rom
    rom.close()


def test_esptool_writes_and_verifies(esp: tuple[Firmware, EspRom]) -> None:
    firmware, rom = esp
    rom.flash.data[:64] = bytes(64)
    report = flash_firmware(firmware, "esptool", port=rom.port)
    assert report.verified
    assert rom.flash.content(report.image_bytes) == image(firmware)
    assert rom.flash.problems == []


def test_esptool_refuses_another_chip(esp: tuple[Firmware, EspRom]) -> None:
    firmware, rom = esp
    rom.chip_id = 9
    with pytest.raises(DeviceError, match=r"(?s)could not write nrf52840dk: .*not ESP32-C3"):
        flash_firmware(firmware, "esptool", port=rom.port)
    assert set(rom.flash.data) == {0xFF}


@pytest.mark.long
@pytest.mark.parametrize("fault", ["locked", "power cut while erasing", "power cut while writing"])
def test_esptool_faults_end_clearly_and_the_next_flash_succeeds(esp: tuple[Firmware, EspRom], fault: str) -> None:
    firmware, rom = esp
    rom.flash.locked = fault == "locked"
    rom.flash.operations_left = {"power cut while erasing": 1, "power cut while writing": 2}.get(fault)
    with pytest.raises(DeviceError, match="esptool could not write"):
        flash_firmware(firmware, "esptool", port=rom.port)
    rom.flash.locked = False
    rom.power_up()
    report = flash_firmware(firmware, "esptool", port=rom.port)
    assert rom.flash.content(report.image_bytes) == image(firmware)
    assert rom.flash.problems == []


# Again and again

CYCLES = int(os.environ.get("TINYFORGE_FLASH_CYCLES", "3"))


@needs_qemu
@needs_gdb
@pytest.mark.qemu
@pytest.mark.long
@pytest.mark.parametrize("method", ["stm32loader", "pyocd", "gdb", "uf2", "emulated"])
def test_cycles_of_flashing_and_running(
    tmp_path: Path,
    quiet_pty: None,
    boot_loader: Callable[..., Stm32BootLoader],
    probe: Callable[..., ProbeServer],
    method: str,
) -> None:
    """Write, verify, boot what was written, compare; TINYFORGE_FLASH_CYCLES says how often."""
    firmware = firmware_for(
        tmp_path, {"uf2": "rpi_pico", "pyocd": "nucleo_f412zg", "gdb": "stm32f405"}.get(method, "nucleo_f446re")
    )
    loader, server = boot_loader("nucleo_f446re"), probe()
    drive = boot_drive(tmp_path, "RPI-RP2")
    for _ in range(CYCLES):
        if method == "gdb":
            with empty_qemu(firmware) as (address, url):
                assert flash_firmware(firmware, "gdb", port=address).verified
                answers(firmware, DeviceClient(SerialTransport(url)))
            continue
        if method == "uf2":
            Uf2Flasher(patience_s=0.0).flash(FlashJob(firmware, port=str(drive)))
            boots_from_uf2(firmware, drive)
            continue
        loader.power_up()  # the program runs after a flash: the next one starts with a reset into the boot loader
        port, serial = (loader.port, None) if method == "stm32loader" else (None, server.serial)
        report = flash_firmware(firmware, method, probe=serial, port=port)
        assert report.verified
        flash = loader.flash if method == "stm32loader" else server.target.flash
        written = flash.content(report.image_bytes) if method != "emulated" else Path(report.target).read_bytes()
        answers_in_qemu(firmware, written, tmp_path)


# GDB and a GDB server


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


@needs_gdb
def test_gdb_without_a_server_says_so(tmp_path: Path) -> None:
    firmware = firmware_for(tmp_path, "stm32f405")
    with pytest.raises(DeviceError, match=r"(?s)could not write stm32f405: .*does a GDB server listen there"):
        flash_firmware(firmware, "gdb", port="127.0.0.1:9")


# UF2


def boot_rom_takes(drive: Path, flash: NorFlash, family: int) -> None:
    """What a UF2 boot ROM does with a file: uf2utils reads it; sectors are erased as they are first touched."""
    uf2utils = pytest.importorskip("uf2utils.file")
    (path,) = drive.glob("*.uf2")
    erased = set()
    for block in uf2utils.UF2File.readBlocks(str(path)):
        assert block.header.family.id == family
        offset = block.header.address - flash.origin
        if offset // 4096 not in erased:
            flash.erase(offset)
            erased.add(offset // 4096)
        flash.program(offset, bytes(block.payload)[:256])
    path.unlink()


def boots_from_uf2(firmware: Firmware, drive: Path) -> None:
    """The boot ROM programs the file on the drive; what is in flash then answers exactly."""
    board = firmware.board
    flash, size = NorFlash(board), len(image(firmware))
    boot_rom_takes(drive, flash, board.tools.uf2_family)
    assert flash.problems == []
    assert flash.content(size) == image(firmware)
    assert board.mcu == "RP2040" or image_def(flash.content(4096)) is not None
    machine = ChipMachine(board, Rp2(board), firmware.image())
    machine.uc.mem_write(board.flash.origin, flash.content(size))
    machine.start(board.flash.origin + (0x100 if board.mcu == "RP2040" else 0))
    answers(firmware, DeviceClient(machine))


def boot_drive(folder: Path, board_id: str) -> Path:
    drive = folder / "drive"
    drive.mkdir()
    (drive / INFO).write_text(f"UF2 Bootloader v3.0\nModel: somebody's\nBoard-ID: {board_id}\n")
    return drive


@pytest.mark.parametrize("name, board_id", [("rpi_pico", "RPI-RP2"), ("rpi_pico2", "RP2350")])
def test_uf2_reaches_flash_and_boots(tmp_path: Path, name: str, board_id: str) -> None:
    firmware = firmware_for(tmp_path, name)
    drive = boot_drive(tmp_path, board_id)
    report = Uf2Flasher(patience_s=0.0).flash(FlashJob(firmware, port=str(drive)))
    assert report.image_bytes == len(image(firmware))
    boots_from_uf2(firmware, drive)


def test_uf2_info_of_an_independent_reader(tmp_path: Path) -> None:
    uf2info = Path(sys.executable).parent / "uf2info"
    if not uf2info.is_file():
        pytest.skip("uf2utils is not installed")
    firmware = firmware_for(tmp_path, "rpi_pico")
    job = FlashJob(firmware, port=str(boot_drive(tmp_path, "RPI-RP2")))
    Uf2Flasher(patience_s=0.0).flash(job)
    done = subprocess.run([str(uf2info), str(job.file(".uf2"))], capture_output=True, text=True, check=True)
    assert "RP2040" in done.stdout
    assert "10000000" in done.stdout


def test_uf2_wrong_drive_and_drive_that_goes_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    firmware = firmware_for(tmp_path, "rpi_pico")
    drive = boot_drive(tmp_path, "RP2350")
    flasher = Uf2Flasher(patience_s=0.0)
    with pytest.raises(DeviceError, match=r"drive of another chip \(RP2350\), not of RP2040"):
        flasher.flash(FlashJob(firmware, port=str(drive)))
    with pytest.raises(DeviceError, match=f"has no {INFO}"):
        flasher.flash(FlashJob(firmware, port=str(tmp_path)))
    (drive / INFO).write_text("Board-ID: RPI-RP2\n")
    (drive / "toy.uf2").mkdir()
    with pytest.raises(DeviceError, match="went away or refused after 0 of"):
        flasher.flash(FlashJob(firmware, port=str(drive)))
    (drive / "toy.uf2").rmdir()
    assert flasher.flash(FlashJob(firmware, port=str(drive))).verified


# ST-Link's drive


def test_stlink_drive(tmp_path: Path) -> None:
    firmware = firmware_for(tmp_path, "nucleo_f446re")
    drive = tmp_path / "NODE_F446RE"
    drive.mkdir()
    with pytest.raises(DeviceError, match="no ST-Link drive"):
        flash_firmware(firmware, "stlink-msd", port=str(drive))
    (drive / "DETAILS.TXT").write_text("Version: 0221\n")
    flasher = type(FLASHERS["stlink-msd"])(patience_s=0.2)  # type: ignore[call-arg]
    flasher.flash(FlashJob(firmware, port=str(drive)))
    assert (drive / "toy.bin").read_bytes() == image(firmware)
    (drive / "FAIL.TXT").write_text("The interface firmware FAILED to reset/halt the target MCU\n")
    with pytest.raises(DeviceError, match="FAILED to reset/halt the target MCU; unplug"):
        flasher.flash(FlashJob(firmware, port=str(drive)))


# Programs that need USB: only their command lines are tested


def fake_program(folder: Path, name: str, script: str = "exit 0") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$0" "$@" >> "{folder}/argv.txt"\n{script}\n')
    path.chmod(0o755)
    return folder


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
    monkeypatch.setenv("PATH", str(fake_program(tmp_path / "bin", program)), prepend=":")
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
    assert result.commands[0][-1].endswith("verify reset exit")
    assert not result.verified
