"""Facts of layers put together: strides, lookahead and lifetimes of a whole network, as arrays.

Rows and columns are independent. Where every tensor of a stage is cached, a tensor computes as many positions per piece
as the stage's output advances times the strides between them, always ``lookahead`` ahead of the piece, and its
consumers read back to ``low``: what it must hold is its advance and a constant, its ``extra``, which depends neither on
the stage's end nor on its piece. That makes the bytes of a stage a sum of terms of its tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyforge.ir.types import IntArray
from tinyforge.schedule.facts import LayerFacts

_NONE = -(1 << 30)


@dataclass(frozen=True, slots=True, eq=False)
class Wired:
    """Layers in order of execution. Tensor 0 is the network's input, tensor i + 1 the output of layer i. ``reads``: the
    activations each layer reads; ``outputs``: tensors that live to the end. ``input``: height, width, bytes a pixel."""

    facts: Sequence[LayerFacts]
    reads: Sequence[tuple[int, ...]]
    outputs: tuple[int, ...]
    input: tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class AxisArrays:
    """Of every tensor along one axis: ``down``: strides from the input multiplied; ``ahead``: lookahead; ``low``:
    lowest position read, ``low_again``: where readers that may be recomputed are, both relative to the end of the
    network; differences within a stage hold for the stage."""

    down: IntArray
    ahead: IntArray
    low: IntArray
    low_again: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Wiring:
    """``first[j]``: the earliest layer that a stage may begin with that ends with layer j (j: none). ``again[i]``:
    whether layer i may be recomputed while what it reads is cached; ``again_reader``: the layer that may be, among
    those that read layer i's output, or -1. ``read``: last reader of each tensor; ``crossing``: bytes alive before each
    layer and read by it or later; ``layer_bytes``: alive while a layer runs on whole tensors. ``main``: the tensor
    each layer reads first."""

    wired: Wired
    rows: AxisArrays
    cols: AxisArrays
    first: IntArray
    again: IntArray
    again_reader: IntArray
    read: IntArray
    nbytes: IntArray
    crossing: IntArray
    layer_bytes: IntArray
    main: IntArray


def make_wiring(wired: Wired) -> Wiring:
    """Arrays of a network."""
    facts, reads, count = wired.facts, wired.reads, len(wired.facts)
    read, nbytes = _lifetimes(wired)
    again, again_reader = _again(wired, read)
    rows = _axis([f.rows for f in facts], wired, again)
    cols = _axis([f.cols for f in facts], wired, [False] * count)
    crossing = _crossing(read, nbytes)
    root = _roots(wired)
    saved = [
        max((s for t, s in zip(r, f.saves, strict=True) if read[root[t]] == i and nbytes[root[t]]), default=0)
        for i, (f, r) in enumerate(zip(facts, reads, strict=True))
    ]
    scratch = np.array([f.scratch for f in facts], np.int64)
    return Wiring(
        wired=wired,
        rows=rows[0],
        cols=cols[0],
        first=_first(wired, read, [a or b for a, b in zip(rows[1], cols[1], strict=True)]),
        again=np.array(again, np.bool_),
        again_reader=again_reader,
        read=np.array(read, np.int64),
        nbytes=np.array(nbytes, np.int64),
        crossing=crossing,
        layer_bytes=crossing + np.array(nbytes[1:], np.int64) + scratch - np.array(saved, np.int64),
        main=np.array([r[0] if r else 0 for r in reads], np.int64),
    )


def _roots(wired: Wired) -> list[int]:
    """For each tensor the one whose bytes it is."""
    root = list(range(len(wired.facts) + 1))
    for i, (f, tensors) in enumerate(zip(wired.facts, wired.reads, strict=True)):
        if f.alias and tensors:
            root[i + 1] = root[tensors[0]]
    return root


def _lifetimes(wired: Wired) -> tuple[list[int], list[int]]:
    """Last reader and bytes of every tensor; an alias lives in what it is an alias of."""
    count = len(wired.facts)
    height, width, pixel = wired.input
    read = [-1, *range(count)]
    nbytes = [height * width * pixel, *(f.nbytes for f in wired.facts)]
    for i, tensors in enumerate(wired.reads):
        for t in tensors:
            read[t] = i
    for t in wired.outputs:
        read[t] = count
    for i in range(count - 1, -1, -1):
        if wired.facts[i].alias and wired.reads[i]:
            source = wired.reads[i][0]
            read[source] = max(read[source], read[i + 1])
    return read, nbytes


def _again(wired: Wired, read: Sequence[int]) -> tuple[list[bool], IntArray]:
    """Layers worth recomputing: they read one tensor pixel by pixel (an expansion), or the network's input, their own
    readers need several rows of them, and they are no reader of another such layer."""
    count = len(wired.facts)
    halo = [False] * (count + 1)
    for f, tensors in zip(wired.facts, wired.reads, strict=True):
        for t, (stride, reach, _) in zip(tensors, f.rows, strict=False):
            halo[t] = halo[t] or reach >= stride
    again = [False] * count
    reader = np.full(count, -1, np.int64)
    for i, (f, tensors) in enumerate(zip(wired.facts, wired.reads, strict=True)):
        if len(tensors) != 1 or not f.rows or f.reduces or read[i + 1] >= count or not halo[i + 1]:
            continue
        source = tensors[0]
        pointwise = f.rows[0][:2] == (1, 0)
        again[i] = (pointwise or source == 0) and not (source and again[source - 1])
        if again[i] and source:
            reader[source - 1] = i
    return again, reader


def _axis(
    maps: Sequence[tuple[tuple[int, int, int], ...]], wired: Wired, again: Sequence[bool]
) -> tuple[AxisArrays, list[bool]]:
    """One axis of all tensors, and which layers join tensors of different strides."""
    count = len(maps)
    down, torn = [1] * (count + 1), [False] * count
    for i, (axes, tensors) in enumerate(zip(maps, wired.reads, strict=True)):
        found = {down[t] * a[0] for t, a in zip(tensors, axes, strict=False) if a[0]}
        down[i + 1] = max(found, default=1)
        torn[i] = len(found) > 1
    ahead, low, low_again = [_NONE] * (count + 1), [-_NONE] * (count + 1), [-_NONE] * (count + 1)
    for i in range(count - 1, -1, -1):
        out = ahead[i + 1] if ahead[i + 1] != _NONE else 0
        ahead[i + 1] = out
        if low[i + 1] == -_NONE:
            low[i + 1] = low_again[i + 1] = out
        back = low[i + 1] if again[i] else out
        for t, (stride, reach, pad) in zip(wired.reads[i], maps[i], strict=False):
            if not stride:
                continue
            ahead[t] = max(ahead[t], stride * out + reach - pad + 1 - stride)
            low[t] = min(low[t], stride * out - pad)
            low_again[t] = min(low_again[t], stride * min(back, out) - pad)
    if ahead[0] == _NONE:
        ahead[0] = low[0] = low_again[0] = 0
    arrays = (np.array(v, np.int64) for v in (down, ahead, low, low_again))
    return AxisArrays(*arrays), torn


def _first(wired: Wired, read: Sequence[int], torn: Sequence[bool]) -> IntArray:
    """A stage holds no barrier, no reduction but at its end, reads broadcasts from outside, and is the only reader of
    what it makes (its output excepted)."""
    found = np.zeros(len(wired.facts), np.int64)
    lowest = 0
    open_reads: list[int] = []
    for j, (f, tensors) in enumerate(zip(wired.facts, wired.reads, strict=True)):
        if not f.rows or torn[j] or len(f.rows) != len(tensors):
            lowest, own = j + 1, j
        else:
            lowest = max([lowest, *(t for t, a in zip(tensors, f.rows, strict=True) if not a[0])])
            own = lowest
        open_reads = [t for t in open_reads if read[t] > j]
        found[j] = min(max([own, *open_reads]), j)
        if f.reduces:
            lowest = j + 1
        if read[j + 1] > j:
            open_reads.append(j + 1)
    return found


def _crossing(read: Sequence[int], nbytes: Sequence[int]) -> IntArray:
    """For each layer, bytes made before it and read by it or later."""
    change = np.zeros(len(nbytes) + 2, np.int64)
    for t, (last, size) in enumerate(zip(read, nbytes, strict=True)):
        if last >= t:
            change[t] += size
            change[last + 1] -= size
    return np.asarray(np.cumsum(change)[: len(nbytes) - 1], np.int64)
