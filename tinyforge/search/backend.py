"""TensorFlow, imported late and set up once: repeatable on one kind of processor, with a given number of threads."""

from __future__ import annotations

import os
from typing import Any

from tinyforge.search.needs import missing
from tinyforge.search.quiet import quiet
from tinyforge.toolchain.cores import cores

_STARTED: list[Any] = []
"""The module, once it is set up."""


def tensorflow(threads: int | None = None) -> Any:
    """The module; the first call decides on the number of threads. Raises ToolMissing."""
    if not _STARTED:
        _STARTED.append(_start(threads or cores()))
    return _STARTED[0]


def sees_gpu() -> bool:
    """Whether TensorFlow has a GPU."""
    return bool(tensorflow().config.list_physical_devices("GPU"))


def _start(threads: int) -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet():
        try:
            import tensorflow as tf
        except ImportError as error:
            raise missing("TensorFlow") from error
        tf.get_logger().setLevel("ERROR")
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.keras.utils.set_random_seed(0)
        tf.config.experimental.enable_op_determinism()
        tf.zeros(1)  # starts the runtime, which has a message of its own
    return tf
