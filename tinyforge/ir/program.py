"""What the generated C will contain, without any C in it: kernel calls, tables, views. Plain numbers and names."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from tinyforge.ir.types import Array
from tinyforge.ir.window import AxisMap


class Isa(enum.Enum):
    """Instruction sets that want tables laid out, or scratch sized, in another way. PORTABLE serves all others: its
    kernels choose by compiler macros. Whatever the set, plain C reads the same tables, and every core can run every
    call: what was lowered for another one is slow at worst.

    BASELINE: Armv6-M and Armv8-M baseline, with registers for one pixel at a time. SCALAR: others that multiply one
    pair of values at a time: Armv7-M, Armv8-M mainline without DSP, RISC-V, Xtensa."""

    PORTABLE = "portable"
    BASELINE = "baseline"
    SCALAR = "scalar"
    MVE = "mve"


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A constant array in flash. ``ctype`` is the C element type, ``name`` a suffix unique within the call. ``step``:
    of a call for one channel slice, elements from the part of a slice to that of the next one."""

    name: str
    ctype: str
    data: Array
    align: int = 4
    step: int = 0

    @property
    def nbytes(self) -> int:
        return int(self.data.size) * {"int8_t": 1, "uint8_t": 1, "int16_t": 2, "uint16_t": 2}.get(self.ctype, 4)


@dataclass(frozen=True, slots=True)
class RowInput:
    """An activation a row kernel reads. For output row y it gets ``count`` row pointers:
    k -> row floor((y*rows.num + rows.lo)/rows.den) + k*dilation, NULL where that row is outside the tensor."""

    index: int
    count: int
    rows: AxisMap
    cols: AxisMap
    dilation: int = 1


@dataclass(frozen=True, slots=True)
class Proof:
    """Which arithmetic a kernel uses in place of the reference's, and over what the two were found equal.

    ``channels`` of one accumulator each (0: alike for all), which lie in [low, high]; both are monotone step functions
    of it and were compared on both sides of every step and at both ends of every channel's own range. Or all
    ``points``: the values or pairs of values the operands can take.
    """

    form: str
    channels: int = 0
    low: int = 0
    high: int = 0
    points: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """One of several calls an operator is made of. ``inputs`` and ``tables``: positions in KernelCall's (for flat
    kernels ``inputs`` are indices of the node's inputs), ``outputs``: indices of the node's outputs. The arguments come
    in KernelCall's order, but only those of the part. ``header`` is the kernel's where that is not the call's."""

    kernel: str
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = (0,)
    tables: tuple[int, ...] = ()
    literals: tuple[tuple[str, int], ...] = ()
    wants_y: bool = False
    header: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class KernelCall:
    """One operator as calls of one C kernel; the kernel's header is ``firmware/kernels/<header>``.

    form "rows": called once per output row, computes the pixels [x0, x1) of it:
        kernel(rows_0, in_x0_0, [rows_1, ...] out_0, [out_1, ...] x0, x1, [y,] tables..., [scratch,] literals...)
      rows_i: ``const T *const *``, one pointer per row to its first *stored* pixel, which is column in_x0_i of the
      whole tensor; out: the pixel x0 of the output row (all int8). in_x0 and x0 are 0 and x1 is W in whole layers.
    form "flat": called once for the whole operator:
        kernel(in_0, in_1, ..., out_0, ..., tables..., [scratch,] literals...)
      in_i only for inputs that are not constants, in order.
    form "reduce": sums over all rows and columns (global pooling), fed with pieces in any order, each pixel once:
        kernel_begin(acc, tables..., literals...)
        kernel_rows(rows_0, in_x0_0, acc, x0, x1, tables..., literals...) for row segments [x0, x1) of the input
        kernel_finish(acc, out_0, tables..., literals...)
      acc is the scratch buffer; inputs[0] is one row with identity maps; the operator's ``accumulates`` is true.

    ``literals`` are printed as integer literals at the call so that the inlined kernel is specialised.
    ``in_place``: index of an input whose buffer may hold the output too (same size, element i read before written).
    ``merge_rows``: every output row only needs the same input row and pixels are independent (1x1 stride 1,
    elementwise): a whole layer is called once with W = H*W pixels. Literals must then not contain H or W.
    ``parts``: the operator is these calls one after the other (per output row, or whole), e.g. one for each operand of
    a concatenation; ``kernel``, ``literals`` and ``wants_y`` of the call itself are then unused.
    ``proofs``: why its integers are the reference's, where it does not compute as the reference does.
    ``alias``: the output's bytes are those of the input ``in_place[0]`` in the same order (a reshape): nothing is
    executed where both lie at the same place.
    ``narrow``: so little scratch that cores without SIMD (Armv6-M) take a slow way.
    """

    kernel: str
    header: str
    form: str
    inputs: tuple[RowInput, ...] = ()
    tables: tuple[Table, ...] = ()
    literals: tuple[tuple[str, int], ...] = ()
    scratch_bytes: int = 0
    wants_y: bool = False
    in_place: tuple[int, ...] = ()
    merge_rows: bool = False
    parts: tuple[Part, ...] = ()
    alias: bool = False
    narrow: bool = False
    proofs: tuple[Proof, ...] = field(default=())

    @property
    def headers(self) -> tuple[str, ...]:
        """Every kernel header the call needs."""
        return (self.header, *(part.header for part in self.parts if part.header))
