"""DEPTHWISE_CONV_2D: int8, any depth multiplier, stride, dilation and explicit padding; weights 1HWC."""

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
from tinyforge.ops.conv2d import out_extent
from tinyforge.ops.depthwise_planes import AT_ONCE, MAX_ROWS, Planes, pack_constants, plane_layout
from tinyforge.ops.packing_bytes import GROUP as MVE_GROUP
from tinyforge.ops.packing_bytes import PackedBytes
from tinyforge.ops.packing_mve import SCRATCH_LIMIT as MVE_SCRATCH_LIMIT
from tinyforge.ops.packing_mve import MvePlanes, pack_depthwise_mve, plane_layout_mve
from tinyforge.ops.packing_scalar import Block as ScalarBlock
from tinyforge.ops.packing_scalar import depthwise_block, pack_depthwise_scalar
from tinyforge.ops.requant import Rescale, accumulator_range
from tinyforge.ops.scaling import channel_multipliers, convolution_outputs, weights_without_zero

SCALAR_KERNEL = "tf_depthwise_scalar_s8"


@dataclass(frozen=True, slots=True)
class DepthwiseConv2D(Op):
    """Attributes: stride and dilation as (rows, cols), padding as (top, bottom, left, right); output channel
    c * multiplier + m reads input channel c."""

    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int, int, int]
    multiplier: int
    activation: Activation
    kind: ClassVar[str] = "depthwise_conv2d"
    channels: ClassVar[Channels] = Channels.OWN

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        x, w = ins[0].shape, ins[1].shape
        require(len(x) == 4 and len(w) == 4, "depthwise_conv2d: input and weights must have rank 4")
        made = x[3] * self.multiplier
        require(w[3] == made, f"depthwise_conv2d: weights are for {w[3]} output channels, the attributes say {made}")
        top, bottom, left, right = self.padding
        h = out_extent(x[1], w[1], self.stride[0], top, bottom, self.dilation[0])
        wd = out_extent(x[2], w[2], self.stride[1], left, right, self.dilation[1])
        require(h > 0 and wd > 0, f"depthwise_conv2d: a {w[1]}x{w[2]} kernel does not fit into {x[1]}x{x[2]}")
        return ((x[0], h, wd, made),)

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        require_int8([ins[0], ins[1], outs[0]], "depthwise_conv2d")
        require(ins[1].is_constant, "depthwise_conv2d: weights must be constant")
        require(all(t.is_constant for t in ins[2:3]), "depthwise_conv2d: the bias must be constant")
        require(ins[0].shape[0] == 1, "depthwise_conv2d: batch must be 1")

    def axes(self, ins: Sequence[Tensor], outs: Sequence[Tensor], index: int) -> tuple[AxisMap, AxisMap] | None:
        source = self._row_inputs(ins)[0]
        return source.rows, source.cols

    def macs(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int:
        return outs[0].type.elements * ins[1].shape[1] * ins[1].shape[2]

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        axes = self.axes(ins, outs, 0)
        assert axes is not None
        needed = Window(axes[0].needed(window.rows), axes[1].needed(window.cols))
        zero = ins[0].type.zero_point
        x = np.repeat(padded_piece(pieces[0], needed, zero)[0] - zero, self.multiplier, axis=2)
        acc = self._accumulate(x, weights_without_zero(ins)[0], window)
        return [convolution_outputs(acc, ins, outs[0], ins[1].shape[3], self.activation)[None]]

    def _accumulate(self, x: IntArray, w: IntArray, window: Window) -> IntArray:
        """Sum of products; x (rows, cols, C * multiplier) is exactly the padded input the window needs, zero point
        removed; w (KH, KW, C * multiplier)."""
        oh, ow = window.rows.size, window.cols.size
        (sh, sw), (dh, dw) = self.stride, self.dilation
        acc = np.zeros((oh, ow, w.shape[2]), np.int64)
        for ky in range(w.shape[0]):
            for kx in range(w.shape[1]):
                rows = slice(ky * dh, ky * dh + (oh - 1) * sh + 1, sh)
                acc += x[rows, kx * dw : kx * dw + (ow - 1) * sw + 1 : sw] * w[ky, kx]
        return acc

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        _, kh, kw, _ = ins[1].shape
        rows = self._row_inputs(ins)
        shape = (
            ("kh", kh),
            ("kw", kw),
            ("in_w", ins[0].shape[2]),
            ("in_c", ins[0].shape[3]),
            ("depth_multiplier", self.multiplier),
            ("out_step", outs[0].shape[3]),
            ("stride_w", self.stride[1]),
        )
        if self._planar(kh, kw):
            return self._lower_planar(ins, outs, rows, shape)
        lo, hi = activation_range(self.activation, outs[0].type)
        return KernelCall(
            kernel="tf_depthwise_s8",
            header="tf_depthwise_s8.h",
            form="rows",
            inputs=rows,
            tables=depthwise_tables(ins, outs),
            literals=(
                *shape,
                ("dilation_w", self.dilation[1]),
                ("pad_left", self.padding[2]),
                ("in_zero", ins[0].type.zero_point),
                ("w_zero", ins[1].type.zero_point),
                ("out_zero", outs[0].type.zero_point),
                ("lo", lo),
                ("hi", hi),
            ),
        )

    def lower_for(self, isa: Isa, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        if isa in (Isa.SCALAR, Isa.BASELINE):
            return self._lower_scalar(ins, outs) or self.lower(ins, outs)
        _, kh, kw, channels = ins[1].shape
        packed = None
        if isa is Isa.MVE and self.multiplier == 1 and (self.dilation[1] == 1 or kw == 1):
            packed = pack_depthwise_mve(weights_without_zero(ins)[0], folded_bias(ins), self._rescale(ins, outs))
        if packed is None:
            return self.lower(ins, outs)
        layout = plane_layout_mve(kh, kw, self.stride[1], outs[0].shape[2], channels, MVE_SCRATCH_LIMIT)
        return self._bytes_call(ins, packed, layout.scratch_bytes, block=layout.block, plane=layout.plane)

    def _lower_scalar(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall | None:
        """Some outputs of a channel together, inputs read where they lie."""
        _, _, kw, _ = ins[1].shape
        block = self._scalar_block(ins, [outs[0].shape[2]])
        if self.multiplier != 1 or (self.dilation[1] > 1 and kw > 1) or block is None:
            return None
        packed = pack_depthwise_scalar(weights_without_zero(ins)[0], folded_bias(ins), self._rescale(ins, outs))
        if packed is None:
            return None
        layout = {"words": packed.stream.shape[1], "at_once": block.at_once}
        if block.slice:
            return self._bytes_call(ins, packed, block.scratch_bytes, **layout, slice=block.slice)
        return replace(self._bytes_call(ins, packed, 0, **layout), kernel=packed.kernel("depthwise_inside"))

    def _bytes_call(self, ins: Sequence[Tensor], packed: PackedBytes, scratch: int, **layout: int) -> KernelCall:
        """The kernel on weights of a byte each; ``layout``: literals of its own."""
        _, kh, kw, channels = ins[1].shape
        kernel = packed.kernel("depthwise")
        return KernelCall(
            kernel=kernel,
            header=f"{kernel}.h",
            form="rows",
            inputs=self._row_inputs(ins),
            tables=(Table("packed", "int32_t", packed.stream, 8),),
            proofs=(packed.proof,),
            scratch_bytes=scratch,
            literals=(
                ("kh", kh),
                ("kw", kw),
                ("in_w", ins[0].shape[2]),
                ("in_c", channels),
                ("out_step", channels),
                ("stride_w", self.stride[1]),
                ("pad_left", self.padding[2]),
                ("in_zero", ins[0].type.zero_point),
                *layout.items(),
                *packed.literals(),
            ),
        )

    def _scalar_block(self, ins: Sequence[Tensor], widths: Collection[int]) -> ScalarBlock | None:
        _, kh, kw, channels = ins[1].shape
        width = self.infer(ins)[0][2]
        reach = (width - 1) * self.stride[1] + kw - self.padding[2]
        inside = self.padding[2] == 0 and reach <= ins[0].shape[2]
        return depthwise_block(kh, kw, self.stride[1], widths, 0 if inside else channels)

    def _row_inputs(self, ins: Sequence[Tensor]) -> tuple[RowInput, ...]:
        _, kh, kw, _ = ins[1].shape
        rows = conv_axis(kh, self.stride[0], self.padding[0], self.dilation[0])
        cols = conv_axis(kw, self.stride[1], self.padding[2], self.dilation[1])
        return (RowInput(0, kh, rows, cols, self.dilation[0]),)

    def _rescale(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> Rescale:
        channels = ins[1].shape[3]
        w, bias = weights_without_zero(ins)[0], folded_bias(ins)
        multiplier, shift = channel_multipliers(ins[0].type, ins[1].type, outs[0].type, channels)
        lo, hi = activation_range(self.activation, outs[0].type)
        reach = accumulator_range(w.reshape(-1, channels).T, bias)
        return Rescale(multiplier, shift, outs[0].type.zero_point, lo, hi, *reach)

    def lower_slim(self, call: KernelCall, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> tuple[KernelCall, ...]:
        if ins[1].type.zero_point or not call.scratch_bytes:
            return ()
        if call.kernel == SCALAR_KERNEL:
            return _slim_scalar(call)
        _, kh, kw, _ = ins[1].shape
        stride, width, channels = self.stride[1], outs[0].shape[2], ins[0].shape[3]
        found: list[KernelCall] = []
        limit = call.scratch_bytes - 1
        while True:
            layout: Planes | MvePlanes = plane_layout(kh, kw, stride, width, channels, self.padding[2], limit)
            if call.kernel == "tf_depthwise_mve_s8":
                layout = plane_layout_mve(kh, kw, stride, width, channels, limit)
            if layout.scratch_bytes > limit:
                return tuple(found)
            fields = {"block": layout.block, "plane": layout.plane}
            literals = tuple((name, fields.get(name, value)) for name, value in call.literals)
            found.append(replace(call, literals=literals, scratch_bytes=layout.scratch_bytes))
            limit = layout.scratch_bytes - 1

    def slice_axes(self, ins: Sequence[Tensor]) -> tuple[int | None, ...]:
        return (3, 3, 0)[: len(ins)]

    def lower_slice(
        self, call: KernelCall, ins: Sequence[Tensor], outs: Sequence[Tensor], slices: int, spread: bool
    ) -> KernelCall | None:
        channels, made = ins[0].shape[3], outs[0].shape[3]
        if channels % slices:
            return None
        if call.kernel == "tf_depthwise_mve_s8" and channels % (slices * MVE_GROUP):
            return None
        step = made if spread else made // slices
        tables = tuple(_shared_table(t, made, slices) for t in call.tables)
        return replace(with_literals(call, in_c=channels // slices, out_step=step), tables=tables)

    def fitted(
        self, call: KernelCall, ins: Sequence[Tensor], outs: Sequence[Tensor], widths: Collection[int], slices: int = 1
    ) -> KernelCall:
        channels = ins[0].shape[3]
        block = self._scalar_block(ins, widths) if "at_once" in dict(call.literals) else None
        if block is not None and not call.scratch_bytes:
            return with_literals(call, at_once=block.at_once)
        if block is not None:
            call = _with_slice(call, min(dict(call.literals)["slice"], channels // slices))
            suited = _with_slice(with_literals(call, at_once=block.at_once), dict(call.literals)["slice"])
            return suited if suited.scratch_bytes <= call.scratch_bytes else call
        if call.kernel != "tf_depthwise_planar_s8" or slices == 1:
            return call
        planes, sliced = (min(count, AT_ONCE) for count in (channels, channels // slices))
        return replace(call, scratch_bytes=call.scratch_bytes * sliced // planes)

    def least_scratch(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int:
        _, kh, kw, _ = ins[1].shape
        if not self._planar(kh, kw):
            return 0
        return plane_layout(kh, kw, self.stride[1], outs[0].shape[2], ins[0].shape[3], self.padding[2], 0).scratch_bytes

    def _planar(self, kh: int, kw: int) -> bool:
        return (self.dilation[1] == 1 or kw == 1) and kh <= MAX_ROWS

    def _lower_planar(
        self,
        ins: Sequence[Tensor],
        outs: Sequence[Tensor],
        rows: tuple[RowInput, ...],
        shape: tuple[tuple[str, int], ...],
    ) -> KernelCall:
        """Through channel planes: row pairs as lanes of words, two taps an instruction."""
        _, kh, kw, _ = ins[1].shape
        stride, pad = self.stride[1], self.padding[2]
        layout = plane_layout(kh, kw, stride, outs[0].shape[2], ins[0].shape[3], pad)
        w, bias = weights_without_zero(ins)[0], folded_bias(ins)
        rescale = self._rescale(ins, outs)
        packed = pack_constants(w, bias, rescale, stride, layout.par)
        return KernelCall(
            kernel="tf_depthwise_planar_s8",
            header="tf_depthwise_planar_s8.h",
            form="rows",
            inputs=rows,
            tables=(packed.table,),
            proofs=(packed.proof,),
            scratch_bytes=layout.scratch_bytes,
            literals=(
                *shape,
                ("pad_left", pad),
                ("in_zero", ins[0].type.zero_point),
                ("words", packed.table.data.shape[1]),
                ("block", layout.block),
                ("plane", layout.plane),
                ("par", layout.par),
                ("form", packed.form),
                ("shift", packed.shift),
                ("rounding", packed.rounding),
                ("out_zero", rescale.zero),
                ("lo", rescale.lo),
                ("hi", rescale.hi),
            ),
        )


def _slim_scalar(call: KernelCall) -> tuple[KernelCall, ...]:
    """The scalar call with fewer and fewer channels gathered together."""
    found, together = [], dict(call.literals)["slice"]
    while together > 4:
        together = max(4, together // 8 * 4)
        found.append(_with_slice(call, together))
    return tuple(found)


def _with_slice(call: KernelCall, together: int) -> KernelCall:
    """The scalar call with ``together`` channels gathered together."""
    literals = dict(call.literals)
    columns = (literals["at_once"] - 1) * literals["stride_w"] + literals["kw"]
    return replace(with_literals(call, slice=together), scratch_bytes=literals["kh"] * columns * together)


def _shared_table(table: Table, channels: int, slices: int) -> Table:
    """A table as the parts of ``slices`` equal shares of the output channels, one after the other. Only the plain
    kernel's weights have the channels last."""
    data = table.data
    if data.ndim == 4:
        data = np.moveaxis(data.reshape(*data.shape[:3], slices, channels // slices), 3, 0)
    return replace(table, data=data, step=data.size // slices)


def folded_bias(ins: Sequence[Tensor]) -> IntArray:
    """Bias with the input zero point folded in, one per output channel: padding then reads as the zero point."""
    w = weights_without_zero(ins)
    bias = ins[2].array().astype(np.int64) if len(ins) > 2 else np.zeros(w.shape[3], np.int64)
    return np.asarray(bias - ins[0].type.zero_point * w.sum(axis=(0, 1, 2)), np.int64)


def depthwise_tables(ins: Sequence[Tensor], outs: Sequence[Tensor]) -> tuple[Table, ...]:
    """weights (KH, KW, output channels), folded bias, multiplier, shift."""
    multiplier, shift = channel_multipliers(ins[0].type, ins[1].type, outs[0].type, ins[1].shape[3])
    return (
        Table("weights", "int8_t", ins[1].array()),
        Table("bias", "int32_t", folded_bias(ins)),
        Table("multiplier", "int32_t", multiplier),
        Table("shift", "int8_t", shift),
    )
