"""The host's end of the protocol: requests that survive a bad line.

Stop and wait: one request, one answer. A request whose answer does not come, or that the device could not read, is
sent again under the same number; the device answers repeated requests without doing them twice. Bodies are
little-endian; the first byte of an answer is the status.
"""

from __future__ import annotations

import os
import re
import struct
import time
from dataclasses import dataclass
from enum import Enum, IntEnum

from tinyforge.device.frames import MAX_BODY, NAK, Frame, FrameReader, encode_frame
from tinyforge.device.transport import Transport
from tinyforge.errors import DeviceError

PROTOCOL_VERSION = 1
_REPLY = 0x80
_LONGEST_WAIT_S = 4.0
# Longer than USB serial converters keep bytes back (16 ms).
_QUIET_S = 0.04
_MAX_REFUSED = 500
_FAULT = re.compile(r"FAULT [^\n]*")
_DTYPES = ("int8", "uint8", "int16", "int32", "float32", "bool", "int64")
CYCLE_SOURCES = ("none", "dwt", "systick", "timer", "mcycle")


class Request(IntEnum):
    """Message types of firmware/include/tfb_serve.h."""

    HELLO = 1
    TENSOR = 2
    MEMORY = 3
    WRITE = 4
    INVOKE = 5
    READ = 6
    PROFILE = 7
    STATS = 8
    ECHO = 9
    FEED = 10
    PAINT = 11


class Status(IntEnum):
    """First byte of every answer."""

    OK = 0
    BAD_CRC = 1
    OVERFLOW = 2
    BAD_TYPE = 3
    BAD_LENGTH = 4
    BAD_RANGE = 5
    BAD_TENSOR = 6
    BAD_STATE = 7


class RefusedError(DeviceError):
    """The device understood a request and refused it."""

    def __init__(self, request: Request, status: int) -> None:
        name = Status(status).name if status in list(Status) else f"status {status}"
        super().__init__(f"the device refuses {request.name}: {name}")
        self.status = status


class _Missing(Enum):
    """Why an answer did not come: nothing arrived, or the device could not read a frame."""

    SILENCE = 1
    REFUSED = 2


@dataclass(frozen=True, slots=True)
class Hello:
    """What a device says about itself. row_bytes: 0 where inputs are written whole."""

    version: int
    max_body: int
    clock_hz: int
    cycle_hz: int
    cycle_source: str
    inputs: int
    outputs: int
    rows: int
    row_bytes: int
    digest: str
    name: str


@dataclass(frozen=True, slots=True)
class DeviceTensor:
    """An input or output as the device describes it."""

    name: str
    dtype: str
    nbytes: int
    scale: float
    zero_point: int
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """Bytes of memory on the device; high-water marks of the arena, in all and by part, need a paint before the run."""

    arena: int
    arena_high_water: int
    stack: int
    stack_high_water: int
    static_ram: int
    parts_high_water: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LineStats:
    """What the device counted since reset."""

    frames: int
    damaged: int
    too_long: int
    refused: int
    uart_errors: int


class DeviceClient:
    """Talks to one device over `transport`.

    reply_s: how long to wait for an answer before sending again; attempts: how often in all.
    Raises DeviceError when the device stays silent, faults, or refuses.
    """

    def __init__(self, transport: Transport, reply_s: float = 2.0, attempts: int = 10) -> None:
        self._transport = transport
        self._reader = FrameReader()
        self._seq = int.from_bytes(os.urandom(2), "little")
        self._reply_s = reply_s
        self._attempts = attempts
        self.resent = 0

    def close(self) -> None:
        """Close the transport."""
        self._transport.close()

    def request(self, kind: Request, body: bytes = b"", patience_s: float = 0.0) -> bytes:
        """The answer's body behind the status.

        patience_s: how long the device may be busy with this; it is asked again ever more rarely meanwhile.
        """
        self._seq = (self._seq + 1) & 0xFFFF
        encoded = encode_frame(Frame(kind, self._seq, body))
        start = time.monotonic()
        wait = self._reply_s
        silent = unread = 0
        while silent < self._attempts or time.monotonic() - start < patience_s:
            if silent + unread > 0:
                self.resent += 1
                late = self._settle(kind, self._seq)
                if late is not None:
                    return late
            self._transport.write(encoded)
            answer = self._await(kind, self._seq, wait)
            if isinstance(answer, bytes):
                return answer
            # What was on the line before may be refused many times over: that is no silence, but not endless.
            unread += answer is _Missing.REFUSED
            silent += answer is _Missing.SILENCE or unread > _MAX_REFUSED
            if patience_s:
                wait = min(2 * wait, _LONGEST_WAIT_S)
        raise DeviceError(
            f"the device does not answer {kind.name} ({silent} attempts); "
            "check port, baud rate and that the firmware was flashed"
        )

    def _await(self, kind: Request, seq: int, reply_s: float) -> bytes | _Missing:
        """The answer, or why it should be asked for again."""
        deadline = time.monotonic() + reply_s
        while (left := deadline - time.monotonic()) > 0:
            answer = self._answer(self._transport.read(left), kind, seq)
            if answer is not None:
                return answer
        return _Missing.SILENCE

    def _settle(self, kind: Request, seq: int) -> bytes | None:
        """Bring the device back into step before a request is sent again; the answer, where it came late.

        A zero ends whatever frame the device is in. It says so, and a receiver that holds one byte loses what is sent
        meanwhile, but for the mark of a frame perhaps: the next request would end that one, and so on for ever. So the
        zero goes alone, and the line must be quiet before more follows.
        """
        self._transport.write(b"\0")
        deadline = time.monotonic() + _LONGEST_WAIT_S
        while time.monotonic() < deadline and (data := self._transport.read(_QUIET_S)):
            answer = self._answer(data, kind, seq)
            if isinstance(answer, bytes):
                return answer
        return None

    def _answer(self, data: bytes, kind: Request, seq: int) -> bytes | _Missing | None:
        """What `data` completes: the answer to request `seq`, or a complaint about a frame that could not be read."""
        missing = None
        for frame in self._reader.push(data):
            if frame.kind == kind | _REPLY and frame.seq == seq and frame.body:
                if frame.body[0] != Status.OK:
                    raise RefusedError(kind, frame.body[0])
                return frame.body[1:]
            if frame.kind == NAK:
                missing = _Missing.REFUSED
        self._check_fault()
        return missing

    def _check_fault(self) -> None:
        fault = _FAULT.search(self._reader.text)
        if fault and self._reader.text[fault.end() : fault.end() + 1] == "\n":
            raise DeviceError(f"the firmware stopped: {fault.group(0)}")

    def hello(self) -> Hello:
        """Start a session."""
        body = self.request(Request.HELLO)
        layout = struct.Struct("<BBHIIBBBII32s")
        if len(body) < layout.size + 1:
            raise DeviceError("the device's greeting is too short; it runs another firmware")
        version, _flags, max_body, clock, hz, source, ins, outs, rows, row_bytes, digest = layout.unpack_from(body)
        if version != PROTOCOL_VERSION:
            raise DeviceError(f"the device speaks protocol {version}, this is {PROTOCOL_VERSION}; flash it again")
        name = _text(body, layout.size)
        known = CYCLE_SOURCES[source] if source < len(CYCLE_SOURCES) else "none"
        return Hello(version, max_body, clock, hz, known, ins, outs, rows, row_bytes, digest.hex(), name)

    def tensor(self, number: int) -> DeviceTensor:
        """Description of tensor `number`: inputs first, outputs behind them."""
        body = self.request(Request.TENSOR, bytes([number]))
        layout = struct.Struct("<BIfiB")
        dtype, nbytes, scale, zero_point, rank = layout.unpack_from(body)
        shape = struct.unpack_from(f"<{rank}i", body, layout.size)
        name = _text(body, layout.size + 4 * rank)
        return DeviceTensor(name, _DTYPES[dtype], nbytes, scale, zero_point, shape)

    def memory(self) -> DeviceMemory:
        """Sizes and high-water marks."""
        body = self.request(Request.MEMORY)
        if len(body) < 20 or len(body) % 4:
            raise DeviceError(f"the device describes its memory in {len(body)} B; it runs another firmware")
        arena, high, stack, stack_high, static, *parts = struct.unpack(f"<{len(body) // 4}I", body)
        return DeviceMemory(arena, high, stack, stack_high, static, tuple(parts))

    def stats(self) -> LineStats:
        """Counters of the line."""
        return LineStats(*struct.unpack("<5I", self.request(Request.STATS)))

    def echo(self, data: bytes) -> bytes:
        """`data`, there and back; at most MAX_BODY - 1 bytes."""
        return self.request(Request.ECHO, data)

    def paint(self, value: int) -> None:
        """Fill the arena with `value` (1..255)."""
        self.request(Request.PAINT, bytes([value]), 10.0)

    def write_input(self, number: int, data: bytes) -> None:
        """Write all of input `number`."""
        for at, piece in _pieces(data, MAX_BODY - 5):
            self.request(Request.WRITE, struct.pack("<BI", number, at) + piece)

    def feed_input(self, data: bytes) -> None:
        """Send a whole row-fed input; the device computes as rows arrive."""
        for at, piece in _pieces(data, MAX_BODY - 4):
            self.request(Request.FEED, struct.pack("<I", at) + piece, 60.0)

    def invoke(self, timeout_s: float = 120.0) -> int:
        """Run the model; returns ticks of the cycle source."""
        (ticks,) = struct.unpack("<Q", self.request(Request.INVOKE, b"", timeout_s))
        return int(ticks)

    def profile(self) -> tuple[int, ...]:
        """Ticks of every operator in the last inference. RefusedError BAD_STATE without a run, or without a profile."""
        ticks: list[int] = []
        while True:
            body = self.request(Request.PROFILE, struct.pack("<H", len(ticks)))
            (count,) = struct.unpack_from("<H", body)
            ticks += struct.unpack(f"<{(len(body) - 2) // 8}Q", body[2:])
            if len(ticks) >= count or len(body) < 10:
                return tuple(ticks)

    def read_tensor(self, number: int, nbytes: int) -> bytes:
        """All of tensor `number`."""
        data = b""
        while len(data) < nbytes:
            count = min(MAX_BODY - 1, nbytes - len(data))
            piece = self.request(Request.READ, struct.pack("<BIH", number, len(data), count))
            if len(piece) != count:
                raise DeviceError(f"the device sent {len(piece)} B where {count} were asked for")
            data += piece
        return data


def _pieces(data: bytes, size: int) -> list[tuple[int, bytes]]:
    return [(at, data[at : at + size]) for at in range(0, len(data), size)]


def _text(body: bytes, at: int) -> str:
    return body[at + 1 : at + 1 + body[at]].decode("ascii", "replace") if at < len(body) else ""
