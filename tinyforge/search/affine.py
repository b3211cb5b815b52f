"""What a network multiplies its input or a map with, and adds then, by operators of their own: scaled pixels, and
normalisation after an activation."""

from __future__ import annotations

import numpy as np

from tinyforge.ir.graph import Node
from tinyforge.ops.add import Add
from tinyforge.ops.mul import Mul
from tinyforge.ops.reshape import Reshape
from tinyforge.ops.sub import Sub
from tinyforge.search.dataset import Floats
from tinyforge.search.reading import Reader

Affine = tuple[Floats, Floats]
"""A factor and what is added then, one number or one a channel."""
IDENTITY: Affine = (np.ones(1, np.float32), np.zeros(1, np.float32))


def affine_of(reader: Reader, kinds: tuple[type, ...] = (Mul, Add, Sub)) -> Affine:
    """What the tensor is multiplied with, and what is added then, by the operators that follow; goes on behind them."""
    scale, offset = IDENTITY
    node = reader.only(reader.at)
    while node is not None and isinstance(node.op, kinds):
        if not isinstance(node.op, Reshape):
            value = _factor(reader, node)
            scale, offset = (scale * value, offset * value) if isinstance(node.op, Mul) else (scale, offset + value)
        reader.at = node.outputs[0]
        node = reader.only(reader.at)
    return scale, offset


def _factor(reader: Reader, node: Node) -> Floats:
    """What an operator multiplies with, or adds."""
    constant = reader.graph.tensors[next((name for name in node.inputs if name != reader.at), reader.at)]
    channels = reader.channels(reader.at)
    if (
        not constant.is_constant
        or constant.shape[-1:] not in ((), (1,), (channels,))
        or constant.type.elements > channels
    ):
        raise reader.refuse(node, "no block of a space has it here, and it is no constant, one a channel")
    if isinstance(node.op, Sub) and node.inputs[0] != reader.at:
        raise reader.refuse(node, "a map is taken from a constant, which --from does not understand")
    reader.inactive(node, "an activation that no block of a space has")
    value = (constant.array().astype(np.float32) - constant.type.zero_point) * np.float32(constant.type.scale)
    return np.asarray(-value if isinstance(node.op, Sub) else value, np.float32).reshape(-1)


def joined(first: Affine, second: Affine) -> Affine:
    """One after the other."""
    return first[0] * second[0], first[1] * second[0] + second[1]
