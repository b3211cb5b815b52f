"""Every error tinyforge raises for a user, with the exit code the CLI ends with.

    TinyforgeError            1  internal
    |- UsageError             2  wrong option or argument
    |- ModelError             3  malformed model file
    |  `- UnsupportedModel    3  well-formed, but uses something tinyforge cannot compile
    |- DoesNotFit             4  no schedule meets the SRAM, flash or MAC limit
    |- ToolMissing            5  a compiler, emulator or flasher is not installed or failed
    `- DeviceError            6  a board or emulator does not answer, faults or answers wrongly

A message says what, where, the limit and what to try; the CLI prints it on one line and nothing else.
"""

from __future__ import annotations


class TinyforgeError(Exception):
    """Base of all errors meant for the user."""

    exit_code = 1


class UsageError(TinyforgeError):
    """A command line or API argument that makes no sense."""

    exit_code = 2


class ModelError(TinyforgeError):
    """A model file that is malformed."""

    exit_code = 3


class UnsupportedModel(ModelError):
    """A well-formed model that needs something tinyforge does not have."""


class DoesNotFit(TinyforgeError):
    """The model cannot meet the memory, flash or compute limit."""

    exit_code = 4


class ToolMissing(TinyforgeError):
    """An external tool is missing or failed."""

    exit_code = 5


class DeviceError(TinyforgeError):
    """A board, emulator or serial line failed."""

    exit_code = 6
