"""``tinyforge.check``: can this model be compiled?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyforge.api.settings import existing_file

if TYPE_CHECKING:
    from tinyforge.importers.report import ModelReport


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What the file holds, operator by operator."""

    report: ModelReport

    @property
    def supported(self) -> bool:
        """Whether it can be compiled."""
        return self.report.supported

    def as_json(self) -> dict[str, Any]:
        return {"supported": self.supported, **asdict(self.report)}


def check(model: str | Path) -> CheckResult:
    """Look at every operator of a ``.tflite`` file. Raises ModelError only for a malformed file."""
    from tinyforge.importers.load import inspect_model

    return CheckResult(inspect_model(existing_file(model)))
