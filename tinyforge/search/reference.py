"""What TensorFlow Lite's reference kernels make of samples: slow, and so on all cores."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyforge.ir.types import Array
from tinyforge.search.train import Report
from tinyforge.toolchain.cores import on_cores

BLOCK = 50
"""Samples a thread takes at a time."""


def reference_outputs(
    content: bytes, samples: Array, tell: Report, what: str, threads: int | None = None
) -> tuple[Array, Array]:
    """Samples (n, ...) as int8 inputs of the ``.tflite`` file, and its int8 outputs. Both with the batch axis:
    (n, 1, ...). ``what`` is told with the samples that are done; threads: of this machine, all by default."""
    quantised = _quantised(content, samples)
    blocks = [quantised[first : first + BLOCK] for first in range(0, len(quantised), BLOCK)]
    outputs: list[Array] = []
    for made in on_cores(lambda: _Runner(content), _Runner.outputs, blocks, threads):
        outputs += made
        tell(what, len(outputs), len(quantised))
    return quantised, np.stack(outputs)


def _interpreter(content: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    return Interpreter(model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)


def _quantised(content: bytes, samples: Array) -> Array:
    scale, zero = _interpreter(content).get_input_details()[0]["quantization"]
    made: Array = np.clip(np.round(samples / scale) + zero, -128, 127).astype(np.int8)[:, None]
    return made


class _Runner:
    """An interpreter, for one thread."""

    def __init__(self, content: bytes) -> None:
        self.interpreter = _interpreter(content)
        self.interpreter.allocate_tensors()
        self.source = self.interpreter.get_input_details()[0]["index"]
        self.sink = self.interpreter.get_output_details()[0]["index"]

    def outputs(self, samples: Array) -> list[Array]:
        """Of quantised samples, each with its batch axis."""
        found = []
        for sample in samples:
            self.interpreter.set_tensor(self.source, sample)
            self.interpreter.invoke()
            found.append(self.interpreter.get_tensor(self.sink).copy())
        return found
