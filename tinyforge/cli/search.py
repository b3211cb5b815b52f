"""``tinyforge search`` and ``tinyforge zoo``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from tinyforge.cli.options import CompileBoard, Flash, InputMode, Json, MaxMacFactor, ScheduleKind, Sram
from tinyforge.cli.search_options import (
    Augment,
    Base,
    BudgetKind,
    Cycles,
    Data,
    Decay,
    DryRun,
    Evaluations,
    Finalists,
    FineSteps,
    Jobs,
    Macs,
    Minimise,
    Predict,
    Ray,
    Recipe,
    Refit,
    Resume,
    Seed,
    Space,
    Steps,
    Storage,
    StudyOut,
    Teacher,
    Test,
    TrainerKind,
    WarmUp,
    Worker,
    Workers,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tinyforge.api.search import SearchResult
    from tinyforge.search.settings import SearchSettings


def search(
    ctx: typer.Context,
    data: Data = "digits",
    test: Test = None,
    board: CompileBoard = "emulated_m4",
    sram: Sram = None,
    flash: Flash = None,
    macs: Macs = None,
    cycles: Cycles = None,
    max_mac_factor: MaxMacFactor = None,
    input_mode: InputMode = "whole",
    schedule: ScheduleKind = "auto",
    space: Space = "auto",
    base: Base = None,
    minimise: Minimise = "arena_bytes,estimated_cycles",
    augment: Augment = "auto",
    decay: Decay = None,
    teacher: Teacher = None,
    recipe: Recipe = "sandwich",
    budget: BudgetKind = "quick",
    evaluations: Evaluations = None,
    steps: Steps = None,
    fine_steps: FineSteps = None,
    finalists: Finalists = None,
    refit: Refit = True,
    predictor: Predict = "auto",
    warm_up: WarmUp = "off",
    seed: Seed = 0,
    jobs: Jobs = None,
    workers: Workers = 1,
    storage: Storage = None,
    ray: Ray = None,
    trainer: TrainerKind = "auto",
    worker: Worker = False,
    dry_run: DryRun = False,
    resume: Resume = None,
    out: StudyOut = None,
    json: Json = False,
) -> None:
    """Find networks that fit a board and are accurate, from data."""
    from tinyforge.cli.console import print_json, show

    result = _result(ctx.params)
    if result is not None and json:
        print_json(result.as_json())
    elif result is not None:
        show(*search_view(result))


def _result(options: Mapping[str, Any]) -> SearchResult | None:
    from tinyforge.api import search as api
    from tinyforge.api.search_run import Means
    from tinyforge.cli.console import progress

    means = Means(options["storage"], options["workers"], options["ray"], options["jobs"], options["trainer"])
    with progress(timed=True) as report:
        if options["resume"] is not None:
            return api.resume(options["resume"], means=means, worker=options["worker"], progress=report)
        settings = _settings(options)
        return api.search(settings, means=means, dry_run=options["dry_run"], out=options["out"], progress=report)


def _settings(options: Mapping[str, Any]) -> SearchSettings:
    """The command's options as the study keeps them."""
    from tinyforge.api.settings import size_option
    from tinyforge.search.settings import SearchSettings

    same = {name: options[name] for name in SearchSettings.names() if name in options}
    return SearchSettings(
        **{
            **same,
            "sram": size_option(options["sram"]),
            "flash": size_option(options["flash"]),
            "input": options["input_mode"],
            "base": None if options["base"] is None else str(options["base"]),
            "objectives": tuple(name for name in options["minimise"].split(",") if name and name != "none"),
        }
    )


def search_view(result: SearchResult) -> list[RenderableType]:
    """The forecast, and the points where there are any."""
    from tinyforge.cli.console import facts, roughly, table

    f = result.forecast
    teacher = f", taught by {result.settings.teacher}" if result.settings.teacher else ""
    refit = ", the best trained once more on validation samples too" if f["refit"] else ""
    rows = {
        "data": f"{f['data']}: {f['kind']}s of {'x'.join(map(str, f['shape']))}; {f['train']:,} to train, "
        f"{f['validation']:,} to decide, {f['test']:,} to test",
        **({"noted": "; ".join(f["notes"])} if f["notes"] else {}),
        "space": f"{result.narrowed.space.name}: {roughly(f['networks'])} networks after narrowing; "
        f"{f['fitting']:,} of {f['sampled']:,} tried ones fit",
        "supernet": f"{f['epochs']} epochs, largest network {f['largest_macs']:,} MACs; "
        f"{roughly(f['training_macs'])} MACs in all",
        "search": f"{f['evaluations']} evaluations, {f['finalists']} finalists{teacher}{refit}",
        "expect": f"{f['expect']} on two cores: {' + '.join(f'{s:,} s {n}' for n, s in f['seconds'].items())}",
    }
    if result.around is not None:
        rows["from"] = _around(result.around)
    if not result.points:
        return [facts(rows)]
    if result.correlation is not None:
        rows["predictor"] = f"chose among candidates; rank correlation {result.correlation:.2f} on held-out ones"
    rows["done"] = f"{result.trials:,} candidates, {result.judged:,} of them judged; study in {result.folder}"
    right = ("validation", "test", "arena", "flash", "MACs")
    made = table("point", *right, right=right)
    for point in result.points:
        p = point.facts
        made.add_row(
            str(point.folder),
            f"{p['accuracy']:.2%}",
            f"{p['test_accuracy']:.2%}",
            f"{p['arena_bytes']:,} B",
            f"{p['flash_bytes']['total']:,} B",
            f"{p['executed_macs']:,}",
        )
    follow = "\n".join(["go on with:", *(f"  {line}" for line in result.points[0].facts["next"])])
    return [facts(rows), made, follow]


def _around(start: Mapping[str, Any]) -> str:
    """What became of the network of ``--from``."""
    known = start["accuracy"]
    right = "" if known is None else f", {known:.2%} of the validation split as the space has it"
    return f"{start['model']}{right}: {'; '.join(start['differences']) or 'as it is'}"


def zoo(json: Json = False) -> None:
    """List the search spaces that come along."""
    from tinyforge.cli.console import print_json, show, table
    from tinyforge.search.space_file import load_space, preset_names

    spaces = [load_space(name) for name in preset_names()]
    if json:
        rows = [{"name": s.name, "title": s.title, "dims": s.dims, "stages": len(s.stages)} for s in spaces]
        print_json({"spaces": rows})
        return
    made = table("space", "networks", "what it is", right=("networks",))
    for s in spaces:
        made.add_row(s.name, f"{s.for_data((96, 96, 3)).size:.1e}", s.title)
    show(made)
