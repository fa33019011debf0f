"""Every form of a sum has its value, whatever powers and labels its terms have.

Sums of each two terms of a list, at a point where all is positive but z.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest

from matderiv.calculus.shorten import Shortener
from matderiv.calculus.simplify import simplify
from matderiv.tensor.arena import Arena
from matderiv.tensor.evaluate import evaluate
from matderiv.tensor.nodes import Factor, Node
from tests.numerics import Array

N = 3


class Point:
    """Variables, and arrays for them."""

    def __init__(self) -> None:
        self.arena = arena = Arena()
        numbers = np.random.default_rng(3)
        self.A, self.B = (arena.variable(name, ("n", "n")) for name in "AB")
        self.x, self.y, self.z = (arena.variable(name, ("n",)) for name in "xyz")
        self.p, self.t = (arena.variable(name, ()) for name in "pt")
        leaves = (self.A, self.B, self.x, self.y, self.z, self.p, self.t)
        self.arrays: dict[Node, Array] = {
            leaf: 0.2 + np.asarray(numbers.random((N,) * leaf.order)) for leaf in leaves
        }
        self.arrays[self.A] += 4 * np.eye(N)
        self.arrays[self.z] -= 10

    def power(self, base: Node, more: int) -> Node:
        exponent = self.arena.broadcast(self.p, ("n",), ())
        return self.arena.map("pow", base, exponent + more)

    def at(self, node: Node) -> Array:
        return evaluate([node], self.arrays, {"n": N})[0]

    def same(self, one: Node, other: Node) -> bool:
        return np.allclose(self.at(one), self.at(other), rtol=1e-9, atol=1e-9)


def _powers(k: Point) -> list[Node]:
    """x^p and y^p with more factors, or a part of the exponent apart."""
    return [
        *(k.power(base, more) for base in (k.x, k.y) for more in (-1, 0, 1)),
        *(k.z * k.power(base, more) for base in (k.x, k.y) for more in (0, 2)),
        k.power(k.x, 0) * k.power(k.y, 0),
        k.power(k.x, 0) / k.power(k.x * k.y, 1),
        k.power(k.x, 0) ** 2,
        k.x,
    ]


def _labels(k: Point) -> list[Node]:
    """A^e and v of one axis on all labels, summed over 1."""
    return [
        k.arena.product(1, [Factor(k.A, ends, power), Factor(v, (at,), 1)], (0,), {0: "n"})
        for ends in product((0, 1), repeat=2)
        for power in (1, 2)
        for v in (k.x, k.y)
        for at in (0, 1)
    ]


def _divisors(k: Point) -> list[Node]:
    """What is divided by sums that have divisors of their own, and by functions of such."""
    below = k.x / k.z + k.y
    return [
        *(1 / below, k.y / below, k.x / below**2, k.x / below ** Fraction(1, 2), below, k.z),
        *(1 / k.arena.map("cosh", k.x / k.z), k.y / k.arena.map("cosh", below)),
        *(1 / k.z, k.y / k.z, k.x / k.z**2, k.x**2 / k.z),
    ]


@pytest.mark.parametrize("terms", [_powers, _labels, _divisors])
def test_every_form_of_a_sum_of_two_terms_has_its_value(
    terms: Callable[[Point], list[Node]],
) -> None:
    point = Point()
    for one, other in combinations(terms(point), 2):
        total, shortener = one + 2 * other, Shortener()
        for candidate in [*shortener._candidates(total), shortener.shorten(total)]:
            assert point.same(candidate, total)


@pytest.mark.parametrize("exponent", [-1, 1, 2])
@pytest.mark.parametrize("beside", ["", "i", "j"])
@pytest.mark.parametrize("within", ["", "i", "j"])
def test_a_divisor_of_a_matrix_leaves_its_inverse_as_a_number_alone(
    within: str, beside: str, exponent: int
) -> None:
    """(A/t + B)^-1 / t is (A + t B)^-1; with diag(x) it is so from one side, with ./ x never."""
    k = Point()
    matrix = k.arena.einsum(f"ij,{within}->ij", k.A, (k.x if within else k.t) ** -1) + k.B
    labels = (0,) if beside == "i" else (1,) if beside == "j" else ()
    inverse = Factor(k.arena.apply("inv", matrix), (0, 1), 1)
    value = k.arena.product(1, [inverse, Factor(k.x if beside else k.t, labels, exponent)], (0, 1))
    (short,) = simplify([value])
    assert k.same(short, value)
