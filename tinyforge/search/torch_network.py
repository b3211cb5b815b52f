"""A candidate as a PyTorch network, with weights in and out in the layout that Keras and the supernet have.

For training alone: normalisation is by the batch, and what is needed afterwards is calibrated elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinyforge.ir.types import Array
from tinyforge.search.architecture import Architecture, Layer
from tinyforge.search.fake_quant import KEPT, LEAST
from tinyforge.search.needs import TORCH, missing
from tinyforge.search.supernet import EPSILON

TO_TORCH = {"conv": (3, 2, 0, 1), "depthwise": (2, 3, 0, 1), "dense": (1, 0)}
"""Axes of a Keras kernel in PyTorch's order, by the layer's kind."""
TO_KERAS = {"conv": (2, 3, 1, 0), "depthwise": (2, 3, 0, 1), "dense": (1, 0)}


def pytorch(threads: int | None = None) -> Any:
    """The module, with that many threads where a number is given. Raises ToolMissing."""
    try:
        import torch
    except ImportError as error:
        raise missing("PyTorch", TORCH) from error
    if threads is not None:
        torch.set_num_threads(threads)
    return torch


class TorchNetwork:
    """``architecture`` with trainable ``weights`` (``stem/kernel``, ``stem/gamma`` ..., Keras's layout) on ``device``.

    rounding: whether weights and activations are rounded as int8 does it, see ``fake_quant``.
    """

    def __init__(self, architecture: Architecture, weights: Mapping[str, Array], device: Any) -> None:
        self.torch = pytorch()
        self.architecture = architecture
        self.kinds = {layer.name: layer.kind for layer in architecture.layers}
        self.parameters = {name: self._parameter(name, value, device) for name, value in weights.items()}
        names = ["input", *(layer.name for layer in architecture.layers)]
        self.ranges = {name: self.torch.zeros(2, device=device) for name in names}
        self.rounding = False

    def _parameter(self, name: str, value: Array, device: Any) -> Any:
        if name.endswith("/kernel"):
            value = value.transpose(TO_TORCH[self._kind(name)])
        made = self.torch.tensor(np.ascontiguousarray(value, np.float32), device=device)
        if made.dim() == 4:
            made = made.contiguous(memory_format=self.torch.channels_last)
        return made.requires_grad_()

    def _kind(self, name: str) -> str:
        return self.kinds[name.rsplit("/", 1)[0]]

    def weights(self) -> dict[str, Array]:
        """All weights as they were given, trained."""
        found = {name: value.detach().float().cpu().numpy() for name, value in self.parameters.items()}
        return {
            name: np.ascontiguousarray(value.transpose(TO_KERAS[self._kind(name)])) if "kernel" in name else value
            for name, value in found.items()
        }

    def forward(self, images: Any) -> Any:
        """Logits (n, classes) of scaled samples (n, channels, rows, columns) of the data's own shape."""
        made = {"input": self._rounded(self._input(images), "input")}
        for layer in self.architecture.layers:
            made[layer.name] = self._apply(layer, [made[name] for name in layer.inputs])
        return made[self.architecture.layers[-1].name]

    def _input(self, images: Any) -> Any:
        rows, cols, channels = self.architecture.input_shape
        if images.shape[1] != channels:
            images = images.mean(1, keepdim=True).expand(-1, channels, -1, -1)
        if tuple(images.shape[2:]) != (rows, cols):
            images = self.torch.nn.functional.interpolate(images, (rows, cols), mode="bilinear", align_corners=False)
        return images.contiguous(memory_format=self.torch.channels_last)

    def _apply(self, layer: Layer, inputs: list[Any]) -> Any:
        kinds: dict[str, Callable[[Layer, list[Any]], Any]] = {
            "conv": self._conv,
            "depthwise": self._conv,
            "dense": self._dense,
            "max": self._pool,
            "average": self._pool,
            "mean": lambda _, x: x[0].mean((2, 3), keepdim=True),
            "add": lambda _, x: x[0] + x[1],
            "mul": lambda _, x: x[0] * x[1],
        }
        x = kinds[layer.kind](layer, inputs)
        if layer.normalised:
            gamma, beta = (self.parameters[f"{layer.name}/{part}"] for part in ("gamma", "beta"))
            x = self.torch.nn.functional.batch_norm(x, None, None, gamma, beta, True, 0.0, EPSILON)
        if layer.activation:
            x = self.torch.sigmoid(x) if layer.activation == "sigmoid" else self.torch.nn.functional.relu6(x)
        # As in the supernet: gates, means and logits stay as they are.
        return self._rounded(x, layer.name) if layer.normalised or layer.kind == "add" else x

    def _conv(self, layer: Layer, inputs: list[Any]) -> Any:
        functional, x = self.torch.nn.functional, inputs[0]
        kernel = self._kernel(layer)
        # SAME as TensorFlow pads it: the odd row or column comes last.
        sides = [
            max((made - 1) * stride + taps - size, 0)
            for made, stride, taps, size in zip(layer.shape, layer.stride, layer.kernel, x.shape[2:], strict=False)
        ]
        before = [side // 2 for side in sides]
        if any(side % 2 for side in sides):
            x = functional.pad(x, (before[1], sides[1] - before[1], before[0], sides[0] - before[0]))
            before = [0, 0]
        groups = x.shape[1] if layer.kind == "depthwise" else 1
        bias = None if layer.normalised else self.parameters[f"{layer.name}/bias"]
        return functional.conv2d(x, kernel, bias, layer.stride, before, groups=groups)

    def _pool(self, layer: Layer, inputs: list[Any]) -> Any:
        functional = self.torch.nn.functional
        pooled = functional.max_pool2d if layer.kind == "max" else functional.avg_pool2d
        return pooled(inputs[0], layer.kernel, layer.stride)

    def _dense(self, layer: Layer, inputs: list[Any]) -> Any:
        flat = inputs[0].flatten(1)
        return self.torch.nn.functional.linear(flat, self._kernel(layer), self.parameters[f"{layer.name}/bias"])

    def _kernel(self, layer: Layer) -> Any:
        kernel = self.parameters[f"{layer.name}/kernel"]
        gate = not layer.normalised and layer.kind == "conv"
        if not self.rounding or gate:
            return kernel
        # One scale for each output channel, which is the first axis of every kernel here.
        scale = kernel.detach().abs().amax(tuple(range(1, kernel.dim())), keepdim=True).clamp_min(LEAST) / 127
        return kernel + ((kernel / scale).round() * scale - kernel).detach()

    def _rounded(self, x: Any, name: str) -> Any:
        """``x`` on 256 steps over its range, which follows the batches'."""
        if not self.rounding:
            return x
        torch, kept = self.torch, self.ranges[name]
        low, high = torch.aminmax(x.detach().float())
        seen = torch.stack([low.clamp_max(0.0), high.clamp_min(LEAST)])
        kept.copy_(torch.where(kept[1] == 0, seen, KEPT * kept + (1 - KEPT) * seen))
        scale = (kept[1] - kept[0]) / 255
        zero = (-kept[0] / scale).round().clamp(0, 255).to(torch.int32)
        return torch.fake_quantize_per_tensor_affine(x, scale, zero, 0, 255)
