"""Trains the digit classifier of the examples and writes the three files beside this script.

    python -m venv /tmp/train && /tmp/train/bin/pip install tensorflow-cpu scikit-learn
    /tmp/train/bin/python examples/digits/train.py

Data: scikit-learn's bundled digits (1,797 images of 8x8, 16 grey levels), enlarged to 32x32 so that, as in camera
networks, the first feature maps are the large ones. Every fourth image of the shuffled set is for testing.
Network: a small MobileNetV2: convolution, depthwise blocks with strides, two inverted residuals, global pooling.
Writes: digits_int8.tflite, digits_test.golden.npz (test images, labels, outputs of TensorFlow Lite's reference
kernels) and accuracy.json. TensorFlow is needed for this script only.
"""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn.datasets import load_digits

HERE = Path(__file__).resolve().parent
SIDE = 32
EPOCHS = 60


def enlarge(images: np.ndarray, side: int = SIDE) -> np.ndarray:
    """(n, 8, 8) grey levels 0..16 -> (n, side, side, 1) float32 in 0..1, bilinear, half-pixel centres."""
    old = images.shape[1]
    at = np.clip((np.arange(side) + 0.5) * old / side - 0.5, 0, old - 1)
    low = np.minimum(at.astype(int), old - 2)
    part = (at - low).astype(np.float32)
    grey = images.astype(np.float32) / 16
    rows = grey[:, low] * (1 - part)[None, :, None] + grey[:, low + 1] * part[None, :, None]
    result = rows[:, :, low] * (1 - part) + rows[:, :, low + 1] * part
    return result[..., None]


def data() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training images and labels, test images and labels."""
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    images, labels = enlarge(digits.images[order]), digits.target[order]
    test = np.arange(len(labels)) % 4 == 3
    return images[~test], labels[~test], images[test], labels[test]


def normalised(x: keras.KerasTensor, activation: bool = True) -> keras.KerasTensor:
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.ReLU(6.0)(x) if activation else x


def block(x: keras.KerasTensor, expanded: int, out: int, stride: int) -> keras.KerasTensor:
    """Inverted residual: 1x1 expansion, 3x3 depthwise, 1x1 projection, sum where shapes allow."""
    y = normalised(layers.Conv2D(expanded, 1, use_bias=False)(x))
    y = normalised(layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(y))
    y = normalised(layers.Conv2D(out, 1, use_bias=False)(y), activation=False)
    return layers.Add()([x, y]) if stride == 1 and x.shape[-1] == out else y


def network() -> keras.Model:
    inputs = keras.Input((SIDE, SIDE, 1), batch_size=1)
    x = normalised(layers.Conv2D(16, 3, 1, "same", use_bias=False)(inputs))
    x = normalised(layers.DepthwiseConv2D(3, 2, "same", use_bias=False)(x))
    x = normalised(layers.Conv2D(24, 1, use_bias=False)(x), activation=False)
    x = block(x, 48, 24, 1)
    x = block(x, 72, 32, 2)
    x = block(x, 64, 32, 1)
    x = normalised(layers.Conv2D(64, 1, use_bias=False)(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Softmax()(layers.Dense(10)(x)))


def shifted(image: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Moves an image by up to three pixels; the only augmentation."""
    moved = tf.image.random_crop(tf.pad(image, [[3, 3], [3, 3], [0, 0]]), (SIDE, SIDE, 1))
    return moved, label


def train(images: np.ndarray, labels: np.ndarray) -> keras.Model:
    model = keras.models.clone_model(network(), input_tensors=keras.Input((SIDE, SIDE, 1)))
    steps = EPOCHS * -(-len(images) // 32)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(4e-3, steps)),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    batches = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(2048, seed=1).map(shifted).batch(32)
    model.fit(batches, epochs=EPOCHS, verbose=2)
    fixed = network()
    fixed.set_weights(model.get_weights())
    return fixed


def convert(model: keras.Model, images: np.ndarray) -> bytes:
    """Full int8 quantisation, calibrated on training images; int8 input and output."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image[None]] for image in images[:500])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def reference(content: bytes, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantised inputs (n, 1, 32, 32, 1) and what the reference kernels make of them (n, 1, 10), both int8."""
    interpreter = tf.lite.Interpreter(
        model_content=content, experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    source, sink = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    scale, zero = source["quantization"]
    inputs = np.clip(np.round(images / scale) + zero, -128, 127).astype(np.int8)[:, None]
    outputs = []
    for image in inputs:
        interpreter.set_tensor(source["index"], image)
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(sink["index"]).copy())
    return inputs, np.stack(outputs)


def main() -> None:
    keras.utils.set_random_seed(3)
    images, labels, test_images, test_labels = data()
    model = train(images, labels)
    content = convert(model, images)
    inputs, outputs = reference(content, test_images)
    float_right = np.argmax(np.concatenate([model(i[None]) for i in test_images]), -1) == test_labels
    right = np.argmax(outputs[:, 0], -1) == test_labels
    (HERE / "digits_int8.tflite").write_bytes(content)
    np.savez_compressed(
        HERE / "digits_test.golden.npz", input_0=inputs, output_0=outputs, labels=test_labels.astype(np.int8)
    )
    figures = {
        "float_accuracy": round(float(float_right.mean()), 4),
        "int8_accuracy": round(float(right.mean()), 4),
        "model_bytes": len(content),
        "parameters": model.count_params(),
        "tensorflow": tf.__version__,
        "test_images": len(test_labels),
        "train_images": len(labels),
    }
    (HERE / "accuracy.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(figures)


if __name__ == "__main__":
    main()
