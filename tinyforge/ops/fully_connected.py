"""FULLY_CONNECTED: int8, per-tensor or per-channel weights (out, in); the input of any rank is seen as (batch, in)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import Isa, KernelCall, Table
from tinyforge.ir.types import Array
from tinyforge.ir.window import Window
from tinyforge.ops.base import Activation, Op, Piece, activation_range, require, require_int8
from tinyforge.ops.packing import STEP, Packed, pack_matmul, pack_wide, steps_of
from tinyforge.ops.packing_by_isa import pack_bytes
from tinyforge.ops.proofs import SHORT, channel_proof
from tinyforge.ops.requant import Rescale, accumulator_range, requantize_real, short_form, thresholds
from tinyforge.ops.scaling import channel_multipliers, channel_scales, folded_bias, weights_without_zero

PACKED_KERNEL = "tf_fully_connected_packed_s8"
PLAIN_KERNELS = ("tf_fully_connected_s8", "tf_fully_connected_steps_s8")
SCRATCH_LIMIT = 3072  # bytes more that a faster kernel may take
PAIR_COST, QUAD_COST = 8, 14  # instructions of a step of 2 and of 4 channels


@dataclass(frozen=True, slots=True)
class FullyConnected(Op):
    """``keep_dims``: the output has the input's leading dimensions instead of one batch dimension."""

    activation: Activation
    keep_dims: bool = False
    kind: ClassVar[str] = "fully_connected"

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        x, w = ins[0].shape, ins[1].shape
        require(len(w) == 2, "fully_connected: weights must have rank 2")
        require(ins[0].type.elements % w[1] == 0, f"fully_connected: {x} is no multiple of {w[1]} inputs")
        if self.keep_dims:
            require(bool(x) and x[-1] == w[1], f"fully_connected: weights are for {w[1]} inputs, the input has {x}")
            return ((*x[:-1], w[0]),)
        return ((ins[0].type.elements // w[1], w[0]),)

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        require_int8([ins[0], ins[1], outs[0]], "fully_connected")
        require(all(t.is_constant for t in ins[1:]), "fully_connected: weights and bias must be constant")
        rescale = _rescale(self, ins, outs)
        assert rescale.real is not None
        reach = np.maximum(np.abs(rescale.acc_lo), np.abs(rescale.acc_hi))
        sane = (reach < 1 << 31).all() and (reach * rescale.real < (1 << 31) - 256).all()
        require(bool(sane), "fully_connected: sums overflow int32 for some inputs; requantise the model")

    def macs(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int:
        return outs[0].type.elements * ins[1].shape[1]

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        x = pieces[0].data.reshape(-1, ins[1].shape[1]).astype(np.float64) - ins[0].type.zero_point
        # float64 products are exact here: every sum is an integer far below 2**53
        acc = (x @ weights_without_zero(ins).T.astype(np.float64)).astype(np.int64)
        if len(ins) > 2:
            acc = acc + ins[2].array().astype(np.int64)
        lo, hi = activation_range(self.activation, outs[0].type)
        real = channel_scales(ins[0].type, ins[1].type, outs[0].type, ins[1].shape[0])
        result = requantize_real(acc, real[None, :], outs[0].type.zero_point, lo, hi)
        return [result.astype(np.int8).reshape(outs[0].shape)]

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        rescale = _rescale(self, ins, outs)
        weights = weights_without_zero(ins)
        n_out, n_in = weights.shape
        packed = pack_matmul(weights, folded_bias(ins), rescale, _group(n_out))
        if packed is not None:
            return _packed_call(packed, ins, outs)
        batch = ("batch", outs[0].type.elements // n_out)
        clamp = (("lo", rescale.lo), ("hi", rescale.hi))
        call = KernelCall(
            kernel=PLAIN_KERNELS[1],
            header="tf_fully_connected_s8.h",
            form="flat",
            tables=(Table("weights", "int8_t", ins[1].array()), Table("bias", "int32_t", folded_bias(ins))),
            literals=(batch, ("in_n", n_in), ("out_n", n_out), ("w_zero", ins[1].type.zero_point)),
        )
        form = short_form(rescale)
        if form is None:
            steps = Table("steps", "int32_t", thresholds(rescale))
            proofs = (channel_proof("table of the reference's steps", rescale),)
            return replace(call, tables=(*call.tables, steps), literals=(*call.literals, *clamp), proofs=proofs)
        return replace(
            call,
            kernel=PLAIN_KERNELS[0],
            tables=(*call.tables, *form.tables()),
            literals=(*call.literals, ("rounding", form.rounding.value), *clamp),
            proofs=(channel_proof(SHORT, rescale),),
        )

    def lower_wide(
        self, call: KernelCall, ins: Sequence[Tensor], outs: Sequence[Tensor], fast_flash: bool
    ) -> KernelCall | None:
        group, values = _group(ins[1].shape[0]), ins[1].shape[1]
        better = call.kernel in PLAIN_KERNELS or (fast_flash and group == 4 and call.kernel == PACKED_KERNEL)
        if not better or _scratch_bytes(values) > call.scratch_bytes + SCRATCH_LIMIT:
            return None
        packed = pack_wide(weights_without_zero(ins), folded_bias(ins), _rescale(self, ins, outs), group)
        return None if packed is None else _packed_call(packed, ins, outs)

    def least_scratch(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int:
        n_out, n_in = ins[1].shape
        return _scratch_bytes(n_in) if n_out >= _group(n_out) else 0

    def lower_slim(self, call: KernelCall, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> tuple[KernelCall, ...]:
        return (_with_room(call, 1),) if dict(call.literals).get("room", 1) > 1 else ()

    def lower_for(self, isa: Isa, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        weights = weights_without_zero(ins)
        packed = pack_bytes(isa, weights, folded_bias(ins), _rescale(self, ins, outs))
        if packed is None:
            call = self.lower(ins, outs)
            unpacks = isa is Isa.BASELINE and dict(call.literals).get("group") == 2
            return _with_room(call, 2) if unpacks else call
        n_out, n_in = weights.shape
        return KernelCall(
            kernel=packed.kernel("fully_connected"),
            header=f"tf_fully_connected_{packed.cores}_s8.h",
            form="flat",
            tables=(Table("packed", "int32_t", packed.stream, 8),),
            proofs=(packed.proof,),
            literals=(("batch", outs[0].type.elements // n_out), ("in_n", n_in), ("out_n", n_out), *packed.literals()),
        )


def _packed_call(packed: Packed, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
    n_out, n_in = ins[1].shape
    batch, group = outs[0].type.elements // n_out, _group(n_out)
    shape = (("batch", batch), ("in_n", n_in), ("out_n", n_out), ("group", group), ("room", 1))
    return KernelCall(
        kernel=PACKED_KERNEL,
        header="tf_fully_connected_packed_s8.h",
        form="flat",
        tables=(Table("packed", "int32_t", packed.stream),),
        proofs=(packed.proof,),
        literals=(*shape, *packed.literals()),
        scratch_bytes=_scratch_bytes(n_in),
    )


def _group(n_out: int) -> int:
    """Output channels computed together."""
    return 4 if n_out >= 4 and -(-n_out // 4) * QUAD_COST <= -(-n_out // 2) * PAIR_COST else 2


def _scratch_bytes(n_in: int) -> int:
    """Widened inputs."""
    return 2 * STEP * steps_of(n_in)


def _with_room(call: KernelCall, room: int) -> KernelCall:
    """The packed call with scratch for inputs as wide as they are (1), or twice so: groups of 2 of BASELINE cores."""
    n_in = dict(call.literals)["in_n"]
    literals = tuple((name, room if name == "room" else value) for name, value in call.literals)
    return replace(call, literals=literals, scratch_bytes=room * _scratch_bytes(n_in), narrow=room == 1)


def _rescale(op: FullyConnected, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> Rescale:
    """LiteRT's reference kernel multiplies by the scale ratio in double and rounds once (checked by bisecting its
    thresholds); the Q31 pair is only the short form's starting point."""
    channels = ins[1].shape[0]
    multiplier, shift = channel_multipliers(ins[0].type, ins[1].type, outs[0].type, channels)
    lo, hi = activation_range(op.activation, outs[0].type)
    acc_lo, acc_hi = accumulator_range(weights_without_zero(ins), folded_bias(ins))
    real = channel_scales(ins[0].type, ins[1].type, outs[0].type, channels)
    return Rescale(multiplier, shift, outs[0].type.zero_point, lo, hi, acc_lo, acc_hi, real)
