"""What the derivations of both styles share.

They begin with the definitions of the intermediate values and end with the result, which
goes from the derivative over these values to the formula that the engine prints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from matderiv.calculus.layout import arrange, is_row
from matderiv.calculus.simplify import simplify
from matderiv.notation import Presentation, present, present_entries
from matderiv.notation.terms import Symbol, Term
from matderiv.steps import laws
from matderiv.steps.laws import Law, partial
from matderiv.steps.page import Page, Part
from matderiv.steps.step import Step
from matderiv.tensor.nodes import Apply, Map, Name, Node, Variable
from matderiv.tensor.traverse import reachable, substitute

if TYPE_CHECKING:
    from matderiv.results import Derivative

__all__ = ["LONGEST", "Derivation", "is_same", "symbol_of"]

LONGEST = 60  # tokens of an equation on the way; longer ones are left out


class Derivation:
    """The steps to the derivatives of a program by some of its inputs, in one layout."""

    def __init__(
        self,
        page: Page,
        derivatives: Mapping[str, Derivative],
        meant: tuple[Term, Node] | None = None,
    ) -> None:
        """`meant` is what the value is, where an earlier derivation found it: ∂f/∂x."""
        self.page = page
        self.meant = meant
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

    def in_parts(self, part: Part, node: Node) -> Node:
        """A derivative of a part, in which f(x) is written as the part that it is."""
        if not isinstance(part.definition, Map | Apply):
            return node
        return substitute([node], {part.definition.id: part.symbol})[0]

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
        counted: bool = False,
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
            counted,
        )

    def definitions(self) -> Iterator[Step]:
        for name in self.constants:
            if name.name not in self.page.earlier:
                symbol = Symbol(name.name, order=name.order)
                yield self.step("Intermediate values", symbol, name, name.definition, counted=True)
        for part in self.page.parts:
            if part.name in self.page.earlier:
                continue
            given = self.meant if part is self.page.root else None
            through, left = given or (None, self.page.full[part])
            yield self.step(
                "Intermediate values",
                symbol_of(part.symbol),
                left,
                part.definition,
                through=through,
                counted=True,
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
        said: list[Step] = []

        def stage(node: Node, *cited: Law, shown: Presentation | None = None) -> Step:
            return self.step(
                "Result", label, left, node, *cited, row=derivative.is_row, shown=shown
            )

        def say(made: Step) -> None:
            nonlocal last
            if not is_same(made.right_side(), last) and made.shown.weight <= LONGEST:
                last = made.right_side()
                said.append(made)

        found, _ = self.arranged(simplify([found])[0], self.value, part)
        say(stage(simplify([found])[0], *cited))
        opened = found
        for other in reversed(self.page.parts):
            if other.made_up:
                opened = substitute([opened], {other.symbol.id: other.definition})[0]
        if opened is not found:
            say(stage(opened, laws.SUBSTITUTION))
        for law, shorter in laws.simplifications(opened):
            say(stage(shorter, law))
        marks = sorted(derivative.program.inputs[part.name].attributes)
        why = laws.attribute(part.name, marks) if marks else laws.COLLECTED
        end = stage(derivative.node, *([why] if said else cited), shown=derivative.presentation)
        if said and is_same(end.right_side(), last):
            end = replace(end, laws=said.pop().laws)  # the same, in the order that is printed
        yield from (*said, end)


def is_same(one: str, other: str) -> bool:
    """Whether two formulas differ in the order of their parts alone."""
    return sorted(one.replace(" ", "")) == sorted(other.replace(" ", ""))


def symbol_of(variable: Variable) -> Term:
    return Symbol(variable.name, order=variable.order)
