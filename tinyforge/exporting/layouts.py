"""What each export looks like on disk. One more format is one more entry here and its templates."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layout:
    """A package format. ``sources``, ``headers``: folders of the model's C. ``texts``: (path, template in
    templates/export); ``{name}`` and ``{title}`` in a path are the model's. ``archive``: the package is one zip file
    with this suffix, not a folder. ``checked``: by what its validity is tested."""

    sources: str
    headers: str
    texts: tuple[tuple[str, str], ...] = ()
    archive: str = ""
    checked: str = ""


README = ("README.md", "README.md.j2")

LAYOUTS: dict[str, Layout] = {
    "zip": Layout("{name}", "{name}", archive=".zip", checked="compiled as it is"),
    "cmake": Layout(
        "src",
        "include",
        (
            README,
            ("CMakeLists.txt", "cmake.txt.j2"),
            ("cmake/arm-none-eabi.cmake", "arm-none-eabi.cmake.j2"),
            ("example/main.c", "example.c.j2"),
        ),
        checked="CMake: configured, built and run",
    ),
    "arduino": Layout(
        "src",
        "src",
        (README, ("library.properties", "library.properties.j2"), ("examples/{title}/{title}.ino", "example.ino.j2")),
        checked="the published library specification",
    ),
    "platformio": Layout(
        "src",
        "include",
        (README, ("library.json", "library.json.j2"), ("examples/basic/main.c", "example.c.j2")),
        checked="`pio pkg pack`",
    ),
    "zephyr": Layout(
        "src",
        "include",
        (
            README,
            ("zephyr/module.yml", "module.yml.j2"),
            ("CMakeLists.txt", "zephyr.txt.j2"),
            ("Kconfig", "Kconfig.j2"),
            ("samples/{name}/CMakeLists.txt", "zephyr-sample.txt.j2"),
            ("samples/{name}/prj.conf", "prj.conf.j2"),
            ("samples/{name}/src/main.c", "example.c.j2"),
        ),
        checked="Zephyr's published module schema, and a build with its CMake functions stubbed",
    ),
    "esp-idf": Layout(
        "src",
        "include",
        (
            README,
            ("CMakeLists.txt", "idf.txt.j2"),
            ("idf_component.yml", "idf_component.yml.j2"),
            ("examples/basic/CMakeLists.txt", "idf-project.txt.j2"),
            ("examples/basic/main/CMakeLists.txt", "idf-main.txt.j2"),
            ("examples/basic/main/main.c", "example-idf.c.j2"),
        ),
        checked="a build for rv32imc with idf_component_register stubbed",
    ),
    "cmsis-pack": Layout(
        "src",
        "include",
        (README, ("tinyforge.{name}.pdsc", "pack.pdsc.j2"), ("example/main.c", "example.c.j2")),
        archive=".pack",
        checked="the rules of the pack description format",
    ),
}
