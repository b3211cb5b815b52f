"""``tinyforge doctor``."""

from __future__ import annotations

import typer

from tinyforge.cli.options import Json

_TOOL_MISSING = 5


def doctor(json: Json = False) -> None:
    """Say which tools are here, what each is for, and how to get the rest."""
    from tinyforge.api.doctor import doctor as diagnose
    from tinyforge.cli.console import print_json, show, table

    diagnosis = diagnose()
    if json:
        print_json(diagnosis.as_json())
    else:
        rows = table("", "tool", "found", "used for")
        for tool in diagnosis.tools:
            mark = "[green]ok[/]" if tool.found else "[red]no[/]" if tool.needed else "[yellow]--[/]"
            rows.add_row(
                mark, tool.name, tool.version or f"missing: {tool.how_to_get}".replace("[", "\\["), tool.used_for
            )
        verdict = "Everything needed is here."
        if not diagnosis.healthy:
            verdict = f"[red]Something needed is missing.[/] {diagnosis.trouble}"
        show(rows, verdict)
    if not diagnosis.healthy:
        raise typer.Exit(_TOOL_MISSING)
