"""The log-mel front end: its C against the Python reference, integer for integer, and both against floating point."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.c_host import STRICT, UNDEFINED
from tinyforge.device.emulate.machine import Machine
from tinyforge.ir.types import Array
from tinyforge.paths import firmware_dir
from tinyforge.search.front_end_c import front_end_files, write_front_end
from tinyforge.search.log_mel_fixed import feature_quant, fixed_front_end, fixed_log_mel
from tinyforge.search.logmel import FrontEnd, front_end_for, log_mel
from tinyforge.target import load_board
from tinyforge.toolchain.compiler import CompileOptions
from tinyforge.toolchain.cross import cross_compiler
from tinyforge.toolchain.elf import load_image
from tinyforge.toolchain.glue import linker_script
from tinyforge.toolchain.objects import Source, compile_sources
from tinyforge.toolchain.process import run_tool

QUANT = feature_quant((-6.3,), (3.1,), 0.0213, 11)
FRONTS = {"8 kHz": front_end_for(8000, 0.4), "16 kHz": front_end_for(16000, 0.2), "44.1 kHz": front_end_for(44100, 0.1)}


def sounds(front: FrontEnd) -> dict[str, Array]:
    """Full scale, silence, one impulse, a quiet tone with noise, and less than a window."""
    rng = np.random.default_rng(0)
    count = front.window + (front.frames - 1) * front.hop
    time = np.arange(count) / front.rate
    square = np.where(np.sin(2 * np.pi * 700 * time) < 0, -32768, 32767)
    impulse = np.zeros(count)
    impulse[3 * front.hop + 1] = -32768
    tone = 300 * np.sin(2 * np.pi * 1000 * time) + rng.normal(0, 20, count)
    found = {"loud": square, "noise": rng.integers(-32768, 32768, count), "silence": np.zeros(count)}
    found |= {"impulse": impulse, "tone": tone, "short": tone[: front.window // 2]}
    return {name: wave.astype(np.int16) for name, wave in found.items()}


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")
@pytest.mark.parametrize("front", FRONTS.values(), ids=FRONTS)
def test_c_equals_the_reference(front: FrontEnd, tmp_path: Path) -> None:
    fixed = fixed_front_end(front)
    for name, text in front_end_files(fixed, QUANT, "word").items():
        (tmp_path / name).write_text(text)
    library = tmp_path / "front.so"
    flags = [*STRICT, "-O1", f"-fsanitize={UNDEFINED}", "-fno-sanitize-recover=all", "-fPIC", "-shared"]
    trap = "-fsanitize-undefined-trap-on-error"
    include = f"-I{firmware_dir() / 'include'}"
    source = tmp_path / "word_front_end.c"
    subprocess.run(["gcc", *flags, trap, include, "-o", str(library), str(source)], check=True)
    features = ctypes.CDLL(str(library)).word_features
    for name, wave in sounds(front).items():
        made = np.zeros((front.frames, front.bands), np.int8)
        scratch = np.zeros(2 * front.size, np.int32)
        features(
            *(
                a.ctypes.data_as(ctypes.c_void_p) if isinstance(a, np.ndarray) else a
                for a in (wave, len(wave), made, scratch)
            )
        )
        np.testing.assert_array_equal(made, QUANT.apply(fixed_log_mel(wave, fixed)), err_msg=name)


@pytest.mark.parametrize("front", FRONTS.values(), ids=FRONTS)
def test_fixed_point_follows_floating_point(front: FrontEnd) -> None:
    fixed = fixed_front_end(front)
    for name, wave in sounds(front).items():
        exact = log_mel(wave, front)
        made = fixed_log_mel(wave, fixed) / 65536
        np.testing.assert_allclose(made, exact, atol=0.02, err_msg=name)


def test_int8_is_the_network_s_quantisation() -> None:
    features = np.linspace(-14, 6, 999)
    q16 = np.rint(features * 65536).astype(np.int64)
    expected = np.clip(np.round((features + 6.3) / 3.1 / 0.0213) + 11, -128, 127)
    assert np.abs(QUANT.apply(q16) - expected).max() <= 1
    assert (QUANT.apply(q16) == expected).mean() > 0.99


CORE_PROGRAM = """#include "word_front_end.h"
void Reset_Handler(void);
void once(int32_t samples);
int16_t pcm[WORD_SAMPLES];
int8_t features[WORD_FEATURES];
static int32_t scratch[WORD_SCRATCH_WORDS];
__attribute__((section(".vectors"), used)) const uint32_t vectors[16] = {1u};
void *volatile kept;
void Reset_Handler(void) { kept = (void *)(uintptr_t)once; }
void once(int32_t samples) { word_features(pcm, samples, features, scratch); }
"""


@pytest.mark.parametrize("name", ["emulated_m0plus", "emulated_m4"])
def test_cores_compute_the_same(name: str, tmp_path: Path) -> None:
    front = FRONTS["8 kHz"]
    fixed = fixed_front_end(front)
    write_front_end(tmp_path, fixed, QUANT, "word")
    (tmp_path / "program.c").write_text(CORE_PROGRAM)
    board = load_board(name)
    compiler = cross_compiler(board)
    options = CompileOptions(includes=(tmp_path,))
    runtime = Source(firmware_dir() / "libc" / "rt.c", CompileOptions(extra=("-fno-builtin",)))
    sources = [Source(tmp_path / file, options) for file in ("program.c", "word_front_end.c")]
    objects = compile_sources(compiler, [*sources, runtime])
    (tmp_path / "program.ld").write_text(linker_script(board, 1024))
    elf = tmp_path / "program.elf"
    run_tool(compiler.link_command([item.path for item in objects], elf, tmp_path / "program.ld"), "linking")
    machine = Machine(board, load_image(elf))
    for sound, wave in sounds(front).items():
        machine.write(machine.image.address("pcm"), wave.tobytes())
        machine.call("once", (len(wave),))
        made = machine.read(machine.image.address("features"), front.frames * front.bands)
        expected = QUANT.apply(fixed_log_mel(wave, fixed))
        np.testing.assert_array_equal(np.frombuffer(made, np.int8).reshape(expected.shape), expected, err_msg=sound)
