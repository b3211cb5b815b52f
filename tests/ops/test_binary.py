"""add, sub, mul, maximum, minimum: every kind of broadcast, activations and constants."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from tests.ops.conformance import Case, OpConformance, activation, constant, make_case, random_quant, random_values
from tinyforge.codegen.generate import lower_graph
from tinyforge.errors import UnsupportedModel
from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import Proof
from tinyforge.ir.types import DType, Quant, TensorType
from tinyforge.ir.window import Window
from tinyforge.ops.add import Add, sum_reference_form
from tinyforge.ops.base import Activation, Piece
from tinyforge.ops.broadcast import Binary, PointForm
from tinyforge.ops.maximum import Maximum
from tinyforge.ops.minimum import Minimum
from tinyforge.ops.mul import Mul, product_reference_form
from tinyforge.ops.sub import Sub

SHAPES = [
    ((1, 5, 4, 3), (1, 5, 4, 3)),
    ((1, 5, 4, 3), (1, 1, 1, 3)),
    ((1, 1, 1, 6), (1, 4, 4, 6)),
    ((1, 5, 4, 3), (1, 5, 4, 1)),
    ((1, 5, 4, 1), (1, 5, 4, 3)),
    ((1, 5, 4, 3), (1, 5, 1, 3)),
    ((1, 1, 4, 3), (1, 5, 4, 3)),
    ((1, 1, 4, 3), (1, 5, 1, 1)),
    ((1, 5, 4, 3), (1, 1, 1, 1)),
    ((1, 3, 7, 1), (1, 3, 1, 1)),
    ((3, 7), (3, 7)),
    ((3, 7), (7,)),
    ((2, 1, 5), (1, 4, 5)),
    ((2, 3, 2, 5), (2, 3, 2, 5)),
    ((2, 3, 2, 5), (1, 3, 1, 5)),
    ((11,), (11,)),
]
CONSTANTS = [
    ((1, 5, 4, 3), (3,)),
    ((1, 5, 4, 3), ()),
    ((1, 5, 4, 3), (1, 1, 1, 1)),
    ((1, 5, 4, 3), (5, 4, 3)),
    ((1, 5, 4, 3), (1, 1, 4, 3)),
    ((1, 5, 4, 3), (5, 1, 1)),
    ((1, 5, 4, 3), (4, 1)),
    ((1, 1, 1, 3), (1, 5, 4, 3)),
    ((3, 7), (7,)),
    ((3, 7), (1,)),
    ((3, 7), (3, 1)),
]


def operators(rng: np.random.Generator) -> list[Binary]:
    act = list(Activation)[int(rng.integers(0, 4))]
    every = [Add(act), Mul(act), Sub(act), Maximum(), Minimum()]
    return [every[i] for i in rng.choice(5, 2, replace=False, p=[0.3, 0.3, 0.2, 0.1, 0.1])]


def quants(op: Binary, rng: np.random.Generator) -> tuple[Quant, Quant, Quant]:
    """Input and output quantisations: free, equal, or of ratios that make exact ties."""
    if isinstance(op, (Maximum, Minimum)):
        q = random_quant(rng)
        return q, q, q
    a, b, out = random_quant(rng, 0.01, 0.3), random_quant(rng, 0.01, 0.3), random_quant(rng, 0.01, 0.3)
    style = int(rng.integers(0, 3))
    if style == 1:
        b = Quant(a.scale, b.zero_point)
        out = Quant((float(np.float32(a.scale0 * float(rng.choice([1, 2, 4])))),), out.zero_point)
    if style == 2:
        a, b = Quant((0.0625,), a.zero_point), Quant((0.03125,), b.zero_point)
        out = Quant((float(rng.choice([0.0625, 0.125])),), out.zero_point)
    return a, b, out


def case(rng: np.random.Generator, op: Binary, a: Tensor, b: Tensor, out: Quant) -> Case:
    return make_case(rng, op, [a, b], [activation("y", op.infer([a, b])[0], out)])


class TestBinary(OpConformance):
    def cases(self, rng: np.random.Generator) -> list[Case]:
        cases = []
        for shapes in SHAPES:
            for op in operators(rng):
                qa, qb, qo = quants(op, rng)
                cases.append(case(rng, op, activation("a", shapes[0], qa), activation("b", shapes[1], qb), qo))
        return cases


class TestBinaryWithConstant(OpConformance):
    def cases(self, rng: np.random.Generator) -> list[Case]:
        cases = []
        for shape, other in CONSTANTS:
            for op in operators(rng):
                qa, qb, qo = quants(op, rng)
                x = activation("a", shape, qa)
                k = constant("k", random_values(rng, TensorType(other, DType.INT8, qb), 0), qb)
                swapped = bool(rng.random() < 0.4)
                cases.append(case(rng, op, *((k, x) if swapped else (x, k)), qo))
        return cases


class ReferenceAdd(Add):
    """ADD without its short form."""

    __slots__ = ()

    def point_form(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> PointForm:
        return sum_reference_form(ins, outs, self.activation, 1)


class ReferenceSub(Sub):
    __slots__ = ()

    def point_form(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> PointForm:
        return sum_reference_form(ins, outs, self.activation, -1)


class ReferenceMul(Mul):
    __slots__ = ()

    def point_form(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> PointForm:
        return product_reference_form(ins, outs, self.activation)


class TestReferenceForms(OpConformance):
    """The fallback of quantisations that have no short form."""

    def cases(self, rng: np.random.Generator) -> list[Case]:
        cases = []
        for i, make in enumerate([ReferenceAdd, ReferenceSub, ReferenceMul] * 5):
            op = make(list(Activation)[i % 4])
            qa, qb, qo = quants(op, rng)
            a, b = activation("a", (1, 9, 9, 7), qa), activation("b", (1, 9, 9, 7), qb)
            cases.append(make_case(rng, op, [a, b], [activation("y", a.shape, qo)]))
        return cases


@pytest.mark.parametrize("make", [Add, Sub, Mul])
def test_forms_equal_the_reference_on_all_pairs(make: Callable[[Activation], Binary]) -> None:
    """Nearly all quantisations have a short form, proven on all pairs."""
    rng = np.random.default_rng(11)
    proofs: list[Proof] = []
    for _ in range(40):
        op = make(Activation.NONE)
        qa, qb, qo = quants(op, rng)
        a, b = activation("a", (1, 2, 2, 4), qa), activation("b", (1, 2, 2, 4), qb)
        proofs += op.lower([a, b], [activation("y", a.shape, qo)]).proofs
    assert len(proofs) >= 38
    assert {p.points for p in proofs} == {65_536}


class TestChannelProducts(OpConformance):
    """A map times one value a channel, as squeeze-and-excite does: zero points at the end and in the middle."""

    def cases(self, rng: np.random.Generator) -> list[Case]:
        cases = []
        for i in range(16):
            zeros = (-128, -128) if i % 4 else (int(rng.integers(-128, 128)), int(rng.integers(-128, 128)))
            qa = Quant((float(np.float32(rng.uniform(0.01, 0.1))),), zeros[:1])
            qb = Quant((1 / 256,), zeros[1:])
            qo = Quant((float(np.float32(qa.scale0 * rng.uniform(0.4, 1.2))),), zeros[:1])
            shape = (1, int(rng.integers(1, 6)), int(rng.integers(2, 6)), int(rng.integers(1, 14)))
            a, b = activation("a", shape, qa), activation("b", (1, 1, 1, shape[3]), qb)
            op = Mul(list(Activation)[i % 4])
            cases.append(case(rng, op, *((b, a) if i % 3 == 0 else (a, b)), qo))
        return cases

    def test_nearly_all_have_the_short_form(self, suite: list[Case]) -> None:
        kernels = [lower_graph(c.graph)[0].kernel for c in suite]
        assert kernels.count("tf_mul_channels_s8") >= 10, kernels


class TestSameTensorTwice(OpConformance):
    def cases(self, rng: np.random.Generator) -> list[Case]:
        x = activation("x", (1, 3, 3, 2), random_quant(rng))
        return [case(rng, op, x, x, random_quant(rng, 0.1, 0.5)) for op in operators(rng)]


def test_shape_arithmetic_on_constants() -> None:
    a, b = constant("a", np.array([4, 6], np.int32)), constant("b", np.array(3, np.int32))
    out = activation("y", (2,), None, DType.INT32)
    Mul(Activation.NONE).check([a, b], [out])
    pieces = [Piece.whole(t.array()) for t in (a, b)]
    result = Mul(Activation.NONE).compute(pieces, [a, b], [out], Window.full(1, 1))[0]
    assert result.dtype == np.int32
    assert result.tolist() == [12, 18]


def test_refusals() -> None:
    x = activation("x", (1, 2, 2, 4), None, DType.INT32)
    with pytest.raises(UnsupportedModel, match="int32"):
        Add(Activation.NONE).check([x, x], [x])
    with pytest.raises(UnsupportedModel, match="do not broadcast"):
        Add(Activation.NONE).infer([x, activation("y", (3,), None)])
