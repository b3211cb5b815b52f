"""Import, passes and the integer oracle against the reference kernels' recorded outputs on real models."""

from __future__ import annotations

import numpy as np
import pytest

from tests.shared import COMPILED, LARGE, STREAMING, golden, shared_model
from tinyforge.errors import UnsupportedModel
from tinyforge.importers.from_tflite import import_tflite, inspect
from tinyforge.interp.compare import checksums, first_wrong_checksum
from tinyforge.interp.run_graph import run_graph
from tinyforge.passes.adapters import from_model, to_model
from tinyforge.passes.pipeline import optimise

ALL = (*COMPILED, *STREAMING, *LARGE)
SLOW = frozenset({*LARGE, "tinyengine_person_detection_int8"})  # one sample is enough
REFUSED = (
    "con_fmnist_cnn_float",
    "mlonmcu_umatest_float",
    "mlperf_ad_toycar_float",
    "mlperf_ic_resnet8_float",
    "mlperf_kws_dscnn_float",
    "mlperf_vww96_mobilenetv1_float",
    "tflm_audio_preprocessor_int8",
    "tflm_hello_world_float",
    "tflm_keyword_scrambled_int8",
    "tflm_mnist_lstm_float",
    "tflm_mnist_lstm_int8",
    "tinymaix_cifar10_float",
    "tinymaix_mnist_valid_float",
)


def assert_golden(name: str, io: str, samples: int) -> None:
    graph = optimise(import_tflite(shared_model(name)), io)
    with np.load(golden(name)) as file:
        arrays = dict(file)
    for sample in range(samples):
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


@pytest.mark.parametrize("name", ALL)
def test_oracle_equals_golden(name: str) -> None:
    assert_golden(name, "int8", 1 if name in SLOW else 4)


@pytest.mark.parametrize("name", ["tinyengine_mcunet_vww_int8", "tinyengine_mnist_lenet300_int8"])
def test_oracle_with_float_edges(name: str) -> None:
    assert_golden(name, "float", 1)


@pytest.mark.parametrize("name", ["tinyengine_mcunet_vww_int8", "tinyengine_person_detection_int8"])
def test_padding_and_transposes_disappear(name: str) -> None:
    kinds = {node.op.kind for node in optimise(import_tflite(shared_model(name))).nodes}
    assert not kinds & {"pad", "transpose", "quantize", "dequantize"}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_reasons(name: str) -> None:
    report = inspect(shared_model(name))
    assert not report.supported
    assert all(op.reason and op.advice for op in report.unsupported)
    with pytest.raises(UnsupportedModel, match=f"^{name}"):
        import_tflite(shared_model(name))
