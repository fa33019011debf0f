"""What the derivations of both styles share.

They begin with the definitions of the intermediate values and end with the result, which
goes from the derivative over these values to the formula that the engine prints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from matderiv.calculus.layout import arrange, is_row
from matderiv.calculus.simplify import simplify
from matderiv.notation import Presentation, present, present_entries
from matderiv.notation.terms import Symbol, Term
from matderiv.steps import laws
from matderiv.steps.laws import Law, partial
from matderiv.steps.page import Page, Part
from matderiv.steps.step import Step
from matderiv.tensor.nodes import Name, Node, Variable
from matderiv.tensor.traverse import reachable, substitute

if TYPE_CHECKING:
    from matderiv.results import Derivative

__all__ = ["LONGEST", "Derivation", "is_same", "symbol_of"]

LONGEST = 60  # tokens of an equation on the way; longer ones are left out


class Derivation:
    """The steps to the derivatives of a program by some of its inputs, in one layout."""

    def __init__(self, page: Page, derivatives: Mapping[str, Derivative]) -> None:
        self.page = page
        self.derivatives = derivatives
        self.layout = next(iter(derivatives.values())).layout
        self.value = page.root
        # What the user named and no variable moves: it keeps its name.
        below = reachable(part.definition for part in page.parts)
        self.constants = [node for node in below if isinstance(node, Name)]
        self.known = {part.name for part in page.parts} | {name.name for name in self.constants}
        parts = [*page.parts, *page.wrt]
        self.in_rows = (
            self.layout == "numerator"
            and all(part.symbol.order <= 1 for part in parts)
            and all(len(page.users(part)) == 1 for part in parts if part is not page.root)
        )

    # ---- what both styles share ----------------------------------------------------

    def step(
        self,
        section: str,
        label: Term,
        left: Node,
        right: Node,
        *cited: Law,
        through: Term | None = None,
        row: bool = False,
        shown: Presentation | None = None,
        entries: bool = False,
    ) -> Step:
        shown = shown or present(right, row=row, taken=self.page.taken)
        by_entries = present_entries(right, taken=self.page.taken) if entries else None
        return Step(
            section,
            label,
            through,
            left,
            right,
            shown,
            cited,
            row,
            by_entries,
            frozenset(self.known),
        )

    def definitions(self) -> Iterator[Step]:
        for name in self.constants:
            label = Symbol(name.name, order=name.order)
            yield self.step("Intermediate values", label, name, name.definition)
        for part in self.page.parts:
            yield self.step(
                "Intermediate values",
                symbol_of(part.symbol),
                self.page.full[part],
                part.definition,
            )

    def arranged(self, node: Node, value: Part, by: Part) -> tuple[Node, bool]:
        """∂value/∂by in the layout, and whether it is written as a row."""
        order = value.symbol.order
        return arrange(node, self.layout, order), is_row(self.layout, order, node.order, False)

    def result(self, part: Part, found: Node, *cited: Law, last: str = "") -> Iterator[Step]:
        """From the derivative over the parts to the one the engine prints.

        `last` is the right side of the step before: nothing is said twice but the end.
        """
        derivative = self.derivatives[part.name]
        label = partial(self.value.name, part.name, found.order)
        left, _ = self.arranged(self.page.derivative(part), self.value, part)
        said = False

        def stage(node: Node, *cited: Law, shown: Presentation | None = None) -> Iterator[Step]:
            nonlocal last, said
            made = self.step(
                "Result", label, left, node, *cited, row=derivative.is_row, shown=shown
            )
            text, final = made.right_side(), shown is not None
            news = not is_same(text, last) and (final or made.shown.weight <= LONGEST)
            if news or (final and not said):
                last, said = text, True
                yield made

        found, _ = self.arranged(simplify([found])[0], self.value, part)
        yield from stage(simplify([found])[0], *cited)
        opened = found
        for other in reversed(self.page.parts):
            if other.made_up:
                opened = substitute([opened], {other.symbol.id: other.definition})[0]
        if opened is not found:
            yield from stage(opened, laws.SUBSTITUTION)
        for law, shorter in laws.simplifications(opened):
            yield from stage(shorter, law)
        marks = sorted(derivative.program.inputs[part.name].attributes)
        why = laws.attribute(part.name, marks) if marks else laws.COLLECTED
        yield from stage(
            derivative.node, *([why] if said else cited), shown=derivative.presentation
        )


def is_same(one: str, other: str) -> bool:
    """Whether two formulas differ in the order of their parts alone."""
    return sorted(one.replace(" ", "")) == sorted(other.replace(" ", ""))


def symbol_of(variable: Variable) -> Term:
    return Symbol(variable.name, order=variable.order)
