"""The build info of a compiled model, from its graph, schedule and memory plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tinyforge.api.network import Network
from tinyforge.api.settings import CompileSettings
from tinyforge.codegen.build_info import BankUse, BuildInfo, FlashBytes, OperatorInfo, TensorInfo
from tinyforge.codegen.names import op_symbol
from tinyforge.ir.graph import Graph, digest
from tinyforge.ir.memory_plan import MemoryPlan
from tinyforge.ir.schedule import FusedStage, Schedule
from tinyforge.ops.base import Op
from tinyforge.reporting.words import own_macs, repeated_node, stage_summary
from tinyforge.schedule.optimise import ScheduleResult
from tinyforge.target import Board


def build_record(
    network: Network, found: ScheduleResult, settings: CompileSettings, board: Board, prefix: str
) -> BuildInfo:
    """What the build says about itself; flash and stack are still to be measured."""
    graph = found.graph
    return BuildInfo(
        name=prefix,
        model_file=network.path.name,
        source_sha256=network.sha256,
        digest=digest(network.graph),
        board=board.name,
        arena_bytes=found.plan.arena_bytes,
        arena_bytes_without_input=found.plan.arena_bytes_without_input,
        stack_bytes=0,
        flash=FlashBytes(0, 0, 0),
        input_mode=settings.input,
        inputs=_edges(graph, graph.inputs, f"{prefix}_input"),
        outputs=_edges(graph, graph.outputs, f"{prefix}_output"),
        operators=tuple(_operator(graph, i, prefix) for i in range(len(graph.nodes))),
        banks=_banks(board, settings, found.plan),
        schedule=tuple(_stages(graph, found.schedule)),
        macs=network.macs,
        executed_macs=found.executed_macs,
        proven_optimal=found.proven_optimal,
        sram_limit_bytes=settings.sram,
        flash_limit_bytes=settings.flash,
        options=settings.as_json(),
    )


def measured_record(info: BuildInfo, *, stack_bytes: int, weights: int, code: int) -> BuildInfo:
    """The same with what the compiler made of it, in bytes."""
    return replace(info, stack_bytes=stack_bytes, flash=FlashBytes(weights, code, weights + code))


def _edges(graph: Graph, names: tuple[str, ...], getter: str) -> tuple[TensorInfo, ...]:
    getters = [getter] if len(names) == 1 else [f"{getter}_{i}" for i in range(len(names))]
    kinds = [graph.tensors[name].type for name in names]
    return tuple(
        TensorInfo(name, kind.shape, kind.dtype.value, kind.scale, kind.zero_point, kind.nbytes, function)
        for name, kind, function in zip(names, kinds, getters, strict=True)
    )


def _operator(graph: Graph, index: int, prefix: str) -> OperatorInfo:
    node = graph.nodes[index]
    assert isinstance(node.op, Op)
    return OperatorInfo(
        index=index,
        name=node.name,
        kind=node.op.kind,
        symbol=op_symbol(prefix, index, node.op.kind),
        macs=own_macs(graph, index),
        output_nbytes=tuple(tensor.type.nbytes for tensor in graph.outs(node)),
        repeats=repeated_node(graph, index),
    )


def _banks(board: Board, settings: CompileSettings, plan: MemoryPlan) -> tuple[BankUse, ...]:
    """Bytes of the arena in every bank, none of which a limit makes larger than itself."""
    used = {part.bank: part.used_bytes for part in plan.parts} or {board.banks[0].name: plan.arena_bytes}
    limit = board.sram_bytes if settings.sram is None else settings.sram
    return tuple(BankUse(bank.name, used.get(bank.name, 0), min(bank.size, limit)) for bank in board.banks)


def _stages(graph: Graph, schedule: Schedule) -> list[dict[str, Any]]:
    found = []
    for stage in schedule.stages:
        summary = stage_summary(graph, stage)
        entry: dict[str, Any] = {"kind": summary.kind, "ops": list(summary.names), "grid": list(summary.grid)}
        if isinstance(stage, FusedStage):
            entry |= {
                "patch": list(summary.patch),
                "cached": list(summary.cached),
                "macs": summary.macs,
                "executed_macs": summary.executed_macs,
            }
            if stage.slices > 1:
                entry["slices"] = stage.slices
        found.append(entry)
    return found
