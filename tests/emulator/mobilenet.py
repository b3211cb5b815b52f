"""Writes MobileNetV2 with random weights, int8, logits its outputs: python -m tests.emulator.mobilenet WIDTH SIZE FILE.

A program of its own: TensorFlow is large, and its warnings would be errors of the test.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np


def mobilenet(width: float, resolution: int) -> bytes:
    """The ``.tflite`` file."""
    import tensorflow as tf

    tf.random.set_seed(0)
    shape = (resolution, resolution, 3)
    # Without a softmax: it would make nearly the same of all logits of an untrained network.
    model = tf.keras.applications.MobileNetV2(shape, width, weights=None, classes=1000, classifier_activation=None)
    rng = np.random.default_rng(0)
    # Statistics of random images: with those of a new network its activations would vanish layer by layer.
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(rng.uniform(-1, 1, (4, *shape)).astype(np.float32), training=True)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([rng.uniform(-1, 1, (1, *shape)).astype(np.float32)] for _ in range(2))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    content: bytes = converter.convert()
    return content


if __name__ == "__main__":
    Path(sys.argv[3]).write_bytes(mobilenet(float(sys.argv[1]), int(sys.argv[2])))
