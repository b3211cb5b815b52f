"""Options of ``search``, as types: what each is called and its line of help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_LIMITS, _WHAT, _HOW, _WHERE = "Limits", "What to search", "How long and how", "Where it runs"

Data = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="DATA",
        help="digits, cifar10, mnist, fashion_mnist, an .npz file, or a folder of class folders.",
        rich_help_panel=_WHAT,
    ),
]
Test = Annotated[
    str | None,
    typer.Option("--test", help="A second .npz or folder: its samples are the test split.", rich_help_panel=_WHAT),
]
Space = Annotated[
    str,
    typer.Option("--space", help="A preset (tinyforge zoo) or a .toml; auto: by data.", rich_help_panel=_WHAT),
]
Base = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="MODEL",
        help="A .tflite or .keras file: search around it, beginning with its weights.",
        show_default=False,
        rich_help_panel=_WHAT,
    ),
]
Minimise = Annotated[
    str,
    typer.Option(
        "--minimise",
        metavar="COSTS",
        help="Of arena_bytes, flash_bytes, executed_macs, estimated_cycles; with commas; none: accuracy alone.",
        rich_help_panel=_WHAT,
    ),
]
Augment = Annotated[
    str,
    typer.Option(
        "--augment",
        help="auto, none, or of shift, flip, light, erase, roll, mask, jitter, stretch, amplify, rotate, mixup.",
        rich_help_panel=_WHAT,
    ),
]
Decay = Annotated[
    float | None,
    typer.Option(
        "--decay", help="Weight decay of finalists; default: 0.3 for photographs, else 0.01.", rich_help_panel=_HOW
    ),
]
Teacher = Annotated[
    str | None,
    typer.Option(
        "--teacher",
        metavar="SPACE",
        help="Its largest network is trained first and teaches the finalists; for PyTorch on a GPU.",
        rich_help_panel=_HOW,
    ),
]
Macs = Annotated[int | None, typer.Option("--macs", help="Most executed MACs.", rich_help_panel=_LIMITS)]
Cycles = Annotated[
    int | None, typer.Option("--cycles", help="Most estimated cycles of the core.", rich_help_panel=_LIMITS)
]
BudgetKind = Annotated[
    str,
    typer.Option("--budget", metavar="quick|standard|thorough", help="Minutes, hours, or a day.", rich_help_panel=_HOW),
]
Evaluations = Annotated[
    int | None, typer.Option("--evaluations", help="Candidates the supernet judges.", rich_help_panel=_HOW)
]
Steps = Annotated[int | None, typer.Option("--steps", help="Training steps of the supernet.", rich_help_panel=_HOW)]
FineSteps = Annotated[
    int | None, typer.Option("--fine-steps", help="Training steps of each finalist.", rich_help_panel=_HOW)
]
Finalists = Annotated[
    int | None, typer.Option("--finalists", help="Networks trained on and compiled.", rich_help_panel=_HOW)
]
Refit = Annotated[
    bool,
    typer.Option(
        "--refit/--no-refit",
        help="Train the best once more, longer and on validation samples too.",
        rich_help_panel=_HOW,
    ),
]
Recipe = Annotated[
    str,
    typer.Option("--recipe", metavar="sandwich|sortednet", help="How the supernet is trained.", rich_help_panel=_HOW),
]
Seed = Annotated[int, typer.Option("--seed", help="The same seed finds the same networks.", rich_help_panel=_HOW)]
Predict = Annotated[
    str,
    typer.Option(
        "--predictor",
        metavar="auto|off",
        help="auto: predicted accuracies choose what is judged, where they rank well.",
        rich_help_panel=_HOW,
    ),
]
WarmUp = Annotated[
    str,
    typer.Option(
        "--warm-up",
        metavar="off|proxy",
        help="proxy: begin with what a training-free score picks.",
        rich_help_panel=_HOW,
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", help="Threads of TensorFlow in each process; default: all cores.", rich_help_panel=_WHERE),
]
Workers = Annotated[
    int, typer.Option("--workers", help="Processes that judge candidates on this machine.", rich_help_panel=_WHERE)
]
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray", metavar="ADDRESS|local", help="Judge candidates as tasks of a Ray cluster.", rich_help_panel=_WHERE
    ),
]
TrainerKind = Annotated[
    str,
    typer.Option(
        "--trainer",
        metavar="auto|tensorflow|torch",
        help="Of finalists; auto: torch where it sees a GPU and TensorFlow does not.",
        rich_help_panel=_WHERE,
    ),
]
Worker = Annotated[bool, typer.Option("--worker", hidden=True)]
Storage = Annotated[
    str | None,
    typer.Option(
        "--storage",
        metavar="URL",
        help="sqlite:///FILE, journal:///FILE, postgresql://...; default: a file in OUT.",
        rich_help_panel=_WHERE,
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be trained and stop.", rich_help_panel=_HOW)]
Resume = Annotated[
    Path | None, typer.Option("--resume", metavar="STUDY", help="Continue a study, or join it.", rich_help_panel=_HOW)
]
StudyOut = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder of the study; default: out/search-DATA.", show_default=False)
]
