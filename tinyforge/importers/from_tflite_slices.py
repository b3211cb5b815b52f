"""STRIDED_SLICE with its five masks -> explicit begin, end and stride for every dimension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinyforge.errors import UnsupportedModel


@dataclass(frozen=True, slots=True)
class _Spec:
    """One position of the slice specification; ``whole`` takes the dimension as it is."""

    begin: int | None
    end: int | None
    stride: int
    shrink: bool = False


_WHOLE = _Spec(None, None, 1)


def strided_slice(
    shape: Sequence[int], begin: Sequence[int], end: Sequence[int], strides: Sequence[int], options: Mapping[str, Any]
) -> dict[str, Any]:
    """Attributes ``begin``, ``end``, ``strides`` (one entry a dimension; end is -1 below index 0 for a negative stride)
    and ``shrink_axes``. Raises UnsupportedModel for slices that are empty or need new axes."""
    specs = _expand(shape, _specs(begin, end, strides, options), options)
    begins, ends, shrink = [], [], []
    for axis, (n, spec) in enumerate(zip(shape, specs, strict=True)):
        lo, hi = _span(n, spec)
        if (hi - lo) * spec.stride <= 0:
            raise UnsupportedModel(f"the slice is empty along dimension {axis} of {list(shape)}")
        begins.append(lo)
        ends.append(hi)
        if spec.shrink:
            shrink.append(axis)
    steps = tuple(spec.stride for spec in specs)
    return {"begin": tuple(begins), "end": tuple(ends), "strides": steps, "shrink_axes": tuple(shrink)}


def _specs(
    begin: Sequence[int], end: Sequence[int], strides: Sequence[int], options: Mapping[str, Any]
) -> list[_Spec | None]:
    """Positions in the file's order; None for the ellipsis."""
    if not len(begin) == len(end) == len(strides) or 0 in strides:
        raise UnsupportedModel(f"begin {list(begin)}, end {list(end)}, strides {list(strides)} do not match")
    if options.get("NewAxisMask", 0):
        raise UnsupportedModel("new axes in a strided slice are not supported; use expand_dims or reshape")
    offset = bool(options.get("Offset", False))

    def has(mask: str, i: int) -> bool:
        return bool(int(options.get(mask, 0)) >> i & 1)

    specs: list[_Spec | None] = []
    for i, (b, e, s) in enumerate(zip(begin, end, strides, strict=True)):
        if has("EllipsisMask", i):
            specs.append(None)
            continue
        first, last = (None if has("BeginMask", i) else b), (None if has("EndMask", i) else e + b * offset)
        shrink = has("ShrinkAxisMask", i)
        specs.append(_Spec(b if shrink else first, last, 1 if shrink else s, shrink))
    return specs


def _expand(shape: Sequence[int], specs: list[_Spec | None], options: Mapping[str, Any]) -> list[_Spec]:
    """One specification a dimension: the ellipsis, or the end, stands for all that are not mentioned."""
    missing = len(shape) - sum(spec is not None for spec in specs)
    if missing < 0 or specs.count(None) > 1:
        raise UnsupportedModel(f"the slice has more positions than {list(shape)} has dimensions")
    if None not in specs:
        specs = [*specs, None]
    result: list[_Spec] = []
    for spec in specs:
        result += [_WHOLE] * missing if spec is None else [spec]
    return result


def _span(n: int, spec: _Spec) -> tuple[int, int]:
    """(begin, end) inside the dimension; end is -1 where a negative stride runs through index 0."""
    if spec.shrink:
        assert spec.begin is not None
        index = spec.begin + n if spec.begin < 0 else spec.begin
        if not 0 <= index < n:
            raise UnsupportedModel(f"index {spec.begin} is outside a dimension of {n}")
        return index, index + 1
    forward = spec.stride > 0
    low, high = (0, n) if forward else (-1, n - 1)

    def place(value: int | None, default: int) -> int:
        if value is None:
            return default
        return min(max(value + n if value < 0 else value, low), high)

    return place(spec.begin, low if forward else high), place(spec.end, high if forward else low)
