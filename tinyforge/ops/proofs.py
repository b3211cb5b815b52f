"""What is said, in the generated header, about how an operator's arithmetic was shown to be the reference's."""

from __future__ import annotations

from tinyforge.ir.program import Proof
from tinyforge.ops.requant import Rescale

LINE = "line of scaled sums"
SCALED = "line of scaled weights"
SHORT = "Q31 product"
FULL = "the reference's own steps"


def channel_proof(form: str, rescale: Rescale) -> Proof:
    """``form`` for all channels, over the accumulators that weights and bias can reach."""
    return Proof(form, len(rescale.multiplier), int(rescale.acc_lo.min()), int(rescale.acc_hi.max()))
