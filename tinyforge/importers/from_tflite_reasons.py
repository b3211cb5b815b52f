"""Why an operator of a `.tflite` file cannot be compiled, in words that say what to do."""

from __future__ import annotations

from collections.abc import Sequence

from tinyforge.errors import UnsupportedModel
from tinyforge.importers.from_tflite_raw import RawOperator, RawTensor
from tinyforge.importers.from_tflite_schema import CONTROL_FLOW, RECURRENT, STATEFUL
from tinyforge.ir.graph import Tensor
from tinyforge.ir.types import DType

QUANTISE = (
    "convert with full-integer post-training quantisation "
    "(Optimize.DEFAULT, a representative dataset, TFLITE_BUILTINS_INT8)"
)
_INT4 = "quantise weights and activations to int8 (int4 and other packed types are not supported)"
_FLOAT_EDGES = frozenset({"QUANTIZE", "DEQUANTIZE"})
_WEIGHTED = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "TRANSPOSE_CONV": 0, "FULLY_CONNECTED": 0}  # -> axis of the channels
_NO_SCALE_NEEDED = frozenset({"CONV_2D/2", "DEPTHWISE_CONV_2D/2", "FULLY_CONNECTED/2", "TRANSPOSE_CONV/3"})  # biases


class Refusal(Exception):
    """A reason and an advice; never leaves the importer."""

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(reason)
        self.reason, self.advice = reason, advice


def refuse_code(op: RawOperator, known: bool) -> None:
    """Raises Refusal for operators that cannot be compiled whatever their operands are."""
    if op.code == "CUSTOM":
        raise Refusal(
            f"custom operator {op.custom or 'without a name'}",
            "replace custom operators by built-in ones, or move that part of the model out of the network",
        )
    if op.code in RECURRENT or op.code in STATEFUL:
        raise Refusal(
            "recurrent networks and states kept between inferences are not supported yet",
            "use a feed-forward network (convolutions over a window of time), or unroll the recurrence",
        )
    if op.code in CONTROL_FLOW:
        raise Refusal("control flow is not supported", "export one inference function without loops or branches")
    if not known:
        raise Refusal(
            f"operator {op.code} is not supported",
            "replace it in the model; docs/operators.md lists what is supported",
        )


def refuse_types(op: RawOperator, ins: Sequence[RawTensor | None], outs: Sequence[RawTensor]) -> None:
    """Raises Refusal where the element types are not those of a full-integer network."""
    tensors = [t for t in ins if t is not None] + list(outs)
    packed = [t for t in tensors if t.dtype in ("INT4", "INT2", "UINT4")]
    if packed:
        raise Refusal(f"tensor {packed[0].name} is {packed[0].dtype.lower()}", _INT4)
    if any(t.dtype == "FLOAT16" for t in tensors):
        raise Refusal("it computes with float16 weights", QUANTISE)
    if op.code not in _FLOAT_EDGES and any(t.dtype == "INT16" and t.scale for t in tensors):
        raise Refusal("it computes with int16 activations (16x8 quantisation)", QUANTISE)
    if not any(t.dtype == "FLOAT32" for t in tensors) or op.code in _FLOAT_EDGES:
        return
    if any(t is not None and t.dtype in ("INT8", "UINT8") and t.data is not None for t in ins):
        raise Refusal("it is hybrid: int8 weights, but float32 activations (dynamic-range quantisation)", QUANTISE)
    raise Refusal("it computes in float32; only fully quantised int8 and uint8 networks are supported", QUANTISE)


def require_quantisation(op: RawOperator, ins: Sequence[Tensor | None], outs: Sequence[Tensor]) -> None:
    """Raises UnsupportedModel when an 8-bit or 16-bit tensor the operator computes with has no scale."""
    for i, tensor in enumerate([*ins, *outs]):
        if tensor is None or f"{op.code}/{i}" in _NO_SCALE_NEEDED or tensor.type.quant is not None:
            continue
        if tensor.type.dtype in (DType.INT8, DType.INT16, DType.UINT8):
            raise UnsupportedModel(f"tensor {tensor.name} is {tensor.type.dtype.value} without a scale; quantise it")


def require_sound_weights(op: RawOperator, ins: Sequence[Tensor], out: Tensor, was_uint8: bool) -> None:
    """Weights and bias as the reference kernels expect them. ``ins``: x, w, [bias] in the graph's order."""
    if op.code not in _WEIGHTED:
        return
    x, w = ins[0].type, ins[1].type
    if w.quant is None or out.type.quant is None:
        return
    axis = _WEIGHTED[op.code]
    if w.quant.per_channel and w.quant.axis != axis:
        raise UnsupportedModel(f"weights {ins[1].name} are quantised along dimension {w.quant.axis}, expected {axis}")
    asymmetric = any(w.quant.zero_point) and (w.quant.per_channel or not was_uint8)
    if asymmetric and op.code != "FULLY_CONNECTED":
        raise UnsupportedModel(f"int8 weights {ins[1].name} have zero point {w.zero_point}; it must be 0")
    if len(ins) > 2:
        _require_bias_scale(ins, out, x.scale * w.scale)


def _require_bias_scale(ins: Sequence[Tensor], out: Tensor, product: float) -> None:
    """The reference kernels' rule for per-tensor weights: within 2 % of an output quantum."""
    bias, w = ins[2].type, ins[1].type
    if bias.quant is None or (w.quant and w.quant.per_channel) or bias.quant.per_channel:
        return
    if abs(product - bias.scale) / out.type.scale > 0.02:
        raise UnsupportedModel(
            f"bias {ins[2].name} has scale {bias.scale:g}, input scale x weight scale is {product:g}; export it again"
        )
