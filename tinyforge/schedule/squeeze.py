"""Squeeze-and-excite blocks in two passes: what a gate holds back is computed twice instead of being held.

In such a block a map is squeezed to a vector that gates the same map: every pixel is needed before the first can go on,
so the map lies in memory whole. Often a narrow tensor from which a few operators make it lies there anyway (the input
of the block, which a residual needs too). Then those operators can run a second time after the squeeze: the first run
ends in the accumulators of the pooling, the second goes on through the gate, and both are ordinary fused stages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tinyforge.ir.graph import Graph, Node, Tensor, replace_graph
from tinyforge.ir.program import KernelCall
from tinyforge.schedule.space import Space

LEAST_GAIN = 2
"""The tensor the second pass starts from must be this many times smaller than the one it makes again."""


@dataclass(frozen=True, slots=True)
class Squeeze:
    """A tensor held across its own squeeze. Nodes and tensors are indices of a Space.

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


def find_squeezes(space: Space, fed: bool) -> tuple[Squeeze, ...]:
    """All squeezes that can run in two passes, the one with most bytes alive first. ``fed``: the input is fed row by
    row, so nothing can be computed from it a second time."""
    found = []
    for held, made in enumerate(space.made):
        gated = _gated(space, held) if made >= 0 and len(space.readers[held]) > 1 else ()
        cut = _narrowest(space, held, gated[0], fed) if gated else None
        if cut is None:
            continue
        source, region = cut
        found.append(
            Squeeze(
                held=held,
                source=source,
                region=region,
                gated=gated,
                macs=sum(space.macs[i] for i in region),
                alive=space.crossing[gated[0]],
                layer_bytes=max(space.layer_bytes[region[0] : gated[0] + 1]),
            )
        )
    return tuple(sorted(found, key=lambda s: (-s.alive, s.held)))


def _gated(space: Space, held: int) -> tuple[int, ...]:
    """Readers of a tensor that also depend on something that needs the whole of it."""
    name = space.names[held]
    direct, squeezed = {name}, set[str]()
    found = []
    for index in range(space.made[held] + 1, space.count):
        inputs, outputs = set(space.graph.nodes[index].inputs), space.graph.nodes[index].outputs
        windowed = space.windowed[index]
        if inputs & squeezed:
            squeezed.update(outputs)
            found += [index] if name in inputs else []
        elif inputs & direct:
            (squeezed if windowed is None or windowed.reduces else direct).update(outputs)
    return tuple(found)


def _narrowest(space: Space, held: int, until: int, fed: bool) -> tuple[int, tuple[int, ...]] | None:
    """The first tensor, walking back from ``held``, from which alone windowed nodes make it and that is much smaller,
    with those nodes: one that node ``until`` or a later one reads anyway, or else one whose source is not smaller."""
    frontier, region = {held}, list[int]()
    best: tuple[int, tuple[int, ...]] | None = None
    while True:
        latest = max(frontier, key=lambda t: space.made[t])
        node = space.windowed[space.made[latest]] if space.made[latest] >= 0 else None
        if node is None or node.reduces:
            return best
        frontier.remove(latest)
        region.append(node.index)
        frontier |= {read.tensor for read in node.reads}
        if len(frontier) > 1:
            continue
        (source,) = frontier
        size = space.nbytes[source]
        if (fed and space.made[source] < 0) or (best is not None and size >= space.nbytes[best[0]]):
            return best
        if size and size * LEAST_GAIN <= space.nbytes[held]:
            best = source, tuple(sorted(region))
            if space.read[source] >= until:
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
