"""The table of elementwise functions: each declared once.

Nothing else in matderiv names a function of this table, except the rewrite rules about
it in `rules.py` and `stable.py`.
"""

from __future__ import annotations

from matderiv.tensor.elementwise.activations import ACTIVATIONS
from matderiv.tensor.elementwise.base import (
    AbstractElementwise,
    Elementwise,
    ElementwiseFunction,
)
from matderiv.tensor.elementwise.comparisons import COMPARISONS
from matderiv.tensor.elementwise.smooth import EXPONENTIAL, NORMAL, TRIGONOMETRIC

__all__ = ["ELEMENTWISE", "AbstractElementwise", "Elementwise", "ElementwiseFunction"]

_FAMILIES = (EXPONENTIAL, TRIGONOMETRIC, NORMAL, ACTIVATIONS, COMPARISONS)

ELEMENTWISE: dict[str, Elementwise] = {
    function.name: function for family in _FAMILIES for function in family
}
if len(ELEMENTWISE) != sum(map(len, _FAMILIES)):
    raise ValueError("an elementwise function is declared twice")
