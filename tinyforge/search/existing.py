"""An existing network read back as blocks of a search space.

Read are stems, inverted residuals (with squeeze-and-excite), depthwise separable convolutions, ResNet's basic blocks,
one last 1x1 convolution, the mean over all positions and one dense layer. Everything else is refused by name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tinyforge.errors import UnsupportedModel
from tinyforge.ir.graph import Graph, Node
from tinyforge.ops.add import Add
from tinyforge.ops.average_pool2d import AveragePool2D
from tinyforge.ops.base import Activation
from tinyforge.ops.conv2d import Conv2D
from tinyforge.ops.depthwise_conv2d import DepthwiseConv2D
from tinyforge.ops.fully_connected import FullyConnected
from tinyforge.ops.logistic import Logistic
from tinyforge.ops.mean import Mean
from tinyforge.ops.mul import Mul
from tinyforge.ops.reshape import Reshape

MOST_EXPANSION = 12


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One block as it was read. nodes: its operators with weights in the order of ``architecture``'s layers, None for a
    shortcut without weights. skip: whether its input is added. expand: rounded up."""

    kind: str
    width: int
    stride: int
    kernel: int
    nodes: tuple[Node | None, ...]
    expand: int = 1
    squeeze: bool = False
    skip: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Existing:
    """A network that was read. input_shape: (rows, columns, channels). notes: in what the space's networks differ."""

    graph: Graph
    input_shape: tuple[int, int, int]
    dims: int
    stem: Node
    blocks: tuple[Block, ...]
    head: Node | None
    classifier: Node
    notes: tuple[str, ...]


class _Reader:
    """Walks a graph from its input."""

    def __init__(self, graph: Graph, where: str) -> None:
        self.graph, self.where = graph, where
        self.at = graph.inputs[0]
        self.makers = {name: node for node in graph.nodes for name in node.outputs}
        self.notes: list[str] = []

    def readers(self, tensor: str) -> list[Node]:
        """Nodes that read the tensor."""
        return [node for node in self.graph.nodes if tensor in node.inputs]

    def only(self, tensor: str) -> Node | None:
        """The one node that reads the tensor, None where there are several or none."""
        found = self.readers(tensor)
        return found[0] if len(found) == 1 else None

    def refuse(self, node: Node | None, why: str) -> UnsupportedModel:
        # Converters join the names of all that became one operator.
        name = f"{node.op.kind} {node.name.split(';')[0]}" if node is not None else f"what follows {self.at}"
        return UnsupportedModel(f"{self.where}: {name}: {why}; --from reads networks of the blocks in tinyforge zoo")

    def kernel(self, node: Node) -> tuple[int, int]:
        """Rows and columns of a convolution's kernel."""
        rows, cols = self.graph.tensors[node.inputs[1]].shape[1:3]
        return rows, cols

    def width(self, node: Node) -> int:
        return self.graph.tensors[node.outputs[0]].shape[-1]

    def pointwise(self, node: Node | None) -> bool:
        return node is not None and isinstance(node.op, Conv2D) and self.kernel(node) == (1, 1)

    def side(self, node: Node, dims: int) -> int:
        """The side of a square kernel, or the rows of one for signals. Refuses what no space has."""
        op = node.op
        assert isinstance(op, Conv2D | DepthwiseConv2D)
        rows, cols = self.kernel(node)
        if (rows != cols if dims == 2 else cols != 1) or rows % 2 == 0:
            raise self.refuse(node, f"a kernel of {rows}x{cols}, and a space has square odd ones")
        if op.dilation != (1, 1):
            raise self.refuse(node, f"dilation {op.dilation}, which a space does not have")
        if op.stride[0] != op.stride[1] and dims == 2:
            raise self.refuse(node, f"stride {op.stride}, and a space has equal ones")
        before, after = (self.graph.tensors[n].shape[1] for n in (node.inputs[0], node.outputs[0]))
        if after != -(-before // op.stride[0]):
            raise self.refuse(node, "it is not padded, and a space pads all convolutions")
        return rows

    def active(self, node: Node) -> None:
        """Notes a ReLU, refuses a layer without any."""
        activation = node.op.activation  # type: ignore[attr-defined]
        if activation is Activation.RELU:
            self.notes.append("ReLU becomes ReLU6")
        elif activation is not Activation.RELU6:
            raise self.refuse(node, f"activation {activation.value} where the space has ReLU6")


def read_existing(graph: Graph, where: str) -> Existing:
    """Read ``graph`` (int8, after the passes). Raises UnsupportedModel, naming the operator that no space has."""
    reader = _Reader(graph, where)
    shape = graph.tensors[reader.at].shape
    if len(graph.inputs) != 1 or len(shape) != 4:
        raise UnsupportedModel(f"{where}: a network with one input of rows, columns and channels is needed")
    dims = 1 if shape[2] == 1 else 2
    stem = reader.only(reader.at)
    if stem is None or not isinstance(stem.op, Conv2D):
        raise reader.refuse(stem, "a network begins with a convolution")
    reader.side(stem, dims)
    reader.active(stem)
    reader.at = stem.outputs[0]
    blocks: list[Block] = []
    while not _pools(reader):
        node = next(iter(reader.readers(reader.at)), None)
        if reader.pointwise(node) and node is not None and _pooled(reader, node.outputs[0]):
            break
        blocks.append(_block(reader, dims))
    head = None
    if not _pools(reader):
        head = reader.only(reader.at)
        assert head is not None
        reader.active(head)
        reader.at = head.outputs[0]
    if not blocks:
        raise reader.refuse(stem, "there is no block after it")
    rows, cols, channels = shape[1:]
    classifier = _classifier(reader)
    return Existing(
        graph, (rows, cols, channels), dims, stem, tuple(blocks), head, classifier, tuple(dict.fromkeys(reader.notes))
    )


def _pooled(reader: _Reader, tensor: str) -> bool:
    """Whether all that reads the tensor is a mean over all its positions."""
    node = reader.only(tensor)
    if node is None:
        return False
    if isinstance(node.op, Mean):
        # A mean may be taken of rows and columns one after the other.
        following = reader.only(node.outputs[0])
        both = set(node.op.reduce_axes) >= {1, 2}
        rest = reader.graph.tensors[node.outputs[0]].shape
        again = following is not None and isinstance(following.op, Mean)
        return both or again or math.prod(rest) == rest[-1]
    rows, cols = reader.graph.tensors[tensor].shape[1:3]
    return isinstance(node.op, AveragePool2D) and node.op.size == (rows, cols)


def _pools(reader: _Reader) -> bool:
    return _pooled(reader, reader.at)


def _classifier(reader: _Reader) -> Node:
    node = reader.only(reader.at)
    while node is not None and isinstance(node.op, Mean | AveragePool2D | Reshape):
        reader.at = node.outputs[0]
        node = reader.only(reader.at)
    if node is None or not (isinstance(node.op, FullyConnected) or reader.pointwise(node)):
        raise reader.refuse(node, "one dense layer is needed after the mean over all positions")
    for following in reader.readers(node.outputs[0]):
        if following.op.kind not in ("softmax", "log_softmax", "reshape", "logistic"):
            raise reader.refuse(following, "one dense layer is the last of a space")
    return node


def _block(reader: _Reader, dims: int) -> Block:
    """The block that begins at the current tensor."""
    node = next((n for n in reader.readers(reader.at) if isinstance(n.op, Conv2D | DepthwiseConv2D)), None)
    if node is None:
        raise reader.refuse(next(iter(reader.readers(reader.at)), None), "no block of a search space has it here")
    following = reader.only(node.outputs[0])
    if isinstance(node.op, DepthwiseConv2D):
        return _inverted(reader, None, node, dims)
    if reader.pointwise(node) and following is not None and isinstance(following.op, DepthwiseConv2D):
        reader.active(node)
        return _inverted(reader, node, following, dims)
    return _residual(reader, node, dims)


def _inverted(reader: _Reader, expand: Node | None, spatial: Node, dims: int) -> Block:
    """Depthwise convolution, perhaps squeeze-and-excite, projection; a sum where the input comes again."""
    op, start = spatial.op, reader.at
    assert isinstance(op, DepthwiseConv2D)
    if op.multiplier != 1:
        raise reader.refuse(spatial, f"depth multiplier {op.multiplier}, and a space has 1")
    kernel = reader.side(spatial, dims)
    reader.active(spatial)
    gates, after = _squeeze(reader, spatial.outputs[0])
    project = reader.only(after)
    if project is None or not reader.pointwise(project):
        raise reader.refuse(project, "a 1x1 convolution is needed after a depthwise one")
    taken = reader.graph.tensors[start].shape[-1]
    factor = -(-reader.width(spatial) // taken)
    if factor > MOST_EXPANSION:
        raise reader.refuse(expand, f"expansion {factor}, and a space has at most {MOST_EXPANSION}")
    nodes: list[Node | None] = [*([expand] if expand is not None else []), spatial, *gates, project]
    block = Block("mbconv", reader.width(project), op.stride[0], kernel, tuple(nodes), factor, bool(gates))
    reader.at = project.outputs[0]
    if expand is not None and reader.width(spatial) == taken:
        raise reader.refuse(expand, "an expansion to as many channels as there are, which a space leaves out")
    assert isinstance(project.op, Conv2D)
    if project.op.activation is not Activation.NONE:
        if expand is not None:
            raise reader.refuse(project, "an activation after the projection of an inverted residual")
        reader.active(project)
        return replace(block, kind="dsconv")
    total = reader.only(reader.at)
    if total is not None and isinstance(total.op, Add) and start in total.inputs:
        reader.at = total.outputs[0]
        return replace(block, skip=True)
    return block


def _squeeze(reader: _Reader, tensor: str) -> tuple[list[Node], str]:
    """The two layers of a squeeze-and-excite on ``tensor``, and the tensor after it; nothing where there is none."""
    found = reader.readers(tensor)
    scale = next((n for n in found if isinstance(n.op, Mul)), None)
    if scale is None:
        return [], tensor
    gate = next(name for name in scale.inputs if name != tensor)
    layers: list[Node] = []
    while gate != tensor:
        node = reader.makers.get(gate)
        if node is None or not (isinstance(node.op, Logistic | Mean | Reshape) or reader.pointwise(node)):
            raise reader.refuse(node, "not part of a squeeze-and-excite as a space has it")
        if isinstance(node.op, Conv2D):
            layers.insert(0, node)
        gate = node.inputs[0]
    if len(layers) != 2:
        raise reader.refuse(scale, f"a gate of {len(layers)} layers, and a space has two")
    return layers, scale.outputs[0]


def _residual(reader: _Reader, first: Node, dims: int) -> Block:
    """Two convolutions and a shortcut."""
    start, second = reader.at, reader.only(first.outputs[0])
    if second is None or not isinstance(second.op, Conv2D):
        raise reader.refuse(first, "a convolution that belongs to no block of a space")
    total = reader.only(second.outputs[0])
    if total is None or not isinstance(total.op, Add):
        raise reader.refuse(first, "two convolutions in a row without a shortcut are no block of a space")
    other = next(name for name in total.inputs if name != second.outputs[0])
    shortcut = reader.makers.get(other) if other != start else None
    if shortcut is not None and not (reader.pointwise(shortcut) and shortcut.inputs[0] == start):
        raise reader.refuse(shortcut, "a shortcut is the input or a 1x1 convolution of it")
    kernel = reader.side(first, dims)
    if reader.side(second, dims) != kernel:
        raise reader.refuse(second, "two kernels of one block differ")
    reader.active(first)
    reader.active(total)
    assert isinstance(first.op, Conv2D)
    reader.at = total.outputs[0]
    width = reader.width(second)
    return Block("residual", width, first.op.stride[0], kernel, (first, second, shortcut), skip=shortcut is None)


def grouped(blocks: Sequence[Block], dims: int) -> list[list[Block]]:
    """Stages: blocks of one kind and width, the first with the stride.

    A space adds the input in every inverted residual but the first of a stage, and in every ResNet block.
    """
    stages: list[list[Block]] = []
    for block in blocks:
        last = stages[-1][-1] if stages else None
        alike = last is not None and (last.kind, last.width) == (block.kind, block.width) and block.stride == 1
        if alike and (block.skip or block.kind == "dsconv"):
            stages[-1].append(block)
        else:
            stages.append([block])
    return stages
