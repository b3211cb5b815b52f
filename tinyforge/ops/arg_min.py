"""ARG_MIN along one axis: int8 -> int32, the first of equals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tinyforge.ops.arg_max import ArgMax


@dataclass(frozen=True, slots=True)
class ArgMin(ArgMax):
    """Index of the smallest element along ``axis`` (not negative)."""

    kind: ClassVar[str] = "arg_min"
    sign: ClassVar[int] = -1
