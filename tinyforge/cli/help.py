"""Help grouped by task, in plain text: rendering it with rich would take longer than everything else together."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup


def _sections(entries: list[tuple[str, tuple[str, str]]], formatter: Any) -> None:
    """Writes (section, row) pairs, sections in order of first appearance."""
    for title in dict.fromkeys(section for section, _ in entries):
        with formatter.section(title):
            formatter.write_dl([row for section, row in entries if section == title])


def _options(command: Any, ctx: Any) -> list[tuple[str, tuple[str, str]]]:
    """Help rows of a command's parameters by section: arguments first, options with a panel of their own last."""
    found = []
    for param in command.get_params(ctx):
        row = param.get_help_record(ctx)
        if row is not None:
            default = "Arguments" if param.param_type_name == "argument" else "Options"
            found.append((getattr(param, "rich_help_panel", None) or default, row))
    order = ["Arguments", "Options"]
    return sorted(found, key=lambda entry: order.index(entry[0]) if entry[0] in order else len(order))


class GroupedCommand(TyperCommand):
    """A command whose options are listed by panel."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _sections(_options(self, ctx), formatter)


class GroupedCommands(TyperGroup):
    """A group whose commands are listed by panel."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _sections(_options(self, ctx), formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        shown = [(name, command) for name, command in commands if command is not None and not command.hidden]
        _sections(
            [(getattr(c, "rich_help_panel", None) or "Commands", (n, c.get_short_help_str(100))) for n, c in shown],
            formatter,
        )
