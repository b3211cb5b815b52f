"""`make bench`: measures the benchmark models and rewrites the table of docs/benchmarks.md.

The models are not part of the repository; TINYFORGE_SHARED names the folder that has `models/` (default: ../shared).
Without it only the digit classifier is measured and the page stays as it is.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import tinyforge
from tinyforge.cli.console import progress

ROOT = Path(__file__).resolve().parents[1]
MODELS = Path(os.environ.get("TINYFORGE_SHARED", ROOT.parent / "shared")) / "models"
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- measured by make bench -->", "<!-- end -->"


@dataclass(frozen=True, slots=True)
class Case:
    """A model under a limit. ``bar``: millions of instructions of TensorFlow Lite Micro with CMSIS-NN on the same
    model, 0 where not known."""

    title: str
    file: str
    bar: float = 0.0
    sram: str | None = None


CASES = (
    Case("MLPerf Tiny: keyword spotting", "mlperf_kws_dscnn_int8", 7.6),
    Case("MLPerf Tiny: visual wake words 96", "mlperf_vww96_mobilenetv1_int8", 24.0),
    Case("MLPerf Tiny: image classification (ResNet-8)", "mlperf_ic_resnet8_int8", 29.6),
    Case("MLPerf Tiny: anomaly detection", "mlperf_ad_toycar_int8", 0.58),
    Case("person detection 96", "tflm_person_detect_int8", 22.7),
    Case("MCUNet visual wake words", "tinyengine_mcunet_vww_int8", 47.4),
    Case("MCUNet visual wake words in 64K", "tinyengine_mcunet_vww_int8", 0.0, "64K"),
)
HEAD = """| model | MACs | instructions, M7 | per MAC | TFLM + CMSIS-NN | SRAM | layer by layer | flash | stack |
|---|---|---|---|---|---|---|---|---|"""


def row(title: str, model: Path, golden: Path, bar: float, sram: str | None) -> str:
    """Compile, run one recorded sample on the emulated Cortex-M7, and make a line of the table."""
    with tempfile.TemporaryDirectory() as folder, progress() as tell:
        built = tinyforge.compile(model, board="emulated_m7", sram=sram, out=Path(folder) / "build", progress=tell)
        done = tinyforge.run(built.out, inputs=golden, reference=golden, samples=1, progress=tell)
    if not done.ok:
        sys.exit(done.explanation)
    info, count = built.info, done.result.instructions
    than = f"{bar:.2f} M" if bar else ""
    figures = (
        f"{info.executed_macs / 1e6:.2f} M",
        f"**{count / 1e6:.2f} M**",
        f"{count / info.executed_macs:.2f}",
        than,
    )
    sizes = (info.arena_bytes, built.plan.layerwise_arena_bytes, info.flash.total, done.result.stack_high_water_bytes)
    return f"| {title} | {' | '.join(figures)} | {' | '.join(f'{size:,}' for size in sizes)} |"


def main() -> None:
    digits = ROOT / "examples" / "digits"
    rows = [row("digits (`make demo`)", digits / "digits_int8.tflite", digits / "digits_test.golden.npz", 0.0, "8K")]
    complete = MODELS.is_dir()
    for case in CASES if complete else ():
        rows.append(
            row(case.title, MODELS / f"{case.file}.tflite", MODELS / f"{case.file}.golden.npz", case.bar, case.sram)
        )
    text = "\n".join([HEAD, *rows])
    print(text)
    if complete:
        head, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
        PAGE.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}", encoding="utf-8")
    else:
        print(f"\n{MODELS} is not there: docs/benchmarks.md was not rewritten", file=sys.stderr)


if __name__ == "__main__":
    main()
