"""From a candidate to its layers: the one list that the Keras model, the light graph and the weights go by."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tinyforge.search.space import (
    CHANNELS,
    HEAD,
    RESOLUTION,
    STEM,
    Candidate,
    SearchSpace,
    StageSpace,
    extreme,
    gene_values,
    make_candidate,
)

Sides = tuple[int, int]
"""Rows and columns."""
ONE: Sides = (1, 1)
SQUEEZE = 4
"""Channels of a squeeze-and-excite over those of its hidden layer."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One operator of a network.

    kind: ``conv``, ``depthwise``, ``max``, ``average`` (pooling), ``add``, ``mul``, ``mean`` (spatial, keeps rank),
    ``dense``. inputs: names of layers, ``input`` being the network's. kernel and stride as (rows, columns), padding is
    SAME; pooling has none (VALID). shape: of the output, (rows, columns, channels). activation: ``relu6``, ``sigmoid``
    or empty. normalised: whether batch normalisation follows.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    shape: tuple[int, int, int]
    kernel: Sides = ONE
    stride: Sides = ONE
    activation: str = ""
    normalised: bool = True


@dataclass(frozen=True, slots=True)
class Architecture:
    """Layers in order; the last gives the logits. input_shape: (rows, columns, channels)."""

    input_shape: tuple[int, int, int]
    layers: tuple[Layer, ...]

    def shape_of(self, name: str) -> tuple[int, int, int]:
        """Output shape of the layer ``name``, or of the input."""
        return next((layer.shape for layer in self.layers if layer.name == name), self.input_shape)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all layers with weights."""
        positions = {layer.name: layer.shape[0] * layer.shape[1] for layer in self.layers}
        return sum(
            positions[layer.name] * math.prod(self.weight_shape(layer))
            for layer in self.layers
            if self.weight_shape(layer)
        )

    def weight_shape(self, layer: Layer) -> tuple[int, ...]:
        """Keras's layout: HWIO of a convolution, HWC1 of a depthwise one, (in, out) of a dense layer; empty else."""
        made, taken = layer.shape[2], self.shape_of(layer.inputs[0])[2]
        shapes = {"conv": (*layer.kernel, taken, made), "depthwise": (*layer.kernel, made, 1), "dense": (taken, made)}
        return shapes.get(layer.kind, ())


@dataclass
class _Builder:
    """Grows a network; ``last`` is the output so far."""

    input_shape: tuple[int, int, int]
    layers: list[Layer] = field(default_factory=list)
    last: str = "input"

    def shape(self, name: str) -> tuple[int, int, int]:
        return next((layer.shape for layer in self.layers if layer.name == name), self.input_shape)

    def conv(
        self, name: str, kind: str, width: int, kernel: Sides = ONE, stride: Sides = ONE, activation: str = "relu6"
    ) -> None:
        rows, cols, _ = self.shape(self.last)
        shape = (-(-rows // stride[0]), -(-cols // stride[1]), width)
        self.layers.append(Layer(name, kind, (self.last,), shape, kernel, stride, activation))
        self.last = name

    def pool(self, name: str, kind: str, size: Sides) -> None:
        """Windows that do not overlap, those that are not whole left out; of a smaller map the one that it is."""
        rows, cols, channels = self.shape(self.last)
        kernel = (min(rows, size[0]), min(cols, size[1]))
        shape = (max(1, rows // size[0]), max(1, cols // size[1]), channels)
        self.layers.append(Layer(name, kind, (self.last,), shape, kernel, size, normalised=False))
        self.last = name

    def add(self, name: str, shortcut: str, activation: str = "") -> None:
        shape = self.shape(self.last)
        self.layers.append(Layer(name, "add", (shortcut, self.last), shape, activation=activation, normalised=False))
        self.last = name

    def mean(self, name: str) -> None:
        shape = (1, 1, self.shape(self.last)[2])
        self.layers.append(Layer(name, "mean", (self.last,), shape, normalised=False))
        self.last = name

    def squeeze(self, name: str) -> None:
        """Squeeze-and-excite: channels scaled by what a small network makes of their means."""
        before = self.last
        rows, cols, width = self.shape(before)
        self.mean(f"{name}.mean")
        for part, channels, activation in (
            ("reduce", max(1, width // SQUEEZE), "relu6"),
            ("excite", width, "sigmoid"),
        ):
            layer = Layer(
                f"{name}.{part}", "conv", (self.last,), (1, 1, channels), activation=activation, normalised=False
            )
            self.layers.append(layer)
            self.last = layer.name
        self.layers.append(Layer(f"{name}.scale", "mul", (before, self.last), (rows, cols, width), normalised=False))
        self.last = f"{name}.scale"


def input_shape(space: SearchSpace, values: dict[str, int], data_shape: Sequence[int]) -> tuple[int, int, int]:
    """Rows, columns and channels of a candidate's input: the longer side is its resolution."""
    rows, cols, _ = data_shape
    side = values[RESOLUTION]
    longest = max(rows, cols)
    if space.dims == 1:
        return rows, cols, values[CHANNELS]
    return max(1, round(rows * side / longest)), max(1, round(cols * side / longest)), values[CHANNELS]


def block_kernel(kernel: int, stride: int) -> int:
    """A 1x1 kernel with a stride would leave input unread."""
    return max(kernel, 3) if stride > 1 else kernel


def classifier_name(head: int) -> str:
    """Networks without a head classify other features than those with one, so they have a classifier of their own."""
    return "classifier" if head else "direct_classifier"


def architecture(space: SearchSpace, candidate: Candidate, data_shape: Sequence[int], classes: int) -> Architecture:
    """The layers of ``candidate`` for samples of ``data_shape`` (rows, columns, channels)."""
    values = gene_values(space, candidate)
    shape = input_shape(space, values, data_shape)
    net = _Builder(shape)
    net.conv("stem", "conv", values[STEM], space.stem.kernel, space.stem.stride)
    for i, j in _blocks(space, values):
        _block(net, space, values, i, j)
    if values[HEAD]:
        net.conv("head", "conv", values[HEAD])
    net.mean("pool")
    net.layers.append(Layer(classifier_name(values[HEAD]), "dense", ("pool",), (1, 1, classes), normalised=False))
    return Architecture(shape, tuple(net.layers))


def _blocks(space: SearchSpace, values: dict[str, int]) -> Iterator[tuple[int, int]]:
    for i in range(len(space.stages)):
        for j in range(values[f"stage{i}.depth"]):
            yield i, j


def _block(net: _Builder, space: SearchSpace, values: dict[str, int], i: int, j: int) -> None:
    stage, name = space.stages[i], f"stage{i}.{j}"
    if stage.pool and j == 0:
        net.pool(f"stage{i}.pool", stage.pool, space.sides(stage.stride))
    kernel = space.sides(block_kernel(values[f"{name}.kernel"], stage.block_stride(j)))
    stride = space.sides(stage.block_stride(j))
    width = values[f"stage{i}.width"]
    if stage.block == "residual":
        _residual(net, name, width, kernel, stride)
    elif stage.block == "conv":
        net.conv(f"{name}.conv", "conv", width, kernel, stride)
    else:
        _inverted(net, stage, values, (i, j), kernel, stride)


def _inverted(
    net: _Builder, stage: StageSpace, values: dict[str, int], place: tuple[int, int], kernel: Sides, stride: Sides
) -> None:
    """mbconv and dsconv: the latter has no expansion, an activation at its end, and adds nothing."""
    i, j = place
    name, before = f"stage{i}.{j}", net.last
    taken = net.shape(before)[2]
    hidden = taken * values[f"{name}.expand"]
    # What works on unexpanded channels has weights of its own: in a supernet the two would spoil each other.
    spatial, prefix = ("spatial", "") if hidden != taken else ("direct", "direct_")
    if hidden != taken:
        net.conv(f"{name}.expand", "conv", hidden)
    net.conv(f"{name}.{spatial}", "depthwise", hidden, kernel, stride)
    if values[f"stage{i}.squeeze"]:
        net.squeeze(f"{name}.{prefix}squeeze")
    activation = "relu6" if stage.block == "dsconv" else ""
    net.conv(f"{name}.{prefix}project", "conv", values[f"stage{i}.width"], activation=activation)
    if stage.block == "mbconv" and j > 0:
        net.add(f"{name}.add", before)


def _residual(net: _Builder, name: str, width: int, kernel: Sides, stride: Sides) -> None:
    """ResNet's basic block: the shortcut is a 1x1 convolution in the first block of a stage."""
    before = net.last
    net.conv(f"{name}.first", "conv", width, kernel, stride)
    net.conv(f"{name}.second", "conv", width, kernel, activation="")
    after = net.last
    shortcut = before
    if name.endswith(".0"):
        net.last = before
        net.conv(f"{name}.shortcut", "conv", width, stride=stride, activation="")
        shortcut = net.last
        net.last = after
    net.add(f"{name}.add", shortcut, "relu6")


def all_layers(space: SearchSpace, data_shape: Sequence[int], classes: int) -> dict[str, tuple[Layer, tuple[int, ...]]]:
    """Every layer that any candidate has, at its largest, with the shape of its weights (empty where it has none)."""
    found: dict[str, tuple[Layer, tuple[int, ...]]] = {}
    largest = gene_values(space, extreme(space, -1))
    least = {
        name: min(gene.choices) if name == HEAD or name.endswith(".expand") else largest[name]
        for name, gene in ((gene.name, gene) for gene in space.genes)
    }
    for values in (largest, least):
        network = architecture(space, make_candidate(space, list(values.values())), data_shape, classes)
        for layer in network.layers:
            found.setdefault(layer.name, (layer, network.weight_shape(layer)))
    return found
