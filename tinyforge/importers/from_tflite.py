"""`.tflite` -> Graph. ``inspect`` reports on every operator, ``import_tflite`` gives the graph or one error naming all
that stands in the way.

The graph has int8 tensors only where the file has int8 or uint8 (uint8 is re-based exactly, with an adapter at the
edges), explicit paddings, constants instead of shape arithmetic, and batch 1. Shapes are inferred operator by operator
from the inputs' shapes, as the reference runtime does; what the file claims about inner shapes does not matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from tinyforge.errors import ModelError, UnsupportedModel
from tinyforge.importers.from_tflite_batches import Phase, on_phases, space_to_batch
from tinyforge.importers.from_tflite_compound import COMPOUND, assemble, is_grouped
from tinyforge.importers.from_tflite_ops import BUILDERS, Operands, Recipe
from tinyforge.importers.from_tflite_raw import MAX_ELEMENTS, MAX_RANK, RawModel, RawOperator, RawTensor, read_tflite
from tinyforge.importers.from_tflite_reasons import (
    Refusal,
    refuse_code,
    refuse_types,
    require_quantisation,
    require_sound_weights,
)
from tinyforge.importers.from_tflite_shapes import EVALUATORS, evaluate, is_shape_arithmetic
from tinyforge.importers.from_tflite_tensors import DTYPES, convert_tensor, quantisation
from tinyforge.importers.report import EdgeReport, ModelReport, OperatorReport
from tinyforge.interp.fold import fold_node
from tinyforge.ir.graph import Adapter, Graph, Node, Tensor
from tinyforge.ir.types import DType, TensorType
from tinyforge.ops import OPS
from tinyforge.ops.base import Op

BATCHES = frozenset({"SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"})
FOLDED = "folded: its result is known when the model is compiled"
MAX_WORK = 1 << 28  # elements of constants looked at, all operators together
FOLD_COST = 8  # computing an element compared with looking at it
_T = TypeVar("_T")
HOST_TAIL = {
    "LOG_SOFTMAX": "log_softmax",
    "SOFTMAX": "softmax",
}  # float, at the end: done by the caller


def inspect(path: Path) -> ModelReport:
    """Every operator of the file and whether it can be compiled. Raises ModelError for malformed files only."""
    return _convert(read_tflite(path))[0]


def import_tflite(path: Path) -> Graph:
    """The network of a file. Raises ModelError for malformed files, UnsupportedModel naming all obstacles."""
    return graph_of(read_tflite(path))


def graph_of(raw: RawModel) -> Graph:
    """As ``import_tflite``, from a file already read."""
    report, graph = _convert(raw)
    if not report.supported:
        raise report.refusal()
    return graph


def _convert(raw: RawModel) -> tuple[ModelReport, Graph]:
    try:
        return _Converter(raw).run()
    except ModelError:
        raise
    except Exception as error:  # a hostile file found an unguarded corner: still one clear error
        raise ModelError(
            f"{raw.file}: malformed TensorFlow Lite model ({type(error).__name__}: {error}); export the model again"
        ) from error


@dataclass
class _Converter:
    """State of one conversion: ``known`` holds the tensors available so far by index, ``blocked`` those that come out
    of operators that cannot be compiled."""

    raw: RawModel
    known: dict[int, Tensor] = field(default_factory=dict)
    blocked: set[int] = field(default_factory=set)
    nodes: list[Node] = field(default_factory=list)
    outputs: dict[int, int] = field(default_factory=dict)
    adapters: dict[str, tuple[Adapter, ...]] = field(default_factory=dict)
    phases: dict[int, Phase] = field(default_factory=dict)
    extra: dict[str, Tensor] = field(default_factory=dict)
    work: int = 0

    def __post_init__(self) -> None:
        operators = self.raw.operators
        self.makers = {i: op.code for op in operators for i in op.outputs}
        self.readers = Counter(i for op in operators for i in op.inputs)
        self.names = frozenset(tensor.name for tensor in self.raw.tensors)

    def run(self) -> tuple[ModelReport, Graph]:
        problems = list(self.raw.troubles)
        for index in self.raw.inputs:
            self.add_input(index, problems)
        operators = tuple(self.operator(op) for op in self.raw.operators)
        if not operators:
            problems.append("it has no operators")
        self.check_outputs(problems)
        edges = [tuple(_edge(self.raw.tensors[i]) for i in ids) for ids in (self.raw.inputs, self.raw.outputs)]
        report = ModelReport(self.raw.file, self.raw.name, edges[0], edges[1], operators, tuple(problems))
        return report, self.graph()

    def graph(self) -> Graph:
        names = {name for node in self.nodes for name in (*node.inputs, *node.outputs)}
        inputs = tuple(self.raw.tensors[i].name for i in self.raw.inputs)
        outputs = tuple(self.raw.tensors[self.outputs.get(i, i)].name for i in self.raw.outputs)
        pool = {**self.extra, **{t.name: t for t in self.known.values()}}
        tensors = {t.name: t for t in pool.values() if t.name in names or t.name in inputs or t.name in outputs}
        return Graph(self.raw.name, tensors, tuple(self.nodes), inputs, outputs, self.adapters)

    def add_input(self, index: int, problems: list[str]) -> None:
        raw = self.raw.tensors[index]
        try:
            tensor = convert_tensor(raw)
        except UnsupportedModel as error:
            problems.append(f"model input {raw.name}: {error}")
            self.blocked.add(index)
            return
        if index in self.known or tensor.data is not None:
            problems.append(f"model input {raw.name} is listed twice or is a constant")
        self.known[index] = tensor
        self.rebase_edge(raw, tensor)

    def rebase_edge(self, raw: RawTensor, tensor: Tensor) -> None:
        if raw.dtype == "UINT8" and tensor.type.dtype is DType.INT8:
            adapter = Adapter("rebase", tensor.shape, "uint8")
            self.adapters[tensor.name] = (*self.adapters.get(tensor.name, ()), adapter)

    def check_outputs(self, problems: list[str]) -> None:
        """Outputs must be computed; uint8 ones get their adapter."""
        made = {i for op in self.raw.operators for i in op.outputs}
        for index in self.raw.outputs:
            raw = self.raw.tensors[index]
            tensor = self.known.get(self.outputs.get(index, index))
            if index in self.phases:
                problems.append(f"model output {raw.name} is inside a dilated convolution")
            elif index not in made:
                problems.append(f"model output {raw.name} is not computed by any operator")
            elif tensor is not None and tensor.data is not None:
                problems.append(f"model output {raw.name} does not depend on any input")
            elif tensor is not None and tensor.name not in self.adapters:
                self.rebase_edge(raw, tensor)
        if not self.raw.outputs:
            problems.append("it has no outputs")

    def operator(self, op: RawOperator) -> OperatorReport:
        """Converts one operator; failures end up in the report and block what depends on them."""
        name = self.raw.tensors[op.outputs[0]].name if op.outputs else f"operator_{op.index}"
        kind = f"CUSTOM {op.custom}".strip() if op.code == "CUSTOM" else op.code
        try:
            note = self.convert(op, name)
        except Refusal as refusal:
            self.assume_outputs(op)
            return OperatorReport(op.index, name, kind, False, refusal.reason, refusal.advice)
        except UnsupportedModel as error:
            self.assume_outputs(op)
            return OperatorReport(op.index, name, kind, False, str(error), "change this operator in the model")
        return OperatorReport(op.index, name, kind, True, note=note)

    def assume_outputs(self, op: RawOperator) -> None:
        """After an operator that cannot be compiled: go on with what the file says about its outputs, so that the
        operators behind it are examined too. Integers may be shape arithmetic: what needs them stays unexamined."""
        for index in op.outputs:
            try:
                tensor = convert_tensor(self.raw.tensors[index])
            except UnsupportedModel:
                tensor = None
            if tensor is None or tensor.data is not None or tensor.type.dtype in (DType.INT32, DType.INT64):
                self.blocked.add(index)
            elif index not in self.known:
                self.known[index] = tensor

    def convert(self, op: RawOperator, name: str) -> str:
        """Adds the operator to the graph; gives the report's note."""
        refuse_code(op, any(op.code in table for table in (BUILDERS, EVALUATORS, BATCHES, COMPOUND)))
        raws = [None if i < 0 else self.raw.tensors[i] for i in op.inputs]
        outs = tuple(self.raw.tensors[i] for i in op.outputs)
        self.claim_outputs(op, outs)
        if self.is_host_tail(op, outs):
            return self.host_tail(op, outs[0])
        refuse_types(op, raws, outs)
        if any(i in self.blocked for i in op.inputs):
            self.blocked.update(op.outputs)
            return "not examined: it needs the result of an operator that cannot be compiled"
        ins = tuple(None if i < 0 else self.tensor(i, op) for i in op.inputs)
        self.spend(sum(t.type.elements for t in ins if t is not None and t.data is not None))
        operands = Operands(op, ins, outs, any(r is not None and r.dtype == "UINT8" for r in raws))
        if op.code in BATCHES or any(i in self.phases for i in op.inputs):
            return self.add_phased(operands, name)
        if is_shape_arithmetic(operands):
            data = evaluate(operands)
            dtype = DTYPES[outs[0].dtype]
            kind = TensorType(data.shape, dtype, quantisation(outs[0], dtype))
            self.known[op.outputs[0]] = Tensor(outs[0].name, kind, data)
            return FOLDED
        if is_grouped(operands) or (op.code in COMPOUND and op.code not in BUILDERS):
            return self.add_compound(operands)
        if op.code not in BUILDERS:
            raise UnsupportedModel(f"operator {op.code} is only supported in shape arithmetic")
        return self.add_node(operands, BUILDERS[op.code](operands), name)

    def claim_outputs(self, op: RawOperator, outs: tuple[RawTensor, ...]) -> None:
        """A file whose operators write the same tensor twice, or a constant, is malformed."""
        if not outs:
            raise UnsupportedModel("it has no outputs")
        for index, raw in zip(op.outputs, outs, strict=True):
            if index in self.known or index in self.blocked or raw.data is not None or op.outputs.count(index) > 1:
                raise ModelError(
                    f"{self.raw.file}: malformed TensorFlow Lite model: operator {op.index} writes tensor {raw.name}, "
                    f"which already has a value; export the model again"
                )

    def tensor(self, index: int, op: RawOperator) -> Tensor:
        """An operator's input: known already, or a constant of the file."""
        if index not in self.known:
            raw = self.raw.tensors[index]
            tensor = convert_tensor(raw)
            if tensor.data is None:
                raise ModelError(
                    f"{self.raw.file}: malformed TensorFlow Lite model: operator {op.index} ({op.code}) reads tensor "
                    f"{raw.name} before anything has computed it; export the model again"
                )
            self.known[index] = tensor
        return self.known[index]

    def add_phased(self, operands: Operands, name: str) -> str:
        """An operator between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND: part of a dilated convolution."""
        op = operands.op
        phase = self.phases.get(op.inputs[0]) if op.inputs else None
        if any(i in self.phases for i in op.inputs[1:]) or (phase is None) != (op.code == "SPACE_TO_BATCH_ND"):
            raise UnsupportedModel("SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND that are no dilated convolution")
        recipe, after = space_to_batch(operands) if phase is None else on_phases(operands, phase)
        self.add_node(operands, recipe, name)
        if after is not None:
            self.phases[op.outputs[0]] = after
        if self.nodes and self.nodes[-1].name == name and after is not None:
            self.nodes[-1] = replace(self.nodes[-1], source=-1)  # the file's tensor has another layout
        return "part of a dilated convolution"

    def add_compound(self, operands: Operands) -> str:
        """An operator that becomes several."""
        assembly = _guarded(operands.op, lambda: assemble(operands, self.names))
        self.extra.update(assembly.made)
        self.nodes += assembly.nodes
        self.known[operands.op.outputs[0]] = assembly.output
        return "" if len(assembly.nodes) == 1 else f"compiled as {len(assembly.nodes)} operators"

    def add_node(self, operands: Operands, recipe: Recipe, name: str) -> str:
        """Builds the operator, infers its outputs, checks it, and folds it when all its inputs are constants."""
        op = operands.op
        if recipe.kind not in OPS:
            raise UnsupportedModel(f"operator {op.code} is not supported")
        built = OPS[recipe.kind](**recipe.attributes)
        ins = [operands.x(i) for i in recipe.inputs]
        outs = self.inferred(operands, _guarded(op, lambda: built.infer(ins)))
        require_quantisation(op, operands.ins, outs)
        require_sound_weights(op, ins, outs[0], operands.was_uint8)
        if all(t.data is not None for t in ins):
            return self.fold(op, built, ins, outs)
        _guarded(op, lambda: built.check(ins, outs))
        self.known.update(zip(op.outputs, outs, strict=True))
        inputs, outputs = tuple(t.name for t in ins), tuple(t.name for t in outs)
        self.nodes.append(Node(name, built, inputs, outputs, op.index))
        return ""

    def fold(self, op: RawOperator, built: Op, ins: list[Tensor], outs: list[Tensor]) -> str:
        """An operator with only constant inputs becomes constants, within limits for the file as a whole."""
        self.spend(sum(t.type.elements for t in (*ins, *outs)) * FOLD_COST)
        folded = _guarded(op, lambda: fold_node(built, ins, outs))
        if folded is None:
            raise UnsupportedModel("all its inputs are constants and its result is too large to compute beforehand")
        self.known.update(zip(op.outputs, folded, strict=True))
        return FOLDED

    def spend(self, elements: int) -> None:
        """Limits the work a file can ask for: constants may be used by many operators."""
        self.work += elements
        if self.work > MAX_WORK:
            raise ModelError(f"{self.raw.file}: its operators use more constants than any microcontroller model has")

    def inferred(self, operands: Operands, shapes: tuple[tuple[int, ...], ...]) -> list[Tensor]:
        """The output tensors with their inferred shapes."""
        raws = operands.outs
        if len(shapes) != len(raws):
            raise UnsupportedModel(f"it has {len(raws)} outputs, {len(shapes)} were expected")
        outs = []
        for raw, shape in zip(raws, shapes, strict=True):
            elements = 1
            for n in shape:
                elements *= n
            if len(shape) > MAX_RANK or not 0 < elements <= MAX_ELEMENTS or min(shape, default=1) < 1:
                raise UnsupportedModel(f"its output would have shape {list(shape)}; limit {MAX_ELEMENTS:,} elements")
            outs.append(convert_tensor(_reshaped(raw, shape)))
        return outs

    def is_host_tail(self, op: RawOperator, outs: tuple[RawTensor, ...]) -> bool:
        """A float (log-)softmax between a DEQUANTIZE and a model output."""
        if op.code not in HOST_TAIL or len(op.inputs) != 1 or len(op.outputs) != 1 or op.inputs[0] not in self.known:
            return False
        source, result = op.inputs[0], op.outputs[0]
        if outs[0].dtype != "FLOAT32" or self.makers.get(source) != "DEQUANTIZE":
            return False
        edge = self.raw.outputs.count(result) == 1 and source not in self.raw.outputs
        return edge and self.readers[source] == 1 and self.readers[result] == 0

    def host_tail(self, op: RawOperator, out: RawTensor) -> str:
        source = self.known[op.inputs[0]]
        beta = float(op.options.get("Beta", 1.0))
        self.adapters[source.name] = (Adapter(HOST_TAIL[op.code], source.shape, "float32", scale=beta),)
        self.outputs[op.outputs[0]] = op.inputs[0]
        self.known[op.outputs[0]] = Tensor(out.name, source.type)
        return "computed in float32 by the caller, from the dequantised output"


def _reshaped(raw: RawTensor, shape: tuple[int, ...]) -> RawTensor:
    return RawTensor(raw.name, shape, raw.dtype, raw.scale, raw.zero_point, raw.axis, None, raw.variable)


def _guarded(op: RawOperator, step: Callable[[], _T]) -> _T:
    """Runs an operator's own check; whatever it trips over in odd operands becomes a reason."""
    try:
        return step()
    except ModelError:
        raise
    except Exception as error:
        raise UnsupportedModel(f"its operands do not fit together ({type(error).__name__}: {error})") from error


def _edge(raw: RawTensor) -> EdgeReport:
    scale = raw.scale[0] if raw.scale else 0.0
    return EdgeReport(raw.name, raw.shape, raw.dtype.lower(), scale, raw.zero_point[0] if raw.zero_point else 0)
