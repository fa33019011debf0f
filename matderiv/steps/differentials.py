"""Differentials: da = … for every part, put into one another, the gradient read off.

df = tr(G' dX)   and   ∂f/∂X = G
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from matderiv.calculus.derivative import push_forward, reverse
from matderiv.calculus.simplify import simplify
from matderiv.notation import JointPresentation, Presentation, present
from matderiv.notation.presentation import Line
from matderiv.notation.terms import Sum
from matderiv.steps import laws
from matderiv.steps.derivation import LONGEST, Derivation, is_same, symbol_of
from matderiv.steps.laws import Law, laws_of
from matderiv.steps.page import Part
from matderiv.steps.step import Step
from matderiv.tensor.nodes import Map, Node, Product
from matderiv.tensor.nodes import Sum as NodeSum
from matderiv.tensor.traverse import reachable, substitute

__all__ = ["differential"]


def differential(d: Derivation) -> Iterator[Step]:
    """Definitions, their differentials, those put into one another, the result."""
    yield from d.definitions()
    changes: dict[Part, Node] = {}
    for part in d.page.parts:
        below = d.page.arguments(part)
        tangents = {other.symbol: other.change for other in below}
        raw = push_forward([part.definition], tangents)[0]
        change = changes[part] = d.in_parts(part, simplify([raw])[0])
        label, cited = symbol_of(part.change), laws_of(part.definition, tangents)
        first = d.step("Differentials", label, part.change, raw, *cited)
        short = d.step("Differentials", label, part.change, change, laws.COLLECTED)
        if is_same(first.right_side(), short.right_side()) or first.shown.weight > LONGEST:
            yield replace(short, laws=cited)
        else:
            yield from (first, short)
    root = d.page.root
    total = changes[root]
    for part in reversed(d.page.parts[:-1]):
        if part.change not in reachable([total]):
            continue
        replaced = substitute([total], {part.change.id: changes[part]})
        total = simplify(replaced, short=False)[0]
        made = d.step(
            "Substitution",
            symbol_of(root.change),
            root.change,
            total,
            laws.substitution_of(part.change.name),
            shown=_term_by_term(total, d.page.taken),
        )
        if made.shown.weight <= LONGEST:
            yield made
    for part in d.page.wrt:
        yield from _read_off(d, part, total)


def _read_off(d: Derivation, part: Part, total: Node) -> Iterator[Step]:
    """df = tr(G' dX), and G is the gradient; for other values the Jacobian."""
    found = simplify(reverse(total, [part.change]))[0]
    root = d.page.root
    if root.symbol.order or len(d.page.wrt) > 1:
        yield from d.result(part, found, laws.factor_of(part.change.name))
        return
    factor = d.page.factors[part.name]
    axes = range(factor.order)
    form = d.page.arena.product(1, [(factor, axes, 1), (part.change, axes, 1)], ())
    yield d.step(
        "Read off",
        symbol_of(root.change),
        root.change,
        substitute([form], {factor.id: found})[0],
        *_moves(d, part),
        shown=present(form, taken=d.page.taken),
    )
    yield d.step("Read off", symbol_of(factor), d.page.derivative(part), found)
    yield from d.result(part, found, laws.factor_of(part.change.name))


def _moves(d: Derivation, part: Part) -> Iterator[Law]:
    """The identities that bring a linear form to tr(G' dX)."""
    yield laws.CYCLIC if part.symbol.order == 2 else laws.TURNED
    nodes = reachable(other.definition for other in d.page.parts)
    if any(isinstance(node, Map) and node.order for node in nodes):
        yield laws.ACROSS


def _term_by_term(node: Node, taken: Collection[str]) -> Presentation | None:
    """A sum with no common factor pulled out of its terms, as a derivation carries it along."""
    if not isinstance(node, Product) or len(node.factors) != 1:
        return None
    (inner, _, exponent), arena = node.factors[0], node.arena
    if not isinstance(inner, NodeSum) or exponent != 1 or node.out != tuple(range(node.order)):
        return None
    members = []
    for coefficient, term in inner.terms:
        total = coefficient * node.coefficient
        shown = present(arena.scale(total if total > 0 else -total, term), taken=taken)
        if shown.where or not shown.is_matrix_form:
            return None
        members.append((1 if total > 0 else -1, shown.headline))
    line = Line("", Sum(tuple(members), order=node.order))
    return Presentation(JointPresentation((line,), (), {}))
