"""Every real model, built for this machine, equals TensorFlow Lite's reference kernels on recorded inputs."""

from __future__ import annotations

from pathlib import Path

import pytest

import tinyforge
from tests.shared import COMPILED, LARGE, REFUSED, STREAMING, golden, shared_model


@pytest.mark.parametrize("name", [*COMPILED, *STREAMING])
def test_host_build_equals_reference(name: str, tmp_path: Path) -> None:
    built = tinyforge.compile(shared_model(name), out=tmp_path / "build")
    report = tinyforge.run(built.out, on="host", inputs=golden(name), reference=golden(name))
    assert report.mismatches == 0, report.explanation
    assert report.result.arena_high_water_bytes <= built.info.arena_bytes


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_large_model_equals_the_interpreter(name: str, tmp_path: Path) -> None:
    """Its recorded output is constant, so every operator's recorded checksum is compared through the interpreter."""
    built = tinyforge.compile(shared_model(name), out=tmp_path / "build")
    report = tinyforge.run(built.out, on="host", samples=1)
    assert report.ok, report.explanation


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_cannot_be_compiled_is_refused_in_words(name: str, tmp_path: Path) -> None:
    with pytest.raises(tinyforge.ModelError) as caught:
        tinyforge.compile(shared_model(name), out=tmp_path / "build")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "build").exists()
