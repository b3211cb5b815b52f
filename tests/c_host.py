"""Compile generated models natively into one shared library and call them: used by every test of generated C."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyforge.codegen.generate import generate, lower_graph
from tinyforge.ir.graph import Graph
from tinyforge.ir.memory_plan import Placement
from tinyforge.ir.program import Isa, KernelCall
from tinyforge.ir.types import Array
from tinyforge.memory.layouts import whole_layout
from tinyforge.schedule.types import LayerStage, Schedule

STRICT = [
    "-std=c11",
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Werror",
    "-Wconversion",
    "-Wshadow",
    "-Wundef",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
    "-Wdouble-promotion",
    "-Wvla",
]

# The checks that can fail in this code and nothing else sees. Those left out of "undefined" (null, alignment,
# object-size, pointer-overflow) make gcc twenty times slower on inlined kernels; AddressSanitizer on real models
# (test_c_contract) and the emulated Cortex-M0+, which faults on unaligned accesses, cover them.
UNDEFINED = "signed-integer-overflow,shift,bounds,integer-divide-by-zero,float-cast-overflow"


@dataclass(frozen=True)
class StackedPlan:
    """Every tensor and scratch in a place of its own: for tests of kernels, not of planning."""

    placements: Mapping[str, Placement]
    scratch: Mapping[int, int]
    arena_bytes: int
    moves: tuple[()] = ()
    parts: tuple[()] = ()

    def placed(self, name: str, step: int) -> Placement:
        return self.placements[name]

    def part(self, offset: int) -> None:
        """All of it is the first bank's."""


def stacked_plan(graph: Graph, isa: Isa = Isa.PORTABLE, calls: Sequence[KernelCall] | None = None) -> StackedPlan:
    at, placements, scratch = 0, {}, {}
    for tensor in graph.tensors.values():
        if not tensor.is_constant:
            placements[tensor.name] = Placement(at, tensor.type.nbytes, whole_layout(tensor.type))
            at += -(-tensor.type.nbytes // 16) * 16
    for i, call in enumerate(calls or lower_graph(graph, isa)):
        if call.scratch_bytes:
            scratch[i] = at
            at += -(-call.scratch_bytes // 16) * 16
    return StackedPlan(placements, scratch, max(at, 16))


def layerwise(graph: Graph) -> Schedule:
    return Schedule(tuple(LayerStage(i) for i in range(len(graph.nodes))))


class HostModels:
    """Several graphs in one shared library. ``defines`` e.g. ("-DTF_FORCE_DSP",); ``plans``: other placements than
    a buffer of its own for every tensor; ``schedules``: others than whole layers; ``isa``: lowered for; ``calls``:
    others than those of ``lower_graph``, as the plans must be for."""

    def __init__(
        self,
        folder: Path,
        graphs: Sequence[Graph],
        defines: Sequence[str] = (),
        plans: Sequence[StackedPlan] | None = None,
        schedules: Sequence[Schedule] | None = None,
        isa: Isa = Isa.PORTABLE,
        calls: Sequence[Sequence[KernelCall]] | None = None,
    ) -> None:
        self.graphs = list(graphs)
        sources = []
        for i, graph in enumerate(graphs):
            plan = plans[i] if plans else stacked_plan(graph, isa)
            schedule = schedules[i] if schedules else layerwise(graph)
            tree = generate(graph, schedule, plan, calls[i] if calls else lower_graph(graph, isa), f"m{i}")
            for name, text in tree.files.items():
                (folder / name).write_text(text)
            sources += [f"m{i}.c", f"m{i}_weights.c"]
        cc = shutil.which("gcc") or shutil.which("cc")
        command = [cc, *STRICT, "-O1", f"-fsanitize={UNDEFINED}", "-fno-sanitize-recover=all", *defines]
        done = subprocess.run(
            [*command, "-shared", "-fPIC", "-o", "models.so", *sources], cwd=folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[:4000]
        self.lib = ctypes.CDLL(str(folder / "models.so"))

    def run(self, index: int, inputs: Sequence[Array]) -> list[Array]:
        graph = self.graphs[index]
        for n, (name, value) in enumerate(zip(graph.inputs, inputs, strict=True)):
            suffix = "" if len(graph.inputs) == 1 else f"_{n}"
            view = self._view(f"m{index}_input{suffix}", graph, name)
            view[...] = value
        getattr(self.lib, f"m{index}_invoke")()
        return [
            self._view(f"m{index}_output{'' if len(graph.outputs) == 1 else f'_{n}'}", graph, name).copy()
            for n, name in enumerate(graph.outputs)
        ]

    def _view(self, getter: str, graph: Graph, name: str) -> Array:
        tensor = graph.tensors[name].type
        call = getattr(self.lib, getter)
        call.restype = ctypes.c_void_p
        raw = (ctypes.c_uint8 * tensor.nbytes).from_address(call())
        return np.frombuffer(raw, dtype=tensor.dtype.numpy).reshape(tensor.shape)
