"""0 log 0 is 0: a logarithm beside a factor that vanishes with what it is of.

    x log x        x (log x - 1)        p (log p - log q)        p² log(p q)²

have a limit where x or p is 0, and it is 0, but log 0 times 0 is no number.  So where a
product has a factor v, log z in another factor counts as 0 where v is 0, if log z is
infinite there: z is v, or a product with v, or divided by it; a sum vanishes where all of its
terms do.  The other factor may be any polynomial in logarithms, so that forms of one value
agree at such points, factored or not.  log(x y) beside x alone is infinite where y is 0, as it
should be.

The evaluator puts 0 for such logarithms, the planner takes `LOG_BESIDE` for them.  Where a
zero beside it makes z infinite, as x does in x y log(y/x), the planner divides by it with
`RECIPROCAL_BESIDE`, so that z is 0 at each of its zeros.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from matderiv.tensor.dims import Shape
from matderiv.tensor.elementwise import Elementwise
from matderiv.tensor.nodes import Factor, Map, Name, Node, Product, Sum, Term
from matderiv.tensor.traverse import reachable, rebuild

if TYPE_CHECKING:
    from matderiv.tensor.arena import Arena

__all__ = [
    "LOG_BESIDE",
    "NONE",
    "RECIPROCAL_BESIDE",
    "Zeros",
    "factor_zeros",
    "reaching",
    "silenced",
    "zeros_of_log",
]

Zero = tuple[Node, tuple[int, ...]]
"""A value without its names, and the axes of some node on which its own axes lie."""
Zeros = frozenset[Zero]
Roots = tuple[list[Zero], list[Zero]]
"""What a value is 0 at, and what its reciprocal is, on the axes of the value."""
NONE: Zeros = frozenset()

LOG_BESIDE = Elementwise(
    name="log beside",
    derivative=(lambda y, x, z: 1 / x, lambda y, x, z: 0),
    reference=lambda x, z: np.where(z == 0, 0.0, np.log(x)),
    numpy="a = equal(z, 0.0); b = add(x, a); log(b)",
    latex=r"\log({x})",
    domain="positive",
)
"""log x beside z, a factor that vanishes where x does: 0 where z is."""
RECIPROCAL_BESIDE = Elementwise(
    name="reciprocal beside",
    derivative=(lambda y, x, z: -(y**2), lambda y, x, z: 0),
    reference=lambda x, z: np.where(z == 0, 0.0, 1 / np.where(z == 0, 1.0, x)),
    numpy="a = equal(z, 0.0); b = add(x, a); c = reciprocal(b); subtract(c, a)",
    latex=r"{x}^{{-1}}",
    domain="nonzero",
)
"""1/x beside z, a factor of x: 0 where z is."""
_LOGS = ("log", LOG_BESIDE.key)


def factor_zeros(node: Product, zeros: Zeros = NONE) -> list[Zeros]:
    """For each factor what is 0 beside it and silences a logarithm in it.

    `zeros` are those that the whole product stands beside.
    """
    found = []
    for child, labels, exponent in node.factors:
        wanted = _silencers(child) if exponent > 0 else frozenset[int]()
        beside: list[Zero] = []
        if wanted:
            axes_of: dict[int, list[int | None]] = {}
            for axis, label in enumerate(labels):
                axes_of.setdefault(label, []).append(axis)
            lying = [(other.node, other.labels) for other in node.factors if other.exponent > 0]
            lying += [(zero, tuple(node.out[axis] for axis in axes)) for zero, axes in zeros]
            for other, on in lying:
                for places in itertools.product(*(axes_of.get(label, [None]) for label in on)):
                    beside += _roots_of(other, places)
        found.append(frozenset(entry for entry in beside if entry[0].id in wanted))
    return found


def reaching(node: Node, zeros: Zeros) -> Zeros:
    """Those of the zeros that silence a logarithm in a value."""
    if not zeros:
        return zeros
    wanted = _silencers(node)
    return frozenset(zero for zero in zeros if zero[0].id in wanted)


def zeros_of_log(node: Map, zeros: Zeros) -> tuple[list[Zero], list[Zero]]:
    """Those of the zeros at which a logarithm is -∞, and those at which it is ∞.

    Where its argument is one of them, this is all of them.
    """
    argument = node.arguments[0]
    axes = range(argument.order)
    below = [zero for zero in _roots_of(argument, axes) if zero in zeros]
    above = [zero for zero in _roots_of(argument, axes, -1) if zero in zeros]
    if below and below[0][0] is _unnamed(argument):
        return below[:1], []
    return below, above


def silenced(roots: Sequence[Node]) -> list[Node]:
    """The roots with `LOG_BESIDE` for each logarithm that stands beside its zeros."""
    if not any(isinstance(node, Map) and node.function.key in _LOGS for node in reachable(roots)):
        return list(roots)
    known: dict[tuple[int, Zeros], Node] = {}

    def beside(node: Node, zeros: Zeros) -> Node:
        zeros = reaching(node, zeros)
        if not zeros:
            return node
        made = known.get((node.id, zeros))
        if made is None:
            made = known[node.id, zeros] = changed(node, zeros)
        return made

    def changed(node: Node, zeros: Zeros) -> Node:
        arena = node.arena
        if isinstance(node, Product):
            return product(node, zeros)
        if isinstance(node, Sum):
            return arena.sum([Term(c, beside(term, zeros)) for c, term in node.terms], node.shape)
        if isinstance(node, Name):
            return arena.name(node.name, beside(node.definition, zeros), node.role)
        assert isinstance(node, Map)
        below, above = zeros_of_log(node, zeros)
        if not (below or above):
            return node
        argument = _zero_at(node.arguments[0], range(node.order), frozenset(above))
        axes = tuple(range(node.order))
        vanishing = _together(arena, [*below, *above], node.shape)
        if node.arguments[1:]:
            factors = [Factor(vanishing, axes, 1), Factor(node.arguments[1], axes, 1)]
            vanishing = arena.product(1, factors, axes)
        return arena.map(LOG_BESIDE, argument, vanishing)

    def product(node: Product, zeros: Zeros = NONE) -> Node:
        factors = [
            factor._replace(node=beside(inner(factor.node), found))
            for factor, found in zip(node.factors, factor_zeros(node, zeros), strict=True)
        ]
        if all(new.node is old.node for new, old in zip(factors, node.factors, strict=True)):
            return node
        return node.arena.product(node.coefficient, factors, node.out, dict(enumerate(node.sizes)))

    def inner(node: Node) -> Node:
        """A factor that was made just now: x (a - b) on a new a may be -(x (b - a))."""
        return product(node) if isinstance(node, Product) and node.id not in seen else node

    def visited(node: Node) -> Node | None:
        made = product(node) if isinstance(node, Product) else None
        seen.add((made or node).id)
        return made

    seen: set[int] = set()
    return rebuild(roots, visited)


def _together(arena: Arena, zeros: Sequence[Zero], shape: Shape) -> Node:
    """Their product, 0 where any of them is."""
    factors = [Factor(zero, axes, 1) for zero, axes in zeros]
    return arena.product(1, factors, range(len(shape)), dict(enumerate(shape)))


def _zero_at(node: Node, axes: Sequence[int | None], above: Zeros) -> Node:
    """A quotient that is 0, not infinite, at these zeros of what it divides by.

    `axes` are those on which its own axes lie, if they do.
    """
    product = _unnamed(node)
    if not above.intersection(_roots_of(product, axes, -1)):
        return node
    assert isinstance(product, Product)
    arena = product.arena
    place_of = dict(zip(product.out, axes, strict=True))
    factors = []
    for child, labels, exponent in product.factors:
        places = [place_of.get(label) for label in labels]
        if exponent > 0:
            child = _zero_at(child, places, above)
        elif found := above.intersection(_roots_of(child, places)):
            own = {axis: k for k, axis in enumerate(places)}
            zeros = [(zero, tuple(own[axis] for axis in on)) for zero, on in found]
            vanishing = _together(arena, zeros, child.shape)
            child, exponent = arena.map(RECIPROCAL_BESIDE, child, vanishing), -exponent
        factors.append(Factor(child, labels, exponent))
    return arena.product(product.coefficient, factors, product.out, dict(enumerate(product.sizes)))


def _unnamed(node: Node) -> Node:
    while isinstance(node, Name):
        node = node.definition
    return node


def _roots_of(node: Node, axes: Sequence[int | None], sign: int = 1) -> Iterator[Zero]:
    """What z^sign is 0 at: z, its factors and theirs, where all their axes are known.

    `axes` are those on which the axes of the node lie, if they do.
    """
    for zero, own in _roots_and_poles(node)[sign < 0]:
        known = [place for axis in own if (place := axes[axis]) is not None]
        if len(known) == len(own):
            yield zero, tuple(known)


def _roots_and_poles(node: Node) -> Roots:
    known = node.arena.roots
    if node.id not in known:
        for below in reachable(
            [node], lambda n: n.id in known or not isinstance(n, Product | Sum | Name)
        ):
            if below.id not in known:
                known[below.id] = _read_off(below, known)
    return known[node.id]


def _read_off(node: Node, known: dict[int, Roots]) -> Roots:
    if isinstance(node, Name):
        return known[node.definition.id]
    roots: list[Zero] = [(node, tuple(range(node.order)))]
    poles: list[Zero] = []
    if isinstance(node, Sum) and node.terms:  # all terms are 0
        first, *others = (known[term.id][0] for term in node.children)
        shared = set(first).intersection(*others)
        roots += [zero for zero in first if zero in shared]
    if isinstance(node, Product):
        place_of = {label: axis for axis, label in enumerate(node.out)}
        for child, labels, exponent in node.factors:
            turned = (roots, poles) if exponent > 0 else (poles, roots)
            for found, of in zip(turned, known[child.id], strict=True):
                found += [
                    (zero, tuple(place_of[labels[axis]] for axis in own))
                    for zero, own in of
                    if all(labels[axis] in place_of for axis in own)
                ]
    return list(dict.fromkeys(roots)), list(dict.fromkeys(poles))  # each once


def _silencers(node: Node) -> frozenset[int]:
    """The values, by id, at whose zeros a logarithm is infinite that the node is made of."""
    known = node.arena.silencers
    if node.id not in known:
        for below in reachable([node], lambda n: n.id in known):
            if below.id not in known:
                known[below.id] = _found(below, known)
    return known[node.id]


def _found(node: Node, known: dict[int, frozenset[int]]) -> frozenset[int]:
    if isinstance(node, Map) and node.function.key in _LOGS:
        argument = node.arguments[0]
        axes = range(argument.order)
        return frozenset(zero.id for sign in (1, -1) for zero, _ in _roots_of(argument, axes, sign))
    if isinstance(node, Product):
        parts = [known[factor.node.id] for factor in node.factors if factor.exponent > 0]
    else:
        parts = [known[child.id] for child in node.children] if isinstance(node, Sum | Name) else []
    return frozenset[int]().union(*parts)
