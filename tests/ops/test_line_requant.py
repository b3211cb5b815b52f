"""One-line requantisation of scaled sums: exact on every accumulator, or refused."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops.test_requant import rescale
from tinyforge.ops.line_requant import line_form
from tinyforge.ops.requant import thresholds


@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("zero, hi", [(-128, 127), (-128, 60), (5, 127)])
def test_exact_on_every_accumulator(once: bool, zero: int, hi: int) -> None:
    rng = np.random.default_rng(zero + hi + 300)
    found = 0
    for _ in range(20):
        reals = [*np.exp(rng.uniform(np.log(2e-3), np.log(4e-2), 8)), 1e-9]
        r = rescale([float(v) for v in reals], zero, -128 if once else zero, hi, 20000, once)
        form = line_form(r, 256)
        if form is not None:
            found += 1
            acc = np.broadcast_to(np.arange(-20000, 20001), (len(reals), 40001))
            np.testing.assert_array_equal(form.apply(acc), r.reference(acc))
    assert found >= 18


def test_two_sided_double_rounding_is_refused() -> None:
    assert line_form(rescale([0.01, 0.02], 0, -128, 127, 20000, False), 256) is None


def test_sums_beyond_int32_are_refused() -> None:
    assert line_form(rescale([0.01], -128, -128, 127, 1 << 23, False), 256) is None


@pytest.mark.parametrize("shift", [0.2, 0.9, 0.999])
def test_large_multipliers_use_a_smaller_shift_or_none(shift: float) -> None:
    r = rescale([shift, 0.001], -128, -128, 127, 900, False)
    form = line_form(r, 256)
    if form is not None:
        acc = np.broadcast_to(np.arange(-900, 901), (2, 1801))
        np.testing.assert_array_equal(form.apply(acc), r.reference(acc))


def test_hundreds_of_channels_with_large_sums_have_a_line() -> None:
    """What last layers look like: thresholds on both sides of zero, 255 of them a channel, rounded once."""
    rng = np.random.default_rng(11)
    found = 0
    for _ in range(10):
        reals = [float(v) for v in rng.uniform(2e-4, 4e-4, 120)]
        r = rescale(reals, int(rng.integers(-100, 100)), -128, 127, 700_000, True)
        form = line_form(r, 256)
        if form is not None:
            found += 1
            acc = np.concatenate([thresholds(r) + d for d in range(-2, 3)], axis=1).clip(-700_000, 700_000)
            np.testing.assert_array_equal(form.apply(acc), r.reference(acc))
    assert found >= 8
