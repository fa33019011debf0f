"""Backpropagation: ∂a/∂b for every pair of parts, the chain rule from the value backwards.

In numerator layout, where the parts are scalars and vectors in one chain, the chain rule
is a product of rows and Jacobians from left to right, ∂f/∂w = ∂f/∂b ∂b/∂a ∂a/∂w.
Elsewhere cotangents δa, of the shape of a, are carried back.
"""

from __future__ import annotations

from collections.abc import Iterator

from matderiv.calculus.derivative import forward, pull_back, reverse
from matderiv.calculus.simplify import simplify
from matderiv.notation.terms import Juxtaposed, Sum, Term
from matderiv.steps import laws
from matderiv.steps.derivation import Derivation, symbol_of
from matderiv.steps.laws import laws_of, partial, turned
from matderiv.steps.page import Part
from matderiv.steps.step import Step
from matderiv.tensor.nodes import Node, Product
from matderiv.tensor.traverse import substitute

__all__ = ["backpropagation"]


def backpropagation(d: Derivation) -> Iterator[Step]:
    """Definitions, local derivatives, the chain rule, the result."""
    yield from d.definitions()
    for part in d.page.parts:
        if part.name not in d.page.earlier:
            for other in d.page.arguments(part):
                yield _local(d, part, other)
    if d.page.parts == [d.page.root]:
        for part in d.page.wrt:
            by = simplify(reverse(d.page.root.definition, [part.symbol]))[0]
            yield from d.result(part, by)
    else:
        yield from _chain_in_rows(d) if d.in_rows else _chain(d)


def _local(d: Derivation, part: Part, other: Part) -> Step:
    """∂part/∂other, all else held fixed."""
    by = simplify(reverse(part.definition, [other.symbol]))[0]
    node, row = d.arranged(by, part, other)
    raw, _ = d.arranged(forward(part.definition, [other.symbol])[0], part, other)
    node = d.in_parts(part, simplify([node])[0])
    label = partial(part.name, other.name, node.order)
    section = f"Local derivatives, in {d.layout} layout"
    cited = laws_of(part.definition, [other.symbol])
    return d.step(section, label, raw, node, *cited, row=row)


def _chain_in_rows(d: Derivation) -> Iterator[Step]:
    """∂f/∂a = ∂f/∂b ∂b/∂a for each part, then each variable."""
    root = d.page.root
    found = {root: d.page.arena.delta(root.symbol.shape)}
    last: dict[Part, str] = {}
    for part in [*reversed(d.page.parts[:-1]), *reversed(d.page.wrt)]:
        (user,) = d.page.users(part)
        by = pull_back(user.definition, [part.symbol], found[user])[0]
        found[part] = d.in_parts(user, simplify([by])[0])
        label = partial(root.name, part.name, by.order)
        if user is not root:
            outer = partial(root.name, user.name, found[user].order)
            inner = partial(user.name, part.name, 2)
            left, row = d.arranged(d.page.derivative(part), root, part)
            node, _ = d.arranged(found[part], root, part)
            through = Juxtaposed((outer, inner), order=by.order)
            made = d.step(
                "Chain rule",
                label,
                left,
                node,
                laws.CHAIN["rows"],
                through=through,
                row=row,
                counted=True,
            )
            last[part] = made.right_side()
            yield made
    for part in d.page.wrt:
        yield from d.result(part, found[part], laws.CHAIN["rows"], last=last.get(part, ""))


def _chain(d: Derivation) -> Iterator[Step]:
    """δa = Σ over the users b of a: (∂b/∂a)' δb."""
    root = d.page.root
    found: dict[Part, Node] = {}
    section = "Chain rule, each cotangent in the shape of its value"
    if root.symbol.order:
        section = f"{section}, from any {d.page.seed.name}"
    start = d.page.arena.delta(()) if not root.symbol.order else d.page.seed
    backwards = [*reversed(d.page.parts[:-1]), *reversed(d.page.wrt)]
    for part in backwards:
        users = d.page.users(part)
        terms: list[tuple[int, Node]] = []
        products: list[Term] = []
        summed: list[str] = []
        for user in users:
            if user.symbol.order > 1 or user.symbol.order == 1 < part.symbol.order:
                summed.append(user.name)
            above = start if user is root else user.cotangent
            pulled = pull_back(user.definition, [part.symbol], above)[0]
            terms.append((1, d.in_parts(user, pulled)))
            products.append(_through(d, user, part))
        total = simplify([d.page.arena.sum(terms, part.symbol.shape)])[0]
        found[part] = total
        label = symbol_of(part.cotangent)
        cited = laws.chain_over(tuple(summed)) if summed else laws.CHAIN[d.layout]
        yield d.step(
            section,
            label,
            part.cotangent,
            total,
            cited,
            through=_sum(products, part.symbol.order),
            entries=_contracts(total),
            counted=True,
        )
    whole: dict[int, Node] = {}
    for part in backwards:
        whole[part.cotangent.id] = substitute([found[part]], whole)[0]
    for part in d.page.wrt:
        node = whole[part.cotangent.id]
        if root.symbol.order:  # <G, df> = <δx, dx> for every G
            node = forward(node, [d.page.seed])[0]
            node = d.page.arena.transpose(
                node, [*range(part.symbol.order, node.order), *range(part.symbol.order)]
            )
            yield from d.result(part, node, laws.for_every(d.page.seed.name))
        else:
            yield from d.result(part, node, laws.SUBSTITUTION)


def _through(d: Derivation, user: Part, part: Part) -> Term:
    """The contribution of a user to δpart, in derivatives of this layout."""
    root = d.page.root
    inner = partial(user.name, part.name, part.symbol.order)
    if user is root and not root.symbol.order:
        return turned(inner) if d.layout == "numerator" and part.symbol.order else inner
    outer = symbol_of(d.page.seed if user is root else user.cotangent)
    if user.symbol.order == 0:
        flip = d.layout == "numerator" and part.symbol.order
        return Juxtaposed((outer, turned(inner) if flip else inner), order=part.symbol.order)
    if user.symbol.order == 1 and part.symbol.order <= 1:
        jacobian = inner if d.layout == "denominator" else turned(inner)
        return Juxtaposed((jacobian, outer), order=part.symbol.order)
    return Juxtaposed((outer, inner), order=part.symbol.order)


def _sum(terms: list[Term], order: int) -> Term:
    return terms[0] if len(terms) == 1 else Sum(tuple((1, t) for t in terms), order=order)


def _contracts(node: Node) -> bool:
    """Whether a matrix is a product in which an index is summed."""
    return isinstance(node, Product) and node.order == 2 and len(node.sizes) > len(set(node.out))
