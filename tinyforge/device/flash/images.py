"""Firmware images in the formats that flashing methods take."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tinyforge.errors import DeviceError
from tinyforge.target import Board
from tinyforge.toolchain.elf import Segment

_ERASED = b"\xff"
UF2_PAYLOAD = 256
_UF2_BLOCK = 512
_UF2_MAGIC = (0x0A324655, 0x9E5D5157)
_UF2_END = 0x0AB16F30
_UF2_FAMILY_FLAG = 0x2000


def flash_content(segments: tuple[Segment, ...], board: Board) -> bytes:
    """What flash holds from its origin on, trailing erased bytes left out."""
    end = max(segment.address + len(segment.data) for segment in segments)
    if min(segment.address for segment in segments) < board.flash.origin or end > board.flash.end:
        raise DeviceError(f"the image does not lie in the flash of {board.name}; build it for this board")
    content = bytearray(_ERASED * (end - board.flash.origin))
    for segment in segments:
        at = segment.address - board.flash.origin
        content[at : at + len(segment.data)] = segment.data
    return bytes(content)


def uf2_file(content: bytes, address: int, family: int) -> bytes:
    """A UF2 file (github.com/microsoft/uf2) that puts `content` at `address`; family: ID of the chip.

    Blocks of 512 bytes: two magic numbers, flags, address, payload size, block number, number of blocks, family, 476
    bytes of payload space (256 used, the last block filled with 0xff), a third magic number.
    """
    padded = content + _ERASED * (-len(content) % UF2_PAYLOAD)
    return b"".join(_uf2_blocks(padded, address, family))


def _uf2_blocks(content: bytes, address: int, family: int) -> Iterator[bytes]:
    count = len(content) // UF2_PAYLOAD
    for number in range(count):
        at = number * UF2_PAYLOAD
        header = (*_UF2_MAGIC, _UF2_FAMILY_FLAG, address + at, UF2_PAYLOAD, number, count, family)
        block = struct.pack("<8I", *header) + content[at : at + UF2_PAYLOAD]
        yield block.ljust(_UF2_BLOCK - 4, b"\0") + struct.pack("<I", _UF2_END)
