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
    accuracy,
    compare,
    first_against_record,
    first_wrong,
    interpreted,
    recorded,
)
from tinyforge.api.compile import MODEL_COPY, compile
from tinyforge.api.edges import load_arrays, load_labels, random_inputs, to_compiled, to_file
from tinyforge.api.flash import flash
from tinyforge.api.latency import Latency, latency
from tinyforge.api.network import read_network
from tinyforge.api.own_board import compiled_for
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
    ``core``: of the board. ``explanation``: what is wrong, empty where nothing is. ``accuracy``: part of the samples
    whose largest value of ``output_0`` is at the label's place, None without labels."""

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
    accuracy: float | None = None

    @property
    def latency(self) -> Latency | None:
        """Of single inferences on a board, None elsewhere."""
        return latency(self.result.latencies, self.result.latency_hz)

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
            "latency": self.latency.as_json() if self.latency else None,
            "samples": result.samples,
            "accuracy": self.accuracy,
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
    resume: bool = False,
    progress: Progress = quiet,
) -> RunReport:
    """Run the build folder (or ``.tflite`` file) ``build`` on ``host``, ``emulator`` or ``board``.

    ``inputs``: an ``.npz`` file with ``input_0`` ... (and ``labels``, (samples,), for the accuracy), or one array
    (samples, *shape) a model input; random ones without. ``reference``: an ``.npz`` file with ``output_0`` ...;
    without it the integer interpreter is the reference.
    ``port``: serial port of a real board. ``profile``: count the bytes every operator reads and writes, however long
    the inference is (on the emulator), or ask the board for every operator's ticks. ``resume``: go on with a run on a
    board that was interrupted; the samples it had are not run again.
    Raises UsageError for inputs that do not fit, DeviceError when the run itself fails.
    """
    check_request(build, on, emulator, samples, resume)
    if Path(build).is_file():
        with tempfile.TemporaryDirectory(prefix="tinyforge.") as folder:
            made = compile(build, board=board or "emulated_m7", out=Path(folder) / "build", progress=progress)
            if on == "board":
                flash(made.out, toolchain=toolchain, profile=profile, progress=progress)
            target = Target(on, compiled_for(made.out, made.info), emulator, toolchain, port, profile)
            return BuildRun(made.out, progress).report(target, inputs, reference, samples, seed)
    info = load_build_info(Path(build))
    target = Target(on, board or compiled_for(Path(build), info), emulator, toolchain, port, profile, resume=resume)
    return BuildRun(Path(build), progress).report(target, inputs, reference, samples, seed)


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


def check_request(build: str | Path, on: str, emulator: str | None, samples: int | None, resume: bool) -> None:
    """Raises UsageError for what makes no sense."""
    if resume and (on != "board" or Path(build).is_file()):
        raise UsageError("--resume goes on with a run of a build folder on a board: run OUT --on board --resume")
    if on not in RUNNERS:
        raise UsageError(f"--on {on} is not known; choose one of: {', '.join(RUNNERS)}")
    if emulator is not None and emulator not in EMULATORS:
        raise UsageError(f"--emulator {emulator} is not known; choose one of: {', '.join(EMULATORS)}")
    if samples is not None and samples < 1:
        raise UsageError(f"--samples {samples} makes no sense; give 1 or more")


@dataclass(frozen=True, slots=True)
class Target:
    """What a build runs on. ``number``: which of several boards; ``resume``: go on with an interrupted run."""

    on: str
    board: str
    emulator: str | None
    toolchain: str
    port: str | None
    profile: bool
    number: int = 0
    resume: bool = False

    def __str__(self) -> str:
        return "this machine" if self.on == "host" else f"{Path(self.board).stem} ({self.on})"


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """What to run, compiled side, and what should come out. ``labels``: (samples,) classes, where they are known."""

    inputs: list[Array]
    expected: Expected
    labels: Array | None
    reference: Path | None


class BuildRun:
    """One build, to be run on one target or several."""

    def __init__(self, folder: Path, progress: Progress) -> None:
        self.folder, self.progress = folder, progress
        self.info = load_build_info(folder)
        network = read_network(metadata_dir(folder) / MODEL_COPY, str(self.info.options.get("io", "int8")))
        if network.sha256 != self.info.source_sha256:
            raise UsageError(f"{folder}: the model kept in it was changed; compile it again")
        self.graph: Graph = network.graph

    def report(
        self,
        target: Target,
        inputs: str | Path | Sequence[Array] | None,
        reference: str | Path | None,
        samples: int | None,
        seed: int,
    ) -> RunReport:
        """Run and compare."""
        given = self._inputs(inputs, samples, seed)
        self.progress(f"running {len(given[0])} samples on {target}")
        result, firmware = self.execute(target, given)
        return self.judge(target, result, firmware, self._expect(given, inputs, reference))

    def samples(
        self,
        inputs: str | Path | Sequence[Array] | None,
        reference: str | Path | None,
        samples: int | None,
        seed: int,
    ) -> Samples:
        """What to run, and what should come out."""
        return self._expect(self._inputs(inputs, samples, seed), inputs, reference)

    def judge(self, target: Target, result: RunResult, firmware: Firmware | None, samples: Samples) -> RunReport:
        """Compare what came out with what should."""
        self.progress("comparing with the reference")
        comparison = compare(self.graph, result.outputs, samples.expected)
        outputs = tuple(to_file(self.graph, i, values) for i, values in enumerate(result.outputs))
        return RunReport(
            result=result,
            outputs=outputs,
            comparison=comparison,
            reference=samples.expected.source,
            info=self.info,
            banks_linked_bytes=firmware.banks_linked_bytes if firmware else None,
            stack_bound_bytes=firmware.stack.bytes if firmware else None,
            flash=_flash(firmware) if firmware else None,
            core=load_board(target.board).core.name,
            explanation=self._explain(target, result, comparison, samples),
            accuracy=accuracy(outputs[0], samples.labels) if samples.labels is not None else None,
        )

    def _expect(
        self, given: list[Array], inputs: str | Path | Sequence[Array] | None, reference: str | Path | None
    ) -> Samples:
        count = len(given[0])
        path = Path(reference) if reference else None
        expected = recorded(self.graph, path, count) if path else interpreted(self.graph, given)
        labels = load_labels(inputs, count) if isinstance(inputs, str | Path) else None
        return Samples(given, expected, labels, path)

    def _inputs(self, inputs: str | Path | Sequence[Array] | None, samples: int | None, seed: int) -> list[Array]:
        if inputs is None:
            return random_inputs(self.graph, samples or _RANDOM_SAMPLES, seed)
        if isinstance(inputs, str | Path):
            inputs = load_arrays(str(inputs), "input", len(self.graph.inputs))
        if len(inputs) != len(self.graph.inputs):
            raise UsageError(f"{self.info.name} has {len(self.graph.inputs)} inputs, {len(inputs)} were given")
        count = min(len(inputs[0]), samples or len(inputs[0]))
        return [to_compiled(self.graph, i, values[:count]) for i, values in enumerate(inputs)]

    def execute(
        self, target: Target, inputs: Sequence[Array], *, trace: bool = False
    ) -> tuple[RunResult, Firmware | None]:
        """The run, and the firmware where one was linked for it. Traces of boards come from the emulator."""
        from tinyforge.device.runner import RUNNERS as runners
        from tinyforge.device.runner import RunRequest

        def tell(done: int, total: int) -> None:
            self.progress(f"running {total} samples on {target}", done, total)

        request = RunRequest(
            build_dir=self.folder,
            board=load_board(target.board),
            inputs=inputs,
            toolchain=target.toolchain,
            emulator=target.emulator,
            port=target.port,
            number=target.number,
            resume=target.resume,
            trace=trace,
            profile=target.profile,
            progress=tell,
        )
        outcome = runners["emulator" if trace and target.on == "board" else target.on].run(request)
        return outcome.result, outcome.firmware

    def _explain(self, target: Target, result: RunResult, comparison: Comparison, samples: Samples) -> str:
        """What is wrong, in one line; empty where nothing is."""
        if result.out_of_bounds_accesses:
            first = f": {result.violations[0]}" if result.violations else ""
            return f"{self.info.name}: {result.out_of_bounds_accesses:,} accesses out of bounds{first}"
        if not comparison.mismatches:
            return ""
        self.progress("looking for the first wrong operator")
        text = (
            f"{self.info.name}: {comparison.mismatches:,} values differ from {samples.expected.source} by up to "
            f"{comparison.max_abs_diff} (first in sample {comparison.first_sample})"
        )
        return f"{text}; {self._culprit(target, samples, comparison.first_sample)}"

    def _culprit(self, target: Target, samples: Samples, number: int) -> str:
        one = [values[number : number + 1] for values in samples.inputs]
        traced, _ = self.execute(target, one, trace=True)
        wrong = first_wrong(self.info, self.graph, one, traced.traces, 0)
        if wrong is not None:
            return wrong
        reference = samples.reference
        found = first_against_record(self.graph, samples.inputs, reference, number) if reference else None
        return found or "every operator alone computes what the integer interpreter computes"
