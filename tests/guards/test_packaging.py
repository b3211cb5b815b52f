"""What the wheel must carry is declared, and every package folder is in the list."""

from __future__ import annotations

import sys

from tests.guards.source import PACKAGE, ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]


def test_every_package_is_declared() -> None:
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in PACKAGE.rglob("__init__.py")}
    declared = {name for name in SETUPTOOLS["packages"] if "._data" not in name}
    assert found == declared


def test_data_folders_are_declared() -> None:
    folders = {"boards", "firmware", "templates"}
    assert {name.rsplit(".", 1)[1] for name in SETUPTOOLS["packages"] if "._data" in name} == folders
    assert {SETUPTOOLS["package-dir"][f"tinyforge._data.{folder}"] for folder in folders} == folders
