"""Runs a model natively on this machine, optionally under sanitizers."""

from __future__ import annotations

import hashlib
import re
import struct
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tinyforge.codegen.build_info import BuildInfo, load_build_info, metadata_dir
from tinyforge.device.result import Array, Progress, RunResult, TraceBuffer, highest, pack_samples, unpack_outputs
from tinyforge.errors import DeviceError
from tinyforge.paths import firmware_dir
from tinyforge.toolchain.compiler import CompileOptions
from tinyforge.toolchain.cores import cores
from tinyforge.toolchain.glue import model_table
from tinyforge.toolchain.native import native_compiler
from tinyforge.toolchain.objects import Source, compile_sources
from tinyforge.toolchain.process import run_program, run_tool

PAINTS = (0xA5, 0x5A)
PART = 100
"""Samples one process runs; as many work at once as there are cores."""
_TIMEOUT_S = 600
_REPORT = re.compile(r"^.*(runtime error:|ERROR: AddressSanitizer|panic:).*$", re.MULTILINE)
_FRAME = re.compile(r"^\s*#\d+ 0x[0-9a-f]+ in (\S+) (\S+)$", re.MULTILINE)
_RECORD = struct.Struct("<5i")


@dataclass(frozen=True, slots=True)
class HostProgram:
    """A native executable of a model with the harness of firmware/host."""

    path: Path
    info: BuildInfo
    compiler: str
    sanitize: bool
    trace: bool


def build_host(
    build_dir: Path,
    compiler: str = "auto",
    *,
    sanitize: bool = False,
    trace: bool = False,
    optimize: str = "O2",
    defines: Sequence[str] = (),
) -> HostProgram:
    """Compile the model of `build_dir` for this machine.

    compiler: `auto`, `gcc`, `clang`, `cc` or `zig`. Raises ToolMissing with the compiler's messages.
    """
    info = load_build_info(build_dir)
    driver = native_compiler(compiler, sanitize)
    flags = (sanitize, trace, optimize, tuple(defines))
    folder = metadata_dir(build_dir) / "host" / f"{driver.name}-{hashlib.sha256(repr(flags).encode()).hexdigest()[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "model_table.c"
    table.write_text(model_table(info), encoding="utf-8")
    options = CompileOptions(
        optimize="O1" if sanitize else optimize,
        defines=(*(("TINYFORGE_TRACE=1",) if trace else ()), *defines),
        includes=(build_dir, firmware_dir() / "include"),
    )
    paths = [*(build_dir / name for name in info.sources), table, firmware_dir() / "host" / "host_main.c"]
    objects = compile_sources(driver, [Source(path, options) for path in paths])
    program = folder / "host_main"
    run_tool(driver.link_command([item.path for item in objects], program, None), "linking for this machine")
    return HostProgram(program, info, driver.identity, sanitize, trace)


def run_host(
    build_dir: Path,
    inputs: Sequence[Array],
    compiler: str = "auto",
    *,
    sanitize: bool = False,
    trace: bool = False,
    optimize: str = "O2",
    defines: Sequence[str] = (),
    progress: Progress | None = None,
) -> RunResult:
    """Build for this machine and run every sample of `inputs` (one array a model input, (samples, *shape)).

    progress: called with (samples done, samples). Raises DeviceError when the program crashes, with the sanitizer's
    line where there is one.
    """
    program = build_host(build_dir, compiler, sanitize=sanitize, trace=trace, optimize=optimize, defines=defines)
    return run_host_program(program, inputs, progress)


def run_host_program(program: HostProgram, inputs: Sequence[Array], progress: Progress | None = None) -> RunResult:
    """Run every sample, the first ones over a second arena paint too, so that no written byte can look untouched."""
    samples = pack_samples(program.info, inputs)
    traces = TraceBuffer(program.info, len(samples)) if program.trace else None
    # A trace numbers its samples from the first of its process.
    size = PART if traces is None else max(1, len(samples))
    parts = [samples[first : first + size] for first in range(0, max(1, len(samples)), size)]
    raw: list[list[bytes]] = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(cores()) as pool:
        trace_file = Path(folder) / "trace" if traces is not None else None
        again = pool.submit(_execute, program, parts[0], PAINTS[1], None)
        marks = []
        for outputs, used in pool.map(lambda part: _execute(program, part, PAINTS[0], trace_file), parts):
            raw += outputs
            marks.append(used)
            if progress is not None:
                progress(len(raw), len(samples))
        marks.append(again.result()[1])
        if traces is not None and trace_file is not None:
            _read_trace(trace_file.read_bytes(), traces)
    return RunResult(
        runner="host-sanitized" if program.sanitize else "host",
        compiler=program.compiler,
        outputs=unpack_outputs(program.info, raw),
        samples=len(samples),
        arenas_high_water_bytes=highest(marks),
        traces=traces.arrays() if traces is not None else {},
    )


def _execute(
    program: HostProgram, part: Sequence[Sequence[bytes]], paint: int, trace_file: Path | None
) -> tuple[list[list[bytes]], tuple[int, ...]]:
    """Outputs [sample][output], and the high water of each part of the arena."""
    count, stdin = len(part), b"".join(data for sample in part for data in sample)
    argv: list[str | Path] = [program.path, str(count), str(paint), *([trace_file] if trace_file is not None else [])]
    done = run_program(
        argv, _TIMEOUT_S, stdin=stdin, env={"ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1"}
    )
    if done.code != 0:
        raise DeviceError(_crash_message(program.info.name, done.code, done.message))
    sizes = [tensor.nbytes for tensor in program.info.outputs]
    parts = len(program.info.arenas)
    if len(done.stdout) != count * sum(sizes) + 4 * parts:
        raise DeviceError(f"{program.info.name}: the native program wrote {len(done.stdout)} B of results, too few")
    at = 0
    samples = []
    for _ in range(count):
        sample = []
        for size in sizes:
            sample.append(done.stdout[at : at + size])
            at += size
        samples.append(sample)
    return samples, struct.unpack_from(f"<{parts}I", done.stdout, at)


def _crash_message(name: str, code: int, stderr: str) -> str:
    report = _REPORT.search(stderr)
    if report is None:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"{name}: the native program ended with {how}: {stderr[-500:] or 'no message'}"
    frames = [f"{name} {place}" for name, place in _FRAME.findall(stderr) if not name.startswith("__")]
    place = f" in {frames[0]}" if frames else ""
    return f"{name}: the native program is wrong: {report.group(0).strip()}{place}"


def _read_trace(data: bytes, traces: TraceBuffer) -> None:
    at = 0
    while at + _RECORD.size <= len(data):
        sample, op, output, offset, size = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        traces.add(sample, op, output, offset, data[at : at + size])
        at += size
