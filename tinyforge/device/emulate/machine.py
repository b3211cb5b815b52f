"""A Cortex-M core with the memories of a board, loaded with a firmware image, in unicorn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tinyforge.device.emulate.hooks import arm_registers, unicorn_module
from tinyforge.errors import DeviceError, ToolMissing
from tinyforge.target import Board
from tinyforge.toolchain.elf import Image

PAGE = 4096
DEFAULT_LIMIT = 20_000_000_000
# QEMU's exception numbers of M-profile cores, as unicorn's interrupt hook reports them.
_EXCEPTIONS = {
    1: "undefined instruction",
    2: "supervisor call",
    3: "instruction fetch fault",
    4: "data access fault",
    7: "breakpoint",
    8: "return from an exception that never happened",
    17: "use of the FPU while it is off",
    18: "usage fault: invalid state",
    19: "stack limit fault",
    20: "lazy FPU fault",
    21: "usage fault: unaligned access",
    22: "usage fault: division by zero",
}


def pages(begin: int, end: int) -> tuple[int, int]:
    """(address, size) of the pages that hold [begin, end)."""
    low = begin // PAGE * PAGE
    return low, max(PAGE, (end - low + PAGE - 1) // PAGE * PAGE)


def new_core(board: Board) -> Any:
    """A unicorn instance with the board's core, nothing mapped."""
    unicorn, arm_const = unicorn_module(), arm_registers()
    if not board.core.unicorn_model:
        raise ToolMissing(f"unicorn cannot run {board.core.name}; use --emulator qemu")
    uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    uc.ctl_set_cpu_model(getattr(arm_const, f"UC_CPU_ARM_{board.core.unicorn_model}"))
    return uc


class Machine:
    """Runs single functions of a firmware image, as start-up would have left the memory.

    Flash is mapped read-only and as long as the image, RAM as far as the image reserves it (in pages): any
    other access is a fault, which `call` turns into a DeviceError that names PC, function and address.
    """

    def __init__(self, board: Board, image: Image) -> None:
        self.board = board
        self.image = image
        self.uc = new_core(board)
        self._fault: str | None = None
        self._return = image.address("Reset_Handler")
        self.stack_top = image.address("tfb_stack_top")
        self.stack_limit = image.address("tfb_stack_limit")
        self.mapped: list[tuple[int, int]] = []
        self._map()
        self._add_fault_hooks()
        self.reset()

    def _map(self) -> None:
        unicorn = unicorn_module()
        flash = self.board.flash
        low, size = pages(flash.origin, flash.origin + self._flash_span())
        self.uc.mem_map(low, size, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
        self.mapped.append((low, low + size))
        for bank in self.board.banks:
            used = [s.address + s.size for s in self.image.sections if bank.origin <= s.address < bank.end]
            if used:
                low, size = pages(bank.origin, max(used))
                self.uc.mem_map(low, size, unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE)
                self.mapped.append((low, low + size))

    def _flash_span(self) -> int:
        """Bytes from the flash's origin to the image's end."""
        return max(s.address + len(s.data) for s in self.image.segments) - self.board.flash.origin

    def regions(self) -> dict[str, tuple[int, int]]:
        """What the firmware owns: flash image, stack and static RAM, each as [begin, end)."""
        origin = self.board.flash.origin
        regions = {"flash": (origin, origin + self._flash_span())}
        for section in self.image.sections:
            if not section.in_file or section.name == ".data":
                regions[section.name.lstrip(".")] = (section.address, section.address + section.size)
        return regions

    def reset(self) -> None:
        """Memory as start-up leaves it: flash loaded, .data copied, the rest of RAM zero."""
        for segment in self.image.segments:
            self.uc.mem_write(segment.address, segment.data)
        for section in self.image.sections:
            if not section.in_file:
                self.uc.mem_write(section.address, bytes(section.size))
        start, end = self.image.address("tfb_data_start"), self.image.address("tfb_data_end")
        if end > start:
            self.uc.mem_write(start, bytes(self.uc.mem_read(self.image.address("tfb_data_load"), end - start)))

    def _add_fault_hooks(self) -> None:
        unicorn = unicorn_module()
        kinds = {
            unicorn.UC_MEM_READ_UNMAPPED: "read of unmapped address",
            unicorn.UC_MEM_WRITE_UNMAPPED: "write to unmapped address",
            unicorn.UC_MEM_FETCH_UNMAPPED: "execution at unmapped address",
            unicorn.UC_MEM_WRITE_PROT: "write to flash at",
            unicorn.UC_MEM_FETCH_PROT: "execution of data at",
            unicorn.UC_MEM_READ_PROT: "forbidden read of",
        }

        def on_memory(_uc: Any, access: int, address: int, size: int, _value: int, _user: Any) -> bool:
            self._fault = f"{kinds.get(access, 'access to')} 0x{address:08x} ({size} B)"
            return False

        def on_exception(uc: Any, number: int, _user: Any) -> None:
            self._fault = _EXCEPTIONS.get(number, f"exception {number}")
            uc.emu_stop()

        self.uc.hook_add(unicorn.UC_HOOK_MEM_INVALID, on_memory)
        self.uc.hook_add(unicorn.UC_HOOK_INTR, on_exception)

    def call(self, symbol: str, arguments: Sequence[int] = (), timed_out: Callable[[], bool] | None = None) -> int:
        """Call a function with up to four word arguments on an empty stack; returns r0.

        timed_out: asked afterwards whether a hook stopped the run. Raises DeviceError on a fault.
        """
        unicorn, arm_const = unicorn_module(), arm_registers()
        uc = self.uc
        registers = (arm_const.UC_ARM_REG_R0, arm_const.UC_ARM_REG_R1, arm_const.UC_ARM_REG_R2, arm_const.UC_ARM_REG_R3)
        for register, value in zip(registers, arguments, strict=False):
            uc.reg_write(register, value & 0xFFFFFFFF)
        uc.reg_write(arm_const.UC_ARM_REG_SP, self.stack_top)
        uc.reg_write(arm_const.UC_ARM_REG_LR, self._return | 1)
        self._fault = None
        error = ""
        try:
            uc.emu_start(self.image.address(symbol) | 1, self._return)
        except unicorn.UcError as problem:
            error = str(problem)
        pc = uc.reg_read(arm_const.UC_ARM_REG_PC)
        if timed_out is not None and timed_out():
            raise DeviceError(f"{symbol} does not end on {self.board.name}: still at {self.image.where(pc)}")
        if self._fault is not None or error or pc & ~1 != self._return:
            reason = self._fault or error or "stopped"
            raise DeviceError(f"{symbol} faults on {self.board.name}: {reason} at pc {self.image.where(pc)}")
        return int(uc.reg_read(arm_const.UC_ARM_REG_R0))

    def read(self, address: int, size: int) -> bytes:
        """Memory as it is."""
        return bytes(self.uc.mem_read(address, size))

    def write(self, address: int, data: bytes) -> None:
        """Change memory."""
        self.uc.mem_write(address, data)
