"""The order of a supernet's channels: the most important ones first, for sub-networks have the leading ones.

Channels that are added or passed on to each other share a group and are moved together, so that the largest network
computes what it did before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from tinyforge.ir.types import Array
from tinyforge.search.space import HEAD, SearchSpace

Order = npt.NDArray[np.intp]
Groups = dict[str, tuple[str, str]]
"""Layer name -> groups of its input and its output channels; empty where they are not moved."""


def channel_groups(space: SearchSpace) -> Groups:
    """Groups of all layers that any candidate has."""
    found: Groups = {"stem": ("", "stem")}
    before = "stem"
    for i, stage in enumerate(space.stages):
        after = f"stage{i}"
        for j in range(stage.most_blocks):
            name = f"{after}.{j}"
            found.update(_BLOCKS[stage.block](name, before, after))
            before = after
    found.update({"head": (before, HEAD), "classifier": (HEAD, ""), "direct_classifier": (before, "")})
    return found


def _residual(name: str, before: str, after: str) -> Groups:
    return {
        f"{name}.first": (before, f"{name}.hidden"),
        f"{name}.second": (f"{name}.hidden", after),
        f"{name}.shortcut": (before, after),
    }


def _inverted(name: str, before: str, after: str) -> Groups:
    found: Groups = {f"{name}.expand": (before, f"{name}.hidden")}
    for spatial, prefix, hidden in (("spatial", "", f"{name}.hidden"), ("direct", "direct_", before)):
        found[f"{name}.{spatial}"] = (hidden, hidden)
        found[f"{name}.{prefix}project"] = (hidden, after)
        found[f"{name}.{prefix}squeeze.reduce"] = (hidden, "")
        found[f"{name}.{prefix}squeeze.excite"] = ("", hidden)
    return found


def _plain(name: str, before: str, after: str) -> Groups:
    return {f"{name}.conv": (before, after)}


_BLOCKS = {"mbconv": _inverted, "dsconv": _inverted, "residual": _residual, "conv": _plain}


def is_depthwise(kernel: Array, taken: str, made: str) -> bool:
    """Whether a kernel is HWC1, of channels that are read and written alike. One in whose group is one channel may as
    well be taken for it."""
    return bool(taken) and taken == made and kernel.shape[-1] == 1


def importance(weights: Mapping[str, Array], groups: Groups) -> dict[str, npt.NDArray[np.float64]]:
    """Group -> L1 norm of what the next layers make of each channel: sums of |kernel| over all that read it."""
    found: dict[str, npt.NDArray[np.float64]] = {}
    for name, (taken, made) in groups.items():
        kernel = weights.get(f"{name}/kernel")
        if kernel is None or not taken or is_depthwise(kernel, taken, made):
            continue
        norms = np.abs(kernel.astype(np.float64)).sum(tuple(a for a in range(kernel.ndim) if a != kernel.ndim - 2))
        found[taken] = found[taken] + norms if taken in found else norms
    return found


def sorted_channels(weights: Mapping[str, Array], groups: Groups) -> dict[str, Order]:
    """Group -> its channels by falling importance; equal ones stay as they are."""
    norms = importance(weights, groups)
    return {group: np.argsort(np.negative(norm), kind="stable") for group, norm in norms.items()}


def moved(arrays: Mapping[str, Array], groups: Groups, orders: Mapping[str, Order]) -> Iterator[tuple[str, Array]]:
    """The arrays (``LAYER/kernel``, ``/gamma`` ...) with their channels in the new ``orders``."""
    for key, array in arrays.items():
        name, part = key.rsplit("/", 1)
        taken, made = groups[name]
        if part != "kernel":
            yield key, array[orders[made]] if made in orders else array
            continue
        result = array
        if taken in orders:
            result = np.take(result, orders[taken], axis=result.ndim - 2)
        if made in orders and not is_depthwise(array, taken, made):
            result = np.take(result, orders[made], axis=result.ndim - 1)
        yield key, result
