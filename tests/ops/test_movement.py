"""Conformance of the operators that only move elements, over shapes, axes and element types."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.ops.conformance import (
    Case,
    OpConformance,
    activation,
    constant,
    make_case,
    random_quant,
    random_shape,
)
from tinyforge.errors import UnsupportedModel
from tinyforge.ir.graph import Tensor
from tinyforge.ir.types import DType, Quant
from tinyforge.ops.base import Op
from tinyforge.ops.concatenation import Concatenation
from tinyforge.ops.depth_to_space import DepthToSpace
from tinyforge.ops.pack import Pack
from tinyforge.ops.pad import Pad
from tinyforge.ops.reshape import Reshape
from tinyforge.ops.slice import Slice
from tinyforge.ops.space_to_depth import SpaceToDepth
from tinyforge.ops.split import Split
from tinyforge.ops.strided_slice import StridedSlice
from tinyforge.ops.transpose import Transpose
from tinyforge.ops.unpack import Unpack

Rng = np.random.Generator
WIDE = [DType.INT16, DType.INT32, DType.FLOAT32, DType.INT64]


def quant_of(rng: Rng, dtype: DType) -> Quant | None:
    return random_quant(rng, dtype=dtype) if dtype in (DType.INT8, DType.INT16) else None


def moving_case(rng: Rng, op: Op, shape: tuple[int, ...], dtype: DType = DType.INT8, **flags: str) -> Case:
    """One input, outputs of the inferred shapes, all of one type and quantisation."""
    quant = quant_of(rng, dtype)
    x = activation("x", shape, quant, dtype)
    outs = [activation(f"y{i}", s, quant, dtype) for i, s in enumerate(op.infer([x]))]
    return make_case(rng, op, [x], outs, **flags)


def sizes(rng: Rng, total: int) -> tuple[int, ...]:
    """``total`` as random parts."""
    cuts = sorted({int(n) for n in rng.integers(1, total, 2)} | {0, total}) if total > 1 else [0, total]
    return tuple(b - a for a, b in itertools.pairwise(cuts))


class TestPad(OpConformance):
    def cases(self, rng: Rng) -> list[Case]:
        found = []
        for i in range(24):
            rank = int(rng.choice([4, 4, 4, 1, 2, 3]))
            shape = random_shape(rng, rank)
            pads = [tuple(int(n) for n in rng.integers(0, 4, 2)) for _ in shape]
            if rank == 4 and i % 4:
                pads[0] = (0, 0)
            if rank == 4 and i % 3:
                pads[3] = (0, 0)
            value = None if i % 2 else int(rng.integers(-128, 128))
            found.append(moving_case(rng, Pad(tuple(pads), value), shape))
        for dtype in WIDE:
            found.append(moving_case(rng, Pad(((0, 0), (1, 2), (2, 1), (0, 0))), (1, 4, 5, 3), dtype))
            found.append(moving_case(rng, Pad(((0, 0), (0, 2), (1, 0), (2, 1))), (1, 3, 2, 3), dtype))
            found.append(moving_case(rng, Pad(((1, 2), (2, 1))), (4, 5), dtype))
        wide = Pad(((0, 0), (0, 1), (1, 0), (0, 0)), -2)
        found.append(moving_case(rng, wide, (1, 3, 4, 2), DType.INT64, no_litert="pad value as int64"))
        return found


class TestReshape(OpConformance):
    def cases(self, rng: Rng) -> list[Case]:
        shapes = [
            ((1, 4, 6, 3), (1, 72)),
            ((1, 4, 6, 3), (1, 4, 6, 3)),
            ((1, 1, 1, 10), (1, 10)),
            ((7, 3), (21,)),
            ((24,), (1, 2, 3, 4)),
            ((2, 3, 5), (1, 5, 6, 1)),
        ]
        small = [moving_case(rng, Reshape(to), shape) for shape, to in shapes]
        return small + [moving_case(rng, Reshape((6, 10)), (1, 4, 5, 3), dtype) for dtype in WIDE]


class TestConcatenation(OpConformance):
    def cases(self, rng: Rng) -> list[Case]:
        return [
            *(self.case(rng, int(rng.integers(0, 4)), random_shape(rng)) for _ in range(16)),
            *(self.case(rng, axis, random_shape(rng, 3)) for axis in range(3)),
            *(self.case(rng, axis, (3, 4)) for axis in range(2)),
            *(self.case(rng, axis, (1, 4, 3, 2), dtype) for axis in (1, 2, 3) for dtype in WIDE),
            *(self.case(rng, axis, (1, 4, 5, 3), with_constant=True) for axis in (1, 2, 3)),
            self.case(rng, 1, (4, 5), with_constant=True),
            *(self.case(rng, axis, (1, 4, 5, 3), rescaled=True) for axis in (1, 2, 3)),
            *(self.case(rng, axis, (4, 5, 3), rescaled=True) for axis in range(3)),
            self.case(rng, 3, (1, 4, 5, 3), rescaled=True, with_constant=True),
        ]

    def case(
        self,
        rng: Rng,
        axis: int,
        shape: tuple[int, ...],
        dtype: DType = DType.INT8,
        with_constant: bool = False,
        rescaled: bool = False,
    ) -> Case:
        quant = quant_of(rng, dtype)
        ins: list[Tensor] = []
        for i in range(int(rng.integers(2, 5))):
            part = tuple(int(rng.integers(1, 6)) if k == axis else n for k, n in enumerate(shape))
            own = random_quant(rng) if rescaled and i else quant
            ins.append(activation(f"x{i}", part, own, dtype))
        if with_constant:
            data = rng.integers(-128, 128, ins[1].shape).astype(np.int8)
            ins[1] = constant("x1", data, ins[1].type.quant)
        op = Concatenation(axis)
        out = activation("y", op.infer(ins)[0], quant, dtype)
        return make_case(rng, op, ins, [out], no_litert="int8 of several scales is refused" if rescaled else "")


class TestSplit(OpConformance):
    def cases(self, rng: Rng) -> list[Case]:
        found = []
        for i in range(16):
            shape = random_shape(rng, int(rng.choice([4, 4, 4, 2, 3])))
            axis = 3 if len(shape) == 4 and i % 2 else int(rng.integers(0, len(shape)))
            found.append(moving_case(rng, Split(axis, sizes(rng, shape[axis])), shape))
        found.append(moving_case(rng, Split(3, (2, 2, 2)), (1, 3, 4, 6)))
        for dtype in (DType.INT16, DType.INT32, DType.FLOAT32):
            found.append(moving_case(rng, Split(3, (1, 3)), (1, 3, 2, 4), dtype))
            found.append(moving_case(rng, Split(1, (1, 2)), (1, 3, 2, 4), dtype))
        return found


class TestSlice(OpConformance):
    def cases(self, rng: Rng) -> list[Case]:
        found = []
        for i in range(20):
            shape = random_shape(rng, int(rng.choice([4, 4, 4, 2, 3])))
            dtype = DType.INT8 if i < 14 else WIDE[i % 4]
            begin = tuple(int(rng.integers(0, n)) for n in shape)
            size = tuple(int(rng.integers(1, n - b + 1)) for n, b in zip(shape, begin, strict=True))
            found.append(moving_case(rng, Slice(begin, size), shape, dtype))
        found.append(moving_case(rng, Slice((0, 0, 0, 2), (1, 4, 5, 3)), (1, 4, 5, 7)))
        return found


class TestStridedSlice(OpConformance):
    def cases(self, rng: Rng) -> list[Case]:
        found = []
        for i in range(30):
            shape = random_shape(rng, int(rng.choice([4, 4, 4, 1, 2, 3])))
            dtype = DType.INT8 if i < 24 else [DType.INT16, DType.INT32, DType.FLOAT32][i % 3]
            found.append(moving_case(rng, self.op(rng, shape, backwards=i % 4 == 0, shrink=i % 5 == 0), shape, dtype))
        return found

    def op(self, rng: Rng, shape: tuple[int, ...], backwards: bool, shrink: bool) -> StridedSlice:
        begin, end, strides = [], [], []
        shrunk = (int(rng.integers(0, len(shape))),) if shrink and len(shape) > 1 else ()
        for k, n in enumerate(shape):
            a = int(rng.integers(0, n))
            step = int(rng.integers(1, 4)) * (-1 if backwards and rng.random() < 0.5 else 1)
            if k in shrunk:
                a, step, b = a, 1, a + 1
            else:
                b = int(rng.integers(a + 1, n + 1)) if step > 0 else int(rng.integers(-1, a))
            begin.append(a)
            end.append(b)
            strides.append(step)
        return StridedSlice(tuple(begin), tuple(end), tuple(strides), shrunk)


class TestTranspose(OpConformance):
    def cases(self, rng: Rng) -> list[Case]:
        perms = [p for rank in (2, 3) for p in itertools.permutations(range(rank))]
        perms += [tuple(int(k) for k in rng.permutation(4)) for _ in range(8)]
        perms += [tuple(int(k) for k in rng.permutation(5)) for _ in range(4)]
        found = [moving_case(rng, Transpose(p), tuple(int(n) for n in rng.integers(1, 6, len(p)))) for p in perms]
        found.append(moving_case(rng, Transpose((5, 3, 1, 0, 2, 4)), (2, 3, 2, 3, 2, 3)))
        found.append(moving_case(rng, Transpose((0, 2, 1, 3)), (1, 1, 5, 6)))
        found.append(moving_case(rng, Transpose((0, 3, 1, 2)), (1, 7, 9, 5)))
        found += [moving_case(rng, Transpose((0, 3, 1, 2)), (1, 3, 4, 5), d) for d in WIDE]
        return found


class TestPack(OpConformance):
    def cases(self, rng: Rng) -> list[Case]:
        found = []
        for i in range(12):
            dtype = DType.INT8 if i < 8 else [DType.INT16, DType.INT32, DType.FLOAT32, DType.INT64][i % 4]
            shape = random_shape(rng, int(rng.integers(1, 4)))
            quant = quant_of(rng, dtype)
            ins = [activation(f"x{k}", shape, quant, dtype) for k in range(int(rng.integers(2, 5)))]
            if i % 3 == 0:
                ins[1] = constant("x1", rng.integers(-99, 99, shape).astype(dtype.numpy), quant)
            op = Pack(int(rng.integers(0, len(shape) + 1)))
            found.append(make_case(rng, op, ins, [activation("y", op.infer(ins)[0], quant, dtype)]))
        return found


class TestUnpack(OpConformance):
    def cases(self, rng: Rng) -> list[Case]:
        found = []
        for i in range(12):
            shape = random_shape(rng, int(rng.integers(2, 5)), 5)
            dtype = DType.INT8 if i < 9 else [DType.FLOAT32, DType.INT32][i % 2]
            found.append(moving_case(rng, Unpack(int(rng.integers(0, len(shape)))), shape, dtype))
        return found


class TestDepthToSpace(OpConformance):
    def cases(self, rng: Rng) -> list[Case]:
        found = []
        for i in range(10):
            block, h, w, c = (int(n) for n in rng.integers(1, 5, 4))
            dtype = DType.INT8 if i < 8 else [DType.INT32, DType.FLOAT32][i % 2]
            found.append(moving_case(rng, DepthToSpace(block), (1, h, w, c * block * block), dtype))
        return found


class TestSpaceToDepth(OpConformance):
    def cases(self, rng: Rng) -> list[Case]:
        found = []
        for i in range(10):
            block, h, w, c = (int(n) for n in rng.integers(1, 5, 4))
            dtype = DType.INT8 if i < 8 else [DType.INT32, DType.FLOAT32][i % 2]
            found.append(moving_case(rng, SpaceToDepth(block), (1, h * block, w * block, c), dtype))
        return found


X = activation("x", (1, 4, 6, 3), Quant((0.5,), (0,)))


@pytest.mark.parametrize(
    "op",
    [
        Pad(((0, 0), (1, 1))),
        Pad(((0, 0), (-1, 1), (0, 0), (0, 0))),
        Reshape((5, 5)),
        Concatenation(7),
        Split(3, (1, 1)),
        Slice((0, 0, 0, 2), (1, 4, 6, 2)),
        StridedSlice((0, 0, 0, 0), (1, 4, 6, 3), (1, 0, 1, 1)),
        StridedSlice((0, 3, 0, 0), (1, 2, 6, 3), (1, 1, 1, 1)),
        Transpose((0, 1, 1, 2)),
        Pack(6),
        Unpack(4),
        DepthToSpace(2),
        SpaceToDepth(4),
    ],
)
def test_nonsense_is_refused(op: Op) -> None:
    with pytest.raises(UnsupportedModel):
        op.infer([X])
