"""Check a formula that somebody claims for a derivative.

Nothing is compared as text.  The derivative, checked itself first, and the claim are
evaluated at random general points, every size its own, and the claim is held against
the derivative as it stands in each layout, with its axes in any other order, and as the
Jacobian of stacked columns:

    claim = derivative                  right
    claim = derivative elsewhere        right in another layout, transposed, as vec form
    claim = c · derivative              off by a sign, or by a factor (a number times powers
                                        of sizes and of scalars of the program)
    equal where inputs are symmetric …  right under that condition
    otherwise                           wrong, with a point at which to see it
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import permutations
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from matderiv.calculus.layout import LAYOUTS, is_row, layout_axes
from matderiv.claims import Claim, Point, draw_points, show_point
from matderiv.factors import Factor, find_factor
from matderiv.values import Array, shape_text

if TYPE_CHECKING:
    from matderiv.results import Derivative
    from matderiv.tensor.dims import Shape

__all__ = ["Verdict", "VerifyReport", "verify_claim"]

TOLERANCE = 1e-8


class Verdict(StrEnum):
    """What is to be said of a claim, the best first."""

    RIGHT = "right"
    OTHER_LAYOUT = "right in another layout"
    TRANSPOSED = "right up to a transpose"
    VEC = "right as a vec form"
    SIGN = "off by a sign"
    FACTOR = "off by a factor"
    CONDITION = "right only under a condition"
    SHAPE = "wrong shape"
    WRONG = "wrong"
    UNCHECKED = "the derivative failed its own check"


@dataclass(frozen=True)
class VerifyReport:
    """The verdict on a claim; truthy when it is right in the layout asked for.

    verdict  a `Verdict`, which is also a string
    message  the answer in a sentence or two
    formula  the engine's own derivative, in the layout asked for
    factor   claim = factor · derivative, where that is the verdict
    """

    verdict: Verdict
    message: str
    formula: str
    factor: str | None = None

    def __bool__(self) -> bool:
        return self.verdict is Verdict.RIGHT

    def __str__(self) -> str:
        return f"{self.message}\n{self.formula}"


@dataclass(frozen=True)
class View:
    """The derivative as somebody may write it: `of` takes the array in mixed layout."""

    verdict: Verdict
    words: str
    of: Callable[[Array], Array]
    row: bool = False

    def matches(self, value: Array, row: bool, mixed: Array) -> Array | None:
        """The derivative as seen here, where it could be the claim by its shape."""
        seen = self.of(mixed)
        if seen.shape != value.shape or (seen.ndim == 1 and self.row != row):
            return None
        return seen


@dataclass(frozen=True)
class Evidence:
    """A point with both values there."""

    point: Point
    derivative: Array
    claim: Array


def verify_claim(derivative: Derivative, formula: str) -> VerifyReport:
    """Hold a formula, a text in the program's names, against a derivative.

    Raises what reading the formula raises, with the caret in the formula.

    >>> import matderiv as md
    >>> print(verify_claim(md.diff("x' A x", "x"), "2 A x"))
    right only if A is symmetric
    ∂/∂x: (A + Aᵀ) x
    """
    text = f"∂/∂{' ∂'.join(derivative.names)}: {derivative}"
    report = derivative.check()
    if not report:
        return VerifyReport(Verdict.UNCHECKED, str(report), text)
    claim = Claim.read(derivative, formula)
    evidence = _gather(derivative, claim, {})
    views = _views(derivative)
    for verdict, words, factor in (
        _by_view(views, evidence, claim.row),
        _by_factor(views, evidence, claim, derivative),
        _by_condition(views, derivative, claim),
    ):
        if verdict is not None:
            return VerifyReport(verdict, words, text, factor)
    shaped = [v for v in views if v.matches(evidence[0].claim, claim.row, evidence[0].derivative) is not None]
    if not shaped:
        return VerifyReport(Verdict.SHAPE, _shape_words(derivative, claim), text)
    seen = _gather(derivative, claim, {}, whole=True)
    return VerifyReport(Verdict.WRONG, _counterexample(shaped[0], seen, claim.row), text)
