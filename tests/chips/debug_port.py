"""An STM32F4 behind a debug probe, as pyOCD's `remote:` protocol sees it: ADIv5 access port, Cortex-M4 debug registers,
flash controller with NOR flash. The flash algorithm that pyOCD downloads runs in unicorn.

Written from the ADIv5 and Armv7-M manuals and RM0090 chapter 3; the protocol is one JSON request and response a line.
"""

from __future__ import annotations

import json
import socketserver
import threading
from typing import Any

from tests.chips.nor_flash import NorFlash, PowerCut
from tinyforge.device.emulate.hooks import arm_registers, unicorn_module

ROM_TABLE, SCS = 0xE00FF000, 0xE000E000
CPUID, AIRCR, DFSR, DHCSR, DCRSR, DCRDR, DEMCR = (SCS + at for at in (0xD00, 0xD0C, 0xD30, 0xDF0, 0xDF4, 0xDF8, 0xDFC))
IDCODE, FLASH_IF, _FLASH_SIZE = 0xE0042000, 0x40023C00, 0x1FFF7A20
KEYS = (0x45670123, 0xCDEF89AB)
_SP, _PC, _XPSR = 13, 15, 16


class FlashController:
    """RM0090 chapter 3.9: keys, status, control; what programs break is noted in flash.problems."""

    def __init__(self, flash: NorFlash) -> None:
        self.flash = flash
        self.control, self.status, self.key = 1 << 31, 0, 0

    def read(self, offset: int) -> int:
        """A register; option control as after reset."""
        return {0x0C: self.status, 0x10: self.control, 0x14: 0x0FFFAAED}.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """A register."""
        if offset == 0x04:
            self.key = self.key + 1 if self.key < 2 and value == KEYS[self.key] else 9
            if self.key == 2:
                self.control &= ~(1 << 31)
        elif offset == 0x0C:
            self.status &= ~value
        elif offset in (0x08, 0x14):
            self.flash.problems.append("option bytes touched")
        elif offset == 0x10:
            self._control(value)

    def _control(self, value: int) -> None:
        if self.control >> 31:
            self.flash.problems.append("control register written while locked")
            return
        self.control = value & ~(1 << 16)
        if value >> 31:
            self.key = 0
        if not value >> 16 & 1:
            return
        if self.flash.locked:
            self.status |= 1 << 4
            return
        if value & 4:
            self.flash.erase_all()
        elif value & 2:
            starts = [at for at, _ in self.flash.geometry.sectors_of(0, len(self.flash.data))]
            self.flash.erase(starts[value >> 3 & 15])

    def program(self, offset: int, size: int, value: int) -> None:
        """A store to the flash."""
        if self.control >> 31 or not self.control & 1:
            self.flash.problems.append("store to flash without PG")
        elif self.control >> 8 & 3 != {1: 0, 2: 1, 4: 2}[size]:
            self.flash.problems.append("store of another width than PSIZE")
        elif self.flash.locked:
            self.status |= 1 << 4
        else:
            self.flash.program(offset, value.to_bytes(size, "little"))


class Stm32Target:
    """The chip: memory by address, core registers, halt and run. in_slices: code in SRAM runs as `run_slice` is called,
    so that a debugger can feed it meanwhile; else to its breakpoint at once."""

    def __init__(self, flash: NorFlash, idcode: int, ram: int) -> None:
        unicorn = unicorn_module()
        self.flash, self.controller, self.idcode = flash, FlashController(flash), idcode
        self.halted, self.reset_seen, self.core_register = False, True, 0
        self.words: dict[int, int] = {}
        self.powered = True
        self.in_slices = self.broke = False
        self.words[_FLASH_SIZE] = len(flash.data) << 6  # KiB, in the upper half of the word
        self.uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        self.uc.mem_map(0x20000000, ram)
        self.ram_end = 0x20000000 + ram
        base = flash.origin
        self.uc.mmio_map(base, len(flash.data), self._fetch, None, self._store, None)
        self.uc.mmio_map(0x40000000, 0x100000, self._peripheral, None, self._set_peripheral, None)
        self.uc.hook_add(unicorn.UC_HOOK_INTR, self._break)
        arm = arm_registers()
        names = [f"R{i}" for i in range(13)] + ["SP", "LR", "PC", "XPSR"]
        self.registers = [getattr(arm, f"UC_ARM_REG_{name}") for name in names]

    def _break(self, uc: Any, _number: int, _user: Any) -> None:
        self.broke = True
        uc.emu_stop()

    # What code on the chip sees
    def _fetch(self, _uc: Any, offset: int, size: int, _user: Any) -> int:
        return int.from_bytes(self.flash.data[offset : offset + size], "little")

    def _store(self, uc: Any, offset: int, size: int, value: int, _user: Any) -> None:
        try:
            self.controller.program(offset, size, value)
        except PowerCut:
            self.powered = False
            uc.emu_stop()

    def _peripheral(self, _uc: Any, offset: int, _size: int, _user: Any) -> int:
        return self.controller.read(offset - 0x23C00) if 0x23C00 <= offset < 0x24000 else 0

    def _set_peripheral(self, uc: Any, offset: int, _size: int, value: int, _user: Any) -> None:
        if 0x23C00 <= offset < 0x24000:
            self._set_controller(offset - 0x23C00, value)
        if not self.powered:
            uc.emu_stop()

    def _set_controller(self, offset: int, value: int) -> None:
        try:
            self.controller.write(offset, value)
        except PowerCut:
            self.powered = False

    def power_up(self, idcode: int) -> None:
        """After a cut, or as another chip: reset, nothing locked."""
        self.flash.locked, self.flash.operations_left, self.powered, self.idcode = False, None, True, idcode
        self.words.pop(DEMCR, None)
        self._reset()

    # What the debug port sees
    def read(self, address: int, size: int) -> bytes:
        """Memory."""
        if self.flash.origin <= address < self.flash.origin + len(self.flash.data):
            return bytes(self.flash.data[address - self.flash.origin : address - self.flash.origin + size])
        if 0x20000000 <= address < self.ram_end:
            return bytes(self.uc.mem_read(address, size))
        return self._register(address & ~3).to_bytes(4, "little")[address & 3 :][:size]

    def write(self, address: int, data: bytes) -> None:
        """Memory; flash takes nothing that way."""
        if 0x20000000 <= address < self.ram_end:
            self.uc.mem_write(address, data)
        elif FLASH_IF <= address < FLASH_IF + 0x400:
            self._set_controller(address - FLASH_IF, int.from_bytes(data, "little"))
        else:
            self._set_register(address, int.from_bytes(data.ljust(4, b"\0"), "little"))

    def _register(self, address: int) -> int:
        if FLASH_IF <= address < FLASH_IF + 0x400:
            return self.controller.read(address - FLASH_IF)
        if address == DHCSR:
            state = 1 << 16 | int(self.halted) << 17 | int(self.reset_seen) << 25 | self.words.get(DHCSR, 0) & 0xF
            self.reset_seen = False
            return state
        fixed = {
            CPUID: 0x410FC241, IDCODE: self.idcode, ROM_TABLE: (SCS - ROM_TABLE) & 0xFFFFF000 | 3,
            SCS + 0xF40: 0x10110021, SCS + 0xF44: 0x11000011, DFSR: 2 if self.halted else 0,
        }  # fmt: skip
        if address in fixed:
            return fixed[address]
        for base, kind, part in ((ROM_TABLE, 0x10, 0x413), (SCS, 0xE0, 0x00C)):
            identity = self._identity(kind, part)
            if base + 0xFD0 <= address < base + 0x1000:
                return identity[(address - base - 0xFD0) // 4]
        return self.words.get(address, 0)

    @staticmethod
    def _identity(kind: int, part: int) -> list[int]:
        """Peripheral ID 4..7, 0..3 and component ID 0..3; designer Arm."""
        peripheral = [0x04, 0, 0, 0, part & 0xFF, 0xB0 | part >> 8, 0x0B, 0]
        return [*peripheral, 0x0D, kind, 0x05, 0xB1]

    def _set_register(self, address: int, value: int) -> None:
        if address == DCRSR:
            self._transfer_core_register(value)
        elif address == DHCSR and value >> 16 == 0xA05F:
            self.words[DHCSR] = value & 0xF
            if value & 2:
                self.halted = True
            elif self.halted:
                self._resume()
        elif address == AIRCR and value & 4:
            self._reset()
        elif address == DFSR:
            return
        else:
            self.words[address] = value

    def _transfer_core_register(self, value: int) -> None:
        number = value & 0x7F
        known = number < len(self.registers)
        if value & 1 << 16:
            if known:
                bit = 1 if number == _PC else 0
                self.uc.reg_write(self.registers[number], self.words.get(DCRDR, 0) | bit)
        else:
            self.words[DCRDR] = self.uc.reg_read(self.registers[number]) if known else 0

    def _reset(self) -> None:
        self.controller = FlashController(self.flash)
        self.halted, self.reset_seen = bool(self.words.get(DEMCR, 0) & 1), True
        for number, at in ((_SP, 0), (_PC, 4)):
            self.uc.reg_write(self.registers[number], int.from_bytes(self.flash.data[at : at + 4], "little"))
        self.uc.reg_write(self.registers[_XPSR], 0x01000000)

    def _resume(self) -> None:
        """Code in SRAM (the flash algorithm) runs to its breakpoint; the program in flash is only marked as running."""
        pc = self.uc.reg_read(self.registers[_PC])
        self.halted = False
        self.broke = False
        self.uc.ctl_flush_tb()  # another algorithm may have come to where the last one was
        if 0x20000000 <= pc < self.ram_end and not self.in_slices:
            self.uc.emu_start(pc | 1, 0xFFFFFFFE, timeout=60_000_000)
            self.halted = True

    def run_slice(self, instructions: int) -> None:
        """Code in SRAM goes on for a while, to its breakpoint at most."""
        pc = self.uc.reg_read(self.registers[_PC])
        if not self.halted and 0x20000000 <= pc < self.ram_end:
            self.uc.emu_start(pc | 1, 0xFFFFFFFE, count=instructions)
            self.halted = self.broke


class DebugPort:
    """The access port: CSW, TAR with increment, DRW with byte lanes, BD0 to BD3. No packed transfers."""

    def __init__(self, target: Stm32Target) -> None:
        self.target = target
        self.csw, self.tar, self.power = 0x23000052, 0, 0

    def _size(self) -> int:
        return 1 << (self.csw & 7)

    def _step(self) -> None:
        if self.csw >> 4 & 3:
            self.tar += self._size()

    def read_ap(self, address: int) -> int:
        register = address & 0xFF
        if address >> 24:
            return 0
        if 0x10 <= register < 0x20:
            return int.from_bytes(self.target.read(self.tar & ~0xF | register & 0xC, 4), "little")
        if register != 0x0C:
            return {0x00: self.csw, 0x04: self.tar, 0xF4: 0, 0xF8: ROM_TABLE | 3, 0xFC: 0x24770011}.get(register, 0)
        value = int.from_bytes(self.target.read(self.tar, self._size()), "little") << 8 * (self.tar & 3)
        self._step()
        return value

    def write_ap(self, address: int, value: int) -> None:
        register = address & 0xFF
        if register == 0x00:
            self.csw = value & 0xFF000FDF | 0x40
        elif register == 0x04:
            self.tar = value
        elif register == 0x0C:
            data = (value >> 8 * (self.tar & 3)).to_bytes(4, "little")[: self._size()]
            self.target.write(self.tar, data)
            self._step()
        elif 0x10 <= register < 0x20:
            self.target.write(self.tar & ~0xF | register & 0xC, value.to_bytes(4, "little"))

    def read_dp(self, address: int) -> int:
        return {0x0: 0x2BA01477, 0x4: 0xF0000040 if self.power else 0}.get(address & 0xF, 0)

    def write_dp(self, address: int, value: int) -> None:
        if address & 0xF == 4:
            self.power = value >> 28


class ProbeServer:
    """Serves one chip on a TCP port; the probe's serial number is `remote:127.0.0.1:PORT`."""

    def __init__(self, target: Stm32Target) -> None:
        self.target = target
        owner = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                port = DebugPort(owner.target)
                for line in self.rfile:
                    request = json.loads(line)
                    answer = owner.answer(port, request["request"], request.get("arguments", []))
                    self.wfile.write(json.dumps({"id": request["id"], **answer}).encode() + b"\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.serial = f"remote:127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, port: DebugPort, request: str, arguments: list[Any]) -> dict[str, Any]:
        """Status and result of one request."""
        if not self.target.powered and request not in ("hello", "readprop", "lock", "unlock", "close", "disconnect"):
            return {"status": 10, "error": "no answer from the target"}
        properties = {
            "vendor_name": "tests", "product_name": "simulated probe", "capabilities":
            ["MANAGED_AP_SELECTION", "MANAGED_DPBANKSEL"], "supported_wire_protocols": ["DEFAULT", "SWD"],
            "wire_protocol": "SWD",
        }  # fmt: skip
        actions = {
            "readprop": lambda name: properties.get(name),
            "read_dp": port.read_dp,
            "write_dp": port.write_dp,
            "read_ap": port.read_ap,
            "write_ap": port.write_ap,
            "read_ap_multiple": lambda address, count: [port.read_ap(address) for _ in range(count)],
            "write_ap_multiple": lambda address, values: [port.write_ap(address, value) for value in values] and None,
            "is_reset_asserted": lambda: False,
        }
        result = actions[request](*arguments) if request in actions else None
        return {"status": 0, "result": result}
