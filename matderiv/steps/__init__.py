"""How a derivative comes about, step by step, as a lecturer would write it.

    decompose.py   a name for every intermediate value
    page.py        symbols, differentials and cotangents, and what they are as numbers
    laws.py        the laws that steps cite, each declared once
    step.py        one step: both sides as nodes, the law, the text
    derivation.py, differentials.py, backpropagation.py    the two styles

>>> import matderiv as md
>>> steps = md.diff("(<x, w> - y)^2 where y: ()", "w", layout="numerator").steps()
>>> print([step.statement() for step in steps.of()][-1])
∂f/∂w = 2 (xᵀ w - y) xᵀ
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from typing import TYPE_CHECKING

from matderiv.check import CheckReport
from matderiv.errors import DomainError, MatderivError
from matderiv.notation import render
from matderiv.steps.backpropagation import backpropagation
from matderiv.steps.derivation import Derivation
from matderiv.steps.differentials import differential
from matderiv.steps.laws import Law, partial
from matderiv.steps.page import Numbers, Page
from matderiv.steps.step import Step

if TYPE_CHECKING:
    from matderiv.results import Program

__all__ = ["STYLES", "Step", "Steps"]

STYLES = {"backpropagation": backpropagation, "differential": differential}
"""The style -> the steps of a derivation in it."""

_TOLERANCE = 1e-8
_POINTS = 6
_WIDTH = 60


class StepsReport(CheckReport):
    def __str__(self) -> str:
        verdict = "every step checked" if self.passed else "A STEP IS WRONG"
        return f"{verdict} at a random point: max relative error {self.max_relative_error:.0e}"


class Steps:
    """The derivation of the derivatives of a program by some of its inputs, in one layout.

    `of(style)` gives the steps, `text`, `markdown` and `latex` write them down;
    `check` evaluates both sides of every equation.
    """

    def __init__(self, program: Program, names: Sequence[str], layout: str = "mixed") -> None:
        from matderiv.results import differentiate

        self.layout = layout
        self.names = tuple(names)
        derivatives = {
            name: differentiate(program, [(name,)], layout, "auto")[name] for name in names
        }
        self._page = Page(program, self.names)
        self._derivation = Derivation(self._page, derivatives)
        self._made: dict[str, tuple[Step, ...]] = {}

    def of(self, style: str = "backpropagation") -> tuple[Step, ...]:
        """The steps in a style, "backpropagation" or "differential"."""
        if style not in STYLES:
            raise MatderivError(f"there is no style {style!r}; the styles are {', '.join(STYLES)}")
        if style not in self._made:
            self._made[style] = tuple(STYLES[style](self._derivation))
        return self._made[style]

    def points(self, seed: int = 0) -> Iterator[Numbers]:
        """Random points, with what every symbol is there: see `Step.error`."""
        return self._page.numbers(seed)

    def check(self, seed: int = 0) -> StepsReport:
        """Evaluate both sides of every equation of both styles.

        Where they do not agree at a point, a matrix there may be all but singular: a step
        that is wrong is wrong at the next points too.  Raises DomainError where there is
        no point at which every step is finite.
        """
        steps = [step for style in STYLES for step in self.of(style)]
        best: float | None = None
        for numbers in islice(self.points(seed), _POINTS):
            error = max(step.error(numbers) for step in steps)
            best = error if best is None else min(best, error)
            if best <= _TOLERANCE:
                break
        if best is None:
            raise DomainError("no point was found at which every step is finite")
        return StepsReport(best <= _TOLERANCE, best, 1)

    # ---- text ----------------------------------------------------------------------

    def text(self, style: str = "backpropagation") -> str:
        """Numbered equations, each with its shape and law below it."""
        lines = [self._title(style, "unicode")]
        cited: set[Law] = set()
        for section, numbered in self._sections(style):
            lines += ["", section]
            rows = [(f"{n:>3}. {step.statement()}".splitlines(), step) for n, step in numbered]
            width = max((len(row[0]) for row, _ in rows if len(row[0]) <= _WIDTH), default=0)
            for row, step in rows:
                lines.append(f"{row[0].ljust(width)}   {step.shape_text}")
                lines += [f"     {line}" for line in row[1:]]
                if step.entries is not None:
                    lines.append(f"     {step.by_entries()}")
                lines += [f"       {_citation(law, cited, 'unicode')}" for law in step.laws]
        return "\n".join(lines)

    def markdown(self, style: str = "backpropagation") -> str:
        """The same in Markdown with LaTeX formulas."""
        lines = [f"### {self._title(style, 'markdown')}"]
        cited: set[Law] = set()
        for section, numbered in self._sections(style):
            lines += ["", f"**{section}**", ""]
            for number, step in numbered:
                lines.append(f"{number}. ${step.statement('latex')}$  ")
                if step.entries is not None:
                    lines.append(f"   ${step.by_entries('latex')}$  ")
                lines.append(f"   {_aside(step, cited)}")
        return "\n".join(lines)

    def latex(self, style: str = "backpropagation") -> str:
        """The same as a LaTeX list, for a document that loads amsmath and amssymb."""
        lines = [rf"\paragraph{{{self._title(style, 'latex')}}}", r"\begin{enumerate}"]
        cited: set[Law] = set()
        for section, numbered in self._sections(style):
            lines.append(rf"  \item[] \textbf{{{section}}}")
            for number, step in numbered:
                equations = [step.statement("latex")]
                if step.entries is not None:
                    equations.append(step.by_entries("latex"))
                shown = r" \\ ".join(f"$\\displaystyle {equation}$" for equation in equations)
                lines.append(rf"  \item[{number}.] {shown} \\ {_aside(step, cited)}")
        return "\n".join([*lines, r"\end{enumerate}"])

    def __str__(self) -> str:
        return self.text()

    def __len__(self) -> int:
        return len(self.of())

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def _title(self, style: str, format: str) -> str:
        labels = [partial(self._page.root.name, name, 1) for name in self.names]
        if format == "unicode":
            shown = ", ".join(render(label) for label in labels)
        else:
            shown = ", ".join(f"${render(label, 'latex')}$" for label in labels)
        return f"{shown} by {_BY[style]}, in {self.layout} layout"

    def _sections(self, style: str) -> list[tuple[str, list[tuple[int, Step]]]]:
        numbered = list(enumerate(self.of(style), 1))
        return [
            (section, list(group)) for section, group in groupby(numbered, lambda n: n[1].section)
        ]


_BY = {"backpropagation": "backpropagation", "differential": "differentials"}


def _aside(step: Step, cited: set[Law]) -> str:
    """The shape and the laws of a step, for Markdown and LaTeX."""
    laws = [_citation(law, cited, "latex") for law in step.laws]
    return "; ".join([f"shape {step.shape_text}", *laws])


def _citation(law: Law, cited: set[Law], dialect: str) -> str:
    """The name of a law, with its equation where it is cited for the first time."""
    known = law in cited
    cited.add(law)
    return law.title(dialect) if known else law.text(dialect)
