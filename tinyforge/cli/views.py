"""Results as tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tinyforge.cli.console import facts, table
from tinyforge.reporting.memory_table import HEADS, LAYERS, cells, run_cells
from tinyforge.reporting.words import profile_core, short

if TYPE_CHECKING:
    from tinyforge.api.bench_memory import MemoryBench
    from tinyforge.api.check import CheckResult
    from tinyforge.api.compile import CompileResult
    from tinyforge.api.flash import FlashResult
    from tinyforge.api.fleet import FleetReport
    from tinyforge.api.latency import Latency
    from tinyforge.api.run import RunReport
    from tinyforge.codegen.build_info import BuildInfo
    from tinyforge.device.result import LayerProfile
    from tinyforge.reporting.memory_table import ModelMemory
    from tinyforge.schedule.front import Point

_SLOWEST = 8
_FRONT = ("SRAM", "MACs", "estimated cycles", "fused stages")
_STAGES = ("planned", "linked", "measured")
_RUN_HEADS = ("stack", "instr.", "")
_NAME_WIDTH = 14  # of a profile's 100 columns


def check_view(result: CheckResult) -> list[Any]:
    """Every operator, then the verdict."""
    report = result.report
    rows = table("#", "operator", "name", "", right=("#",))
    for op in report.operators:
        remark = f"[dim]{_plain(op.note)}[/]" if op.supported else f"[red]{_plain(op.reason)}[/]; {_plain(op.advice)}"
        rows.add_row(
            str(op.index),
            op.kind,
            _plain(short(op.name)),
            f"{'[green]ok[/]' if op.supported else '[red]no[/]'} {remark}",
        )
    problems = [f"[red]{_plain(problem)}[/]" for problem in report.problems]
    count = len(report.unsupported)
    verdict = "[green]can be compiled[/]" if result.supported else f"[red]cannot be compiled[/] ({count} operators)"
    return [rows, *problems, f"{_plain(report.file)}: {len(report.operators)} operators, {verdict}"]


def compile_view(result: CompileResult) -> list[Any]:
    """Memory, schedule in words, where the files are."""
    info, plan = result.info, result.plan
    limit = info.sram_limit_bytes
    saved = plan.layerwise_arena_bytes - info.arena_bytes
    versus = f"; layer by layer {plan.layerwise_arena_bytes:,} B" if saved else ""
    bound = f" of {limit:,} B" if limit else ""
    flash = info.flash
    factor = f" (x{result.mac_factor:.3f} of the file's)" if info.executed_macs != info.macs else ""
    shown = facts(
        {
            "model": f"{_plain(info.model_file)}, {len(info.operators)} operators",
            "board": info.board,
            "SRAM": f"[bold]{info.arena_bytes:,} B[/]{bound}{versus}{_in_banks(info)}",
            "bound": _bound(result),
            "flash": f"{flash.total:,} B = weights {flash.weights:,} B + code {flash.code:,} B",
            "stack": f"{info.stack_bytes:,} B",
            "MACs": f"{info.executed_macs:,}{factor}",
        }
    )
    front = [_front_table(plan.front)] if plan.front else []
    words = "\n".join(f"  {_plain(line)}" for line in plan.words)
    why = "\n".join(f"  {_plain(line)}" for line in plan.reasons)
    parts = [shown, "", "[dim]schedule[/]", words, "[dim]because[/]", why, ""]
    return [*parts, *front, f"wrote [bold]{_plain(str(result.out))}[/]"]


def _bound(result: CompileResult) -> str:
    """How far the schedule is from what it could be; only a search for least SRAM bounds its whole family."""
    if not result.plan.bound:
        return "none known for these stages"
    bound, sought = f"{result.plan.bound:,} B", result.info.options.get("objective") == "sram"
    if not sought:
        return f"{bound} for these stages; --objective sram looks for less"
    reached = "reached: " if result.info.proven_optimal else ""
    return f"{bound}, {reached}nothing in the family needs less within the limits"


def _front_table(front: Sequence[Point]) -> Any:
    """The front, largest arena first."""
    made = table("", "SRAM", "MACs", "estimated cycles", "fused stages", right=_FRONT)
    for point in front:
        figures = (point.arena_bytes, point.executed_macs, point.estimated_cycles, point.fused_stages)
        made.add_row("[green]chosen[/]" if point.chosen else "", *(f"{n:,}" for n in figures))
    return made


def _in_banks(info: BuildInfo) -> str:
    """Where the arena lies, if not all of it in the first bank."""
    used = [bank for bank in info.banks if bank.used]
    if used == list(info.banks[:1]):
        return ""
    return "; " + ", ".join(f"{bank.used:,} B in {bank.name} ({bank.size:,} B)" for bank in used)


def memory_view(result: MemoryBench) -> list[Any]:
    """A table a model: bytes of each family and what they are."""
    return [part for model in result.models for part in (f"[bold]{_plain(model.model)}[/]", _memory_table(model))]


def _memory_table(model: ModelMemory) -> Any:
    layers = model.row(LAYERS)
    made = table(
        "schedule", "arena", "MACs", "of it, at the peak", *_RUN_HEADS, right=("arena", "MACs", "stack", "instr.")
    )
    for other in model.others:
        made.add_row(other.tool, f"{other.sram_bytes:,}", "", "", "", "", "[dim]own figure[/]")
    for row in model.rows:
        arena, macs, *parts = cells(row)
        words = ", ".join(f"{head} {part}" for head, part in zip(HEADS[2:], parts, strict=True) if part)
        made.add_row(row.family, arena, macs, words, *run_cells(row, layers))
    for family in model.refused:
        made.add_row(family, "", "", "", "", "", "[dim]none within the limits[/]")
    return made


def flash_view(result: FlashResult) -> list[Any]:
    """What was put where."""
    checked = ", read back and equal" if result.verified else ", not read back (tinyforge run checks what answers)"
    arena = f"planned {result.info.arena_bytes:,} B, linked {result.arena_linked_bytes:,} B"
    return [
        facts(
            {
                "board": f"{result.board} ({result.method})",
                "image": _plain(str(result.elf)),
                "flash": f"{result.flash_used:,} B with the firmware around the model",
                "arena": arena,
                "stack": f"{result.stack_region_bytes:,} B reserved",
                "compiler": _plain(result.compiler),
                "device": _plain(result.where + checked),
            }
        )
    ]


def run_view(report: RunReport, profile: bool = False) -> list[Any]:
    """Equal or not, memory three ways, the slowest operators; with ``profile`` all of them, with cycles and bytes."""
    result = report.result
    verdict = "[green]every output equal[/]" if report.ok else f"[red]{report.mismatches:,} values differ[/]"
    shown = {
        "runner": f"{result.runner}, {_plain(result.compiler)}",
        "outputs": f"{result.samples} samples, {verdict} (reference: {_plain(report.reference)})",
        "arena": _memory(report),
    }
    if report.accuracy is not None:
        shown["accuracy"] = f"{report.accuracy:.2%} of {result.samples:,} labels"
    if len(report.info.arenas) > 1:
        for bank in report.banks():
            shown[f"  in {bank['name']}"] = ", ".join(
                f"{key} {bank[key]:,} B" for key in _STAGES if bank[key] is not None
            )
    if result.stack_high_water_bytes:
        shown["stack"] = _stack(report)
    if result.instructions:
        per = f", {result.instructions / report.info.executed_macs:.2f} per MAC" if report.info.executed_macs else ""
        shown["instructions"] = f"[bold]{result.instructions:,}[/]{per}"
    if result.cycles is not None:
        shown["cycles"] = f"{result.cycles:,} by the board's counter"
    if report.latency is not None and result.samples > 1:
        shown["an inference"] = _latency(report.latency)
    for core, cycles in result.estimated_cycles.items():
        shown[f"{core} cycles"] = f"about {cycles:,} (estimate)"
    parts: list[Any] = [facts(shown)]
    if result.layers:
        watched = bool(result.layers[0].estimated_cycles)
        parts += [profile_table(report) if profile and watched else _slowest(report, None if profile else _SLOWEST)]
    return parts


def fleet_view(fleet: FleetReport) -> Any:
    """A row a board."""
    numbers = ("samples", "different", "accuracy", "median", "p99", "arena", "stack")
    title = "median and p99 of an inference: ms by the board's counter, or instructions of an emulated board"
    rows = table("board", "port", *numbers, right=numbers, title=title)
    for entry in fleet.places:
        where = (entry.place.board, _plain(entry.place.port or "emulated"))
        report = entry.report
        if report is None:
            rows.add_row(*where, "[red]failed[/]")
            continue
        spread = report.latency
        ranks = (_ticks(spread, spread.median), _ticks(spread, spread.p99)) if spread else ("", "")
        result = report.result
        rows.add_row(
            *where,
            f"{result.samples:,}",
            f"[red]{report.mismatches:,}[/]" if report.mismatches else "0",
            f"{report.accuracy:.2%}" if report.accuracy is not None else "",
            *ranks,
            f"{result.arena_high_water_bytes:,} B",
            f"{result.stack_high_water_bytes:,} B",
        )
    return rows


def _latency(spread: Latency) -> str:
    """Least, median, 99th percentile and most, in the board's own unit."""
    ranks = (("least", spread.min), ("median", spread.median), ("p99", spread.p99), ("most", spread.max))
    unit = "ms" if spread.hz else spread.unit
    return ", ".join(f"{name} {_ticks(spread, ticks)}" for name, ticks in ranks) + f" {unit}"


def _ticks(spread: Latency, ticks: int) -> str:
    milliseconds = spread.milliseconds(ticks)
    return f"{milliseconds:,.3f}" if milliseconds is not None else f"{ticks:,}"


def _memory(report: RunReport) -> str:
    linked = f", linked {report.arena_linked_bytes:,} B" if report.arena_linked_bytes is not None else ""
    high = report.result.arena_high_water_bytes
    return (
        f"planned {report.info.arena_bytes:,} B{linked}, measured {high:,} B"
        if high
        else f"{report.info.arena_bytes:,} B{linked}"
    )


def _stack(report: RunReport) -> str:
    """A whole board's stack holds the frames of the protocol too."""
    measured = f"measured {report.result.stack_high_water_bytes:,} B"
    if report.result.runner == "emulator" and report.stack_bound_bytes is not None:
        return f"bound {report.stack_bound_bytes:,} B, {measured}"
    return f"{measured} with the firmware around the model"


def _slowest(report: RunReport, most: int | None) -> Any:
    """The ``most`` expensive operators (None: all) by what was counted: a board's cycles, else instructions."""

    def cost(layer: LayerProfile) -> int:
        return layer.instructions if layer.cycles is None else layer.cycles

    layers = sorted(report.result.layers, key=cost, reverse=True)
    total = sum(cost(layer) for layer in layers) or 1
    unit = "instructions" if layers[0].cycles is None else "cycles"
    rows = table("#", "operator", "name", unit, "share", right=("#", unit, "share"))
    for layer in layers[:most]:
        rows.add_row(
            str(layer.index),
            layer.kind,
            _plain(short(layer.name)),
            f"{cost(layer):,}",
            f"{cost(layer) / total:.1%}",
        )
    return rows


def profile_table(report: RunReport) -> Any:
    """Every operator in order. Cycles are the estimate for the board's core where there is one, else the M4's."""
    layers = report.result.layers
    core = profile_core(report.core, layers)
    numbers = ("instructions", "cycles", "share", "flash read", "SRAM read", "written")
    title = f"estimated cycles of {core}, bytes"
    rows = table("#", "operator", "name", *numbers, right=("#", *numbers), title=title)
    total = sum(layer.estimated_cycles[core] for layer in layers) or 1
    for layer in layers:
        cycles = layer.estimated_cycles[core]
        moved = (layer.flash_read_bytes, layer.sram_read_bytes, layer.written_bytes)
        counts = [f"{n:,}" if n is not None else "" for n in moved]
        name = _plain(layer.name[-_NAME_WIDTH:])
        row = (layer.kind, name, f"{layer.instructions:,}", f"{cycles:,}", f"{cycles / total:.1%}")
        rows.add_row(str(layer.index), *row, *counts)
    return rows


def _plain(text: str) -> str:
    """Text in which rich sees no markup."""
    return text.replace("[", "\\[")
