"""Values the templates print: one ``OpFunction`` an operator, one ``StageFunction`` a fused stage.

All arithmetic on addresses, strides and sizes ends here; the templates only place the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinyforge.ir.program import KernelCall, Part, RowInput


@dataclass(frozen=True, slots=True)
class View:
    """How C reaches a tensor: row y starts at ``base`` + slot(y) * ``row_bytes``; the first stored pixel of a row is
    column ``x_origin``. ``slots`` > 0: ring of rows; ``y_origin`` is the row in slot 0 (both C expressions)."""

    base: int
    ctype: str
    row_bytes: int
    pixel_bytes: int
    height: int
    width: int
    slots: int = 0
    y_origin: str = "0"
    x_origin: str = "0"


@dataclass(frozen=True, slots=True)
class RowPointers:
    """Arguments of one ``tf_rows`` call."""

    number: int
    count: int
    first: str
    dilation: int
    view: View


@dataclass(frozen=True, slots=True)
class KernelUse:
    """One call of a kernel: the operands it gets, by their place in the function's ``rows`` or as views."""

    kernel: str
    rows: tuple[RowPointers, ...]
    flat_inputs: tuple[View, ...]
    outputs: tuple[int, ...]
    wants_y: bool
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpFunction:
    """One operator's C function. ``window``: name of the tf_window to compute, empty for whole layers. ``uses`` is
    empty where the output already lies in place."""

    symbol: str
    index: int
    title: str
    form: str
    window: str
    y0: str
    y1: str
    x0: str
    x1: str
    rows: tuple[RowPointers, ...]
    outputs: tuple[View, ...]
    uses: tuple[KernelUse, ...]
    trace: tuple[TraceRow, ...]


@dataclass(frozen=True, slots=True)
class TraceRow:
    """What one traced piece of output ``index`` is: a row segment, or the whole tensor for flat kernels."""

    index: int
    row_bytes: int
    pixel_bytes: int
    total_bytes: int


def row_start(spec: RowInput) -> str:
    """C expression of the first input row that output row y needs."""
    scaled = "y" if spec.rows.num == 1 else f"y * {spec.rows.num}"
    shifted = scaled if spec.rows.lo == 0 else f"{scaled} {'+' if spec.rows.lo > 0 else '-'} {abs(spec.rows.lo)}"
    return shifted if spec.rows.den == 1 else f"tf_floor_div({shifted}, {spec.rows.den})"


def merged(view: View) -> View:
    """The same whole tensor seen as one row of H*W pixels."""
    pixels = view.height * view.width
    return View(view.base, view.ctype, view.row_bytes * view.height, view.pixel_bytes, 1, pixels)


@dataclass(frozen=True, slots=True)
class OpSite:
    """Where an operator runs: its views and, inside a fused stage, the index of its window."""

    symbol: str
    index: int
    title: str
    inputs: Mapping[int, View]
    outputs: tuple[View, ...]
    window: int | None = None
    scratch: int | None = None


def c_int(value: int) -> str:
    """An int32 literal; INT32_MIN has no literal of its own in C."""
    return "(-2147483647 - 1)" if value == -(2**31) else str(value)


def _parts(call: KernelCall, site: OpSite) -> tuple[Part, ...]:
    """The operator's calls: its parts, or the one call on every operand."""
    if call.parts:
        return call.parts
    operands = tuple(range(len(call.inputs))) if call.form == "rows" else tuple(site.inputs)
    outputs, tables = tuple(range(len(site.outputs))), tuple(range(len(call.tables)))
    return (Part(call.kernel, operands, outputs, tables, call.literals, call.wants_y),)


def _use(
    part: Part, site: OpSite, tables: Sequence[str], rows: Sequence[RowPointers], inputs: Mapping[int, View]
) -> KernelUse:
    scratch = () if site.scratch is None else (f"ARENA(void, {site.scratch})",)
    literals = (f"/*{name}*/ {c_int(int(value))}" for name, value in part.literals)
    return KernelUse(
        kernel=part.kernel,
        rows=tuple(rows[i] for i in part.inputs) if rows else (),
        flat_inputs=() if rows else tuple(inputs[i] for i in part.inputs),
        outputs=part.outputs,
        wants_y=part.wants_y,
        arguments=(*(tables[i] for i in part.tables), *scratch, *literals),
    )


def _lies_in_place(call: KernelCall, site: OpSite) -> bool:
    """Whether an aliasing operator has nothing to do here."""
    return call.alias and site.window is None and site.inputs[call.in_place[0]].base == site.outputs[0].base


def op_function(call: KernelCall, site: OpSite, tables: Sequence[str]) -> OpFunction:
    """The function for one kernel call at one place."""
    merge = call.merge_rows and site.window is None
    change = merged if merge else (lambda view: view)
    inputs = {i: change(v) for i, v in site.inputs.items()}
    outputs = tuple(change(v) for v in site.outputs)
    window = "" if site.window is None else f"w[{site.window}]"
    specs = call.inputs if call.form == "rows" else ()
    rows = tuple(RowPointers(n, s.count, row_start(s), s.dilation, inputs[s.index]) for n, s in enumerate(specs))
    parts = () if _lies_in_place(call, site) else _parts(call, site)
    return OpFunction(
        symbol=site.symbol,
        index=site.index,
        title=site.title,
        form=call.form if parts else "flat",
        window=window,
        y0=f"{window}.rows.lo" if window else "0",
        y1=f"{window}.rows.hi" if window else str(outputs[0].height),
        x0=f"{window}.cols.lo" if window else "0",
        x1=f"{window}.cols.hi" if window else str(outputs[0].width),
        rows=rows if parts else (),
        outputs=outputs,
        uses=tuple(_use(part, site, tables, rows, inputs) for part in parts),
        trace=tuple(
            TraceRow(i, v.width * v.pixel_bytes, v.pixel_bytes, v.width * v.pixel_bytes * v.height)
            for i, v in enumerate(site.outputs if not merge else outputs)
        ),
    )
