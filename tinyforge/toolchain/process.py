"""The one place that starts other programs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyforge.errors import TinyforgeError, ToolMissing

_TAIL_CHARS = 4000


@dataclass(frozen=True, slots=True)
class Completed:
    """A finished program: exit code (negative = signal), standard output and standard error as bytes."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def message(self) -> str:
        """The end of standard error (or output, where that is empty) as text."""
        text = (self.stderr or self.stdout).decode("utf-8", "replace").strip()
        return text[-_TAIL_CHARS:]


def run_program(
    argv: Sequence[str | Path],
    timeout_s: float,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
) -> Completed:
    """Run `argv` to its end, whatever its exit code; `env` is added to the environment.

    Raises ToolMissing when the program does not exist or does not end within `timeout_s` seconds.
    """
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env={**os.environ, **env} if env else None,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError as error:
        raise ToolMissing(f"{words[0]} was not found; see: tinyforge doctor") from error
    except subprocess.TimeoutExpired as error:
        raise ToolMissing(f"{Path(words[0]).name} did not end within {timeout_s:.0f} s") from error
    except OSError as error:
        raise ToolMissing(f"{words[0]} cannot be started: {error}") from error
    return Completed(done.returncode, done.stdout, done.stderr)


def start_program(argv: Sequence[str | Path]) -> subprocess.Popen[bytes]:
    """Start a long-running program with piped output; the caller ends it.

    Raises ToolMissing when it cannot be started.
    """
    words = [str(word) for word in argv]
    try:
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:
        raise ToolMissing(f"{words[0]} cannot be started: {error}; see: tinyforge doctor") from error


def run_tool(
    argv: Sequence[str | Path],
    what: str,
    timeout_s: float = 300,
    *,
    env: Mapping[str, str] | None = None,
    error: type[TinyforgeError] = ToolMissing,
) -> Completed:
    """Run `argv`, which must succeed; `what` says in an error what it was for.

    A failure raises `error` with the program's own words.
    """
    done = run_program(argv, timeout_s, env=env)
    if done.code != 0:
        raise error(f"{what}: {Path(str(argv[0])).name} failed with exit code {done.code}:\n{done.message}")
    return done
