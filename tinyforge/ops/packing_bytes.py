"""Weights of a byte each, four output channels together: what layouts for Helium and for cores without SMLAD share."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tinyforge.ir.program import KernelCall, Proof, RowInput, Table
from tinyforge.ir.types import IntArray
from tinyforge.ops.requant import Rounding

GROUP = 4  # output channels a core computes together
WINDOW_KERNELS = ("tf_conv2d_mve_s8", "tf_conv2d_scalar_s8")
BYTES_KERNELS = (
    *WINDOW_KERNELS,
    *("tf_conv2d_inside_mve_s8", "tf_conv2d_inside_scalar_s8"),
    *("tf_pointwise_mve_s8", "tf_pointwise_scalar_s8"),
)


@dataclass(frozen=True, slots=True, eq=False)
class PackedBytes:
    """A stream of weights of a byte each, and how the cores finish its sums. cores: that read it, part of the kernels'
    names."""

    stream: IntArray
    rounding: Rounding
    lo: int
    hi: int
    proof: Proof
    cores: str

    def kernel(self, what: str) -> str:
        """Of ``conv2d``, ``conv2d_inside`` (without scratch), ``pointwise``, ``fully_connected``, ``depthwise``."""
        return f"tf_{what}_{self.cores}_s8"

    def literals(self) -> tuple[tuple[str, int], ...]:
        """The last ones of every kernel on such a stream."""
        return (("rounding", self.rounding.value), ("lo", self.lo), ("hi", self.hi))


def group_offsets(channels: int) -> list[int]:
    """First channels of the groups, ascending; where ``channels`` is no multiple of a group the last two overlap."""
    return [*range(0, channels - GROUP + 1, GROUP), *([channels - GROUP] if channels % GROUP else [])]


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
    """The same with one window at a time: half the scratch of two."""
    if dict(call.literals)["at_once"] == 1:
        return call
    literals = tuple((name, 1 if name == "at_once" else value) for name, value in call.literals)
    return replace(call, literals=literals, scratch_bytes=call.scratch_bytes // 2)


def fits_int8(weights: IntArray) -> bool:
    return bool((weights >= -128).all() and (weights <= 127).all())


def words(vectors: IntArray) -> IntArray:
    """Bytes of int8 values, four to an int32, the first lowest."""
    data = np.ascontiguousarray(vectors, np.int8).tobytes()
    return np.asarray(np.frombuffer(data, "<i4"), np.int64)
