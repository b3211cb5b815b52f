"""Where a search ``--from`` a model begins: its graph from the file, and the supernet's first weights from its own."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinyforge.errors import ModelError, UsageError
from tinyforge.importers.load import import_model
from tinyforge.ir.graph import Graph
from tinyforge.ir.types import Array
from tinyforge.passes.pipeline import optimise
from tinyforge.search.architecture import Architecture
from tinyforge.search.around import keeps_classifier, space_around, starting_weights
from tinyforge.search.backend import tensorflow
from tinyforge.search.channel_order import channel_groups, moved, sorted_channels
from tinyforge.search.dataset import Dataset, Floats, resized
from tinyforge.search.existing import Existing, read_existing
from tinyforge.search.finalist import network_input
from tinyforge.search.keras_model import accuracy, build_model, int8_content, layer_name, set_weights
from tinyforge.search.space import Candidate, SearchSpace
from tinyforge.search.supernet import EPSILON, Supernet, slice_weights

SAMPLES = 256
FIT_SAMPLES = 2048
"""Training samples that a new classifier is fitted to, ..."""
RIDGE, LOGITS = 0.03, 5.0
"""... with how much damping, and how far apart its answers are."""
RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
"""What Keras models commonly take pixels as."""


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """The network of a model file. scale, offset: its input is the data's scaled one times ``scale`` plus ``offset``,
    for each channel."""

    found: Existing
    space: SearchSpace
    itself: Candidate
    scale: Floats
    offset: Floats

    @property
    def differences(self) -> tuple[str, ...]:
        """In what the space's networks differ from it."""
        padded = any(self.found.stem.op.padding)  # type: ignore[attr-defined]
        if not padded or np.allclose(self.offset, 0, atol=1e-4):
            return self.found.notes
        # Pixels from -1 to 1 are padded with grey, in the space's networks with black.
        return (*self.found.notes, "the first convolution is padded with the data's 0, not with its own")


def read_start(path: Path, data: Dataset) -> Start:
    """The network in a .tflite or .keras file, and the space around it for ``data``.

    Raises ModelError, UnsupportedModel, UsageError for data that does not go with it.
    """
    if path.suffix not in (".tflite", ".keras"):
        raise UsageError(f"--from {path}: give a .tflite or a .keras file")
    if not path.is_file():
        raise UsageError(f"--from {path}: there is no such file")
    if path.suffix == ".keras":
        graph, (low, high) = _from_keras(path, data)
    else:
        graph = optimise(import_model(path), "int8")
        low, high = _input_range(graph)
    found = read_existing(graph, path.name)
    space, itself = space_around(found, path.stem, data.shape, data.kind)
    scale, offset = _stored(data, graph, (low, high), path.suffix == ".tflite")
    return Start(found, space, itself, scale * found.scale, offset * found.scale + found.offset)


def _stored(data: Dataset, graph: Graph, bounds: tuple[float, float], quantised: bool) -> tuple[Floats, Floats]:
    """What the data's scaled samples are multiplied with, and what is added then, to be the numbers the model takes."""
    if data.kind == "image":
        low, high = bounds
        return np.asarray([high - low], np.float32), np.asarray([low], np.float32)
    std, mean = np.asarray(data.scaling.std, np.float32), np.asarray(data.scaling.mean, np.float32)
    if not quantised or data.train.x.dtype != np.int8:
        return std, mean  # a model is given them as they are stored
    source = graph.tensors[graph.inputs[0]].type
    return std * np.float32(source.scale), (mean - source.zero_point) * np.float32(source.scale)


def _input_range(graph: Graph) -> tuple[float, float]:
    """The numbers that an image's 0 and 255 stand for."""
    quant = graph.tensors[graph.inputs[0]].type
    return quant.scale * (-128 - quant.zero_point), quant.scale * (127 - quant.zero_point)


def _from_keras(path: Path, data: Dataset) -> tuple[Graph, tuple[float, float]]:
    """Quantised with training samples, in the range of pixels at which it is most accurate on the validation split."""
    tf = tensorflow()
    try:
        model = tf.keras.models.load_model(path, compile=False)
    except Exception as error:
        raise ModelError(f"{path} cannot be read as a Keras model: {str(error).splitlines()[0]}") from error
    shape = model.input_shape
    if not isinstance(shape, tuple) or len(shape) not in (3, 4) or None in shape[1:]:
        raise UsageError(f"{path}: one input of fixed rows, columns and channels is needed, this takes {shape}")
    ranges = RANGES if data.kind == "image" else ((0.0, 255.0),)
    held, wanted = _shaped(data.validation.x, shape), data.validation.y
    scores = [accuracy(model, _in_range(held, r), wanted) for r in ranges]
    chosen = ranges[int(np.argmax(scores))]
    samples = _in_range(_shaped(data.train.take(_some(len(data.train))).x, shape), chosen)
    return optimise(_imported(int8_content(model, samples)), "int8"), chosen


def _shaped(x: Array, shape: Sequence[int]) -> Array:
    """Samples as the model takes them: signals (n, steps, channels), others (n, rows, columns, channels)."""
    size = shape[1:] if len(shape) == 4 else (shape[1], 1, shape[2])
    return resized(x, size).reshape(-1, *shape[1:])


def _some(count: int, most: int = SAMPLES) -> Array:
    return np.random.default_rng(79).permutation(count)[:most]


def _in_range(x: Array, bounds: Sequence[float]) -> Floats:
    """Pixels 0..255 as numbers from low to high; (0, 255) leaves everything as it is."""
    low, high = bounds
    return np.asarray(x.astype(np.float32) * ((high - low) / 255) + low, np.float32)


def _imported(content: bytes) -> Graph:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(content)
        return import_model(path)


def begin_from(start: Start, net: Supernet, data: Dataset, seed: int) -> float:
    """Give ``net``, of a part of the start's space, the network's weights, its most important channels first.

    Returns the accuracy of the network itself, as float32, on the validation split.
    """
    classes = len(data.classes)
    network, arrays = starting_weights(start.found, start.space, start.itself, data.shape, classes, seed)
    stem = arrays["stem/kernel"].astype(np.float32)
    arrays["stem/beta"] = arrays["stem/beta"] + (stem * start.offset[:, None]).sum((0, 1, 2))
    arrays["stem/kernel"] = stem * start.scale[:, None]
    model = build_model(network)
    plain = {
        layer.name: np.stack([np.zeros(layer.shape[2]), np.full(layer.shape[2], 1 - EPSILON)])
        for layer in network.layers
    }
    held = network_input(data, data.validation, network)
    set_weights(model, network, arrays, plain)
    right = accuracy(model, held, data.validation.y)
    fitted = {**arrays, **_fitted_classifier(network, model, data)}
    set_weights(model, network, fitted, plain)
    better = accuracy(model, held, data.validation.y)
    if better > right or not keeps_classifier(start.found, classes):
        arrays, right = fitted, better
    else:
        set_weights(model, network, arrays, plain)
    _normalise(arrays, network, model, network_input(data, data.train.take(_some(len(data.train))), network))
    groups = channel_groups(start.space)
    _slice(net, dict(moved(arrays, groups, sorted_channels(arrays, groups))))
    return right


def _fitted_classifier(network: Architecture, model: Any, data: Dataset) -> dict[str, Array]:
    """A new dense layer, by ridge regression of the classes on what it takes of training samples."""
    some = data.train.take(_some(len(data.train), FIT_SAMPLES))
    inner = tensorflow().keras.Model(model.input, model.get_layer("pool").output)
    samples = network_input(data, some, network)
    parts = [np.asarray(inner(samples[i : i + 128], training=False)) for i in range(0, len(samples), 128)]
    features = np.concatenate(parts).astype(np.float64)
    mean, spread = features.mean(0), features.std(0) + 1e-6
    taken, wanted = (features - mean) / spread, np.eye(len(data.classes))[some.y]
    damped = taken.T @ taken + RIDGE * len(taken) * np.eye(len(spread))
    kernel = LOGITS * np.linalg.solve(damped, taken.T @ (wanted - wanted.mean(0))) / spread[:, None]
    name, bias = network.layers[-1].name, LOGITS * wanted.mean(0) - mean @ kernel
    return {f"{name}/kernel": kernel.astype(np.float32), f"{name}/bias": bias.astype(np.float32)}


def _normalise(arrays: dict[str, Array], network: Architecture, model: Any, samples: Floats) -> None:
    """Scales and shifts with which batch normalisation leaves what every layer makes of ``samples`` as it is."""
    layers = [layer for layer in network.layers if layer.normalised]
    outputs = [model.get_layer(layer_name(layer)).output for layer in layers]
    values = tensorflow().keras.Model(model.input, outputs)(samples, training=False)
    for layer, value in zip(layers, values if len(layers) > 1 else [values], strict=True):
        array, width = np.asarray(value), layer.shape[2]
        spread = np.sqrt(array.var((0, 1, 2)) + EPSILON)
        gamma, beta = arrays[f"{layer.name}/gamma"].copy(), arrays[f"{layer.name}/beta"].copy()
        gamma[:width] = spread
        beta[:width] += array.mean((0, 1, 2))
        arrays[f"{layer.name}/gamma"], arrays[f"{layer.name}/beta"] = gamma, beta


def _slice(net: Supernet, arrays: Mapping[str, Array]) -> None:
    for layer, shape in net.layers.values():
        if shape:
            for part, value in slice_weights(arrays, layer, shape).items():
                net.variables[f"{layer.name}/{part}"].assign(value)
