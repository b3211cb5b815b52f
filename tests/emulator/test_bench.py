"""`tinyforge bench` against its committed record: no figure may grow by more than a percent.

After an intended change: TINYFORGE_UPDATE_GOLDENS=1 pytest tests/emulator/test_bench.py, and look at the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.shared import DIGITS, SHARED, shared_model
from tinyforge.api.bench import SHORT_BOARDS, SHORT_MODELS, bench, measure
from tinyforge.api.bench import Setup as BenchSetup
from tinyforge.reporting.bench_record import Record, compare, load_record, wrong

RECORD = Path(__file__).with_name("bench_record.json")
QUICK = ("mlperf_ad_toycar_int8", "mlperf_kws_dscnn_int8")


def check(measured: Record) -> None:
    """Compare with the record, or put the figures into it."""
    if os.environ.get("TINYFORGE_UPDATE_GOLDENS"):
        known = {entry.key: entry for entry in load_record(RECORD).entries} if RECORD.is_file() else {}
        known |= {entry.key: entry for entry in measured.entries}
        Record(measured.version, tuple(known[key] for key in sorted(known)), {}).save(RECORD)
    before = load_record(RECORD)
    assert {entry.key for entry in measured.entries} <= {entry.key for entry in before.entries}
    assert not measured.refused
    assert not measured.failed
    assert not wrong(measured.entries)
    worse = compare(before, measured)
    hint = f"if that was intended: TINYFORGE_UPDATE_GOLDENS=1 pytest {RECORD.parent.name}/{Path(__file__).name}"
    assert not worse, "\n".join([*map(str, worse), hint])


def test_digits_are_as_fast_as_recorded() -> None:
    check(measure(BenchSetup((DIGITS,), (*SHORT_BOARDS, "emulated_m0plus", "emulated_m3"), ("zig",))))


@pytest.mark.parametrize("name", QUICK)
def test_small_models_are_as_fast_as_recorded(name: str) -> None:
    check(measure(BenchSetup((shared_model(name),), ("emulated_m7",), ("zig",))))


@pytest.mark.slow
def test_short_form() -> None:
    for name in SHORT_MODELS:
        shared_model(name)
    check(bench(SHARED / "models", short=True, toolchains=("zig",)).record)
