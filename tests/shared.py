"""Models that real tools wrote, kept outside the repository; tests that use them skip where they are absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("TINYFORGE_SHARED", ROOT.parent / "shared"))
DIGITS = ROOT / "examples" / "digits" / "digits_int8.tflite"
DIGITS_GOLDEN = ROOT / "examples" / "digits" / "digits_test.golden.npz"

MLPERF = (
    "mlperf_ad_toycar_int8",
    "mlperf_ic_resnet8_int8",
    "mlperf_kws_dscnn_int8",
    "mlperf_vww96_mobilenetv1_int8",
)
COMPILED = (
    *MLPERF,
    "con_fmnist_cnn_int8",
    "con_wand_conv1d_int8",
    "coral_mobilenet_v1_025_128_uint8",
    "coral_split_concat_uint8",
    "tflm_hello_world_int8",
    "tflm_micro_speech_int8",
    "tflm_person_detect_int8",
    "tinyengine_mcunet_vww_int8",
    "tinyengine_mnist_lenet300_int8",
    "tinyengine_person_detection_int8",
    "tinymaix_cifar10_int8",
    "tinymaix_mbnet96_025_int8",
    "tinymaix_mnist_valid_int8",
    "tinymaix_vww96_int8",
)
# No golden outputs worth comparing (constant), or stateful in a way only the streaming host knows.
LARGE = ("tinyengine_mcunetv2_large_int8",)
STREAMING = ("mlperf_sww_streaming_int8",)
REFUSED = {
    "mlperf_kws_dscnn_float.tflite": "hybrid or float32",
    "mlperf_ic_resnet8_float.tflite": "float32",
    "tflm_mnist_lstm_int8.tflite": "recurrent",
    "tflm_keyword_scrambled_int8.tflite": "SVDF",
    "tflm_audio_preprocessor_int8.tflite": "CUSTOM",
    "onnx_mnist8_float.onnx": "ONNX",
}


def shared_model(name: str) -> Path:
    """Path of a model (``.tflite`` unless ``name`` has a suffix); skips the test without it."""
    path = SHARED / "models" / (name if "." in name else f"{name}.tflite")
    if not path.is_file():
        pytest.skip(f"{path} is not there (set TINYFORGE_SHARED)")
    return path


def golden(name: str) -> Path:
    """Recorded inputs and reference outputs of a model."""
    return SHARED / "models" / f"{name}.golden.npz"
