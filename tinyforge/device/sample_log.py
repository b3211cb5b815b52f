"""Results of samples on disk as they come, so that a run that was interrupted goes on where it stopped."""

from __future__ import annotations

import binascii
import hashlib
import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tinyforge.codegen.build_info import BuildInfo
from tinyforge.errors import DeviceError, UsageError

_HEAD = struct.Struct("<IQ")
_CRC = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Sample:
    """One inference: raw bytes of every output, ticks of the board's counter."""

    outputs: list[bytes]
    ticks: int


class SampleLog:
    """A file: one JSON line that says whose samples these are, then a record a sample: number, ticks, outputs, CRC-32.

    resume: go on with what the file holds, if there is one (what a cut left at its end is dropped); otherwise the first
    sample that is added begins a new one. added: samples of this run. Raises UsageError where the file belongs to
    another model, or other inputs.
    """

    def __init__(
        self, path: Path, info: BuildInfo, samples: Sequence[Sequence[bytes]], *, resume: bool = False
    ) -> None:
        self._path = path
        self._sizes = [tensor.nbytes for tensor in info.outputs]
        self._known: dict[int, Sample] = {}
        self._file: BinaryIO | None = None
        self.added = 0
        header = (json.dumps({"model": info.digest, "inputs": _digest(samples)}) + "\n").encode()
        content = path.read_bytes() if resume and path.is_file() else header
        if not content.startswith(header):
            raise UsageError(f"{path} is of another run (another model or other inputs): run without --resume")
        whole = len(header)
        for record_end, number, sample in self._records(content, whole):
            self._known[number] = sample
            whole = record_end
        self._kept = content[:whole]

    def __len__(self) -> int:
        """Samples that are known."""
        return len(self._known) + self.added

    def get(self, number: int) -> Sample | None:
        """Sample `number`, where an earlier run got it."""
        return self._known.get(number)

    def check_first(self, sample: Sample) -> None:
        """The first sample runs every time: the board must still answer the same. Raises DeviceError otherwise."""
        if 0 not in self._known:
            self.add(0, sample)
        elif self._known[0].outputs != sample.outputs:
            raise DeviceError(
                "the board answers the first sample otherwise than in the run that is resumed: run without --resume"
            )

    def add(self, number: int, sample: Sample) -> None:
        """Keep a sample, on disk when this returns."""
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._path.with_suffix(".new")
            fresh.write_bytes(self._kept)
            fresh.replace(self._path)
            self._file = self._path.open("ab")
        body = _HEAD.pack(number, sample.ticks) + b"".join(sample.outputs)
        self._file.write(body + _CRC.pack(binascii.crc32(body)))
        self._file.flush()
        self.added += 1

    def close(self) -> None:
        """Close the file; it stays."""
        if self._file is not None:
            self._file.close()

    def _records(self, content: bytes, at: int) -> Iterator[tuple[int, int, Sample]]:
        """(end in the file, number, sample), up to the first record that is not whole."""
        size = _HEAD.size + sum(self._sizes)
        while at + size + _CRC.size <= len(content):
            body = content[at : at + size]
            at += size + _CRC.size
            if _CRC.unpack(content[at - _CRC.size : at])[0] != binascii.crc32(body):
                return
            number, ticks = _HEAD.unpack_from(body)
            outputs, begin = [], _HEAD.size
            for nbytes in self._sizes:
                outputs.append(body[begin : begin + nbytes])
                begin += nbytes
            yield at, number, Sample(outputs, ticks)


def _digest(samples: Sequence[Sequence[bytes]]) -> str:
    whole = hashlib.sha256()
    for sample in samples:
        for data in sample:
            whole.update(data)
    return whole.hexdigest()
