"""How much a formula may cancel: the degrees of a value and of its rounding error.

Think of inputs of the size M of which differences are of the size 1, as of data whose
mean is large and whose spread is not.  A value of degree v is of the size M^v there, and
an error of degree e is M^e times the rounding unit:

    input        v = 1, e = 1
    Π f^k        v = Σ k v_f,  e = max (v - v_f + e_f)
    Σ of data    v = max v_t - 1 where its terms may cancel,  e = max (v_t, e_t)
                 v = max v_t where all terms are ≥ 0, as in x² + s²
    f(x)         v = 0, e = e_x

So (x - m)'(x - m) has an error of degree 1, and x'x - 2 m'x + m'm one of degree 2: equal
values, but the second keeps half the digits where the mean is large.  A form of a lower
degree is never given up for a shorter one.

>>> from matderiv.tensor.arena import Arena
>>> arena = Arena()
>>> x, m = arena.variable("x", ("n",)), arena.variable("m", ("n",))
>>> c, degrees = x - m, Degrees()
>>> degrees(c), degrees(arena.einsum("i,i->", c, c))
((0, 1), (0, 1))
>>> degrees(arena.einsum("i,i->", x, x) - 2 * arena.einsum("i,i->", m, x))
(1, 2)
"""

from __future__ import annotations

from matderiv.tensor.nodes import (
    Apply,
    Last,
    Map,
    Name,
    Node,
    Number,
    Product,
    Stack,
    Sum,
    Variable,
)
from matderiv.tensor.properties import is_nonnegative, is_semidefinite
from matderiv.tensor.traverse import reachable

__all__ = ["Degrees"]

Degree = tuple[Number, Number]  # of the value, of its error


class Degrees:
    """Degrees of nodes, computed once each."""

    def __init__(self) -> None:
        self._known: dict[int, Degree] = {}

    def __call__(self, node: Node) -> Degree:
        known = self._known
        if node.id not in known:
            for below in reachable([node], lambda n: n.id in known):
                if below.id not in known:
                    known[below.id] = self._degree(below)
        return known[node.id]

    def equate(self, node: Node, other: Node) -> None:
        """Take an equal node to have no higher degrees than another.

        The model compares sizes of terms.  It does not see that f Σ t and Σ f t cancel alike.
        """
        (value, error), (v, e) = self(node), self(other)
        self._known[node.id] = min(value, v), min(error, e)

    def _degree(self, node: Node) -> Degree:
        known = self._known
        if isinstance(node, Product):
            parts = [(known[f.node.id], f.exponent) for f in node.factors]
            value = sum(v * exponent for (v, _), exponent in parts)
            return value, max((value - v + e for (v, e), _ in parts), default=value)
        if isinstance(node, Sum):
            return self._sum(node)
        if isinstance(node, Name):
            return known[node.definition.id]
        if isinstance(node, Map | Apply) and node.children:
            parts_of = [known[child.id] for child in node.children]
            if isinstance(node, Apply) and node.primitive.is_inverse:
                v, e = parts_of[0]
                return -v, e - 2 * v
            return 0, max(e for _, e in parts_of)
        return (1, 1) if isinstance(node, Variable | Last | Stack) else (0, 0)

    def _sum(self, node: Sum) -> Degree:
        if not node.terms:
            return 0, 0
        parts = [self._known[child.id] for child in node.children]
        value = max(v for v, _ in parts)
        error = max(max(part) for part in parts)
        data = [v for (v, _), child in zip(parts, node.children, strict=True) if child.depends]
        cancels = sum(v >= 1 for v in data) > 1 and not _only_adds(node)
        return value - cancels, error


def _only_adds(node: Sum) -> bool:
    """Whether no terms can cancel: all are ≥ 0, as numbers or as quadratic forms."""
    return is_nonnegative(node) or is_semidefinite(node)
