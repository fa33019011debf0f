"""Random well-shaped programs over an `Arena`, with values at which they are finite.

One seed, one program: sums, products with any pattern of labels, elementwise functions,
primitives, shared parts and names, over axes of distinct sizes, of one size for all, or
of size 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import numpy as np

from matderiv.tensor.arena import Arena
from matderiv.tensor.dims import Dim, Shape
from matderiv.tensor.evaluate import evaluate
from matderiv.tensor.nodes import Factor, Node, Variable
from tests.numerics import Array, lengths

__all__ = ["RandomProgram", "random_program"]

_SIZES: dict[str, dict[str, int]] = {
    "distinct": {"n": 3, "m": 2, "k": 4},
    "equal": {"n": 2, "m": 2, "k": 2},
    "ones": {"n": 3, "m": 1, "k": 2},
}
_SHAPES: tuple[Shape, ...] = ((), ("n",), ("n",), ("m",), ("n", "m"), ("n", "n"), ("n", "k"))
_SMOOTH = ("tanh", "sin", "sigmoid", "softplus", "exp", "cos", "erf", "gelu", "silu", "atan")
_KINKED = ("relu", "abs", "leaky_relu", "elu")
_VECTORS = ("softmax", "log_softmax", "logsumexp", "max", "min")
_MATRICES = ("inv", "det", "logdet", "sqrtm", "expm", "chol")
_LARGEST = 50.0

T = TypeVar("T")


@dataclass
class RandomProgram:
    """A root, its variables, and arrays for them."""

    arena: Arena
    root: Node
    variables: list[Variable]
    arrays: dict[Node, Array]
    sizes: dict[str, int]

    def at(self, node: Node, more: dict[Node, Array] | None = None) -> Array:
        return evaluate([node], {**self.arrays, **(more or {})}, self.sizes)[0]


class _Maker:
    def __init__(self, seed: int, names: bool, primitives: bool) -> None:
        self.random = np.random.default_rng([23, seed])
        self.arena = Arena()
        self.sizes = self.pick(list(_SIZES.values()))
        self.names, self.primitives = names, primitives
        self.arrays: dict[Node, Array] = {}
        self.pool: list[Node] = []
        for index in range(int(self.random.integers(2, 5))):
            shape = self.pick(_SHAPES)
            attributes = ["positive"] if self.chance(0.15) else []
            variable = self.arena.variable(f"v{index}", shape, attributes)
            array = self.random.normal(size=lengths(shape, self.sizes))
            self.arrays[variable] = np.abs(array) + 0.2 if attributes else array
            self.pool.append(variable)

    # ---- choices -----------------------------------------------------------------

    def pick(self, options: Sequence[T]) -> T:
        return options[int(self.random.integers(len(options)))]

    def chance(self, probability: float) -> bool:
        return bool(self.random.random() < probability)

    def recent(self) -> Node:
        """A node of the pool, the later ones more often: programs grow deep."""
        return self.pool[-1 - min(int(self.random.geometric(0.35)) - 1, len(self.pool) - 1)]

    # ---- operations --------------------------------------------------------------

    def grow(self, steps: int) -> None:
        operations = [self.product, self.product, self.sum, self.function]
        if self.primitives:
            operations += [self.along_axis, self.of_matrix, self.reshape]
        for _ in range(steps):
            self.keep(self.pick(operations)())

    def keep(self, node: Node) -> None:
        """Put a node into the pool where its value is finite and of moderate size."""
        with np.errstate(all="ignore"):
            array = evaluate([node], self.arrays, self.sizes)[0]
        if not np.all(np.isfinite(array)) or np.max(np.abs(array)) > _LARGEST:
            return
        if self.names and self.chance(0.3):
            node = self.arena.name(f"w{len(self.pool)}", node)
        self.pool.append(node)

    def product(self) -> Node:
        dims: dict[int, Dim] = {}
        factors = []
        for _ in range(int(self.random.integers(1, 4))):
            node = self.recent()
            labels = []
            for dim in node.shape:
                known = [k for k, d in dims.items() if d == dim]
                if not known or self.chance(0.3):
                    known = [len(dims)]
                    dims[known[0]] = dim
                labels.append(self.pick(known))
            factors.append(Factor(node, tuple(labels), 2 if self.chance(0.15) else 1))
        out = [k for k in dims if self.chance(0.5)][:2]
        self.random.shuffle(out)
        if len(out) == 1 and self.chance(0.15):
            out *= 2  # a diagonal
        if len(out) < 2 and self.chance(0.15):
            out.append(len(dims))  # a broadcast
            dims[out[-1]] = self.pick(("n", "m"))
        coefficient = Fraction(self.pick((1, 1, 2, -1, -3)), self.pick((1, 1, 2)))
        return self.arena.product(coefficient, factors, out, dims)

    def sum(self) -> Node:
        node = self.recent()
        others = [n for n in self.pool if n.shape == node.shape and n is not node]
        if node.order == 2 and node.shape[0] == node.shape[1]:
            others += [self.arena.transpose(node), self.arena.identity(node.shape[0])]
        others += [self.arena.ones(*node.shape), self.arena.map("tanh", node)]
        count = int(self.random.integers(1, 4))
        terms = [(self.pick((1, -1, 2, Fraction(1, 2))), self.pick(others)) for _ in range(count)]
        return self.arena.sum([(1, node), *terms], node.shape)

    def function(self) -> Node:
        node = self.recent()
        arena = self.arena
        if self.chance(0.15):
            return arena.power(1 + node**2, self.pick((-1, Fraction(1, 2), Fraction(-3, 2))))
        if self.chance(0.1):
            return arena.map("log", 2 + arena.map("cos", node))
        return arena.map(self.pick(_KINKED if self.chance(0.15) else _SMOOTH), node)

    def along_axis(self) -> Node:
        node = self.recent()
        if not node.order:
            node = self.arena.broadcast(node, ("n",), ())
        if node.order == 2 and self.chance(0.4):
            node = self.arena.transpose(node)
        return self.arena.apply(self.pick(_VECTORS), node)

    def of_matrix(self) -> Node:
        """A function of 2 I + ½ tanh(A)/n, whose inverse and roots exist."""
        arena = self.arena
        squares = [n for n in self.pool if n.order == 2 and n.shape[0] == n.shape[1]]
        if squares:
            matrix = self.pick(squares)
        else:
            node = self.recent()
            vector = node if node.order == 1 else arena.ones("n")
            matrix = arena.einsum("i,j->ij", vector, vector)
        bounded = arena.map("tanh", matrix) / arena.size(matrix.shape[0]) / 2
        return arena.apply(self.pick(_MATRICES), 2 * arena.identity(matrix.shape[0]) + bounded)

    def reshape(self) -> Node:
        node = self.recent()
        if node.order < 2:
            return node + 1
        fused = self.arena.reshape(node, 2, (self.arena.total_size(node.shape),))
        inner = self.arena.map("tanh", fused) if self.chance(0.5) else fused
        return self.arena.reshape(inner, 1, node.shape[::-1] if self.chance(0.5) else node.shape)


def random_program(
    seed: int, *, scalar: bool = False, names: bool = False, primitives: bool = True, steps: int = 7
) -> RandomProgram:
    """The program of a seed; its root depends on every variable listed, and is of order ≤ 2."""
    for attempt in range(50):
        maker = _Maker(1000 * attempt + seed, names, primitives)
        maker.grow(steps)
        root = maker.pool[-1]
        if scalar and root.order:
            labels = tuple(range(root.order))
            root = maker.arena.product(1, [Factor(root, labels, 2)], ())
        variables = [
            v for v in maker.arrays if isinstance(v, Variable) and v.depends & root.depends
        ]
        if variables and not isinstance(root, Variable) and root.order <= 2:
            return RandomProgram(maker.arena, root, variables, maker.arrays, maker.sizes)
    raise AssertionError(f"no program for seed {seed}")
