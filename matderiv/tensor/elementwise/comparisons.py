"""Absolute value, sign, and the larger or smaller of two values."""

from __future__ import annotations

import numpy as np

from matderiv.tensor.elementwise.base import elementwise, of

__all__ = ["COMPARISONS"]

COMPARISONS = (
    elementwise(
        "abs",
        lambda y, x: of("sign", x),
        reference=np.abs,
        latex=r"\left|{x}\right|",
        domain="nonzero",
        nonnegative=True,
        weight=1,
        kink="subdifferential [-1, 1] at 0; 0 is taken",
    ),
    elementwise(
        "sign",
        lambda y, x: 0,
        reference=np.sign,
        aliases=("sgn",),
        latex=r"\operatorname{{sign}}({x})",
        domain="nonzero",
        weight=1,
        kink="sign(0) = 0",
    ),
    elementwise(
        "max",
        lambda y, x, z: 1 - of("step", z - x),
        lambda y, x, z: of("step", z - x),
        reference=np.maximum,
        aliases=("maximum",),
        numpy="maximum(x, z)",
        latex=r"\max({x}, {z})",
        weight=1,
        kink="at a tie the gradient goes to the first argument",
    ),
    elementwise(
        "min",
        lambda y, x, z: 1 - of("step", x - z),
        lambda y, x, z: of("step", x - z),
        reference=np.minimum,
        aliases=("minimum",),
        numpy="minimum(x, z)",
        latex=r"\min({x}, {z})",
        weight=1,
        kink="at a tie the gradient goes to the first argument",
    ),
)
