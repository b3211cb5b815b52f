"""The installed wheel works without the checkout: it carries templates, firmware and boards."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.shared import DIGITS, ROOT


def call(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [str(w) for w in words], cwd=cwd, capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done


@pytest.mark.slow
def test_wheel_compiles_and_runs_a_model(tmp_path: Path) -> None:
    if int(__import__("setuptools").__version__.split(".")[0]) < 70:
        pytest.skip("building a wheel offline needs setuptools 70")
    source = tmp_path / "source"
    for folder in ("tinyforge", "boards", "firmware", "templates"):
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    call(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        tmp_path,
        source,
        cwd=tmp_path,
    )
    (wheel,) = tmp_path.glob("tinyforge-*.whl")
    # The dependencies come from this environment: what is tested is the content of the wheel.
    venv.create(tmp_path / "venv", with_pip=False, system_site_packages=False)
    python = tmp_path / "venv" / "bin" / "python"
    site = Path(call(python, "-c", "import site; print(site.getsitepackages()[0])", cwd=tmp_path).stdout.strip())
    call(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site, wheel, cwd=tmp_path)
    here = Path(__import__("numpy").__file__).parents[1]
    (site / "dependencies.pth").write_text(f"{here}\n", encoding="utf-8")
    place = "import tinyforge, tinyforge.paths as p; print(tinyforge.__file__); print(p.boards_dir())"
    assert all(line.startswith(str(site)) for line in call(python, "-c", place, cwd=tmp_path).stdout.splitlines())
    done = call(python, "-m", "tinyforge", "run", DIGITS, "--board", "emulated_m4", "-n", "1", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["mismatches"] == 0
