"""Searching around an existing network: what is read, what is refused, and that nothing is lost at the start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.guards.source import ROOT
from tests.search.random_graphs import Builder
from tests.search.start_program import ZERO_TO_ONE
from tests.shared import DIGITS, SHARED, shared_model
from tinyforge.api.network import read_network
from tinyforge.errors import UnsupportedModel, UsageError
from tinyforge.ir.graph import Graph
from tinyforge.ir.types import Quant
from tinyforge.ops.add import Add
from tinyforge.ops.average_pool2d import AveragePool2D
from tinyforge.ops.base import Activation, Op
from tinyforge.ops.conv2d import Conv2D
from tinyforge.ops.depthwise_conv2d import DepthwiseConv2D
from tinyforge.ops.fully_connected import FullyConnected
from tinyforge.ops.max_pool2d import MaxPool2D
from tinyforge.ops.mean import Mean
from tinyforge.ops.mul import Mul
from tinyforge.ops.reshape import Reshape
from tinyforge.ops.sub import Sub
from tinyforge.search.architecture import architecture
from tinyforge.search.around import _weights, space_around, starting_weights
from tinyforge.search.existing import Existing, read_existing
from tinyforge.search.light_graph import light_graph
from tinyforge.search.space import extreme
from tinyforge.search.space_file import parse_space, space_text

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
        ("mlperf_kws_dscnn_int8", 1),
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
    assert found.classifier is not None
    classes = found.graph.tensors[found.classifier.outputs[0]].shape[-1]
    network, arrays = starting_weights(found, space, itself, found.input_shape, classes, 0)
    # Expansions that are no integer are rounded up, and a ResNet's first shortcut becomes a convolution.
    assert 1 <= network.macs / weighted_macs(found) < 1.12
    kernel = found.graph.tensors[found.stem.inputs[1]]
    assert kernel.type.quant is not None
    scales = np.asarray(kernel.type.quant.scale, np.float32)[:, None, None, None]
    expected = (kernel.array() * scales).transpose(1, 2, 3, 0).astype(np.float32)
    # Where a ReLU gives more than 6, everything is smaller.
    output = found.graph.tensors[found.blocks[0].nodes[0].inputs[0]].type  # type: ignore[union-attr]
    factor = expected.max() / arrays["stem/kernel"].max()
    assert factor == pytest.approx(1) or factor >= output.scale * (127 - output.zero_point) / 6 * 0.999
    np.testing.assert_allclose(arrays["stem/kernel"] * factor, expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    "name, why",
    [
        ("con_fmnist_cnn_int8", "an activation after the sum"),
        ("con_wand_conv1d_int8", "dilation"),
        ("mlperf_ad_toycar_int8", "one input of rows, columns and channels"),
        ("mlperf_sww_streaming_int8", "begins with a convolution"),
        ("tflm_micro_speech_int8", "no block after it"),
        ("tinyengine_mcunetv2_large_int8", "not part of a squeeze-and-excite"),
        ("tinyengine_person_detection_int8", "read elsewhere too"),
    ],
)
def test_what_no_space_has_is_refused_by_name(name: str, why: str) -> None:
    path = shared_model(name)
    with pytest.raises(UnsupportedModel, match=why) as found:
        read(path)
    assert path.name in str(found.value)


EVERY_BLOCK = """
name = "every"
title = "every kind of block"
dims = {dims}
[stem]
kernel = {kernel}
stride = {stride}
widths = [8]
[head]
widths = [{head}]
[[stages]]
block = "conv"
stride = 2
pool = "max"
widths = [12]
depths = [2]
kernels = [5]
[[stages]]
block = "mbconv"
stride = 2
widths = [16]
depths = [2]
kernels = [3]
expands = [3]
squeeze = [1]
[[stages]]
block = "dsconv"
stride = 2
pool = "average"
widths = [16]
depths = [2]
kernels = [3]
[[stages]]
block = "residual"
widths = [24]
depths = [2]
kernels = [3]
"""


@pytest.mark.parametrize(
    "shape, dims, kernel, stride",
    [((49, 40, 1), 2, "[10, 4]", "[2, 1]"), ((64, 64, 3), 2, "3", "2"), ((128, 1, 6), 1, "6", "2")],
)
@pytest.mark.parametrize("head", [0, 32])
def test_networks_of_a_space_are_read_as_they_are(
    shape: tuple[int, int, int], dims: int, kernel: str, stride: str, head: int
) -> None:
    text = EVERY_BLOCK.format(dims=dims, kernel=kernel, stride=stride, head=head)
    space = parse_space(text, "every.toml").for_data(shape)
    made = architecture(space, extreme(space, -1), shape, 4)
    found = read_existing(light_graph(made), "every")
    around, itself = space_around(found, "every", shape, "spectrogram" if dims == 2 else "signal")
    assert architecture(around, itself, shape, 4) == made
    assert around.stages[0].widths == (3, 6, 9, 12)
    assert parse_space(space_text(around), "around.toml") == around
    assert found.notes == ()


def near_network() -> Graph:
    """What a beginner's network becomes: pixels scaled, convolutions not padded, pooling of other windows and at the
    end, two dense layers."""
    b = Builder(np.random.default_rng(0))
    x: str | None = b.activation((1, 30, 30, 2))

    def apply(op: Op, *constants: str) -> None:
        nonlocal x
        assert x is not None
        x = b.apply(op, x, *constants)

    def scalar(value: int, scale: float) -> str:
        return b.constant(np.asarray([value], np.int8), Quant((scale,), (0,)))

    apply(Mul(Activation.NONE), scalar(2, 0.25))
    apply(Sub(Activation.NONE), scalar(4, 0.25))
    apply(Conv2D((1, 1), (1, 1), (0, 0, 0, 0), Activation.RELU), *b.weights((6, 5, 5, 2), 0))
    apply(AveragePool2D((3, 3), (2, 2), (0, 0, 0, 0), Activation.NONE))
    apply(Conv2D((1, 1), (1, 1), (1, 1, 1, 1), Activation.RELU6), *b.weights((8, 3, 3, 6), 0))
    apply(Conv2D((2, 2), (1, 1), (1, 1, 1, 1), Activation.RELU6), *b.weights((8, 3, 3, 8), 0))
    apply(MaxPool2D((2, 2), (2, 2), (0, 0, 0, 0), Activation.NONE))
    apply(Reshape((1, 3 * 3 * 8)))
    apply(FullyConnected(Activation.RELU), *b.weights((16, 72), 0))
    apply(FullyConnected(Activation.NONE), *b.weights((4, 16), 0))
    assert x is not None
    return b.graph([x])


def test_what_comes_close_to_a_space_is_noted() -> None:
    found = read_existing(near_network(), "near")
    assert [(b.kind, b.width, b.stride, b.kernel, b.pool) for b in found.blocks] == [
        ("conv", 8, 2, 3, "average"),
        ("conv", 8, 2, 3, ""),
    ]
    assert found.stem_kernel == (5, 5)
    assert found.classifier is None
    assert (found.scale, found.offset) == (0.5, -1)
    assert set(found.notes) == {
        "convolutions are padded",
        "ReLU becomes ReLU6",
        "pooling of 3x3 becomes one of windows of its stride, 2",
        "padding becomes TensorFlow's SAME",
        "pooling after the last block is left out",
        "the dense layers become a mean over all positions and one dense layer, fitted anew",
    }
    space, itself = space_around(found, "near", (30, 30, 2), "image")
    network, arrays = starting_weights(found, space, itself, (30, 30, 2), 4, 0)
    assert [layer.kind for layer in network.layers] == ["conv", "average", "conv", "conv", "mean", "dense"]
    assert arrays["stage0.0.conv/kernel"].shape == (3, 3, 6, 8)


def test_separable_convolutions_compute_what_they_did() -> None:
    b = Builder(np.random.default_rng(2))
    stem = b.apply(
        Conv2D((1, 1), (1, 1), (1, 1, 1, 1), Activation.RELU6), b.activation((1, 8, 8, 3)), *b.weights((6, 3, 3, 3), 0)
    )
    assert stem is not None
    linear = b.apply(DepthwiseConv2D((1, 1), (1, 1), (0,) * 4, 1, Activation.NONE), stem, *b.weights((1, 1, 1, 6), 3))
    assert linear is not None
    made = b.apply(Conv2D((1, 1), (1, 1), (0,) * 4, Activation.RELU6), linear, *b.weights((5, 1, 1, 6), 0))
    assert made is not None
    mean = b.apply(Mean((1, 2), False), made)
    assert mean is not None
    last = b.apply(FullyConnected(Activation.NONE), mean, *b.weights((4, 5), 0))
    assert last is not None
    found = read_existing(b.graph([last]), "separable")
    assert [block.kind for block in found.blocks] == ["dsconv"]
    assert found.notes == ("depthwise convolutions without an activation get a ReLU6",)
    space, itself = space_around(found, "separable", (8, 8, 3), "image")
    _, arrays = starting_weights(found, space, itself, (8, 8, 3), 4, 0)

    def layer(name: str, x: np.ndarray) -> np.ndarray:
        kernel = arrays[f"stage0.0.{name}/kernel"][0, 0]
        whole = x * kernel[:, 0] if name == "direct" else x @ kernel
        return np.asarray(whole + arrays[f"stage0.0.{name}/beta"])

    def own(index: int, x: np.ndarray) -> np.ndarray:
        node = found.blocks[0].nodes[index]
        assert node is not None
        kernel, bias = _weights(found, node)
        return np.asarray((x * kernel[0, 0, :, 0] if index == 0 else x @ kernel[0, 0]) + bias)

    x = np.random.default_rng(3).uniform(0, 6, (200, 6))
    between = own(0, x)
    kind = found.graph.tensors[linear].type
    inside = (between > kind.scale * (-128 - kind.zero_point)).all(1) & (
        between < kind.scale * (127 - kind.zero_point)
    ).all(1)
    assert inside.sum() > 20
    assert between.min() < 0, "a ReLU6 alone would change it"
    ours = layer("direct_project", np.clip(layer("direct", x), 0, 6))
    np.testing.assert_allclose(ours[inside], own(1, between)[inside], atol=1e-4)


def test_normalisation_after_an_activation_goes_into_what_reads_it() -> None:
    b = Builder(np.random.default_rng(4))
    x: str | None = b.activation((1, 8, 8, 3))
    factors: list[np.ndarray] = []

    def apply(op: Op, *constants: str) -> None:
        nonlocal x
        assert x is not None
        x = b.apply(op, x, *constants)

    def normalise(channels: int) -> None:
        for op in (Mul(Activation.NONE), Add(Activation.NONE)):
            values = b.rng.integers(20, 120, (channels,)).astype(np.int8)
            apply(op, b.constant(values, Quant((0.02,), (3,))))
            factors.append((values.astype(np.float32) - 3) * np.float32(0.02))

    apply(Conv2D((1, 1), (1, 1), (1, 1, 1, 1), Activation.RELU6), *b.weights((6, 3, 3, 3), 0))
    normalise(6)
    apply(Conv2D((1, 1), (1, 1), (1, 1, 1, 1), Activation.RELU6), *b.weights((5, 3, 3, 6), 0))
    normalise(5)
    apply(Mean((1, 2), False))
    apply(FullyConnected(Activation.NONE), *b.weights((4, 5), 0))
    assert x is not None
    found = read_existing(b.graph([x]), "after")
    assert [block.kind for block in found.blocks] == ["conv"]
    assert found.notes == ("normalisation after an activation goes into the next convolution",)
    for node, (factor, shift) in zip(
        (found.blocks[0].nodes[0], found.classifier), (factors[:2], factors[2:]), strict=True
    ):
        assert node is not None
        plain, bias = _weights(replace(found, taken={}), node)
        kernel, moved = _weights(found, node)
        taken = b.rng.uniform(0, 6, (*kernel.shape[:-1],))
        axes = list(range(kernel.ndim - 1))
        expected = np.tensordot(taken * factor + shift, plain, (axes, axes)) + bias
        np.testing.assert_allclose(np.tensordot(taken, kernel, (axes, axes)) + moved, expected, rtol=1e-4)


def test_normalisation_of_what_is_added_is_refused() -> None:
    b = Builder(np.random.default_rng(5))
    stem = b.apply(
        Conv2D((1, 1), (1, 1), (1, 1, 1, 1), Activation.RELU6), b.activation((1, 8, 8, 3)), *b.weights((6, 3, 3, 3), 0)
    )
    assert stem is not None
    x = b.apply(Mul(Activation.NONE), stem, b.constant(np.full(6, 40, np.int8), Quant((0.02,), (0,))))
    assert x is not None
    first = b.apply(Conv2D((1, 1), (1, 1), (1, 1, 1, 1), Activation.RELU6), x, *b.weights((6, 3, 3, 6), 0))
    assert first is not None
    second = b.apply(Conv2D((1, 1), (1, 1), (1, 1, 1, 1), Activation.NONE), first, *b.weights((6, 3, 3, 6), 0))
    assert second is not None
    total = b.apply(Add(Activation.RELU6), second, x)
    assert total is not None
    mean = b.apply(Mean((1, 2), False), total)
    assert mean is not None
    last = b.apply(FullyConnected(Activation.NONE), mean, *b.weights((4, 6), 0))
    assert last is not None
    with pytest.raises(UnsupportedModel, match="normalisation of what is added"):
        read_existing(b.graph([last]), "added")


def test_data_of_another_form_is_refused() -> None:
    found = read(DIGITS)
    for shape, why in (((32, 48, 1), "same form"), ((32, 32, 3), None), ((16, 16, 1), "only 16x16")):
        if why is None:
            space_around(found, "digits", shape, "image")
            continue
        with pytest.raises(UsageError, match=why):
            space_around(found, "digits", shape, "image")


def begun(path: Path, data: str = "digits") -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.search.start_program", str(path), data],
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
def test_the_keyword_network_begins_with_quantised_features() -> None:
    data = SHARED / "datasets" / "kws01_mfcc_test700.npz"
    if not data.is_file():
        pytest.skip(f"{data} is not there")
    found = begun(shared_model("mlperf_kws_dscnn_int8"), str(data))
    # The file itself gets 75 of these 84 samples.
    assert found["itself"] >= 0.86
    assert found["in_supernet"] >= 0.86
    assert found["smallest"] < found["in_supernet"]


@needs_tensorflow
@pytest.mark.long
def test_a_keras_model_is_read_with_squeeze_and_excite_and_shortcuts(tmp_path: Path) -> None:
    found = begun(tmp_path / f"{ZERO_TO_ONE}.keras")
    assert found["model"] >= 0.8
    assert found["notes"] == []
    assert found["itself"] >= found["model"] - 0.02
    assert found["in_supernet"] >= found["model"] - 0.05


@needs_tensorflow
@pytest.mark.long
def test_a_keras_model_of_pixels_from_minus_one_is_padded_with_black(tmp_path: Path) -> None:
    found = begun(tmp_path / "model.keras")
    assert found["model"] >= 0.8
    assert found["notes"] == ["the first convolution is padded with the data's 0, not with its own"]
    assert found["itself"] >= found["model"] - 0.05
    assert found["in_supernet"] >= found["model"] - 0.08
