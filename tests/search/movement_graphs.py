"""Random networks in which the operators that move elements sit between convolutions, for schedules of pieces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tests.search.random_graphs import Builder, _conv, _depthwise, _pointwise, _pool, _residual
from tinyforge.ir.graph import Graph, Node
from tinyforge.ops.base import Activation, Op
from tinyforge.ops.concatenation import Concatenation
from tinyforge.ops.conv2d import Conv2D
from tinyforge.ops.depth_to_space import DepthToSpace
from tinyforge.ops.pad import Pad
from tinyforge.ops.resize_bilinear import ResizeBilinear
from tinyforge.ops.resize_nearest_neighbor import ResizeNearestNeighbor
from tinyforge.ops.slice import Slice
from tinyforge.ops.space_to_depth import SpaceToDepth
from tinyforge.ops.split import Split
from tinyforge.ops.strided_slice import StridedSlice

Maker = Callable[[Builder, str], str | None]
LARGEST = 20


def move(b: Builder, op: Op, *inputs: str) -> str | None:
    """Adds a node whose output has the first input's quantisation."""
    out = b.apply(op, *inputs)
    if out is not None:
        kind = b.tensors[out].type
        b.tensors[out] = replace(b.tensors[out], type=replace(kind, quant=b.tensors[inputs[0]].type.quant))
    return out


def pad(b: Builder, x: str) -> str | None:
    pads = [(0, 0), *((int(n), int(m)) for n, m in b.rng.integers(0, 3, (3, 2)))]
    return move(b, Pad(tuple(pads), None if b.rng.random() < 0.5 else int(b.rng.integers(-128, 128))), x)


def concatenate(b: Builder, x: str) -> str | None:
    """The input beside a convolution of it, on any axis, sometimes beside a constant too."""
    y = _conv(b, x, same=True)
    if y is None:
        return None
    axis = int(b.rng.integers(1, 4))
    operands = [x, y] if b.rng.random() < 0.5 else [y, x]
    if b.rng.random() < 0.4:
        shape = b.tensors[x].shape
        size = tuple(int(b.rng.integers(1, 4)) if k == axis else n for k, n in enumerate(shape))
        quant = b.tensors[operands[0]].type.quant
        assert quant is not None
        operands.append(b.constant(b.rng.integers(-128, 128, size).astype(np.int8), quant))
    return move(b, Concatenation(axis), *operands)


def slice_out(b: Builder, x: str) -> str | None:
    shape = b.tensors[x].shape
    begin = (0, *(int(b.rng.integers(0, max(1, n // 3))) for n in shape[1:]))
    size = (1, *(int(b.rng.integers(max(1, n // 2), n - o + 1)) for n, o in zip(shape[1:], begin[1:], strict=True)))
    if b.rng.random() < 0.5:
        return move(b, Slice(begin, size), x)
    steps = (1, int(b.rng.integers(1, 3)), int(b.rng.integers(1, 3)), int(b.rng.integers(1, 3)))
    end = tuple(o + n for o, n in zip(begin, size, strict=True))
    return move(b, StridedSlice(begin, end, steps), x)


def resize(b: Builder, x: str) -> str | None:
    _, height, width, _ = b.tensors[x].shape
    size = int(b.rng.integers(3, min(LARGEST, 3 * height) + 1)), int(b.rng.integers(3, min(LARGEST, 3 * width) + 1))
    flags = [(False, False), (True, False), (False, True)][int(b.rng.integers(3))]
    kind = ResizeBilinear if b.rng.random() < 0.5 else ResizeNearestNeighbor
    return move(b, kind(size, *flags), x)


def blocks(b: Builder, x: str) -> str | None:
    block = int(b.rng.integers(1, 4))
    if b.rng.random() < 0.5:
        return move(b, SpaceToDepth(block), x)
    w, bias = b.weights((block * block, 1, 1, b.tensors[x].shape[3]), 0)
    y = b.apply(_pointwise_op(), x, w, bias)
    return None if y is None or max(b.tensors[y].shape) * block > LARGEST else move(b, DepthToSpace(block), y)


def _pointwise_op() -> Op:

    return Conv2D((1, 1), (1, 1), (0, 0, 0, 0), Activation.NONE)


def split_and_join(b: Builder, x: str) -> str | None:
    """Channels parted, one part convolved, all put together in another order."""
    channels = b.tensors[x].shape[3]
    if channels < 2:
        return None
    cut = int(b.rng.integers(1, channels))
    op = Split(3, (cut, channels - cut))
    kind = b.tensors[x].type
    outs = []
    for shape in op.infer([b.tensors[x]]):
        name = b.activation(shape)
        b.tensors[name] = replace(b.tensors[name], type=replace(kind, shape=shape))
        outs.append(name)
    b.nodes.append(Node(f"n{len(b.nodes)}_split", op, (x,), tuple(outs)))
    y = _conv(b, outs[0], same=True)
    return None if y is None else move(b, Concatenation(3), outs[1], y)


MOVERS: list[Maker] = [pad, concatenate, slice_out, resize, blocks, split_and_join]
MAKERS: list[Maker] = [*MOVERS, *MOVERS, _conv, _pointwise, _depthwise, _pool, _residual]


def random_movement_graph(rng: np.random.Generator, length: int) -> Graph:
    """A chain of at least ``length`` operators on maps of 3..20 rows and columns; no dead ends."""
    b = Builder(rng)
    x = b.activation((1, *(int(n) for n in rng.integers(5, 14, 2)), int(rng.integers(1, 5))))
    while len(b.nodes) < length:
        trial = Builder(b.rng, dict(b.tensors), list(b.nodes))
        made = MAKERS[int(rng.integers(len(MAKERS)))](trial, x)
        if made is None:
            continue
        _, height, width, channels = trial.tensors[made].shape
        if not 3 <= min(height, width) <= max(height, width) <= LARGEST or channels > LARGEST:
            continue
        b, x = trial, made
    return b.graph([x])
