"""Products that are still growing: factors with labels, before they become a node.

A chain `A B x` is three factors and two joined labels; closing it makes one Product.
Chains are consumed by what they are joined to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matderiv.tensor.arena import Arena
from matderiv.tensor.dims import Shape
from matderiv.tensor.nodes import Factor, Node, Number

__all__ = ["Chain", "Chains"]


@dataclass(slots=True)
class Chain:
    """coefficient · Σ Π factor over the labels not in `out`, of shape `shape`."""

    coefficient: Number
    factors: list[Factor]
    out: list[int]
    shape: Shape


class Chains:
    """Makes and joins chains whose labels are all different."""

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        self._labels = 0

    def _new(self, count: int) -> list[int]:
        self._labels += count
        return list(range(self._labels - count, self._labels))

    # ---- making ------------------------------------------------------------------

    def of(self, node: Node) -> Chain:
        return self.power(node, 1)

    def number(self, value: Number) -> Chain:
        return Chain(value, [], [], ())

    def power(self, node: Node, exponent: Number) -> Chain:
        """The entries of a node to a rational power."""
        labels = self._new(node.order)
        if exponent == 0:
            return self.of(self.arena.constant(1, node.shape))
        return Chain(1, [Factor(node, tuple(labels), exponent)], labels, node.shape)

    def scaled(self, coefficient: Number, chain: Chain) -> Chain:
        chain.coefficient *= coefficient
        return chain

    # ---- joining -----------------------------------------------------------------

    def _join(
        self, left: Chain, right: Chain, pairs: Sequence[tuple[int, int]]
    ) -> tuple[list[int], list[int], list[Factor]]:
        """Give the labels of each pair (one of each chain) one name."""
        if len(left.factors) < len(right.factors):
            pairs = [(b, a) for a, b in pairs]
            first, second = right, left
        else:
            first, second = left, right
        same = {b: a for a, b in pairs}
        first.factors.extend(
            Factor(f.node, tuple(same.get(k, k) for k in f.labels), f.exponent)
            for f in second.factors
        )
        outs = first.out, [same.get(k, k) for k in second.out]
        left_out, right_out = outs if first is left else outs[::-1]
        return left_out, right_out, first.factors

    def contract(self, left: Chain, right: Chain) -> Chain:
        """The product: the last axis of `left` with the first of `right`."""
        left_out, right_out, factors = self._join(left, right, [(left.out[-1], right.out[0])])
        coefficient, shape = left.coefficient * right.coefficient, left.shape[:-1] + right.shape[1:]
        return Chain(coefficient, factors, left_out[:-1] + right_out[1:], shape)

    def outer(self, left: Chain, right: Chain) -> Chain:
        left_out, right_out, factors = self._join(left, right, [])
        coefficient, shape = left.coefficient * right.coefficient, left.shape + right.shape
        return Chain(coefficient, factors, left_out + right_out, shape)

    def pointwise(self, left: Chain, right: Chain, shape: Shape) -> Chain:
        """Entry by entry; fewer axes, and axes of size 1, stretch as in NumPy."""
        left, right = (self._fitted(chain, shape) for chain in (left, right))
        aligned = list(zip(left.out[::-1], right.out[::-1], strict=False))
        left_out, right_out, factors = self._join(left, right, aligned)
        out = left_out if len(left_out) >= len(right_out) else right_out
        return Chain(left.coefficient * right.coefficient, factors, out, shape)

    def _fitted(self, chain: Chain, shape: Shape) -> Chain:
        """A chain whose axes each have the size of the aligned axis of `shape`, or none."""
        repeated = len(set(chain.out)) < len(chain.out)
        if not repeated and chain.shape == shape[len(shape) - len(chain.shape) :]:
            return chain
        node = self.close(chain)
        return self.of(self.stretch(node, shape) if node.order else node)

    def transposed(self, chain: Chain) -> Chain:
        chain.out.reverse()
        chain.shape = chain.shape[::-1]
        return chain

    def total(self, chain: Chain) -> Chain:
        """The sum of all entries."""
        return Chain(chain.coefficient, chain.factors, [], ())

    # ---- closing -----------------------------------------------------------------

    def close(self, chain: Chain) -> Node:
        sizes = dict(zip(chain.out, chain.shape, strict=True))
        return self.arena.product(chain.coefficient, chain.factors, chain.out, sizes)

    def stretch(self, node: Node, shape: Shape) -> Node:
        """A node repeated along new leading axes, and along axes of size 1."""
        if node.shape == shape:
            return node
        lead = len(shape) - node.order
        labels = list(range(lead, len(shape)))
        spare = len(shape)
        for axis, label in enumerate(labels):
            if node.shape[axis] == 1 != shape[label]:
                labels[axis] = spare  # summed away: one entry
                spare += 1
        factor = Factor(node, tuple(labels), 1)
        return self.arena.product(1, [factor], range(len(shape)), dict(enumerate(shape)))

    def select(self, node: Node, indices: Sequence[int | slice]) -> Node:
        """Entries and slices: each a product with a 0/1 matrix S."""
        factors, out, spare = [], [], node.order
        for axis, (index, dim) in enumerate(zip(indices, node.shape, strict=True)):
            if isinstance(index, slice) and index.start in (None, 0) and index.stop is None:
                out.append(axis)
                continue
            if isinstance(index, slice):
                start = index.start or 0
                stop = dim if index.stop is None else index.stop
                assert isinstance(stop, int)
                out.append(spare)
            else:
                start, stop = index, index + 1
            factors.append(Factor(self.arena.select(dim, start, stop), (spare, axis), 1))
            spare += 1
        factors.append(Factor(node, tuple(range(node.order)), 1))
        return self.arena.product(1, factors, out)
