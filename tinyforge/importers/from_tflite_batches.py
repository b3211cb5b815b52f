"""SPACE_TO_BATCH_ND ... BATCH_TO_SPACE_ND: how converters write dilated convolutions.

The first operator pads a tensor and deals its rows and columns out to block x block batches (its phases), a plain
convolution runs on every phase, the last operator puts them together again and crops. That is the dilated convolution
of the padded tensor, cropped. Here tensors keep batch 1 all along: PAD, operators with dilation, SLICE; passes fold the
padding and the crop into the convolution. A tensor's ``phase`` says how it lies in the file: its block sizes, one a
spatial dimension.
"""

from __future__ import annotations

from dataclasses import replace

from tinyforge.errors import UnsupportedModel
from tinyforge.importers.from_tflite_ops import BUILDERS, MAX_STEP, Operands, Recipe

Phase = tuple[int, ...]

_ELEMENTWISE = frozenset(
    {
        "RELU",
        "RELU6",
        "RELU_N1_TO_1",
        "LEAKY_RELU",
        "HARD_SWISH",
        "GELU",
        "LOGISTIC",
        "TANH",
        "QUANTIZE",
    }
)
_CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})


def space_to_batch(o: Operands) -> tuple[Recipe, Phase]:
    """A PAD with zero points; the dealing out is only noted."""
    shape, block, table = o.x().shape, o.integers(1), o.integers(2)
    spatial = len(shape) - 2
    sound = spatial in (1, 2) and len(block) == spatial and len(table) == 2 * spatial and shape[0] == 1
    if not sound or not all(1 <= b <= MAX_STEP for b in block) or not all(0 <= n <= MAX_STEP for n in table):
        raise UnsupportedModel(f"blocks {list(block)} and paddings {list(table)} make no sense for {list(shape)}")
    pads = tuple(zip(table[::2], table[1::2], strict=True))
    for n, (before, after), b in zip(shape[1:], pads, block, strict=False):
        if (before + n + after) % b:
            raise UnsupportedModel(f"{before} + {n} + {after} is no multiple of the block {b}")
    return Recipe("pad", {"paddings": ((0, 0), *pads, (0, 0)), "value": None}, (0,)), block


def on_phases(o: Operands, phase: Phase) -> tuple[Recipe, Phase | None]:
    """An operator that reads phases as the operator on the whole tensor, and the phase of its output."""
    code = o.op.code
    if code == "BATCH_TO_SPACE_ND":
        return _batch_to_space(o, phase), None
    if code in _CONVOLUTIONS:
        return _dilated(o, phase), phase
    if code in _ELEMENTWISE:
        return BUILDERS[code](o), phase
    if code == "EXPAND_DIMS" and len(phase) == 1:
        axis = o.axis(o.integers(1)[0], 4)
        if axis in (1, 2):
            recipe = BUILDERS[code](o)
            return recipe, ((1, *phase) if axis == 1 else (*phase, 1))
    if code in ("RESHAPE", "SQUEEZE") and len(phase) == 2 and 1 in phase:
        return _squeezed(o, phase)
    raise UnsupportedModel("it works on the pieces of a SPACE_TO_BATCH_ND that is no dilated convolution")


def _dilated(o: Operands, phase: Phase) -> Recipe:
    recipe = BUILDERS[o.op.code](o)
    plain = recipe.attributes | {"stride": (1, 1), "dilation": (1, 1), "padding": (0, 0, 0, 0)}
    if len(phase) != 2 or recipe.attributes != plain:
        raise UnsupportedModel("after a SPACE_TO_BATCH_ND it must have stride 1, no dilation and padding VALID")
    return replace(recipe, attributes=plain | {"dilation": phase})


def _squeezed(o: Operands, phase: Phase) -> tuple[Recipe, Phase]:
    """(phases, 1, W, C) -> (phases, W, C) or the same for a single column."""
    shape = o.x().shape
    gone = 1 if shape[1] == 1 and phase[0] == 1 else 2
    kept = (1, shape[3 - gone], shape[3])
    if shape[gone] != 1 or phase[gone - 1] != 1:
        raise UnsupportedModel("it reshapes the pieces of a SPACE_TO_BATCH_ND")
    if o.op.code == "RESHAPE":
        block = phase[2 - gone]
        wanted = o.integers(1) if o.present(1) else tuple(o.option("NewShape"))
        if wanted[0] not in (-1, block) or tuple(wanted[1:]) != (kept[1] // block, kept[2]):
            raise UnsupportedModel("it reshapes the pieces of a SPACE_TO_BATCH_ND")
    return Recipe("reshape", {"shape": kept}, (0,)), (phase[2 - gone],)


def _batch_to_space(o: Operands, phase: Phase) -> Recipe:
    shape, block, table = o.x().shape, o.integers(1), o.integers(2)
    if tuple(block) != phase or len(table) != 2 * len(phase):
        raise UnsupportedModel(f"its block {list(block)} is not that of the SPACE_TO_BATCH_ND before it, {list(phase)}")
    crops = tuple(zip(table[::2], table[1::2], strict=True))
    sizes = tuple(n - a - b for n, (a, b) in zip(shape[1:], crops, strict=False))
    if min(table) < 0 or min(sizes) < 1:
        raise UnsupportedModel(f"crops {list(table)} make no sense for {list(shape)}")
    begin = (0, *(a for a, _ in crops), 0)
    return Recipe("slice", {"begin": begin, "size": (1, *sizes, shape[-1])}, (0,))
