"""The verdict on a claim, in the words of a colleague."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np

from matderiv.calculus.layout import LAYOUTS, differential_quotient, layout_axes
from matderiv.errors import DomainError, ShapeError
from matderiv.tensor.dims import shape_text
from matderiv.values import Array
from matderiv.verify.claims import Claim
from matderiv.verify.evidence import Evidence, array_text, gather
from matderiv.verify.factors import MINUS_ONE, Factor, common_ratio, find_factor
from matderiv.verify.views import View, diagonal, symmetric_views, views

if TYPE_CHECKING:
    from matderiv.results import Derivative

__all__ = ["Verdict", "VerifyReport", "verify_claim"]

_TOLERANCE = 1e-8
_CLEAR = 0.05
# Of square matrices, the weakest condition first; of anything else the last one alone.
_CONDITIONS = ("symmetric", "orthogonal", "posdef", "diagonal", "positive")
_MOST_INPUTS = 3  # that a condition is put on at once
_CONDITION_WORDS = {
    "posdef": "symmetric positive definite",
    "positive": "positive in every entry",
}


class Verdict(StrEnum):
    """What is to be said of a claim."""

    RIGHT = "right"
    LAYOUT = "right in another layout"
    TRANSPOSED = "right up to a transpose"
    VEC = "right as a vec form"
    DIAGONAL = "right for the diagonal"
    SIGN = "off by a sign"
    FACTOR = "off by a factor"
    CONDITION = "right under a condition"
    SHAPE = "wrong shape"
    WRONG = "wrong"
    UNCHECKED = "not checked"


_OF_VIEW = {
    "layout": Verdict.LAYOUT,
    "axes": Verdict.TRANSPOSED,
    "vec": Verdict.VEC,
    "diagonal": Verdict.DIAGONAL,
}


@dataclass(frozen=True)
class VerifyReport:
    """The outcome; truthy when the claim is right in the layout asked for.

    verdict  a `Verdict`, which is a string
    message  the answer in a sentence or two
    formula  the engine's own derivative in the layout asked for
    factor   claim = factor · derivative, where they differ by one
    """

    verdict: Verdict
    message: str
    formula: str
    factor: str | None = None

    def __bool__(self) -> bool:
        return self.verdict is Verdict.RIGHT

    def __str__(self) -> str:
        return f"{self.message}\n{self.formula}"

    def _repr_pretty_(self, page: Any, cycle: bool) -> None:
        page.text(str(self))  # what a notebook shows


def verify_claim(derivative: Derivative, formula: str) -> VerifyReport:
    """Hold a formula, a text in the program's names, against a derivative.

    Raises what reading the formula raises, with the caret in the formula, and DomainError
    where no point is found at which both are finite.

    >>> import matderiv as md
    >>> print(verify_claim(md.diff("x' A x", "x"), "2 A x"))
    right only if A is symmetric
    ∂f/∂x = (A + Aᵀ) x
    """
    report = derivative.check()
    if not report:
        return VerifyReport(Verdict.UNCHECKED, str(report), "the derivative is not shown")
    try:
        claim = Claim.read(derivative, formula)
    except ShapeError as error:
        if error.hint is None and len(derivative.shape) < 3:
            error.hint = derivative.to("ascii")
        raise
    evidence = gather(derivative, claim)
    return _Verification(derivative, claim, evidence).report()


class _Verification:
    def __init__(self, derivative: Derivative, claim: Claim, evidence: list[Evidence]) -> None:
        self.derivative = derivative
        self.claim = claim
        self.evidence = evidence
        first = evidence[0]
        every = list(views(derivative))
        self.own = every[0]
        self.fitting = [v for v in every if v.fits(first.claim, claim.row, first.derivative)]

    def report(self) -> VerifyReport:
        for attempt in (self.by_view, self.by_factor, self.by_condition):
            found = attempt()
            if found is not None:
                return found
        if all(view.kind == "diagonal" for view in self.fitting):
            neither = "; nor is it the diagonal" if self.fitting else ""
            return self.answer(Verdict.SHAPE, f"{self.shape_words()}{neither}")
        return self.answer(Verdict.WRONG, self.counterexample())

    def answer(self, verdict: Verdict, message: str, factor: Factor | None = None) -> VerifyReport:
        wrt = self.derivative.wrt
        names = (wrt,) if isinstance(wrt, str) else wrt
        head = differential_quotient(names, "f")
        text = str(self.derivative)
        by_entries = not self.derivative.presentation.is_matrix_form
        link = ": " if by_entries or len(self.derivative.shape) > 2 else " = "
        shown = None if factor is None else str(factor)
        return VerifyReport(verdict, message, f"{head}{link}{text}", shown)

    # ---- the claim is the derivative, somehow arranged -----------------------------

    def by_view(self) -> VerifyReport | None:
        if self.is_zero():
            return self.answer(Verdict.RIGHT, self.right_words())
        for view in self.fitting:
            if _agree(view, self.evidence):
                if view is self.own:
                    return self.answer(Verdict.RIGHT, self.right_words())
                return self.answer(_OF_VIEW[view.kind], f"right {self.arranged(view)}")
        return None

    def is_zero(self) -> bool:
        """Whether the claim is the number 0 and so is the derivative, whatever its shape."""
        return all(
            e.claim.ndim == 0 and not e.claim and not np.any(e.derivative) for e in self.evidence
        )

    def right_words(self) -> str:
        count = len(self.evidence)
        read = (
            f"in {self.derivative.layout} layout" if self.claim.slope is None else "a differential"
        )
        return f"right, {read}, at {count} random points"

    def arranged(self, view: View) -> str:
        if view.kind == "layout" and len(self.derivative.shape) < 3:
            of = "the transpose of the derivative" if self.own.row == view.row else "a row"
            if len(self.derivative.shape) == 1:
                of = "a row" if view.row else "a column"
            return f"{view.words}, where it is {of}; not in {self.derivative.layout} layout"
        if view.kind == "diagonal":
            rest = max(_largest(diagonal(e.derivative)[1]) for e in self.evidence)
            return f"{view.words}; the other entries are {'not ' if rest else ''}0"
        return f"{view.words}; not in {self.derivative.layout} layout"

    # ---- the claim is in proportion to it ------------------------------------------

    def by_factor(self) -> VerifyReport | None:
        for view in self.fitting:
            ratios = self.ratios(view)
            factor = find_factor(ratios, self.scalars()) if ratios else None
            if factor is None:
                continue
            aside = "" if view is self.own else f", {view.words}"
            if factor == MINUS_ONE:
                return self.answer(
                    Verdict.SIGN, f"off by a sign: the claim is minus the derivative{aside}", factor
                )
            message = f"off by a factor: the claim is {factor} times the derivative{aside}"
            if any(name == "f" for name, _ in factor.powers):
                message += ", where f is the value"
            return self.answer(Verdict.FACTOR, message, factor)
        return None

    def ratios(self, view: View) -> list[float] | None:
        """claim / derivative at each point; NaN where both are 0."""
        found = [common_ratio(e.claim, view.of(e.derivative)) for e in self.evidence]
        ratios = [ratio for ratio in found if ratio is not None]
        known = len(ratios) - sum(map(isnan, ratios))
        return ratios if len(ratios) == len(found) and known > 1 else None

    def scalars(self) -> dict[str, list[float]]:
        """Sizes, scalar inputs and a scalar value, at each point."""
        found = {
            name: [float(e.sizes[name]) for e in self.evidence] for name in self.evidence[0].sizes
        }
        program = self.derivative.program
        for name, entry in program.inputs.items():
            if not entry.shape:
                found[name] = [float(e.arrays[name]) for e in self.evidence]
        if not program.shape and "f" not in found:
            found["f"] = [float(e.value) for e in self.evidence]
        return found

    # ---- the claim holds for special inputs ----------------------------------------

    def by_condition(self) -> VerifyReport | None:
        proportional: VerifyReport | None = None
        for conditions in self.conditions():
            try:
                evidence = gather(self.derivative, self.claim, conditions, count=3)
            except DomainError:
                continue
            if proportional is None:
                proportional = self.by_factor_under(conditions, evidence)
            for view in (*self.fitting, *self.structured(conditions)):
                if _agree(view, evidence):
                    words = _condition_words(conditions)
                    aside = "" if view is self.own else f", {view.words}"
                    return self.answer(Verdict.CONDITION, f"right only if {words}{aside}")
        return proportional

    def by_factor_under(
        self, conditions: dict[str, str], evidence: Sequence[Evidence]
    ) -> VerifyReport | None:
        """Off by a number, and that for symmetric matrices alone: x' A x and A x."""
        if set(conditions.values()) != {"symmetric"}:
            return None
        for view in self.fitting:
            ratios = [common_ratio(e.claim, view.of(e.derivative)) for e in evidence]
            known = [ratio for ratio in ratios if ratio is not None]
            factor = find_factor(known, {}) if len(known) == len(ratios) else None
            if factor is not None:
                aside = "" if view is self.own else f", {view.words}"
                message = f"off by a factor: the claim is {factor} times the derivative{aside}"
                message += f", and that only if {_condition_words(conditions)}"
                return self.answer(Verdict.FACTOR, message, factor)
        return None

    def conditions(self) -> Iterator[dict[str, str]]:
        """The fewest inputs first, and of so many the weakest condition first."""
        inputs = self.derivative.program.inputs
        for count in range(1, _MOST_INPUTS + 1):
            for condition in _CONDITIONS:
                able = [
                    name
                    for name, entry in inputs.items()
                    if condition not in entry.attributes
                    and (condition == "positive" or _is_square(entry.shape))
                ]
                for names in combinations(able, count):
                    yield dict.fromkeys(names, condition)

    def structured(self, conditions: dict[str, str]) -> list[View]:
        wrt = self.derivative.wrt
        scalar = not self.derivative.program.shape
        if scalar and isinstance(wrt, str) and conditions.get(wrt) == "symmetric" and self.fitting:
            return list(symmetric_views())
        return []

    # ---- the claim is wrong --------------------------------------------------------

    def shape_words(self) -> str:
        d, program = self.derivative, self.derivative.program
        order = len(program.shape)
        axes = layout_axes(d.layout, order, len(d.shape))
        mixed = [d.shape[k] for k in sorted(range(len(axes)), key=axes.__getitem__)]
        shapes: dict[str, list[str]] = {}
        for layout in LAYOUTS:
            shape = tuple(mixed[k] for k in layout_axes(layout, order, len(mixed)))
            shapes.setdefault(shape_text(shape), []).append(layout)
        if len(shapes) == 1:
            shapes = {shape: ["every"] for shape in shapes}
        there = ", ".join(f"{shape} in {' and '.join(names)}" for shape, names in shapes.items())
        claimed = shape_text(self.claim.program.shape)
        if self.claim.slope is not None:
            own = shape_text(program.shape)
            return f"wrong shape: the claim is a differential of {claimed}, the value has {own}"
        return f"wrong shape: the claim has {claimed}, the derivative has {there} layout"

    def counterexample(self) -> str:
        view = self.fitting[0]
        try:
            points = gather(self.derivative, self.claim, readable=True)
        except DomainError:
            points = self.evidence
        # The first point where nobody can take the difference for rounding.
        clear = [e for e in points if _error(view, e) > _CLEAR]
        point = clear[0] if clear else max(points, key=lambda e: _error(view, e))
        given = ", ".join(f"{name} = {array_text(array)}" for name, array in point.arrays.items())
        functions = self.derivative.program.typed.functions
        aside = f", with smooth functions for {', '.join(functions)}" if functions else ""
        arranged = "" if view is self.own else f" {view.words}"
        both = f"the derivative{arranged} is {array_text(view.of(point.derivative))}"
        other = f"the claim gives {array_text(point.claim)}"
        ratios = self.ratios(view) if point.derivative.ndim else None
        note = " (in proportion, but the factor is not constant)" if ratios else ""
        return f"wrong{note}. At {given}{aside}\n{both},\n{other}"


def _agree(view: View, evidence: Sequence[Evidence]) -> bool:
    return all(_error(view, e) <= _TOLERANCE for e in evidence)


def _error(view: View, evidence: Evidence) -> float:
    """The largest difference over the largest entry."""
    seen, claim = view.of(evidence.derivative), evidence.claim
    if seen.shape != claim.shape:
        return np.inf
    scale = max(_largest(seen), _largest(claim))
    return _largest(seen - claim) / scale if scale else 0.0


def _largest(array: Array) -> float:
    return float(np.max(np.abs(array), initial=0.0))


def _is_square(shape: Sequence[object]) -> bool:
    return len(shape) == 2 and shape[0] == shape[1]


def _condition_words(conditions: dict[str, str]) -> str:
    condition = next(iter(conditions.values()))
    verb = "is" if len(conditions) == 1 else "are"
    words = _CONDITION_WORDS.get(condition, condition)
    *first, last = conditions
    names = f"{', '.join(first)} and {last}" if first else last
    return f"{names} {verb} {words}"
