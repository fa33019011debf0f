"""Laws of the constructor of sums: one node for one value, and the right value."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from matderiv.tensor.arena import Arena
from matderiv.tensor.nodes import Factor, Node, Number, Product, Sum
from tests.numerics import Array, lengths, relative_error, value

SIZES = {"n": 3, "m": 2}
SHAPE = ("n", "n")


class RawSum:
    """Random terms of one shape, some equal, some with common factors."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng([13, seed])
        self.arena = arena = Arena()
        a, b = arena.variable("A", SHAPE), arena.variable("B", SHAPE)
        s = arena.variable("S", SHAPE, ["symmetric"])
        x, t = arena.variable("x", ("n",)), arena.variable("t", ())
        self.arrays: dict[Node, Array] = {
            node: self.random.normal(size=lengths(node.shape, SIZES)) for node in (a, b, s, x, t)
        }
        self.arrays[s] = self.arrays[s] + self.arrays[s].T
        outer, norm = arena.einsum("i,j->ij", x, x), arena.einsum("i,i->", x, x)
        pool = [
            a, b, s, outer, 2 * a, -b, t * a, t * b, t**2 * a, a / t, norm * b, norm**-1 * a,
            arena.transpose(a), arena.identity("n"), t * arena.identity("n"), arena.ones(*SHAPE),
            arena.einsum("ij,jk->ik", a, b), arena.zero(SHAPE), a - b, 3 * (a + b),
            arena.einsum("i->ii", x), Fraction(1, 2) * s, arena.einsum("ij,j->ij", a, x),
        ]  # fmt: skip
        count = int(self.random.integers(1, 7))
        self.terms: list[tuple[Number, Node]] = [
            (
                Fraction(int(self.random.integers(-4, 5)), int(self.random.integers(1, 4))),
                pool[int(self.random.integers(len(pool)))],
            )
            for _ in range(count)
        ]


@pytest.mark.parametrize("seed", range(100))
@pytest.mark.parametrize("merge", [False, True], ids=["apart", "merged"])
def test_constructor_keeps_the_value(seed: int, merge: bool) -> None:
    raw = RawSum(seed)
    inline = frozenset(node.id for _, node in raw.terms) if merge else frozenset[int]()
    node = raw.arena.sum(raw.terms, SHAPE, inline)
    want = sum(float(c) * value(term, raw.arrays, SIZES) for c, term in raw.terms)
    got = value(node, raw.arrays, SIZES)
    assert np.allclose(got, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", range(60))
def test_form_is_independent_of_order(seed: int) -> None:
    raw = RawSum(seed)
    node = raw.arena.sum(raw.terms, SHAPE)
    for attempt in range(3):
        order = np.random.default_rng([seed, attempt]).permutation(len(raw.terms))
        assert raw.arena.sum([raw.terms[k] for k in order], SHAPE) is node


def test_terms_stand_as_they_are_written() -> None:
    """Values that the sum makes first stand in the order of its terms."""
    arena = Arena()
    x, y, z, w = (arena.variable(name, ("n",)) for name in "xyzw")

    def term(number: int, *nodes: Node) -> Node:
        return arena.product(number, [Factor(node, (0,), 1) for node in nodes], (0,))

    made = arena.sum([(1, term(2, z, w)), (1, term(3, x, y)), (1, term(5, x, w))], ("n",))
    assert isinstance(made, Sum)
    assert [t.coefficient for t in made.terms] == [2, 3, 5]
    assert [set(t.node.children) for t in made.terms] == [{z, w}, {x, y}, {x, w}]


@pytest.mark.parametrize("seed", range(60))
def test_rebuilding_a_sum_gives_the_sum(seed: int) -> None:
    raw = RawSum(seed)
    node = raw.arena.sum(raw.terms, SHAPE)
    if isinstance(node, Sum):
        assert raw.arena.sum(node.terms, SHAPE) is node


@pytest.mark.parametrize("seed", range(60))
def test_content_is_outside(seed: int) -> None:
    """Coefficients of a Sum are coprime integers, or decimals up to 1; no Product in it has one."""
    raw = RawSum(seed)
    node = raw.arena.sum(raw.terms, SHAPE)
    sums = [n for n in (node, *node.children) if isinstance(n, Sum) and n.terms]
    for made in sums:
        coefficients = [term.coefficient for term in made.terms]
        assert coefficients[0] > 0
        if all(isinstance(c, int) for c in coefficients):
            assert np.gcd.reduce(coefficients) == 1
        else:
            assert max(map(abs, coefficients)) == 1
        assert all(not isinstance(n, Product) or n.coefficient == 1 for n in made.children)


def test_decimals_are_not_blown_up() -> None:
    arena = Arena()
    a, b = arena.variable("A", SHAPE), arena.variable("B", SHAPE)
    for decimal in (Fraction(1, 10), Fraction(3, 100), Fraction(1, 10**8)):
        near = arena.sum([(1, a), (decimal, b)], SHAPE)
        assert isinstance(near, Sum)
        assert [term.coefficient for term in near.terms] == [1, decimal]
        assert arena.sum([(Fraction(2, 3), a), (Fraction(2, 3) * decimal, b)], SHAPE) is near * (
            Fraction(2, 3)
        )
    thirds = arena.sum([(1, a), (Fraction(1, 30), b)], SHAPE)
    assert isinstance(thirds, Product)
    assert thirds.coefficient == Fraction(1, 30)


def test_like_terms_merge_and_vanish() -> None:
    arena = Arena()
    a, b = arena.variable("A", SHAPE), arena.variable("B", SHAPE)
    assert a + a is 2 * a
    assert a - a is arena.zero(SHAPE)
    assert arena.sum([(1, a), (3, arena.zero(SHAPE))], SHAPE) is a
    assert (a + b) - b is not a  # only as the simplifier opens it
    assert arena.sum([(1, a + b), (-1, b)], SHAPE, frozenset({(a + b).id})) is a


def test_multiples_share_a_node() -> None:
    arena = Arena()
    a, b, t = arena.variable("A", SHAPE), arena.variable("B", SHAPE), arena.variable("t", ())
    inner = a - b
    assert 2 * a - 2 * b is 2 * inner
    assert b - a is -inner
    assert t * a - t * b is t * inner


def test_common_scalars_with_exponents_of_one_sign_leave() -> None:
    """t² A + t B = t (t A + B); t A + t⁻¹ B stays."""
    arena = Arena()
    a, b, t = arena.variable("A", SHAPE), arena.variable("B", SHAPE), arena.variable("t", ())
    assert t**2 * a + t * b is t * (t * a + b)
    mixed = t * a + b / t
    assert isinstance(mixed, Sum)
    arrays: dict[Node, Array] = {
        a: np.eye(3), b: np.ones((3, 3)), t: np.asarray(2.0),
    }  # fmt: skip
    want = 2 * np.eye(3) + 0.5
    assert relative_error(value(mixed, arrays, SIZES), want) == 0


@pytest.mark.parametrize("shape", [(), ("n",), SHAPE], ids=str)
def test_what_all_terms_are_multiplied_by_stands_before_the_sum(shape: tuple[str, ...]) -> None:
    """s^a Y + s^b Z = s^c (s^(a-c) Y + s^(b-c) Z), with the c of a and b that is nearest to 0."""
    arena = Arena()
    y, z = arena.variable("Y", shape), arena.variable("Z", shape)
    r, t = arena.variable("r", ()), arena.variable("t", ())
    for s in (t, arena.map("exp", t), arena.apply("det", arena.variable("A", SHAPE))):
        for a in (-3, -1, 1, 2):
            for b in (-2, -1, 1, 3):
                made = r**a * y * s**a + r**a * z * s**b
                least = min(a, b, key=abs) if (a > 0) == (b > 0) else 0
                rest = y * s ** (a - least) + z * s ** (b - least)
                assert made is rest * s**least * r**a
    if not shape:
        assert y + y * z is y * (1 + z)
        assert y**3 * z + y is y * (y**2 * z + 1)
        assert isinstance(y + z / y, Sum)
        assert y * z + y * t + y is y * (z + t + 1)


def test_shapes_must_agree() -> None:
    arena = Arena()
    with pytest.raises(ValueError):
        arena.sum([(1, arena.variable("x", ("n",)))], ("m",))
    with pytest.raises(ValueError):
        arena.variable("x", ("n",)) + arena.variable("A", SHAPE)


def test_a_scalar_is_added_to_every_entry() -> None:
    arena = Arena()
    a, t = arena.variable("A", SHAPE), arena.variable("t", ())
    arrays: dict[Node, Array] = {a: np.eye(3), t: np.asarray(2.0)}
    assert np.array_equal(value(a + t, arrays, SIZES), np.eye(3) + 2)
    assert np.array_equal(value(1 - a, arrays, SIZES), 1 - np.eye(3))
