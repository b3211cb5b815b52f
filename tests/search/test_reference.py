"""Reference outputs of many samples: in order, equal to the interpreter's, and told about."""

from __future__ import annotations

import numpy as np

from tests.shared import shared_model
from tinyforge.api.compare import interpreted
from tinyforge.api.network import read_network
from tinyforge.search.reference import BLOCK, reference_outputs


def test_threads_give_what_the_interpreter_gives_in_order() -> None:
    path = shared_model("mlperf_kws_dscnn_int8")
    graph = read_network(path, "int8").graph
    samples = np.random.default_rng(0).normal(0, 40, (2 * BLOCK + 3, 49, 10, 1)).astype(np.float32)
    told: list[int] = []

    def tell(what: str, done: int = 0, total: int = 0) -> None:
        assert (what, total) == ("here", len(samples))
        told.append(done)

    inputs, outputs = reference_outputs(path.read_bytes(), samples, tell, "here", threads=3)
    assert told == [BLOCK, 2 * BLOCK, len(samples)]
    assert inputs.dtype == outputs.dtype == np.int8
    assert np.array_equal(outputs, interpreted(graph, [inputs]).values[0].reshape(outputs.shape))
