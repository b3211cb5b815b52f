"""Regions of a feature map and how an operator maps an output region to the input region it reads.

Coordinates are always those of the whole tensor; intervals are half open.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """[lo, hi) along one axis; empty when hi <= lo."""

    lo: int
    hi: int

    @property
    def size(self) -> int:
        return max(0, self.hi - self.lo)

    def clip(self, extent: int) -> Interval:
        """The part inside [0, extent)."""
        lo = min(max(self.lo, 0), extent)
        return Interval(lo, max(lo, min(self.hi, extent)))

    def join(self, other: Interval) -> Interval:
        """The smallest interval holding both."""
        if not self.size:
            return other
        if not other.size:
            return self
        return Interval(min(self.lo, other.lo), max(self.hi, other.hi))


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of a feature map: ``rows`` x ``cols``, all channels."""

    rows: Interval
    cols: Interval

    @staticmethod
    def full(height: int, width: int) -> Window:
        return Window(Interval(0, height), Interval(0, width))

    @property
    def area(self) -> int:
        return self.rows.size * self.cols.size

    def clip(self, height: int, width: int) -> Window:
        return Window(self.rows.clip(height), self.cols.clip(width))

    def join(self, other: Window) -> Window:
        return Window(self.rows.join(other.rows), self.cols.join(other.cols))


@dataclass(frozen=True, slots=True)
class AxisMap:
    """Which input positions an output interval needs along one axis.

    Output [a, b) needs input [floor((a*num + lo) / den), floor(((b-1)*num + hi) / den) + 1), before clipping to the
    tensor. A convolution of kernel K, stride s, dilation d and padding p is ``AxisMap(s, 1, -p, (K-1)*d - p)``;
    upsampling by 2 is ``AxisMap(1, 2, 0, 0)``; an elementwise operator is ``AxisMap()``.
    """

    num: int = 1
    den: int = 1
    lo: int = 0
    hi: int = 0

    def needed(self, out: Interval) -> Interval:
        """Input interval for an output interval; may reach outside the tensor (padding)."""
        if not out.size:
            return Interval(0, 0)
        return Interval((out.lo * self.num + self.lo) // self.den, ((out.hi - 1) * self.num + self.hi) // self.den + 1)

    @property
    def identity(self) -> bool:
        return self == AxisMap()


IDENTITY = AxisMap()


def conv_axis(kernel: int, stride: int, pad_before: int, dilation: int = 1) -> AxisMap:
    """AxisMap of a convolution or pooling along one axis."""
    return AxisMap(stride, 1, -pad_before, (kernel - 1) * dilation - pad_before)
