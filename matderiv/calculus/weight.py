"""The printed weight of a node: about how many symbols its formula takes.

Names, numbers, functions and operators count one, brackets and juxtaposition nothing,
as in "2 X' (X w - y)", which weighs 7.  A named value weighs one.  The weight only
steers the simplifier: it need not be exact, but it is for nineteen of twenty values of
the corpus, and where it was not, longer forms were taken for shorter ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TypeGuard

from matderiv.tensor.dims import Dim
from matderiv.tensor.nodes import (
    Apply,
    Factor,
    Map,
    Name,
    Node,
    Number,
    Product,
    Size,
    Sum,
    Variable,
)
from matderiv.tensor.properties import is_sum_of_squares
from matderiv.tensor.traverse import reachable

__all__ = ["Weights", "has_diagonal"]

_LARGEST = 1000
_SAVING = 3  # a name must save more than this: "T_0 =" and its use


class Weights:
    """Weights of nodes, computed once each."""

    def __init__(self, through: frozenset[int] = frozenset()) -> None:
        self._through = through  # ids of names that weigh as their definitions
        self._known: dict[int, int] = {}
        self._names: dict[int, int] = {}

    def cost(self, node: Node) -> tuple[int, int, bool]:
        """The weight in print, then the number of names, then whether it is a sum.

        So p (1 - p) is preferred to p - p^2.
        """
        return self._in_print(node), self._names[node.id], isinstance(node, Sum)

    def _in_print(self, node: Node) -> int:
        """The weight where what repeats is written once, on a line of its own."""
        total = self(node)
        if total <= _SAVING:
            return total
        uses = Counter({node.id: 1})
        for below in reversed(reachable([node], self._is_closed)):
            times, weight = uses[below.id], self._known[below.id]
            if below is not node and (saved := (times - 1) * (weight - 1) - _SAVING) > 0:
                total -= saved
                times = 1
            if not self._is_closed(below):
                for child in below.children:
                    uses[child.id] += times
        return total

    def __call__(self, node: Node) -> int:
        known = self._known.get(node.id)
        if known is not None:
            return known
        for below in reachable([node], lambda n: n.id in self._known or self._is_closed(n)):
            if below.id not in self._known:
                self._known[below.id] = min(self._weigh(below), _LARGEST)
                self._names[below.id] = min(self._count_names(below), _LARGEST)
        return self._known[node.id]

    def _count_names(self, node: Node) -> int:
        if isinstance(node, Variable | Size | Name):
            return 1
        total = sum(self._names[child.id] for child in node.children)
        if isinstance(node, Product) and not any(factor.labels for factor in node.factors):
            # I is a name, and t I is one more than t A.
            total += (len(node.out) - len(set(node.out))) * (2 if node.factors else 1)
        return total

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
        full = any(_is_full(child) for child in node.children)
        for coefficient, term in node.terms:
            weight = self._known[term.id]
            if full and isinstance(term, Product):
                weight -= _restored(term)
            if coefficient not in (1, -1):
                # 3 beside a full array stands for 3 𝟏.
                ones = _is_ones(term) and (full or not node.order)
                weight = _number(Fraction(coefficient)) + (0 if ones else weight)
            total += weight
        return total

    def _product(self, node: Product) -> int:
        coefficient = Fraction(node.coefficient)
        above = int(abs(coefficient.numerator) != 1)
        below = int(coefficient.denominator != 1)
        sign = coefficient < 0 and not any(map(_turns, node.factors))
        if not node.out and node.coefficient == 1 and is_sum_of_squares(node):
            norm = self._norm(node, 1)
            if norm is not None:
                return norm
        sizes = Counter(
            f.node.dim for f in node.factors if isinstance(f.node, Size) and f.exponent == -1
        )
        tensors = list[Factor]()
        for factor in node.factors:
            child, labels, exponent = factor
            if labels:
                tensors.append(factor)
            elif isinstance(child, Size) and exponent == -1:
                continue
            else:
                power = self._power(child, abs(Fraction(exponent)))
                if exponent > 0 and exponent == 1 and sizes and _is_mean(child, sizes):
                    sizes.subtract(child.sizes)
                if exponent > 0:
                    above += power
                else:
                    below += power
        below += sum(count for count in sizes.values() if count > 0)
        total = above + below + (below > 0) + sign
        if not tensors:
            return total + _constant(node, above == 0)
        for child, _, exponent in tensors:
            total += self._power(child, abs(Fraction(exponent)))
        return total + _structure(node, tensors)

    def _power(self, node: Node, exponent: Number) -> int:
        if isinstance(node, Product) and not node.out and is_sum_of_squares(node):
            norm = self._norm(node, exponent)
            if norm is not None:
                return norm
        base = self._known[node.id]
        if exponent == 1:
            return base
        return base + (1 if exponent == Fraction(1, 2) else 2)

    def _norm(self, node: Product, exponent: Number) -> int | None:
        """x' x, ||X w||^2 or ||x||^3, where a scalar is a sum of squares of one array."""
        if not node.factors or any(not f.labels for f in node.factors):
            return None
        body = len(node.factors) - 1
        for child, _, power in node.factors:
            body += self._power(child, abs(Fraction(power, 2)))
        if exponent == 1 and body == 1 and len(node.sizes) == 1:
            return 3
        return body + (1 if exponent == Fraction(1, 2) else 3)


def _constant(node: Product, alone: bool) -> int:
    """What I and 𝟏 add to a number; 1 for the number 1 where it stands alone."""
    if not node.out:
        return int(alone)
    axes = set(node.out)
    ones = any(node.out.count(label) == 1 for label in axes)
    return len(axes) + (ones and len(axes) == 2)


def _turns(factor: Factor) -> bool:
    """Whether a sign can be moved into a difference: -(a - b) is b - a."""
    if not isinstance(factor.node, Sum) or factor.exponent != 1:
        return False
    signs = {coefficient > 0 for coefficient, _ in factor.node.terms}
    return len(signs) == 2


def _is_mean(node: Node, sizes: Mapping[Dim, int]) -> TypeGuard[Product]:
    """Whether a scalar is the sum of all entries of a value, of which 1/n makes the mean."""
    return (
        isinstance(node, Product)
        and not node.out
        and len(node.factors) == 1
        and node.factors[0].exponent == 1
        and len(set(node.factors[0].labels)) == node.factors[0].node.order
        and all(sizes[dim] > 0 for dim in node.sizes)
    )


def _number(value: Fraction) -> int:
    if abs(value) == 1:
        return 0
    return 1 if value.denominator == 1 else 2 + (abs(value.numerator) != 1)


def _is_ones(node: Node) -> bool:
    return isinstance(node, Product) and not node.factors and len(set(node.out)) == node.order


def _uncarried(node: Product) -> list[int]:
    """The output axes along which a value repeats; none for a diagonal."""
    if len(set(node.out)) != len(node.out):
        return []
    carried = {label for factor in node.factors for label in factor.labels}
    return [axis for axis, label in enumerate(node.out) if label not in carried]


def _is_full(node: Node) -> bool:
    if not isinstance(node, Product):
        return node.order > 0
    return bool(node.out) and len(set(node.out)) == len(node.out) and not _uncarried(node)


def _restored(node: Product) -> int:
    """The ones that are not written beside a full array: X + b, and the mean of columns."""
    axes = _uncarried(node)
    if len(axes) == node.order:  # a scalar
        bare = not node.factors and abs(node.coefficient) == 1
        return (1 if node.order == 1 else 3) - bare
    if axes != [0]:
        return 0
    # A row: 𝟏 r' is r, and 𝟏 𝟏' X/n is mean(X, axis=0).
    uses = Counter(label for factor in node.factors for label in factor.labels)
    summed = [
        dim for label, dim in enumerate(node.sizes) if label not in node.out and uses[label] == 1
    ]
    means = any(
        isinstance(f.node, Size) and f.exponent == -1 and f.node.dim in summed for f in node.factors
    )
    return 2 + means


def _structure(node: Product, tensors: Sequence[Factor]) -> int:
    """Operators that the pattern of labels needs: ⊙, diag, transposes, 𝟏, tr, sum."""
    out = set(node.out)
    total = len(node.out) - len(out)  # diag
    if not out:
        total += 2 * sum(has_diagonal(factor.node) for factor in tensors)  # tr(A) - tr(A B)
    vectors: Counter[int] = Counter()
    ends: Counter[int] = Counter()
    pairs: Counter[frozenset[int]] = Counter()
    inverse: Counter[frozenset[int]] = Counter()
    for _, labels, exponent in tensors:
        distinct = frozenset(labels)
        total += len(distinct) != len(labels) and bool(out)  # the diagonal of a matrix
        if len(distinct) == 1:
            vectors[labels[0]] += 1
        else:
            pairs[distinct] += 1
        if exponent < 0:
            inverse[distinct] += 1
    for pair, count in pairs.items():
        total += count - 1  # ⊙
        if inverse[pair] == count == len(tensors):
            total += 2  # 1 ./ X
        for label in pair:
            ends[label] += 1
    for label in range(len(node.sizes)):
        v, m, o = vectors[label], ends[label], label in out
        total += max(v - 1, 0)  # ⊙
        if v and inverse[frozenset((label,))] == v and not (m and len(node.out) == 1):
            total += 2  # 1 ./ x
        if v + m + o == 1:
            if node.out and node.out.count(label) < 2:
                total += 1  # 𝟏
        elif v and m and (o or m > 1):
            total += 1  # diag, or ⊙ with a product
        elif not o and not m and v > 1:
            total -= 1  # u'v
        elif not v and (m > 2 or (m == 2 and label in node.out[:1])):
            total += 1
    return total + _transposes(node, tensors)


def _transposes(node: Product, tensors: Sequence[Factor]) -> int:
    """Factors that are met at their last axis when walking away from the first axis."""
    if node.out:
        start = node.out[0]
    else:
        vectors = [f for f in tensors if len(f.labels) == 1 and f.exponent == 1]
        start = (vectors or tensors)[0].labels[0]
    total = 0 if node.out else 1  # ', tr or sum
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
    turned = straight = 0
    for child, labels, _ in tensors:
        if len(labels) == 2:
            first, second = (distance.get(k, 0) for k in labels)
            if node.arena.is_symmetric(child) or _is_inverse(child):
                continue  # X⁻ᵀ is no longer than X⁻¹
            turned += first > second
            straight += first < second
    total += min(turned, straight + 1)
    if len(set(node.out)) == 2 and distance.get(node.out[1]) is None:
        total += 1  # u v'
    return total


def has_diagonal(node: Node) -> bool:
    """Whether a value is a sum with a multiple of the identity, or another diagonal, in it."""
    return isinstance(node, Sum) and any(
        isinstance(child, Product) and len(set(child.out)) < len(child.out)
        for child in node.children
    )


def _is_inverse(node: Node) -> bool:
    return isinstance(node, Apply) and node.primitive.is_inverse
