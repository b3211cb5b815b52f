"""Searching around an existing network: what is read, what is refused, and that nothing is lost at the start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.guards.source import ROOT
from tests.shared import DIGITS, shared_model
from tinyforge.api.network import read_network
from tinyforge.errors import UnsupportedModel, UsageError
from tinyforge.search.around import space_around, starting_weights
from tinyforge.search.existing import Existing, read_existing

needs_tensorflow = pytest.mark.skipif(
    not all(map(find_spec, ("tensorflow", "sklearn"))), reason="needs tinyforge[search]"
)


def read(path: Path) -> Existing:
    return read_existing(read_network(path, "int8").graph, path.name)


def weighted_macs(found: Existing) -> int:
    """Of its convolutions and dense layers."""
    graph = found.graph
    return sum(
        n.op.macs(graph.ins(n), graph.outs(n))  # type: ignore[attr-defined]
        for n in graph.nodes
        if n.op.kind in ("conv2d", "depthwise_conv2d", "fully_connected")
    )


def test_the_example_is_read_block_by_block() -> None:
    found = read(DIGITS)
    assert found.input_shape == (32, 32, 1)
    blocks = [(b.kind, b.width, b.stride, b.kernel, b.expand, b.skip) for b in found.blocks]
    assert blocks == [
        ("mbconv", 24, 2, 3, 1, False),
        ("mbconv", 24, 1, 3, 2, True),
        ("mbconv", 32, 2, 3, 3, False),
        ("mbconv", 32, 1, 3, 2, True),
    ]
    space, itself = space_around(found, "digits", (32, 32, 1), "image")
    assert [len(stage.depths) for stage in space.stages] == [2, 2]
    assert space.stages[0].widths == (8, 12, 16, 24)
    assert space.resolutions == (16, 24, 32)
    network, _ = starting_weights(found, space, itself, (32, 32, 1), 10, 0)
    assert network.macs == weighted_macs(found)


@pytest.mark.parametrize(
    "name, stages",
    [
        ("mlperf_ic_resnet8_int8", 3),
        ("mlperf_vww96_mobilenetv1_int8", 12),
        ("tinyengine_mcunet_vww_int8", 7),
        ("tinymaix_mbnet96_025_int8", 5),
    ],
)
def test_real_networks_are_read_whole(name: str, stages: int) -> None:
    path = shared_model(name)
    found = read(path)
    space, itself = space_around(found, name, found.input_shape, "image")
    assert len(space.stages) == stages
    classes = found.graph.tensors[found.classifier.outputs[0]].shape[-1]
    network, arrays = starting_weights(found, space, itself, found.input_shape, classes, 0)
    # Expansions that are no integer are rounded up, and a ResNet's first shortcut becomes a convolution.
    assert 1 <= network.macs / weighted_macs(found) < 1.12
    kernel = found.graph.tensors[found.stem.inputs[1]]
    assert kernel.type.quant is not None
    scales = np.asarray(kernel.type.quant.scale, np.float32)[:, None, None, None]
    expected = (kernel.array() * scales).transpose(1, 2, 3, 0)
    np.testing.assert_array_equal(arrays["stem/kernel"], expected.astype(np.float32))


@pytest.mark.parametrize(
    "name, why",
    [
        ("mlperf_kws_dscnn_int8", "a kernel of 10x4"),
        ("con_fmnist_cnn_int8", "it is not padded"),
        ("tinymaix_cifar10_int8", "without a shortcut"),
        ("mlperf_ad_toycar_int8", "one input of rows, columns and channels"),
        ("tinymaix_vww96_int8", "one dense layer is needed"),
    ],
)
def test_what_no_space_has_is_refused_by_name(name: str, why: str) -> None:
    path = shared_model(name)
    with pytest.raises(UnsupportedModel, match=why) as found:
        read(path)
    assert path.name in str(found.value)


def test_data_of_another_form_is_refused() -> None:
    found = read(DIGITS)
    for shape, why in (((32, 48, 1), "same form"), ((32, 32, 3), None), ((16, 16, 1), "only 16x16")):
        if why is None:
            space_around(found, "digits", shape, "image")
            continue
        with pytest.raises(UsageError, match=why):
            space_around(found, "digits", shape, "image")


def begun(path: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.search.start_program", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@needs_tensorflow
def test_a_supernet_begins_with_what_the_network_knows() -> None:
    found = begun(DIGITS)
    assert found["itself"] >= 0.99
    # Its own statistics are those of a few batches there.
    assert found["in_supernet"] >= 0.98
    assert found["narrower"] >= 0.4, "the most important channels come first"


@needs_tensorflow
@pytest.mark.long
def test_a_keras_model_is_read_with_squeeze_and_excite_and_shortcuts(tmp_path: Path) -> None:
    found = begun(tmp_path / "model.keras")
    assert found["itself"] >= 0.85
    assert found["in_supernet"] >= found["itself"] - 0.05
