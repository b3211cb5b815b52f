"""``tinyforge.flash``: build the firmware of a model and put it on a board."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyforge.api.own_board import compiled_for
from tinyforge.api.progress import Progress, quiet
from tinyforge.codegen.build_info import BuildInfo, load_build_info
from tinyforge.target import load_board


@dataclass(frozen=True, slots=True, eq=False)
class FlashResult:
    """What was put where. ``elf``: the image. Sizes in bytes; ``flash_used`` counts the firmware around the model too.
    ``where``: the device, in words. ``verified``: read back and equal. ``commands``: what was run, or would be."""

    info: BuildInfo
    board: str
    elf: Path
    compiler: str
    flash_used: int
    banks_linked_bytes: tuple[int, ...]
    firmware_ram_bytes: int
    stack_region_bytes: int
    method: str
    where: str
    verified: bool
    commands: tuple[tuple[str, ...], ...]
    dry_run: bool

    @property
    def arena_linked_bytes(self) -> int:
        """Of the arena in all banks."""
        return sum(self.banks_linked_bytes)

    def as_json(self) -> dict[str, Any]:
        return {
            "model": self.info.name,
            "board": self.board,
            "elf": str(self.elf),
            "compiler": self.compiler,
            "flash_bytes": self.flash_used,
            "arena_bytes": self.info.arena_bytes,
            "arena_linked_bytes": self.arena_linked_bytes,
            "banks": [
                {"name": bank.name, "planned": bank.used, "linked": linked}
                for bank, linked in zip(self.info.banks, self.banks_linked_bytes, strict=False)
                if bank.used or linked
            ],
            "firmware_ram_bytes": self.firmware_ram_bytes,
            "stack_region_bytes": self.stack_region_bytes,
            "method": self.method,
            "device": self.where,
            "verified": self.verified,
            "commands": [list(command) for command in self.commands],
            "dry_run": self.dry_run,
        }


def flash(
    build: str | Path,
    *,
    board: str | None = None,
    toolchain: str = "zig",
    method: str | None = None,
    probe: str | None = None,
    port: str | None = None,
    dry_run: bool = False,
    profile: bool = False,
    harness: str | None = None,
    progress: Progress = quiet,
) -> FlashResult:
    """Link the build folder ``build`` with the firmware of ``board`` (default: the one it was compiled for) and write
    it there.

    method: one of the board's flashing methods, default: its first one that is usable here. probe: serial number of
    the debug probe. port: serial port, GDB server or mounted drive, for methods that go through one. dry_run: only say
    which commands would be run. profile: firmware that counts every operator's ticks. harness:
    ``mlperf-tiny`` for firmware that answers the benchmark's commands too.
    Raises DeviceError when the board does not take it, ToolMissing without compiler or flasher, UsageError for a method
    the board does not have."""
    from tinyforge.device.flash import flash_firmware
    from tinyforge.toolchain.firmware import build_firmware

    folder = Path(build)
    info = load_build_info(folder)
    target = load_board(board or compiled_for(folder, info))
    progress("building the firmware")
    firmware = build_firmware(folder, target, toolchain, profile=profile, harness=harness)
    progress(f"writing it to {target.name}")
    done = flash_firmware(firmware, method, probe=probe, port=port, dry_run=dry_run)
    return FlashResult(
        info=info,
        board=target.name,
        elf=firmware.elf,
        compiler=firmware.compiler,
        flash_used=firmware.flash_bytes,
        banks_linked_bytes=firmware.banks_linked_bytes,
        firmware_ram_bytes=firmware.firmware_ram_bytes,
        stack_region_bytes=firmware.stack_region_bytes,
        method=done.method,
        where=done.target,
        verified=done.verified,
        commands=done.commands,
        dry_run=dry_run,
    )
