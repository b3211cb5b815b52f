"""Processor cores tinyforge generates code for."""

from __future__ import annotations

from dataclasses import dataclass

FEATURES = ("fpu", "fpu-dp", "dsp", "mve")


@dataclass(frozen=True, slots=True)
class Core:
    """One processor core.

    name: as in board files, e.g. `cortex-m4`.
    arch: instruction set, e.g. `armv7e-m`.
    optional: features a chip may have or lack; `always`: features every chip with this core has.
    has_dwt: the architecture may have the DWT cycle counter (firmware still probes it).
    unicorn_model: suffix of unicorn's `UC_CPU_ARM_*` constant, empty where unicorn cannot run it.
    unaligned: word and half-word accesses need no alignment.
    """

    name: str
    arch: str
    optional: tuple[str, ...]
    always: tuple[str, ...]
    has_dwt: bool
    unicorn_model: str
    unaligned: bool

    @property
    def is_riscv(self) -> bool:
        """Whether it is a RISC-V core."""
        return self.arch.startswith("rv")

    @property
    def simd(self) -> bool:
        """Whether products are added up in one instruction (all but the Armv6-M and Armv8-M baseline cores)."""
        return self.arch not in ("armv6-m", "armv8-m.base")


CORES: dict[str, Core] = {
    core.name: core
    for core in (
        # unicorn has no M0+ model; the M0 has the same instruction set and traps the same faults.
        Core("cortex-m0plus", "armv6-m", (), (), False, "CORTEX_M0", False),
        Core("cortex-m3", "armv7-m", (), (), True, "CORTEX_M3", True),
        Core("cortex-m4", "armv7e-m", ("fpu",), ("dsp",), True, "CORTEX_M4", True),
        Core("cortex-m7", "armv7e-m", ("fpu", "fpu-dp"), ("dsp",), True, "CORTEX_M7", True),
        Core("cortex-m33", "armv8-m.main", ("fpu", "dsp"), (), True, "CORTEX_M33", True),
        Core("cortex-m55", "armv8.1-m.main", ("fpu", "fpu-dp", "mve"), ("dsp",), True, "", True),
        Core("cortex-m85", "armv8.1-m.main", ("fpu", "fpu-dp", "mve"), ("dsp",), True, "", True),
        Core("rv32imc", "rv32imc", (), (), False, "", False),
        Core("rv32imac", "rv32imac", (), (), False, "", False),
        # No compiler for it comes along: models are compiled to C and exported.
        Core("xtensa-lx7", "xtensa", ("fpu",), (), False, "", False),
    )
}
