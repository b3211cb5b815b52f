"""Values the templates print: one ``OpFunction`` an operator, with every address and argument worked out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tinyforge.codegen.arenas import Address
from tinyforge.codegen.views import View
from tinyforge.ir.program import KernelCall, Part, RowInput


@dataclass(frozen=True, slots=True)
class RowPointers:
    """An array of ``count`` row pointers and the statement that fills it; ``x_origin``: the column they point to."""

    name: str
    count: int
    fill: str
    x_origin: str


@dataclass(frozen=True, slots=True)
class KernelUse:
    """One call of a kernel with all its arguments."""

    kernel: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpFunction:
    """One operator's C function.

    form "rows": loops over rows [y0, y1): fills ``rows``, sets out0.. to ``outs``, runs ``uses`` and ``after``.
    ``begin`` and ``finish`` of a reduction run before the first and after the last piece.
    form "flat": runs ``uses``, then ``after``. ``fused``: takes the windows of its stage, and where ``sliced`` the
    number of the channel slice. ``uses`` is empty where the output already lies in place and nothing has to be done.
    """

    symbol: str
    index: int
    title: str
    form: str
    fused: bool
    y0: str
    y1: str
    rows: tuple[RowPointers, ...]
    outs: tuple[str, ...]
    uses: tuple[KernelUse, ...]
    after: tuple[str, ...]
    begin: tuple[KernelUse, ...] = ()
    finish: tuple[KernelUse, ...] = ()
    finished: tuple[str, ...] = ()
    sliced: bool = False


@dataclass(frozen=True, slots=True)
class OpSite:
    """Where an operator runs: its views and, inside a fused stage, the index of its window and whether it makes one
    channel slice at a time (``slice`` is its number in C)."""

    symbol: str
    index: int
    title: str
    inputs: Mapping[int, View]
    outputs: tuple[View, ...]
    window: int | None = None
    scratch: Address | None = None
    sliced: bool = False


def op_function(call: KernelCall, site: OpSite, tables: Sequence[str]) -> OpFunction:
    """The function for one kernel call at one place."""
    in_place = _lies_in_place(call, site)
    if call.form == "rows" and not in_place:
        return _row_function(call, site, tables)
    if call.form == "reduce":
        return _reduce_function(call, site, tables)
    outs = tuple(v.base.of(v.ctype) for v in site.outputs)
    ins = {i: v.base.of(f"const {v.ctype}") for i, v in site.inputs.items()}
    uses = tuple(
        KernelUse(p.kernel, (*(ins[i] for i in p.inputs), *(outs[o] for o in p.outputs), *_constants(p, site, tables)))
        for p in (() if in_place else _parts(call, site))
    )
    after = tuple(_trace(site, o, outs[o], "0", str(v.height * v.row_bytes)) for o, v in enumerate(site.outputs))
    return OpFunction(site.symbol, site.index, site.title, "flat", False, "0", "0", (), (), uses, after)


def _row_function(call: KernelCall, site: OpSite, tables: Sequence[str]) -> OpFunction:
    fused = site.window is not None
    merge = call.merge_rows and not fused
    ins = {i: v.merged() if merge else v for i, v in site.inputs.items()}
    outs = tuple(v.merged() if merge else v for v in site.outputs)
    y0, y1, x0, x1 = _extent(site, outs[0])
    rows = tuple(_row_pointers(n, spec, ins[spec.index]) for n, spec in enumerate(call.inputs))
    after = [v.after_write("y", x0, x1) for v in outs]
    for o, v in enumerate(outs):
        if site.sliced:
            after.append(_trace_slice(site, o, v, (x0, x1)))
            continue
        offset = f"y * {v.width * v.pixel_bytes}" + ("" if x0 == "0" else f" + {x0} * {v.pixel_bytes}")
        length = f"({x1} - {x0}) * {v.pixel_bytes}" if fused else str(v.width * v.pixel_bytes)
        after.append(_trace(site, o, f"out{o}", offset, length))
    return OpFunction(
        symbol=site.symbol,
        index=site.index,
        title=site.title,
        form="rows",
        fused=fused,
        y0=y0,
        y1=y1,
        rows=rows,
        outs=tuple(v.pixel("y", x0) for v in outs),
        uses=tuple(_row_use(part, site, tables, rows, (x0, x1)) for part in _parts(call, site)),
        after=tuple(line for line in after if line),
        sliced=site.sliced,
    )


def _reduce_function(call: KernelCall, site: OpSite, tables: Sequence[str]) -> OpFunction:
    """A reduction walks its input: the window of its stage is a window of the input."""
    view = site.inputs[call.inputs[0].index]
    y0, y1, x0, x1 = _extent(site, view)
    rows = (_row_pointers(0, call.inputs[0], view),)
    (part,) = _parts(call, site)
    acc, *constants = _constants(part, replace(site, scratch=None), tables, first=_scratch(site))
    out = site.outputs[0].base.of(site.outputs[0].ctype)
    return OpFunction(
        symbol=site.symbol,
        index=site.index,
        title=site.title,
        form="rows",
        fused=site.window is not None,
        y0=y0,
        y1=y1,
        rows=rows,
        outs=(),
        uses=(KernelUse(f"{call.kernel}_rows", (rows[0].name, rows[0].x_origin, acc, x0, x1, *constants)),),
        after=(),
        begin=(KernelUse(f"{call.kernel}_begin", (acc, *constants)),),
        finish=(KernelUse(f"{call.kernel}_finish", (acc, out, *constants)),),
        finished=(_trace(site, 0, out, "0", str(site.outputs[0].height * site.outputs[0].row_bytes)),),
    )


def _extent(site: OpSite, out: View) -> tuple[str, str, str, str]:
    """(y0, y1, x0, x1) of what the function computes, as C expressions."""
    if site.window is None:
        return "0", str(out.height), "0", str(out.width)
    window = f"w[{site.window}]"
    return f"{window}.rows.lo", f"{window}.rows.hi", f"{window}.cols.lo", f"{window}.cols.hi"


def _row_pointers(number: int, spec: RowInput, view: View) -> RowPointers:
    name = f"rows{number}"
    return RowPointers(
        name, spec.count, view.fill_rows(name, spec.count, row_start(spec), spec.dilation), view.x_origin
    )


def _row_use(
    part: Part, site: OpSite, tables: Sequence[str], rows: Sequence[RowPointers], span: tuple[str, str]
) -> KernelUse:
    pointers = [text for i in part.inputs for text in (rows[i].name, rows[i].x_origin)]
    outs = [f"out{o}" for o in part.outputs]
    y = ["y"] if part.wants_y else []
    return KernelUse(part.kernel, (*pointers, *outs, *span, *y, *_constants(part, site, tables)))


def _constants(part: Part, site: OpSite, tables: Sequence[str], first: tuple[str, ...] = ()) -> tuple[str, ...]:
    """``first``, then tables, scratch and literals: what follows the operands in every call."""
    literals = (f"/*{name}*/ {c_int(int(value))}" for name, value in part.literals)
    return (*first, *(tables[i] for i in part.tables), *_scratch(site), *literals)


def _scratch(site: OpSite) -> tuple[str, ...]:
    return () if site.scratch is None else (site.scratch.of("void"),)


def _trace(site: OpSite, output: int, data: str, offset: str, length: str) -> str:
    return f"TF_TRACE({site.index}, {output}, {data}, {offset}, {length});"


def _trace_slice(site: OpSite, output: int, view: View, span: tuple[str, str]) -> str:
    """Traces a row segment of a slice pixel by pixel: in the whole tensor they do not lie side by side."""
    data = f"out{output} + (x - {span[0]}) * {view.pixel_bytes}"
    offset = f"(y * {view.width} + x) * {view.tensor_bytes} + slice * {view.share_bytes}"
    trace = _trace(site, output, data, offset, str(view.share_bytes))
    return f"for (int32_t x = {span[0]}; x < {span[1]}; ++x) {{ {trace} }}"


def row_start(spec: RowInput) -> str:
    """C expression of the first input row that output row y needs."""
    scaled = "y" if spec.rows.num == 1 else f"y * {spec.rows.num}"
    shifted = scaled if spec.rows.lo == 0 else f"{scaled} {'+' if spec.rows.lo > 0 else '-'} {abs(spec.rows.lo)}"
    return shifted if spec.rows.den == 1 else f"tf_floor_div({shifted}, {spec.rows.den})"


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


def _lies_in_place(call: KernelCall, site: OpSite) -> bool:
    """Whether an aliasing operator has nothing to do here."""
    return call.alias and site.window is None and site.inputs[call.in_place[0]].base == site.outputs[0].base
