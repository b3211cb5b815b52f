"""Many single-operator graphs as one model: one translation unit, one firmware image, one run for a whole suite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.c_host import StackedPlan, layerwise, stacked_plan
from tinyforge.codegen.build_info import BankUse, BuildInfo, FlashBytes, OperatorInfo, TensorInfo, save_build_info
from tinyforge.codegen.generate import generate, lower_graph
from tinyforge.codegen.headers import header_closure
from tinyforge.codegen.names import op_symbol
from tinyforge.device.board import run_booted
from tinyforge.device.emulate.run import run_emulator
from tinyforge.ir.graph import Graph, Tensor
from tinyforge.ir.program import Isa, KernelCall
from tinyforge.ir.schedule import FusedStage, LayerStage, Schedule, Stage
from tinyforge.ir.types import Array
from tinyforge.ops.stage_windows import stage_nodes, walk_stage
from tinyforge.target import load_board
from tinyforge.toolchain.firmware import build_firmware

BOARDS = ("emulated_m0plus", "emulated_m7", "mps3_an547")
"""One a kind of kernel: Armv6-M's, DSP, Helium."""
SCALAR_BOARDS = ("emulated_m3", "qemu_rv32_virt")
"""Cores without SMLAD, for the few operators that have kernels for them."""
MORE_BOARDS = (*SCALAR_BOARDS, "emulated_m4", "emulated_m33")
"""Cores that run the same kernels, or the portable ones, which the host runs too."""


def merged(graphs: Sequence[Graph]) -> Graph:
    """One graph of all, with the inputs and outputs of all in order."""
    tensors: dict[str, Tensor] = {}
    nodes, inputs, outputs = [], [], []
    for i, graph in enumerate(graphs):
        names = {name: f"g{i}_{name}" for name in graph.tensors}
        tensors.update({names[n]: replace(t, name=names[n]) for n, t in graph.tensors.items()})
        for node in graph.nodes:
            ins, outs = (tuple(names[n] for n in side) for side in (node.inputs, node.outputs))
            nodes.append(replace(node, name=f"g{i}_{node.name}", inputs=ins, outputs=outs))
        inputs += [names[n] for n in graph.inputs]
        outputs += [names[n] for n in graph.outputs]
    return Graph("merged", tensors, tuple(nodes), tuple(inputs), tuple(outputs))


def _shareable(graph: Graph, node: int, call: KernelCall) -> list[int]:
    """Inputs whose buffer the operator's only output may take."""
    ins = graph.ins(graph.nodes[node])
    return [i for i in call.in_place if not ins[i].is_constant] if len(graph.nodes[node].outputs) == 1 else []


def in_place_plan(graph: Graph, isa: Isa = Isa.PORTABLE) -> StackedPlan:
    """Every output lies in the buffer of an input where the kernel allows that."""
    plan = stacked_plan(graph, isa)
    placements = dict(plan.placements)
    for i, call in enumerate(lower_graph(graph, isa)):
        allowed = _shareable(graph, i, call)
        if allowed:
            node = graph.nodes[i]
            out = node.outputs[0]
            placements[out] = replace(placements[out], offset=placements[node.inputs[allowed[-1]]].offset)
    return StackedPlan(placements, plan.scratch, plan.arena_bytes)


def patches(rng: np.random.Generator, graph: Graph) -> Schedule:
    """Every operator that can be computed piece by piece, in pieces of a random size."""
    stages: list[Stage] = []
    for i, node in enumerate(graph.nodes):
        stage: Stage = LayerStage(i)
        if stage_nodes(graph, i, i) is not None:
            height, width, _ = graph.tensors[node.outputs[0]].type.hwc
            fused = FusedStage(i, i, int(rng.integers(1, height + 1)), int(rng.integers(1, width + 1)))
            stage = fused if walk_stage(graph, fused).valid else stage
        stages.append(stage)
    return Schedule(tuple(stages))


def variant_isa(variant: str) -> Isa:
    """What a variant is lowered for: its first word, where that is an instruction set."""
    kind = variant.split("_")[0]
    return Isa(kind) if kind in (Isa.SCALAR.value, Isa.MVE.value) else Isa.PORTABLE


def has_variant(graph: Graph, variant: str) -> bool:
    """Whether a single-operator graph has a DSP path, a form for the set, an in-place form, pieces."""
    call = lower_graph(graph)[0]
    isa = variant_isa(variant)
    if isa is not Isa.PORTABLE and lower_graph(graph, isa)[0].kernel == call.kernel:
        return False
    if "patches" in variant and stage_nodes(graph, 0, 0) is None:
        return False
    if "dsp" in variant:
        return any("TF_DSP" in text or "tf_dsp.h" in text for text in header_closure(call.headers).values())
    return variant != "in_place" or bool(_shareable(graph, 0, call))


def emulate(
    folder: Path, graph: Graph, inputs: Sequence[Array], board: str, calls: Sequence[KernelCall] | None = None
) -> list[Array]:
    """Outputs of the graph's firmware on an emulated board, memory accesses checked."""
    samples = [np.asarray(x)[None] for x in inputs]
    return [out[0] for out in emulate_samples(folder, graph, samples, board, calls)]


def emulate_samples(
    folder: Path, graph: Graph, samples: Sequence[Array], board: str, calls: Sequence[KernelCall] | None = None
) -> tuple[Array, ...]:
    """The same for several samples, one array (samples, *shape) an input and an output."""
    folder.mkdir(parents=True, exist_ok=True)
    target = load_board(board)
    calls = calls or lower_graph(graph, target.isa)
    plan = stacked_plan(graph, target.isa, calls)
    tree = generate(graph, layerwise(graph), plan, calls, "suite")
    for name, text in tree.files.items():
        (folder / name).write_text(text)
    save_build_info(_build_info(graph, plan, board), folder)
    firmware = build_firmware(folder, target)
    result = run_emulator(firmware, samples) if target.core.unicorn_model else run_booted(firmware, samples, "qemu")
    assert result.out_of_bounds_accesses == 0, result.violations
    return tuple(result.outputs)


def _edges(graph: Graph, names: Sequence[str], getter: str) -> tuple[TensorInfo, ...]:
    getters = [getter] if len(names) == 1 else [f"{getter}_{i}" for i in range(len(names))]
    kinds = [graph.tensors[name].type for name in names]
    return tuple(
        TensorInfo(n, k.shape, k.dtype.value, k.scale, k.zero_point, k.nbytes, g)
        for n, k, g in zip(names, kinds, getters, strict=True)
    )


def _operator(graph: Graph, index: int) -> OperatorInfo:
    node = graph.nodes[index]
    sizes = tuple(t.type.nbytes for t in graph.outs(node))
    return OperatorInfo(index, node.name, node.op.kind, op_symbol("suite", index, node.op.kind), 0, sizes)


def _build_info(graph: Graph, plan: StackedPlan, board: str) -> BuildInfo:
    return BuildInfo(
        name="suite",
        model_file="suite.tflite",
        source_sha256="00" * 32,
        digest="00" * 32,
        board=board,
        arena_bytes=plan.arena_bytes,
        arena_bytes_without_input=plan.arena_bytes,
        stack_bytes=0,
        flash=FlashBytes(0, 0, 0),
        input_mode="whole",
        inputs=_edges(graph, graph.inputs, "suite_input"),
        outputs=_edges(graph, graph.outputs, "suite_output"),
        operators=tuple(_operator(graph, i) for i in range(len(graph.nodes))),
        banks=(BankUse("sram", plan.arena_bytes, 4 << 20),),
        schedule=tuple({"kind": "layer", "ops": [i]} for i in range(len(graph.nodes))),
        macs=0,
        executed_macs=0,
    )
