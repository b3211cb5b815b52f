"""The protocol on a clean line, on a terrible one, and against hostile bytes."""

from __future__ import annotations

import random
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.board.bad_line import BadLine
from tests.toy_build import toy_expected, toy_inputs, write_toy_build
from tinyforge.codegen.build_info import load_build_info
from tinyforge.device.client import DeviceClient, RefusedError, Request, Status
from tinyforge.device.emulate.process import booted
from tinyforge.device.flash import flash_firmware
from tinyforge.device.frames import MAX_BODY, Frame, FrameReader, cobs_decode, cobs_encode, encode_frame
from tinyforge.device.session import run_client
from tinyforge.device.transport import SerialTransport
from tinyforge.errors import DeviceError
from tinyforge.paths import firmware_dir
from tinyforge.target import load_board
from tinyforge.toolchain.compiler import CompileOptions
from tinyforge.toolchain.firmware import build_firmware
from tinyforge.toolchain.glue import model_table
from tinyforge.toolchain.native import native_compiler
from tinyforge.toolchain.objects import Source, compile_sources
from tinyforge.toolchain.process import run_program, run_tool

INPUTS = toy_inputs(4)


@given(st.binary(max_size=900))
def test_cobs_round_trip(data: bytes) -> None:
    encoded = cobs_encode(data)
    assert 0 not in encoded
    assert len(encoded) <= len(data) + len(data) // 254 + 1
    assert cobs_decode(encoded) == data


@given(st.binary(max_size=300))
def test_cobs_decodes_anything(data: bytes) -> None:
    cobs_decode(data)


@given(st.integers(0, 255), st.integers(0, 65535), st.binary(max_size=MAX_BODY), st.binary(max_size=40))
def test_frames_are_found_behind_garbage(kind: int, seq: int, body: bytes, garbage: bytes) -> None:
    frame = Frame(kind, seq, body)
    assert FrameReader().push(garbage + b"\0" + encode_frame(frame))[-1] == frame


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    build = write_toy_build(tmp_path_factory.mktemp("toy"))
    report = flash_firmware(build_firmware(build, load_board("emulated_m4")))
    with booted(load_board("emulated_m4"), Path(report.target)) as url:
        yield url


@pytest.fixture
def client(port: str) -> Iterator[DeviceClient]:
    client = DeviceClient(SerialTransport(port))
    client.hello()
    yield client
    client.close()


def test_device_describes_itself(client: DeviceClient) -> None:
    hello = client.hello()
    assert (hello.name, hello.inputs, hello.outputs, hello.rows) == ("toy", 1, 1, 0)
    tensor = client.tensor(0)
    assert (tensor.name, tensor.dtype, tensor.shape) == ("in", "int8", (1, 8, 8, 2))
    assert (tensor.scale, tensor.zero_point) == (0.5, -3)
    assert client.memory().arena == 260


@pytest.mark.parametrize("size", [0, 1, 253, 254, 255, MAX_BODY - 1])
def test_echo(client: DeviceClient, size: int) -> None:
    data = bytes(i % 256 for i in range(size))
    assert client.echo(data) == data


@pytest.mark.parametrize(
    "request_kind, body, status",
    [
        (Request.WRITE, struct.pack("<BI", 0, 0xFFFFFFF0) + bytes(16), Status.BAD_RANGE),
        (Request.WRITE, struct.pack("<BI", 0, 120) + bytes(9), Status.BAD_RANGE),
        (Request.WRITE, struct.pack("<BI", 1, 0) + bytes(1), Status.BAD_TENSOR),
        (Request.WRITE, b"\0", Status.BAD_LENGTH),
        (Request.READ, struct.pack("<BIH", 1, 3, 2), Status.BAD_RANGE),
        (Request.READ, struct.pack("<BIH", 9, 0, 1), Status.BAD_TENSOR),
        (Request.READ, struct.pack("<BIH", 1, 0, 4), Status.BAD_STATE),
        (Request.INVOKE, b"", Status.BAD_STATE),
        (Request.FEED, struct.pack("<I", 0) + b"x", Status.BAD_STATE),
        (Request.TENSOR, b"\x07", Status.BAD_TENSOR),
        (Request.PROFILE, b"", Status.BAD_LENGTH),
        (Request.PROFILE, b"\0\0", Status.BAD_STATE),
    ],
)
def test_requests_that_make_no_sense(client: DeviceClient, request_kind: Request, body: bytes, status: Status) -> None:
    with pytest.raises(RefusedError) as refused:
        client.request(request_kind, body)
    assert refused.value.status == status


def test_a_repeated_invoke_does_not_run_again(port: str) -> None:
    """The answer is lost, the request comes again: the outputs must be those of the first run."""
    transport = SerialTransport(port)
    client = DeviceClient(transport)
    client.hello()
    client.write_input(0, INPUTS[0].tobytes())
    ticks = client.invoke()
    again = encode_frame(Frame(Request.INVOKE, client._seq, b""))
    transport.write(again)
    reader = FrameReader()
    frames: list[Frame] = []
    while not frames:
        frames = reader.push(transport.read(2.0))
    assert frames[0].body == struct.pack("<BQ", 0, ticks)
    assert client.read_tensor(1, 4) == toy_expected(INPUTS[:1]).tobytes()
    client.close()


@pytest.mark.parametrize("seed", range(10))
def test_bad_lines_cost_time_and_nothing_else(port: str, tmp_path: Path, seed: int) -> None:
    info = load_build_info(write_toy_build(tmp_path / "toy"))
    line = BadLine(SerialTransport(port), random.Random(seed), rate=0.003)
    client = DeviceClient(line, reply_s=0.1, attempts=300)
    inputs = toy_inputs(15, seed)
    result = run_client(client, info, [inputs])
    np.testing.assert_array_equal(result.outputs[0], toy_expected(inputs))
    assert client.resent > 0
    client.close()


def test_garbage_then_work(port: str) -> None:
    transport = SerialTransport(port)
    chaos = random.Random(1)
    for _ in range(20):
        transport.write(chaos.randbytes(chaos.randrange(1, 1500)))
        transport.write(b"\0\xa5" + bytes(chaos.randrange(1, 256) for _ in range(1500)))
    client = DeviceClient(transport)
    assert client.hello().name == "toy"
    stats = client.stats()
    assert stats.damaged > 0
    assert stats.too_long > 0
    client.close()


def test_another_model_is_noticed(port: str, tmp_path: Path) -> None:
    build = write_toy_build(tmp_path / "toy")
    path = build / ".tinyforge" / "build.json"
    path.write_text(path.read_text().replace("0123456789abcdef", "fedcba9876543210"))
    client = DeviceClient(SerialTransport(port))
    with pytest.raises(DeviceError, match=r"the board holds toy 0123456789ab, this build is toy fedcba987654"):
        run_client(client, load_build_info(build), [INPUTS])
    client.close()


def test_silence_is_told() -> None:
    class Silent:
        def write(self, data: bytes) -> None: ...

        def read(self, timeout_s: float) -> bytes:
            del timeout_s
            return b""

        def close(self) -> None: ...

    with pytest.raises(DeviceError, match="does not answer HELLO"):
        DeviceClient(Silent(), reply_s=0.001, attempts=3).hello()


def test_faults_are_told(tmp_path: Path) -> None:
    build = write_toy_build(tmp_path / "toy", bug="wild")
    board = load_board("emulated_m4")
    report = flash_firmware(build_firmware(build, board))
    with booted(board, Path(report.target)) as url:
        client = DeviceClient(SerialTransport(url))
        with pytest.raises(DeviceError, match=r"the firmware stopped: FAULT pc=.*0x3ffffff0"):
            run_client(client, load_build_info(build), [INPUTS])
        client.close()


def native_server(folder: Path, *, rows: bool) -> Path:
    """The server of the firmware as a native program, sanitized where the compiler can."""
    build = write_toy_build(folder / "toy", rows=rows)
    table = folder / "model_table.c"
    table.write_text(model_table(load_build_info(build)))
    root = firmware_dir()
    options = CompileOptions("O1", includes=(build, root / "include"))
    compiler = native_compiler("auto", sanitize=shutil.which("gcc") is not None)
    sources = [
        build / "toy.c",
        build / "toy_weights.c",
        table,
        root / "protocol" / "frame.c",
        root / "protocol" / "serve.c",
        root / "protocol" / "profile.c",
        root / "tests" / "serve_stdin.c",
    ]
    objects = compile_sources(compiler, [Source(source, options) for source in sources])
    program = folder / "serve"
    run_tool(compiler.link_command([item.path for item in objects], program, None), "linking")
    return program


def hostile_traffic(chaos: random.Random, frames: int) -> bytes:
    """Right frames with wild bodies, right frames damaged, and plain garbage."""
    out = bytearray()
    for seq in range(frames):
        kind = chaos.choice([*Request, 0, 77, 255])
        body = chaos.randbytes(chaos.choice([0, 1, 4, 5, 6, 7, 8, 20, 133, MAX_BODY, MAX_BODY + 40]))
        if chaos.random() < 0.6:
            offset = chaos.choice([0, 1, 64, 127, 128, 129, 2**31, 2**32 - 16, 2**32 - 1])
            tensor = chaos.choice([0, 0, 0, 1, 2, 255])
            body = struct.pack("<BI", tensor, offset) + body[: chaos.choice([0, 2, 128])]
        encoded = bytearray(encode_frame(Frame(kind, seq & 0xFFFF, body)))
        if chaos.random() < 0.3:
            encoded[chaos.randrange(len(encoded))] ^= 1 << chaos.randrange(8)
        if chaos.random() < 0.1:
            del encoded[chaos.randrange(len(encoded)) :]
        out += encoded
        if chaos.random() < 0.1:
            out += chaos.randbytes(chaos.randrange(600))
    return bytes(out)


@pytest.mark.parametrize("rows", [False, True], ids=["whole", "rows"])
def test_server_survives_hostile_bytes_under_sanitizers(tmp_path: Path, rows: bool) -> None:
    program = native_server(tmp_path, rows=rows)
    chaos = random.Random(7)
    feed = Request.FEED if rows else Request.WRITE
    head = struct.pack("<I", 0) if rows else struct.pack("<BI", 0, 0)
    work = [(Request.HELLO, b""), (feed, head + INPUTS[0].tobytes()), (Request.INVOKE, b"")]
    work.append((Request.READ, struct.pack("<BIH", 1, 0, 4)))
    finale = b"\0".join(encode_frame(Frame(kind, i, body)) for i, (kind, body) in enumerate(work))
    done = run_program([program], 120, stdin=hostile_traffic(chaos, 4000) + b"\0" + finale)
    assert done.code == 0, done.message
    answers = FrameReader().push(done.stdout)
    assert len(answers) > 2000
    assert answers[-1].body == b"\0" + toy_expected(INPUTS[:1]).tobytes()
