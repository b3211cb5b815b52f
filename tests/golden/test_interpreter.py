"""Import, passes and the integer oracle against the reference kernels' recorded outputs on real models."""

from __future__ import annotations

import numpy as np
import pytest

from tests.models import COMPILED, REFUSED, golden, model_path, needs_models
from tinyforge.errors import UnsupportedModel
from tinyforge.importers.from_tflite import import_tflite, inspect
from tinyforge.interp.compare import checksums, first_wrong_checksum
from tinyforge.interp.run_graph import run_graph
from tinyforge.passes.adapters import from_model, to_model
from tinyforge.passes.pipeline import optimise

pytestmark = needs_models

LARGE = frozenset({"tinyengine_mcunetv2_large_int8", "tinyengine_person_detection_int8"})
SAMPLES = {name: (1 if name in LARGE else 4) for name in COMPILED}


@pytest.mark.parametrize("name", COMPILED)
def test_oracle_equals_golden(name: str) -> None:
    graph = optimise(import_tflite(model_path(name)))
    arrays = golden(name)
    for sample in range(SAMPLES[name]):
        inputs = {
            tensor: to_model(graph.adapters.get(tensor, ()), arrays[f"input_{i}"][sample])
            for i, tensor in enumerate(graph.inputs)
        }
        values = run_graph(graph, inputs)
        wrong = first_wrong_checksum(graph, values, checksums(arrays, sample))
        assert wrong is None, f"sample {sample}: {wrong}"
        for i, tensor in enumerate(graph.outputs):
            got = from_model(graph.adapters.get(tensor, ()), values[tensor])
            np.testing.assert_array_equal(got, arrays[f"output_{i}"][sample])


@pytest.mark.parametrize("name", ["tinyengine_mcunet_vww_int8", "tinyengine_person_detection_int8"])
def test_padding_and_transposes_disappear(name: str) -> None:
    kinds = {node.op.kind for node in optimise(import_tflite(model_path(name))).nodes}
    assert not kinds & {"pad", "transpose", "quantize", "dequantize"}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_reasons(name: str) -> None:
    report = inspect(model_path(name))
    assert not report.supported
    assert all(op.reason and op.advice for op in report.unsupported)
    with pytest.raises(UnsupportedModel, match=f"^{name}"):
        import_tflite(model_path(name))
