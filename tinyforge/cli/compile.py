"""``tinyforge compile``."""

from __future__ import annotations

from typing import Any

from tinyforge.cli.options import (
    CompileBoard,
    Dump,
    Flash,
    InputMode,
    Io,
    Json,
    MaxCycleFactor,
    MaxMacFactor,
    Model,
    Name,
    Objective,
    Out,
    Pareto,
    ScheduleKind,
    Sram,
    Toolchain,
    Tune,
)


def compile_model(
    model: Model,
    board: CompileBoard = "emulated_m7",
    out: Out = None,
    sram: Sram = None,
    flash: Flash = None,
    max_mac_factor: MaxMacFactor = None,
    max_cycle_factor: MaxCycleFactor = None,
    objective: Objective = "balanced",
    input_mode: InputMode = "whole",
    schedule: ScheduleKind = "auto",
    io: Io = "int8",
    toolchain: Toolchain = "zig",
    name: Name = None,
    dump: Dump = False,
    pareto: Pareto = False,
    tune: Tune = False,
    json: Json = False,
) -> None:
    """Turn a .tflite model into scheduled, self-contained C."""
    from tinyforge.api.compile import compile
    from tinyforge.api.tune import tune as measure
    from tinyforge.cli.bench_view import tuned_view
    from tinyforge.cli.console import print_json, progress, show
    from tinyforge.cli.views import compile_view

    options: dict[str, Any] = {
        "board": board,
        "out": out,
        "sram": sram,
        "flash": flash,
        "max_mac_factor": max_mac_factor,
        "max_cycle_factor": max_cycle_factor,
        "objective": objective,
        "input_mode": input_mode,
        "schedule": schedule,
        "io": io,
        "toolchain": toolchain,
        "name": name,
        "dump": dump,
        "pareto": pareto,
    }
    with progress() as report:
        tuned = measure(model, progress=report, **options) if tune else None
        result = tuned.build if tuned else compile(model, progress=report, **options)
    if json:
        print_json(tuned.as_json() if tuned else result.as_json())
    else:
        show(*(tuned_view(tuned) if tuned else ()), *compile_view(result))
