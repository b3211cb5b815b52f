"""The two-instruction requantisation against the reference on every sum in reach, not only at the proof's points."""

from __future__ import annotations

import numpy as np
import pytest

from tinyforge.ir.fixed_point import quantize_multiplier
from tinyforge.ir.types import IntArray
from tinyforge.ops.requant import Rescale
from tinyforge.ops.scaled_requant import scaled_form


def rescale_of(factors: list[float], reach: IntArray, bias: IntArray, zero: int, lo: int, hi: int) -> Rescale:
    pairs = [quantize_multiplier(f) for f in factors]
    multiplier, shift = (np.array(v, np.int64) for v in zip(*pairs, strict=True))
    return Rescale(multiplier, shift, zero, lo, hi, bias - reach, bias + reach)


def everywhere(rescale: Rescale, bias: IntArray) -> None:
    form = scaled_form(rescale, bias, 8)
    assert form is not None
    assert form.factor.max() <= 256
    for i in range(len(bias)):
        raw = np.arange(rescale.acc_lo[i] - bias[i], rescale.acc_hi[i] - bias[i] + 1, dtype=np.int64)
        total = raw * form.factor[i] + form.start[i]
        high = form.add[i] + (total * form.multiplier[i] >> 32)
        assert max(np.abs(total).max(), np.abs(high).max()) < 1 << 31
        got = np.clip(high >> form.shift, form.lo, form.hi)
        one = Rescale(rescale.multiplier[i : i + 1], rescale.shift[i : i + 1], *rescale_tail(rescale, i))
        np.testing.assert_array_equal(got, one.reference((raw + bias[i])[None])[0])


def rescale_tail(r: Rescale, i: int) -> tuple[int, int, int, IntArray, IntArray]:
    return r.zero, r.lo, r.hi, r.acc_lo[i : i + 1], r.acc_hi[i : i + 1]


@pytest.mark.parametrize("seed", range(4))
def test_relu_layers_have_an_exact_form(seed: int) -> None:
    rng = np.random.default_rng(seed)
    channels = 24
    factors = np.exp(rng.uniform(np.log(0.0005), np.log(0.03), channels)).tolist()
    reach = rng.integers(20_000, 140_000, channels)
    bias = rng.integers(-60_000, 60_000, channels)
    everywhere(rescale_of(factors, reach, bias, -128, -128, [127, 100, 31, -120][seed]), bias)


def test_dead_and_constant_channels_do_not_spoil_the_layer() -> None:
    factors = [0.01, 1e-7, 3e-9, 0.01, 0.02]
    reach = np.array([90_000, 50_000, 0, 300, 0], np.int64)
    bias = np.array([1_000, -20_000, 77, -90_000, 400_000], np.int64)
    everywhere(rescale_of(factors, reach, bias, -128, -128, 127), bias)


def test_no_form_where_there_is_none() -> None:
    reach, bias = np.array([90_000], np.int64), np.array([0], np.int64)
    assert scaled_form(rescale_of([1.5], reach, bias, -128, -128, 127), bias, 0) is None
    assert scaled_form(rescale_of([0.01], reach, bias, 5, 9, 9), bias, 8) is None
