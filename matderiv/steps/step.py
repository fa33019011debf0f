"""One step of a derivation: an equation between two values, and the law it follows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from matderiv.notation import Presentation, render
from matderiv.notation.dialects import DIALECTS
from matderiv.notation.terms import Entry, Term
from matderiv.steps.laws import Law
from matderiv.steps.page import Numbers
from matderiv.tensor.dims import Shape
from matderiv.tensor.nodes import Node
from matderiv.values import Array, shape_text

__all__ = ["Step"]


@dataclass(frozen=True)
class Step:
    """label = through = right.

    label    the left side as it is written: a, da, δa, ∂f/∂a
    through  a product of derivatives on the way, by the chain rule
    left     what the label means, without the derivation: see `Page`
    right    what the step says it is, over symbols of the page
    shown    the right side as it is printed, by its entries where no matrix notation fits
    row      whether the right side is a vector written as a row
    hidden   names that the page has defined, so that no line below repeats them
    """

    section: str
    label: Term
    through: Term | None
    left: Node
    right: Node
    shown: Presentation
    laws: tuple[Law, ...]
    row: bool = False
    entries: Presentation | None = None
    hidden: Collection[str] = ()

    @property
    def shape(self) -> Shape:
        return self.right.shape

    @property
    def shape_text(self) -> str:
        return shape_text(self.shape) + (", a row" if self.row else "")

    def error(self, numbers: Numbers) -> float:
        """The largest difference of both sides, over the largest entry."""
        left, right = numbers.of(self.left), numbers.of(self.right)
        scale = max(_largest(left), _largest(right))
        return _largest(left - right) / scale if scale else 0.0

    def statement(self, dialect: str = "unicode") -> str:
        """The equation, with the lines that name its parts."""
        line = self.shown.line
        by_entries = dialect != "ascii" and line.entry is not None
        sides = [render(Entry(self.label, line.indices) if by_entries else self.label, dialect)]
        if self.through is not None:
            sides.append(render(self.through, dialect))
        return DIALECTS[dialect].equals.join([*sides, self.right_side(dialect)])

    def right_side(self, dialect: str = "unicode") -> str:
        table, names = DIALECTS[dialect], self.shown.joint.names
        line = self.shown.line
        term = line.term if dialect == "ascii" or line.entry is None else line.entry
        below = [
            f"{table.symbol(name)}{table.equals}{render(part, dialect, names)}"
            for name, part in self.shown.where
            if name not in self.hidden
        ]
        text = render(term, dialect, names)
        return text + (table.where.format() + table.line.join(below) if below else "")

    def by_entries(self, dialect: str = "unicode") -> str:
        """The same equation entry by entry, where that says more; else nothing."""
        if self.entries is None:
            return ""
        line = self.entries.line
        assert line.entry is not None
        left = render(Entry(self.label, line.indices), dialect)
        right = render(line.entry, dialect, self.entries.joint.names)
        return f"{left}{DIALECTS[dialect].equals}{right}"


def _largest(array: Array) -> float:
    return float(np.max(np.abs(array), initial=0.0))
