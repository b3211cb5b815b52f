"""Log-mel features of sound: the front end in front of a network for audio."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyforge.ir.types import Array

FloatArray = npt.NDArray[np.float64]

FLOOR = 1e-6
"""Added to a band's power before the logarithm; full scale of the samples is 1."""


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """rate: Hz. window, hop: samples. frames: of a feature map. bands: mel bands between low and high Hz."""

    rate: int
    window: int
    hop: int
    frames: int
    bands: int
    low: float
    high: float

    @property
    def size_log2(self) -> int:
        """The Fourier transform has 2 to the power of it samples: the window's, then zeros."""
        return (self.window - 1).bit_length()

    @property
    def size(self) -> int:
        """Samples of the Fourier transform."""
        return 1 << self.size_log2

    @property
    def bins(self) -> int:
        """Frequencies of the Fourier transform."""
        return self.size // 2 + 1


def front_end_for(rate: int, seconds: float = 1.0) -> FrontEnd:
    """Windows of 32 ms every 16 ms and 20 bands from 100 Hz to half the rate, at most 8 kHz."""
    window, hop = round(0.032 * rate), round(0.016 * rate)
    frames = 1 + max(0, round(seconds * rate) - window) // hop
    return FrontEnd(rate, window, hop, frames, 20, 100.0, min(rate / 2, 8000.0))


def mel(hertz: FloatArray) -> FloatArray:
    """The HTK scale."""
    return np.asarray(2595.0 * np.log10(1.0 + np.asarray(hertz, np.float64) / 700.0))


def mel_weights(front: FrontEnd) -> FloatArray:
    """Triangular filters (bins, bands), each of height 1."""
    edges = np.linspace(mel(np.asarray(front.low)), mel(np.asarray(front.high)), front.bands + 2)
    at = mel(np.arange(front.bins) * front.rate / front.size)[:, None]
    rise = (at - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - at) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(0.0, np.minimum(rise, fall)))


def hann(size: int) -> FloatArray:
    """The periodic Hann window."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size))


def log_mel(pcm: Array, front: FrontEnd) -> Array:
    """(frames, bands) float32, ln(power + 1e-6); int16 samples, cut or filled up with silence at the end."""
    needed = front.window + (front.frames - 1) * front.hop
    wave = np.zeros(needed)
    wave[: min(needed, len(pcm))] = pcm[:needed].astype(np.float64) / 32768
    starts = np.arange(front.frames) * front.hop
    frames = wave[starts[:, None] + np.arange(front.window)] * hann(front.window)
    power = np.abs(np.fft.rfft(frames, front.size, axis=1)) ** 2 / front.window
    return np.asarray(np.log(power @ mel_weights(front) + FLOOR), np.float32)
