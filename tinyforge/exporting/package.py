"""Writes a build folder as a package of another build system, always the same bytes for the same build."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinyforge.codegen.build_info import BuildInfo, load_build_info
from tinyforge.codegen.names import C_TYPES
from tinyforge.codegen.render import render
from tinyforge.errors import UsageError
from tinyforge.exporting.layouts import LAYOUTS, Layout

DEFAULT_VERSION = "1.0.0"
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The oldest date a zip file knows: packages hold no dates."""

Files = dict[str, bytes]
"""Content by path inside the package."""


def package_files(build_dir: Path, kind: str, version: str = DEFAULT_VERSION) -> Files:
    """Every file of the package. ``version``: three numbers, as all these package managers want them.

    Raises UsageError for an unknown ``kind``, a version of another form, or a folder that is no build.
    """
    layout = _layout(kind)
    if not _VERSION.fullmatch(version):
        raise UsageError(f"--version {version} is not of the form 1.2.3, which every package manager understands")
    info = load_build_info(build_dir)
    sources = [name for name in info.sources if name.endswith(".c")]
    headers = sorted(path.name for path in build_dir.glob("*.h"))
    context = _context(info, version, layout, sources, headers)
    files = {f"{_fill(layout.sources, info)}/{name}": (build_dir / name).read_bytes() for name in sources}
    files |= {f"{_fill(layout.headers, info)}/{name}": (build_dir / name).read_bytes() for name in headers}
    files[f"{info.name}/LICENSE" if kind == "zip" else "LICENSE"] = (build_dir / "LICENSE").read_bytes()
    for path, template in layout.texts:
        files[_fill(path, info)] = render(f"export/{template}", **context).encode()
    return dict(sorted(files.items()))


def write_package(build_dir: Path, kind: str, out: Path | None = None, version: str = DEFAULT_VERSION) -> Path:
    """Write the package to ``out`` (default: beside the build folder, named after it and the format).

    A folder that exists must be empty or an earlier export. Returns the folder or archive. Raises UsageError.
    """
    layout = _layout(kind)
    files = package_files(build_dir, kind, version)
    name = load_build_info(build_dir).name
    stem = {"cmsis-pack": f"tinyforge.{name}.{version}"}.get(kind, f"{name}-{kind}" if kind != "zip" else name)
    target = out if out is not None else build_dir.resolve().parent / f"{stem}{layout.archive}"
    if layout.archive:
        _write_archive(target, files)
    else:
        _write_folder(target, files)
    return target


def _layout(kind: str) -> Layout:
    if kind not in LAYOUTS:
        raise UsageError(f"--format {kind} is not known; choose one of: {', '.join(LAYOUTS)}")
    return LAYOUTS[kind]


def _fill(path: str, info: BuildInfo) -> str:
    return path.format(name=info.name, title=_title(info.name))


def _title(name: str) -> str:
    """``person_detect`` -> ``PersonDetect``: how examples of Arduino libraries are called."""
    return "".join(part.capitalize() for part in name.split("_"))


def _context(
    info: BuildInfo, version: str, layout: Layout, sources: list[str], headers: list[str]
) -> Mapping[str, Any]:
    rows = info.input_mode == "rows"
    shape = info.inputs[0].shape
    several = len(info.outputs) > 1
    return {
        "name": info.name,
        "title": _title(info.name),
        "macro": info.macro,
        "version": version,
        "sources": [f"{_fill(layout.sources, info)}/{name}" for name in sources],
        "headers": [f"{_fill(layout.headers, info)}/{name}" for name in headers],
        "header_dir": _fill(layout.headers, info),
        "model_file": info.model_file,
        "digest": info.digest[:16],
        "arena_bytes": info.arena_bytes,
        "stack_bytes": info.stack_bytes,
        "flash_bytes": info.flash.total,
        "main_stack_bytes": (info.stack_bytes + 1024 + 255) // 256 * 256,
        "rows": shape[1] if rows else 0,
        "inputs": [] if rows else [{"getter": t.getter, "nbytes": t.nbytes} for t in info.inputs],
        "output": {"getter": info.outputs[0].getter, "ctype": C_TYPES[info.outputs[0].dtype]},
        "output_bytes": f"{info.macro}_OUTPUT_0_BYTES" if several else f"{info.macro}_OUTPUT_BYTES",
        "checked": layout.checked,
    }


def _write_archive(target: Path, files: Files) -> None:
    if target.is_dir():
        raise UsageError(f"{target} is a folder; give the name of a file with --out")
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, content)


_NOTE = ".tinyforge-export.json"


def _write_folder(target: Path, files: Files) -> None:
    if target.exists() and (not target.is_dir() or (any(target.iterdir()) and not (target / _NOTE).is_file())):
        raise UsageError(f"{target} exists and is no earlier export; give another --out or remove it")
    if target.exists():
        shutil.rmtree(target)
    for path, content in files.items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(content)
    (target / _NOTE).write_text(json.dumps({"files": list(files)}, indent=1) + "\n", encoding="utf-8")
