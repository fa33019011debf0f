"""Derivations in the two textbook styles, as equations between nodes.

    differential      da = … for every part; put into one another; gradient read off
    backpropagation   ∂a/∂b for every pair of parts; chain rule from the value backwards

In numerator layout, where the parts are scalars and vectors in one chain, the chain rule
is a product of rows and Jacobians from left to right, ∂f/∂w = ∂f/∂b ∂b/∂a ∂a/∂w.
Elsewhere cotangents δa, of the shape of a, are carried back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from matderiv.calculus.derivative import forward, pull_back, push_forward, reverse
from matderiv.calculus.layout import arrange, is_row
from matderiv.calculus.simplify import simplify, substitute
from matderiv.notation import Presentation, present, present_entries
from matderiv.notation.terms import Juxtaposed, Sum, Symbol, Term
from matderiv.steps import laws
from matderiv.steps.laws import Law, laws_of, partial, turned
from matderiv.steps.page import Page, Part
from matderiv.steps.step import Step
from matderiv.tensor.nodes import Map, Node, Product, Variable
from matderiv.tensor.traverse import reachable

if TYPE_CHECKING:
    from matderiv.results import Derivative

__all__ = ["STYLES", "Derivation"]

_LONGEST = 60  # tokens of an equation on the way; longer ones are left out


class Derivation:
    """The steps to the derivatives of a program by some of its inputs, in one layout."""

    def __init__(self, page: Page, derivatives: Mapping[str, Derivative]) -> None:
        self.page = page
        self.derivatives = derivatives
        self.layout = next(iter(derivatives.values())).layout
        self.value = page.root
        self.known = {part.name for part in page.parts}
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
            section, label, through, left, right, shown, cited, by_entries, frozenset(self.known)
        )

    def definitions(self) -> Iterator[Step]:
        for part in self.page.parts:
            yield self.step(
                "Intermediate values",
                _symbol(part.symbol),
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
        left, row = self.arranged(self.page.derivative(part), self.value, part)
        row = derivative.is_row

        said = False

        def stage(node: Node, *cited: Law, shown: Presentation | None = None) -> Iterator[Step]:
            nonlocal last, said
            made = self.step("Result", label, left, node, *cited, row=row, shown=shown)
            text, final = made.right_side(), shown is not None
            news = not _same(text, last) and (final or made.shown.weight <= _LONGEST)
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
        why = Law(f"{part.name} is {' '.join(marks)}") if marks else laws.COLLECTED
        yield from stage(derivative.node, *([why] if said else cited), shown=derivative.presentation)

    # ---- differentials -------------------------------------------------------------

    def differential(self) -> Iterator[Step]:
        yield from self.definitions()
        changes: dict[Part, Node] = {}
        for part in self.page.parts:
            below = self.page.arguments(part)
            tangents = {other.symbol: other.change for other in below}
            raw = push_forward([part.definition], tangents)[0]
            change = changes[part] = simplify([raw])[0]
            label, cited = _symbol(part.change), laws_of(part.definition, tangents)
            first = self.step("Differentials", label, part.change, raw, *cited)
            short = self.step("Differentials", label, part.change, change, laws.COLLECTED)
            if _same(first.right_side(), short.right_side()) or first.shown.weight > _LONGEST:
                yield replace(short, laws=cited)
            else:
                yield from (first, short)
        root = self.page.root
        total = changes[root]
        for part in reversed(self.page.parts[:-1]):
            if part.change not in reachable([total]):
                continue
            replaced = substitute([total], {part.change.id: changes[part]})
            total = simplify(replaced, short=False)[0]
            made = self.step(
                "Substitution",
                _symbol(root.change),
                root.change,
                total,
                Law(f"{laws.SUBSTITUTION.name} of d{part.name}"),
            )
            if made.shown.weight <= _LONGEST:
                yield made
        for part in self.page.wrt:
            yield from self.read_off(part, total)

    def read_off(self, part: Part, total: Node) -> Iterator[Step]:
        """df = tr(G' dX), and G is the gradient; for other values the Jacobian."""
        found = simplify(reverse(total, [part.change]))[0]
        root = self.page.root
        if root.symbol.order or len(self.page.wrt) > 1:
            yield from self.result(part, found, laws.factor_of(part.name))
            return
        factor = self.page.factors[part.name]
        axes = range(factor.order)
        form = self.page.arena.product(1, [(factor, axes, 1), (part.change, axes, 1)], ())
        yield self.step(
            "Read off",
            _symbol(root.change),
            root.change,
            substitute([form], {factor.id: found})[0],
            *self.moves(part),
            shown=present(form, taken=self.page.taken),
        )
        yield self.step("Read off", _symbol(factor), self.page.derivative(part), found)
        yield from self.result(part, found, laws.factor_of(part.name))

    def moves(self, part: Part) -> Iterator[Law]:
        """The identities that bring a linear form to tr(G' dX)."""
        yield laws.CYCLIC if part.symbol.order == 2 else laws.TURNED
        nodes = reachable(other.definition for other in self.page.parts)
        if any(isinstance(node, Map) and node.order for node in nodes):
            yield laws.ACROSS

    # ---- backpropagation -----------------------------------------------------------

    def backpropagation(self) -> Iterator[Step]:
        yield from self.definitions()
        for part in self.page.parts:
            for other in self.page.arguments(part):
                yield self.local(part, other)
        if self.page.parts == [self.page.root]:
            for part in self.page.wrt:
                by = simplify(reverse(self.page.root.definition, [part.symbol]))[0]
                yield from self.result(part, by)
        else:
            yield from self.chain_in_rows() if self.in_rows else self.chain()

    def local(self, part: Part, other: Part) -> Step:
        """∂part/∂other, all else held fixed."""
        by = simplify(reverse(part.definition, [other.symbol]))[0]
        node, row = self.arranged(by, part, other)
        raw, _ = self.arranged(forward(part.definition, [other.symbol])[0], part, other)
        label = partial(part.name, other.name, node.order)
        section = f"Local derivatives, in {self.layout} layout"
        cited = laws_of(part.definition, [other.symbol])
        return self.step(section, label, raw, simplify([node])[0], *cited, row=row)

    def chain_in_rows(self) -> Iterator[Step]:
        """∂f/∂a = ∂f/∂b ∂b/∂a for each part, then each variable."""
        root = self.page.root
        found = {root: self.page.arena.delta(root.symbol.shape)}
        last: dict[Part, str] = {}
        for part in [*reversed(self.page.parts[:-1]), *reversed(self.page.wrt)]:
            (user,) = self.page.users(part)
            by = pull_back(user.definition, [part.symbol], found[user])[0]
            found[part] = simplify([by])[0]
            label = partial(root.name, part.name, by.order)
            if user is not root:
                outer = partial(root.name, user.name, found[user].order)
                inner = partial(user.name, part.name, 2)
                left, row = self.arranged(self.page.derivative(part), root, part)
                node, _ = self.arranged(found[part], root, part)
                through = Juxtaposed((outer, inner), order=by.order)
                made = self.step(
                    "Chain rule", label, left, node, laws.CHAIN["rows"], through=through, row=row
                )
                last[part] = made.right_side()
                yield made
        for part in self.page.wrt:
            yield from self.result(part, found[part], laws.CHAIN["rows"], last=last.get(part, ""))

    def chain(self) -> Iterator[Step]:
        """δa = Σ over the users b of a: (∂b/∂a)' δb."""
        root = self.page.root
        found: dict[Part, Node] = {}
        start = self.page.arena.delta(()) if not root.symbol.order else self.page.seed
        backwards = [*reversed(self.page.parts[:-1]), *reversed(self.page.wrt)]
        for part in backwards:
            users = self.page.users(part)
            terms, through, summed = [], [], []
            for user in users:
                if user.symbol.order > 1 or user.symbol.order == 1 < part.symbol.order:
                    summed.append(user.name)
                above = start if user is root else user.cotangent
                terms.append((1, pull_back(user.definition, [part.symbol], above)[0]))
                through.append(self.through(user, part))
            total = simplify([self.page.arena.sum(terms, part.symbol.shape)])[0]
            found[part] = total
            label = _symbol(part.cotangent)
            cited = laws.CHAIN[self.layout]
            if summed:
                cited = Law(f"chain rule, summed over the entries of {' and '.join(summed)}")
            yield self.step(
                f"Chain rule, δv for ∂{self.total()}/∂v in the shape of v",
                label,
                part.cotangent,
                total,
                cited,
                through=_sum(through, part.symbol.order),
                entries=_contracts(total),
            )
        whole: dict[int, Node] = {}
        for part in backwards:
            whole[part.cotangent.id] = substitute([found[part]], whole)[0]
        for part in self.page.wrt:
            node = whole[part.cotangent.id]
            if root.symbol.order:  # <G, df> = <δx, dx> for every G
                node = forward(node, [self.page.seed])[0]
                node = self.page.arena.transpose(
                    node, [*range(part.symbol.order, node.order), *range(part.symbol.order)]
                )
                yield from self.result(part, node, laws.for_every(self.page.seed.name))
            else:
                yield from self.result(part, node, laws.SUBSTITUTION)

    def total(self) -> str:
        """What δv is the derivative of."""
        root = self.page.root
        return f"⟨{self.page.seed.name}, {root.name}⟩" if root.symbol.order else root.name

    def through(self, user: Part, part: Part) -> Term:
        """The contribution of a user to δpart, in derivatives of this layout."""
        root = self.page.root
        inner = partial(user.name, part.name, part.symbol.order)
        if user is root and not root.symbol.order:
            return turned(inner) if self.layout == "numerator" and part.symbol.order else inner
        outer = _symbol(self.page.seed if user is root else user.cotangent)
        if user.symbol.order == 0:
            flip = self.layout == "numerator" and part.symbol.order
            return Juxtaposed((outer, turned(inner) if flip else inner), order=part.symbol.order)
        if user.symbol.order == 1 and part.symbol.order <= 1:
            jacobian = inner if self.layout == "denominator" else turned(inner)
            return Juxtaposed((jacobian, outer), order=part.symbol.order)
        return Juxtaposed((outer, inner), order=part.symbol.order)


STYLES = {"backpropagation": Derivation.backpropagation, "differential": Derivation.differential}
"""The style -> the steps of a derivation in it."""


def _same(one: str, other: str) -> bool:
    """Whether two formulas differ in the order of their parts alone."""
    return sorted(one.replace(" ", "")) == sorted(other.replace(" ", ""))


def _symbol(variable: Variable) -> Term:
    return Symbol(variable.name, order=variable.order)


def _sum(terms: list[Term], order: int) -> Term:
    return terms[0] if len(terms) == 1 else Sum(tuple((1, t) for t in terms), order=order)


def _contracts(node: Node) -> bool:
    """Whether a matrix is a product in which an index is summed."""
    return isinstance(node, Product) and node.order == 2 and len(node.sizes) > len(set(node.out))
