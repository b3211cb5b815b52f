"""Values at a model's edges: as the file's users know them, and as the compiled network takes and gives them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinyforge.errors import UsageError
from tinyforge.ir.graph import Graph
from tinyforge.ir.types import Array, DType, TensorType
from tinyforge.passes.adapters import from_model, to_model

# The adapters that end in float32 functions, which no two libraries round alike.
INEXACT = frozenset({"softmax", "log_softmax"})


def to_compiled(graph: Graph, index: int, samples: Array) -> Array:
    """Samples (n, *shape) of graph input ``index`` as the compiled network takes them.

    Values that are already in its type pass unchanged. Raises UsageError for another shape or type.
    """
    name = graph.inputs[index]
    kind = graph.tensors[name].type
    adapters = graph.adapters.get(name, ())
    if samples.dtype == kind.dtype.numpy and samples.shape[1:] == kind.shape:
        return samples
    if not adapters or samples.dtype != adapters[0].dtype or samples.shape[1:] != adapters[0].shape:
        shape, dtype = (adapters[0].shape, adapters[0].dtype) if adapters else (kind.shape, kind.dtype.value)
        raise UsageError(
            f"input_{index} ({name}) must be {dtype} of shape (samples, {', '.join(map(str, shape))}), "
            f"given was {samples.dtype} {samples.shape}"
        )
    converted = np.stack([to_model(adapters, sample) for sample in samples])
    return np.ascontiguousarray(converted, kind.dtype.numpy).reshape(len(samples), *kind.shape)


def to_file(graph: Graph, index: int, samples: Array, *, exact: bool = False) -> Array:
    """Samples of graph output ``index`` as users of the file know them; ``exact`` leaves out a final float function."""
    adapters = graph.adapters.get(graph.outputs[index], ())
    if exact:
        adapters = tuple(a for a in adapters if a.kind not in INEXACT)
    return np.stack([from_model(adapters, sample) for sample in samples]) if adapters else samples


def has_inexact_end(graph: Graph, index: int) -> bool:
    """Whether output ``index`` ends in a float function outside the compiled network."""
    return any(adapter.kind in INEXACT for adapter in graph.adapters.get(graph.outputs[index], ()))


def random_inputs(graph: Graph, samples: int, seed: int = 0) -> list[Array]:
    """Inputs as the compiled network takes them: integers over their whole range, floats over the quantised range."""
    rng = np.random.default_rng(seed)
    return [_random(rng, graph.tensors[name].type, samples) for name in graph.inputs]


def _random(rng: np.random.Generator, kind: TensorType, samples: int) -> Array:
    shape = (samples, *kind.shape)
    if kind.dtype is DType.FLOAT32:
        return rng.standard_normal(shape).astype(np.float32)
    lo, hi = (0, 1) if kind.dtype is DType.BOOL else kind.dtype.limits
    return rng.integers(lo, hi, shape, endpoint=True).astype(kind.dtype.numpy)


def load_arrays(path: str, prefix: str, count: int) -> list[Array]:
    """``<prefix>_0`` ... of an ``.npz`` file, all with the same number of samples."""
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [f"{prefix}_{i}" for i in range(count) if f"{prefix}_{i}" not in file]
            if missing:
                raise UsageError(f"{path} has no {missing[0]}; it holds: {', '.join(file.files)}")
            arrays = [file[f"{prefix}_{i}"] for i in range(count)]
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"{path} cannot be read as .npz: {error}") from error
    check_samples(path, arrays)
    return arrays


def check_samples(path: str, arrays: Sequence[Array]) -> None:
    """All arrays need the same number of samples, at least one."""
    counts = {len(a) if a.ndim else 0 for a in arrays}
    if len(counts) != 1 or 0 in counts:
        raise UsageError(f"{path}: every array needs the same number of samples, at least one; found {sorted(counts)}")


def load_labels(path: str | Path, samples: int) -> Array | None:
    """``labels`` of an ``.npz`` file, the classes of its first ``samples`` samples; None where it has none.

    Raises UsageError for labels that are no whole numbers, one a sample.
    """
    with np.load(path, allow_pickle=False) as file:
        if "labels" not in file:
            return None
        labels: Array = file["labels"]
    if labels.ndim != 1 or len(labels) < samples or not np.issubdtype(labels.dtype, np.integer):
        raise UsageError(f"{path}: labels must be whole numbers, one a sample; found {labels.dtype} {labels.shape}")
    first: Array = labels[:samples]
    return first
