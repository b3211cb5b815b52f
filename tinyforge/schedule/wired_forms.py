"""Squeeze-and-excite blocks in two passes for the fast level: what ``schedule.forms`` does for graphs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinyforge.schedule.squeeze import Flow, Squeeze, may_squeeze, squeezes_of
from tinyforge.schedule.wiring import Wired, make_wiring


@dataclass(frozen=True, slots=True, eq=False)
class WiredForm:
    """Layers with some squeezes in two passes. ``repeated_macs``: of the layers that run twice; ``floor``: bytes alive
    at the next squeeze, which stays in one pass."""

    wired: Wired
    repeated_macs: int
    floor: int


def wired_forms(wired: Wired, room: float, fed: bool) -> Iterator[WiredForm]:
    """Forms with one squeeze more each, as many as ``room`` MACs can pay for; that without any is not among them."""
    if not may_squeeze((not f.rows or f.reduces for f in wired.facts), [len(set(r)) for r in wired.reads]):
        return
    found = squeezes_of(_flow(wired), fed)
    for count in range(1, len(found) + 1):
        repeated = sum(s.macs for s in found[:count])
        if repeated > room:
            return
        yield WiredForm(_repeated(wired, found[:count]), repeated, found[count].alive if count < len(found) else 0)


def _flow(wired: Wired) -> Flow:
    wiring = make_wiring(wired)
    count = len(wired.facts)
    return Flow(
        reads=wired.reads,
        makes=[(i + 1,) for i in range(count)],
        pieces=[bool(f.rows) for f in wired.facts],
        reduces=[f.reduces for f in wired.facts],
        made=range(-1, count),
        last_read=wiring.read.tolist(),
        nbytes=wiring.nbytes.tolist(),
        macs=[f.macs for f in wired.facts],
        crossing=wiring.crossing.tolist(),
        layer_bytes=wiring.layer_bytes.tolist(),
    )


def _repeated(wired: Wired, squeezes: Sequence[Squeeze]) -> Wired:
    """The layers with the regions of ``squeezes`` repeated just before their gated readers."""
    again = {gate: [s for s in squeezes if s.gated[0] == gate] for gate in {s.gated[0] for s in squeezes}}
    own: dict[int, int] = {0: 0}
    second: dict[tuple[int, int], int] = {}
    facts, reads = [], []
    for layer, fact in enumerate(wired.facts):
        for squeeze in again.get(layer, ()):
            for i in squeeze.region:
                facts.append(wired.facts[i])
                reads.append(tuple(second.get((squeeze.held, t), own[t]) for t in wired.reads[i]))
                second[squeeze.held, i + 1] = len(facts)
        gates = [s.held for s in squeezes if layer in s.gated]
        facts.append(fact)
        reads.append(tuple(second[t, t] if t in gates else own[t] for t in wired.reads[layer]))
        own[layer + 1] = len(facts)
    return Wired(facts, reads, tuple(own[t] for t in wired.outputs), wired.input)
