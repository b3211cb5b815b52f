"""Rounding as int8 does it, in a float network: for training that knows of its quantisation.

Weights are rounded per output channel over their own range; batch normalisation scales whole channels, so that folding
it into the weights later changes nothing about that. Activations are rounded over ranges that follow those of the
batches by an exponential average. Gradients pass through the rounding.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinyforge.search.backend import tensorflow

KEPT = 0.95
"""Part of an activation's range that stays at every batch."""
LEAST = 1e-6


class FakeQuant:
    """Ranges of the named activations: lowest and highest value, both zero before the first batch."""

    def __init__(self, names: Iterable[str]) -> None:
        self.tf = tensorflow()
        self.ranges = {name: self.tf.Variable(self.tf.zeros(2), trainable=False) for name in names}

    def weights(self, kernel: Any, axis: int) -> Any:
        """``kernel`` rounded to 255 symmetric steps for each channel of ``axis`` (from the end)."""
        tf = self.tf
        others = [a for a in range(len(kernel.shape)) if a != len(kernel.shape) + axis]
        scale = tf.maximum(tf.reduce_max(tf.abs(kernel), others, keepdims=True), LEAST) / 127
        return kernel + tf.stop_gradient(tf.round(kernel / scale) * scale - kernel)

    def activations(self, x: Any, name: str, learn: bool) -> Any:
        """``x`` rounded to 256 steps; ``learn``: whether its range follows this batch."""
        tf, variable = self.tf, self.ranges[name]
        if learn:
            seen = tf.stack([tf.minimum(tf.reduce_min(x), 0.0), tf.maximum(tf.reduce_max(x), LEAST)])
            seen = tf.stop_gradient(seen)
            fresh = tf.equal(variable[1], 0.0)
            variable.assign(tf.where(fresh, seen, KEPT * variable + (1 - KEPT) * seen))
        low, high = tf.unstack(variable)
        return tf.quantization.fake_quant_with_min_max_vars(x, low, tf.maximum(high, LEAST))
