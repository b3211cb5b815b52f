"""Estimated cycles beside llvm-mca's models of the same cores, on the hot blocks of a real build (docs/cycles.md)."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import tinyforge
from tests.shared import DIGITS, DIGITS_GOLDEN
from tinyforge.device.emulate.cycles import m4_block
from tinyforge.device.emulate.decode import Instruction, decode
from tinyforge.device.emulate.run import executed_blocks
from tinyforge.device.emulate.timing_m7 import m7_block
from tinyforge.target import load_board
from tinyforge.toolchain.firmware import build_firmware

MCA = shutil.which("llvm-mca")
ITERATIONS = 100
WALKS = {"cortex-m4": m4_block, "cortex-m7": m7_block}
CORES = {"cortex-m4": "emulated_m4", "cortex-m7": "emulated_m7"}
# Ours over llvm-mca 14's, all hot blocks together. Its M4 gives a multiple one cycle, the manual 1 + n.
BANDS = {"cortex-m4": (1.1, 1.5), "cortex-m7": (0.85, 1.2)}
CONDITIONS = "eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le"


def straight(block: tuple[Instruction, ...]) -> tuple[Instruction, ...]:
    """Without branches and IT, which llvm-mca's M7 does not know."""
    return tuple(item for item in block if item.kind not in ("branch", "it") and "pc" not in item.text)


def steady(core: str, block: tuple[Instruction, ...]) -> float:
    """Cycles of a pass when the block repeats."""
    walk = WALKS[core]
    return (walk(block * 12) - walk(block * 4)) / 8


def mca(core: str, blocks: list[tuple[Instruction, ...]]) -> list[float]:
    """Cycles of a pass through each block by llvm-mca."""
    lines = [".syntax unified", ".thumb"]
    for i, block in enumerate(blocks):
        lines += [f"@ LLVM-MCA-BEGIN b{i}", *(plain(item.text) for item in block), f"@ LLVM-MCA-END b{i}"]
    target = ["-mtriple=thumbv7em-none-eabihf", f"-mcpu={core}", f"-iterations={ITERATIONS}"]
    done = subprocess.run(
        [str(MCA), *target, "-instruction-info=false", "-resource-pressure=false"],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    found = [int(value) / ITERATIONS for value in re.findall(r"Total Cycles:\s+(\d+)", done.stdout)]
    assert len(found) == len(blocks), done.stderr[:500]
    return found


def plain(text: str) -> str:
    """Without the condition an IT block gave: the suffix goes with the IT."""
    name, _, operands = text.partition(" ")
    stem, dot, width = name.partition(".")
    return f"{re.sub(f'({CONDITIONS})$', '', stem) if conditional(stem) else stem}{dot}{width} {operands}"


def conditional(stem: str) -> bool:
    """Whether a mnemonic ends in a condition and not by chance (``mls``, ``smmls``, ``teq`` ...)."""
    return bool(
        re.fullmatch(f"(mov|mvn|add|sub|rsb|ldr|ldrb|ldrsb|str|strb|cmp|lsl|asr|lsr|eor|and|orr)({CONDITIONS})", stem)
    )


@pytest.mark.slow
@pytest.mark.skipif(MCA is None, reason="llvm-mca is not installed (apt install llvm)")
@pytest.mark.parametrize("core", sorted(CORES))
def test_hot_blocks_take_about_as_long_as_llvm_says(core: str, tmp_path: Path) -> None:
    built = tinyforge.compile(DIGITS, board=CORES[core], out=tmp_path / "build")
    firmware = build_firmware(built.out, load_board(CORES[core]))
    ran = executed_blocks(firmware, [np.load(DIGITS_GOLDEN)["input_0"][:1]])
    ran = ran[np.argsort(ran["count"] * ran["instructions"])[::-1]]
    image = firmware.image()
    hot = [(straight(decode(image, int(b["address"]), int(b["size"]))), float(b["count"])) for b in ran[:60]]
    hot = [(block, count) for block, count in hot if len(block) >= 4]
    covered = sum(len(block) * count for block, count in hot)
    assert covered > 0.8 * float((ran["count"] * ran["instructions"]).sum())
    theirs = sum(cycles * count for cycles, (_, count) in zip(mca(core, [b for b, _ in hot]), hot, strict=True))
    ours = sum(steady(core, block) * count for block, count in hot)
    low, high = BANDS[core]
    assert low <= ours / theirs <= high, f"{ours / theirs:.3f}"
    assert 0.4 < ours / covered < 2.5
