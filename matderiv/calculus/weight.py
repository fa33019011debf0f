"""The printed weight of a node: about how many symbols its formula takes.

Names, numbers, functions and operators count one, brackets and juxtaposition nothing,
as in "2 X' (X w - y)", which weighs 7.  A named value weighs one.  The weight only
steers the simplifier, so it needs to be monotone and cheap, not exact.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

from matderiv.tensor.nodes import Apply, Map, Name, Node, Number, Product, Size, Sum, Variable
from matderiv.tensor.properties import is_sum_of_squares
from matderiv.tensor.traverse import reachable

__all__ = ["Weights"]

_LARGEST = 1000


class Weights:
    """Weights of nodes, computed once each."""

    def __init__(self, through: frozenset[int] = frozenset()) -> None:
        self._through = through  # ids of names that weigh as their definitions
        self._known: dict[int, int] = {}
        self._names: dict[int, int] = {}

    def cost(self, node: Node) -> tuple[int, int, bool]:
        """The weight, then the number of names, then whether it is a sum: p (1 - p), not p - p^2."""
        return self(node), self._names[node.id], isinstance(node, Sum)

    def __call__(self, node: Node) -> int:
        known = self._known.get(node.id)
        if known is not None:
            return known
        for below in reachable([node], lambda n: n.id in self._known or self._is_closed(n)):
            if below.id not in self._known:
                self._known[below.id] = min(self._weigh(below), _LARGEST)
                leaf = isinstance(below, Variable | Size | Name)
                inner = sum(self._names[child.id] for child in below.children) if not leaf else 1
                self._names[below.id] = min(inner, _LARGEST)
        return self._known[node.id]

    def _is_closed(self, node: Node) -> bool:
        return isinstance(node, Name) and node.id not in self._through

    def _weigh(self, node: Node) -> int:
        if isinstance(node, Name) and not self._is_closed(node):
            return self._known[node.definition.id]
        if isinstance(node, Sum):
            return self._sum(node)
        if isinstance(node, Product):
            return self._product(node)
        if isinstance(node, Map | Apply):
            return 1 + sum(self._known[child.id] for child in node.children)
        return 1

    def _sum(self, node: Sum) -> int:
        if not node.terms:
            return 1
        total = len(node.terms) - 1
        if all(term.coefficient < 0 for term in node.terms):
            total += 1
        for coefficient, term in node.terms:
            number = _number(abs(Fraction(coefficient)))
            if isinstance(term, Product) and not term.factors and len(set(term.out)) == term.order:
                total += max(number, 1)  # 1 - h: no ones are written beside a full array
            else:
                total += number + self._known[term.id]
        return total

    def _product(self, node: Product) -> int:
        total = _number(abs(Fraction(node.coefficient))) + (node.coefficient < 0)
        if not node.factors and len(set(node.out)) == len(node.out):
            return max(total, 1) + (len(node.out) if node.out else 0)
        for child, _, exponent in node.factors:
            total += self._power(child, exponent)
        return total + _structure(node)

    def _power(self, node: Node, exponent: Number) -> int:
        base = self._known[node.id]
        if exponent == 1:
            return base
        if isinstance(node, Product) and is_sum_of_squares(node) and len(node.factors) == 1:
            norm = 1 + self._known[node.factors[0].node.id]
            if abs(exponent) == Fraction(1, 2):
                return norm + (exponent < 0)
            if Fraction(exponent).denominator == 2:
                return norm + 2 + (exponent < 0)
            return min(base, norm + 2) + (2 if abs(Fraction(exponent)) > 1 else 0) + (exponent < 0)
        if exponent == -1 or exponent == Fraction(1, 2):
            return base + 1
        return base + 2 + (exponent < 0)


def _number(value: Number) -> int:
    if value == 1:
        return 0
    value = Fraction(value)
    return 1 + (value.denominator != 1) + (value.numerator != 1 and value.denominator != 1)


def _structure(node: Product) -> int:
    """Operators that the pattern of labels needs: ⊙, diag, transposes, 𝟏, tr."""
    tensors = [f for f in node.factors if f.labels]
    degree = Counter(k for f in tensors for k in set(f.labels))
    out = set(node.out)
    total = len(node.out) - len(out)  # diag or I
    together = Counter(frozenset(f.labels) for f in tensors)
    total += sum(count - 1 for count in together.values())  # ⊙
    vectors = {f.labels[0] for f in tensors if len(f.labels) == 1}
    matrices = {label for f in tensors if len(f.labels) > 1 for label in f.labels}
    for label in range(len(node.sizes)):
        uses = degree[label] + (label in out)
        if uses == 1:
            total += 1  # 𝟏
        elif uses > 2 and (label not in out or (label in vectors and label in matrices)):
            total += 1  # diag, or ⊙ with a product
    total += sum(len(f.labels) != len(set(f.labels)) for f in tensors)
    return total + _transposes(node)


def _transposes(node: Product) -> int:
    """Factors that are met at their last axis when walking away from the first axis."""
    tensors = [f for f in node.factors if f.labels]
    if node.out:
        start = node.out[0]
    else:
        vectors = [f for f in tensors if len(f.labels) == 1 and f.exponent == 1]
        if not tensors:
            return 0
        start = (vectors or tensors)[0].labels[0]
    total = 0 if node.out else 1
    distance = {start: 0}
    frontier = [start]
    while frontier:
        reached = []
        for label in frontier:
            for factor in tensors:
                if label in factor.labels:
                    for other in factor.labels:
                        if other not in distance:
                            distance[other] = distance[label] + 1
                            reached.append(other)
        frontier = reached
    arena = node.arena
    for factor in tensors:
        if len(factor.labels) == 2:
            first, second = (distance.get(k, 0) for k in factor.labels)
            if first > second and not arena.is_symmetric(factor.node):
                total += 1
    if len(set(node.out)) == 2 and distance.get(node.out[1]) is None:
        total += 1  # u v'
    return total
