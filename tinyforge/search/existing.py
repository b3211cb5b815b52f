"""An existing network read back as blocks of a search space.

Read are stems, inverted residuals (with squeeze-and-excite), depthwise separable convolutions, ResNet's basic blocks,
plain convolutions, pooling before a block, one last 1x1 convolution, the mean over all positions and one dense layer.
What comes close to these is read as one of them and noted, everything else is refused by name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
from tinyforge.ops.max_pool2d import MaxPool2D
from tinyforge.ops.mean import Mean
from tinyforge.ops.mul import Mul
from tinyforge.ops.reshape import Reshape
from tinyforge.ops.sub import Sub
from tinyforge.search.affine import IDENTITY, Affine, affine_of, joined
from tinyforge.search.dataset import Floats
from tinyforge.search.reading import Reader, Sides

MOST_EXPANSION = 12
_ACTIVE = (Activation.RELU, Activation.RELU6)
_ENDS = ("softmax", "log_softmax", "logistic", "reshape")


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One block as it was read. nodes: its operators with weights in the order of ``architecture``'s layers, None for a
    shortcut (or a depthwise convolution of one tap) without weights. skip: whether its input is added. expand: rounded
    up. pool: kind of the pooling before it, whose stride is ``stride``; empty for none. output: name of its tensor."""

    kind: str
    width: int
    stride: int
    kernel: int
    nodes: tuple[Node | None, ...]
    output: str
    expand: int = 1
    squeeze: bool = False
    skip: bool = False
    pool: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Existing:
    """A network that was read. input_shape: (rows, columns, channels). turned: its rows are the columns of its
    operators. scale, offset: its stem takes the input times ``scale`` plus ``offset``, one number or one a channel.
    classifier: None where it does not fit a space. taken: output of an operator -> what its input is multiplied with
    first, and what is added then. notes: in what the space's networks differ."""

    graph: Graph
    input_shape: tuple[int, int, int]
    dims: int
    turned: bool
    scale: Floats
    offset: Floats
    stem: Node
    stem_kernel: Sides
    stem_stride: Sides
    blocks: tuple[Block, ...]
    head: Node | None
    classifier: Node | None
    taken: Mapping[str, Affine]
    notes: tuple[str, ...]


def read_existing(graph: Graph, where: str) -> Existing:
    """Read ``graph`` (int8, after the passes). Raises UnsupportedModel, naming the operator that no space has."""
    reader = Reader(graph, where)
    scale, offset = _entrance(reader)
    rows, cols = reader.map(reader.at)
    channels = reader.channels(reader.at)
    stem = reader.only(reader.at)
    if stem is None or not _is_stem(reader, stem):
        raise reader.refuse(stem, "a network begins with a convolution")
    kernel, stride = reader.first(stem)
    reader.active(stem)
    reader.at = stem.outputs[0]
    taken: dict[str, Affine] = {}
    blocks, head, rest = _blocks(reader, taken)
    if not blocks:
        raise reader.refuse(stem, "there is no block after it")
    if any(stage[0].kind == "mbconv" and stage[0].skip for stage in grouped(blocks)):
        reader.notes.append("the first inverted residual of a stage has no sum")
    classifier = _classifier(reader, head)
    if classifier is not None and classifier is not head:
        _take(reader, taken, classifier, rest)
    if head is not None and head is not classifier:
        reader.active(head)
    return Existing(
        graph=graph,
        input_shape=(rows, cols, channels),
        dims=reader.dims,
        turned=reader.turned,
        scale=scale,
        offset=offset,
        stem=stem,
        stem_kernel=kernel,
        stem_stride=stride,
        blocks=tuple(blocks),
        head=None if head is classifier else head,
        classifier=classifier,
        taken=taken,
        notes=tuple(dict.fromkeys(reader.notes)),
    )


def _entrance(reader: Reader) -> Affine:
    """Goes on to the first convolution's input; what the network's input is multiplied with, and what is added then
    (Keras's ``Rescaling`` and ``Normalization``)."""
    if len(reader.graph.inputs) != 1:
        raise UnsupportedModel(f"{reader.where}: {len(reader.graph.inputs)} inputs; a space has one")
    found = affine_of(reader, (Reshape, Mul, Add, Sub))
    shape = reader.graph.tensors[reader.at].shape
    if len(shape) != 4:
        raise UnsupportedModel(f"{reader.where}: a network with one input of rows, columns and channels is needed")
    reader.turned = shape[1] == 1 and shape[2] > 1
    reader.dims = 1 if 1 in shape[1:3] else 2
    return found


def _is_stem(reader: Reader, node: Node) -> bool:
    """A convolution; of one channel it may be written as a depthwise one."""
    return isinstance(node.op, Conv2D) or (isinstance(node.op, DepthwiseConv2D) and reader.channels(reader.at) == 1)


def _blocks(reader: Reader, taken: dict[str, Affine]) -> tuple[list[Block], Node | None, Affine]:
    """All blocks, the last 1x1 convolution where the mean over all positions follows it, and what is normalised before
    that mean; ``reader`` is at its input. What is normalised before other operators is in ``taken`` then."""
    blocks: list[Block] = []
    while True:
        affine = affine_of(reader)
        if _ends(reader):
            break
        pool = _pooling(reader)
        affine = joined(affine, affine_of(reader)) if pool else affine
        if _ends(reader):
            reader.notes.append("pooling after the last block is left out")
            break
        node = next(iter(reader.readers(reader.at)), None)
        if not pool and reader.pointwise(node) and node is not None and _pooled(reader, node.outputs[0]):
            _take(reader, taken, node, affine)
            reader.at = node.outputs[0]
            return blocks, node, IDENTITY
        block = _block(reader)
        if pool and block.stride > 1:
            raise reader.refuse(node, "a stride after a pooling; a stage of a space has one of them")
        if block.skip or block.kind == "residual":
            _take(reader, taken, None, affine)
        _take(reader, taken, block.nodes[0], affine)
        blocks.append(replace(block, pool=pool[0], stride=pool[1]) if pool else block)
    return blocks, None, affine


def _take(reader: Reader, taken: dict[str, Affine], node: Node | None, affine: Affine) -> None:
    """``node`` takes its input normalised. Refused for None where that makes a difference."""
    if (affine[0] == 1).all() and not affine[1].any():
        return
    if node is None:
        raise reader.refuse(node, "normalisation of what is added to a block's output")
    reader.notes.append("normalisation after an activation goes into the next convolution")
    taken[node.outputs[0]] = affine


def _pooling(reader: Reader) -> tuple[str, int] | None:
    """Kind and stride of a pooling that follows, after which ``reader`` is then."""
    node = reader.only(reader.at)
    if node is None or not isinstance(node.op, MaxPool2D | AveragePool2D):
        return None
    stride = reader.pool(node)
    reader.at = node.outputs[0]
    return ("max" if isinstance(node.op, MaxPool2D) else "average"), stride


def _pooled(reader: Reader, tensor: str) -> bool:
    """Whether all that reads the tensor is a mean over all its positions."""
    node = reader.only(tensor)
    if node is not None and isinstance(node.op, Reshape) and reader.turned:
        tensor = node.outputs[0]
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
    return isinstance(node.op, AveragePool2D) and node.op.size == reader.graph.tensors[tensor].shape[1:3]


def _ends(reader: Reader) -> bool:
    """Whether no block comes any more: a mean over all positions follows, or the map is taken as a vector."""
    node = reader.only(reader.at)
    flat = node is not None and (
        isinstance(node.op, FullyConnected)
        or (isinstance(node.op, Reshape) and len(reader.graph.tensors[node.outputs[0]].shape) == 2)
    )
    return flat or _pooled(reader, reader.at)


def _classifier(reader: Reader, head: Node | None) -> Node | None:
    """The dense layer after the mean, or the 1x1 convolution before it; None where a dense layer after a mean has to
    take the place of what there is."""
    width = reader.channels(reader.at)
    node = reader.only(reader.at)
    while node is not None and isinstance(node.op, Mean | AveragePool2D | Reshape):
        reader.at = node.outputs[0]
        node = reader.only(reader.at)
    if head is not None and (node is None or node.op.kind in _ENDS):
        if _activated(head):
            reader.notes.append("the activation of the class scores is left out")
        return head
    dense: list[Node] = []
    while node is not None and (isinstance(node.op, FullyConnected | Reshape) or reader.pointwise(node)):
        dense += [] if isinstance(node.op, Reshape) else [node]
        reader.at = node.outputs[0]
        node = reader.only(reader.at)
    if not dense:
        raise reader.refuse(node, "one dense layer is needed after the mean over all positions")
    if node is not None and node.op.kind not in _ENDS:
        raise reader.refuse(node, "dense layers are the last of a space")
    taken = reader.graph.tensors[dense[0].inputs[1]].shape[-1]
    if len(dense) == 1 and taken == width:
        return dense[0]
    reader.notes.append("the dense layers become a mean over all positions and one dense layer, fitted anew")
    return None


def _block(reader: Reader) -> Block:
    """The block that begins at the current tensor."""
    found = reader.readers(reader.at)
    convolutions = [n for n in found if isinstance(n.op, Conv2D | DepthwiseConv2D)]
    if not convolutions:
        raise reader.refuse(next(iter(found), None), "no block of a search space has it here")
    # A shortcut's convolution may come before the two that it is added to.
    node = next((n for n in convolutions if _leads_on(reader, n)), convolutions[0])
    if isinstance(node.op, DepthwiseConv2D):
        return _inverted(reader, None, node)
    following = reader.only(node.outputs[0])
    if reader.pointwise(node) and following is not None and isinstance(following.op, DepthwiseConv2D):
        if not _gets_activated(reader, following):
            reader.active(node)
            return _inverted(reader, node, following)
    elif following is not None and isinstance(following.op, Conv2D):
        total = reader.only(following.outputs[0])
        if total is not None and isinstance(total.op, Add):
            return _residual(reader, node, following, total)
    return _plain(reader, node, found)


def _leads_on(reader: Reader, node: Node) -> bool:
    following = reader.only(node.outputs[0])
    return following is not None and isinstance(following.op, Conv2D | DepthwiseConv2D)


def _gets_activated(reader: Reader, spatial: Node) -> bool:
    """Whether a depthwise separable convolution begins here, not the middle of an inverted residual."""
    project = reader.only(spatial.outputs[0])
    return project is not None and reader.pointwise(project) and _activated(project)


def _activated(node: Node) -> bool:
    return node.op.activation is not Activation.NONE  # type: ignore[attr-defined]


def _plain(reader: Reader, node: Node, found: Sequence[Node]) -> Block:
    """One convolution; without an activation a projection as of an inverted residual, whose depthwise convolution
    leaves what is positive as it is."""
    if len(found) > 1:
        raise reader.refuse(node, "what it reads is read elsewhere too, as no block of a space has it")
    assert isinstance(node.op, Conv2D)
    kernel, stride, before = reader.side(node), reader.step(node), reader.makers[reader.at].op
    linear = node.op.activation is Activation.NONE
    if linear and reader.pointwise(node) and stride == 1 and getattr(before, "activation", None) in _ACTIVE:
        reader.at = node.outputs[0]
        return Block("mbconv", reader.width(node), 1, 1, (None, node), reader.at)
    reader.active(node)
    reader.at = node.outputs[0]
    return Block("conv", reader.width(node), stride, kernel, (node,), reader.at)


def _inverted(reader: Reader, expand: Node | None, spatial: Node) -> Block:
    """Depthwise convolution, perhaps squeeze-and-excite, projection; a sum where the input comes again."""
    op, start = spatial.op, reader.at
    assert isinstance(op, DepthwiseConv2D)
    if op.multiplier != 1:
        raise reader.refuse(spatial, f"depth multiplier {op.multiplier}, and a space has 1")
    kernel = reader.side(spatial)
    gates, after = _squeeze(reader, spatial.outputs[0])
    project = reader.only(after)
    if project is None or not reader.pointwise(project):
        raise reader.refuse(project, "a 1x1 convolution is needed after a depthwise one")
    if op.activation is Activation.NONE and not gates and _activated(project):
        reader.notes.append("depthwise convolutions without an activation get a ReLU6")
    else:
        reader.active(spatial)
    taken = reader.graph.tensors[start].shape[-1]
    factor = -(-reader.width(spatial) // taken)
    if factor > MOST_EXPANSION:
        raise reader.refuse(expand, f"expansion {factor}, and a space has at most {MOST_EXPANSION}")
    nodes: list[Node | None] = [*([expand] if expand is not None else []), spatial, *gates, project]
    reader.at, width, stride = project.outputs[0], reader.width(project), reader.step(spatial)
    block = Block("mbconv", width, stride, kernel, tuple(nodes), reader.at, factor, bool(gates))
    if expand is not None and reader.width(spatial) == taken:
        raise reader.refuse(expand, "an expansion to as many channels as there are, which a space leaves out")
    if _activated(project):
        reader.active(project)
        return replace(block, kind="dsconv")
    total = reader.only(reader.at)
    if total is not None and isinstance(total.op, Add) and start in total.inputs:
        reader.inactive(total, "an activation after the sum of an inverted residual")
        reader.at = total.outputs[0]
        return replace(block, skip=True, output=reader.at)
    return block


def _squeeze(reader: Reader, tensor: str) -> tuple[list[Node], str]:
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


def _residual(reader: Reader, first: Node, second: Node, total: Node) -> Block:
    """Two convolutions and a shortcut."""
    start = reader.at
    other = next(name for name in total.inputs if name != second.outputs[0])
    shortcut = reader.makers.get(other) if other != start else None
    if shortcut is not None and not (reader.pointwise(shortcut) and shortcut.inputs[0] == start):
        raise reader.refuse(shortcut, "a shortcut is the input or a 1x1 convolution of it")
    kernel = reader.side(first)
    if reader.side(second) != kernel or reader.step(second) != 1:
        raise reader.refuse(second, "kernels of one block differ, or its second has a stride")
    reader.active(first)
    reader.inactive(second, "an activation before the sum of a block")
    reader.active(total)
    reader.at = total.outputs[0]
    nodes = (first, second, shortcut)
    return Block("residual", reader.width(second), reader.step(first), kernel, nodes, reader.at, skip=shortcut is None)


def grouped(blocks: Sequence[Block]) -> list[list[Block]]:
    """Stages: blocks of one kind and width, the first with the stride.

    A space adds the input in every inverted residual but the first of a stage, and in every ResNet block.
    """
    stages: list[list[Block]] = []
    for block in blocks:
        last = stages[-1][-1] if stages else None
        alike = last is not None and (last.kind, last.width) == (block.kind, block.width) and block.stride == 1
        if alike and (block.skip or block.kind in ("dsconv", "conv")):
            stages[-1].append(block)
        else:
            stages.append([block])
    return stages
