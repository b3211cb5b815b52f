"""The contract of an operator: attributes, inference, windows, MACs, integer reference, lowering to a kernel call."""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from tinyforge.errors import UnsupportedModel
from tinyforge.ir.graph import OpBase, Tensor
from tinyforge.ir.program import Isa, KernelCall
from tinyforge.ir.types import Array, DType, IntArray, TensorType
from tinyforge.ir.window import AxisMap, Interval, Window


class Activation(enum.Enum):
    """Activation fused into an operator, a clamp on the output quanta."""

    NONE = "none"
    RELU = "relu"
    RELU6 = "relu6"
    RELU_N1_TO_1 = "relu_n1_to_1"


class Channels(enum.Enum):
    """What an output channel is made from, which decides whether an operator can run slice of channels by slice.

    ALL: from all input channels, but with weights of its own, so that it can begin a sliced stage. OWN: from the input
    channel at its place (of the same share of all channels), so that it can go on. MIXED: neither.
    """

    ALL = "all"
    OWN = "own"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Part of a tensor: for rank-4 tensors of batch 1 ``data`` is (1, rows, cols, C) at ``window``; else the whole."""

    data: Array
    window: Window

    @staticmethod
    def whole(data: Array) -> Piece:
        h, w = (data.shape[1], data.shape[2]) if data.ndim == 4 else (1, 1)
        return Piece(data, Window.full(h, w))


class Op(OpBase):
    """Base of all operators; subclasses are ``@dataclass(frozen=True, slots=True)`` and live one a file.

    ``ins`` and ``outs`` are always the node's tensors in order, constants included (with ``data``).
    """

    __slots__ = ()
    channels: ClassVar[Channels] = Channels.MIXED

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        """Shapes of the outputs. Raises UnsupportedModel on inputs that make no sense."""
        raise NotImplementedError

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        """Raises UnsupportedModel when dtypes, quantisation or attributes are beyond reference and kernel."""

    def axes(self, ins: Sequence[Tensor], outs: Sequence[Tensor], index: int) -> tuple[AxisMap, AxisMap] | None:
        """Rows and columns of input ``index`` that output positions need; None where the operator needs whole tensors
        (a barrier: it runs only as a layer). All outputs of a windowed operator share one height and width."""
        return None

    def accumulates(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> bool:
        """Whether the operator sums over all rows and columns of its one input and can be fed pieces of it in any
        order (global pooling). Its kernel call then has form "reduce", and it can end a fused stage: the stage's
        pieces are pieces of its input. ``axes`` stays that of the whole operator."""
        return False

    def macs(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int:
        """Multiply-accumulates of the whole operator (convolutions and matrix products; else 0)."""
        return 0

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        """The integer reference: the outputs at ``window`` from input pieces that cover at least ``axes`` of it
        (clipped to the tensor). Barriers get whole pieces. Exact twin of the LiteRT reference kernels."""
        raise NotImplementedError

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        """The kernel call that computes this operator in C."""
        raise NotImplementedError

    def lower_for(self, isa: Isa, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        """The kernel call for one instruction set, where that is not the one for all."""
        return self.lower(ins, outs)

    def lower_wide(
        self, call: KernelCall, ins: Sequence[Tensor], outs: Sequence[Tensor], fast_flash: bool
    ) -> KernelCall | None:
        """A call faster than ``call`` of ``lower_for`` for more flash and scratch, on cores that multiply and add pairs
        of 16 bits in one instruction; None where there is none.
        ``fast_flash``: a second word is read from flash in less time than two instructions take."""
        return None

    def lower_slim(self, call: KernelCall, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> tuple[KernelCall, ...]:
        """Slower calls that do what ``call`` of ``lower`` does with less scratch, the fastest first."""
        return ()

    def slice_axes(self, ins: Sequence[Tensor]) -> tuple[int | None, ...]:
        """For each input the axis along which the channels of a slice lie, None for an input that is taken whole. Only
        for operators whose ``channels`` are not MIXED."""
        raise NotImplementedError

    def lower_slice(
        self, call: KernelCall, ins: Sequence[Tensor], outs: Sequence[Tensor], slices: int, spread: bool
    ) -> KernelCall | None:
        """What ``call``, a kernel call of the whole operator, becomes where each of ``slices`` equal shares of the
        output channels is computed on its own: the literals of a share, tables in which the shares follow each other,
        the scratch of ``call``. ``spread``: output pixels lie as far apart as in the whole tensor; else side by side.
        None where the kernel cannot."""
        return None

    def fitted(
        self, call: KernelCall, ins: Sequence[Tensor], outs: Sequence[Tensor], widths: Collection[int], slices: int = 1
    ) -> KernelCall:
        """``call``, or one as fast with no more scratch than row segments of ``widths`` pixels of one of ``slices``
        equal shares of the channels need."""
        return call

    def least_scratch(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int:
        """Bytes of scratch of the last call of ``lower_slim`` (of ``lower`` where there is none), from shapes alone:
        constants of ``ins`` may be stand-ins. For weights of zero point 0."""
        return 0


def input_window(op: Op, ins: Sequence[Tensor], outs: Sequence[Tensor], index: int, window: Window) -> Window:
    """Clipped window of input ``index`` needed for ``window`` of the output."""
    axes = op.axes(ins, outs, index)
    height, width, _ = ins[index].type.hwc
    if axes is None:
        return Window.full(height, width)
    return Window(axes[0].needed(window.rows), axes[1].needed(window.cols)).clip(height, width)


def padded_piece(piece: Piece, needed: Window, fill: int) -> IntArray:
    """The piece's data extended or cut to exactly ``needed`` (which may reach outside the tensor), padded with
    ``fill``. (1, rows, cols, C), int64."""
    rows, cols = needed.rows, needed.cols
    channels = piece.data.shape[3]
    result = np.full((1, rows.size, cols.size, channels), fill, np.int64)
    r = _common(piece.window.rows, rows)
    c = _common(piece.window.cols, cols)
    if r.size and c.size:
        source = piece.data[
            :,
            r.lo - piece.window.rows.lo : r.hi - piece.window.rows.lo,
            c.lo - piece.window.cols.lo : c.hi - piece.window.cols.lo,
        ]
        result[:, r.lo - rows.lo : r.hi - rows.lo, c.lo - cols.lo : c.hi - cols.lo] = source
    return result


def _common(a: Interval, b: Interval) -> Interval:
    return Interval(max(a.lo, b.lo), min(a.hi, b.hi))


def activation_range(activation: Activation, out: TensorType) -> tuple[int, int]:
    """Clamp limits in output quanta, as CalculateActivationRangeQuantized of the reference: the float bounds are
    quantised in float32, halves away from zero."""
    lo, hi = out.dtype.limits
    bounds = {
        Activation.NONE: (None, None),
        Activation.RELU: (0.0, None),
        Activation.RELU6: (0.0, 6.0),
        Activation.RELU_N1_TO_1: (-1.0, 1.0),
    }[activation]
    scale, zero = np.float32(out.scale), out.zero_point
    if bounds[0] is not None:
        lo = max(lo, zero + _round32(np.float32(bounds[0]) / scale))
    if bounds[1] is not None:
        hi = min(hi, zero + _round32(np.float32(bounds[1]) / scale))
    return lo, hi


def _round32(x: np.float32) -> int:
    """std::round of a float32."""
    value = float(x)
    return int(np.floor(abs(value) + 0.5)) * (1 if value >= 0 else -1)


def with_literals(call: KernelCall, **changed: int) -> KernelCall:
    """The call with other values of some literals."""
    return replace(call, literals=tuple((name, changed.get(name, value)) for name, value in call.literals))


def require(condition: bool, message: str) -> None:
    """Raise UnsupportedModel(message) unless the condition holds."""
    if not condition:
        raise UnsupportedModel(message)


def require_int8(tensors: Sequence[Tensor], what: str) -> None:
    for t in tensors:
        require(
            t.type.dtype is DType.INT8,
            f"{what}: tensor {t.name} is {t.type.dtype.value}; only int8 is supported",
        )
