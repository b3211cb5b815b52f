"""A score of an untrained network: how well it tells samples apart by which of its activations are zero.

The logarithm of the determinant of the kernel that counts equal activation signs (Mellor et al., Neural Architecture
Search without Training, ICML 2021). It costs one forward pass of a small batch and no training.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyforge.ir.types import Array
from tinyforge.search.architecture import Architecture, Layer
from tinyforge.search.backend import tensorflow
from tinyforge.search.dataset import Dataset
from tinyforge.search.finalist import network_input

SAMPLES = 32


class UntrainedScore:
    """Scores architectures for ``data``, all on the same samples and with weights that follow from ``seed``."""

    def __init__(self, data: Dataset, seed: int) -> None:
        self.tf = tensorflow()
        self.data, self.seed = data, seed
        chosen = np.random.default_rng([seed, 71]).permutation(len(data.train))[:SAMPLES]
        self.samples = data.train.take(chosen)

    def __call__(self, architecture: Architecture) -> float:
        """Larger is better; comparable between networks of one space."""
        tf, rng = self.tf, np.random.default_rng([self.seed, 73])
        made: dict[str, Any] = {"input": tf.constant(network_input(self.data, self.samples, architecture))}
        kernel = np.zeros((len(self.samples), len(self.samples)))
        for layer in architecture.layers[:-1]:
            weights = _random_weights(architecture, layer, rng)
            x = self._operator(layer, [made[name] for name in layer.inputs], weights)
            if layer.normalised:
                mean, variance = tf.nn.moments(x, (0, 1, 2))
                x = (x - mean) * tf.math.rsqrt(variance + 1e-3)
            if layer.activation == "relu6":
                on = tf.cast(tf.reshape(x > 0, (len(self.samples), -1)), tf.float32)
                equal = tf.matmul(on, on, transpose_b=True) + tf.matmul(1 - on, 1 - on, transpose_b=True)
                kernel += equal.numpy()
                x = tf.nn.relu6(x)
            made[layer.name] = tf.sigmoid(x) if layer.activation == "sigmoid" else x
        return float(np.linalg.slogdet(kernel)[1])

    def _operator(self, layer: Layer, inputs: list[Any], weights: Array | None) -> Any:
        tf = self.tf
        if layer.kind == "conv":
            return tf.nn.conv2d(inputs[0], weights, layer.stride, "SAME")
        if layer.kind == "depthwise":
            # Signals have one column, which equal strides leave as it is.
            return tf.nn.depthwise_conv2d(inputs[0], weights, (1, layer.stride[0], layer.stride[0], 1), "SAME")
        if layer.kind == "mean":
            return tf.reduce_mean(inputs[0], (1, 2), keepdims=True)
        return inputs[0] + inputs[1] if layer.kind == "add" else inputs[0] * inputs[1]


def _random_weights(architecture: Architecture, layer: Layer, rng: np.random.Generator) -> Array | None:
    """He-normal; None for a layer without weights."""
    shape = architecture.weight_shape(layer)
    if not shape:
        return None
    taps = shape[0] * shape[1] * (1 if layer.kind == "depthwise" else shape[2])
    return np.asarray(rng.standard_normal(shape) * np.sqrt(2 / taps), np.float32)
