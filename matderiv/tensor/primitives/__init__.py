"""The table of primitives that are not elementwise: each declared once.

`base.py` says what a declaration holds; the families are

    inverses    inv, det, logdet, pinv
    axes        softmax, log_softmax, logsumexp, max, min, onehot_max
    functions   expm and its derivatives, sqrtm, sylvester, chol
    singular    norm_nuclear, polar, norm_op, leading_dyad
    structure   reshape, select, tril, half_tril; the constants pi and e
"""

from __future__ import annotations

from matderiv.tensor.primitives.axes import AXES
from matderiv.tensor.primitives.base import (
    ARGUMENTS,
    AbstractFunction,
    Primitive,
    PrimitiveFunction,
)
from matderiv.tensor.primitives.functions import MATRIX_FUNCTIONS
from matderiv.tensor.primitives.inverses import INVERSES
from matderiv.tensor.primitives.singular import SINGULAR
from matderiv.tensor.primitives.structure import CONSTANTS, STRUCTURE

__all__ = ["ARGUMENTS", "PRIMITIVES", "AbstractFunction", "Primitive", "PrimitiveFunction"]

_FAMILIES = (INVERSES, AXES, MATRIX_FUNCTIONS, SINGULAR, STRUCTURE, CONSTANTS)

PRIMITIVES: dict[str, Primitive] = {entry.name: entry for family in _FAMILIES for entry in family}
if len(PRIMITIVES) != sum(map(len, _FAMILIES)):
    raise ValueError("a primitive is declared twice")
