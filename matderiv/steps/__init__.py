"""How a derivative comes about, step by step, as a lecturer would write it.

    decompose.py   a name for every intermediate value
    page.py        symbols, differentials and cotangents, and what they are as numbers
    laws.py        the laws that steps cite, each declared once
    step.py        one step: both sides as nodes, the law, the text
    derivation.py, differentials.py, backpropagation.py    the two styles
    stage.py       one derivation for each order, one after the other

>>> import matderiv as md
>>> steps = md.diff("(<x, w> - y)^2 where y: ()", "w", layout="numerator").steps()
>>> print([step.statement() for step in steps.of()][-1])
∂f/∂w = 2 (xᵀ w - y) xᵀ
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING

from matderiv.check import CheckReport
from matderiv.errors import DomainError, MatderivError
from matderiv.notation import render
from matderiv.steps.laws import Law
from matderiv.steps.stage import STYLES, TOLERANCE, stages
from matderiv.steps.step import Step

if TYPE_CHECKING:
    from matderiv.results import Derivative

__all__ = ["STYLES", "Step", "Steps"]

_WIDTH = 60


class StepsReport(CheckReport):
    def __str__(self) -> str:
        verdict = "every step checked" if self.passed else "A STEP IS WRONG"
        return f"{verdict} at a random point: max relative error {self.max_relative_error:.0e}"


class Steps:
    """The derivation of derivatives of a program, in one layout.

    `of(style)` gives the steps, `text`, `markdown` and `latex` write them down;
    `check` evaluates both sides of every equation.  A derivative of higher order comes in
    `stages`: the first one is derived, named, and differentiated again.
    """

    def __init__(self, derivatives: Iterable[Derivative]) -> None:
        self.derivatives = tuple(derivatives)
        self.layout = self.derivatives[0].layout
        self.stages = stages(self.derivatives)

    def __repr__(self) -> str:
        names = ", ".join(str(derivative.wrt) for derivative in self.derivatives)
        return f"<Steps to the derivative by {names}>"

    def of(self, style: str = "backpropagation") -> tuple[Step, ...]:
        """The steps in a style, "backpropagation" or "differential"."""
        if style not in STYLES:
            raise MatderivError(f"there is no style {style!r}; the styles are {', '.join(STYLES)}")
        return tuple(step for stage in self.stages for step in stage.of(style))

    def check(self, seed: int = 0) -> StepsReport:
        """Evaluate both sides of every equation of both styles at random points.

        Raises DomainError where there is no point at which every step is finite.
        """
        errors = [stage.error(seed) for stage in self.stages]
        if None in errors:
            raise DomainError("no point was found at which every step is finite")
        worst = max(error for error in errors if error is not None)
        return StepsReport(worst <= TOLERANCE, worst, 1)

    # ---- text ----------------------------------------------------------------------

    def text(self, style: str = "backpropagation") -> str:
        """Numbered equations, each with its shape and law below it."""
        lines = [self._title(style, "unicode")]
        cited: set[Law] = set()
        for section, numbered in self._sections(style):
            lines += ["", section]
            rows = [(f"{n:>3}. {step.statement()}".splitlines(), step) for n, step in numbered]
            width = max((len(row[0]) for row, _ in rows if len(row[0]) <= _WIDTH), default=0)
            shaped = max(len(step.shape_text) for _, step in rows)
            for row, step in rows:
                line = f"{row[0].ljust(width)}   {step.shape_text:{shaped}}   {step.flops_text()}"
                lines.append(line.rstrip())
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
        # Of stages one after the other the last has what was asked for.
        asked = self.stages[-1:] if self.stages[-1].heading else self.stages
        labels = [label for stage in asked for label in stage.labels]
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
    """The shape, the FLOPs and the laws of a step, for Markdown and LaTeX."""
    laws = [_citation(law, cited, "latex") for law in step.laws]
    return "; ".join(filter(None, [f"shape {step.shape_text}", step.flops_text("latex"), *laws]))


def _citation(law: Law, cited: set[Law], dialect: str) -> str:
    """The name of a law, with its equation where it is cited for the first time."""
    known = law in cited
    cited.add(law)
    return law.title(dialect) if known else law.text(dialect)
