"""The order in which a product of several arrays is joined pairwise.

Up to six arrays the cheapest binary tree is found by dynamic programming over subsets
(bit masks).  Beyond that two orders compete, which join one pair after the other: that
with the least result relative to what it removes, or that of the least cost.  Costs are
FLOPs at the assumed sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from heapq import heapify, heappop, heappush
from itertools import combinations
from typing import NamedTuple

from matderiv.limits import tick

__all__ = ["Operand", "Tree", "cheapest_tree"]

_EXHAUSTIVE = 6


class Operand(NamedTuple):
    """A piece as the search sees it: a mask of labels, what it stands for."""

    labels: int
    inverted: bool = False
    inverse: bool = False


@dataclass(slots=True)
class Tree:
    """A leaf (`leaf` ≥ 0) or the join of two trees; `labels` of its result.

    `fresh` counts entries of new arrays that are products of two given ones, entry by
    entry: M ⊙ (M ⊙ A B) is written into A B, M ⊙ M is not.  It decides between equals.
    Trees are equal that join the same operands in the same order, whatever that costs.
    """

    labels: int
    cost: float = field(compare=False)
    leaf: int = -1
    left: Tree | None = None
    right: Tree | None = None
    lazy: bool = False  # an inverse that is not computed
    fresh: int = field(default=0, compare=False)


Trees = Mapping[int, tuple[int, Tree]]  # number -> members and tree
Choice = tuple[float, float, int, int, Tree]


@lru_cache(maxsize=1024)
def cheapest_tree(operands: tuple[Operand, ...], out: int, sizes: tuple[int, ...]) -> Tree:
    """Return the tree of joins; `out` masks the labels of the result, `sizes` are the labels'.

    Remembered: the graphs of a formula, and the attempts to lower one, have products in common.

    A product A B x is joined from the right:

    >>> A, B, x = Operand(0b011), Operand(0b110), Operand(0b100)
    >>> tree = cheapest_tree((A, B, x), 0b001, (50, 60, 70))
    >>> tree.left.leaf, (tree.right.left.leaf, tree.right.right.leaf)
    (0, (1, 2))
    """
    search = _Search(operands, out, sizes)
    if len(operands) <= _EXHAUSTIVE:
        return search.exhaustive()
    found = [search.greedy(by_cost) for by_cost in (False, True)]
    return min(found, key=lambda tree: tree.cost)


class _Search:
    def __init__(self, operands: Sequence[Operand], out: int, sizes: Sequence[int]) -> None:
        self.operands = operands
        self.out = out
        self.sizes = sizes
        self._volumes: dict[int, int] = {0: 1}

    def volume(self, labels: int) -> int:
        known = self._volumes.get(labels)
        if known is None:
            low = labels & -labels
            known = self.sizes[low.bit_length() - 1] * self.volume(labels ^ low)
            self._volumes[labels] = known
        return known

    def leaf(self, index: int) -> Tree:
        operand = self.operands[index]
        return Tree(operand.labels, 0.0, leaf=index, lazy=operand.inverse or operand.inverted)

    def join(self, a: Tree, b: Tree, outside: int) -> Tree:
        """The join of two trees whose result must keep the labels in `outside`."""
        cost, fresh = self.cost(a, b, outside)
        return Tree((a.labels | b.labels) & outside, cost, left=a, right=b, fresh=fresh)

    def cost(self, a: Tree, b: Tree, outside: int) -> tuple[float, int]:
        """The cost of a join and its new entries, those of its trees included."""
        union = a.labels | b.labels
        kept = union & outside
        cost, fresh = a.cost + b.cost, a.fresh + b.fresh
        volume = self.volume(union)
        if kept == union:
            if a.lazy or b.lazy:
                cost += sum(self._inverse_cost(tree) for tree in (a, b) if tree.lazy)
            new = a.leaf >= 0 and b.leaf >= 0 and a.labels == b.labels and kept.bit_count() > 1
            return cost + volume, fresh + (volume if new else 0)
        cost += 2 * volume - self.volume(kept)
        if a.lazy or b.lazy:
            for this, other in ((a, b), (b, a)):
                if this.lazy:
                    cost += self._lazy_cost(this, other, union ^ kept)
        return cost, fresh

    def _inverse_cost(self, this: Tree) -> float:
        return (
            2.0 * float(self.volume(this.labels)) ** 1.5
            if self.operands[this.leaf].inverse
            else 0.0
        )

    def _lazy_cost(self, this: Tree, other: Tree, summed: int) -> float:
        """What it costs to compute an inverse, or to solve instead, in a contraction."""
        operand = self.operands[this.leaf]
        if not operand.inverse:
            return self.volume(this.labels)
        n = float(self.volume(this.labels)) ** 0.5
        solvable = (
            summed.bit_count() == 1
            and not other.lazy
            and other.labels.bit_count() <= 2
            and not (this.labels & ~summed & other.labels)
        )
        return float((2 / 3 if solvable else 2) * n**3)

    def needed(self, members: int) -> int:
        """The labels that the result or operands outside of `members` carry."""
        labels = self.out
        for index, operand in enumerate(self.operands):
            if not members >> index & 1:
                labels |= operand.labels
        return labels

    def exhaustive(self) -> Tree:
        count = len(self.operands)
        every = (1 << count) - 1
        best: dict[int, Tree] = {1 << index: self.leaf(index) for index in range(count)}
        carried = [0]  # the labels of each subset
        for members in range(1, every + 1):
            last = members.bit_length() - 1
            carried.append(carried[members ^ 1 << last] | self.operands[last].labels)
        for members in range(1, every + 1):
            if members in best:
                continue
            outside = self.out | carried[every ^ members]
            found: tuple[float, int] | None = None
            halves = 0
            part = (members - 1) & members
            while part:
                rest = members ^ part
                if part < rest:  # each split once
                    cost = self.cost(best[part], best[rest], outside)
                    if found is None or cost < found:
                        found, halves = cost, part
                part = (part - 1) & members
            best[members] = self.join(best[halves], best[members ^ halves], outside)
        return best[every]

    def greedy(self, by_cost: bool) -> Tree:
        """Join the pair with the least result minus operands, then the least cost.

        by_cost: the other way round.
        Pairs that share no label are tried where no other is left.
        """
        trees = {index: (1 << index, self.leaf(index)) for index in range(len(self.operands))}
        pairs = combinations(trees, 2)
        choices = [self._choice(trees, i, j, by_cost) for i, j in pairs if _connected(trees, i, j)]
        heapify(choices)
        made = len(trees)
        while len(trees) > 1:
            if not choices:
                choices = sorted(
                    self._choice(trees, i, j, by_cost) for i, j in combinations(trees, 2)
                )
            *_, i, j, tree = heappop(choices)
            if i in trees and j in trees:
                (p, _), (q, _) = trees.pop(i), trees.pop(j)
                others = list(trees)
                trees[made] = (p | q, tree)
                for k in others:
                    if _connected(trees, k, made):
                        heappush(choices, self._choice(trees, k, made, by_cost))
                made += 1
        ((_, last),) = trees.values()
        return last

    def _choice(self, trees: Trees, i: int, j: int, by_cost: bool) -> Choice:
        """The join of two trees, after what it is preferred by."""
        tick()
        (p, a), (q, b) = trees[i], trees[j]
        tree = self.join(a, b, self.needed(p | q))
        gain = self.volume(tree.labels) - self.volume(a.labels) - self.volume(b.labels)
        cost = tree.cost - a.cost - b.cost
        return (cost, gain, i, j, tree) if by_cost else (gain, cost, i, j, tree)


def _connected(trees: Trees, i: int, j: int) -> bool:
    """Whether two trees share a label, or one of them is a scalar."""
    a, b = trees[i][1].labels, trees[j][1].labels
    return bool(a & b) or not (a and b)
