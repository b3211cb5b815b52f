"""``tinyforge.export``: a build as a package of another build system."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyforge.exporting.layouts import LAYOUTS
from tinyforge.exporting.package import DEFAULT_VERSION, write_package


@dataclass(frozen=True, slots=True)
class ExportResult:
    """Where the package is. ``checked``: how this format's validity is tested in tinyforge's own tests."""

    path: Path
    format: str
    version: str
    checked: str

    def as_json(self) -> dict[str, Any]:
        return {"path": str(self.path), "format": self.format, "version": self.version, "checked": self.checked}


def export(
    build: str | Path, format: str, *, out: str | Path | None = None, version: str = DEFAULT_VERSION
) -> ExportResult:
    """Write the build folder ``build`` as ``format`` (a key of ``tinyforge.exporting.layouts.LAYOUTS``) to ``out``.

    ``version``: of the package, three numbers. Raises UsageError for what makes no sense or would overwrite files that
    are not an earlier export."""
    path = write_package(Path(build), format, Path(out) if out is not None else None, version)
    return ExportResult(path, format, version, LAYOUTS[format].checked)
