"""What can be fused, and what lies whole in memory around it: facts about a graph that the optimiser asks for often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyforge.ir.graph import Graph
from tinyforge.ir.program import KernelCall
from tinyforge.ops.base import Op
from tinyforge.ops.stage_windows import StageNode, stage_nodes


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """Facts by node index. ``nodes[i]`` is None where node i needs whole tensors. ``macs[i]``: of the whole operator.

    ``made[t]``, ``read[t]``: index of the node that makes tensor t (-1: graph input) and of its last reader (the number
    of nodes for graph outputs). ``nbytes[t]``: of the whole tensor. ``saves[i]``: (input, bytes) of node i's in-place
    input, which its output may take over when that input dies there.
    """

    graph: Graph
    calls: Sequence[KernelCall]
    nodes: tuple[StageNode | None, ...]
    macs: tuple[int, ...]
    made: dict[str, int]
    read: dict[str, int]
    nbytes: dict[str, int]
    saves: tuple[tuple[str, int] | None, ...]

    @property
    def count(self) -> int:
        return len(self.nodes)

    @property
    def total_macs(self) -> int:
        return sum(self.macs)

    def crossing(self, first: int, last: int) -> int:
        """Bytes of whole tensors alive somewhere in steps first..last but made before and read after them, or made
        before and read inside: everything from outside that a stage over first..last has to leave alone."""
        return sum(size for t, size in self.nbytes.items() if self.made[t] < first and self.read[t] >= first)

    def closed(self, first: int, last: int) -> bool:
        """Whether first..last can be one fused stage: no barrier inside, and only the last node's single output is
        seen from outside."""
        if len(self.graph.nodes[last].outputs) != 1:
            return False
        for i in range(first, last + 1):
            if self.nodes[i] is None:
                return False
            if i < last and any(self.read[t] > last or self.read[t] < 0 for t in self.graph.nodes[i].outputs):
                return False
        return True

    def layer_bytes(self, step: int) -> int:
        """Bytes alive when node ``step`` runs as a layer."""
        alive = sum(size for t, size in self.nbytes.items() if self.made[t] <= step <= self.read[t])
        saving = self.saves[step]
        dies = saving is not None and self.read[saving[0]] == step
        return alive + self.calls[step].scratch_bytes - (saving[1] if saving and dies else 0)


def make_space(graph: Graph, calls: Sequence[KernelCall]) -> Space:
    """Collect the facts; aliases count nothing of their own."""
    count = len(graph.nodes)
    names = dict.fromkeys((*graph.inputs, *(t for n in graph.nodes for t in n.outputs)))
    producer, consumers = graph.producer(), graph.consumers()
    read = {t: max(consumers.get(t, [producer.get(t, 0)])) for t in names}
    read.update(dict.fromkeys(graph.outputs, count))
    nbytes = {t: graph.tensors[t].type.nbytes for t in names}
    made = {t: producer.get(t, -1) for t in names}
    for i in reversed(range(count)):
        if calls[i].alias and graph.nodes[i].inputs[calls[i].in_place[0]] in names:
            source, target = graph.nodes[i].inputs[calls[i].in_place[0]], graph.nodes[i].outputs[0]
            read[source] = max(read[source], read[target])
            nbytes[target] = 0
    saves = tuple(_saving(graph, calls[i], i, nbytes) for i in range(count))
    return Space(
        graph=graph,
        calls=calls,
        nodes=tuple(_stage_node(graph, calls, i) for i in range(count)),
        macs=tuple(_macs(graph, i) for i in range(count)),
        made=made,
        read=read,
        nbytes=nbytes,
        saves=saves,
    )


def _stage_node(graph: Graph, calls: Sequence[KernelCall], index: int) -> StageNode | None:
    nodes = stage_nodes(graph, index, index) if calls[index].form == "rows" else None
    return nodes[0] if nodes else None


def _macs(graph: Graph, index: int) -> int:
    node = graph.nodes[index]
    assert isinstance(node.op, Op)
    return node.op.macs(graph.ins(node), graph.outs(node))


def _saving(graph: Graph, call: KernelCall, index: int, nbytes: dict[str, int]) -> tuple[str, int] | None:
    node = graph.nodes[index]
    for i in call.in_place:
        source = node.inputs[i]
        if source in nbytes and nbytes[source] and nbytes[source] == nbytes[node.outputs[0]] and not call.alias:
            return source, nbytes[source]
    return None
