"""What meets its inverse vanishes, and nothing else does: random products beside NumPy."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import numpy as np
import pytest

from matderiv.tensor.arena import Arena
from matderiv.tensor.cancel import _chain, without_square
from matderiv.tensor.nodes import Factor, Node, Product
from tests.numerics import Array, value

SIZES = {"n": 3, "m": 2}


class Inverses:
    """A, B, S, Q, P: (n, n), X: (n, m), Y: (m, n); S symmetric, Q orthogonal, P stochastic."""

    def __init__(self) -> None:
        self.arena = arena = Arena()
        draw = np.random.default_rng(5)
        square, wide = ("n", "n"), ("n", "m")
        self.A, self.B = arena.variable("A", square), arena.variable("B", square)
        self.S = arena.variable("S", square, ["symmetric"])
        self.Q = arena.variable("Q", square, ["orthogonal"])
        self.P = arena.variable("P", square, ["stochastic"])
        self.X, self.Y = arena.variable("X", wide), arena.variable("Y", wide[::-1])
        self.arrays: dict[Node, Array] = {
            node: draw.normal(size=[SIZES[str(dim)] for dim in node.shape])
            for node in (self.A, self.B, self.S, self.Q, self.P, self.X, self.Y)
        }
        self.arrays[self.S] = self.arrays[self.S] + self.arrays[self.S].T
        self.arrays[self.Q] = np.linalg.qr(self.arrays[self.Q])[0]
        positive = np.abs(self.arrays[self.P])
        self.arrays[self.P] = positive / positive.sum(1, keepdims=True)

    def chains(self) -> list[list[tuple[Node, bool]]]:
        """Products of matrices, each with whether it stands transposed."""
        A, B, S, X, Y = self.A, self.B, self.S, self.X, self.Y
        return [
            [(A, False)],
            [(A, False), (B, False)],
            [(A, True), (B, False)],
            [(A, False), (A, False)],
            [(A, True), (A, False)],
            [(A, False), (S, False)],
            [(S, False), (A, False), (B, True)],
            [(Y, False), (X, False)],
            [(X, True), (X, False)],
            [(Y, False), (A, False), (X, False)],
            [(X, False), (Y, False)],
        ]

    def chained(
        self, links: Sequence[tuple[Node, bool]], inline: frozenset[int] = frozenset()
    ) -> Node:
        factors = [
            Factor(node, (k + 1, k) if turned else (k, k + 1), 1)
            for k, (node, turned) in enumerate(links)
        ]
        return self.arena.product(1, factors, (0, len(links)), inline=inline)


def _raw(made: Inverses, draw: random.Random) -> tuple[list[Factor], list[int]]:
    """An inverse and matrices of its argument, on labels of which many are shared."""
    links = draw.choice(made.chains()[:-1])
    inverse = made.arena.apply("inv", made.chained(links))
    pool = [node for node, _ in links] * 3 + [inverse, made.Q, made.P, made.B]
    factors, dims = list[Factor](), dict[int, object]()
    for node in [inverse, *draw.choices(pool, k=draw.randint(1, 4))]:
        labels = list[int]()
        for dim in node.shape:
            same = [label for label, size in dims.items() if size == dim]
            label = draw.choice(same) if same and draw.random() < 0.7 else len(dims)
            dims[label] = dim
            labels.append(label)
        factors.append(Factor(node, tuple(labels), draw.choice([1, 1, 1, 1, 2])))
    return factors, draw.sample(sorted(dims), min(len(dims), draw.randint(0, 3)))


def _by_numpy(made: Inverses, factors: Sequence[Factor], out: Sequence[int]) -> Array:
    parts: list[object] = []
    for node, labels, exponent in factors:
        parts += [value(node, made.arrays, SIZES) ** int(exponent), list(labels)]
    return np.asarray(np.einsum(*parts, list(out)))


@pytest.mark.parametrize("seed", range(300))
def test_a_product_with_inverses_has_its_value(seed: int) -> None:
    made = Inverses()
    factors, out = _raw(made, random.Random(seed))
    node = made.arena.product(1, factors, out)
    want = _by_numpy(made, factors, out)
    scale = max(1.0, float(np.max(np.abs(want))))
    assert np.allclose(value(node, made.arrays, SIZES), want, rtol=0, atol=1e-8 * scale)
    if isinstance(node, Product):
        for shorter in without_square(node):
            found = value(shorter, made.arrays, SIZES)
            assert np.allclose(found, want, rtol=0, atol=1e-8 * scale)


@pytest.mark.parametrize("turned", [False, True], ids=["upright", "transposed"])
@pytest.mark.parametrize("place", range(10))
def test_an_inverse_vanishes_beside_its_argument(place: int, turned: bool) -> None:
    """C⁻¹ C = C C⁻¹ = I for every product C, and for C'; one that is not square has no inverse."""
    made = Inverses()
    links = made.chains()[place]
    product, inverse = made.chained(links), made.arena.apply("inv", made.chained(links))
    dim = product.shape[0]
    if turned:
        product, inverse = (made.arena.transpose(node) for node in (product, inverse))
    for left, right in ((inverse, product), (product, inverse)):
        factors = [Factor(left, (0, 1), 1), Factor(right, (1, 2), 1)]
        parts = frozenset({product.id, made.chained(links).id})
        assert made.arena.product(1, factors, (0, 2), inline=parts) is made.arena.identity(dim)


@pytest.mark.parametrize("out", ["b", "c"])
def test_a_symmetric_matrix_meets_its_inverse_however_both_are_written(out: str) -> None:
    """S⁻¹ S v = v, and S S⁻¹ v, with the axes of each in either order, v before or behind."""
    made = Inverses()
    v, inverse = made.arena.variable("v", ("n",)), made.arena.apply("inv", made.S)
    given = "bc".replace(out, "")
    for left, right in itertools.product(("ab", "ba"), ("ac", "ca")):
        terms = {left: inverse, right: made.S, given: v}
        for order in itertools.permutations(terms):
            spec = f"{','.join(order)}->{out}"
            assert made.arena.einsum(spec, *(terms[term] for term in order)) is v, spec


@pytest.mark.parametrize("exponent", [-1, 2, 3])
@pytest.mark.parametrize("place", range(10))
def test_an_entrywise_power_of_an_inverse_meets_nothing(place: int, exponent: int) -> None:
    made = Inverses()
    links = made.chains()[place]
    inverse, (first, turned) = made.arena.apply("inv", made.chained(links)), links[0]
    factors = [
        Factor(inverse, (0, 1), exponent),
        Factor(first, (2, 1) if turned else (1, 2), 1),
    ]
    node = made.arena.product(1, factors, (0, 2))
    assert isinstance(node, Product)
    assert {(f.node, f.exponent) for f in node.factors} == {(inverse, exponent), (first, 1)}
    assert not list(without_square(node))


@pytest.mark.parametrize("seed", range(200))
def test_a_chain_is_the_product_that_it_is_read_from(seed: int) -> None:
    """From the first axis to the second; what is no such product is a chain of one."""
    made = Inverses()
    draw = random.Random(seed)
    factors, out = _raw(made, draw)
    carried = {label for factor in factors[1:] for label in factor.labels}
    ends = [label for label in out if label in carried]
    node = made.arena.product(draw.choice([1, 1, 2]), factors[1:], ends)
    if node.order == 2:
        links = _chain(node)
        assert links == [(node, False)] or made.chained(links) is node
    want = made.chains()[seed % 11]
    product = made.chained(want)
    assert made.chained(_chain(product)) is product
    assert len(_chain(product)) == len(want)


def test_a_row_that_sums_to_one_vanishes_where_it_is_summed_alone() -> None:
    """Σ_j P_ij = 1 and Σ p = 1; Σ_i P_ij and squares stay."""
    arena = Arena()
    P, p = (arena.variable("P", shape, ["stochastic"]) for shape in (("m", "n"), ("n",)))
    x = arena.variable("x", ("n",))
    assert arena.einsum("ij->i", P) is arena.ones("m")
    assert arena.einsum("i->", p) is arena.number(1)
    for left in (arena.einsum("ij->j", P), arena.einsum("ij->i", P**2), arena.einsum("i->", p**2)):
        assert isinstance(left, Product)
        assert left.factors
    assert set(arena.einsum("ij,j->i", P, x).children) == {P, x}


@pytest.mark.parametrize("turned", [False, True], ids=["upright", "transposed"])
@pytest.mark.parametrize("port", [0, 1])
@pytest.mark.parametrize("place", [1, 2, 3, 4, 5, 6])
def test_an_inverse_beside_a_part_of_its_argument_is_that_of_the_rest(
    place: int, port: int, turned: bool
) -> None:
    """(A B)⁻¹ A X = B⁻¹ X and Y B (A B)⁻¹ = Y A⁻¹ for square A and B, and the transposes."""
    made = Inverses()
    links = made.chains()[place]
    inverse = made.arena.apply("inv", made.chained(links))
    for count in range(1, len(links)):
        part = made.chained(links[:count] if port else links[len(links) - count :])
        rest = made.arena.apply("inv", made.chained(links[count:] if port else links[:-count]))
        order = [(inverse, False), (part, False), (made.X, False)]
        short = [(rest, False), (made.X, False)]
        if not port:
            order, short = (
                [(made.Y, False), (part, False), (inverse, False)],
                [(made.Y, False), (rest, False)],
            )
        if turned:
            order, short = ([(n, True) for n, _ in reversed(each)] for each in (order, short))
        whole = made.chained(order, frozenset({part.id}))
        assert isinstance(whole, Product)
        found = list(without_square(whole))
        assert made.chained(short) in found
        other = made.arena.apply("expm", made.chained(links))  # no inverse
        beside = [(other if n is inverse else n, t) for n, t in order]
        kept = made.chained(beside, frozenset({part.id}))
        assert isinstance(kept, Product)
        assert not list(without_square(kept))
        want = value(whole, made.arrays, SIZES)
        for shorter in found:
            assert np.allclose(value(shorter, made.arrays, SIZES), want, rtol=1e-9)


def test_a_batch_of_inverses_beside_its_argument_stays() -> None:
    arena = Arena()
    batch = arena.variable("W", ("k", "n", "n"))
    product = arena.einsum("kij,kjl->kil", arena.apply("inv", batch), batch)
    assert isinstance(product, Product)
    assert len(product.factors) == 2
    assert not list(without_square(product))


def test_a_path_with_a_diagonal_on_it_is_no_chain() -> None:
    made = Inverses()
    for spec in ("ij,jk,jj->ik", "ij,jk,ii->ik", "ij,jk,kk->ik"):
        node = made.arena.einsum(spec, made.A, made.B, made.Q)
        assert _chain(node) == [(node, False)]
    cube = made.arena.variable("T", ("n", "n", "n"))
    node = made.arena.einsum("ikk,kj->ij", cube, made.B)
    assert _chain(node) == [(node, False)]
    node = made.arena.einsum("ij,jj->ij", made.A, made.B)
    assert _chain(node) == [(node, False)]
