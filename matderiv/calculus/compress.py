"""Derivatives as sums of small arrays: deltas, ones and outer products are not multiplied out.

    H[i,a,j,b] = δ[i,j] M[a,b]              ab->iaib
    J[i,j]     = δ[i,j] u[i] - p[i] q[j]    i->ii  and  i,j->ij

A term is a product of arrays whose axes carry letters, as in `numpy.einsum`.  A letter that
repeats in the output is a delta, one that no array carries a vector of ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from matderiv.tensor.nodes import Factor, Name, Node, Number, Product, Sum

__all__ = ["Term", "compressed"]


class Term(NamedTuple):
    """An outer product of nodes: `spec` says which axes of each stand where in the result."""

    spec: str
    parts: tuple[Node, ...]


def compressed(node: Node) -> list[Term]:
    """The terms of a node; the node itself as the only one where nothing is gained.

    >>> from matderiv.tensor.arena import Arena
    >>> arena = Arena()
    >>> u, p = arena.variable("u", ("n",)), arena.variable("p", ("n",))
    >>> jacobian = arena.einsum("i->ii", u) - arena.einsum("i,j->ij", p, p)
    >>> [term.spec for term in compressed(jacobian)]
    ['i->ii', 'i,j->ij']
    """
    alike: dict[str, Node] = {}
    others: list[Term] = []
    for term in _terms(node, 1, ()):
        if len(term.parts) > 1:
            others.append(term)
        elif term.spec in alike:
            alike[term.spec] = alike[term.spec] + term.parts[0]
        else:
            alike[term.spec] = term.parts[0]
    return [*(Term(spec, (part,)) for spec, part in alike.items()), *others]


def _terms(node: Node, coefficient: Number, scalars: Sequence[Factor]) -> Iterator[Term]:
    """The terms of coefficient · scalars · node."""
    if isinstance(node, Name):
        yield from _terms(node.definition, coefficient, scalars)
    elif isinstance(node, Sum):
        for term in node.terms:
            yield from _terms(term.node, coefficient * term.coefficient, scalars)
    elif isinstance(node, Product):
        inner = [f for f in node.factors if f.labels]
        outer = [f for f in node.factors if not f.labels]
        if len(inner) == 1 and inner[0].exponent == 1 and inner[0].labels == node.out:
            coefficient = coefficient * node.coefficient
            yield from _terms(inner[0].node, coefficient, [*scalars, *outer])
        else:
            yield _outer(node, coefficient * node.coefficient, [*scalars, *outer], inner)
    else:
        letters = _letters(range(node.order))
        whole = node.arena.product(
            coefficient,
            [Factor(node, tuple(range(node.order)), 1), *scalars],
            tuple(range(node.order)),
        )
        yield Term(f"{letters}->{letters}", (whole,))


def _outer(
    node: Product, coefficient: Number, scalars: Sequence[Factor], factors: Sequence[Factor]
) -> Term:
    """A product as parts that share no label; the first takes the scalars."""
    groups: list[list[Factor]] = []
    for factor in factors:
        near = [g for g in groups if any(set(f.labels) & set(factor.labels) for f in g)]
        groups = [g for g in groups if g not in near]
        groups.append([*(f for g in near for f in g), factor])
    carried = [{k for f in group for k in f.labels} for group in groups]
    outs = [tuple(dict.fromkeys(k for k in node.out if k in labels)) for labels in carried]
    order = sorted(range(len(groups)), key=lambda k: (len(outs[k]), outs[k]))
    parts = []
    for place, k in enumerate(order):
        first = place == 0
        parts.append(
            node.arena.product(
                coefficient if first else 1, [*groups[k], *(scalars if first else ())], outs[k]
            )
        )
    if not parts:
        parts, outs, order = [node.arena.product(coefficient, scalars, ())], [()], [0]
    inputs = ",".join(_letters(outs[k]) for k in order)
    return Term(f"{inputs}->{_letters(node.out)}", tuple(parts))


def _letters(labels: Sequence[int]) -> str:
    return "".join("ijklmnopqrstuvwxyzabcdefgh"[k] for k in labels)
