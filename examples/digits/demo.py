"""`make demo`: from pictures of digits to a classifier on an emulated board with 4 KiB of SRAM for it.

Searches a network and its schedule together, shows the schedule and why it was chosen, writes the firmware to the
emulated board's flash, sends test digits over its serial protocol, and compares every output with TensorFlow Lite's
reference kernels.
Run it as `python examples/digits/demo.py [--digits N] [--board B] [--sram SIZE] [--example] [--svg FILE]`.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

import tinyforge
from tinyforge.cli.console import progress, roughly


@dataclass(frozen=True)
class Subject:
    """model: a .tflite file. test: .npz of its inputs, reference outputs and labels."""

    model: Path
    test: Path


HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
OUT = ROOT / "out" / "demo"
SHADES = " .:-=+*#%@"
EXAMPLE = Subject(HERE / "digits_int8.tflite", HERE / "digits_test.golden.npz")
QUICK = {"steps": 200, "evaluations": 30, "finalists": 1, "fine_steps": 1200, "refit": False}
"""The search of the demo: less of everything than --budget quick, for data so small, and no refit: its one finalist is
trained long enough."""


def main() -> int:
    options = arguments()
    width = 100 if options.svg or not sys.stdout.isatty() else None
    console = Console(record=options.svg is not None, width=width, highlight=False)
    start = time.monotonic()
    console.rule("[bold]From pictures of digits to a chip with very little memory")
    subject = EXAMPLE if options.example else searched(console, options)
    equal = deploy(console, options, subject)
    mark = "[green]✓[/] every output equals" if equal else "[red]✗ outputs differ from"
    console.print(f"{mark} TensorFlow Lite's reference kernels; {time.monotonic() - start:.0f} s in all")
    place = relative(str(OUT / "digits"))
    console.print(f"  the C is in [bold]{place}[/]; a page about it: tinyforge report {place}")
    if options.svg:
        # Without the web fonts: the picture must not load anything.
        svg = re.sub(r"@font-face \{.*?\}", "", console.export_svg(title="make demo"), flags=re.DOTALL)
        Path(options.svg).write_text(svg, encoding="utf-8")
    return 0 if equal else 1


def searched(console: Console, options: argparse.Namespace) -> Subject:
    """A network found for the board's limit; the example's where TensorFlow is not installed."""
    from tinyforge.api.search import search
    from tinyforge.api.settings import size_option
    from tinyforge.search.settings import SearchSettings

    folder, start = OUT / "search", time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    settings = SearchSettings(data="digits", board=options.board, sram=size_option(options.sram), **QUICK)
    try:
        with progress(timed=True) as tell:
            found = search(settings, out=folder, progress=tell)
    except tinyforge.ToolMissing as error:
        console.print(f"[yellow]no search[/]: {error}\ntaking the network in {relative(str(EXAMPLE.model))} instead")
        return EXAMPLE
    point, forecast = found.points[0], found.forecast
    lines = [
        f"{roughly(forecast['networks'])} networks share the weights of one, trained for {settings.steps} steps",
        f"{found.trials} were looked at, {found.judged} of them fit and were judged; the best was trained on",
        f"[bold]{point.accuracy:.1%}[/] of the validation digits right, as C code on the board",
    ]
    title = f"found for {options.sram} of SRAM in {time.monotonic() - start:.0f} s"
    console.print(Panel("\n".join(lines), title=title, title_align="left", border_style="green"))
    return Subject(point.folder / "model.tflite", point.folder / "test.npz")


def deploy(console: Console, options: argparse.Namespace, subject: Subject) -> bool:
    """Compile, flash, run; whether every output was right."""
    model, test = subject.model, subject.test
    with progress() as tell:
        plain = tinyforge.compile(
            model, board=options.board, schedule="layerwise", out=OUT / "layerwise", name="digits", progress=tell
        )
    console.print(refusal(options, model))
    with progress() as tell:
        build = tinyforge.compile(
            model, board=options.board, sram=options.sram, out=OUT / "digits", name="digits", progress=tell
        )
        console.print(chosen(build, plain))
        flashed = tinyforge.flash(build.out, progress=tell)
        console.print(f"[green]✓[/] flashed {flashed.board}: {flashed.flash_used:,} B in {relative(flashed.where)}\n")
        counted = tinyforge.run(build.out, on="emulator", inputs=test, reference=test, samples=1, progress=tell)
        slower = tinyforge.run(plain.out, on="emulator", inputs=test, reference=test, samples=1, progress=tell)
        report = tinyforge.run(
            build.out, on="board", inputs=test, reference=test, samples=options.digits, progress=tell
        )
    samples = np.load(test)
    labels = samples["labels"][: options.digits]
    guesses = report.outputs[0].reshape(len(labels), -1).argmax(axis=1)
    console.print(some_digits(samples["input_0"], labels, guesses))
    console.print(figures(report, counted, slower, flashed, plain, float((guesses == labels).mean())))
    return bool(report.ok and counted.ok and slower.ok)


def relative(path: str) -> str:
    """A path as seen from the repository."""
    return path.replace(f"{ROOT}/", "")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--digits", type=int, default=200, help="how many test digits to send (default 200)")
    parser.add_argument("--board", default="emulated_m4")
    parser.add_argument("--sram", default="4K")
    parser.add_argument("--example", action="store_true", help="no search: the network that lies beside this script")
    parser.add_argument("--svg", help="also write the output as an SVG picture")
    return parser.parse_args()


def refusal(options: argparse.Namespace, model: Path) -> str:
    """What layer-by-layer inference says to the limit."""
    try:
        tinyforge.compile(
            model, board=options.board, sram=options.sram, schedule="layerwise", out=OUT / "refused", name="digits"
        )
    except tinyforge.DoesNotFit as error:
        return f"[red]✗[/] layer by layer in {options.sram}: {error}"
    return f"layer by layer fits {options.sram} too: choose a smaller --sram"


def chosen(build: Any, plain: Any) -> Panel:
    """The schedule and why."""
    lines = [f"[bold]{build.info.arena_bytes:,} B[/] of SRAM instead of {plain.info.arena_bytes:,} B"]
    lines += [f"• {line}" for line in build.plan.words]
    lines += [f"[dim]  {line}[/]" for line in build.plan.reasons]
    return Panel("\n".join(lines), title="schedule chosen", title_align="left", border_style="green")


def some_digits(inputs: np.ndarray, labels: np.ndarray, guesses: np.ndarray, count: int = 8) -> str:
    """The first test images in grey levels, with what the board answered."""
    step = inputs.shape[2] // 8
    images = inputs[:count, 0, step // 3 :: step, step // 3 :: step, 0].astype(int) + 128
    rows = [
        " ".join("".join(SHADES[v * (len(SHADES) - 1) // 255] for v in image[r]) for image in images) for r in range(8)
    ]
    answers = " ".join(
        f"[{'green' if a == b else 'red'}]{f'{a}':^8}[/]" for a, b in zip(guesses[:count], labels[:count], strict=True)
    )
    return "\n".join([*rows, answers, ""])


def figures(report: Any, counted: Any, slower: Any, flashed: Any, plain: Any, accuracy: float) -> Table:
    """Everything measured, patch-based and layer by layer side by side."""
    info = report.info
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("", "patch-based", "layer by layer"):
        table.add_column(name, justify="left" if not name else "right")
    table.add_row("digits over the serial line", f"{report.result.samples:,}", "")
    table.add_row("accuracy on the board", f"[bold]{accuracy:.2%}[/]", "")
    table.add_row("values unlike the reference", f"[bold]{report.mismatches}[/]", f"{slower.mismatches}")
    table.add_row("arena planned", f"{info.arena_bytes:,} B", f"{plain.info.arena_bytes:,} B")
    table.add_row("arena linked", f"{flashed.arena_linked_bytes:,} B", f"{slower.arena_linked_bytes:,} B")
    high = slower.result.arena_high_water_bytes
    table.add_row("arena measured on the board", f"{report.result.arena_high_water_bytes:,} B", f"{high:,} B")
    table.add_row("stack bound", f"{info.stack_bytes:,} B", f"{plain.info.stack_bytes:,} B")
    measured = (counted.result.stack_high_water_bytes, slower.result.stack_high_water_bytes)
    table.add_row("stack measured", *(f"{value:,} B" for value in measured))
    table.add_row("flash of the model", f"{info.flash.total:,} B", f"{plain.info.flash.total:,} B")
    table.add_row("multiply-accumulates", f"{info.executed_macs:,}", f"{plain.info.executed_macs:,}")
    table.add_row("instructions an inference", f"{counted.result.instructions:,}", f"{slower.result.instructions:,}")
    return table


if __name__ == "__main__":
    sys.exit(main())
