"""What a plan costs: FLOPs and bytes as formulas in the dimensions.

Counts are those of the steps that generated code executes (rule: `counting.py`).
Polynomials become SymPy expressions only when they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matderiv.program.counting import WEIGHTS
from matderiv.program.memory import Memory
from matderiv.program.operations import Row, operations, phases
from matderiv.program.plan import Plan
from matderiv.program.polynomial import ZERO, Polynomial
from matderiv.program.sizes import checked_sizes
from matderiv.program.steps import Step, executed
from matderiv.tensor.nodes import Number

if TYPE_CHECKING:
    import sympy

    from matderiv.reports.flops import Report

__all__ = ["Cost", "Numbers", "Row"]


@dataclass(frozen=True)
class Numbers:
    """A cost at some sizes; `ratio` is backward over forward."""

    forward: Number
    backward: Number
    derivative: Number
    evaluations: Number
    peak_memory: int
    cache_memory: int

    @property
    def ratio(self) -> float:
        return float(self.backward) / float(self.forward) if self.forward else float("nan")


@dataclass(frozen=True)
class Counts:
    """The polynomials behind a cost."""

    forward: Polynomial
    backward: Polynomial
    derivative: Polynomial
    cache: Polynomial
    peak: Polynomial
    evaluations: Mapping[str, Polynomial]

    def map(self, change: Callable[[Polynomial], Polynomial]) -> Counts:
        return Counts(
            change(self.forward),
            change(self.backward),
            change(self.derivative),
            change(self.cache),
            change(self.peak),
            {name: change(p) for name, p in self.evaluations.items()},
        )


class Cost:
    """FLOPs and memory of the code that a plan stands for.

    plan           the steps that are counted
    forward        FLOPs of the value
    backward       FLOPs of what gradients and derivatives compute beyond it
    derivative     all FLOPs of the function `derivative`
    evaluations    values of transcendental functions computed, by function
    peak_memory    bytes alive at once in `value_and_grad`, inputs not counted: the
                   formula of the step where they are most at `sizes`
    cache_memory   bytes that forward keeps for backward, inputs not counted
    """

    def __init__(self, plan: Plan, counts: Counts | None = None) -> None:
        self.plan = plan
        self._counts = counts or _count(plan)
        self.sizes = dict(plan.sizes)

    @property
    def forward(self) -> sympy.Expr:
        return self._counts.forward.to_sympy()

    @property
    def backward(self) -> sympy.Expr:
        return self._counts.backward.to_sympy()

    @property
    def derivative(self) -> sympy.Expr:
        return self._counts.derivative.to_sympy()

    @property
    def ratio(self) -> sympy.Expr:
        """backward / forward; that of `leading` is its limit for large sizes."""
        import sympy

        return sympy.cancel(self.backward / self.forward) if self.forward != 0 else sympy.nan

    @property
    def cache_memory(self) -> sympy.Expr:
        return self._counts.cache.to_sympy()

    @property
    def peak_memory(self) -> sympy.Expr:
        return self._counts.peak.to_sympy()

    @property
    def evaluations(self) -> dict[str, sympy.Expr]:
        return {name: p.to_sympy() for name, p in self._counts.evaluations.items()}

    def weighted(self, weights: Mapping[str, int] = WEIGHTS) -> sympy.Expr:
        """FLOPs of forward and backward, each function evaluation counted by its weight."""
        parts = [self._counts.forward, self._counts.backward]
        parts += [weights[name] * p for name, p in self._counts.evaluations.items()]
        return Polynomial.total(parts).to_sympy()

    @property
    def polynomials(self) -> Counts:
        """The same counts as `Polynomial`s, without SymPy."""
        return self._counts

    @property
    def leading(self) -> Cost:
        """This cost cut to its terms of highest degree."""
        return Cost(self.plan, self._counts.map(lambda p: p.leading))

    def table(self) -> list[Row]:
        """One row for each operation that costs something."""
        return operations(self.plan)

    def report(
        self, sizes: Mapping[str, int] | None = None, weights: Mapping[str, int] | None = None
    ) -> Report:
        """The table with its totals, to be written as text, Markdown, LaTeX, CSV or JSON."""
        from matderiv.reports.flops import Report

        return Report(self, sizes, weights)

    def at(self, **sizes: int) -> Numbers:
        """The numbers at some sizes; dimensions left out keep the sizes planned for."""
        numbers = {**self.sizes, **checked_sizes(sizes, self.sizes)}
        counts = self._counts
        return Numbers(
            forward=counts.forward.at(numbers),
            backward=counts.backward.at(numbers),
            derivative=counts.derivative.at(numbers),
            evaluations=Polynomial.total(counts.evaluations.values()).at(numbers),
            peak_memory=Memory(self.plan, numbers).peak.bytes,
            cache_memory=int(counts.cache.at(numbers)),
        )

    def _repr_markdown_(self) -> str:
        return self.report().to("markdown")

    def __repr__(self) -> str:
        return f"<Cost forward {self._counts.forward}, backward {self._counts.backward}>"


def _count(plan: Plan) -> Counts:
    new = phases(plan)
    evaluations: dict[str, Polynomial] = {}
    for step in executed(s for steps in new.values() for s in steps):
        if step.evaluations:
            known = evaluations.get(step.function, ZERO)
            evaluations[step.function] = known + step.evaluations
    memory = Memory(plan)
    return Counts(
        forward=_flops(plan.forward),
        backward=_flops([*new["backward"], *new["derivative"]]),
        derivative=_flops(plan.derivative),
        cache=memory.cache,
        peak=memory.peak.polynomial,
        evaluations=evaluations,
    )


def _flops(steps: Iterable[Step]) -> Polynomial:
    return Polynomial.total(step.flops for step in executed(steps))
