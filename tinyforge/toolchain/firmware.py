"""From a build folder to a linked firmware image for a board."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tinyforge.codegen.build_info import BuildInfo, load_build_info, metadata_dir
from tinyforge.errors import DoesNotFit, ToolMissing, UsageError
from tinyforge.paths import firmware_dir
from tinyforge.target import Board, bsp_sources
from tinyforge.toolchain.compiler import CompileOptions, Compiler
from tinyforge.toolchain.cross import cross_compiler
from tinyforge.toolchain.elf import Image, load_image, object_sizes
from tinyforge.toolchain.glue import linker_script, model_table
from tinyforge.toolchain.harness import Benchmark, benchmark_of, benchmark_table
from tinyforge.toolchain.objects import ObjectFile, Source, compile_sources
from tinyforge.toolchain.process import run_program
from tinyforge.toolchain.stack import StackBound, stack_bound

DEFAULT_OPTIMIZE = "O2"
SIZE_OPTIMIZE = "Oz"
_FIRST_STACK_BYTES = 128
_MIB = 1 << 20
# The protocol's own frames, and one exception frame with FPU registers (26 words) on top of the model's bound.
_FIRMWARE_STACK_BYTES = 640
_LINK_TIMEOUT_S = 120


class FirmwareOverflow(DoesNotFit):
    """Arena, firmware data and stack together are larger than the first SRAM bank. ``firmware_bytes``: what the last
    two take there."""

    def __init__(self, message: str, firmware_bytes: int) -> None:
        super().__init__(message)
        self.firmware_bytes = firmware_bytes


@dataclass(frozen=True, slots=True)
class Firmware:
    """A linked firmware image.

    stack: bound of the model's `invoke`. model_code_bytes, model_constant_bytes: flash of the model's own
    objects. firmware_ram_bytes: static RAM that is neither arena nor stack. banks_linked_bytes: of the model's
    arena in each SRAM bank of the board, by the linker's symbols.
    """

    elf: Path
    info: BuildInfo
    board: Board
    toolchain: str
    compiler: str
    optimize: str
    trace: bool
    stack: StackBound
    model_code_bytes: int
    model_constant_bytes: int
    flash_bytes: int
    stack_region_bytes: int
    banks_linked_bytes: tuple[int, ...]
    firmware_ram_bytes: int

    @property
    def arena_linked_bytes(self) -> int:
        """Of the arena in all banks."""
        return sum(self.banks_linked_bytes)

    def image(self) -> Image:
        """Symbols and bytes of the ELF."""
        return load_image(self.elf)


def build_firmware(
    build_dir: Path,
    board: Board,
    toolchain: str = "zig",
    optimize: str | None = None,
    *,
    trace: bool = False,
    profile: bool = False,
    harness: str | None = None,
    defines: Sequence[str] = (),
) -> Firmware:
    """Compile and link the model of `build_dir` with the firmware for `board`.

    toolchain: `zig` or `gcc`. optimize: level without its dash; default: what the build's objective asks for.
    trace: report every operator's output, profile: count every operator's ticks (slower, other images).
    harness: one of `toolchain.harness.HARNESSES`, whose commands the firmware answers too.
    Raises UsageError for a board without firmware, ToolMissing on compiler errors, DoesNotFit when the image is larger
    than the board's memories.
    """
    _check_has_firmware(board)
    info = load_build_info(build_dir)
    optimize = optimize or optimize_level(info)
    benchmark = benchmark_of(info, harness) if harness else None
    defines = (*defines, *(["TINYFORGE_PROFILE=1"] if profile else []), *(benchmark.defines if benchmark else ()))
    compiler = cross_compiler(board, toolchain)
    folder = _output_folder(build_dir, board, toolchain, optimize, trace, defines)
    options = _options(build_dir, board, optimize, trace, defines)
    (folder / "model_table.c").write_text(model_table(info), encoding="utf-8")
    around = [*_firmware_sources(folder, board, options, trace), *_benchmark_sources(folder, info, benchmark, options)]
    objects = compile_sources(compiler, [*(Source(build_dir / name, options) for name in info.sources), *around])
    elf = folder / f"{info.name}.elf"
    bound, stack_region = _link_all(compiler, objects, elf, info, board)
    sizes = [object_sizes(item.path) for item in objects[: len(info.sources)]]
    linked = _linked(image := load_image(elf), info, board)
    return Firmware(
        elf=elf,
        info=info,
        board=board,
        toolchain=toolchain,
        compiler=compiler.identity,
        optimize=optimize,
        trace=trace,
        stack=bound,
        model_code_bytes=sum(size.code for size in sizes),
        model_constant_bytes=sum(size.constants for size in sizes),
        flash_bytes=image.flash_bytes(),
        stack_region_bytes=stack_region,
        banks_linked_bytes=linked,
        firmware_ram_bytes=image.ram_bytes() - stack_region - sum(linked),
    )


def _link_all(
    compiler: Compiler, objects: Sequence[ObjectFile], elf: Path, info: BuildInfo, board: Board
) -> tuple[StackBound, int]:
    """Links the image with a stack as large as its calls need: (bound of the model's calls, bytes of the stack)."""
    _link(compiler, objects, elf, _roomy(board), _FIRST_STACK_BYTES)
    first = load_image(elf)
    bound = max((stack_bound(first, objects, root) for root in _roots(info)), key=lambda b: b.bytes)
    stack_region = (bound.bytes + _FIRMWARE_STACK_BYTES + 127) // 128 * 128
    _check_main_bank(first, info, board, stack_region)
    _link(compiler, objects, elf, board, stack_region)
    return bound, stack_region


def _check_has_firmware(board: Board) -> None:
    if board.bsp_dir is None:
        raise UsageError(
            f"tinyforge builds no firmware for {board.name}: its C is made for a project of your own; "
            "boards with firmware: tinyforge boards"
        )


def optimize_level(info: BuildInfo) -> str:
    """Optimisation level of the model's C, without its dash."""
    chosen = info.options.get("optimize")
    if isinstance(chosen, str):
        return chosen
    return SIZE_OPTIMIZE if info.options.get("objective") == "size" else DEFAULT_OPTIMIZE


def _roomy(board: Board) -> Board:
    """The board with SRAM banks far larger than they are, one behind the other: what the image needs is measured there
    before it is held against what there is."""
    size = (2 * board.sram_bytes // _MIB + 1) * _MIB
    origin = board.banks[0].origin
    return replace(
        board, banks=tuple(replace(bank, origin=origin + i * size, size=size) for i, bank in enumerate(board.banks))
    )


def _check_main_bank(image: Image, info: BuildInfo, board: Board, stack_bytes: int) -> None:
    """Raises FirmwareOverflow where the first bank cannot hold all that ``image`` (of a roomy board) has there."""
    main = _roomy(board).banks[0]
    used = max((s.address + s.size for s in image.sections if main.origin <= s.address < main.end), default=main.origin)
    arena = _linked(image, info, _roomy(board))[0]
    firmware = used - main.origin - arena - _FIRST_STACK_BYTES + stack_bytes
    size = board.banks[0].size
    if firmware + arena > size:
        raise FirmwareOverflow(
            f"{info.name} does not fit {board.name}: bank {main.name} has {size:,} B, the model keeps {arena:,} B "
            f"there, firmware data and stack {firmware:,} B; try --objective sram, --input rows, --sram "
            f"{size - firmware}, or a board with more: tinyforge boards",
            firmware,
        )


def _linked(image: Image, info: BuildInfo, board: Board) -> tuple[int, ...]:
    """Bytes of the arena in each bank."""
    symbols = {arena.symbol for arena in info.arenas}
    arenas = [s for s in image.symbols if s.name in symbols]
    return tuple(sum(s.size for s in arenas if bank.origin <= s.address < bank.end) for bank in board.banks)


def _roots(info: BuildInfo) -> tuple[str, ...]:
    if info.input_mode == "rows":
        return (f"{info.name}_begin", f"{info.name}_feed_rows", f"{info.name}_end")
    return (f"{info.name}_invoke",)


def _output_folder(
    build_dir: Path, board: Board, toolchain: str, optimize: str, trace: bool, defines: Sequence[str]
) -> Path:
    """Variants other than the default get their own folder, so that none overwrites another."""
    name = f"{board.name}-{toolchain}"
    if optimize != DEFAULT_OPTIMIZE:
        name += f"-{optimize}"
    if trace:
        name += "-trace"
    if defines:
        name += "-" + hashlib.sha256(repr(tuple(defines)).encode()).hexdigest()[:8]
    folder = metadata_dir(build_dir) / "firmware" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _options(build_dir: Path, board: Board, optimize: str, trace: bool, defines: Sequence[str]) -> CompileOptions:
    fixed = (
        f"TFB_CLOCK_HZ={board.clock_hz}u",
        f"TFB_UART_BASE=0x{board.uart.base:08x}u",
        f"TFB_UART_BAUD={board.uart.baud}u",
    )
    return CompileOptions(
        optimize=optimize,
        defines=(*fixed, *(("TINYFORGE_TRACE=1",) if trace else ()), *defines),
        includes=(build_dir, firmware_dir() / "include"),
    )


def _bsp_sources(board: Board, options: CompileOptions) -> list[Source]:
    """The board's own start-up code, which alone sees pins and clock settings."""
    assert board.bsp_dir is not None
    own = replace(options, defines=(*options.defines, *_bsp_defines(board)))
    return [Source(board.bsp_dir / name, own) for name in bsp_sources(board.bsp_dir)]


def _bsp_defines(board: Board) -> list[str]:
    defines = [f"TFB_CLOCK_{name.upper()}={value}u" for name, value in board.settings]
    defines.append(f"TFB_FLASH_WAIT_STATES={board.flash.wait_states}u")
    pins = {"UART_TX": board.uart.tx, "UART_RX": board.uart.rx, "LED": board.led.pin if board.led else None}
    for name, pin in pins.items():
        if pin is not None:
            defines += [f"TFB_{name}_PORT={pin.port}u", f"TFB_{name}_PIN={pin.number}u"]
    if board.led is not None:
        defines.append(f"TFB_LED_ACTIVE_LOW={int(board.led.active_low)}u")
    return [*defines, f"TFB_UART_FUNCTION={board.uart.function}u"]


def _firmware_sources(folder: Path, board: Board, options: CompileOptions, trace: bool) -> list[Source]:
    root = firmware_dir()
    small = replace(options, optimize="Os")
    runtime = replace(options, extra=("-fno-builtin",))
    port = root / "port" / ("rv32" if board.core.is_riscv else "cortex-m")
    return [
        Source(folder / "model_table.c", small),
        Source(port / "startup.c", small),
        Source(port / "cycles.c", small),
        *([Source(root / "port" / "trace.c", small)] if trace else []),
        *_bsp_sources(board, small),
        Source(root / "protocol" / "frame.c", small),
        Source(root / "protocol" / "serve.c", small),
        Source(root / "protocol" / "profile.c", small),
        Source(root / "libc" / "rt.c", runtime),
    ]


def _benchmark_sources(
    folder: Path, info: BuildInfo, benchmark: Benchmark | None, options: CompileOptions
) -> list[Source]:
    if benchmark is None:
        return []
    small = replace(options, optimize="Os")
    (folder / "benchmark.c").write_text(benchmark_table(info, benchmark), encoding="utf-8")
    return [Source(folder / "benchmark.c", small), Source(firmware_dir() / "protocol" / "mlperf_tiny.c", small)]


def _link(compiler: Compiler, objects: Sequence[ObjectFile], elf: Path, board: Board, stack_bytes: int) -> None:
    script = elf.with_suffix(".ld")
    script.write_text(linker_script(board, stack_bytes), encoding="utf-8")
    command = compiler.link_command([item.path for item in objects], elf, script)
    done = run_program(command, _LINK_TIMEOUT_S)
    if done.code == 0:
        return
    if "will not fit in region" in done.message or "overflowed" in done.message:
        raise DoesNotFit(
            f"the firmware does not fit {board.name} ({board.flash_bytes:,} B flash, {board.sram_bytes:,} B SRAM); "
            f"try a smaller model, --objective sram, or a larger board:\n{done.message}"
        )
    raise ToolMissing(f"linking for {board.name} failed with {compiler.identity}:\n{done.message}")
