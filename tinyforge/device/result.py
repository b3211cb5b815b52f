"""What a run gives back, whatever it ran on, and how samples become bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyforge.codegen.build_info import BuildInfo, TensorInfo
from tinyforge.errors import DeviceError, UsageError

Array = NDArray[Any]
Progress = Callable[[int, int], None]
"""Called with (samples done, samples)."""


@dataclass(frozen=True, slots=True)
class LayerProfile:
    """Cost of one operator in one inference, helpers it calls included. cycles: measured on a board, else None.

    flash_read_bytes, sram_read_bytes, written_bytes: of its data accesses, literals and stack included; None where they
    were not watched.
    """

    index: int
    name: str
    kind: str
    symbol: str
    instructions: int
    estimated_cycles: Mapping[str, int] = field(default_factory=dict)
    flash_read_bytes: int | None = None
    sram_read_bytes: int | None = None
    written_bytes: int | None = None
    cycles: int | None = None


@dataclass(frozen=True, slots=True)
class Violation:
    """A data access outside everything the model owns, or unaligned where the core faults on that."""

    pc: int
    address: int
    size: int
    is_write: bool
    is_unaligned: bool
    where: str

    def __str__(self) -> str:
        what = ("unaligned " if self.is_unaligned else "") + ("write" if self.is_write else "read")
        return f"{what} of {self.size} B at 0x{self.address:08x} from {self.where}"


@dataclass(frozen=True, slots=True)
class MemoryTraffic:
    """Data accesses to one region during one inference."""

    region: str
    reads: int
    writes: int
    read_bytes: int
    written_bytes: int


@dataclass(frozen=True, eq=False)
class RunResult:
    """Outcome of running a model on some samples.

    outputs: one array a model output, shaped (samples, *shape). instructions, cycles, estimated_cycles,
    layers: of one warm inference (None or empty where the runner cannot tell). arenas_high_water_bytes: by part of
    the arena (`BuildInfo.arenas`), highest byte written, plus one. stack_high_water_bytes: below the stack pointer at
    the call. latencies: of every sample in turn, ticks of a board's counter at latency_hz, or (latency_hz 0)
    instructions; empty where nobody counted. traces: with a trace build, (operator index, output index) ->
    (samples, nbytes) raw bytes.
    """

    runner: str
    compiler: str
    outputs: tuple[Array, ...]
    samples: int
    instructions: int = 0
    estimated_cycles: Mapping[str, int] = field(default_factory=dict)
    cycles: int | None = None
    arenas_high_water_bytes: tuple[int, ...] = ()
    stack_high_water_bytes: int = 0
    out_of_bounds_accesses: int = 0
    layers: tuple[LayerProfile, ...] = ()
    violations: tuple[Violation, ...] = ()
    traffic: tuple[MemoryTraffic, ...] = ()
    traces: Mapping[tuple[int, int], Array] = field(default_factory=dict)
    latencies: tuple[int, ...] = ()
    latency_hz: int = 0

    @property
    def arena_high_water_bytes(self) -> int:
        """Of all parts of the arena together."""
        return sum(self.arenas_high_water_bytes)


def highest(marks: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """The highest of several runs' marks, part by part."""
    return tuple(max(part) for part in zip(*marks, strict=True))


# bool is one byte a value, int8 and uint8 as they are.
_NUMPY = {"bool": "|b1", "float32": "<f4", "int16": "<i2", "int32": "<i4", "int64": "<i8"}


def numpy_dtype(dtype: str) -> np.dtype[Any]:
    """Little-endian numpy type of a build-info dtype."""
    return np.dtype(_NUMPY.get(dtype, dtype))


def pack_samples(info: BuildInfo, inputs: Sequence[Array]) -> list[list[bytes]]:
    """Raw bytes of every input of every sample: [sample][input].

    inputs: one array a model input, (samples, *shape). Raises UsageError on wrong count, type or size.
    """
    if len(inputs) != len(info.inputs):
        raise UsageError(f"{info.name} has {len(info.inputs)} inputs, {len(inputs)} were given")
    if not len({len(values) for values in inputs}) == 1:
        raise UsageError(f"{info.name}: every input needs the same number of samples")
    packed = [_pack(info.name, tensor, values) for tensor, values in zip(info.inputs, inputs, strict=True)]
    return [list(sample) for sample in zip(*packed, strict=True)]


def _pack(model: str, tensor: TensorInfo, values: Array) -> list[bytes]:
    wanted = numpy_dtype(tensor.dtype)
    per_sample = int(np.prod(values.shape[1:], dtype=np.int64))
    if values.dtype != wanted or per_sample * wanted.itemsize != tensor.nbytes:
        raise UsageError(
            f"{model}: input {tensor.name} is {tensor.dtype} {tensor.shape}, "
            f"given were samples of {values.dtype} {values.shape[1:]}"
        )
    return [np.ascontiguousarray(sample, dtype=wanted).tobytes() for sample in values]


def unpack_outputs(info: BuildInfo, samples: Sequence[Sequence[bytes]]) -> tuple[Array, ...]:
    """Arrays (samples, *shape) from raw bytes [sample][output]."""
    return tuple(_unpack(tensor, [sample[i] for sample in samples]) for i, tensor in enumerate(info.outputs))


def _unpack(tensor: TensorInfo, raw: Sequence[bytes]) -> Array:
    if any(len(data) != tensor.nbytes for data in raw):
        raise DeviceError(f"output {tensor.name} came back with a wrong size, {tensor.nbytes} B were expected")
    flat = np.frombuffer(b"".join(raw), dtype=numpy_dtype(tensor.dtype))
    shaped: Array = flat.reshape((len(raw), *tensor.shape)).copy()
    return shaped


class TraceBuffer:
    """Collects pieces of operator outputs into whole tensors."""

    def __init__(self, info: BuildInfo, samples: int) -> None:
        self._arrays = {
            (op.index, k): np.zeros((samples, nbytes), dtype=np.uint8)
            for op in info.operators
            for k, nbytes in enumerate(op.output_nbytes)
        }

    def add(self, sample: int, op: int, output: int, offset: int, data: bytes) -> None:
        """Bytes [offset, offset + len(data)) of output `output` of operator `op`.

        Raises DeviceError for a piece that is not inside such a tensor.
        """
        array = self._arrays.get((op, output))
        if array is None or not 0 <= offset <= offset + len(data) <= array.shape[1]:
            raise DeviceError(
                f"the trace reports {len(data)} B at {offset} of output {output} of operator {op}: outside it"
            )
        array[sample, offset : offset + len(data)] = np.frombuffer(data, dtype=np.uint8)

    def arrays(self) -> dict[tuple[int, int], Array]:
        """Everything collected."""
        return dict(self._arrays)
