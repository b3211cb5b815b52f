"""Flashing through a program of somebody else: what such methods share."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from abc import ABC, abstractmethod

from tinyforge.device.flash.flasher import FlashJob, FlashReport, other_ways
from tinyforge.device.flash.images import flash_content
from tinyforge.errors import DeviceError, ToolMissing, UsageError
from tinyforge.toolchain.process import Completed, run_program

# Erasing 2 MiB takes half a minute on some chips; slow serial lines take minutes.
_TIMEOUT_S = 600
_TAIL_LINES = 6


class CommandFlasher(ABC):
    """Runs one or more commands; the last lines of a failing one are the error.

    name, program, install: as in Flasher. module: Python module the program is, where it is one (it then runs in this
    Python). advice: what to try when it fails. verifies: the commands read back and compare.
    """

    name: str
    program: str
    install: str
    module: str = ""
    advice: str
    verifies: bool = True

    @abstractmethod
    def commands(self, job: FlashJob) -> tuple[tuple[str, ...], ...]:
        """What is run, `program` first."""

    def prepare(self, job: FlashJob) -> None:
        """Write the files the commands read: by default the flash's content as one binary file."""
        path = job.file(".bin")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(flash_content(job.firmware.image().segments, job.board))

    def check(self, job: FlashJob, command: tuple[str, ...], done: Completed) -> str:
        """What is wrong though `command` ended well; empty where nothing is."""
        del job, command, done
        return ""

    def missing(self, job: FlashJob) -> str:
        """The program, where it is not there."""
        del job
        found = importlib.util.find_spec(self.module) if self.module else shutil.which(self.program)
        return "" if found else f"{self.program} was not found"

    def flash(self, job: FlashJob) -> FlashReport:
        """Prepare, run, check."""
        missing = self.missing(job)
        if missing:
            raise ToolMissing(f"{missing}; install it with: {self.install}")
        self.prepare(job)
        commands = self.commands(job)
        for command in commands:
            done = run_program(self._argv(command), _TIMEOUT_S)
            problem = self.check(job, command, done) if done.code == 0 else _last_words(done)
            if problem:
                raise DeviceError(
                    f"{self.program} could not write {job.board.name}: {problem}\n{self.advice}; {other_ways(job)}"
                )
        content = flash_content(job.firmware.image().segments, job.board)
        return FlashReport(self.name, job.board.name, self.target(job), len(content), self.verifies, commands)

    def target(self, job: FlashJob) -> str:
        """Where it went, in words."""
        return f"{job.board.title.split(':')[0]} via {self.program}"

    def _argv(self, command: tuple[str, ...]) -> list[str]:
        if self.module:
            return [sys.executable, "-m", self.module, *command[1:]]
        return list(command)


def _last_words(done: Completed) -> str:
    """The end of both outputs: some tools explain themselves on the wrong one."""
    text = "\n".join(part.decode("utf-8", "replace").strip() for part in (done.stdout, done.stderr) if part.strip())
    lines = [line for line in text.splitlines() if line.strip()]
    return f"exit code {done.code}:\n" + "\n".join(lines[-_TAIL_LINES:])


def need_port(job: FlashJob, what: str) -> str:
    """The job's port. Raises UsageError without one."""
    if job.port is None:
        raise UsageError(f"{job.board.name}: which {what}? give it with --port")
    return job.port
