"""Exact quotients of sums: (a² - b²)/(a - b) = a + b.

Terms of sums are monomials in the values that stand on the axes of the output, as in
a b² for entries a, b.  One sum is divided by another as a polynomial, leading monomial by
leading monomial in lexicographic order; a quotient with a remainder is none.
Source: Cox, Little and O'Shea, Ideals, Varieties, and Algorithms, §2.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from matderiv.calculus.expand import as_product, expand
from matderiv.calculus.weight import Weights
from matderiv.tensor.nodes import Factor, Node, Number, Product, Sum, Term, rational

__all__ = ["quotients"]

_Atom = tuple[int, tuple[int, ...]]  # a value by its id, and the output axes it lies on
_Monomial = tuple[tuple[_Atom, Number], ...]  # positive powers of atoms, which are sorted
_MOST_STEPS = 12


def quotients(node: Product, weight: Weights) -> Iterator[Node]:
    """N D^k as (N/D) D^(k + 1), for a sum N and a value D of the same axes that divides it."""
    arena = node.arena
    for below in node.factors:
        for above in node.factors:
            if (
                above is not below
                and above.exponent == 1
                and above.labels == below.labels
                and isinstance(above.node, Sum)
            ):
                made = _divided(above.node, below.node, weight)
                if made is not None:
                    rest = [f for f in node.factors if f is not above and f is not below]
                    left = Factor(below.node, below.labels, below.exponent + 1)
                    factors = [*rest, Factor(made, above.labels, 1), left]
                    sizes = dict(enumerate(node.sizes))
                    yield arena.product(node.coefficient, factors, node.out, sizes)


def _divided(above: Sum, below: Node, weight: Weights) -> Node | None:
    """The quotient of a sum by a value, if there is no remainder."""
    nodes: dict[int, Node] = {}
    rest, divisor = (_polynomial(expand(total, weight), nodes) for total in (above, below))
    if not rest or not divisor:
        return None
    lead = _leading(divisor)
    found: dict[_Monomial, Number] = {}
    for _ in range(_MOST_STEPS):
        if not rest:
            break
        top = _leading(rest)
        step = _over(top, lead)
        if step is None:
            return None
        found[step] = by = Fraction(rest[top]) / divisor[lead]
        for monomial, coefficient in divisor.items():
            product = _times(step, monomial)
            left = rest.pop(product, 0) - by * coefficient
            if left:
                rest[product] = left
    if rest:
        return None
    arena, axes = above.arena, range(above.order)
    sizes = dict(enumerate(above.shape))
    terms = []
    for monomial, number in found.items():
        factors = [Factor(nodes[key], ports, power) for (key, ports), power in monomial]
        terms.append(Term(rational(number), arena.product(1, factors, axes, sizes)))
    return arena.sum(terms, above.shape)


def _polynomial(total: Node, nodes: dict[int, Node]) -> dict[_Monomial, Number] | None:
    """The coefficient of each monomial of a sum, if it has no other terms."""
    found: dict[_Monomial, Number] = {}
    for coefficient, child in _terms(total):
        term = as_product(child)
        if len(set(term.out)) < len(term.out):
            return None
        monomial: dict[_Atom, Number] = {}
        for factor in term.factors:
            if factor.exponent < 0:
                return None
            if not set(factor.labels) <= set(term.out):
                return None
            ports = tuple(term.out.index(label) for label in factor.labels)
            monomial[factor.node.id, ports] = factor.exponent
            nodes[factor.node.id] = factor.node
        found[tuple(sorted(monomial.items()))] = coefficient * term.coefficient
    return found


def _terms(total: Node) -> list[Term]:
    """The terms of a sum, or of a multiple of one: a sum begins with a positive term."""
    whole = as_product(total)
    sums = [child for child in whole.children if isinstance(child, Sum)]
    if sums and total is total.arena.scale(whole.coefficient, sums[0]):
        return [Term(whole.coefficient * number, term) for number, term in sums[0].terms]
    return [Term(1, total)]


def _leading(polynomial: dict[_Monomial, Number]) -> _Monomial:
    atoms = sorted({atom for monomial in polynomial for atom, _ in monomial})
    return max(polynomial, key=lambda monomial: [dict(monomial).get(atom, 0) for atom in atoms])


def _over(one: _Monomial, other: _Monomial) -> _Monomial | None:
    found = _times(one, tuple((atom, -power) for atom, power in other))
    return found if all(power > 0 for _, power in found) else None


def _times(one: _Monomial, other: _Monomial) -> _Monomial:
    powers = dict(one)
    for atom, power in other:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(sorted((atom, power) for atom, power in powers.items() if power))
