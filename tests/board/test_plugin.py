"""The pytest plugin as users load it, on emulated boards; the search for a port among several devices."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.shared import DIGITS, DIGITS_GOLDEN, ROOT
from tests.toy_build import write_toy_build
from tinyforge.codegen.build_info import load_build_info
from tinyforge.device.emulate.process import booted
from tinyforge.device.flash import flash_firmware
from tinyforge.device.ports import find_port
from tinyforge.errors import DeviceError
from tinyforge.target import load_board
from tinyforge.toolchain.firmware import build_firmware

USERS_TEST = f"""
def test_digits(model, board):
    build = model(r"{DIGITS}", sram="16K")
    assert model(r"{DIGITS}", sram="16K") == build
    report = board.run(build, inputs=r"{DIGITS_GOLDEN}", reference=r"{DIGITS_GOLDEN}", samples=2)
    assert report.ok, report.explanation
    assert report.result.runner.startswith("board")
"""


def run_pytest(folder: Path, *options: str) -> str:
    (folder / "test_user.py").write_text(USERS_TEST)
    plugin = ["-p", "no:tinyforge", "-p", "tinyforge.api.pytest_plugin", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", "-rs", *plugin, *options, str(folder)]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True).stdout


def test_users_test_passes_on_a_board(tmp_path: Path) -> None:
    assert "1 passed" in run_pytest(tmp_path, "--tinyforge-board", "emulated_m4")


def test_users_test_is_skipped_without_a_board(tmp_path: Path) -> None:
    out = run_pytest(tmp_path)
    assert "1 skipped" in out
    assert "give --tinyforge-board NAME" in out


def test_the_port_of_the_right_board_is_found(tmp_path: Path) -> None:
    """Two boards of which one holds the model, and a port with nobody behind it."""
    board = load_board("emulated_m4")
    build, other = write_toy_build(tmp_path / "toy"), write_toy_build(tmp_path / "other")
    info = (other / ".tinyforge" / "build.json").read_text()
    (other / ".tinyforge" / "build.json").write_text(info.replace("0123456789abcdef" * 4, "fedcba9876543210" * 4))
    flashed = [Path(flash_firmware(build_firmware(folder, board)).target) for folder in (build, other)]
    nobody = str(tmp_path / "no-such-port")
    wanted = load_build_info(build)
    with booted(board, flashed[0]) as right, booted(board, flashed[1]) as wrong:
        assert find_port(wanted, 115200, [nobody, wrong, right]) == right
        with pytest.raises(DeviceError, match=r"no port answers for toy .*cannot be opened.*holds toy fedcba98"):
            find_port(wanted, 115200, [nobody, wrong])
    with pytest.raises(DeviceError, match="no serial port on USB"):
        find_port(wanted, 115200, [])
