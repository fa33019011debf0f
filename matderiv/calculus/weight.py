"""The printed weight of a node: about how many symbols its formula takes.

Names, numbers, functions and operators count one, brackets and juxtaposition nothing,
as in "2 X' (X w - y)", which weighs 7.  A named value weighs one.  The weight only
steers the simplifier: it need not be exact, but it is for nineteen of twenty values of
the corpus, and where it was not, longer forms were taken for shorter ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
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
_HALF = Fraction(1, 2)
_SAVING = 3  # a name must save more than this: "T_0 =" and its use


class Weights:
    """Weights of nodes, computed once each."""

    def __init__(self, through: frozenset[int] = frozenset()) -> None:
        self._through = through  # ids of names that weigh as their definitions
        self._known: dict[int, int] = {}
        self._names: dict[int, int] = {}
        self._costs: dict[int, tuple[int, int, bool]] = {}

    def cost(self, node: Node) -> tuple[int, int, bool]:
        """The weight in print, then the number of names, then whether it is a sum.

        So p (1 - p) is preferred to p - p^2.
        """
        cost = self._costs.get(node.id)
        if cost is None:
            cost = self._in_print(node), self._names[node.id], isinstance(node, Sum)
            self._costs[node.id] = cost
        return cost

    def _in_print(self, node: Node) -> int:
        """The weight where what repeats is written once, on a line of its own."""
        total = self(node)
        if total <= _SAVING:
            return total
        uses = Counter({node.id: 1})
        for below in reversed(reachable([node], self._is_closed)):
            times, weight = uses[below.id], self._known[below.id]
            if (saved := (times - 1) * (weight - 1) - _SAVING) > 0:  # none for the root
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
        if self._is_closed(node) or all(child.id in self._known for child in node.children):
            self._settle(node)
        else:
            for below in reachable([node], lambda n: n.id in self._known or self._is_closed(n)):
                if below.id not in self._known:
                    self._settle(below)
        return self._known[node.id]

    def _settle(self, node: Node) -> None:
        """Weigh a node whose children have been weighed."""
        self._known[node.id] = min(self._weigh(node), _LARGEST)
        self._names[node.id] = min(self._count_names(node), _LARGEST)

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
        full = any(_is_full(child) for child in node.children)
        for coefficient, term in node.terms:
            weight = self._known[term.id]
            if full and isinstance(term, Product):
                weight -= _restored(term)
            if coefficient not in (1, -1):
                # 3 beside a full array stands for 3 𝟏.
                ones = _is_ones(term) and (full or not node.order)
                weight = _number(coefficient) + (0 if ones else weight)
            total += weight
        return total

    def _product(self, node: Product) -> int:
        number = node.coefficient
        above, below = int(abs(number.numerator) != 1), int(number.denominator != 1)
        if is_sum_of_squares(node):
            norm = self._norm(node, 1)
            if norm is not None:
                return norm
        tensors = [factor for factor in node.factors if factor.labels]
        over, under = self._scalars([f for f in node.factors if not f.labels])
        above, below = above + over, below + under
        total = above + below + (below > 0)
        total += number < 0 and not any(map(_turns, node.factors))
        if not tensors:
            return total + _constant(node, above == 0)
        for child, _, exponent in tensors:
            total += (
                self._power(child, -exponent if exponent < 0 else exponent)
                if exponent != 1
                else self._known[child.id]
            )
        return total + _structure(node, tensors, written=above > 0 and not below)

    def _scalars(self, factors: Sequence[Factor]) -> tuple[int, int]:
        """The weights of scalar factors above and below the line; (Σx)^k/n^k is mean(x)^k."""
        above = below = 0
        whole = Counter[Dim]()  # n^-k: sizes that a mean may take up
        for child, _, exponent in factors:
            if isinstance(child, Size) and isinstance(exponent, int) and exponent < 0:
                whole[child.dim] = -exponent
        for child, _, exponent in factors:
            if isinstance(child, Size) and child.dim in whole:
                continue
            if (
                isinstance(exponent, int)
                and _is_mean(child)
                and whole >= (taken := Counter(child.sizes * exponent))
            ):
                whole.subtract(taken)
            if exponent > 0:
                above += self._power(child, exponent)
            else:
                below += self._power(child, -exponent)
        return above, below + sum(1 if power == 1 else 3 for power in whole.values() if power)

    def _power(self, node: Node, exponent: Number) -> int:
        if isinstance(node, Product) and is_sum_of_squares(node):
            norm = self._norm(node, exponent)
            if norm is not None:
                return norm
        base = self._known[node.id]
        if exponent == 1:
            return base
        return base + (1 if exponent == _HALF else 2)

    def _norm(self, node: Product, exponent: Number) -> int | None:
        """x' x, ||X w||^2 or ||x||^3, where a scalar is a sum of squares of one array."""
        if any(not f.labels for f in node.factors):
            return None
        body = len(node.factors) - 1
        for child, _, power in node.factors:
            body += self._power(child, abs(Fraction(power, 2)))
        if exponent == 1 and body == 1 and len(node.sizes) == 1:
            return 3
        return body + (1 if exponent == _HALF else 3)


def _constant(node: Product, alone: bool) -> int:
    """What I and 𝟏 add to a number; 1 for the number 1 where it stands alone."""
    if not node.out:
        return int(alone)
    axes = set(node.out)
    return len(axes) + (len(axes) == 2)


def _turns(factor: Factor) -> bool:
    """Whether a sign can be moved into a difference: -(a - b) is b - a."""
    if not isinstance(factor.node, Sum) or factor.exponent != 1:
        return False
    signs = {coefficient > 0 for coefficient, _ in factor.node.terms}
    return len(signs) == 2


def _is_mean(node: Node) -> TypeGuard[Product]:
    """Whether a scalar is the sum of all entries of a value, of which 1/n makes the mean."""
    return (
        isinstance(node, Product)
        and not node.out
        and len(node.factors) == 1
        and node.factors[0].exponent == 1
        and len(set(node.factors[0].labels)) == node.factors[0].node.order
    )


def _number(value: Number) -> int:
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
        return (1 if node.order == 1 else 3) - (not node.factors)
    if axes != [0]:
        return 0
    # A row: 𝟏 r' is r, and 𝟏 𝟏' X/n is mean(X, axis=0).
    summed = [dim for label, dim in enumerate(node.sizes) if label not in node.out]
    means = any(
        isinstance(f.node, Size) and f.exponent == -1 and f.node.dim in summed for f in node.factors
    )
    return 2 + means


def _structure(node: Product, tensors: Sequence[Factor], written: bool) -> int:
    """Operators that the pattern of labels needs: ⊙, diag, transposes, 𝟏, tr, sum.

    `written` says that a number or a scalar stands before it: t ./ x for 1 ./ x.
    """
    out = set(node.out)
    over = 1 if written else 2  # ./ and what it divides
    total = len(node.out) - len(out)  # diag
    if not out:
        total += 2 * sum(has_diagonal(factor.node) for factor in tensors)  # tr(A) - tr(A B)
    vectors, ends = [0] * len(node.sizes), [0] * len(node.sizes)
    groups: dict[frozenset[int], list[Factor]] = {}
    for factor in tensors:
        groups.setdefault(frozenset(factor.labels), []).append(factor)
        total += len(set(factor.labels)) < len(factor.labels) and bool(out)  # diag(A)
    for labels, group in groups.items():
        total += len(group) - 1  # ⊙
        below = all(factor.exponent < 0 for factor in group)
        if len(labels) > 1:
            total += over * (below and len(group) == len(tensors))  # 1 ./ X
            for label in labels:
                ends[label] += 1
        else:
            (label,) = labels
            vectors[label] = len(group)
            matrices = any(label in other for other in groups if len(other) > 1)
            total += over * (below and not (matrices and len(node.out) == 1))  # 1 ./ x
    for label, (v, m) in enumerate(zip(vectors, ends, strict=True)):
        o = label in out
        if v + m + o == 1:
            total += bool(out)  # 𝟏
        elif v and m and (o or m > 1):
            total += 1  # diag, or ⊙ with a product
        elif not o and not m:
            total -= 1  # u'v
        elif m > 2 or (m == 2 and label in node.out[:1]):
            total += 1
    return total + _transposes(node, tensors)


def _transposes(node: Product, tensors: Sequence[Factor]) -> int:
    """Factors that are met at their last axis when walking away from the first axis."""
    if node.out:
        start = node.out[0]
    else:
        vectors = [f for f in tensors if len(f.labels) == 1]
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
    turned: list[bool] = []
    for child, labels, _ in tensors:
        if len(labels) == 2:
            first, second = (distance.get(k, 0) for k in labels)
            if node.arena.is_symmetric(child) or _is_inverse(child):
                continue  # X⁻ᵀ is no longer than X⁻¹
            turned.append(first > second)
    total += min(turned.count(True), turned.count(False) + 1)
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
