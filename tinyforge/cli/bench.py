"""``tinyforge bench``: measurements that reproduce the tables of the documentation, one file a command."""

from __future__ import annotations

import typer

from tinyforge.cli.bench_memory import memory
from tinyforge.cli.help import GroupedCommand, GroupedCommands

bench = typer.Typer(cls=GroupedCommands, help="Reproduce the measured tables.", no_args_is_help=True)
bench.command("memory", cls=GroupedCommand)(memory)
