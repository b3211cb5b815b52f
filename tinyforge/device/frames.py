"""Frames on the serial line: `00 A5 COBS(type seq body crc) 00`; the twin of firmware/protocol/frame.c."""

from __future__ import annotations

import binascii
import struct
from dataclasses import dataclass

MARK = 0xA5
MAX_BODY = 480
NAK = 0xFF
_MAX_ENCODED = 1024
_MAX_TEXT = 4096


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame whose CRC was right. kind: message type; seq: 0..65535."""

    kind: int
    seq: int
    body: bytes


def cobs_encode(data: bytes) -> bytes:
    """`data` without zero bytes (Consistent Overhead Byte Stuffing, Cheshire and Baker 1999)."""
    out = bytearray()
    for i, part in enumerate(data.split(b"\0")):
        full, rest = divmod(len(part), 254)
        for k in range(full):
            out += b"\xff" + part[k * 254 : (k + 1) * 254]
        # A run that ends exactly on a full block needs no closing block at the very end of the data.
        if rest or full == 0 or i < data.count(0):
            out += bytes([rest + 1]) + part[full * 254 :]
    return bytes(out)


def cobs_decode(data: bytes) -> bytes | None:
    """What `cobs_encode` got, None where `data` cannot have come from it."""
    out = bytearray()
    at = 0
    while at < len(data):
        code = data[at]
        run = data[at + 1 : at + code]
        if code == 0 or len(run) != code - 1:
            return None
        out += run
        at += code
        if code < 0xFF and at < len(data):
            out.append(0)
    return bytes(out)


def encode_frame(frame: Frame) -> bytes:
    """Bytes to send."""
    plain = struct.pack("<BH", frame.kind, frame.seq) + frame.body
    return bytes([0, MARK]) + cobs_encode(plain + struct.pack("<I", binascii.crc32(plain))) + b"\0"


def decode_frame(encoded: bytes) -> Frame | None:
    """The frame between mark and closing zero, None when damaged."""
    plain = cobs_decode(encoded)
    if plain is None or len(plain) < 7:
        return None
    (crc,) = struct.unpack("<I", plain[-4:])
    if crc != binascii.crc32(plain[:-4]):
        return None
    kind, seq = struct.unpack_from("<BH", plain)
    return Frame(kind, seq, plain[3:-4])


class FrameReader:
    """Finds frames in a stream of anything; what lies outside frames is kept as text (the last few kB)."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._text = bytearray()

    def push(self, data: bytes) -> list[Frame]:
        """Add received bytes; returns the undamaged frames they complete."""
        self._pending += data
        *chunks, rest = bytes(self._pending).split(b"\0")
        self._pending = bytearray(rest[-_MAX_ENCODED:] if len(rest) > _MAX_ENCODED else rest)
        frames = []
        for chunk in chunks:
            frame = decode_frame(chunk[1:]) if chunk[:1] == bytes([MARK]) else None
            if frame is not None:
                frames.append(frame)
            elif chunk:
                self._text = (self._text + chunk)[-_MAX_TEXT:]
        return frames

    @property
    def text(self) -> str:
        """What came outside frames."""
        return (self._text + self._pending).decode("ascii", "replace")
