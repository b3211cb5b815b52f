"""Forms of a network: its squeeze-and-excite blocks in one pass or in two.

Blocks are independent: to get below some bytes every block must run in two passes that holds more than that, and no
other one has to. So the blocks are taken in the order of the bytes alive at their squeeze, the first k of them for each
k that the MAC limit allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyforge.ir.graph import Graph
from tinyforge.ir.program import KernelCall
from tinyforge.schedule.estimate import Costs
from tinyforge.schedule.options import Options
from tinyforge.schedule.space import Space, make_space
from tinyforge.schedule.squeeze import Squeeze, find_squeezes, may_squeeze, repeat


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """A network with some squeezes in two passes.

    own_macs: of the network, nothing repeated; 0 where it has this form only. held: tensors that are made twice instead
    of being held. repeated_macs: of the operators that run twice. most: bytes alive at the first of these squeezes in
    one pass. floor: bytes alive at the next squeeze, which stays in one pass.
    """

    graph: Graph
    calls: tuple[KernelCall, ...]
    own_macs: int = 0
    held: tuple[str, ...] = ()
    repeated_macs: int = 0
    most: int = 0
    floor: int = 0


def forms(graph: Graph, calls: Sequence[KernelCall], options: Options) -> tuple[Form, ...]:
    """The network as it is, then with more and more squeezes in two passes, as many as ``options`` can afford."""
    reads = [sum(not graph.tensors[t].is_constant for t in node.inputs) for node in graph.nodes]
    if options.schedule != "auto" or not may_squeeze((call.form != "rows" for call in calls), reads):
        return (Form(graph, tuple(calls)),)
    space = make_space(graph, calls, Costs(graph).all(calls))
    squeezes = _affordable(space, options)
    return tuple(_form(space, squeezes, count) for count in range(len(squeezes) + 1))


def _affordable(space: Space, options: Options) -> tuple[Squeeze, ...]:
    """The first squeezes, as many as may run in two passes within the MAC factor."""
    room = (options.factor - 1) * space.total_macs
    found = []
    for squeeze in find_squeezes(space, options.input == "rows"):
        room -= squeeze.macs
        if room < 0:
            break
        found.append(squeeze)
    return tuple(found)


def _form(space: Space, squeezes: Sequence[Squeeze], count: int) -> Form:
    """Squeezes that are not affordable count as not there: the floor is only that of the next one known."""
    graph, calls = repeat(space, squeezes[:count])
    return Form(
        graph=graph,
        calls=calls,
        own_macs=space.total_macs,
        held=tuple(space.names[s.held] for s in squeezes[:count]),
        repeated_macs=sum(s.macs for s in squeezes[:count]),
        most=squeezes[0].alive if squeezes else 0,
        floor=squeezes[count].alive if count < len(squeezes) else 0,
    )
