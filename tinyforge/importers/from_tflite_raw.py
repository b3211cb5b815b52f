"""Bytes of a `.tflite` file -> ``RawModel``: checked against the file's size and fixed limits, not interpreted.

The flatbuffers runtime trusts offsets: on a damaged file it raises whatever happens to break, reads at negative
offsets, or hands out vectors of any claimed length. So every count is limited before it is followed, all reads of one
file share a budget (tables may be referenced many times), and whatever escapes becomes one ModelError here.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from tinyforge.errors import ModelError
from tinyforge.importers.from_tflite_schema import OPTION_FIELDS, VECTOR_FIELDS
from tinyforge.ir.types import Array

MAX_FILE_BYTES = 1 << 28
MAX_TENSORS = 50_000
MAX_OPERATORS = 2_000
MAX_OPERANDS = 1_000
MAX_EDGES = 256
MAX_RANK = 8
MAX_ELEMENTS = 1 << 28
MAX_ITEMS = 1 << 21  # vector items and name bytes read from one file, all together
IDENTIFIER = b"TFL3"
RETRY = "export the model again, or check that the file was copied completely"


@dataclass(frozen=True, slots=True, eq=False)
class RawTensor:
    """A tensor as the file states it. ``dtype`` is the schema's name (INT8, FLOAT32, ...); ``data`` the buffer's bytes
    (uint8) for constants; ``shape`` has 1 where the file leaves a dimension open; ``trouble`` why it cannot be used."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int
    data: Array | None
    variable: bool
    trouble: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class RawOperator:
    """An operator: schema name (``custom`` for CUSTOM), tensor indices (-1 = left out), options by schema name."""

    index: int
    code: str
    custom: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class RawModel:
    """The first subgraph of a file; ``troubles`` are reasons that concern the file as a whole."""

    name: str
    file: str
    tensors: tuple[RawTensor, ...]
    operators: tuple[RawOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    troubles: tuple[str, ...] = ()


def read_tflite(path: Path) -> RawModel:
    """Reads a file. Raises ModelError when it is missing, too large or malformed."""
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ModelError(
                f"{path.name}: {size:,} bytes, the limit is {MAX_FILE_BYTES:,}; not a microcontroller model"
            )
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
    return parse_tflite(data, path.name)


def parse_tflite(data: bytes, file: str) -> RawModel:
    """Parses the bytes of a file. Raises ModelError when they are not a sound TensorFlow Lite model."""
    if len(data) < 8:
        raise ModelError(f"{file}: {len(data)} bytes are too few for a TensorFlow Lite model; {RETRY}")
    if data[4:8] != IDENTIFIER:
        raise ModelError(
            f"{file}: not a TensorFlow Lite model (no {IDENTIFIER.decode()} identifier); give a .tflite file"
        )
    from ai_edge_litert import schema_py_generated as schema

    try:
        return _Reader(data, file, schema).model()
    except ModelError:
        raise
    except (struct.error, ValueError, TypeError) as error:  # how flatbuffers says that an offset leads outside
        raise ModelError(
            f"{file}: malformed TensorFlow Lite model (an offset leads outside the file); {RETRY}"
        ) from error
    except Exception as error:  # flatbuffers raises anything on damaged files
        raise ModelError(
            f"{file}: malformed TensorFlow Lite model ({type(error).__name__}: {error}); {RETRY}"
        ) from error


def _names(enum: type) -> dict[int, str]:
    return {value: name for name, value in vars(enum).items() if isinstance(value, int)}


@dataclass
class _Reader:
    """Walks the generated accessors; ``left`` is what remains of the budget."""

    data: bytes
    file: str
    schema: ModuleType
    left: int = MAX_ITEMS
    taken: set[str] = field(default_factory=set)

    def bad(self, what: str) -> ModelError:
        return ModelError(f"{self.file}: malformed TensorFlow Lite model: {what}; {RETRY}")

    def spend(self, count: int, what: str) -> int:
        if count < 0 or count > self.left:
            raise self.bad(f"{what}: {count:,} items are more than the file can hold or the limit of {MAX_ITEMS:,}")
        self.left -= count
        return count

    def ints(self, table: Any, name: str, limit: int = MAX_ITEMS) -> tuple[int, ...]:
        """An integer vector by accessor name; empty when absent."""
        self.limited(getattr(table, f"{name}Length")(), limit, name.lower())
        values = getattr(table, f"{name}AsNumpy")()
        return () if isinstance(values, int) else tuple(int(v) for v in values)

    def text(self, raw: bytes | None) -> str:
        """A string of the file as something safe to print: control characters replaced, length limited."""
        raw = raw or b""
        self.spend(len(raw), "string")
        decoded = raw[:400].decode("utf-8", "replace")[:200]
        return "".join(c if c.isprintable() else "?" for c in decoded)

    def model(self) -> RawModel:
        model = self.schema.Model.GetRootAs(self.data, 0)
        if model.Version() != 3:
            raise self.bad(f"schema version {model.Version()}, expected 3")
        subgraphs = model.SubgraphsLength()
        if subgraphs < 1:
            raise self.bad("it has no subgraph")
        graph = model.Subgraphs(0)
        codes = self.codes(model)
        tensors = self.tensors(model, graph)
        count = self.limited(graph.OperatorsLength(), MAX_OPERATORS, "operators")
        operators = tuple(self.operator(graph.Operators(i), i, codes, len(tensors)) for i in range(count))
        inputs = self.indices(self.ints(graph, "Inputs", MAX_EDGES), len(tensors), "graph input", optional=False)
        outputs = self.indices(self.ints(graph, "Outputs", MAX_EDGES), len(tensors), "graph output", optional=False)
        troubles = [] if subgraphs == 1 else [_many_subgraphs(subgraphs)]
        name = self.file.rsplit(".", 1)[0]
        return RawModel(name, self.file, tensors, operators, inputs, outputs, tuple(troubles))

    def limited(self, count: int, limit: int, what: str) -> int:
        if not 0 <= count <= limit:
            raise self.bad(f"{count:,} {what}, the limit is {limit:,}")
        return self.spend(count, what)

    def codes(self, model: Any) -> list[tuple[str, str]]:
        """(schema name, custom name) of each operator code; old files only fill the deprecated field."""
        names = _names(self.schema.BuiltinOperator)
        found = []
        for i in range(self.limited(model.OperatorCodesLength(), MAX_OPERATORS, "operator codes")):
            code = model.OperatorCodes(i)
            value = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
            found.append((names.get(value, f"UNKNOWN_{value}"), self.text(code.CustomCode())))
        return found

    def tensors(self, model: Any, graph: Any) -> tuple[RawTensor, ...]:
        count = self.limited(graph.TensorsLength(), MAX_TENSORS, "tensors")
        dtypes = _names(self.schema.TensorType)
        return tuple(self.tensor(model, graph.Tensors(i), i, dtypes) for i in range(count))

    def tensor(self, model: Any, table: Any, index: int, dtypes: dict[int, str]) -> RawTensor:
        name = self.unique(self.text(table.Name()) or f"tensor_{index}", index)
        dtype = dtypes.get(table.Type(), f"TYPE_{table.Type()}")
        shape, trouble = self.shape(table, name)
        scale, zero_point, axis = self.quantisation(table)
        if len(zero_point) not in (0, len(scale)):
            raise self.bad(f"tensor {name} has {len(scale)} scales but {len(zero_point)} zero points")
        if table.Sparsity() is not None:
            trouble = f"tensor {name} is stored sparse; convert the model without sparsity"
        data = self.buffer(model, table.Buffer(), name)
        return RawTensor(name, shape, dtype, scale, zero_point, axis, data, table.IsVariable(), trouble)

    def unique(self, name: str, index: int) -> str:
        """Files may use a name twice; the graph may not."""
        while name in self.taken:
            name = f"{name}#{index}"
        self.taken.add(name)
        return name

    def shape(self, table: Any, name: str) -> tuple[tuple[int, ...], str]:
        """(shape, trouble). A first dimension left open is the batch and becomes 1; others cannot be compiled."""
        stated, signature = self.ints(table, "Shape"), self.ints(table, "ShapeSignature")
        if len(stated) > MAX_RANK:
            raise self.bad(f"tensor {name} has {len(stated)} dimensions, the limit is {MAX_RANK}")
        shape = tuple(1 if i == 0 and n == -1 else n for i, n in enumerate(stated))
        trouble = ""
        if len(signature) == len(shape):
            shape = tuple(1 if i == 0 and n == -1 else s for i, (s, n) in enumerate(zip(shape, signature, strict=True)))
            if any(n == -1 for n in signature[1:]):
                trouble = (
                    f"tensor {name} has no fixed shape ({list(signature)}); export the model with a fixed input size"
                )
        if any(n < 0 for n in shape) or math.prod(shape) > MAX_ELEMENTS:
            raise self.bad(f"tensor {name} has shape {list(shape)}, the limit is {MAX_ELEMENTS:,} elements")
        return shape, trouble

    def quantisation(self, table: Any) -> tuple[tuple[float, ...], tuple[int, ...], int]:
        quant = table.Quantization()
        if quant is None:
            return (), (), 0
        self.spend(quant.ScaleLength(), "scales")
        values = quant.ScaleAsNumpy()
        scale = () if isinstance(values, int) else tuple(float(v) for v in values)
        return scale, self.ints(quant, "ZeroPoint"), int(quant.QuantizedDimension())

    def buffer(self, model: Any, index: int, name: str) -> Array | None:
        """The bytes of a constant; None when the buffer is empty."""
        if not 0 <= index < model.BuffersLength():
            raise self.bad(f"tensor {name} uses buffer {index} of {model.BuffersLength()}")
        if index == 0:
            return None
        buffer = model.Buffers(index)
        if buffer.Offset() > 1:
            raise ModelError(f"{self.file}: constants are stored outside the flatbuffer; export a file below 2 GiB")
        values = buffer.DataAsNumpy()
        if isinstance(values, int) or values.size == 0:
            return None
        result: Array = np.frombuffer(values, np.uint8)
        return result

    def operator(self, table: Any, index: int, codes: list[tuple[str, str]], tensors: int) -> RawOperator:
        if not 0 <= table.OpcodeIndex() < len(codes):
            raise self.bad(f"operator {index} uses operator code {table.OpcodeIndex()} of {len(codes)}")
        code, custom = codes[table.OpcodeIndex()]
        inputs = self.indices(
            self.ints(table, "Inputs", MAX_OPERANDS), tensors, f"input of operator {index}", optional=True
        )
        outputs = self.indices(
            self.ints(table, "Outputs", MAX_OPERANDS), tensors, f"output of operator {index}", optional=False
        )
        return RawOperator(index, code, custom, inputs, outputs, self.options(table, code))

    def indices(self, values: tuple[int, ...], tensors: int, what: str, optional: bool) -> tuple[int, ...]:
        lowest = -1 if optional else 0
        for value in values:
            if not lowest <= value < tensors:
                raise self.bad(f"{what} is tensor {value} of {tensors}")
        return values

    def options(self, table: Any, code: str) -> dict[str, Any]:
        """The operator's option fields by schema name; empty when the file has none or of another operator's type."""
        if code not in OPTION_FIELDS:
            return {}
        kind, fields = OPTION_FIELDS[code]
        union = table.BuiltinOptions()
        if union is None or table.BuiltinOptionsType() != getattr(self.schema.BuiltinOptions, kind):
            return {}
        options = getattr(self.schema, kind)()
        options.Init(union.Bytes, union.Pos)
        read: Callable[[str], Any] = lambda name: (  # noqa: E731
            self.ints(options, name) if name in VECTOR_FIELDS else getattr(options, name)()
        )
        return {name: read(name) for name in fields}


def _many_subgraphs(count: int) -> str:
    return f"it has {count} subgraphs (control flow or several signatures); export a single inference function"
