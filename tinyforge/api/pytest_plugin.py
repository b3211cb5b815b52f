"""Fixtures for board-in-the-loop tests, loaded by pytest wherever tinyforge is installed.

    def test_my_model(model, board):
        build = model("model.tflite", sram="64K")
        report = board.run(build, inputs="samples.npz")
        assert report.ok, report.explanation

    pytest --tinyforge-board nucleo_f446re --tinyforge-port auto

Without ``--tinyforge-board`` tests that ask for ``board`` are skipped. Emulated boards need no port.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from tinyforge.api.flash import FlashResult
    from tinyforge.api.run import RunReport
    from tinyforge.ir.types import Array

_DEFAULT = "emulated_m7"


class ModelFixture(Protocol):
    """Compiles a model for the board of the session; the same call again gives the same folder."""

    def __call__(self, path: str | Path, **options: Any) -> Path: ...


@dataclass(slots=True)
class BoardUnderTest:
    """The board of the session. ``port``: None for an emulated one."""

    name: str
    port: str | None
    probe: str | None
    flashed: Path | None = None

    def flash(self, build: str | Path) -> FlashResult:
        """Put a build on it, whatever it holds."""
        from tinyforge.api.flash import flash

        done = flash(build, board=self.name, probe=self.probe)
        self.flashed = Path(build)
        return done

    def run(
        self,
        build: str | Path,
        inputs: str | Path | Sequence[Array] | None = None,
        reference: str | Path | None = None,
        samples: int | None = None,
    ) -> RunReport:
        """Run a build over the serial line, flashing it first where the board holds another; arguments as those of
        ``tinyforge.run``."""
        from tinyforge.api.run import run

        if self.flashed != Path(build):
            self.flash(build)
        return run(
            build, on="board", board=self.name, port=self.port, inputs=inputs, reference=reference, samples=samples
        )


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options, and environment variables for those who cannot change the command."""
    group = parser.getgroup("tinyforge", "models on boards")
    group.addoption("--tinyforge-board", default=os.environ.get("TINYFORGE_BOARD"), help="board name or .toml file")
    group.addoption(
        "--tinyforge-port", default=os.environ.get("TINYFORGE_PORT"), help="serial port, or auto; emulated boards: none"
    )
    group.addoption("--tinyforge-probe", default=os.environ.get("TINYFORGE_PROBE"), help="serial number of the probe")


@pytest.fixture(scope="session")
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelFixture:
    """``model(path, **options of tinyforge.compile)``: the build folder, for the session's board."""
    from tinyforge.api.compile import compile

    board = request.config.getoption("--tinyforge-board") or _DEFAULT
    made: dict[tuple[str, str], Path] = {}

    def build(path: str | Path, **options: Any) -> Path:
        key = (str(Path(path).resolve()), repr(sorted(options.items())))
        if key not in made:
            out = tmp_path_factory.mktemp("tinyforge") / "build"
            made[key] = compile(path, board=board, out=out, **options).out
        return made[key]

    return build


@pytest.fixture(scope="session")
def board(request: pytest.FixtureRequest) -> BoardUnderTest:
    """The board under test; skips without ``--tinyforge-board``."""
    name = request.config.getoption("--tinyforge-board")
    if not name:
        pytest.skip("no board: give --tinyforge-board NAME (and --tinyforge-port auto for a real one)")
    port = request.config.getoption("--tinyforge-port")
    return BoardUnderTest(str(name), port, request.config.getoption("--tinyforge-probe"))
