"""Runs a linked firmware image's model instruction by instruction in unicorn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyforge.codegen.build_info import BuildInfo
from tinyforge.device.emulate.hooks import INHERIT, Counter, arm_registers, unicorn_module
from tinyforge.device.emulate.machine import DEFAULT_LIMIT, Machine
from tinyforge.device.emulate.profile import estimate, layer_profiles
from tinyforge.device.result import (
    Array,
    MemoryTraffic,
    Progress,
    RunResult,
    TraceBuffer,
    Violation,
    highest,
    pack_samples,
    unpack_outputs,
)
from tinyforge.errors import DeviceError
from tinyforge.toolchain.cores import on_cores
from tinyforge.toolchain.elf import Image
from tinyforge.toolchain.firmware import Firmware
from tinyforge.toolchain.glue import row_layout

PAINTS = (0xA5, 0x5A)
# Longer inferences are checked for bounds only: seeing every access costs a microsecond for some of them.
FULL_CHECK_INSTRUCTIONS = 20_000_000
BLOCK = 10
"""Samples a core takes at a time."""


def run_emulator(
    firmware: Firmware,
    inputs: Sequence[Array],
    *,
    check_memory: bool = True,
    profile: bool = False,
    instruction_limit: int = DEFAULT_LIMIT,
    progress: Progress | None = None,
) -> RunResult:
    """Run every sample of `inputs` (one array a model input, (samples, *shape)) on the firmware image.

    The first sample runs twice, over two paints of arena and stack: the second of the two is the warm inference
    that is counted. check_memory: one more run of it, with every data access checked. Up to
    FULL_CHECK_INSTRUCTIONS, and always with `profile`, alignment is checked too and traffic counted per region.
    progress: called with (samples done, samples). Raises DeviceError on faults, and when an inference needs more than
    `instruction_limit` instructions.
    """
    samples = pack_samples(firmware.info, inputs)
    return _Session(firmware, samples, instruction_limit).run(check_memory, profile, progress or (lambda *_: None))


def executed_blocks(firmware: Firmware, inputs: Sequence[Array]) -> NDArray[Any]:
    """The blocks of one inference of the first sample (records of hooks.BLOCK_DTYPE), memory not watched."""
    session = _Session(firmware, pack_samples(firmware.info, inputs), DEFAULT_LIMIT)
    session._infer(0)
    return session.counter.blocks()


class _Session:
    """One image, its samples, and what was measured so far."""

    def __init__(self, firmware: Firmware, samples: Sequence[Sequence[bytes]], limit: int) -> None:
        self.firmware = firmware
        self.info = firmware.info
        self.samples = samples
        self.image = firmware.image()
        self.limit = limit
        self._boot()
        self.arenas = [(self.image.address(a.symbol), a.nbytes) for a in self.info.arenas]
        self.rows = row_layout(self.info)
        self.row_buffer = self.image.address("tfb_row_buffer") if self.rows is not None else 0
        edges = (*(() if self.rows else self.info.inputs), *self.info.outputs)
        self.addresses = [self.machine.call(tensor.getter) for tensor in edges]
        self.traces = TraceBuffer(self.info, len(self.samples)) if firmware.trace else None
        self.sample = 0
        if self.traces is not None:
            self._hook_trace(self.traces)

    def _boot(self) -> None:
        """A fresh machine with the image, under a fresh counter."""
        self.machine = Machine(self.firmware.board, self.image)
        base, code = _code(self.image)
        self.counter = Counter(self.machine.uc, base, code, _owners(self.image, self.info, base, len(code)))
        flash = self.firmware.board.flash
        if flash.wait_states:
            self.counter.follow_fetches(flash.line_bytes, flash.cache_bytes)

    def run(self, check_memory: bool, profile: bool, tell: Progress) -> RunResult:
        """All samples, and the measurements."""
        if not self.samples:
            raise DeviceError(f"{self.info.name}: there is no sample to run")
        stack_used = 0
        marks: list[tuple[int, ...]] = []
        for paint in PAINTS:
            self._paint(paint)
            first = self._infer(0)
            marks.append(tuple(self._high_water(*arena, paint) for arena in self.arenas))
            stack_used = max(stack_used, self._stack_high_water(paint))
        blocks = self.counter.blocks()
        instructions = self.counter.state.instructions
        raw = [first]
        for outputs in self._others():
            raw += outputs
            tell(len(raw), len(self.samples))
        watched = False
        if check_memory:
            watched = self._checked_inference(profile or instructions <= FULL_CHECK_INSTRUCTIONS, first)
        # The same inference again, accesses seen.
        blocks = self.counter.blocks() if watched else blocks
        cycles = estimate(blocks, self.image, self.firmware.board, watched)
        return RunResult(
            runner="emulator",
            compiler=self.firmware.compiler,
            outputs=unpack_outputs(self.info, raw),
            samples=len(self.samples),
            instructions=instructions,
            estimated_cycles={name: round(float(costs.sum())) for name, costs in cycles.items()},
            arenas_high_water_bytes=highest(marks),
            stack_high_water_bytes=stack_used,
            out_of_bounds_accesses=self.counter.state.violation_count if check_memory else 0,
            layers=layer_profiles(self.info, blocks, cycles, watched),
            violations=self._violations() if check_memory else (),
            traffic=self._traffic() if check_memory else (),
            traces=self.traces.arrays() if self.traces is not None else {},
        )

    def _others(self) -> Iterator[list[list[bytes]]]:
        """Outputs of the samples after the first, in order; on a machine for each core where there are many."""
        rest = range(1, len(self.samples))
        blocks = [rest[at : at + BLOCK] for at in range(0, len(rest), BLOCK)]
        if self.traces is not None or len(blocks) < 2:
            return map(self._infer_all, blocks)
        return on_cores(lambda: _Session(self.firmware, self.samples, self.limit), _Session._infer_all, blocks)

    def _infer_all(self, samples: Sequence[int]) -> list[list[bytes]]:
        return [self._infer(sample) for sample in samples]

    def _infer(self, sample: int) -> list[bytes]:
        """Write inputs, run once under the counter, read the outputs."""
        self.sample = sample
        self.counter.reset(self.limit)
        if self.rows is not None:
            self._feed_rows(self.samples[sample][0])
        else:
            for address, data in zip(self.addresses, self.samples[sample], strict=False):
                self.machine.write(address, data)
            self._call(f"{self.info.name}_invoke")
        outputs = self.addresses[-len(self.info.outputs) :]
        return [self.machine.read(a, t.nbytes) for a, t in zip(outputs, self.info.outputs, strict=True)]

    def _call(self, symbol: str, arguments: Sequence[int] = ()) -> None:
        self.machine.call(symbol, arguments, lambda: bool(self.counter.state.stopped))

    def _feed_rows(self, data: bytes) -> None:
        """Row by row through the firmware's row buffer, which is not part of the model's memory."""
        assert self.rows is not None
        size = self.rows.row_bytes
        self._call(f"{self.info.name}_begin")
        for row in range(self.rows.rows):
            self.machine.write(self.row_buffer, data[row * size : (row + 1) * size])
            self._call(f"{self.info.name}_feed_rows", (self.row_buffer, 1))
        self._call(f"{self.info.name}_end")

    def _paint(self, paint: int) -> None:
        for address, size in self.arenas:
            self.machine.write(address, bytes([paint]) * size)
        size = self.machine.stack_top - self.machine.stack_limit
        self.machine.write(self.machine.stack_limit, bytes([paint]) * size)

    def _high_water(self, address: int, size: int, paint: int) -> int:
        return len(self.machine.read(address, size).rstrip(bytes([paint])))

    def _stack_high_water(self, paint: int) -> int:
        size = self.machine.stack_top - self.machine.stack_limit
        return len(self.machine.read(self.machine.stack_limit, size).lstrip(bytes([paint])))

    def _checked_inference(self, full: bool, expected: list[bytes]) -> bool:
        """The first sample once more, every data access checked; whether they were also counted.

        unicorn 2.1 loses the state of IT blocks now and then while every access calls a hook (its issue 2309). Such a
        run ends in a fault or in other outputs; it says nothing about the model and is done again with guards only,
        which leave ordinary accesses alone.
        """
        regions = self._model_regions()
        if full:
            self.counter.watch(regions, aligned_only=not self.firmware.board.core.unaligned)
            try:
                if self._infer(0) == expected:
                    return True
            except DeviceError:
                pass
            self._boot()
        self.counter.guard(_gaps(self.machine.mapped, regions))
        self._infer(0)
        return False

    def _model_regions(self) -> dict[str, tuple[int, int]]:
        """What the model may touch: flash image, stack, arena, its own static variables, the row buffer."""
        owned = self.machine.regions()
        arenas = zip(self.info.arenas, self.arenas, strict=True)
        several = len(self.arenas) > 1
        regions = {f"arena {a.bank}" if several else "arena": (at, at + size) for a, (at, size) in arenas}
        taken = {at for at, _ in self.arenas}
        regions |= {"flash": owned["flash"], "stack": owned["stack"]}
        for symbol in self.image.symbols:
            in_ram = any(bank.origin <= symbol.address < bank.end for bank in self.firmware.board.banks)
            if in_ram and symbol.name.startswith(f"{self.info.name}_") and symbol.address not in taken:
                regions[symbol.name] = (symbol.address, symbol.end)
        if self.rows is not None:
            regions["row"] = (self.row_buffer, self.row_buffer + self.rows.row_bytes)
        return regions

    def _violations(self) -> tuple[Violation, ...]:
        where = self.image.where
        return tuple(
            Violation(v.pc, v.address, v.size, v.is_write, v.is_unaligned, where(v.pc))
            for v in self.counter.violations()
        )

    def _traffic(self) -> tuple[MemoryTraffic, ...]:
        return tuple(
            MemoryTraffic(r.name, r.reads, r.writes, r.read_bytes, r.written_bytes) for r in self.counter.regions()
        )

    def _hook_trace(self, traces: TraceBuffer) -> None:
        """Reads the arguments of tf_trace whenever it is entered."""
        unicorn, arm_const = unicorn_module(), arm_registers()
        entry = self.image.address("tf_trace")
        registers = (
            arm_const.UC_ARM_REG_R0,
            arm_const.UC_ARM_REG_R1,
            arm_const.UC_ARM_REG_R2,
            arm_const.UC_ARM_REG_R3,
        )

        def on_entry(uc: Any, _address: int, _size: int, _user: Any) -> None:
            op, output, data, offset = (uc.reg_read(register) for register in registers)
            stack = uc.reg_read(arm_const.UC_ARM_REG_SP)
            size = int.from_bytes(uc.mem_read(stack, 4), "little")
            if size:
                traces.add(self.sample, op, output, offset, bytes(uc.mem_read(data, size)))

        self.machine.uc.hook_add(unicorn.UC_HOOK_BLOCK, on_entry, begin=entry, end=entry)


def _gaps(mapped: Sequence[tuple[int, int]], regions: dict[str, tuple[int, int]]) -> list[tuple[int, int]]:
    """Parts of the mapped memory that lie in no region."""
    gaps = []
    for begin, end in mapped:
        at = begin
        for low, high in sorted(regions.values()):
            if begin <= low < end:
                gaps += [(at, low)] if at < low else []
                at = max(at, high)
        gaps += [(at, end)] if at < end else []
    return gaps


def _code(image: Image) -> tuple[int, bytes]:
    """Address and bytes of everything executable."""
    spans = [s for s in image.sections if s.executable]
    base = min(s.address for s in spans)
    end = max(s.address + s.size for s in spans)
    for segment in image.segments:
        if segment.address <= base and end <= segment.address + len(segment.data):
            return base, segment.data[base - segment.address : end - segment.address]
    data = bytearray(end - base)
    for segment in image.segments:
        low, high = max(base, segment.address), min(end, segment.address + len(segment.data))
        if low < high:
            data[low - base : high - base] = segment.data[low - segment.address : high - segment.address]
    return base, bytes(data)


def _owners(image: Image, info: BuildInfo, base: int, size: int) -> NDArray[np.uint16]:
    """Per halfword of code: operator number + 1, 0 in the model's own drivers, INHERIT elsewhere."""
    owners = np.full(size // 2 + 1, INHERIT, dtype=np.uint16)
    numbers = {op.symbol: i + 1 for i, op in enumerate(info.operators)}
    for function in image.functions():
        if function.name.startswith(f"{info.name}_") and base <= function.address < base + size:
            low, high = (function.address - base) // 2, (function.end - base + 1) // 2
            owners[low:high] = numbers.get(function.name, 0)
    return owners
