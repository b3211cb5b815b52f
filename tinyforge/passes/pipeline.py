"""The list of passes, in order. ``optimise`` is what compilation runs on an imported graph."""

from __future__ import annotations

from collections.abc import Callable

from tinyforge.errors import UsageError
from tinyforge.ir.graph import Graph
from tinyforge.passes.activations import fuse_activations
from tinyforge.passes.constants import fold_constants
from tinyforge.passes.crops import fold_crops
from tinyforge.passes.dead_channels import drop_dead_channels
from tinyforge.passes.edges import strip_edges
from tinyforge.passes.noops import drop_noops, drop_noops_at_outputs, join_reshapes
from tinyforge.passes.one_channel import widen_one_channel
from tinyforge.passes.padding import fold_pad
from tinyforge.passes.reshapes import sink_reshapes
from tinyforge.passes.rewrite import drop_unread
from tinyforge.passes.transposes import sink_transposes
from tinyforge.passes.upsampling import find_upsampling
from tinyforge.passes.verify import verify

Pass = Callable[[Graph], Graph]

PASSES: tuple[tuple[str, Pass], ...] = (
    ("drop_unread", drop_unread),
    ("fold_constants", fold_constants),
    ("strip_edges", strip_edges),
    ("sink_transposes", sink_transposes),
    ("find_upsampling", find_upsampling),
    ("sink_reshapes", sink_reshapes),
    ("join_sunk_reshapes", join_reshapes),
    ("drop_sunk_reshapes", drop_noops),
    ("widen_one_channel", widen_one_channel),
    ("fold_pad", fold_pad),
    ("fold_crops", fold_crops),
    ("fuse_activations", fuse_activations),
    ("join_reshapes", join_reshapes),
    ("drop_noops", drop_noops),
    ("drop_noops_at_outputs", drop_noops_at_outputs),
    ("drop_dead_channels", drop_dead_channels),
)


def optimise(graph: Graph, io: str = "int8") -> Graph:
    """Runs all passes, verifying the graph before and after each. ``io``: "int8" leaves QUANTIZE and DEQUANTIZE at
    float32 and int16 edges to the caller (adapters), "float" keeps them in the compiled network."""
    if io not in ("int8", "float"):
        raise UsageError(f"io is {io!r}; choose int8 or float")
    graph = verify(graph, "import")
    for name, run in PASSES:
        if name == "strip_edges" and io == "float":
            continue
        graph = verify(run(graph), name)
    return graph
