"""``tinyforge.run``: run a build and compare every output with the reference."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyforge.api.compare import (
    Comparison,
    Expected,
    compare,
    first_against_record,
    first_wrong,
    interpreted,
    recorded,
)
from tinyforge.api.compile import MODEL_COPY, compile
from tinyforge.api.edges import load_arrays, random_inputs, to_compiled, to_file
from tinyforge.api.flash import flash
from tinyforge.api.network import read_network
from tinyforge.api.progress import Progress, quiet
from tinyforge.codegen.build_info import BuildInfo, FlashBytes, load_build_info, metadata_dir
from tinyforge.errors import UsageError
from tinyforge.ir.graph import Graph
from tinyforge.ir.types import Array
from tinyforge.target import load_board

if TYPE_CHECKING:
    from tinyforge.device.result import LayerProfile, RunResult
    from tinyforge.toolchain.firmware import Firmware

RUNNERS = ("host", "emulator", "board")
EMULATORS = ("unicorn", "qemu")
_RANDOM_SAMPLES = 4


@dataclass(frozen=True, slots=True, eq=False)
class RunReport:
    """What a run gave. ``outputs``: one array (samples, *shape) a model output, as users of the file know them.
    ``banks_linked_bytes``: of the arena's symbols in each SRAM bank, ``stack_bound_bytes``: of one inference with this
    compiler and core, ``flash``: of the model with them; None where no firmware was linked for the run.
    ``core``: of the board. ``explanation``: what is wrong, empty where nothing is."""

    result: RunResult
    outputs: tuple[Array, ...]
    comparison: Comparison
    reference: str
    info: BuildInfo
    banks_linked_bytes: tuple[int, ...] | None
    stack_bound_bytes: int | None
    flash: FlashBytes | None
    core: str
    explanation: str

    @property
    def arena_linked_bytes(self) -> int | None:
        """Of the whole arena in the firmware."""
        return None if self.banks_linked_bytes is None else sum(self.banks_linked_bytes)

    def banks(self) -> list[dict[str, Any]]:
        """The SRAM banks that hold arena: bytes planned, linked and measured there (None where nobody measured)."""
        measured = self.result.arenas_high_water_bytes or (None,) * len(self.info.arenas)
        linked = {bank.name: n for bank, n in zip(self.info.banks, self.banks_linked_bytes or (), strict=False)}
        return [
            {"name": arena.bank, "planned": arena.nbytes, "linked": linked.get(arena.bank), "measured": high}
            for arena, high in zip(self.info.arenas, measured, strict=True)
        ]

    @property
    def mismatches(self) -> int:
        """Output values that differ from the reference."""
        return self.comparison.mismatches

    @property
    def ok(self) -> bool:
        """Whether every output is equal and no access was out of bounds."""
        return not self.explanation

    def as_json(self) -> dict[str, Any]:
        result = self.result
        return {
            "model": self.info.name,
            "board": self.info.board,
            "runner": result.runner,
            "compiler": result.compiler,
            "reference": self.reference,
            "instructions": result.instructions,
            "estimated_cycles": dict(result.estimated_cycles),
            "cycles": result.cycles,
            "samples": result.samples,
            "mismatches": self.comparison.mismatches,
            "max_abs_diff": self.comparison.max_abs_diff,
            "arena_bytes": self.info.arena_bytes,
            "arena_linked_bytes": self.arena_linked_bytes,
            "arena_high_water_bytes": result.arena_high_water_bytes,
            "banks": self.banks(),
            "stack_bytes": self.stack_bound_bytes,
            "stack_high_water_bytes": result.stack_high_water_bytes,
            "out_of_bounds_accesses": result.out_of_bounds_accesses,
            "explanation": self.explanation,
            "layers": [_layer_json(layer) for layer in result.layers],
        }


def run(
    build: str | Path,
    *,
    on: str = "emulator",
    board: str | None = None,
    emulator: str | None = None,
    inputs: str | Path | Sequence[Array] | None = None,
    reference: str | Path | None = None,
    samples: int | None = None,
    toolchain: str = "zig",
    port: str | None = None,
    seed: int = 0,
    profile: bool = False,
    progress: Progress = quiet,
) -> RunReport:
    """Run the build folder (or ``.tflite`` file) ``build`` on ``host``, ``emulator`` or ``board``.

    ``inputs``: an ``.npz`` file with ``input_0`` ..., or one array (samples, *shape) a model input; random ones
    without. ``reference``: an ``.npz`` file with ``output_0`` ...; without it the integer interpreter is the reference.
    ``port``: serial port of a real board. ``profile``: count the bytes every operator reads and writes, however long
    the inference is (on the emulator), or ask the board for every operator's ticks.
    Raises UsageError for inputs that do not fit, DeviceError when the run itself fails.
    """
    _check(on, emulator, samples)
    if Path(build).is_file():
        with tempfile.TemporaryDirectory(prefix="tinyforge.") as folder:
            made = compile(build, board=board or "emulated_m7", out=Path(folder) / "build", progress=progress)
            if on == "board":
                flash(made.out, toolchain=toolchain, profile=profile, progress=progress)
            target = _Target(on, made.info.board, emulator, toolchain, port, profile)
            return _Run(made.out, target, progress).report(inputs, reference, samples, seed)
    info = load_build_info(Path(build))
    target = _Target(on, board or info.board, emulator, toolchain, port, profile)
    return _Run(Path(build), target, progress).report(inputs, reference, samples, seed)


def _layer_json(layer: LayerProfile) -> dict[str, Any]:
    moved = (layer.flash_read_bytes, layer.sram_read_bytes, layer.written_bytes)
    return {
        "name": layer.name,
        "kind": layer.kind,
        "instructions": layer.instructions,
        "cycles": layer.cycles,
        "estimated_cycles": dict(layer.estimated_cycles),
        **dict(zip(("flash_read_bytes", "sram_read_bytes", "written_bytes"), moved, strict=True)),
    }


def _flash(firmware: Firmware) -> FlashBytes:
    weights, code = firmware.model_constant_bytes, firmware.model_code_bytes
    return FlashBytes(weights, code, weights + code)


def _check(on: str, emulator: str | None, samples: int | None) -> None:
    if on not in RUNNERS:
        raise UsageError(f"--on {on} is not known; choose one of: {', '.join(RUNNERS)}")
    if emulator is not None and emulator not in EMULATORS:
        raise UsageError(f"--emulator {emulator} is not known; choose one of: {', '.join(EMULATORS)}")
    if samples is not None and samples < 1:
        raise UsageError(f"--samples {samples} makes no sense; give 1 or more")


@dataclass(frozen=True, slots=True)
class _Target:
    """What a build runs on."""

    on: str
    board: str
    emulator: str | None
    toolchain: str
    port: str | None
    profile: bool

    def __str__(self) -> str:
        return "this machine" if self.on == "host" else f"{self.board} ({self.on})"


class _Run:
    """One build on one target."""

    def __init__(self, folder: Path, target: _Target, progress: Progress) -> None:
        self.folder, self.target, self.progress = folder, target, progress
        self.info = load_build_info(folder)
        network = read_network(metadata_dir(folder) / MODEL_COPY, str(self.info.options.get("io", "int8")))
        if network.sha256 != self.info.source_sha256:
            raise UsageError(f"{folder}: the model kept in it was changed; compile it again")
        self.graph: Graph = network.graph

    def report(
        self, inputs: str | Path | Sequence[Array] | None, reference: str | Path | None, samples: int | None, seed: int
    ) -> RunReport:
        given = self._inputs(inputs, samples, seed)
        count = len(given[0])
        self.progress(f"running {count} samples on {self.target}")
        result, firmware = self._execute(given, trace=False)
        self.progress("comparing with the reference")
        expected = recorded(self.graph, Path(reference), count) if reference else interpreted(self.graph, given)
        comparison = compare(self.graph, result.outputs, expected)
        return RunReport(
            result=result,
            outputs=tuple(to_file(self.graph, i, values) for i, values in enumerate(result.outputs)),
            comparison=comparison,
            reference=expected.source,
            info=self.info,
            banks_linked_bytes=firmware.banks_linked_bytes if firmware else None,
            stack_bound_bytes=firmware.stack.bytes if firmware else None,
            flash=_flash(firmware) if firmware else None,
            core=load_board(self.target.board).core.name,
            explanation=self._explain(result, comparison, expected, given, reference),
        )

    def _inputs(self, inputs: str | Path | Sequence[Array] | None, samples: int | None, seed: int) -> list[Array]:
        if inputs is None:
            return random_inputs(self.graph, samples or _RANDOM_SAMPLES, seed)
        if isinstance(inputs, str | Path):
            inputs = load_arrays(str(inputs), "input", len(self.graph.inputs))
        if len(inputs) != len(self.graph.inputs):
            raise UsageError(f"{self.info.name} has {len(self.graph.inputs)} inputs, {len(inputs)} were given")
        count = min(len(inputs[0]), samples or len(inputs[0]))
        return [to_compiled(self.graph, i, values[:count]) for i, values in enumerate(inputs)]

    def _execute(self, inputs: Sequence[Array], trace: bool) -> tuple[RunResult, Firmware | None]:
        """The run, and the firmware where one was linked for it. Traces of boards come from the emulator."""
        from tinyforge.device.runner import RUNNERS as runners
        from tinyforge.device.runner import RunRequest

        def tell(done: int, total: int) -> None:
            self.progress("samples over the serial line", done, total)

        target = self.target
        request = RunRequest(
            build_dir=self.folder,
            board=load_board(target.board),
            inputs=inputs,
            toolchain=target.toolchain,
            emulator=target.emulator,
            port=target.port,
            trace=trace,
            profile=target.profile,
            progress=tell,
        )
        outcome = runners["emulator" if trace and target.on == "board" else target.on].run(request)
        return outcome.result, outcome.firmware

    def _explain(
        self,
        result: RunResult,
        comparison: Comparison,
        expected: Expected,
        inputs: Sequence[Array],
        reference: str | Path | None,
    ) -> str:
        """What is wrong, in one line; empty where nothing is."""
        if result.out_of_bounds_accesses:
            first = f": {result.violations[0]}" if result.violations else ""
            return f"{self.info.name}: {result.out_of_bounds_accesses:,} accesses out of bounds{first}"
        if not comparison.mismatches:
            return ""
        self.progress("looking for the first wrong operator")
        text = (
            f"{self.info.name}: {comparison.mismatches:,} values differ from {expected.source} by up to "
            f"{comparison.max_abs_diff} (first in sample {comparison.first_sample})"
        )
        return f"{text}; {self._culprit(inputs, comparison.first_sample, reference)}"

    def _culprit(self, inputs: Sequence[Array], sample: int, reference: str | Path | None) -> str:
        one = [values[sample : sample + 1] for values in inputs]
        traced, _ = self._execute(one, trace=True)
        wrong = first_wrong(self.info, self.graph, one, traced.traces, 0)
        if wrong is not None:
            return wrong
        found = first_against_record(self.graph, inputs, Path(reference), sample) if reference else None
        return found or "every operator alone computes what the integer interpreter computes"
