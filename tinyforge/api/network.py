"""From a file to the graph that is compiled and interpreted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tinyforge.ir.graph import Graph
from tinyforge.ops.base import Op


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A model ready to be scheduled. ``sha256``: of the file. ``macs``: of the network in the file, before the passes
    removed anything."""

    path: Path
    sha256: str
    graph: Graph
    macs: int


def read_network(path: Path, io: str) -> Network:
    """Import the ``.tflite`` file and run all passes. ``io``: ``int8`` moves QUANTIZE and DEQUANTIZE at the edges to
    the caller's side, ``float`` keeps them. Raises ModelError."""
    from tinyforge.importers.load import import_model
    from tinyforge.passes.pipeline import optimise

    imported = import_model(path)
    macs = sum(n.op.macs(imported.ins(n), imported.outs(n)) for n in imported.nodes if isinstance(n.op, Op))
    return Network(path, hashlib.sha256(path.read_bytes()).hexdigest(), optimise(imported, io), macs)
