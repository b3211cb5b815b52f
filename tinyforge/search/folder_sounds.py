"""Sound files of class folders."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyforge.errors import UsageError
from tinyforge.ir.types import Array
from tinyforge.search.dataset import Floats, Samples
from tinyforge.search.folder_files import Files, Read, counted, pieces_of
from tinyforge.search.log_mel_fixed import FixedFrontEnd, fixed_front_end, fixed_log_mel
from tinyforge.search.logmel import front_end_for
from tinyforge.search.needs import missing
from tinyforge.search.train import Report

SOUNDS = (".wav",)
Q16, FULL_SCALE = 65536, 32768


@dataclass(frozen=True, slots=True, eq=False)
class _Recording:
    """pcm: int16 samples of the first channel. rate: Hz."""

    pcm: Array
    rate: int


def read_sounds(splits: Sequence[Files], tell: Report) -> Read:
    """Log-mel spectrograms (frames, bands, 1) of a second, as the C front end computes them. Shorter recordings are
    filled up with silence, of longer ones every full second is a sample; those of one file stay in one split. All at
    the lowest of their sampling rates: what only some of them could have says nothing of a class. Raises UsageError."""
    recordings = [[_wave(file) for file, _ in files] for files in splits]
    rates = sorted({recording.rate for part in recordings for recording in part})
    front = front_end_for(rates[0])
    fixed, one_more = fixed_front_end(front), counted(splits, tell)
    parts: list[Samples] = []
    for files, part in zip(splits, recordings, strict=True):
        features: list[Floats] = []
        numbers: list[int] = []
        for number, recording in enumerate(part):
            found = _features(_resampled(recording, front.rate), fixed)
            features += found
            numbers += [number] * len(found)
            one_more()
        parts.append(pieces_of(files, features, numbers))
    return Read("spectrogram", tuple(parts), _notes(rates, parts, splits), front)


def _resampled(recording: _Recording, rate: int) -> Array:
    """int16 samples at ``rate`` Hz."""
    if recording.rate == rate:
        return recording.pcm
    from scipy.signal import resample_poly

    both = math.gcd(rate, recording.rate)
    return _rounded(resample_poly(recording.pcm.astype(np.float64), rate // both, recording.rate // both))


def _rounded(x: npt.NDArray[np.float64]) -> Array:
    """As int16."""
    return np.asarray(np.clip(np.rint(x), -FULL_SCALE, FULL_SCALE - 1), np.int16)


def _features(pcm: Array, fixed: FixedFrontEnd) -> list[Floats]:
    """Of every second, (frames, bands, 1) float32."""
    rate = fixed.front.rate
    starts = range(0, max(1, len(pcm) // rate * rate), rate)
    found = [fixed_log_mel(pcm[start : start + rate], fixed)[..., None] for start in starts]
    return [(features / Q16).astype(np.float32) for features in found]


def _notes(rates: Sequence[int], parts: Sequence[Samples], splits: Sequence[Files]) -> tuple[str, ...]:
    made, files = sum(len(part) for part in parts), sum(len(files) for files in splits)
    notes = [f"recordings at {', '.join(map(str, rates))} Hz, all taken at {rates[0]}"] if len(rates) > 1 else []
    return (*notes, *([f"{files:,} recordings make {made:,} samples of a second"] if made > files else []))


def _wave(path: Path) -> _Recording:
    try:
        from scipy.io import wavfile
    except ImportError as error:
        raise missing("scipy") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # Of chunks it does not know.
            rate, found = wavfile.read(path)
    except Exception as error:  # A damaged header can lead it into any.
        raise UsageError(f"{path} cannot be read as a .wav file: {error}") from error
    if rate < 1 or not found.size:
        raise UsageError(f"{path} cannot be read as a .wav file: no sound in it")
    return _Recording(_sixteen_bits(found.reshape(len(found), -1)[:, 0]), int(rate))


def _sixteen_bits(x: npt.NDArray[Any]) -> Array:
    """Of PCM with 8, 24 or 32 bits (24 are the upper ones of 32), or floats from -1 to 1."""
    if x.dtype == np.uint8:
        return ((x.astype(np.int16) - 128) << 8).astype(np.int16)
    if x.dtype.kind == "f":
        return _rounded(np.nan_to_num(x.astype(np.float64)) * FULL_SCALE)
    made: Array = (x >> (8 * x.dtype.itemsize - 16)).astype(np.int16)
    return made
