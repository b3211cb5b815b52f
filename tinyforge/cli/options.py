"""Arguments and options of all commands, as types: what each is called and its line of help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_LIMITS, _CHOICES = "Limits", "Choices"

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.")]
Toolchain = Annotated[str, typer.Option("--toolchain", metavar="zig|gcc", help="C compiler; zig comes along.")]

# What a command works on
Model = Annotated[Path, typer.Argument(help="A .tflite file.", show_default=False)]
Models = Annotated[list[Path] | None, typer.Argument(help="Any number of .tflite files.", show_default=False)]
Build = Annotated[Path, typer.Argument(help="A folder made by compile.", show_default=False)]
BuildOrModel = Annotated[
    Path, typer.Argument(help="A folder made by compile, or a .tflite file.", metavar="BUILD|MODEL", show_default=False)
]
CompileBoard = Annotated[str, typer.Option("--board", "-b", help="Board name or .toml file; see: tinyforge boards")]
OtherBoard = Annotated[
    str | None, typer.Option("--board", "-b", help="Default: the board it was compiled for.", show_default=False)
]

# compile
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder to write; default: out/NAME.", show_default=False)
]
Name = Annotated[
    str | None, typer.Option("--name", help="C prefix; default: made from the file name.", show_default=False)
]
Dump = Annotated[
    bool, typer.Option("--dump", help="Also write graph, schedule and memory plan as text to OUT/.tinyforge.")
]
Pareto = Annotated[
    bool, typer.Option("--pareto", help="Also show the whole front: SRAM against MACs against estimated cycles.")
]
Sram = Annotated[
    str | None,
    typer.Option(
        "--sram",
        metavar="SIZE",
        help="Most SRAM for the model, in all banks: bytes, or 64K.",
        rich_help_panel=_LIMITS,
    ),
]
Flash = Annotated[
    str | None,
    typer.Option(
        "--flash", metavar="SIZE", help="Most flash for weights and code: bytes, or 1M.", rich_help_panel=_LIMITS
    ),
]
MaxMacFactor = Annotated[
    float | None,
    typer.Option("--max-mac-factor", help="Most compute, 1.0 being the network's own.", rich_help_panel=_LIMITS),
]
MaxCycleFactor = Annotated[
    float | None,
    typer.Option(
        "--max-cycle-factor",
        help="Most estimated cycles, 1.0 being those of layer by layer.",
        show_default=False,
        rich_help_panel=_LIMITS,
    ),
]
Objective = Annotated[
    str,
    typer.Option(
        "--objective",
        metavar="balanced|sram|latency|size",
        help="balanced, latency: fewest cycles that fit; sram: least SRAM; size: as balanced, least code.",
        rich_help_panel=_CHOICES,
    ),
]
InputMode = Annotated[
    str,
    typer.Option(
        "--input", metavar="whole|rows", help="whole: one buffer; rows: fed row by row.", rich_help_panel=_CHOICES
    ),
]
ScheduleKind = Annotated[
    str,
    typer.Option(
        "--schedule",
        metavar="auto|layerwise|patch|stream|msf",
        help="auto: the best of all; layerwise; or as MCUNetV2, StreamNet or msf-CNN cut networks.",
        rich_help_panel=_CHOICES,
    ),
]
Io = Annotated[
    str,
    typer.Option(
        "--io",
        metavar="int8|float",
        help="int8: quantised edges; float: edges as in the file.",
        rich_help_panel=_CHOICES,
    ),
]
Tune = Annotated[
    bool, typer.Option("--tune", help="Measure candidates on the emulator, keep the best; measurements are cached.")
]

# run
On = Annotated[
    str,
    typer.Option(
        "--on",
        metavar="host|emulator|board",
        help="host: native build; emulator: firmware, instruction by instruction; board: over the serial port.",
    ),
]
Emulator = Annotated[
    str | None,
    typer.Option("--emulator", metavar="unicorn|qemu", help="Default: unicorn, which comes along.", show_default=False),
]
Inputs = Annotated[
    Path | None,
    typer.Option(
        "--inputs",
        help=".npz with input_0 ... of shape (samples, *shape), and labels; default: random.",
        show_default=False,
    ),
]
Reference = Annotated[
    Path | None,
    typer.Option("--reference", help=".npz with output_0 ...; default: the integer interpreter.", show_default=False),
]
Samples = Annotated[
    int | None,
    typer.Option(
        "--samples", "-n", help="How many to run; default: all there are, or 4 random ones.", show_default=False
    ),
]
Profile = Annotated[
    bool,
    typer.Option(
        "--profile",
        help="Every operator: instructions, estimated cycles, bytes read and written (emulator); on a board that was "
        "flashed with --profile: its ticks.",
    ),
]
Port = Annotated[
    list[str] | None,
    typer.Option(
        "--port",
        metavar="<str>",
        help="Serial port of a real board, such as /dev/ttyACM0, or auto: the one that answers; emulated boards: none. "
        "Several: one for each board.",
        show_default=False,
    ),
]
RunBoards = Annotated[
    list[str] | None,
    typer.Option(
        "--board",
        "-b",
        metavar="<str>",
        help="Default: the board it was compiled for. Several run at the same time.",
        show_default=False,
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run on a board.")]

# flash
FlashMethod = Annotated[
    str | None,
    typer.Option(
        "--method", "-m", help="How to write; default: the board's first method that works here.", show_default=False
    ),
]
Probe = Annotated[
    str | None,
    typer.Option("--probe", metavar="SERIAL", help="Which debug probe, where several are connected."),
]
FlashPort = Annotated[
    str | None,
    typer.Option("--port", help="Serial port, GDB server (host:port) or drive the method goes through."),
]
Counted = Annotated[bool, typer.Option("--profile", help="Firmware that counts every operator, for run --profile.")]
Harness = Annotated[
    str | None,
    typer.Option(
        "--harness", metavar="mlperf-tiny", help="Firmware that answers a benchmark's commands too.", show_default=False
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the exact commands and write nothing.")]

# report, boards
Page = Annotated[
    Path | None, typer.Option("--out", "-o", help="Default: BUILD/.tinyforge/report.html.", show_default=False)
]
Measure = Annotated[bool, typer.Option("--measure/--no-measure", help="Count instructions per layer on the emulator.")]
Front = Annotated[bool, typer.Option("--front/--no-front", help="Draw SRAM against MACs and cycles of all schedules.")]
BoardName = Annotated[
    str | None,
    typer.Argument(help="Show this board (a name or a .toml file); new: start a file.", show_default=False),
]
NewBoardName = Annotated[
    str | None, typer.Argument(metavar="NAME_OF_NEW", help="With new: the name.", show_default=False)
]
BoardLike = Annotated[
    str | None,
    typer.Option("--like", metavar="BOARD", help="With new: board to start from; default: nucleo_f446re."),
]
BoardOut = Annotated[
    str | None, typer.Option("--out", "-o", metavar="FILE", help="With new: the file; default: NAME.toml.")
]
LeastSram = Annotated[
    str | None,
    typer.Option("--sram", metavar="SIZE", help="Only boards that leave a model this much: bytes, or 64K."),
]
CoreName = Annotated[str | None, typer.Option("--core", help="Only boards with this core, such as m4.")]

# bench
ModelsFolder = Annotated[
    Path | None, typer.Option("--models", metavar="DIR", help="Folder of .tflite files.", show_default=False)
]
OnlyModels = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="NAME", help="Only this model (file name without .tflite); may be repeated."),
]
BenchBoards = Annotated[
    list[str] | None,
    typer.Option("--board", "-b", help="Emulated board, may be repeated; default: one of every core."),
]
Toolchains = Annotated[
    list[str] | None,
    typer.Option("--toolchain", metavar="zig|gcc", help="C compiler, may be repeated; default: all installed."),
]
Short = Annotated[bool, typer.Option("--short", help="The four MLPerf Tiny models on M4 and M7 only.")]
TakenFrom = Annotated[
    list[Path] | None,
    typer.Option("--from", metavar="FILE", help="Take figures from this record instead of measuring; may be repeated."),
]
Against = Annotated[
    Path | None,
    typer.Option("--compare", metavar="FILE", help="Exit code 1 where a figure is over 1 % worse than in this record."),
]
BenchPage = Annotated[
    Path | None, typer.Option("--page", metavar="FILE", help="Markdown page whose tables are rewritten.")
]
EmulatedBoard = Annotated[str, typer.Option("--board", "-b", help="Emulated board the rows are built for and run on.")]
Measured = Annotated[
    bool, typer.Option("--measure/--no-measure", help="Build and run what is planned, or plan only, in seconds.")
]
BenchOut = Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write the record as JSON.")]

# export
PackageFormat = Annotated[
    str,
    typer.Option(
        "--format",
        "-f",
        metavar="zip|cmake|arduino|platformio|zephyr|esp-idf|cmsis-pack",
        help="Kind of package.",
        show_default=False,
    ),
]
Package = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder or archive; default: beside BUILD.", show_default=False)
]
PackageVersion = Annotated[str, typer.Option("--version", metavar="1.2.3", help="Version of the package.")]
