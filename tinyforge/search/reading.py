"""How an existing network is walked through: what reads a tensor, kernels and strides as a space has them, and the
refusals of what no space has."""

from __future__ import annotations

from tinyforge.errors import UnsupportedModel
from tinyforge.ir.graph import Graph, Node
from tinyforge.ops.base import Activation
from tinyforge.ops.conv2d import Conv2D
from tinyforge.ops.depthwise_conv2d import DepthwiseConv2D
from tinyforge.ops.lookup import Lookup
from tinyforge.ops.pool2d import Pool2D

Sides = tuple[int, int]
_MOST_SIDE, _MOST_STRIDE = 15, 4


class Reader:
    """Walks a graph from its input; ``at`` is the tensor it has come to.

    turned: rows and columns are exchanged, for a signal's steps are the columns of what Keras makes of its layers.
    """

    def __init__(self, graph: Graph, where: str) -> None:
        self.graph, self.where = graph, where
        self.at = graph.inputs[0]
        self.makers = {name: node for node in graph.nodes for name in node.outputs}
        self.notes: list[str] = []
        self.dims, self.turned = 2, False

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

    def sides(self, pair: Sides) -> Sides:
        """Rows and columns of the network as a space has it."""
        return (pair[1], pair[0]) if self.turned else pair

    def map(self, tensor: str) -> Sides:
        """Rows and columns of a tensor."""
        rows, cols, _ = self.graph.tensors[tensor].type.hwc
        return self.sides((rows, cols))

    def channels(self, tensor: str) -> int:
        return self.graph.tensors[tensor].shape[-1]

    def kernel(self, node: Node) -> Sides:
        """Of a convolution."""
        rows, cols = self.graph.tensors[node.inputs[1]].shape[1:3]
        return self.sides((rows, cols))

    def stride(self, node: Node) -> Sides:
        """Of a convolution or a pooling."""
        stride: Sides = node.op.stride  # type: ignore[attr-defined]
        return self.sides(stride)

    def width(self, node: Node) -> int:
        return self.channels(node.outputs[0])

    def pointwise(self, node: Node | None) -> bool:
        return node is not None and isinstance(node.op, Conv2D) and self.kernel(node) == (1, 1)

    def side(self, node: Node) -> int:
        """The side of a block's square kernel, or the rows of one for signals. Refuses what no block has."""
        rows, cols = self.kernel(node)
        if (rows != cols if self.dims == 2 else cols != 1) or rows % 2 == 0 or rows > _MOST_SIDE:
            raise self.refuse(
                node, f"a kernel of {rows}x{cols}, and blocks of a space have square odd ones up to {_MOST_SIDE}"
            )
        self.step(node)
        self.padded(node)
        return rows

    def step(self, node: Node) -> int:
        """The stride of a block's convolution or of a pooling, for rows and columns alike."""
        rows, cols = self.stride(node)
        if (rows != cols and self.dims == 2) or rows > _MOST_STRIDE:
            raise self.refuse(node, f"stride {rows}x{cols}, and a space has equal ones up to {_MOST_STRIDE}")
        return rows

    def first(self, node: Node) -> tuple[Sides, Sides]:
        """Kernel and stride of the first convolution, which need not be square."""
        kernel, stride = self.kernel(node), self.stride(node)
        if max(kernel) > _MOST_SIDE or max(stride) > _MOST_STRIDE:
            raise self.refuse(
                node,
                f"a kernel of {kernel[0]}x{kernel[1]} and stride {stride[0]}x{stride[1]}; a space has up to "
                f"{_MOST_SIDE} and {_MOST_STRIDE}",
            )
        self.padded(node)
        return kernel, stride

    def padded(self, node: Node) -> None:
        """Notes padding that is not a space's (TensorFlow's SAME), refuses dilation."""
        op = node.op
        assert isinstance(op, Conv2D | DepthwiseConv2D)
        if op.dilation != (1, 1):
            raise self.refuse(node, f"dilation {op.dilation}, which a space does not have")
        top, bottom, left, right = op.padding
        ends = [(top, bottom), (left, right)]
        before, after = self.map(node.inputs[0]), self.map(node.outputs[0])
        kernel, stride = self.kernel(node), self.stride(node)
        for axis, pads in enumerate(reversed(ends) if self.turned else ends):
            made = -(-before[axis] // stride[axis])
            total = max((made - 1) * stride[axis] + kernel[axis] - before[axis], 0)
            if pads == (total // 2, total - total // 2):
                continue
            if after[axis] > made:
                raise self.refuse(node, f"padding {op.padding}, and a space keeps a map's size at most")
            smaller = after[axis] < made
            self.notes.append("convolutions are padded" if smaller else "padding becomes TensorFlow's SAME")

    def pool(self, node: Node) -> int:
        """The side of the windows that a pooling becomes."""
        op = node.op
        assert isinstance(op, Pool2D)
        self.inactive(node, "an activation after a pooling")
        stride, size = self.step(node), self.sides(op.size)
        if stride == 1:
            raise self.refuse(node, "pooling without a stride, which a space does not have")
        if size[0] != stride or (self.dims == 2 and size[1] != stride) or any(op.padding):
            self.notes.append(f"pooling of {size[0]}x{size[1]} becomes one of windows of its stride, {stride}")
        return stride

    def active(self, node: Node) -> None:
        """Notes a ReLU, refuses a layer without any."""
        activation = node.op.activation  # type: ignore[attr-defined]
        if activation is Activation.RELU:
            self.notes.append("ReLU becomes ReLU6")
        elif activation is not Activation.RELU6:
            following = self.only(node.outputs[0])
            name = following.op.kind if following is not None and isinstance(following.op, Lookup) else activation.value
            raise self.refuse(node, f"activation {name} where the space has ReLU6")

    def inactive(self, node: Node, why: str) -> None:
        """Refuses an activation where the space has none."""
        if node.op.activation is not Activation.NONE:  # type: ignore[attr-defined]
            raise self.refuse(node, why)
