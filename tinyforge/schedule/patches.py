"""MCUNetV2's family: the first operators patch by patch over a grid, every halo recomputed, the rest layer by layer."""

from __future__ import annotations

from tinyforge.schedule.network import Edges, layer_edges, make_edges
from tinyforge.schedule.space import Space
from tinyforge.schedule.stage_cost import Limits, stage_edges

MOST_PATCHES = 8
"""Patches along an axis, at most; more always cost more than they save."""


def patch_edges(space: Space) -> Edges:
    """Layers, and patch-based stages that begin with the first node."""
    groups = layer_edges(space, fed=False)
    limits = Limits(1 << 62, 1 << 62, caches=False)
    considered = space.count
    for last in range(1, space.count):
        end = space.windowed[last]
        if end is None or end.reduces:
            continue
        height, width = space.height[end.domain], space.width[end.domain]
        sizes_h = sorted({-(-height // n) for n in range(2, MOST_PATCHES + 1)})
        sizes_w = sorted({-(-width // n) for n in range(1, MOST_PATCHES + 1)})
        for patch_h in sizes_h:
            for patch_w in sizes_w:
                found = [e for e in stage_edges(space, last, patch_h, patch_w, limits) if e.first == 0]
                considered += len(found)
                groups[last] += found
    return make_edges(groups, considered)
