"""Random products and sums: whatever the print, it reads back to the same value."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from matderiv.notation import present
from matderiv.tensor.arena import Arena
from matderiv.tensor.dims import Dim, Shape
from matderiv.tensor.nodes import Node, Number
from tests.notation.reading import SIZES, assert_reads_back

DIMS = list(SIZES)
EXPONENTS: list[Number] = [1, 1, 1, 1, 1, 2, 3, -1, -2]
EXPONENTS += [Fraction(1, 2), Fraction(-1, 2), Fraction(3, 2)]
COEFFICIENTS: list[Number] = [1, 1, 1, 2, -1, -2, 3]
COEFFICIENTS += [Fraction(1, 2), Fraction(-3, 4), Fraction(1, 100)]


class Maker:
    """Draws nodes over a fixed set of inputs."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.arena = Arena()
        variable = self.arena.variable
        self.leaves: list[Node] = [variable("t", ()), variable("s", ())]
        self.leaves += [variable(name, (dim,)) for name, dim in zip("abxy", DIMS, strict=True)]
        self.leaves += [
            variable(name, shape)
            for name, shape in {
                "A": ("m", "n"),
                "B": ("n", "n"),
                "C": ("n", "p"),
                "F": ("p", "m"),
                "G": ("p", "q"),
                "H": ("m", "n"),
            }.items()
        ]
        self.leaves.append(variable("S", ("n", "n"), ["symmetric"]))
        self.leaves.append(self.arena.size("n"))
        self.selections: list[Node] = [
            self.arena.select("n", 1, 2),
            self.arena.select("n", 0, 2),
            self.arena.select("m", 0, 1),
        ]

    def value(self, depth: int) -> Node:
        """A node of any shape of order ≤ 2."""
        if depth == 0 or self.random.random() < 0.15:
            return self.random.choice(self.leaves + self.selections * (depth < 2))
        kind = self.random.choice(["product"] * 4 + ["sum", "map", "inverse"])
        if kind == "product":
            return self.product(depth)
        if kind == "map":
            function = self.random.choice(["cos", "tanh", "sigmoid", "step", "sin"])
            return self.arena.map(function, self.value(depth - 1))
        if kind == "inverse":
            square = self.product(depth, ("n", "n"))
            return self.arena.apply("inv", self.arena.identity("n") + square / 100)
        terms = self.random.randint(2, 3)
        first = self.product(depth)
        rest = [self.product(depth, first.shape) for _ in range(terms - 1)]
        members = [(self.random.choice(COEFFICIENTS), node) for node in (first, *rest)]
        return self.arena.sum(members, first.shape)

    def product(self, depth: int, shape: Shape | None = None) -> Node:
        """A product whose labels meet by chance; `shape` fixes its output."""
        pool: dict[int, Dim] = {k: self.random.choice(DIMS[:3]) for k in range(4)}
        if shape is None:
            out = [self.random.randrange(4) for _ in range(self.random.randint(0, 2))]
        else:
            pool |= {10 + k: dim for k, dim in enumerate(shape)}
            out = [10 + k for k in range(len(shape))]
            if len(shape) == 2 and shape[0] == shape[1] and self.random.random() < 0.3:
                out = [10, 10]
        factors = []
        for _ in range(self.random.randint(1, 4)):
            node = self.value(depth - 1)
            labels = []
            for dim in node.shape:
                fits = [label for label, size in pool.items() if size == dim]
                if not fits:
                    fits = [20 + len(pool)]
                    pool[fits[0]] = dim
                labels.append(self.random.choice(fits))
            exponent = self.random.choice(EXPONENTS) if node in self.leaves else 1
            factors.append((node, labels, exponent))
        return self.arena.product(self.random.choice(COEFFICIENTS), factors, out, pool)


@pytest.mark.parametrize("seed", range(200))
def test_print_reads_back(seed: int) -> None:
    node = Maker(seed).value(depth=2)
    assert_reads_back(node, row=node.order == 1 and seed % 2 == 1, seed=seed)


@pytest.mark.parametrize("seed", range(40))
def test_printing_is_a_function_of_the_node(seed: int) -> None:
    """Printing makes nodes of its own; they do not change what is printed."""
    node = Maker(seed).value(depth=2)
    first = present(node)
    again = present(node)
    assert first.text("unicode") == again.text("unicode")
    assert first.weight == again.weight
