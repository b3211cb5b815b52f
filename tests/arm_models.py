"""Many generated models in one firmware image, called one by one on an emulated core: used by every test of kernels
as a Cortex-M executes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinyforge.codegen.generate import generate, lower_graph
from tinyforge.device.emulate.machine import Machine
from tinyforge.ir.graph import Graph
from tinyforge.ir.program import KernelCall
from tinyforge.ir.schedule import Schedule
from tinyforge.ir.types import Array
from tinyforge.paths import firmware_dir
from tinyforge.target import Board
from tinyforge.toolchain.compiler import CompileOptions
from tinyforge.toolchain.cross import cross_compiler
from tinyforge.toolchain.elf import load_image
from tinyforge.toolchain.glue import linker_script
from tinyforge.toolchain.objects import Source, compile_sources
from tinyforge.toolchain.process import run_tool

UNITS = 2
"""C files the models are spread over: so many compilers work at once."""

STACK_BYTES = 16384


@dataclass(frozen=True, eq=False)
class ArmModel:
    """A network with its schedule; ``plan`` is a MemoryPlan or what tests use in its place."""

    graph: Graph
    schedule: Schedule
    plan: Any
    calls: tuple[KernelCall, ...] = ()


class ArmModels:
    """The models, compiled with ``toolchain`` for ``board`` and loaded into an emulated core."""

    def __init__(self, folder: Path, models: Sequence[ArmModel], board: Board, toolchain: str, optimize: str) -> None:
        self.models = list(models)
        names = [f"m{i}" for i in range(len(models))]
        for name, model in zip(names, models, strict=True):
            tree = generate(model.graph, model.schedule, model.plan, model.calls or lower_graph(model.graph), name)
            for file, text in tree.files.items():
                (folder / file).write_text(text)
        units = [_unit(folder, k, names[k::UNITS]) for k in range(UNITS)]
        start = folder / "start.c"
        start.write_text(_start(names, self.models))
        compiler = cross_compiler(board, toolchain)
        options = CompileOptions(optimize=optimize, includes=(folder,))
        runtime = Source(firmware_dir() / "libc" / "rt.c", CompileOptions(extra=("-fno-builtin",)))
        objects = compile_sources(compiler, [*(Source(u, options) for u in (*units, start)), runtime])
        script, elf = folder / "image.ld", folder / "image.elf"
        script.write_text(linker_script(board, STACK_BYTES))
        run_tool(compiler.link_command([item.path for item in objects], elf, script), "linking")
        self.machine = Machine(board, load_image(elf))

    def run(self, index: int, inputs: Sequence[Array]) -> list[Array]:
        """Outputs of model ``index`` for its inputs."""
        graph = self.models[index].graph
        if self.models[index].schedule.input_rows:
            self._feed(index, inputs[0])
            return self._outputs(index)
        for getter, value in zip(_getters(f"m{index}_input", graph.inputs), inputs, strict=True):
            self.machine.write(self.machine.call(getter), np.ascontiguousarray(value).tobytes())
        self.machine.call(f"m{index}_invoke")
        return self._outputs(index)

    def linked_bytes(self, index: int) -> int:
        """Size of the arena in the image."""
        return next(s.size for s in self.machine.image.symbols if s.name == f"m{index}_arena")

    def touched_bytes(self, index: int, inputs: Sequence[Array]) -> int:
        """Highest arena byte that a run writes, plus one, found by running on two differently painted arenas."""
        address, size = self.machine.image.address(f"m{index}_arena"), self.models[index].plan.arena_bytes
        touched = np.zeros(size, np.bool_)
        for paint in (0x5A, 0xA5):
            self.machine.write(address, bytes([paint]) * size)
            self.run(index, inputs)
            touched |= np.frombuffer(self.machine.read(address, size), np.uint8) != paint
        return int(np.nonzero(touched)[0].max(initial=-1)) + 1

    def _feed(self, index: int, image: Array) -> None:
        """Rows in pieces of 1, 2, 3, 1, ... by the row-fed interface."""
        rows = np.ascontiguousarray(image)[0]
        address = self.machine.image.address("fed_rows")
        self.machine.call(f"m{index}_begin")
        at, step = 0, 1
        while at < len(rows):
            piece = rows[at : at + step]
            self.machine.write(address, piece.tobytes())
            self.machine.call(f"m{index}_feed_rows", (address, len(piece)))
            at, step = at + len(piece), step % 3 + 1
        assert self.machine.call(f"m{index}_end") == 0, "the model says that rows are missing"

    def _outputs(self, index: int) -> list[Array]:
        graph = self.models[index].graph
        found = []
        for getter, name in zip(_getters(f"m{index}_output", graph.outputs), graph.outputs, strict=True):
            kind = graph.tensors[name].type
            raw = self.machine.read(self.machine.call(getter), kind.nbytes)
            found.append(np.frombuffer(raw, kind.dtype.numpy).reshape(kind.shape))
        return found


def _longest_feed(models: Sequence[ArmModel]) -> int:
    """Bytes of three rows of the widest row-fed input, at least four."""
    fed = [m.graph.tensors[m.graph.inputs[0]].type for m in models if m.schedule.input_rows]
    return max([4, *(3 * t.nbytes // t.hwc[0] for t in fed)])


def _getters(stem: str, tensors: Sequence[str]) -> list[str]:
    return [stem] if len(tensors) == 1 else [f"{stem}_{i}" for i in range(len(tensors))]


def _unit(folder: Path, number: int, names: Sequence[str]) -> Path:
    """One C file of several models: their common headers are read once."""
    path = folder / f"unit{number}.c"
    path.write_text("".join(f'#include "{n}_weights.c"\n#include "{n}.c"\n#undef ARENA\n' for n in names))
    return path


def _start(names: Sequence[str], models: Sequence[ArmModel]) -> str:
    """Start-up code that never runs but keeps every function of the models in the image."""
    kept = []
    for name, model in zip(names, models, strict=True):
        if model.schedule.input_rows:
            kept += [f"{name}_begin", f"{name}_feed_rows", f"{name}_end"]
        else:
            kept += [f"{name}_invoke", *_getters(f"{name}_input", model.graph.inputs)]
        kept += _getters(f"{name}_output", model.graph.outputs)
    lines = ["#include <stdint.h>", "void Reset_Handler(void);", "void *volatile kept;"]
    lines += [f"uint8_t fed_rows[{_longest_feed(models)}];"]
    lines += [f'#include "{name}.h"' for name in names]
    lines += ['__attribute__((section(".vectors"), used)) const uint32_t vectors[16] = {1u};']
    kept.append("fed_rows")
    lines += ["void Reset_Handler(void)", "{", *(f"    kept = (void *)(uintptr_t){f};" for f in kept), "}", ""]
    return "\n".join(lines)
