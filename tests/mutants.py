"""Damaged `.tflite` files: mutations of small models, for the importer's robustness test."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.graph_builder import CONV, NONE, POOL, GraphBuilder
from tests.tflite_writer import pack, to_model, write_tflite
from tinyforge.ir.graph import Graph


def small_convolutional() -> Graph:
    b = GraphBuilder(1)
    x = b.input((1, 8, 8, 3), None, "float32")
    q = b.op("quantize", [x], (1, 8, 8, 3))
    pad = b.op("pad", [q], (1, 10, 10, 3), paddings=((0, 0), (1, 1), (1, 1), (0, 0)), value=None)
    y = b.op("conv2d", [pad, b.const((4, 3, 3, 3)), b.bias(4)], (1, 8, 8, 4), **CONV)
    same = CONV | {"padding": (1, 1, 1, 1), "multiplier": 1}
    z = b.op("depthwise_conv2d", [y, b.const((1, 3, 3, 4)), b.bias(4)], (1, 8, 8, 4), **same)
    s = b.op("add", [y, z], (1, 8, 8, 4), activation=NONE)
    p = b.op("max_pool2d", [s], (1, 4, 4, 4), **POOL)
    m = b.op("mean", [p], (1, 4), reduce_axes=(1, 2), keep_dims=False)
    f = b.op("fully_connected", [m, b.const((3, 4)), b.bias(3)], (1, 3), activation=NONE, keep_dims=False)
    return b.graph([x], [b.op("dequantize", [f], (1, 3), None, "float32")])


def small_rearranging() -> Graph:
    b = GraphBuilder(2)
    x = b.input((1, 4, 6, 4))
    t = b.op("transpose", [x], (1, 4, 4, 6), perm=(0, 3, 1, 2))
    half = b.op("slice", [t], (1, 2, 4, 6), begin=(0, 2, 0, 0), size=(1, 2, 4, 6))
    b.op("shape", [t], (4,), None, "int32")
    r = b.op("reshape", [t], (1, 16, 6), shape=(1, 16, 6))
    e = b.op("expand_dims", [r], (1, 1, 16, 6), axis=1)
    c = b.op("concatenation", [e, e], (1, 2, 16, 6), axis=1, activation=NONE)
    steps = {"begin": (0, 0, 0, 0), "end": (1, 2, 16, 6), "strides": (1, 1, 2, 1), "shrink_axes": ()}
    a = b.op("average_pool2d", [b.op("strided_slice", [c], (1, 2, 8, 6), **steps)], (1, 1, 4, 6), **POOL)
    n = b.op("resize_nearest_neighbor", [a], (1, 2, 8, 6), size=(2, 8), align_corners=False, half_pixel_centers=False)
    q = b.op("squeeze", [b.op("slice", [n], (1, 1, 8, 6), begin=(0, 1, 0, 0), size=(1, 1, 8, 6))], (8, 6), dims=(0, 1))
    return b.graph([x], [b.op("softmax", [q], (8, 6), (1 / 256, -128), beta=1.0), half])


def mutations(seed: int, count: int) -> Iterator[bytes]:
    """``count`` mutated files, reproducibly."""
    rng = np.random.default_rng(seed)
    graphs = [small_convolutional(), small_rearranging()]
    files = [write_tflite(graph) for graph in graphs]
    kinds = [_truncated, _flipped, _words, _fields_of_offsets, _blocks]
    for i in range(count):
        which = int(rng.integers(len(files)))
        if i % 6 == 5:
            yield _object_tree(rng, graphs[which])
        else:
            yield kinds[i % 6](rng, files[which])


def _truncated(rng: np.random.Generator, data: bytes) -> bytes:
    return data[: int(rng.integers(len(data)))]


def _flipped(rng: np.random.Generator, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        out[int(rng.integers(len(out)))] ^= 1 << int(rng.integers(8))
    return bytes(out)


_WORDS = (0, 1, 2, 4, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFF0, 0x10000000)


def _words(rng: np.random.Generator, data: bytes) -> bytes:
    """Aligned 32-bit words replaced by values that hurt."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(2, len(out) // 4)) * 4
        struct.pack_into("<I", out, at, _WORDS[int(rng.integers(len(_WORDS)))])
    return bytes(out)


def _fields_of_offsets(rng: np.random.Generator, data: bytes) -> bytes:
    """Small 32-bit words (offsets, lengths, indices, dimensions) moved a little or to another one's value."""
    words = np.frombuffer(data[: len(data) // 4 * 4], "<u4").copy()
    small = np.flatnonzero(words < len(data))
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.choice(small[small > 1]))
        words[at] = (
            words[int(rng.choice(small))] if rng.random() < 0.5 else max(0, int(words[at]) + int(rng.integers(-9, 10)))
        )
    return words.tobytes() + data[len(data) // 4 * 4 :]


def _blocks(rng: np.random.Generator, data: bytes) -> bytes:
    """A block copied over another place."""
    out = bytearray(data)
    size = int(rng.integers(4, 40))
    source, target = (int(n) for n in rng.integers(8, len(out) - size, 2))
    out[target : target + size] = data[source : source + size]
    return bytes(out)


_NUMBERS = (-(2**31), -3, -1, 0, 1, 2, 3, 5, 1000, 65535, 2**31 - 1)


def _object_tree(rng: np.random.Generator, graph: Graph) -> bytes:
    """A well-formed file that says odd things: integers and integer lists anywhere in the object tree changed."""
    for _ in range(10):
        model = to_model(graph)
        for _ in range(int(rng.integers(1, 4))):
            _change(rng, model)
        try:
            return pack(model)
        except (TypeError, OverflowError, ValueError, struct.error):  # a number that its field cannot hold
            continue
    return pack(to_model(graph))[:-9]


def _change(rng: np.random.Generator, model: Any) -> None:
    places = list(_integers(model.subgraphs[0])) + list(_integers(model.operatorCodes))
    owner, key = places[int(rng.integers(len(places)))]
    value = _NUMBERS[int(rng.integers(len(_NUMBERS)))]
    old = getattr(owner, key)
    if not isinstance(old, list):
        setattr(owner, key, value)
    elif old:
        changed = list(old)
        changed[int(rng.integers(len(old)))] = value
        setattr(owner, key, changed if rng.random() < 0.8 else changed[: int(rng.integers(len(old)))])


def _integers(node: Any) -> Iterator[tuple[Any, str]]:
    if isinstance(node, list):
        for item in node:
            yield from _integers(item)
    elif type(node).__name__.endswith("T"):
        for key, value in vars(node).items():
            if isinstance(value, int) or (isinstance(value, list) and all(isinstance(v, int) for v in value)):
                yield node, key
            else:
                yield from _integers(value)
