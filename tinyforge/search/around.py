"""The search space around an existing network, and the weights it starts from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TypeGuard

import numpy as np

from tinyforge.errors import UnsupportedModel, UsageError
from tinyforge.ir.graph import Node
from tinyforge.ir.types import Array
from tinyforge.ops.base import Activation
from tinyforge.ops.depthwise_conv2d import DepthwiseConv2D
from tinyforge.search.affine import IDENTITY, Affine
from tinyforge.search.architecture import Architecture, Layer, all_layers, architecture
from tinyforge.search.channel_order import Groups, channel_groups, is_depthwise
from tinyforge.search.dataset import Floats
from tinyforge.search.existing import Block, Existing, grouped
from tinyforge.search.space import Candidate, SearchSpace, StageSpace, StemSpace, make_candidate
from tinyforge.search.supernet import initial_weights

PARTS = (0.25, 0.5, 0.75, 1.0)
"""Of widths, and from a half on of resolutions."""
MOST_STAGES = 16


def space_around(found: Existing, name: str, data_shape: Sequence[int], kind: str) -> tuple[SearchSpace, Candidate]:
    """Networks with parts of the widths, depths, kernels, expansions and (for images) resolution of ``found``, and the
    point that it is itself. Raises UsageError for data of another form, UnsupportedModel for too deep a network."""
    stages = grouped(found.blocks)
    if len(stages) > MOST_STAGES:
        raise UnsupportedModel(f"{name}: {len(stages)} stages of blocks; a space has at most {MOST_STAGES}")
    resolutions = _resolutions(found, name, data_shape, kind)
    space = SearchSpace(
        name=f"around-{name}",
        title=f"networks around {name}",
        dims=found.dims,
        resolutions=resolutions,
        channels=(found.input_shape[2],),
        stem=StemSpace(found.stem_kernel, found.stem_stride, _parts(_width(found, found.stem))),
        stages=tuple(_stage(blocks) for blocks in stages),
        head=(0,) if found.head is None else _parts(_width(found, found.head)),
    )
    return space, _itself(space, stages)


def _width(found: Existing, node: Node) -> int:
    return found.graph.tensors[node.outputs[0]].shape[-1]


def _resolutions(found: Existing, name: str, data_shape: Sequence[int], kind: str) -> tuple[int, ...]:
    rows, cols, channels = data_shape
    own_rows, own_cols, own_channels = found.input_shape
    if abs(own_rows * cols - own_cols * rows) > max(rows, cols) or (kind == "signal" and own_rows != rows):
        raise UsageError(f"{name} takes {own_rows}x{own_cols}, the data has {rows}x{cols}; give data of the same form")
    if own_channels not in (channels, 1):
        raise UsageError(f"{name} takes {own_channels} channels, the data has {channels}")
    longest = max(own_rows, own_cols)
    if longest > max(rows, cols):
        raise UsageError(f"{name} takes samples of {own_rows}x{own_cols}, the data has only {rows}x{cols}")
    if kind != "image":
        return (longest,)
    return tuple(sorted({max(4, round(longest * part / 4) * 4) for part in PARTS[1:-1]} | {longest}))


def _parts(width: int) -> tuple[int, ...]:
    """Parts of a width, multiples of 4 where that is no coarser than the parts are."""
    step = 4 if width >= 16 else 1
    return tuple(sorted({max(step, round(width * part / step) * step) for part in PARTS[:-1]} | {width}))


def _stage(blocks: Sequence[Block]) -> StageSpace:
    kernel, expand = max(b.kernel for b in blocks), max(b.expand for b in blocks)
    kernels = tuple(k for k in (1, 3, 5, 7, 9, 11, 13, 15) if k <= kernel)
    first = blocks[0]
    expands: tuple[int, ...] = (1,)
    if first.kind == "mbconv":
        expands = tuple(sorted({e for e in (1, 2, 3, 4, 6) if e < expand} | {b.expand for b in blocks}))
    return StageSpace(
        block=first.kind,
        stride=first.stride,
        widths=_parts(first.width),
        depths=tuple(range(1, len(blocks) + 1)),
        kernels=kernels if first.kind != "residual" else (kernel,),
        expands=expands,
        squeeze=(0, 1) if any(b.squeeze for b in blocks) else (0,),
        pool=first.pool,
    )


def _itself(space: SearchSpace, stages: Sequence[Sequence[Block]]) -> Candidate:
    """The point of the space that is the network."""
    values = {gene.name: gene.choices[-1] for gene in space.genes}
    for i, blocks in enumerate(stages):
        for j, block in enumerate(blocks):
            values[f"stage{i}.{j}.kernel"], values[f"stage{i}.{j}.expand"] = block.kernel, block.expand
    return make_candidate(space, list(values.values()))


def starting_weights(
    found: Existing, space: SearchSpace, itself: Candidate, data_shape: tuple[int, int, int], classes: int, seed: int
) -> tuple[Architecture, dict[str, Array]]:
    """The network as an architecture, and weights by name for all of ``space`` with which it computes what it did.

    They are its own, dequantised, ``beta`` being its biases; what it does not have is drawn by ``seed`` and not read by
    what it has.
    """
    network = architecture(space, itself, data_shape, classes)
    arrays = initial_weights(all_layers(space, data_shape, classes), seed)
    pairs = list(_paired(found, network))
    for layer, node in pairs:
        _embed(arrays, found, layer, node)
    for (layer, node), (after, _) in pairwise(pairs):
        if _is_linear(node, layer):
            _lift(arrays, found, layer, node, after)
    groups = channel_groups(space)
    _scale(arrays, groups, {group: max(1.0, top / 6) for group, top in _tops(found, groups, pairs).items()})
    return network, arrays


def _tops(found: Existing, groups: Groups, pairs: Sequence[tuple[Layer, Node | None]]) -> dict[str, float]:
    """Group of channels -> the largest number that a ReLU of the network gives them, by its quantisation."""
    active = [
        (groups[layer.name][1], node.outputs[0])
        for layer, node in pairs
        if node is not None and layer.activation == "relu6" and groups[layer.name][1] and not _is_linear(node, layer)
    ]
    for i, blocks in enumerate(grouped(found.blocks)):
        active += [(f"stage{i}", block.output) for block in blocks if block.kind == "residual"]
    tops: dict[str, float] = {}
    for group, name in active:
        kind = found.graph.tensors[name].type
        tops[group] = max(tops.get(group, 0.0), kind.scale * (127 - kind.zero_point))
    return tops


def _is_linear(node: Node | None, layer: Layer) -> TypeGuard[Node]:
    """Whether a depthwise convolution has no activation in the network, but ReLU6 in the space."""
    return layer.kind == "depthwise" and node is not None and node.op.activation is Activation.NONE  # type: ignore[attr-defined]


def _lift(arrays: dict[str, Array], found: Existing, layer: Layer, node: Node, after: Layer) -> None:
    """Bring what a linear depthwise convolution makes, by its quantisation, into 0..6, where ReLU6 leaves it as it is;
    the 1x1 convolution ``after`` takes it back."""
    kind, width = found.graph.tensors[node.outputs[0]].type, layer.shape[2]
    lowest = kind.scale * (-128 - kind.zero_point)
    factor = np.float32(6 / (255 * kind.scale))
    kernel, beta = arrays[f"{layer.name}/kernel"], arrays[f"{layer.name}/beta"]
    arrays[f"{layer.name}/kernel"] = kernel * factor
    arrays[f"{layer.name}/beta"] = (beta - np.float32(lowest)) * factor
    taken = arrays[f"{after.name}/kernel"]
    arrays[f"{after.name}/beta"] = arrays[f"{after.name}/beta"] + np.float32(lowest) * taken[0, 0, :width].sum(0)
    arrays[f"{after.name}/kernel"] = taken / factor


def _scale(arrays: dict[str, Array], groups: Groups, factors: Mapping[str, float]) -> None:
    """Divide the channels of each group by its factor, and multiply what reads them: with a ReLU the network computes
    what it did, and with ReLU6 too where nothing is above 6 any more."""
    for name, (taken, made) in groups.items():
        key = f"{name}/kernel"
        if key not in arrays or name.endswith(".excite"):
            continue  # a gate is a factor itself
        over = np.float32(factors.get(made, 1.0))
        if not is_depthwise(arrays[key], taken, made):
            arrays[key] = arrays[key] * (np.float32(factors.get(taken, 1.0)) / over)
        for part in ("beta", "bias"):
            if f"{name}/{part}" in arrays:
                arrays[f"{name}/{part}"] = arrays[f"{name}/{part}"] / over


def keeps_classifier(found: Existing, classes: int) -> bool:
    """Whether the network's own classifier can be that of ``classes``."""
    return found.classifier is not None and _width(found, found.classifier) == classes


def _paired(found: Existing, network: Architecture) -> Iterator[tuple[Layer, Node | None]]:
    """Layers with weights, each with the operator it was read from; None where it had none (see ``_embed``).

    A stage's first ResNet block has a shortcut convolution in a space, the others none.
    """
    nodes: list[Node | None] = [found.stem]
    for blocks in grouped(found.blocks):
        for j, block in enumerate(blocks):
            nodes += block.nodes[:2] if block.kind == "residual" and j > 0 else block.nodes
    nodes += [found.head] if found.head is not None else []
    nodes.append(found.classifier if keeps_classifier(found, network.layers[-1].shape[2]) else None)
    weighted = [layer for layer in network.layers if network.weight_shape(layer)]
    return zip(weighted, nodes, strict=True)


def _embed(arrays: dict[str, Array], found: Existing, layer: Layer, node: Node | None) -> None:
    """Put an operator's weights into the middle taps and the leading channels of its layer's. Without an operator a
    convolution leaves its input as it is, and a classifier stays as it was drawn."""
    key = f"{layer.name}/kernel"
    target = arrays[key]
    if node is None:
        if layer.kind != "dense":
            made = np.zeros_like(target)
            _middle(made, np.zeros((1, 1, 0, 0)))[...] = 1 if layer.kind == "depthwise" else np.eye(*target.shape[2:])
            arrays[key] = made
        return
    kernel, bias = _weights(found, node)
    if kernel.ndim > target.ndim:
        kernel = kernel[0, 0]  # a classifier written as a 1x1 convolution
    offset = "beta" if layer.normalised else "bias"
    made, shift = target.copy(), arrays[f"{layer.name}/{offset}"].copy()
    if layer.kind == "depthwise":
        made[:, :, : kernel.shape[2]] = 0
        _middle(made, kernel)[:, :, : kernel.shape[2]] = kernel
        shift[: kernel.shape[2]] = bias
    else:
        made[..., : kernel.shape[-1]] = 0
        _middle(made, kernel)[..., : kernel.shape[-2], : kernel.shape[-1]] = kernel
        shift[: kernel.shape[-1]] = bias
    arrays[key], arrays[f"{layer.name}/{offset}"] = made, shift


def _middle(whole: Array, kernel: Array) -> Array:
    """The taps of ``whole`` that ``kernel`` takes, as a view."""
    if kernel.ndim == 2:
        return whole
    top, left = (whole.shape[0] - kernel.shape[0]) // 2, (whole.shape[1] - kernel.shape[1]) // 2
    return whole[top : top + kernel.shape[0], left : left + kernel.shape[1]]


def _weights(found: Existing, node: Node) -> tuple[Array, Array]:
    """Kernel in Keras's layout and bias, float32."""
    tensor = found.graph.tensors[node.inputs[1]]
    quant = tensor.type.quant
    assert quant is not None
    scale = np.asarray(quant.scale, np.float32)
    depthwise = isinstance(node.op, DepthwiseConv2D)
    along = scale if depthwise else scale.reshape(-1, *[1] * (len(tensor.shape) - 1)) if len(scale) > 1 else scale
    kernel = tensor.array().astype(np.float32) * along
    if depthwise:
        # A stem's, of one channel, is as good as a convolution's.
        kernel = kernel.transpose((1, 2, 0, 3) if node is found.stem else (1, 2, 3, 0))
    else:
        kernel = kernel.transpose(1, 2, 3, 0) if kernel.ndim == 4 else kernel.T
    if found.turned and kernel.ndim == 4:
        kernel = kernel.swapaxes(0, 1)
    bias = np.zeros(_width(found, node), np.float32)
    if len(node.inputs) > 2 and node.inputs[2]:
        source = found.graph.tensors[node.inputs[0]].type.scale
        bias = found.graph.tensors[node.inputs[2]].array().astype(np.float32) * scale * np.float32(source)
    return _normalised(np.asarray(kernel, np.float32), bias, found.taken.get(node.outputs[0], IDENTITY), depthwise)


def _normalised(kernel: Floats, bias: Array, affine: Affine, depthwise: bool) -> tuple[Array, Array]:
    """Kernel and bias that take their input as it was before it was normalised; exact but where padding is."""
    factor, shift = (np.broadcast_to(part, kernel.shape[-2])[:, None] for part in affine)
    moved = (kernel * shift).sum(tuple(axis for axis in range(kernel.ndim) if axis != kernel.ndim - 1 - depthwise))
    return kernel * factor, bias + moved
