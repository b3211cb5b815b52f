"""The table of runners: every place gives the same outputs through one interface."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.toy_build import toy_expected, toy_inputs, write_toy_build
from tinyforge.device.flash import flash_firmware
from tinyforge.device.runner import RUNNERS, RunRequest
from tinyforge.errors import UsageError
from tinyforge.target import load_board
from tinyforge.toolchain.firmware import build_firmware

INPUTS = toy_inputs(2)


@pytest.mark.parametrize("name", RUNNERS)
def test_every_runner_is_exact(tmp_path: Path, name: str) -> None:
    board = load_board("emulated_m7")
    build = write_toy_build(tmp_path / "toy")
    flash_firmware(build_firmware(build, board))
    outcome = RUNNERS[name].run(RunRequest(build, board, [INPUTS]))
    np.testing.assert_array_equal(outcome.result.outputs[0], toy_expected(INPUTS))
    assert outcome.result.compiler
    assert outcome.result.runner.startswith(name)


def test_boards_do_not_trace(tmp_path: Path) -> None:
    request = RunRequest(write_toy_build(tmp_path / "toy"), load_board("emulated_m7"), [INPUTS], trace=True)
    with pytest.raises(UsageError, match="use --on emulator"):
        RUNNERS["board"].run(request)
