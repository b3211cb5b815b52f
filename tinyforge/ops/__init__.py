"""Operators. ``OPS`` is the one table of what exists, one line each."""

from __future__ import annotations

from tinyforge.ops.average_pool2d import AveragePool2D
from tinyforge.ops.base import Op
from tinyforge.ops.conv2d import Conv2D
from tinyforge.ops.depthwise_conv2d import DepthwiseConv2D
from tinyforge.ops.fully_connected import FullyConnected
from tinyforge.ops.hard_swish import HardSwish
from tinyforge.ops.leaky_relu import LeakyRelu
from tinyforge.ops.logistic import Logistic
from tinyforge.ops.max_pool2d import MaxPool2D
from tinyforge.ops.relu import Relu
from tinyforge.ops.relu6 import Relu6
from tinyforge.ops.relu_n1_to_1 import ReluN1To1
from tinyforge.ops.tanh import Tanh
from tinyforge.ops.transpose_conv import TransposeConv

OPS: dict[str, type[Op]] = {
    "conv2d": Conv2D,
    "depthwise_conv2d": DepthwiseConv2D,
    "fully_connected": FullyConnected,
    "transpose_conv": TransposeConv,
    "average_pool2d": AveragePool2D,
    "max_pool2d": MaxPool2D,
    "relu": Relu,
    "relu6": Relu6,
    "relu_n1_to_1": ReluN1To1,
    "leaky_relu": LeakyRelu,
    "logistic": Logistic,
    "tanh": Tanh,
    "hard_swish": HardSwish,
}
