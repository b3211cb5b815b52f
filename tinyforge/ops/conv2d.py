"""CONV_2D: int8, per-tensor or per-channel weights (OHWI), any stride, dilation and explicit padding."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import Isa, KernelCall, RowInput, Table
from tinyforge.ir.types import Array, IntArray
from tinyforge.ir.window import AxisMap, Window, conv_axis
from tinyforge.ops.base import (
    Activation,
    Channels,
    Op,
    Piece,
    activation_range,
    padded_piece,
    require,
    require_int8,
    with_literals,
)
from tinyforge.ops.packing import STEP, Packed, pack_matmul, pack_wide, slice_stream, steps_of
from tinyforge.ops.packing_by_isa import pack_bytes
from tinyforge.ops.packing_bytes import BYTES_KERNELS, WINDOW_KERNELS, PackedBytes, one_window_call, window_call
from tinyforge.ops.packing_bytes import GROUP as BYTES_GROUP
from tinyforge.ops.proofs import FULL, channel_proof
from tinyforge.ops.requant import Rescale, accumulator_range
from tinyforge.ops.scaling import channel_multipliers, convolution_outputs, folded_bias, weights_without_zero

GROUP = 2  # output channels a core computes together
SCRATCH_LIMIT = 3072  # bytes; kernels with long windows take fewer pixels at a time
SHORTEST_ROW = 16  # bytes of a kernel row worth a call of its own
PLAIN_KERNEL = "tf_conv2d_s8"
PACKED_KERNELS = ("tf_pointwise_packed_s8", "tf_conv2d_packed_s8")


def out_extent(size: int, kernel: int, stride: int, before: int, after: int, dilation: int = 1) -> int:
    """Output positions of a sliding window along one axis, padding already explicit."""
    return (size + before + after - (kernel - 1) * dilation - 1) // stride + 1


@dataclass(frozen=True, slots=True)
class Block:
    """``pixels`` done at a time, ``room`` for so many widened ones, and the scratch it takes."""

    pixels: int
    room: int
    scratch_bytes: int


@dataclass(frozen=True, slots=True)
class Conv2D(Op):
    """Attributes: stride and dilation as (rows, cols), padding as (top, bottom, left, right)."""

    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int, int, int]
    activation: Activation
    kind: ClassVar[str] = "conv2d"
    channels: ClassVar[Channels] = Channels.ALL

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        x, w = ins[0].shape, ins[1].shape
        require(len(x) == 4 and len(w) == 4, "conv2d: input and weights must have rank 4")
        require(x[3] == w[3], f"conv2d: weights are for {w[3]} input channels, the input has {x[3]}")
        top, bottom, left, right = self.padding
        h = out_extent(x[1], w[1], self.stride[0], top, bottom, self.dilation[0])
        wd = out_extent(x[2], w[2], self.stride[1], left, right, self.dilation[1])
        require(h > 0 and wd > 0, f"conv2d: a {w[1]}x{w[2]} kernel does not fit into {x[1]}x{x[2]}")
        return ((x[0], h, wd, w[0]),)

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        require_int8([ins[0], ins[1], outs[0]], "conv2d")
        require(ins[1].is_constant, "conv2d: weights must be constant")
        require(ins[0].shape[0] == 1, "conv2d: batch must be 1")

    def axes(self, ins: Sequence[Tensor], outs: Sequence[Tensor], index: int) -> tuple[AxisMap, AxisMap] | None:
        source = self._row_inputs(ins)[0]
        return source.rows, source.cols

    def macs(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int:
        return outs[0].type.elements * ins[1].type.elements // ins[1].shape[0]

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        axes = self.axes(ins, outs, 0)
        assert axes is not None
        needed = Window(axes[0].needed(window.rows), axes[1].needed(window.cols))
        zero = ins[0].type.zero_point
        x = padded_piece(pieces[0], needed, zero) - zero
        acc = self._accumulate(np.asarray(x, np.int64), weights_without_zero(ins), window)
        return [convolution_outputs(acc, ins, outs[0], ins[1].shape[0], self.activation)]

    def _accumulate(self, x: IntArray, w: IntArray, window: Window) -> IntArray:
        """Sum of products per output position; x is exactly the (padded) input the window needs, zero point removed.
        float64 matrix products are exact here: every partial sum is an integer far below 2**53."""
        oh, ow = window.rows.size, window.cols.size
        (sh, sw), (dh, dw) = self.stride, self.dilation
        acc = np.zeros((oh * ow, w.shape[0]), np.float64)
        for ky in range(w.shape[1]):
            for kx in range(w.shape[2]):
                rows = slice(ky * dh, ky * dh + (oh - 1) * sh + 1, sh)
                cols = slice(kx * dw, kx * dw + (ow - 1) * sw + 1, sw)
                tap = x[0, rows, cols].reshape(oh * ow, -1).astype(np.float64)
                acc += tap @ w[:, ky, kx, :].T.astype(np.float64)
        return acc.astype(np.int64).reshape(1, oh, ow, -1)

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        rescale = self._rescale(ins, outs)
        call = self._row_call(ins)
        packed = pack_matmul(_matrix(ins), folded_bias(ins), rescale, GROUP)
        if packed is not None:
            return self._packed_call(call, ins, packed)
        return self._plain_call(call, ins, outs, rescale)

    def lower_wide(
        self, call: KernelCall, ins: Sequence[Tensor], outs: Sequence[Tensor], fast_flash: bool
    ) -> KernelCall | None:
        if call.kernel != PLAIN_KERNEL:
            return None
        packed = pack_wide(_matrix(ins), folded_bias(ins), self._rescale(ins, outs), GROUP)
        return None if packed is None else self._packed_call(self._row_call(ins), ins, packed)

    def _row_call(self, ins: Sequence[Tensor]) -> KernelCall:
        """What all kernels have in common."""
        inputs, merge = self._row_inputs(ins), self._pointwise(ins)
        return KernelCall(kernel="", header="", form="rows", inputs=inputs, merge_rows=merge)

    def lower_for(self, isa: Isa, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        packed = pack_bytes(isa, _matrix(ins), folded_bias(ins), self._rescale(ins, outs))
        if packed is not None:
            return self._bytes_call(ins, packed)
        call = self.lower(ins, outs)
        if isa is Isa.BASELINE and call.kernel in PACKED_KERNELS:
            return _with_block(call, self._block(ins, 1, 2))
        return call

    def fitted(
        self, call: KernelCall, ins: Sequence[Tensor], outs: Sequence[Tensor], widths: Collection[int], slices: int = 1
    ) -> KernelCall:
        if call.kernel in WINDOW_KERNELS and max(widths, default=1) == 1:
            return one_window_call(call)
        if call.kernel not in PACKED_KERNELS:
            return call
        most = max((_most_at_once(width) for width in widths), default=1)
        return call if most >= dict(call.literals)["most"] else _with_block(call, self._block(ins, most, most))

    def _bytes_call(self, ins: Sequence[Tensor], packed: PackedBytes) -> KernelCall:
        oc, kh, kw, c = ins[1].shape
        shape = (("kh", kh), *self._shape_literals(ins))
        call = window_call(packed, self._row_inputs(ins), shape, kh * kw * c)
        if not self._pointwise(ins):
            if kh == 1 and self._always_inside():
                return replace(call, kernel=packed.kernel("conv2d_inside"), scratch_bytes=0)
            return one_window_call(call) if self.infer(ins)[0][2] == 1 else call
        return replace(
            call,
            kernel=packed.kernel("pointwise"),
            literals=(("in_c", c), ("out_c", oc), *packed.literals()),
            scratch_bytes=0,
            merge_rows=True,
        )

    def _row_inputs(self, ins: Sequence[Tensor]) -> tuple[RowInput, ...]:
        _, kh, kw, _ = ins[1].shape
        rows = conv_axis(kh, self.stride[0], self.padding[0], self.dilation[0])
        cols = conv_axis(kw, self.stride[1], self.padding[2], self.dilation[1])
        return (RowInput(0, kh, rows, cols, self.dilation[0]),)

    def lower_slim(self, call: KernelCall, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> tuple[KernelCall, ...]:
        if ins[1].type.zero_point or not call.scratch_bytes:
            return ()
        if call.kernel in WINDOW_KERNELS:
            return (one_window_call(call),)
        found: list[KernelCall] = []
        for block in self._blocks(ins):
            if block.scratch_bytes < (found[-1] if found else call).scratch_bytes:
                found.append(_with_block(call, block))
        return tuple(found)

    def slice_axes(self, ins: Sequence[Tensor]) -> tuple[int | None, ...]:
        return (None, 0, 0)[: len(ins)]

    def lower_slice(
        self, call: KernelCall, ins: Sequence[Tensor], outs: Sequence[Tensor], slices: int, spread: bool
    ) -> KernelCall | None:
        channels, kh, kw, c = ins[1].shape
        if spread or channels % slices:
            return None
        tables = call.tables
        if call.kernel in PACKED_KERNELS:
            bits = dict(call.literals)["bits"]
            stream = slice_stream(np.asarray(tables[0].data, np.int64), channels, kh * kw * c, GROUP, bits, slices)
            if stream is None:
                return None
            tables = (replace(tables[0], data=stream),)
        elif call.kernel in BYTES_KERNELS and channels % (slices * BYTES_GROUP):
            return None
        tables = tuple(replace(t, step=t.data.size // slices) for t in tables)
        return replace(with_literals(call, out_c=channels // slices), tables=tables)

    def least_scratch(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int:
        return self._blocks(ins)[-1].scratch_bytes if ins[1].shape[0] >= GROUP else 0

    def _blocks(self, ins: Sequence[Tensor]) -> tuple[Block, ...]:
        """Ways to take pixels together, the fastest first."""
        return tuple(self._block(ins, pixels, pixels) for pixels in range(self._widest_block(ins), 0, -1))

    def _block(self, ins: Sequence[Tensor], pixels: int, room: int) -> Block:
        _, kh, kw, c = ins[1].shape
        wide = 2 * STEP * steps_of(kh * kw * c)
        raw = wide // 2 if self._gathers_whole(ins) else 0 if self._always_inside() else kw * c
        return Block(pixels, room, room * wide + pixels * raw)

    def _direct(self, ins: Sequence[Tensor]) -> bool:
        """Whether pixels are read where they lie."""
        return self._pointwise(ins) and ins[1].shape[3] >= STEP

    def _always_inside(self) -> bool:
        """Whether no window reaches into padding and none has gaps, so that its rows can be read where they lie."""
        return self.padding == (0, 0, 0, 0) and self.dilation[1] == 1

    def _gathers_whole(self, ins: Sequence[Tensor]) -> bool:
        """Whether windows are gathered whole and not kernel row by kernel row."""
        row = ins[1].shape[2] * ins[1].shape[3]
        return not self._direct(ins) and (row % STEP != 0 or row < SHORTEST_ROW)

    def _widest_block(self, ins: Sequence[Tensor]) -> int:
        """The most pixels that the kernel ever takes at once from a row."""
        _, height, width, _ = self.infer(ins)[0]
        return _most_at_once(height * width if self._pointwise(ins) else width)

    def _pointwise(self, ins: Sequence[Tensor]) -> bool:
        """Whether every output pixel reads the one input pixel at its place."""
        return ins[1].shape[1:3] == (1, 1) and self.stride == (1, 1) and self.padding == (0, 0, 0, 0)

    def _rescale(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> Rescale:
        channels = ins[1].shape[0]
        multiplier, shift = channel_multipliers(ins[0].type, ins[1].type, outs[0].type, channels)
        lo, hi = activation_range(self.activation, outs[0].type)
        reach = accumulator_range(weights_without_zero(ins).reshape(channels, -1), folded_bias(ins))
        return Rescale(multiplier, shift, outs[0].type.zero_point, lo, hi, *reach)

    def _packed_call(self, call: KernelCall, ins: Sequence[Tensor], packed: Packed) -> KernelCall:
        """The kernels on packed weights: pixels read where they lie, or windows gathered first."""
        oc, kh, _, c = ins[1].shape
        blocks = self._blocks(ins)
        block = next((b for b in blocks if b.scratch_bytes <= SCRATCH_LIMIT), blocks[-1])
        tail = (("most", block.pixels), ("room", block.room), *packed.literals())
        call = replace(
            call,
            header="tf_conv2d_packed_s8.h",
            tables=(Table("packed", "int32_t", packed.stream),),
            proofs=(packed.proof,),
            scratch_bytes=block.scratch_bytes,
        )
        if self._direct(ins):
            return replace(call, kernel="tf_pointwise_packed_s8", literals=(("in_c", c), ("out_c", oc), *tail))
        shape = (("kh", kh), *self._shape_literals(ins), ("whole", int(self._gathers_whole(ins))))
        return replace(call, kernel="tf_conv2d_packed_s8", literals=(*shape, *tail))

    def _shape_literals(self, ins: Sequence[Tensor]) -> tuple[tuple[str, int], ...]:
        oc, _, kw, c = ins[1].shape
        return (
            ("kw", kw),
            ("in_w", 1 << 24 if self._pointwise(ins) else ins[0].shape[2]),
            ("in_c", c),
            ("out_c", oc),
            ("stride_w", self.stride[1]),
            ("dilation_w", self.dilation[1]),
            ("pad_left", self.padding[2]),
            ("in_zero", ins[0].type.zero_point),
        )

    def _plain_call(
        self, call: KernelCall, ins: Sequence[Tensor], outs: Sequence[Tensor], rescale: Rescale
    ) -> KernelCall:
        """The portable kernel with the reference's own requantisation, for what the short form cannot do."""
        return replace(
            call,
            kernel=PLAIN_KERNEL,
            header="tf_conv2d_s8.h",
            proofs=(channel_proof(FULL, rescale),),
            tables=(
                Table("weights", "int8_t", ins[1].array()),
                Table("bias", "int32_t", folded_bias(ins)),
                Table("multiplier", "int32_t", rescale.multiplier),
                Table("shift", "int8_t", rescale.shift),
            ),
            literals=(
                ("kh", ins[1].shape[1]),
                *self._shape_literals(ins),
                ("w_zero", ins[1].type.zero_point),
                ("out_zero", outs[0].type.zero_point),
                ("lo", rescale.lo),
                ("hi", rescale.hi),
            ),
        )


def _most_at_once(pixels: int) -> int:
    """The most that ``tf_block`` of the kernel takes at once of so many: 4 are done as 2 + 2."""
    return 2 if pixels == 4 else min(pixels, 3)


def _with_block(call: KernelCall, block: Block) -> KernelCall:
    """The call on packed weights with another block."""
    fields = {"most": block.pixels, "room": block.room}
    literals = tuple((name, fields.get(name, value)) for name, value in call.literals)
    return replace(call, literals=literals, scratch_bytes=block.scratch_bytes, narrow=block.room == 1)


def _matrix(ins: Sequence[Tensor]) -> IntArray:
    """Weights (channels, values) without their zero point."""
    return weights_without_zero(ins).reshape(ins[1].shape[0], -1)
