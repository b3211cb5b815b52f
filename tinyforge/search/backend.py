"""TensorFlow, imported late and set up once: repeatable, and with no more threads than asked for."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from tinyforge.search.needs import missing
from tinyforge.search.quiet import quiet


@lru_cache(maxsize=1)
def tensorflow(threads: int | None = None) -> Any:
    """The module; the first call decides on the number of threads. Raises ToolMissing."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with quiet():
            import tensorflow as tf
    except ImportError as error:
        raise missing("TensorFlow") from error
    tf.get_logger().setLevel("ERROR")
    count = threads or len(os.sched_getaffinity(0))
    tf.config.threading.set_intra_op_parallelism_threads(count)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.keras.utils.set_random_seed(0)
    tf.config.experimental.enable_op_determinism()
    return tf
