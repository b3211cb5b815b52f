"""Graph + Schedule + MemoryPlan -> the files of a self-contained C model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinyforge import __version__
from tinyforge.codegen.arenas import address, c_arenas
from tinyforge.codegen.functions import OpFunction, OpSite, op_function
from tinyforge.codegen.headers import header_closure
from tinyforge.codegen.names import C_TYPES, op_symbol, table_symbol
from tinyforge.codegen.render import number_lines, render
from tinyforge.codegen.stages import StageFunction, stage_function
from tinyforge.codegen.views import View, stage_views, whole_view
from tinyforge.ir.graph import Graph, Node
from tinyforge.ir.program import Isa, KernelCall, Table
from tinyforge.ir.schedule import FusedStage, LayerStage, Schedule, Stage
from tinyforge.ops.base import Op
from tinyforge.ops.channel_slices import calls_as_run

if TYPE_CHECKING:
    from tinyforge.ir.memory_plan import MemoryPlan


@dataclass(frozen=True, slots=True)
class SourceTree:
    """File name -> text, everything a model folder holds."""

    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CTable:
    """A constant array as printed."""

    symbol: str
    ctype: str
    length: int
    align: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EdgeTensor:
    """A model input or output in the C API."""

    getter: str
    size_macro: str
    ctype: str
    nbytes: int
    address: str
    comment: str


def lower_graph(
    graph: Graph, isa: Isa = Isa.PORTABLE, table_bytes: int | None = None, fast_flash: bool = False
) -> tuple[KernelCall, ...]:
    """One kernel call a node, in order. Where there are faster ones with larger tables (``Op.lower_wide``) they are
    taken as long as all tables stay within ``table_bytes`` (None: no limit), those first that multiply most for it."""
    calls = [_op(node).lower_for(isa, graph.ins(node), graph.outs(node)) for node in graph.nodes]
    used = sum(_table_bytes(call) for call in calls)
    for index, call in _wide_calls(graph, calls, fast_flash):
        used += _table_bytes(call) - _table_bytes(calls[index])
        if table_bytes is not None and used > table_bytes:
            break
        calls[index] = call
    return tuple(calls)


def _wide_calls(graph: Graph, calls: Sequence[KernelCall], fast_flash: bool) -> list[tuple[int, KernelCall]]:
    """Nodes that have a faster call with larger tables, and that call; the most multiplications a byte first."""
    found = []
    for index, (node, call) in enumerate(zip(graph.nodes, calls, strict=True)):
        op, ins, outs = _op(node), graph.ins(node), graph.outs(node)
        wide = op.lower_wide(call, ins, outs, fast_flash)
        if wide is not None:
            found.append((op.macs(ins, outs) / _table_bytes(wide), index, wide))
    return [(index, wide) for _, index, wide in sorted(found, key=lambda item: (-item[0], item[1]))]


def _table_bytes(call: KernelCall) -> int:
    return sum(table.nbytes for table in call.tables)


def generate(
    graph: Graph,
    schedule: Schedule,
    plan: MemoryPlan,
    calls: Sequence[KernelCall],
    prefix: str,
    source: str = "",
    comment: Sequence[str] = (),
) -> SourceTree:
    """The C files of ``graph`` under ``schedule``; ``comment`` opens the header (memory map, schedule in words)."""
    calls = calls_as_run(graph, schedule, calls)
    tables, symbols = _tables(prefix, calls)
    builder = _Builder(graph, plan, calls, prefix, symbols)
    steps, stages = [], []
    for number, stage in enumerate(schedule.stages):
        steps += _moves(plan, stage)
        if isinstance(stage, LayerStage):
            steps += builder.layer(stage)
        else:
            fused = builder.fused(stage, number, fed=schedule.input_rows and number == 0)
            stages.append(fused)
            steps += [] if fused.feed else [f"{fused.symbol}();"]
    inputs, outputs = edge_tensors(graph, plan, prefix)
    fed = next((s for s in stages if s.feed), None)
    moving = ("tf_move_s8.h",) if plan.moves else ()
    headers = sorted({"tf_runtime.h", *moving, *(name for call in calls for name in call.headers)})
    context = {
        "prefix": prefix,
        "guard": prefix.upper(),
        "version": __version__,
        "source": source,
        "comment": comment,
        "arena_bytes": plan.arena_bytes,
        "arenas": c_arenas(plan, prefix),
        "headers": headers,
        "tables": tables,
        "ops": builder.functions,
        "stages": stages,
        "steps": steps,
        "fed": fed,
        "inputs": [] if fed else inputs,
        "outputs": outputs,
    }
    files = {
        f"{prefix}.h": render("model.h.j2", **context),
        f"{prefix}.c": render("model.c.j2", **context),
        f"{prefix}_weights.c": render("weights.c.j2", **context),
    }
    return SourceTree({**files, **header_closure(headers)})


def _moves(plan: MemoryPlan, stage: Stage) -> list[str]:
    """Statements that bring buffers to where they lie from this stage on."""
    first = stage.first if isinstance(stage, FusedStage) else stage.node
    return [
        f"tf_move_s8({address(plan, m.target).of('int8_t')}, {address(plan, m.source).of('int8_t')}, {m.nbytes});"
        for m in plan.moves
        if m.step == first
    ]


class _Builder:
    """Collects operator functions while stages are walked in order."""

    def __init__(
        self,
        graph: Graph,
        plan: MemoryPlan,
        calls: Sequence[KernelCall],
        prefix: str,
        symbols: Sequence[Sequence[str]],
    ) -> None:
        self.graph, self.plan, self.calls, self.prefix, self.symbols = graph, plan, calls, prefix, symbols
        self.functions: list[OpFunction] = []

    def layer(self, stage: LayerStage) -> list[str]:
        """Adds a whole-layer operator; the call of its C function, none where its output already lies in place."""
        node = self.graph.nodes[stage.node]
        views = {
            n: whole_view(self.graph.tensors[n], self.plan, stage.node)
            for n in (*node.inputs, *node.outputs)
            if not self.graph.tensors[n].is_constant
        }
        function = self._function(stage.node, views, None)
        if function.uses:
            self.functions.append(function)
        return [f"{function.symbol}();"] if function.uses else []

    def fused(self, stage: FusedStage, number: int, fed: bool) -> StageFunction:
        """Adds the operators of a fused stage and describes its driver."""
        views = stage_views(self.graph, stage, self.plan)
        name = f"{self.prefix}_stage{number}"
        function = stage_function(self.graph, stage, self.plan, name, self._symbols(stage), fed)
        for i in range(stage.first, stage.last + 1):
            self.functions.append(self._function(i, views, i - stage.first, stage.slices))
        return function

    def _symbols(self, stage: FusedStage) -> tuple[str, ...]:
        nodes = range(stage.first, stage.last + 1)
        return tuple(op_symbol(self.prefix, i, _op(self.graph.nodes[i]).kind) for i in nodes)

    def _function(self, index: int, views: Mapping[str, View], window: int | None, slices: int = 1) -> OpFunction:
        node, call = self.graph.nodes[index], self.calls[index]
        site = OpSite(
            symbol=op_symbol(self.prefix, index, _op(node).kind),
            index=index,
            title=_title(self.graph, node),
            inputs={i: views[n] for i, n in enumerate(node.inputs) if n in views},
            outputs=tuple(views[n] for n in node.outputs),
            window=window,
            scratch=address(self.plan, self.plan.scratch[index]) if index in self.plan.scratch else None,
            sliced=slices > 1,
        )
        pairs = zip(self.symbols[index], call.tables, strict=True)
        return op_function(call, site, [f"{symbol} + slice * {t.step}" if t.step else symbol for symbol, t in pairs])


def _op(node: Node) -> Op:
    assert isinstance(node.op, Op)
    return node.op


def _title(graph: Graph, node: Node) -> str:
    shapes = [" ".join("x".join(map(str, t.shape)) for t in side) for side in (graph.ins(node)[:1], graph.outs(node))]
    name = node.name.replace("*/", "* /").replace("/*", "/ *")
    return f"{name}: {_op(node).kind} {shapes[0]} -> {shapes[1]}"


def _tables(prefix: str, calls: Sequence[KernelCall]) -> tuple[list[CTable], list[list[str]]]:
    """The constant arrays, equal ones once, and for each operator the symbols of its tables."""
    known: dict[tuple[str, int, str, bytes], CTable] = {}
    symbols = []
    for i, call in enumerate(calls):
        own = []
        for table in call.tables:
            key = table.ctype, table.align, table.data.dtype.str, table.data.tobytes()
            if key not in known:
                known[key] = _c_table(table_symbol(prefix, i, table.name), table)
            own.append(known[key].symbol)
        symbols.append(own)
    return list(known.values()), symbols


def _c_table(symbol: str, table: Table) -> CTable:
    return CTable(
        symbol=symbol,
        ctype=table.ctype,
        length=int(table.data.size),
        align=table.align,
        lines=tuple(number_lines(table.data)),
    )


def edge_tensors(graph: Graph, plan: MemoryPlan, prefix: str) -> tuple[list[EdgeTensor], list[EdgeTensor]]:
    """Inputs and outputs of the C API: ``<prefix>_input`` is the first; numbered ones follow when there are more."""
    return (
        _edges(graph, graph.inputs, plan, f"{prefix}_input"),
        _edges(graph, graph.outputs, plan, f"{prefix}_output"),
    )


def _edges(graph: Graph, names: Sequence[str], plan: MemoryPlan, getter: str) -> list[EdgeTensor]:
    numbered = [(getter, names[0])] if len(names) == 1 else []
    if len(names) > 1:
        numbered = [(getter, names[0]), *((f"{getter}_{i}", n) for i, n in enumerate(names))]
    edges = []
    for symbol, name in numbered:
        t = graph.tensors[name].type
        quant = f", real = {t.scale:.9g} * (q - {t.zero_point})" if t.quant else ""
        edges.append(
            EdgeTensor(
                getter=symbol,
                size_macro=f"{symbol.upper()}_BYTES",
                ctype=C_TYPES[t.dtype.value],
                nbytes=t.nbytes,
                address=address(plan, plan.placements[name].offset).of(C_TYPES[t.dtype.value]),
                comment=f"{t.dtype.value} {'x'.join(map(str, t.shape))}{quant}",
            )
        )
    return edges
