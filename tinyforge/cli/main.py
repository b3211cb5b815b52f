"""The command line: an application of thin commands, and the one place where errors become exit codes."""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer

from tinyforge import __version__
from tinyforge.cli.bench import bench
from tinyforge.cli.boards import boards
from tinyforge.cli.check import check
from tinyforge.cli.compile import compile_model
from tinyforge.cli.doctor import doctor
from tinyforge.cli.export import export
from tinyforge.cli.flash import flash
from tinyforge.cli.help import GroupedCommand, GroupedCommands
from tinyforge.cli.report import report
from tinyforge.cli.run import run as run_command
from tinyforge.cli.search import search, zoo
from tinyforge.errors import TinyforgeError

app = typer.Typer(
    name="tinyforge",
    cls=GroupedCommands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

_DATA, _MODEL, _BOARD, _ABOUT = "Data to model", "Model to C", "On a board", "Around it"
app.command("search", cls=GroupedCommand, rich_help_panel=_DATA)(search)
app.command("zoo", cls=GroupedCommand, rich_help_panel=_DATA)(zoo)
app.command("check", cls=GroupedCommand, rich_help_panel=_MODEL)(check)
app.command("compile", cls=GroupedCommand, rich_help_panel=_MODEL)(compile_model)
app.command("report", cls=GroupedCommand, rich_help_panel=_MODEL)(report)
app.command("export", cls=GroupedCommand, rich_help_panel=_MODEL)(export)
app.command("flash", cls=GroupedCommand, rich_help_panel=_BOARD)(flash)
app.command("run", cls=GroupedCommand, rich_help_panel=_BOARD)(run_command)
app.command("boards", cls=GroupedCommand, rich_help_panel=_ABOUT)(boards)
app.add_typer(bench, name="bench", rich_help_panel=_ABOUT)
app.command("doctor", cls=GroupedCommand, rich_help_panel=_ABOUT)(doctor)

_INTERRUPTED = 130


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tinyforge {__version__}")
        raise typer.Exit


def _debug(wanted: bool) -> None:
    if wanted:
        os.environ["TINYFORGE_DEBUG"] = "1"


@app.callback(epilog="Start with: tinyforge compile MODEL.tflite --board emulated_m7")
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", callback=_debug, help="Show a traceback where something fails.")
    ] = False,
) -> None:
    """Neural networks on microcontrollers: exact memory plans, self-contained C, every output checked bit for bit."""


def run(arguments: list[str] | None = None) -> NoReturn:
    """Entry point: run the command, end with its exit code."""
    sys.exit(_exit_code(arguments))


def _exit_code(arguments: list[str] | None) -> int:
    try:
        app(args=arguments)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except TinyforgeError as error:
        return _failed(error, error.exit_code, str(error))
    except Exception as error:
        text = f"internal error: {type(error).__name__}: {error}; run again as: tinyforge --debug ... and report it"
        return _failed(error, 1, text)
    return 0


def _failed(error: Exception, code: int, text: str) -> int:
    if os.environ.get("TINYFORGE_DEBUG"):
        import traceback

        traceback.print_exception(error)
    print(f"tinyforge: {text}", file=sys.stderr)
    return code


if __name__ == "__main__":
    run()
