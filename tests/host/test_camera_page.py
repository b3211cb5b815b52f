"""The camera example of docs/camera.md compiles against a real row-fed model, without a word from the compiler, and
gives what the whole image gives."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np

from tests.c_host import STRICT
from tests.search.random_graphs import Builder, run_whole
from tests.shared import ROOT
from tinyforge.codegen.generate import generate, lower_graph
from tinyforge.ir.graph import Graph
from tinyforge.ops.base import Activation
from tinyforge.ops.conv2d import Conv2D
from tinyforge.schedule.optimise import Options, optimise

HEIGHT, WIDTH = 11, 8
MAIN = """
#include <string.h>
static const uint16_t *frame;
static void camera(void)
{
    memcpy(lines[lines_done & 1u], frame + lines_done * WIDTH, sizeof lines[0]);
    camera_line_done();
}
int32_t classify(const uint16_t *pixels);
int32_t classify(const uint16_t *pixels)
{
    frame = pixels;
    lines_done = 0;
    return classify_frame(camera);
}
"""


def network() -> Graph:
    """Two convolutions on an RGB image."""
    build = Builder(np.random.default_rng(4))
    x: str | None = build.activation((1, HEIGHT, WIDTH, 3))
    for channels, stride in ((8, 2), (4, 1)):
        assert x is not None
        w, b = build.weights((channels, 3, 3, build.tensors[x].shape[3]), 0)
        x = build.apply(Conv2D((stride, stride), (1, 1), (1, 1, 1, 1), Activation.RELU), x, w, b)
    assert x is not None
    return build.graph([x])


def test_the_page_is_right(tmp_path: Path) -> None:
    (code,) = re.findall(r"```c\n(.*?)```", (ROOT / "docs" / "camera.md").read_text(), re.DOTALL)
    graph = network()
    found = optimise(graph, lower_graph(graph), options=Options("sram", input="rows", max_mac_factor=1.05))
    tree = generate(graph, found.schedule, found.plan, found.calls, "model")
    for name, text in tree.files.items():
        (tmp_path / name).write_text(text)
    declared = "void camera_line_done(void);\nint32_t classify_frame(void (*wait)(void));\n"
    (tmp_path / "camera.c").write_text("#include <stdint.h>\n" + declared + code + MAIN)
    cc = shutil.which("gcc") or shutil.which("cc") or "cc"
    sources = ["model.c", "model_weights.c", "camera.c"]
    command = [cc, *STRICT, "-O1", "-shared", "-fPIC", "-o", "camera.so", *sources]
    built = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr[:2000]
    library = ctypes.CDLL(str(tmp_path / "camera.so"))
    pixels = np.random.default_rng(5).integers(0, 1 << 16, (HEIGHT, WIDTH)).astype(np.uint16)
    assert library.classify(pixels.ctypes.data_as(ctypes.c_void_p)) == 0
    colours = [(pixels >> 11) * 255 // 31, (pixels >> 5 & 63).astype(np.uint32) * 255 // 63, (pixels & 31) * 255 // 31]
    image = np.stack([c.astype(np.int32) - 128 for c in colours], axis=-1)[None].astype(np.int8)
    (want,) = run_whole(graph, {"t0": image}).values()
    library.model_output.restype = ctypes.c_void_p
    got = np.frombuffer((ctypes.c_int8 * want.size).from_address(library.model_output()), np.int8)
    np.testing.assert_array_equal(got.reshape(want.shape), want)
