"""Schedules as other tools make them, written down as restrictions of the family in ``stage_cost``: the same kernels,
planner and definition of bytes, fewer choices. None of these is the other tool's own planner or code.

patch: MCUNetV2 (Lin et al., 2021). A prefix of the network over a grid of patches, every halo recomputed.
stream: StreamNet (Zheng et al., 2023). A prefix over patches with stream buffers: halos of columns cached and those of
rows recomputed (1-D), or both cached (2-D), for all tensors alike.
msf: msf-CNN (Huang, Baccelli, 2025). Any number of fused blocks, cut where a search of the graph of cuts says, each
giving one pixel at a time: columns cached ("H-cache"), rows recomputed for every row of the block's output.
What no block covers runs layer by layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from tinyforge.schedule.network import CHUNKS, ROWS, Edges, layer_edges, make_edges
from tinyforge.schedule.options import Options
from tinyforge.schedule.space import Space
from tinyforge.schedule.stage_cost import Edge, Limits, stage_edges

FAMILIES = {
    "patch": "layer by layer; a patch-based first stage and layers",
    "stream": "layer by layer; a patch-based first stage with all halos of columns, or of rows too, cached, and layers",
    "msf": "layer by layer; stages of one pixel at a time, halos of columns cached and those of rows recomputed",
}
MOST_PATCHES = 8
"""Patches along an axis, at most; more always cost more than they save."""
_ANY = 1 << 62

Grid = Iterable[tuple[int, int]]


def family_edges(space: Space, options: Options, extra_macs: int) -> Edges:
    """Layers and the stages of ``options.schedule``, none with more than ``extra_macs`` recomputed."""
    fed = options.input == "rows"
    groups = layer_edges(space, fed)
    considered = space.count
    for last in range(1, space.count):
        for edge in _ending(space, last, options.schedule, Limits(_ANY, extra_macs, fed=fed)):
            considered += 1
            groups[last].append(edge)
    return make_edges(groups, considered)


def _ending(space: Space, last: int, family: str, limits: Limits) -> Iterator[Edge]:
    """The family's stages that end with node ``last``."""
    end = space.windowed[last]
    if end is None:
        return
    height, width = space.height[end.domain], space.width[end.domain]
    if family == "msf":
        yield from stage_edges(space, last, 1, 1, replace(limits, lines=False))
        return
    if family == "stream":
        kinds = [replace(limits, recompute=False), replace(limits, lines=False)]
        grid: Grid = {(h, w or width) for h in (*ROWS, *_parts(height)) for w in (*CHUNKS, *_parts(width))}
    else:
        kinds = [] if end.reduces else [replace(limits, caches=False)]
        grid = ((h, w) for h in _parts(height) for w in (*_parts(width), width))
    for patch_h, patch_w in sorted(grid):
        for kind in kinds:
            yield from (e for e in stage_edges(space, last, patch_h, patch_w, kind) if e.first == 0)


def _parts(extent: int) -> tuple[int, ...]:
    """Sizes of patches that cut an axis into 2 to MOST_PATCHES."""
    return tuple(sorted({-(-extent // n) for n in range(2, MOST_PATCHES + 1)}))
