"""Real models with golden vectors, beside the repository (TINYFORGE_SHARED, else ../shared); skipped without them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SHARED = Path(os.environ.get("TINYFORGE_SHARED") or Path(__file__).resolve().parents[2] / "shared")
MODELS = SHARED / "models"

needs_models = pytest.mark.skipif(
    not MODELS.is_dir(), reason=f"no models in {MODELS}; set TINYFORGE_SHARED to the folder that has them"
)

COMPILED = (
    "con_fmnist_cnn_int8",
    "con_wand_conv1d_int8",
    "coral_mobilenet_v1_025_128_uint8",
    "coral_split_concat_uint8",
    "mlperf_ad_toycar_int8",
    "mlperf_ic_resnet8_int8",
    "mlperf_kws_dscnn_int8",
    "mlperf_sww_streaming_int8",
    "mlperf_vww96_mobilenetv1_int8",
    "tflm_hello_world_int8",
    "tflm_micro_speech_int8",
    "tflm_person_detect_int8",
    "tinyengine_mcunet_vww_int8",
    "tinyengine_mcunetv2_large_int8",
    "tinyengine_mnist_lenet300_int8",
    "tinyengine_person_detection_int8",
    "tinymaix_cifar10_int8",
    "tinymaix_mbnet96_025_int8",
    "tinymaix_mnist_valid_int8",
    "tinymaix_vww96_int8",
)
"""Every int8 and uint8 network without recurrence."""

REFUSED = (
    "con_fmnist_cnn_float",
    "mlonmcu_umatest_float",
    "mlperf_ad_toycar_float",
    "mlperf_ic_resnet8_float",
    "mlperf_kws_dscnn_float",
    "mlperf_vww96_mobilenetv1_float",
    "tflm_audio_preprocessor_int8",
    "tflm_hello_world_float",
    "tflm_keyword_scrambled_int8",
    "tflm_mnist_lstm_float",
    "tflm_mnist_lstm_int8",
    "tinymaix_cifar10_float",
    "tinymaix_mnist_valid_float",
)
"""Float, hybrid, recurrent, custom operators."""


def model_path(name: str) -> Path:
    return MODELS / f"{name}.tflite"


def golden(name: str) -> dict[str, Any]:
    """Arrays of the golden file: input_i, output_i (samples first), op_index, op_output_crc32."""
    with np.load(MODELS / f"{name}.golden.npz") as arrays:
        return dict(arrays)
