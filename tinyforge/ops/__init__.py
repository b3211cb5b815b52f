"""Operators. ``OPS`` is the one table of what exists, one line each."""

from __future__ import annotations

from tinyforge.ops.add import Add
from tinyforge.ops.arg_max import ArgMax
from tinyforge.ops.arg_min import ArgMin
from tinyforge.ops.average_pool2d import AveragePool2D
from tinyforge.ops.base import Op
from tinyforge.ops.concatenation import Concatenation
from tinyforge.ops.conv2d import Conv2D
from tinyforge.ops.depth_to_space import DepthToSpace
from tinyforge.ops.depthwise_conv2d import DepthwiseConv2D
from tinyforge.ops.dequantize import Dequantize
from tinyforge.ops.fully_connected import FullyConnected
from tinyforge.ops.gelu import Gelu
from tinyforge.ops.hard_swish import HardSwish
from tinyforge.ops.leaky_relu import LeakyRelu
from tinyforge.ops.log_softmax import LogSoftmax
from tinyforge.ops.logistic import Logistic
from tinyforge.ops.max_pool2d import MaxPool2D
from tinyforge.ops.maximum import Maximum
from tinyforge.ops.mean import Mean
from tinyforge.ops.minimum import Minimum
from tinyforge.ops.mul import Mul
from tinyforge.ops.pack import Pack
from tinyforge.ops.pad import Pad
from tinyforge.ops.prelu import Prelu
from tinyforge.ops.quantize import Quantize
from tinyforge.ops.relu import Relu
from tinyforge.ops.relu6 import Relu6
from tinyforge.ops.relu_n1_to_1 import ReluN1To1
from tinyforge.ops.reshape import Reshape
from tinyforge.ops.resize_bilinear import ResizeBilinear
from tinyforge.ops.resize_nearest_neighbor import ResizeNearestNeighbor
from tinyforge.ops.slice import Slice
from tinyforge.ops.softmax import Softmax
from tinyforge.ops.space_to_depth import SpaceToDepth
from tinyforge.ops.split import Split
from tinyforge.ops.strided_slice import StridedSlice
from tinyforge.ops.sub import Sub
from tinyforge.ops.sum import Sum
from tinyforge.ops.tanh import Tanh
from tinyforge.ops.transpose import Transpose
from tinyforge.ops.transpose_conv import TransposeConv
from tinyforge.ops.unpack import Unpack

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
    "gelu": Gelu,
    "concatenation": Concatenation,
    "depth_to_space": DepthToSpace,
    "pack": Pack,
    "pad": Pad,
    "reshape": Reshape,
    "resize_bilinear": ResizeBilinear,
    "resize_nearest_neighbor": ResizeNearestNeighbor,
    "slice": Slice,
    "space_to_depth": SpaceToDepth,
    "split": Split,
    "strided_slice": StridedSlice,
    "transpose": Transpose,
    "unpack": Unpack,
    "add": Add,
    "sub": Sub,
    "mul": Mul,
    "maximum": Maximum,
    "minimum": Minimum,
    "softmax": Softmax,
    "log_softmax": LogSoftmax,
    "quantize": Quantize,
    "dequantize": Dequantize,
    "mean": Mean,
    "sum": Sum,
    "arg_max": ArgMax,
    "arg_min": ArgMin,
    "prelu": Prelu,
}
