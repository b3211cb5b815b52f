"""``tinyforge export``."""

from __future__ import annotations

from tinyforge.cli.options import Build, Json, Package, PackageFormat, PackageVersion


def export(
    build: Build,
    format: PackageFormat,
    out: Package = None,
    version: PackageVersion = "1.0.0",
    json: Json = False,
) -> None:
    """Write a build as a package for CMake, Arduino, PlatformIO, Zephyr, ESP-IDF, CMSIS-Pack, or as a plain zip."""
    from tinyforge.api.export import export as write
    from tinyforge.cli.console import print_json, show

    result = write(build, format, out=out, version=version)
    if json:
        print_json(result.as_json())
    else:
        show(f"wrote {result.path}; packages of this kind are tested with: {result.checked}")
