"""Operators. ``OPS`` is the one table of what exists, one line each."""

from __future__ import annotations

from tinyforge.ops.average_pool2d import AveragePool2D
from tinyforge.ops.base import Op
from tinyforge.ops.conv2d import Conv2D
from tinyforge.ops.depthwise_conv2d import DepthwiseConv2D
from tinyforge.ops.max_pool2d import MaxPool2D
from tinyforge.ops.transpose_conv import TransposeConv

OPS: dict[str, type[Op]] = {
    "conv2d": Conv2D,
    "depthwise_conv2d": DepthwiseConv2D,
    "transpose_conv": TransposeConv,
    "average_pool2d": AveragePool2D,
    "max_pool2d": MaxPool2D,
}
