"""C identifiers for models, operators and tables."""

from __future__ import annotations

import re

C_TYPES = {
    "int8": "int8_t",
    "uint8": "uint8_t",
    "bool": "uint8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "int64": "int64_t",
    "float32": "float",
}

_RESERVED = {"main", "int", "float", "char", "double", "short", "long", "void", "if", "else", "for", "while", "do"}


def model_prefix(text: str) -> str:
    """A C identifier made from a file or model name: letters, digits and underscores, lower case."""
    name = re.sub(r"[^0-9a-z]+", "_", text.lower()).strip("_") or "model"
    return f"model_{name}" if name[0].isdigit() or name in _RESERVED else name


def op_symbol(prefix: str, index: int, kind: str) -> str:
    """The C function of operator ``index``."""
    return f"{prefix}_op{index:02d}_{kind}"


def table_symbol(prefix: str, index: int, table: str) -> str:
    """The constant array ``table`` of operator ``index``."""
    return f"{prefix}_op{index:02d}_{table}"


def arena_symbol(prefix: str, bank: str = "") -> str:
    """The array of the arena; of its part in ``bank`` where it lies in several."""
    return f"{prefix}_arena_{bank.lower()}" if bank else f"{prefix}_arena"


def arena_macro(guard: str, bank: str = "") -> str:
    """The macro that names that array in code."""
    return f"{guard}_ARENA_{bank.upper()}" if bank else f"{guard}_ARENA"
