"""GDB against any GDB server (OpenOCD, pyOCD, J-Link, QEMU): `load`, then `compare-sections`."""

from __future__ import annotations

import shutil

from tinyforge.device.flash.command import CommandFlasher
from tinyforge.device.flash.flasher import FlashJob
from tinyforge.toolchain.process import Completed

_DEFAULT_SERVER = "localhost:3333"
_CONNECT_S = 5
# Servers have no common word for a reset: OpenOCD, pyOCD and J-Link know the first, QEMU the second; each refuses the
# other's without harm. After detaching the board runs.
_RESETS = ("monitor reset halt", "monitor system_reset")
_PROGRAMS = ("gdb-multiarch", "arm-none-eabi-gdb")


class GdbFlasher(CommandFlasher):
    """The server must run already; --port names it."""

    name = "gdb"
    install = "apt install gdb-multiarch"
    advice = "does a GDB server listen there (pyocd gdbserver, openocd, JLinkGDBServer)? name it with --port HOST:PORT"

    @property
    def program(self) -> str:  # type: ignore[override]
        """The first of the usual names that is installed."""
        return next((name for name in _PROGRAMS if shutil.which(name)), _PROGRAMS[0])

    def commands(self, job: FlashJob) -> tuple[tuple[str, ...], ...]:
        """No start-up files; everything on the command line."""
        server = job.port or _DEFAULT_SERVER
        steps = ["set confirm off", f"set tcp connect-timeout {_CONNECT_S}", f"target extended-remote {server}"]
        steps += ["load", "compare-sections", *_RESETS, "detach"]
        words = [word for step in steps for word in ("-ex", step)]
        return ((self.program, "-nx", "-batch", *words, str(job.firmware.elf)),)

    def prepare(self, job: FlashJob) -> None:
        """It reads the ELF itself."""

    def check(self, job: FlashJob, command: tuple[str, ...], done: Completed) -> str:
        """GDB ends well whatever happened: what it said counts."""
        del job, command
        said = done.stdout.decode("utf-8", "replace")
        if "MIS-MATCHED" in said:
            return next(line for line in said.splitlines() if "MIS-MATCHED" in line)
        if "matched." not in said or "Transfer rate" not in said:
            words = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
            return words[-1] if words else "it says nothing about written sections"
        return ""
