"""Weights as the Helium cores of ``firmware/kernels/tf_matmul_mve_s8.h`` read them: one stream of int32 words."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tinyforge.ir.program import KernelCall, Proof, RowInput, Table
from tinyforge.ir.types import IntArray
from tinyforge.ops.proofs import SHORT, channel_proof
from tinyforge.ops.requant import Rescale, Rounding, ShortForm, short_form

GROUP = 4  # output channels a core computes together
STEP = 16  # values of one vector instruction


@dataclass(frozen=True, slots=True, eq=False)
class PackedBytes:
    """A stream of weights of a byte each, and how the cores finish its sums. cores: that read it, part of the kernels'
    names."""

    stream: IntArray
    rounding: Rounding
    lo: int
    hi: int
    proof: Proof
    cores: str = "mve"

    def kernel(self, what: str) -> str:
        """Of ``conv2d``, ``pointwise``, ``fully_connected``."""
        return f"tf_{what}_{self.cores}_s8"

    def literals(self) -> tuple[tuple[str, int], ...]:
        """The last ones of every kernel on such a stream."""
        return (("rounding", self.rounding.value), ("lo", self.lo), ("hi", self.hi))


def group_offsets(channels: int) -> list[int]:
    """First channels of the groups, ascending; where ``channels`` is no multiple of a group the last two overlap."""
    return [*range(0, channels - GROUP + 1, GROUP), *([channels - GROUP] if channels % GROUP else [])]


def pack_matmul_mve(weights: IntArray, bias: IntArray, rescale: Rescale) -> PackedBytes | None:
    """The stream for ``weights`` (channels, values) and folded ``bias``; None with fewer channels than a group, weights
    beyond int8, or no short requantisation that is exact."""
    form = short_form(rescale)
    if form is None or len(weights) < GROUP or not fits_int8(weights):
        return None
    parts: list[IntArray] = []
    for offset in group_offsets(len(weights)):
        chosen = slice(offset, offset + GROUP)
        parts += [words(step_vectors(weights[chosen])), group_tables(bias, form, chosen)]
    return PackedBytes(np.concatenate(parts), form.rounding, form.lo, form.hi, channel_proof(SHORT, rescale))


MOST_TAPS = 64  # windows of a depthwise convolution: four vectors
SCRATCH_LIMIT = 768
"""Bytes of channel planes at most, where blocks of four outputs allow it."""
_MOST_CHANNELS = 4095  # an immediate of the kernel
_TURNED = 8  # channels turned into planes together
_READ_AHEAD = 16  # bytes that windows read behind the last plane


@dataclass(frozen=True, slots=True)
class MvePlanes:
    """Outputs that a fill of the planes serves, bytes of a plane and of the scratch buffer."""

    block: int
    plane: int
    scratch_bytes: int


def plane_layout_mve(kh: int, kw: int, stride: int, width: int, channels: int, limit: int) -> MvePlanes:
    """The largest block that keeps to ``limit``; whole rows of ``width`` outputs where they fit."""
    best = None
    for block in range(min(4, width), width + 1):
        plane = ((block - 1) * stride + kw) * kh
        layout = MvePlanes(block, plane, plane * min(channels, _TURNED) + _READ_AHEAD)
        if best is None or layout.scratch_bytes <= limit:
            best = layout
    assert best is not None
    return best


def pack_depthwise_mve(weights: IntArray, bias: IntArray, rescale: Rescale) -> PackedBytes | None:
    """The stream of ``tf_depthwise_mve_s8.h`` for ``weights`` (KH, KW, channels); None where it has no form."""
    kh, kw, channels = weights.shape
    form = short_form(rescale)
    if form is None or not GROUP <= channels <= _MOST_CHANNELS or kh * kw > MOST_TAPS or not fits_int8(weights):
        return None
    narrow = (form.lo, form.hi) != (-128, 127)
    if narrow and kh * kw <= STEP and form.rounding is Rounding.Q31_SIGNED:
        return None  # a register short
    vectors = -(-kh * kw // STEP)
    padded = np.zeros((channels, vectors * STEP), np.int64)
    padded[:, : kh * kw] = weights.transpose(2, 1, 0).reshape(channels, -1)
    turned = padded.reshape(channels, vectors, STEP)[:, ::-1]
    parts: list[IntArray] = []
    for offset in group_offsets(channels):
        chosen = slice(offset, offset + GROUP)
        parts += [words(turned[chosen]), group_tables(bias, form, chosen)]
    return PackedBytes(np.concatenate(parts), form.rounding, form.lo, form.hi, channel_proof(SHORT, rescale))


def window_call(
    packed: PackedBytes,
    inputs: tuple[RowInput, ...],
    shape: tuple[tuple[str, int], ...],
    window: int,
) -> KernelCall:
    """The kernel on windows of ``window`` bytes, two at once. ``shape``: its literals up to ``in_zero``."""
    return KernelCall(
        kernel=packed.kernel("conv2d"),
        header=f"tf_conv2d_{packed.cores}_s8.h",
        form="rows",
        inputs=inputs,
        tables=(Table("packed", "int32_t", packed.stream, 8),),
        proofs=(packed.proof,),
        literals=(*shape, ("at_once", 2), *packed.literals()),
        scratch_bytes=2 * window,
    )


def one_window_call(call: KernelCall) -> KernelCall:
    """The same with one window at a time: half the scratch."""
    literals = tuple((name, 1 if name == "at_once" else value) for name, value in call.literals)
    return replace(call, literals=literals, scratch_bytes=call.scratch_bytes // 2)


def fits_int8(weights: IntArray) -> bool:
    return bool((weights >= -128).all() and (weights <= 127).all())


def group_tables(bias: IntArray, form: ShortForm, chosen: slice) -> IntArray:
    """Biases, multipliers, addends and negative shifts of one group. A channel of one output whatever the sum has
    multiplier 0 and no bias, which could be beyond int32."""
    bias = np.where(form.multiplier == 0, 0, bias)
    return np.concatenate([t[chosen] for t in (bias, form.multiplier, form.add, -form.shift)])


def step_vectors(weights: IntArray) -> IntArray:
    """(steps, rows, STEP) of ``weights`` (rows, values): the first step holds the values that the whole steps leave
    over, with zeros behind them."""
    rows, values = weights.shape
    first = values - (values - 1) // STEP * STEP
    padded = np.zeros((rows, -(-values // STEP), STEP), np.int64)
    padded[:, 0, :first] = weights[:, :first]
    padded[:, 1:] = weights[:, first:].reshape(rows, -1, STEP)
    return np.asarray(padded.transpose(1, 0, 2), np.int64)


def words(vectors: IntArray) -> IntArray:
    """Bytes of int8 values, four to an int32, the first lowest."""
    data = np.ascontiguousarray(vectors, np.int8).tobytes()
    return np.asarray(np.frombuffer(data, "<i4"), np.int64)
