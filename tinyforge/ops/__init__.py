"""Operators. ``OPS`` is the one table of what exists, one line each."""

from __future__ import annotations

from tinyforge.ops.base import Op
from tinyforge.ops.conv2d import Conv2D

OPS: dict[str, type[Op]] = {
    "conv2d": Conv2D,
}
