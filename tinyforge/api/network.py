"""From a file to the graph that is compiled and interpreted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tinyforge.ir.graph import Graph


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A model ready to be scheduled. ``sha256``: of the file."""

    path: Path
    sha256: str
    graph: Graph


def read_network(path: Path, io: str) -> Network:
    """Import the ``.tflite`` file and run all passes. ``io``: ``int8`` moves QUANTIZE and DEQUANTIZE at the edges to
    the caller's side, ``float`` keeps them. Raises ModelError."""
    from tinyforge.importers.load import import_model
    from tinyforge.passes.pipeline import optimise

    graph = optimise(import_model(path), io)
    return Network(path, hashlib.sha256(path.read_bytes()).hexdigest(), graph)
