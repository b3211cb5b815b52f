"""Jinja2 environment of the C templates: undefined names are errors, output is byte-for-byte repeatable."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jinja2
import numpy as np

from tinyforge.ir.types import Array
from tinyforge.paths import templates_dir


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates_dir()),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=False,
        lstrip_blocks=False,
        autoescape=False,
    )


def render(template: str, **context: Any) -> str:
    """The text of ``templates/<template>``."""
    return environment().get_template(template).render(**context)


def number_lines(data: Array, per_line: int = 20) -> list[str]:
    """C initialiser lines of an integer array. INT32_MIN has no literal in C and is written as an expression."""
    flat = np.ascontiguousarray(data).reshape(-1)
    if flat.dtype.kind == "f":
        texts = [f"{float(v)!r}f" for v in flat]
    else:
        texts = ["(-2147483647 - 1)" if v == -(2**31) else str(v) for v in flat.astype(np.int64).tolist()]
    return [", ".join(texts[i : i + per_line]) + "," for i in range(0, len(texts), per_line)]
