"""Squeeze-and-excite blocks in two passes: what a gate holds back is computed twice instead of being held.

In such a block a map is squeezed to a vector that gates the same map: every pixel is needed before the first can go on,
so the map lies in memory whole. Often a narrow tensor from which a few operators make it lies there anyway (the input
of the block, which a residual needs too). Then those operators can run a second time after the squeeze: the first run
ends in the accumulators of the pooling, the second goes on through the gate, and both are ordinary fused stages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tinyforge.ir.graph import Graph, Node, Tensor, replace_graph
from tinyforge.ir.program import KernelCall
from tinyforge.schedule.space import Space

LEAST_GAIN = 2
"""The tensor the second pass starts from must be this many times smaller than the one it makes again."""


@dataclass(frozen=True, slots=True)
class Squeeze:
    """A tensor held across its own squeeze. Nodes and tensors are indices of a Space (or of a Wiring).

    held: the tensor; region: the nodes that make it from ``source``, in order; gated: those of its readers that wait
    for the squeeze, first first. macs: of the region. alive: bytes alive when the squeeze is done. layer_bytes: the
    most that any node from the region to the first gated reader needs as a layer.
    """

    held: int
    source: int
    region: tuple[int, ...]
    gated: tuple[int, ...]
    macs: int
    alive: int
    layer_bytes: int


@dataclass(frozen=True, slots=True)
class Flow:
    """Where tensors come from and go to. ``reads``, ``makes``: activations of every node; ``pieces[i]``: whether node i
    can run piece by piece; ``reduces[i]``: whether it sums over all pieces. ``made``, ``last_read``, ``nbytes``: of
    every tensor, the node that makes it (-1: input), its last reader, its bytes. ``macs``, ``crossing``,
    ``layer_bytes``: of every node, as in a Space."""

    reads: Sequence[tuple[int, ...]]
    makes: Sequence[tuple[int, ...]]
    pieces: Sequence[bool]
    reduces: Sequence[bool]
    made: Sequence[int]
    last_read: Sequence[int]
    nbytes: Sequence[int]
    macs: Sequence[int]
    crossing: Sequence[int]
    layer_bytes: Sequence[int]


def may_squeeze(whole: Iterable[bool], reads: Sequence[int]) -> bool:
    """Whether there could be squeezes, at a glance: something after the first node that needs a whole tensor
    (``whole[i]``) reads several activations (``reads[i]``: how many)."""
    first = next((i for i, needed in enumerate(whole) if needed), len(reads))
    return any(count > 1 for count in reads[first + 1 :])


def find_squeezes(space: Space, fed: bool) -> tuple[Squeeze, ...]:
    """All squeezes of a network, as ``squeezes_of``."""
    ids = {name: i for i, name in enumerate(space.names)}
    nodes = space.graph.nodes
    flow = Flow(
        reads=[tuple(ids[t] for t in node.inputs if t in ids) for node in nodes],
        makes=[tuple(ids[t] for t in node.outputs) for node in nodes],
        pieces=[w is not None for w in space.windowed],
        reduces=[w is not None and w.reduces for w in space.windowed],
        made=space.made,
        last_read=space.read,
        nbytes=space.nbytes,
        macs=space.macs,
        crossing=space.crossing,
        layer_bytes=space.layer_bytes,
    )
    return squeezes_of(flow, fed)


def squeezes_of(flow: Flow, fed: bool) -> tuple[Squeeze, ...]:
    """All squeezes that can run in two passes, the one with most bytes alive first. ``fed``: the input is fed row by
    row, so nothing can be computed from it a second time."""
    readers = Counter(t for tensors in flow.reads for t in set(tensors))
    found = []
    for held, made in enumerate(flow.made):
        gated = _gated(flow, held) if made >= 0 and readers[held] > 1 else ()
        cut = _narrowest(flow, held, gated[0], fed) if gated else None
        if cut is None:
            continue
        source, region = cut
        found.append(
            Squeeze(
                held=held,
                source=source,
                region=region,
                gated=gated,
                macs=sum(flow.macs[i] for i in region),
                alive=flow.crossing[gated[0]],
                layer_bytes=max(flow.layer_bytes[region[0] : gated[0] + 1]),
            )
        )
    return tuple(sorted(found, key=lambda s: (-s.alive, s.held)))


def _gated(flow: Flow, held: int) -> tuple[int, ...]:
    """Readers of a tensor that also depend on something that needs the whole of it."""
    direct, squeezed = {held}, set[int]()
    found = []
    for index in range(flow.made[held] + 1, len(flow.reads)):
        inputs, outputs = set(flow.reads[index]), flow.makes[index]
        if inputs & squeezed:
            squeezed.update(outputs)
            found += [index] if held in inputs else []
        elif inputs & direct:
            (direct if flow.pieces[index] and not flow.reduces[index] else squeezed).update(outputs)
    return tuple(found)


def _narrowest(flow: Flow, held: int, until: int, fed: bool) -> tuple[int, tuple[int, ...]] | None:
    """The first tensor, walking back from ``held``, from which alone nodes make it piece by piece and that is much
    smaller, with those nodes: one that node ``until`` or a later one reads anyway, or else one whose source is not
    smaller."""
    frontier, region = {held}, list[int]()
    best: tuple[int, tuple[int, ...]] | None = None
    while True:
        node = flow.made[max(frontier, key=lambda t: flow.made[t])]
        if node < 0 or not flow.pieces[node] or flow.reduces[node]:
            return best
        frontier.difference_update(flow.makes[node])
        region.append(node)
        frontier |= set(flow.reads[node])
        if len(frontier) > 1:
            continue
        (source,) = frontier
        size = flow.nbytes[source]
        if (fed and flow.made[source] < 0) or (best is not None and size >= flow.nbytes[best[0]]):
            return best
        if size and size * LEAST_GAIN <= flow.nbytes[held]:
            best = source, tuple(sorted(region))
            if flow.last_read[source] >= until:
                return best


def repeat(space: Space, squeezes: Sequence[Squeeze]) -> tuple[Graph, tuple[KernelCall, ...]]:
    """The graph with the regions of ``squeezes`` repeated just before their gated readers, and its kernel calls: those
    of a repeated node twice, so that both share their tables."""
    graph = space.graph
    if not squeezes:
        return graph, tuple(space.calls)
    nodes: list[Node] = list(graph.nodes)
    tensors = dict(graph.tensors)
    extra: dict[int, list[tuple[Node, KernelCall]]] = {}
    for squeeze in squeezes:
        renamed: dict[str, str] = {}
        for i in squeeze.region:
            for name in graph.nodes[i].outputs:
                renamed[name] = second(name)
                tensors[renamed[name]] = Tensor(renamed[name], tensors[name].type)
            extra.setdefault(squeeze.gated[0], []).append((_again(graph.nodes[i], renamed), space.calls[i]))
        held = space.names[squeeze.held]
        for i in squeeze.gated:
            inputs = tuple(renamed[held] if name == held else name for name in nodes[i].inputs)
            nodes[i] = replace(nodes[i], inputs=inputs)
    order = [pair for i, node in enumerate(nodes) for pair in (*extra.get(i, ()), (node, space.calls[i]))]
    grown = replace_graph(graph, nodes=[node for node, _ in order], tensors=tensors)
    return grown, tuple(call for _, call in order)


def _again(node: Node, renamed: dict[str, str]) -> Node:
    return replace(
        node,
        name=second(node.name),
        inputs=tuple(renamed.get(name, name) for name in node.inputs),
        outputs=tuple(renamed[name] for name in node.outputs),
        repeats=node.name,
    )


def second(name: str) -> str:
    """What a tensor or node is called in the second pass; names are shown up to the first semicolon."""
    head, semicolon, rest = name.partition(";")
    return f"{head} (pass 2){semicolon}{rest}"
