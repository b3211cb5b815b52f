"""Firmware that also answers MLPerf Tiny's text commands: which benchmark a model is for, and the table it needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyforge.codegen.build_info import BuildInfo
from tinyforge.codegen.render import number_lines, render
from tinyforge.errors import UsageError

HARNESSES = ("mlperf-tiny",)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """id: as the runner knows it. form: a tfb_mlperf_input of firmware/include/tfb_mlperf.h. buffer_bytes: of one
    input as the runner sends it."""

    id: str
    form: str
    buffer_bytes: int

    @property
    def defines(self) -> tuple[str, ...]:
        """For the C compiler."""
        return ("TFB_MLPERF=1", *(("TFB_MLPERF_FLOAT=1",) if self.form == "TFB_MLPERF_FLOATS" else ()))


# By elements of input and output: MLPerf Tiny v1, benchmark/README.
_BENCHMARKS = {
    (490, 12): Benchmark("kws01", "TFB_MLPERF_BYTES", 490),
    (27648, 2): Benchmark("vww01", "TFB_MLPERF_PIXELS", 27648),
    (3072, 10): Benchmark("ic01", "TFB_MLPERF_PIXELS", 3072),
    (640, 640): Benchmark("ad01", "TFB_MLPERF_FLOATS", 2560),
}


def benchmark_of(info: BuildInfo, harness: str) -> Benchmark:
    """The benchmark whose inputs and outputs the model has. Raises UsageError for a model of none of them."""
    if harness not in HARNESSES:
        raise UsageError(f"--harness {harness} is not known; choose one of: {', '.join(HARNESSES)}")
    sizes = tuple(sum(int(np.prod(t.shape)) for t in tensors) for tensors in (info.inputs, info.outputs))
    found = _BENCHMARKS.get(sizes)  # type: ignore[arg-type]
    if found is None or {t.dtype for t in (*info.inputs, *info.outputs)} != {"int8"}:
        known = ", ".join(f"{b.id} {i} to {o}" for (i, o), b in _BENCHMARKS.items())
        raise UsageError(f"{info.name} is no model of MLPerf Tiny: {sizes[0]} to {sizes[1]} values; int8 of {known}")
    return found


def benchmark_table(info: BuildInfo, benchmark: Benchmark) -> str:
    """C text of ``tfb_the_benchmark``."""
    output = info.outputs[0]
    real = (np.arange(-128, 128) - output.zero_point) * output.scale
    milli = number_lines(np.round(1000 * real).astype(np.int32))
    return render(
        "benchmark.c.j2", id=benchmark.id, form=benchmark.form, buffer_bytes=benchmark.buffer_bytes, milli=milli
    )
