"""Operators of the file that become several: grouped convolutions, TILE, REDUCE_MAX over rows and columns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tinyforge.errors import UnsupportedModel
from tinyforge.importers.from_tflite_ops import BUILDERS, Operands
from tinyforge.importers.from_tflite_reasons import require_quantisation
from tinyforge.importers.from_tflite_tensors import convert_tensor
from tinyforge.ir.graph import Node, Tensor, swap_ends
from tinyforge.ir.types import Quant, TensorType
from tinyforge.ops import OPS
from tinyforge.ops.base import Activation, Op

MAX_PARTS = 64  # copies of a TILE, groups of a convolution


@dataclass
class Assembly:
    """Collects the nodes of one operator of the file; the last one makes its output and carries its name and index."""

    operands: Operands
    taken: Collection[str]
    nodes: list[Node] = field(default_factory=list)
    made: dict[str, Tensor] = field(default_factory=dict)

    def label(self, suffix: str) -> str:
        """A tensor name that the file does not have."""
        name = f"{self.operands.outs[0].name}/{suffix}"
        while name in self.taken:
            name += "_"
        return name

    @property
    def output(self) -> Tensor:
        return self.made[self.nodes[-1].outputs[0]]

    def step(self, kind: str, attributes: dict[str, Any], ins: Sequence[Tensor], like: TensorType) -> list[Tensor]:
        """An operator in between; its outputs have the element type and quantisation of ``like``."""
        op: Op = OPS[kind](**attributes)
        at = len(self.nodes)
        outs = [Tensor(self.label(f"{at}.{i}"), replace(like, shape=s)) for i, s in enumerate(op.infer(ins))]
        self._append(op, outs[0].name, ins, outs, -1)
        return outs

    def finish(self, kind: str, attributes: dict[str, Any], ins: Sequence[Tensor]) -> None:
        """The operator that makes the output."""
        op: Op = OPS[kind](**attributes)
        raw = self.operands.outs[0]
        out = convert_tensor(replace(raw, shape=op.infer(ins)[0], data=None))
        require_quantisation(self.operands.op, ins, [out])
        self._append(op, raw.name, ins, [out], self.operands.op.index)

    def _append(self, op: Op, name: str, ins: Sequence[Tensor], outs: list[Tensor], source: int) -> None:
        op.check(ins, outs)
        self.nodes.append(Node(name, op, tuple(t.name for t in ins), tuple(t.name for t in outs), source))
        self.made.update({t.name: t for t in (*ins, *outs)})


def is_grouped(o: Operands) -> bool:
    """A CONV_2D whose weights are for a part of the input's channels."""
    if o.op.code != "CONV_2D" or len(o.present(0, 1)) < 2:
        return False
    x, w = o.x(0).shape, o.x(1).shape
    return len(x) == len(w) == 4 and 0 < w[3] < x[3] and x[3] % w[3] == 0


def assemble(o: Operands, taken: Collection[str]) -> Assembly:
    """The operators for one of ``COMPOUND`` or a grouped convolution; ``taken``: the tensor names of the file."""
    assembly = Assembly(o, taken)
    if any(t is not None and t.data is not None for t in o.ins[:1]):
        raise UnsupportedModel("its input is a constant")
    COMPOUND[o.op.code](o, assembly)
    return assembly


def _grouped(o: Operands, a: Assembly) -> None:
    x, w = o.x(0), o.x(1)
    groups, channels = x.shape[3] // w.shape[3], w.shape[0]
    if channels % groups or w.data is None or any(o.x(p).data is None for p in o.present(2)):
        raise UnsupportedModel(f"{channels} output channels in {groups} groups, or weights that are not constant")
    recipe = BUILDERS["CONV_2D"](o)
    bias = [o.x(p) for p in o.present(2)]
    if w.shape[3] == 1:
        attributes = recipe.attributes | {"multiplier": channels // groups}
        return a.finish("depthwise_conv2d", attributes, [x, swap_ends(w, a.label("weights"), 3), *bias])
    if groups > MAX_PARTS:
        raise UnsupportedModel(f"{groups} groups, the limit is {MAX_PARTS}")
    parts = a.step("split", {"axis": 3, "sizes": (w.shape[3],) * groups}, [x], x.type)
    out, results, size = convert_tensor(o.outs[0]).type, [], channels // groups
    for i, part in enumerate(parts):
        names = a.label(f"weights.{i}"), a.label(f"bias.{i}")
        constants = [_rows(t, i * size, (i + 1) * size, n) for t, n in zip((w, *bias), names, strict=False)]
        results += a.step("conv2d", recipe.attributes, [part, *constants], out)
    return a.finish("concatenation", {"axis": 3, "activation": Activation.NONE}, results)


def _rows(t: Tensor, lo: int, hi: int, name: str) -> Tensor:
    """Output channels [lo, hi) of weights or bias."""
    quant = t.type.quant
    if quant is not None and quant.per_channel:
        quant = Quant(quant.scale[lo:hi], quant.zero_point[lo:hi], quant.axis if hi - lo > 1 else None)
    data = t.array()[lo:hi]
    return Tensor(name, TensorType(data.shape, t.type.dtype, quant), data)


def _tile(o: Operands, a: Assembly) -> None:
    """Copies side by side, axis after axis."""
    x, counts = o.x(0), o.integers(1)
    if len(counts) != len(x.shape) or not all(1 <= n <= MAX_PARTS for n in counts):
        raise UnsupportedModel(f"copies {list(counts)} of {list(x.shape)}; at most {MAX_PARTS} along a dimension")
    axes = [axis for axis, n in enumerate(counts) if n > 1]
    if not axes:
        return a.finish("reshape", {"shape": x.shape}, [x])
    for axis in axes[:-1]:
        x = a.step("concatenation", {"axis": axis, "activation": Activation.NONE}, [x] * counts[axis], x.type)[0]
    last = axes[-1]
    return a.finish("concatenation", {"axis": last, "activation": Activation.NONE}, [x] * counts[last])


def _reduce_max(o: Operands, a: Assembly) -> None:
    """A max pool whose window is the whole feature map."""
    x = o.x(0)
    rank = len(x.shape)
    axes = {o.axis(n, rank) for n in o.integers(1)}
    if (rank, axes) not in ((4, {1, 2}), (3, {1})):
        raise UnsupportedModel(f"the maximum over dimensions {sorted(axes)}; supported is rows and columns together")
    shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape) if i not in axes or o.option("KeepDims"))
    if rank == 3:
        x = a.step("reshape", {"shape": (x.shape[0], 1, *x.shape[1:])}, [x], x.type)[0]
    pool = {"size": x.shape[1:3], "stride": (1, 1), "padding": (0, 0, 0, 0), "activation": Activation.NONE}
    x = a.step("max_pool2d", pool, [x], x.type)[0]
    return a.finish("reshape", {"shape": shape}, [x])


COMPOUND: dict[str, Callable[[Operands, Assembly], None]] = {
    "CONV_2D": _grouped,
    "TILE": _tile,
    "REDUCE_MAX": _reduce_max,
}
