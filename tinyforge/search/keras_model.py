"""A candidate as a Keras model of its own, with the supernet's weights; its training and its conversion to int8."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinyforge.ir.types import Array
from tinyforge.search.architecture import Architecture, Layer
from tinyforge.search.backend import tensorflow
from tinyforge.search.quiet import quiet
from tinyforge.search.supernet import EPSILON, slice_weights

CALIBRATION_SAMPLES = 256


def build_model(architecture: Architecture, batch: int | None = None) -> Any:
    """An untrained ``keras.Model`` from scaled samples to logits; ``batch`` 1 for conversion."""
    keras = tensorflow().keras
    made = {"input": keras.Input(architecture.input_shape, batch_size=batch, name="input")}
    for layer in architecture.layers:
        made[layer.name] = _apply(keras, layer, [made[name] for name in layer.inputs])
    return keras.Model(made["input"], made[architecture.layers[-1].name])


def layer_name(layer: Layer) -> str:
    """Of the Keras layer with the weights of ``layer``."""
    return layer.name.replace(".", "_")


def _apply(keras: Any, layer: Layer, inputs: list[Any]) -> Any:
    """The Keras layers of one layer: the operator, its normalisation, its activation."""
    layers, name = keras.layers, layer_name(layer)
    common = {"strides": layer.stride, "padding": "same", "use_bias": not layer.normalised, "name": name}
    if layer.kind == "conv":
        x = layers.Conv2D(layer.shape[2], layer.kernel, **common)(inputs[0])
    elif layer.kind == "depthwise":
        # Keras takes equal strides only; along the single column of a signal the second makes no difference.
        x = layers.DepthwiseConv2D(layer.kernel, **{**common, "strides": layer.stride[0]})(inputs[0])
    elif layer.kind in ("max", "average"):
        pooling = layers.MaxPooling2D if layer.kind == "max" else layers.AveragePooling2D
        x = pooling(layer.kernel, layer.stride, name=name)(inputs[0])
    elif layer.kind == "mean":
        x = layers.GlobalAveragePooling2D(keepdims=layer.name != "pool", name=name)(inputs[0])
    elif layer.kind == "dense":
        x = layers.Dense(layer.shape[2], name=name)(inputs[0])
    else:
        join = layers.Add if layer.kind == "add" else layers.Multiply
        x = join(name=name)(inputs)
    if layer.normalised:
        x = layers.BatchNormalization(epsilon=EPSILON, momentum=0.9, name=f"{name}_norm")(x)
    if layer.activation == "relu6":
        return layers.ReLU(6.0, name=f"{name}_relu")(x)
    return layers.Activation("sigmoid", name=f"{name}_sigmoid")(x) if layer.activation else x


def set_weights(
    model: Any, architecture: Architecture, weights: Mapping[str, Array], statistics: Mapping[str, Array]
) -> None:
    """Give ``model`` its slices of the supernet's ``weights`` and the candidate's normalisation ``statistics``."""
    for layer in architecture.layers:
        shape = architecture.weight_shape(layer)
        if not shape:
            continue
        parts = slice_weights(weights, layer, shape)
        first = [parts["kernel"]] + ([parts["bias"]] if "bias" in parts else [])
        model.get_layer(layer_name(layer)).set_weights(first)
        if layer.normalised:
            mean, variance = statistics[layer.name][:, : layer.shape[2]]
            norm = model.get_layer(f"{layer_name(layer)}_norm")
            norm.set_weights([parts["gamma"], parts["beta"], mean, variance])


def convert_int8(model: Any, architecture: Architecture, samples: Array) -> bytes:
    """A full-integer ``.tflite`` with int8 input and output, weights per channel. samples: scaled, for ranges."""
    fixed = build_model(architecture, 1)
    fixed.set_weights(model.get_weights())
    return int8_content(fixed, samples)


def int8_content(model: Any, samples: Array) -> bytes:
    """Any Keras model as ``convert_int8`` makes one."""
    tf = tensorflow()
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([sample[None]] for sample in samples[:CALIBRATION_SAMPLES])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    with quiet():
        return bytes(converter.convert())


def accuracy(model: Any, x: Array, y: Array) -> float:
    """Part of the scaled samples ``x`` whose class the float model gets right."""
    logits = [np.asarray(model(x[i : i + 128], training=False)) for i in range(0, len(x), 128)]
    return float((np.concatenate(logits).argmax(1) == y).mean())
