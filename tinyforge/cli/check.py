"""``tinyforge check``."""

from __future__ import annotations

import typer

from tinyforge.cli.options import Json, Model

_UNSUPPORTED = 3


def check(model: Model, json: Json = False) -> None:
    """Say whether a model can be compiled; name every operator that cannot, why, and what to do."""
    from tinyforge.api.check import check as examine
    from tinyforge.cli.console import print_json, show
    from tinyforge.cli.views import check_view

    result = examine(model)
    if json:
        print_json(result.as_json())
    else:
        show(*check_view(result))
    if not result.supported:
        raise typer.Exit(_UNSUPPORTED)
