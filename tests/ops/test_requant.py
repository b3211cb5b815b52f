"""The short requantisation: thresholds and proofs against the reference over full ranges."""

from __future__ import annotations

import numpy as np
import pytest

from tinyforge.ir.fixed_point import quantize_multiplier
from tinyforge.ops.requant import Rescale, Rounding, accumulator_range, short_form, thresholds


def rescale(reals: list[float], zero: int, lo: int, hi: int, reach: int, once: bool) -> Rescale:
    pairs = [quantize_multiplier(r) for r in reals]
    multiplier, shift = (np.array(v, np.int64) for v in zip(*pairs, strict=True))
    ends = np.full(len(reals), reach, np.int64)
    return Rescale(multiplier, shift, zero, lo, hi, -ends, ends, np.array(reals) if once else None)


@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("zero", [-128, -5, 0, 127])
def test_short_form_equals_the_reference_on_every_accumulator(once: bool, zero: int) -> None:
    rng = np.random.default_rng(zero + 200)
    reals = [*np.exp(rng.uniform(np.log(3e-5), np.log(0.4), 40)), 0.25, 2.0**-9, 3e-11, 1e-9, 0.0]
    for lo, hi in ((-128, 127), (zero, 127), (max(zero, -100), min(127, zero + 60))):
        r = rescale([float(v) for v in reals], zero, lo, hi, 30000, once)
        form = short_form(r)
        assert form is not None
        acc = np.broadcast_to(np.arange(-30000, 30001), (len(reals), 60001))
        np.testing.assert_array_equal(form.apply(acc), r.reference(acc))
        expected = Rounding.REAL if once else Rounding.Q31_SIGNED if lo < zero else Rounding.Q31
        assert form.rounding is expected


@pytest.mark.parametrize("once", [False, True])
def test_thresholds_are_the_first_accumulators_of_each_output(once: bool) -> None:
    rng = np.random.default_rng(5)
    r = rescale([float(v) for v in rng.uniform(0.0005, 0.9, 60)], -7, -128, 127, 50000, once)
    acc = np.broadcast_to(np.arange(-50000, 50001), (60, 100001))
    outputs = r.reference(acc)
    for channel, steps in enumerate(thresholds(r)):
        np.testing.assert_array_equal(steps, np.searchsorted(outputs[channel], np.arange(-127, 128)) - 50000)


@pytest.mark.parametrize("once", [False, True])
def test_large_accumulators(once: bool) -> None:
    """Spot checks around every step where the range is too large to walk."""
    rng = np.random.default_rng(6)
    reals = [float(v) for v in np.exp(rng.uniform(np.log(1e-7), np.log(1e-4), 50))]
    r = rescale(reals, 3, -128, 127, (1 << 29) + 7, once)
    form = short_form(r)
    if form is not None:
        acc = np.concatenate([thresholds(r) + d for d in range(-3, 4)], axis=1)
        acc = np.clip(acc, r.acc_lo[:, None], r.acc_hi[:, None])
        np.testing.assert_array_equal(form.apply(acc), r.reference(acc))


@pytest.mark.parametrize("real, reach", [(1.0, 100), (1.7, 100), (0.3, 1 << 30)])
def test_no_short_form_beyond_its_domain(real: float, reach: int) -> None:
    assert short_form(rescale([0.01, real], 0, -128, 127, reach, False)) is None


def test_a_wrong_table_is_found_out() -> None:
    r = rescale([0.013, 0.021], -128, -128, 127, 40000, False)
    form = short_form(r)
    assert form is not None
    form.add[1] += 1
    acc = np.broadcast_to(np.arange(-40000, 40001), (2, 80001))
    assert (form.apply(acc) != r.reference(acc)).any()


def test_accumulator_range_is_reached() -> None:
    w = np.array([[3, -4, 0], [-128, -128, 127]], np.int64)
    lo, hi = accumulator_range(w, np.array([10, -7]))
    assert lo.tolist() == [10 - 3 * 128 - 4 * 127, -7 - 256 * 127 - 127 * 128]
    assert hi.tolist() == [10 + 3 * 127 + 4 * 128, -7 + 256 * 128 + 127 * 127]


def test_dead_channels_do_not_limit_the_others() -> None:
    """A vanishing weight scale makes the bias huge; the output is constant all the same."""
    pairs = [quantize_multiplier(v) for v in (1e-10, 0.01, 3.0)]
    multiplier, shift = (np.array(v, np.int64) for v in zip(*pairs, strict=True))
    lo, hi = np.array([(1 << 30) - 9, -5000, 200]), np.array([(1 << 30) + 9, 5000, 300])
    r = Rescale(multiplier, shift, -128, -128, 127, lo, hi)
    form = short_form(r)
    assert form is not None
    acc = np.stack([np.linspace(a, b, 50).astype(np.int64) for a, b in zip(lo, hi, strict=True)])
    np.testing.assert_array_equal(form.apply(acc), r.reference(acc))
