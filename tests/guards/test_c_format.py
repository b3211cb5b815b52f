"""Hand-written C has one format: .clang-format. Assembly in macros keeps its own columns."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tinyforge.paths import firmware_dir

VERSION = "14."
"""Other versions break a few lines elsewhere."""

ASSEMBLY = "_thumb"


def test_hand_written_c_is_formatted() -> None:
    if shutil.which("clang-format") is None:
        pytest.skip("clang-format is not installed")
    version = subprocess.run(["clang-format", "--version"], capture_output=True, text=True).stdout
    if f"version {VERSION}" not in version:
        pytest.skip(f"the C is formatted by clang-format {VERSION}x, this is {version.strip()}")
    files = sorted(p for p in firmware_dir().rglob("*.[ch]") if ASSEMBLY not in p.name)
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:3000] + "\nclang-format -i the files above"
