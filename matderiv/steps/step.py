"""One step of a derivation: an equation between two values, and the law it follows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from matderiv.notation import Presentation, render
from matderiv.notation.dialects import DIALECTS
from matderiv.notation.terms import Entry, Term
from matderiv.steps.laws import Law
from matderiv.steps.page import Numbers
from matderiv.tensor.dims import Shape, shape_text
from matderiv.tensor.nodes import Name, Node, Variable
from matderiv.tensor.traverse import reachable, substitute
from matderiv.values import Array

if TYPE_CHECKING:
    from matderiv.program.polynomial import Polynomial

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
    counted  whether the right side is computed on the way, so that its FLOPs are of interest
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
    counted: bool = False

    @property
    def shape(self) -> Shape:
        return self.right.shape

    @property
    def shape_text(self) -> str:
        return shape_text(self.shape) + (", a row" if self.row else "")

    def flops_text(self, dialect: str = "unicode") -> str:
        """The FLOPs in words; nothing where there are none to count."""
        from matderiv.reports.tables import count_latex, count_text

        flops = self.flops
        if not flops:
            return ""
        count = f"${count_latex(flops)}$" if dialect == "latex" else count_text(flops)
        return f"{count} FLOP{'' if count.strip('$') == '1' else 's'}"

    @property
    def flops(self) -> Polynomial | None:
        """FLOPs of the right side from what it names, where it is computed on the way."""
        if not self.counted:
            return None
        from matderiv.program.cost import Cost
        from matderiv.program.plan import plan

        arena = self.right.arena
        named = {  # what stands on a line of its own is there already
            node.id: arena.variable(node.name, node.shape, role="named")
            for node in reachable([self.right])
            if isinstance(node, Name) and node.name in self.hidden
        }
        right = substitute([self.right], named)[0] if named else self.right
        leaves = [leaf for leaf in reachable([right]) if isinstance(leaf, Variable)]
        return Cost(plan(right, {}, inputs=leaves)).polynomials.forward

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
