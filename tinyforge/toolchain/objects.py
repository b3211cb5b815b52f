"""Compiles C sources to objects, two at a time, and keeps them in a cache keyed by everything that matters."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tinyforge.errors import ToolMissing
from tinyforge.paths import cache_dir
from tinyforge.toolchain.compiler import CompileOptions, Compiler
from tinyforge.toolchain.process import run_program

_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*["<]([^">\n]+)[">]', re.MULTILINE)
_PARALLEL = max(1, min(2, os.cpu_count() or 1))
_COMPILE_TIMEOUT_S = 600
_CACHE_LIMIT_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Source:
    """One C source and how to compile it."""

    path: Path
    options: CompileOptions


@dataclass(frozen=True, slots=True)
class ObjectFile:
    """A compiled source. `stack_usage` is the compiler's .su file, None where the driver writes none."""

    source: Path
    path: Path
    stack_usage: Path | None


def compile_sources(compiler: Compiler, sources: Sequence[Source]) -> list[ObjectFile]:
    """Objects of `sources`, in order. Raises ToolMissing with the compiler's messages."""
    with ThreadPoolExecutor(_PARALLEL) as pool:
        return list(pool.map(lambda source: _compile(compiler, source), sources))


def source_key(compiler: Compiler, source: Source) -> str:
    """Hash of compiler, flags, the source, and every header it reaches through the include folders."""
    command = compiler.object_command(Path(source.path.name), Path("o"), source.options)
    includes = {str(folder) for folder in source.options.includes}
    digest = hashlib.sha256(repr((compiler.identity, [_no_path(w, includes) for w in command])).encode())
    for path in _reachable(source):
        data = path.read_bytes()
        digest.update(f"{path.name} {len(data)} ".encode())
        digest.update(data)
    return digest.hexdigest()


def _no_path(word: str, includes: set[str]) -> str:
    """Include folders are keyed by the content of their headers, not by where they are."""
    return "-I" if word[:2] == "-I" and word[2:] in includes else word


def _reachable(source: Source) -> list[Path]:
    """The source and all headers found from it, in order of discovery."""
    found = [source.path]
    seen = {source.path.resolve()}
    for path in found:
        for name in _INCLUDE.findall(path.read_bytes()):
            for folder in (path.parent, *source.options.includes):
                header = folder / name.decode("utf-8", "replace")
                if header.is_file():
                    if header.resolve() not in seen:
                        seen.add(header.resolve())
                        found.append(header)
                    break
    return found


def _compile(compiler: Compiler, source: Source) -> ObjectFile:
    if not source.path.is_file():
        raise ToolMissing(f"{source.path} does not exist; compile the model again")
    folder = cache_dir() / "objects" / source_key(compiler, source)
    output = folder / f"{source.path.stem}.o"
    if not output.is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            _compile_into(compiler, source, Path(temporary) / "new" / output.name)
            _publish(Path(temporary) / "new", folder)
    usage = output.with_suffix(".su")
    return ObjectFile(source.path, output, usage if usage.is_file() else None)


def _compile_into(compiler: Compiler, source: Source, output: Path) -> None:
    output.parent.mkdir()
    command = compiler.object_command(source.path, output, source.options)
    env = {"ZIG_GLOBAL_CACHE_DIR": str(cache_dir() / "zig"), "ZIG_LOCAL_CACHE_DIR": str(cache_dir() / "zig")}
    done = run_program(command, _COMPILE_TIMEOUT_S, env=env)
    if done.code != 0 or not output.is_file():
        raise ToolMissing(f"{source.path.name} does not compile with {compiler.identity}:\n{done.message}")


def _publish(made: Path, folder: Path) -> None:
    """Move a finished entry into the cache; another process may have been faster."""
    try:
        made.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def prune_cache(limit_bytes: int = _CACHE_LIMIT_BYTES) -> int:
    """Remove the oldest entries until the cache is below `limit_bytes`; returns how many went."""
    entries = [path for path in (cache_dir() / "objects").glob("*") if path.is_dir()]
    total = 0
    removed = 0
    for entry in sorted(entries, key=lambda path: path.stat().st_mtime, reverse=True):
        total += sum(file.stat().st_size for file in entry.iterdir())
        if total > limit_bytes:
            shutil.rmtree(entry, ignore_errors=True)
            removed += 1
    return removed
