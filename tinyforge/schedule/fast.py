"""The fast level: an answer in milliseconds for a graph or for a network of shapes, in closed form.

``estimate`` is what an architecture search asks thousands of times: does this candidate fit, and what does it cost?
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tinyforge.ir.graph import Graph
from tinyforge.ir.program import KernelCall
from tinyforge.schedule.closed_form import ENDLESS, GRIDS, MODES, FloatArray, StageTable, layer_cycles, stage_table
from tinyforge.schedule.facts import graph_facts
from tinyforge.schedule.options import Options
from tinyforge.schedule.shape import NetworkShape, wire
from tinyforge.schedule.wired_forms import WiredForm, wired_forms
from tinyforge.schedule.wiring import Wired, Wiring, make_wiring

NO_LIMIT = 1 << 62
MOST_EXTRA = 0.5
"""Part of the network's MACs that may be recomputed where no factor is given."""
CLOSE = 1.02
"""Bytes are settled to this factor."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a network costs under its best schedule, by the row model. ``fits``: within the bytes asked for."""

    arena_bytes: int
    macs: int
    executed_macs: int
    estimated_cycles: int
    fits: bool


def estimate(network: NetworkShape, options: Options | None = None, sram_bytes: int | None = None) -> Estimate:
    """Arena bytes, executed MACs and estimated cycles of ``network`` (without weights) under ``options`` (default:
    objective ``balanced``) within ``sram_bytes`` of arena (None: no limit).

    Squeeze-and-excite blocks run in two passes where only that fits or, for objective ``sram``, needs less. Where
    nothing fits the figures are those of the least SRAM. Raises UsageError for shapes that do not fit together.
    """
    options, wired = options or Options(), wire(network)
    best = Fast(wired, options, sram_bytes).estimate()
    if best.fits and options.objective != "sram":
        return best
    room = (options.factor - 1.0) * best.macs
    for form in wired_forms(wired, room, options.input == "rows"):
        if form.floor >= (best.arena_bytes if options.objective == "sram" or sram_bytes is None else sram_bytes + 1):
            continue
        found = _form_estimate(form, best.macs, options, sram_bytes)
        if found.arena_bytes < best.arena_bytes:
            best = found
        if best.fits and options.objective != "sram":
            break
    return best


def _form_estimate(form: WiredForm, macs: int, options: Options, sram_bytes: int | None) -> Estimate:
    """Of a network of ``macs`` MACs with some squeezes in two passes."""
    if math.isfinite(options.factor):
        factor = max(1.0, options.factor * macs / (macs + form.repeated_macs))
        options = replace(options, max_mac_factor=factor)
    return replace(Fast(form.wired, options, sram_bytes).estimate(), macs=macs)


def wire_graph(graph: Graph, calls: Sequence[KernelCall], slim: bool = False) -> Wired:
    """Facts of a graph run by ``calls`` (if ``slim``: with the least scratch). Several inputs count as one row."""
    ids = dict.fromkeys(graph.inputs, 0)
    for i, node in enumerate(graph.nodes):
        ids.update(dict.fromkeys(node.outputs, i + 1))
    reads = [tuple(ids[t] for t in node.inputs if t in ids) for node in graph.nodes]
    types = [graph.tensors[t].type for t in graph.inputs]
    height, width, channels = types[0].hwc if len(types) == 1 else (1, 1, sum(t.nbytes for t in types))
    pixel = channels * types[0].dtype.itemsize if len(types) == 1 else channels
    return Wired(graph_facts(graph, calls, slim), reads, tuple(ids[t] for t in graph.outputs), (height, width, pixel))


@dataclass(frozen=True, slots=True)
class Choice:
    """A way through the network: columns of the table and the way each stage is run."""

    columns: tuple[int, ...]
    ways: tuple[int, ...]
    nbytes: int
    macs: float
    cycles: float


class Fast:
    """One question about one network."""

    def __init__(self, wired: Wired, options: Options, sram_bytes: int | None) -> None:
        self.options = options
        self.limit = sram_bytes if sram_bytes is not None else NO_LIMIT
        self.fed = options.input == "rows"
        self.wiring: Wiring = make_wiring(wired)
        self.macs = sum(f.macs for f in wired.facts)
        factor = options.factor if math.isfinite(options.factor) else 1.0 + MOST_EXTRA
        self.most_macs = factor * self.macs + 1e-6 if math.isfinite(options.factor) else math.inf
        self.most_cycles = math.inf
        if self.fed and options.objective == "sram":
            self.most_cycles = options.cycle_factor * float(layer_cycles(self.wiring).sum())
        self.table: StageTable = stage_table(self.wiring, self.fed, (factor - 1.0) * self.macs)

    def estimate(self) -> Estimate:
        best = self.choose()
        if best is None:
            return Estimate(ENDLESS, self.macs, self.macs, 0, False)
        fits = best.nbytes <= self.limit
        return Estimate(best.nbytes, self.macs, round(best.macs), round(best.cycles), fits)

    def choose(self) -> Choice | None:
        """The best way through the network; that of least bytes where none fits; None where the input cannot be fed."""
        if self.options.objective != "sram":
            fitting = self._within(self.limit)
            if fitting is not None:
                return fitting
        return self._smallest()

    def _smallest(self) -> Choice | None:
        """Least bytes within the limits of work, to a factor CLOSE, then the fastest of that size. The limit of cycles
        is let go where nothing keeps it."""
        low = self._least_bytes(MODES)
        if low >= ENDLESS:
            return None
        best = self._within(low)
        if best is not None:
            return best
        high = self._least_bytes(1)
        best = self._within(high) or self._within(ENDLESS - 1)
        if best is None and math.isfinite(self.most_cycles):
            self.most_cycles = math.inf
            return self._smallest()
        high = best.nbytes if best else low
        while best is not None and high > CLOSE * low:
            middle = int(math.sqrt(low * high))
            found = self._within(middle)
            if found is None:
                low = middle + 1
            else:
                best, high = found, min(middle, found.nbytes)
        return best

    def _least_bytes(self, modes: int) -> int:
        """The least peak that any path has in the first ``modes`` modes, whatever it computes."""
        table = self.table
        least = table.nbytes[: modes * len(GRIDS)].min(axis=0).tolist()
        best = [0] + [ENDLESS] * len(self.wiring.wired.facts)
        for first, last, nbytes in zip(table.first.tolist(), table.last.tolist(), least, strict=True):
            peak = best[first] if best[first] > nbytes else nbytes
            if peak < best[last + 1]:
                best[last + 1] = peak
        return best[-1]

    def _within(self, limit: int) -> Choice | None:
        """The fastest path whose stages keep to ``limit`` bytes, or that of fewest MACs where that has too many; None
        where neither keeps the limits of work."""
        fits = self.table.nbytes <= limit
        for cost in (self.table.cycles, self.table.macs):
            found = self._shortest(np.where(fits, cost, np.inf))
            if found is None:
                return None
            if found.macs <= self.most_macs and found.cycles <= self.most_cycles:
                return found
        return None

    def _shortest(self, cost: FloatArray) -> Choice | None:
        """The path of least cost."""
        table, count = self.table, len(self.wiring.wired.facts)
        ways = cost.argmin(axis=0)
        prices = cost[ways, np.arange(len(ways))]
        columns = np.nonzero(prices < np.inf)[0]
        best = [0.0] + [math.inf] * count
        via = [-1] * (count + 1)
        ends = (table.first[columns], table.last[columns], prices[columns], columns)
        for first, last, price, column in zip(*(v.tolist() for v in ends), strict=True):
            total = best[first] + price
            if total < best[last + 1]:
                best[last + 1], via[last + 1] = total, column
        if not math.isfinite(best[count]):
            return None
        path, at = [], count
        while at:
            path.append(via[at])
            at = int(table.first[via[at]])
        chosen = tuple(reversed(path))
        picked = ways[list(chosen)], list(chosen)
        sums = (table.macs[picked].sum(), table.cycles[picked].sum())
        peak = int(table.nbytes[picked].max(initial=0))
        return Choice(chosen, tuple(ways[list(chosen)].tolist()), peak, float(sums[0]), float(sums[1]))
