"""A finalist becomes a model file: trained on with the supernet's weights, then quantised to int8."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyforge.ir.types import Array
from tinyforge.search.architecture import Architecture
from tinyforge.search.augment import augmentation, soft_labels
from tinyforge.search.backend import tensorflow
from tinyforge.search.dataset import Dataset, Floats, Samples, resized
from tinyforge.search.keras_model import accuracy, build_model, convert_int8, set_weights
from tinyforge.search.train import Report

RATE = 2e-3


@dataclass(frozen=True, slots=True, eq=False)
class Finalist:
    """model: the Keras model; content: its int8 ``.tflite``. Accuracies on the validation split, float and int8."""

    model: Any
    content: bytes
    float_accuracy: float
    int8_accuracy: float


def network_input(data: Dataset, samples: Samples, architecture: Architecture) -> Floats:
    """Scaled samples at the architecture's resolution and channels, float32."""
    return data.scaling.apply(resized(samples.x, architecture.input_shape))


def train_finalist(
    data: Dataset,
    architecture: Architecture,
    weights: Mapping[str, Array],
    statistics: Mapping[str, Array],
    epochs: int,
    batch: int,
    augment: str,
    seed: int,
    tell: Report,
) -> Finalist:
    """Train the network of ``architecture`` from the supernet's weights for ``epochs``; quantise it after."""
    tensorflow().keras.utils.set_random_seed(seed)
    model = build_model(architecture)
    set_weights(model, architecture, weights, statistics)
    _fine_tune(model, data, architecture, epochs, batch, augment, seed, tell)
    tell("quantising", epochs, epochs)
    calibration = network_input(data, data.train.take(_some(len(data.train), seed)), architecture)
    content = convert_int8(model, architecture, calibration)
    held = network_input(data, data.validation, architecture)
    quantised, outputs = reference_outputs(content, held)
    right = float((outputs.reshape(len(held), -1).argmax(1) == data.validation.y).mean())
    assert quantised.dtype == np.int8
    return Finalist(model, content, accuracy(model, held, data.validation.y), right)


def _some(count: int, seed: int) -> Array:
    return np.random.default_rng([seed, 47]).permutation(count)[:256]


def _fine_tune(
    model: Any,
    data: Dataset,
    architecture: Architecture,
    epochs: int,
    batch: int,
    augment: str,
    seed: int,
    tell: Report,
) -> None:
    """Adam with a cosine rate; label smoothing as for the supernet."""
    keras = tensorflow().keras
    change = augmentation(augment, data.kind, data.shape[2])
    x, y = network_input(data, data.train, architecture), data.train.y
    targets = soft_labels(y, len(data.classes))
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    steps = epochs * math.ceil(len(y) / batch)
    model.compile(keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(RATE, steps), 1e-4), loss)
    for epoch in range(epochs):
        rng = np.random.default_rng([seed, 53, epoch])
        order = rng.permutation(len(y))
        model.fit(*change(x[order], targets[order], rng), batch_size=batch, shuffle=False, verbose=0)
        tell("training a finalist", epoch + 1, epochs)


def reference_outputs(content: bytes, samples: Array) -> tuple[Array, Array]:
    """Samples (n, ...) as int8 inputs of the ``.tflite`` file, and what TensorFlow Lite's reference kernels make of
    them, int8 too. Both with the batch axis: (n, 1, ...)."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    runner = Interpreter(model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    runner.allocate_tensors()
    source, sink = runner.get_input_details()[0], runner.get_output_details()[0]
    scale, zero = source["quantization"]
    quantised = np.clip(np.round(samples / scale) + zero, -128, 127).astype(np.int8)[:, None]
    outputs = []
    for sample in quantised:
        runner.set_tensor(source["index"], sample)
        runner.invoke()
        outputs.append(runner.get_tensor(sink["index"]).copy())
    return quantised, np.stack(outputs)
