"""One network that holds every candidate of a space: sub-networks are slices of its weights.

The candidate is an integer tensor (its gene values), slices have tensor-valued ends and absent parts are branches of
``tf.cond``, so one trace of ``tf.function`` serves all candidates. Kernels are centre slices of the largest kernel,
channels the leading ones. Batch normalisation uses the batch in training; a candidate that is evaluated gets its own
statistics from ``calibrate``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tinyforge.ir.types import Array
from tinyforge.search.architecture import (
    ONE,
    SQUEEZE,
    Architecture,
    Layer,
    Sides,
    all_layers,
    block_kernel,
    classifier_name,
)
from tinyforge.search.backend import tensorflow
from tinyforge.search.fake_quant import FakeQuant
from tinyforge.search.space import CHANNELS, HEAD, RESOLUTION, STEM, SearchSpace, StageSpace

EPSILON = 1e-3
"""Of batch normalisation, as in Keras."""


def initial_weights(layers: Mapping[str, tuple[Layer, tuple[int, ...]]], seed: int) -> dict[str, Array]:
    """He-normal kernels, gamma 1, beta 0, by name: ``stem/kernel``, ``stem/gamma``, ``classifier/bias`` ..."""
    rng = np.random.default_rng([seed, 23])
    made: dict[str, Array] = {}
    for layer, shape in layers.values():
        if not shape:
            continue
        taps = shape[0] * shape[1] * (1 if layer.kind == "depthwise" else shape[2]) if len(shape) == 4 else shape[0]
        made[f"{layer.name}/kernel"] = (rng.standard_normal(shape) * np.sqrt(2 / taps)).astype(np.float32)
        channels = layer.shape[2]
        if layer.normalised:
            made[f"{layer.name}/gamma"] = np.ones(channels, np.float32)
            made[f"{layer.name}/beta"] = np.zeros(channels, np.float32)
        else:
            made[f"{layer.name}/bias"] = np.zeros(channels, np.float32)
    return made


def slice_weights(weights: Mapping[str, Array], layer: Layer, shape: Sequence[int]) -> dict[str, Array]:
    """A sub-network's weights of one layer: ``shape`` is its kernel's in Keras's layout."""
    kernel = weights[f"{layer.name}/kernel"]
    if len(shape) == 4:
        top, left = (kernel.shape[0] - shape[0]) // 2, (kernel.shape[1] - shape[1]) // 2
        kernel = kernel[top : top + shape[0], left : left + shape[1]]
        kernel = kernel[:, :, : shape[2], : shape[3]]
    else:
        kernel = kernel[: shape[0], : shape[1]]
    names = ("gamma", "beta") if layer.normalised else ("bias",)
    return {"kernel": kernel, **{n: weights[f"{layer.name}/{n}"][: layer.shape[2]] for n in names}}


def candidate_weights(network: Architecture, weights: Mapping[str, Array]) -> dict[str, Array]:
    """A sub-network's slices of the supernet's ``weights``, by the same names: views, to read or to write."""
    found: dict[str, Array] = {}
    for layer in network.layers:
        shape = network.weight_shape(layer)
        if shape:
            parts = slice_weights(weights, layer, shape)
            found |= {f"{layer.name}/{part}": value for part, value in parts.items()}
    return found


@dataclass
class _Pass:
    """One forward pass: ``x`` (n, rows, columns, channels) so far."""

    x: Any
    code: Any
    mode: str


Part = Callable[[_Pass], Any]


class Supernet:
    """Weights of all candidates of ``space``, for samples of ``data_shape`` (rows, columns, channels)."""

    def __init__(self, space: SearchSpace, data_shape: tuple[int, int, int], classes: int, seed: int) -> None:
        self.tf = tensorflow()
        self.space, self.data_shape = space, data_shape
        self.layers = all_layers(space, data_shape, classes)
        start = initial_weights(self.layers, seed)
        self.variables = {name: self.tf.Variable(value) for name, value in start.items()}
        self.statistics = {
            layer.name: self.tf.Variable(self.tf.zeros((2, layer.shape[2])), trainable=False)
            for layer, _ in self.layers.values()
            if layer.normalised
        }
        self.genes = {gene.name: (i, gene.choices) for i, gene in enumerate(space.genes)}
        self.fake_quant: FakeQuant | None = None
        """Where it is set, what is traced from then on rounds as int8 does."""

    def make_fake_quant(self) -> FakeQuant:
        """Fresh ranges for every activation of this network."""
        return FakeQuant(["input", *(layer.name for layer, _ in self.layers.values())])

    def _rounded(self, run: _Pass, name: str) -> None:
        if self.fake_quant is not None:
            run.x = self.fake_quant.activations(run.x, name, run.mode == "train")

    def _kernel_of(self, weights: Any, axis: int = -1) -> Any:
        return weights if self.fake_quant is None else self.fake_quant.weights(weights, axis)

    def forward(self, images: Any, code: Any, mode: str) -> Any:
        """Logits (n, classes) of scaled float32 samples; ``code``: int32 values of the candidate's genes.

        mode: ``train`` normalises by the batch; ``calibrate`` also adds the batch's mean and variance to
        ``statistics``; ``evaluate`` normalises by ``statistics``.
        """
        run = _Pass(images, code, mode)
        self._input(run)
        self._rounded(run, "input")
        self._conv(run, "stem", self._gene(code, STEM), self.space.stem.kernel, self.space.stem.stride)
        for i, stage in enumerate(self.space.stages):
            self._pool(run, stage)
            for j in range(stage.most_blocks):
                run.x = self._when(run, f"stage{i}.depth", j, partial(self._block, i=i, j=j))
        classify, direct = (partial(self._classify, name=classifier_name(head)) for head in (1, 0))
        return self._when(run, HEAD, 0, lambda inner: classify(self._head(inner)), direct)

    def _gene(self, code: Any, name: str) -> Any:
        """The gene's value: a number where there is no choice, else a scalar tensor."""
        index, choices = self.genes[name]
        return choices[0] if len(choices) == 1 else code[index]

    def _when(self, run: _Pass, gene: str, above: int, part: Part, other: Part | None = None) -> Any:
        """What ``part`` makes of the pass where the gene's value is greater than ``above``, else what ``other`` does
        (None: x as it is)."""
        skip = other or (lambda unchanged: unchanged.x)
        _, choices = self.genes[gene]
        if choices[0] > above:
            return part(run)
        if choices[-1] <= above:
            return skip(run)
        fresh = partial(_Pass, run.x, run.code, run.mode)
        return self.tf.cond(self._gene(run.code, gene) > above, lambda: part(fresh()), lambda: skip(fresh()))

    def _input(self, run: _Pass) -> None:
        rows, cols, channels = self.data_shape
        if self.space.channels != (channels,):
            count = self._gene(run.code, CHANNELS)
            few = self.tf.tile(self.tf.reduce_mean(run.x, 3, keepdims=True), self.tf.stack([1, 1, 1, count]))
            whole = run.x
            run.x = self.tf.cond(self.tf.equal(count, channels), lambda: whole, lambda: few)
        if self.space.dims == 2 and self.space.resolutions != (max(rows, cols),):
            side = self.tf.cast(self._gene(run.code, RESOLUTION), self.tf.float64)
            sizes = [self.tf.round(size * side / max(rows, cols)) for size in (rows, cols)]
            run.x = self.tf.image.resize(run.x, self.tf.cast(self.tf.maximum(sizes, 1.0), self.tf.int32))

    def _head(self, run: _Pass) -> _Pass:
        self._conv(run, "head", self._gene(run.code, HEAD))
        return run

    def _pool(self, run: _Pass, stage: StageSpace) -> None:
        """As in ``architecture``: windows that are not whole are left out, and a smaller map is one window."""
        if not stage.pool:
            return
        size = self.space.sides(stage.stride)
        rows, cols = (self._whole(self.tf.shape(run.x)[1 + axis], side) for axis, side in enumerate(size))
        pooled = self.tf.nn.max_pool2d if stage.pool == "max" else self.tf.nn.avg_pool2d
        run.x = pooled(run.x[:, :rows, :cols], size, size, "SAME")

    def _whole(self, length: Any, side: int) -> Any:
        """The part of ``length`` that whole windows cover; all of it where it is shorter than one."""
        return self.tf.where(length < side, length, length - length % side)

    def _classify(self, run: _Pass, name: str) -> Any:
        features = self.tf.reduce_mean(run.x, (1, 2))
        kernel = self.variables[f"{name}/kernel"][: self.tf.shape(features)[1]]
        return self.tf.matmul(features, self._kernel_of(kernel)) + self.variables[f"{name}/bias"]

    def _block(self, run: _Pass, i: int, j: int) -> Any:
        stage, name = self.space.stages[i], f"stage{i}.{j}"
        stride, width = self.space.sides(stage.block_stride(j)), self._gene(run.code, f"stage{i}.width")
        kernel, before = self._kernel(run.code, name, stage.block_stride(j)), run.x
        if stage.block == "residual":
            return self._residual(run, name, width, kernel, stride)
        if stage.block == "conv":
            self._conv(run, f"{name}.conv", width, kernel, stride)
            return run.x
        expanded, direct = (partial(self._spatial, i=i, j=j, kernel=kernel, expanded=e) for e in (True, False))
        run.x = self._when(run, f"{name}.expand", 1, expanded, direct)
        if stage.block == "mbconv" and j > 0:
            run.x = before + run.x
            self._rounded(run, f"{name}.add")
        return run.x

    def _spatial(self, run: _Pass, i: int, j: int, kernel: Any, expanded: bool) -> Any:
        """Depthwise convolution and projection, with or without the expansion before."""
        stage, name = self.space.stages[i], f"stage{i}.{j}"
        if expanded:
            hidden = self.tf.shape(run.x)[3] * self._gene(run.code, f"{name}.expand")
            self._conv(run, f"{name}.expand", hidden)
        spatial, prefix = ("spatial", "") if expanded else ("direct", "direct_")
        self._depthwise(run, f"{name}.{spatial}", kernel, stage.block_stride(j))
        run.x = self._when(run, f"stage{i}.squeeze", 0, partial(self._squeeze, name=f"{name}.{prefix}squeeze"))
        activation = "relu6" if stage.block == "dsconv" else ""
        self._conv(run, f"{name}.{prefix}project", self._gene(run.code, f"stage{i}.width"), activation=activation)
        return run.x

    def _kernel(self, code: Any, name: str, stride: int) -> tuple[Any, Any]:
        """Rows and columns of a block's kernel."""
        value = self._gene(code, f"{name}.kernel")
        if isinstance(value, int):
            value = block_kernel(value, stride)
        elif stride > 1:
            value = self.tf.maximum(value, 3)
        return self.space.sides(value)

    def _residual(self, run: _Pass, name: str, width: Any, kernel: tuple[Any, Any], stride: Sides) -> Any:
        before = run.x
        self._conv(run, f"{name}.first", width, kernel, stride)
        self._conv(run, f"{name}.second", width, kernel, activation="")
        shortcut = _Pass(before, run.code, run.mode)
        if name.endswith(".0"):
            self._conv(shortcut, f"{name}.shortcut", width, stride=stride, activation="")
        run.x = self.tf.nn.relu6(shortcut.x + run.x)
        self._rounded(run, f"{name}.add")
        return run.x

    def _squeeze(self, run: _Pass, name: str) -> Any:
        """Squeeze-and-excite on ``run.x``; its layers have biases instead of normalisation."""
        width = self.tf.shape(run.x)[3]
        mean = self.tf.reduce_mean(run.x, (1, 2), keepdims=True)
        few = self.tf.nn.relu6(self._biased(mean, f"{name}.reduce", self.tf.maximum(1, width // SQUEEZE)))
        return run.x * self.tf.sigmoid(self._biased(few, f"{name}.excite", width))

    def _biased(self, x: Any, name: str, width: Any) -> Any:
        kernel = self.variables[f"{name}/kernel"][:, :, : self.tf.shape(x)[3], :width]
        return self.tf.nn.conv2d(x, kernel, 1, "SAME") + self.variables[f"{name}/bias"][:width]

    def _centre(self, name: str, kernel: tuple[Any, Any]) -> Any:
        """The weights of ``name`` with the centre of their taps, ``kernel`` being its rows and columns."""
        weights = self.variables[f"{name}/kernel"]
        top, left = ((weights.shape[axis] - side) // 2 for axis, side in enumerate(kernel))
        return weights[top : top + kernel[0], left : left + kernel[1]]

    def _conv(
        self,
        run: _Pass,
        name: str,
        width: Any,
        kernel: tuple[Any, Any] = ONE,
        stride: Sides = ONE,
        activation: str = "relu6",
    ) -> None:
        weights = self._centre(name, kernel)[:, :, : self.tf.shape(run.x)[3], :width]
        run.x = self.tf.nn.conv2d(run.x, self._kernel_of(weights), stride, "SAME")
        self._normalise(run, name, activation)

    def _depthwise(self, run: _Pass, name: str, kernel: tuple[Any, Any], stride: int) -> None:
        weights = self._centre(name, kernel)[:, :, : self.tf.shape(run.x)[3]]
        # Signals have one column, which equal strides leave as it is.
        run.x = self.tf.nn.depthwise_conv2d(run.x, self._kernel_of(weights, -2), (1, stride, stride, 1), "SAME")
        self._normalise(run, name, "relu6")

    def _normalise(self, run: _Pass, name: str, activation: str) -> None:
        channels = self.tf.shape(run.x)[3]
        gamma, beta = (self.variables[f"{name}/{part}"][:channels] for part in ("gamma", "beta"))
        if run.mode == "train":
            # The fused operator takes half the time of the sum below, with its gradient.
            run.x, _, _ = self.tf.compat.v1.nn.fused_batch_norm(run.x, gamma, beta, epsilon=EPSILON)
        else:
            mean, variance = self._moments(run, name, channels)
            scale = gamma * self.tf.math.rsqrt(variance + EPSILON)
            run.x = run.x * scale + (beta - mean * scale)
        if activation == "relu6":
            run.x = self.tf.nn.relu6(run.x)
        self._rounded(run, name)

    def _moments(self, run: _Pass, name: str, channels: Any) -> Any:
        """Mean and variance of each channel: of this batch, which are added up too, or those calibrated before."""
        if run.mode == "evaluate":
            return self.tf.unstack(self.statistics[name][:, :channels])
        mean, variance = self.tf.nn.moments(run.x, (0, 1, 2))
        missing = self.statistics[name].shape[1] - channels
        self.statistics[name].assign_add(self.tf.pad(self.tf.stack([mean, variance]), [[0, 0], [0, missing]]))
        return mean, variance
