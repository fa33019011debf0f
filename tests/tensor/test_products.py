"""Laws of the constructor of products: one node for one value, and the right value."""

from __future__ import annotations

import string
from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations, pairwise, permutations

import numpy as np
import pytest

from matderiv.errors import DomainError
from matderiv.tensor.arena import Arena
from matderiv.tensor.dims import Dim
from matderiv.tensor.nodes import Factor, Node, Number, Product
from tests.numerics import Array, relative_error, value

SIZES = {"n": 3, "m": 2, "k": 4}


def direct(
    coefficient: Number,
    factors: Sequence[Factor],
    out: Sequence[int],
    dims: dict[int, Dim],
    arrays: dict[Node, Array],
) -> Array:
    """The product by one `numpy.einsum` of the input as it is: no canonical form."""
    operands, inputs, ends = [], [], list[int]()
    for node, labels, exponent in factors:
        operands.append(value(node, arrays, SIZES) ** float(exponent))
        inputs.append("".join(string.ascii_letters[k] for k in labels))
    for label in out:
        size = dims[label] if isinstance(dims[label], int) else SIZES[str(dims[label])]
        if label in ends:
            copy = 30 + len(ends)
            operands.append(np.eye(size))
            inputs.append(string.ascii_letters[label] + string.ascii_letters[copy])
            ends.append(copy)
        else:
            operands.append(np.ones(size))
            inputs.append(string.ascii_letters[label])
            ends.append(label)
    spec = ",".join(inputs) + "->" + "".join(string.ascii_letters[k] for k in ends)
    operands.append(np.asarray(float(coefficient)))
    return np.asarray(np.einsum(spec.replace("->", ",->"), *operands))


class RawProduct:
    """A random product before construction: labels repeat, factors nest and cancel."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng([11, seed])
        self.arena = Arena()
        self.arrays: dict[Node, Array] = {}
        self.dims: dict[int, Dim] = {}
        self.factors: list[Factor] = []
        for _ in range(int(self.random.integers(1, 6))):
            self.add_factor()
        self.coefficient = Fraction(int(self.random.integers(-3, 4)) or 5, 2)
        choices = list(self.dims)
        self.out = (
            [int(k) for k in self.random.choice(choices, self.random.integers(0, 4))]
            if (choices)
            else []
        )
        if self.random.random() < 0.2:
            self.dims[len(self.dims)] = self.pick(["n", "m", 5])
            self.out.append(len(self.dims) - 1)

    def pick(self, options: Sequence[object]) -> object:
        return options[int(self.random.integers(len(options)))]

    def label(self, dim: Dim) -> int:
        known = [k for k, d in self.dims.items() if d == dim]
        if known and self.random.random() < 0.75:
            return int(self.pick(known))  # type: ignore[call-overload]
        self.dims[len(self.dims)] = dim
        return len(self.dims) - 1

    def variable(self, name: str, shape: tuple[Dim, ...], attributes: Sequence[str] = ()) -> Node:
        node = self.arena.variable(name, shape, attributes)
        if node not in self.arrays:
            lengths = [d if isinstance(d, int) else SIZES[str(d)] for d in shape]
            array = np.random.default_rng([len(name), *name.encode()]).normal(size=lengths)
            if "symmetric" in attributes:
                array = array + array.T
            if "positive" in attributes:
                array = np.abs(array) + 0.1
            if "orthogonal" in attributes:
                array = np.linalg.qr(array)[0]
            self.arrays[node] = array
        return node

    def node(self) -> Node:
        arena = self.arena
        square, other = self.variable("A", ("n", "n")), self.variable("B", ("n", "n"))
        options = [
            square,
            other,
            self.variable("S", ("n", "n"), ["symmetric"]),
            self.variable("Q", ("n", "n"), ["orthogonal"]),
            self.variable("R", ("n", "m")),
            self.variable("x", ("n",)),
            self.variable("p", ("n",), ["positive"]),
            self.variable("t", ()),
            self.variable("T", ("n", "m", "n")),
            self.variable("u", (1,)),
            arena.size("n"),
            arena.apply("inv", square),
            arena.apply("inv", arena.einsum("ij,jk->ik", square, other)),
            arena.einsum("ij,jk->ik", square, other),
            arena.einsum("ij->ji", square),
            arena.einsum("i->ii", self.variable("x", ("n",))),
            arena.einsum("i,j->ij", self.variable("x", ("n",)), self.variable("y", ("m",))),
            arena.einsum("i,i->", self.variable("x", ("n",)), self.variable("x", ("n",))),
            arena.einsum("ii->", square),
            arena.identity("n"),
            arena.ones("n", "m"),
            3 * square - 2 * other,
            arena.power(self.variable("x", ("n",)), 2),
        ]
        return self.pick(options)  # type: ignore[return-value]

    def add_factor(self) -> None:
        node = self.node()
        base = value(node, self.arrays, SIZES)
        exponents: list[Number] = [1, 1, 1, 1, 1, 2]
        if np.all(base != 0):
            exponents += [-1, -2]
        if np.all(base >= 0):
            exponents += [Fraction(1, 2), Fraction(3, 2)]
            if np.all(base > 0):
                exponents += [Fraction(-1, 2)]
        labels = tuple(self.label(dim) for dim in node.shape)
        self.factors.append(Factor(node, labels, self.pick(exponents)))  # type: ignore[arg-type]

    def build(self, factors: Sequence[Factor] | None = None) -> Node:
        return self.arena.product(self.coefficient, factors or self.factors, self.out, self.dims)


@pytest.mark.parametrize("seed", range(200))
def test_constructor_keeps_the_value(seed: int) -> None:
    raw = RawProduct(seed)
    node = raw.build()
    want = direct(raw.coefficient, raw.factors, raw.out, raw.dims, raw.arrays)
    assert relative_error(value(node, raw.arrays, SIZES), want) <= 1e-9


@pytest.mark.parametrize("seed", range(80))
def test_merging_children_keeps_the_value(seed: int) -> None:
    raw = RawProduct(seed)
    inline = frozenset(factor.node.id for factor in raw.factors)
    node = raw.arena.product(raw.coefficient, raw.factors, raw.out, raw.dims, inline)
    want = direct(raw.coefficient, raw.factors, raw.out, raw.dims, raw.arrays)
    assert relative_error(value(node, raw.arrays, SIZES), want) <= 1e-9


@pytest.mark.parametrize("seed", range(80))
def test_rebuilding_a_product_gives_the_product(seed: int) -> None:
    raw = RawProduct(seed)
    node = raw.build()
    if isinstance(node, Product):
        again = raw.arena.product(
            node.coefficient, node.factors, node.out, dict(enumerate(node.sizes))
        )
        assert again is node


@pytest.mark.parametrize("seed", range(80))
def test_form_is_independent_of_names_and_order(seed: int) -> None:
    raw = RawProduct(seed)
    node = raw.build()
    for attempt in range(4):
        random = np.random.default_rng([seed, attempt])
        names = dict(zip(raw.dims, random.permutation(40)[: len(raw.dims)].tolist(), strict=True))
        factors = []
        for index in random.permutation(len(raw.factors)):
            factor = raw.factors[index]
            labels = tuple(names[k] for k in factor.labels)
            if raw.arena.is_symmetric(factor.node) and random.random() < 0.5:
                labels = labels[::-1]
            factors.append(Factor(factor.node, labels, factor.exponent))
        dims = {names[k]: dim for k, dim in raw.dims.items()}
        again = raw.arena.product(raw.coefficient, factors, [names[k] for k in raw.out], dims)
        assert again is node


# ----- products of one matrix with itself ---------------------------------------------
def graph(node: Node, edges: Sequence[tuple[int, int]], seed: int) -> Node:
    """Σ Π node[i, j] over the edges, with vertices renamed and edges shuffled at random."""
    random = np.random.default_rng(seed)
    names = random.permutation(50).tolist()
    factors = []
    for index in random.permutation(len(edges)):
        i, j = edges[index]
        if node.arena.is_symmetric(node) and random.random() < 0.5:
            i, j = j, i
        factors.append(Factor(node, (names[i], names[j]), 1))
    return node.arena.product(1, factors, ())


def cycle(length: int) -> list[tuple[int, int]]:
    return [*pairwise(range(length)), (length - 1, 0)]


GRAPHS = {
    "tr A^3": cycle(3),
    "tr A^8": cycle(8),
    "K4": list(combinations(range(4), 2)),
    "K33": [(i, j) for i in range(3) for j in range(3, 6)],
    "prism": [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3), (0, 3), (1, 4), (2, 5)],
}


@pytest.mark.parametrize("attributes", [[], ["symmetric"]], ids=["general", "symmetric"])
@pytest.mark.parametrize("name", GRAPHS)
def test_graph_has_one_form(name: str, attributes: list[str]) -> None:
    node = Arena().variable("A", ("n", "n"), attributes)
    assert len({graph(node, GRAPHS[name], seed).id for seed in range(30)}) == 1


def test_different_graphs_have_different_forms() -> None:
    node = Arena().variable("S", ("n", "n"), ["symmetric"])
    assert graph(node, GRAPHS["prism"], 0) is not graph(node, GRAPHS["K33"], 0)


def test_a_product_is_symmetric_when_its_transpose_is_itself() -> None:
    arena = Arena()
    x, s = arena.variable("X", ("n", "m")), arena.variable("S", ("n", "n"), ["symmetric"])
    gram = arena.einsum("ij,ik->jk", x, x)
    assert arena.is_symmetric(gram)
    assert arena.is_symmetric(arena.apply("inv", gram + 2 * arena.identity("m")))
    assert arena.is_symmetric(arena.einsum("ij,jk,kl->il", s, s, s))
    assert not arena.is_symmetric(arena.einsum("ij,jk->ik", s, arena.variable("B", ("n", "n"))))


# ----- traps --------------------------------------------------------------------------
def test_a_cancelled_label_leaves_no_size() -> None:
    """tr(X⁻¹ X Y) = tr Y: the eliminated label is not a sum of ones."""
    arena = Arena()
    x, y = arena.variable("X", ("n", "n")), arena.variable("Y", ("n", "n"))
    inverse = arena.apply("inv", x)
    assert arena.einsum("ij,jk,ki->", inverse, x, y) is arena.einsum("ii->", y)
    assert arena.einsum("ij,jk->ik", inverse, x) is arena.identity("n")
    assert arena.einsum("ij,ji->", inverse, x) is arena.size("n")
    assert arena.einsum("ij,jk->", inverse, x) is arena.size("n")


def test_a_summed_label_that_nothing_carries_is_its_size() -> None:
    arena = Arena()
    x = arena.variable("x", ("n",))
    ones = arena.einsum("i,j->ij", x, arena.ones("m"))
    assert arena.einsum("ij->i", ones) is arena.size("m") * x


def test_an_inverse_does_not_meet_its_argument_through_a_shared_label() -> None:
    """Σ_j X⁻¹_ij X_jk v_j is no product of matrices."""
    arena = Arena()
    x, v = arena.variable("X", ("n", "n")), arena.variable("v", ("n",))
    node = arena.einsum("ij,jk,j->ik", arena.apply("inv", x), x, v)
    arrays: dict[Node, Array] = {
        x: np.random.default_rng(0).normal(size=(3, 3)),
        v: np.array([1.0, 2.0, 3.0]),
    }
    want = np.linalg.inv(arrays[x]) @ np.diag(arrays[v]) @ arrays[x]
    assert relative_error(value(node, arrays, SIZES), want) <= 1e-12


def test_norms_cancel() -> None:
    arena = Arena()
    x = arena.variable("x", ("n",))
    norm = arena.power(arena.einsum("i,i->", x, x), Fraction(1, 2))
    assert norm * norm is arena.einsum("i,i->", x, x)
    assert norm / norm is arena.number(1)
    assert (norm * x) / norm is x


def test_a_closed_part_is_a_scalar_of_its_own() -> None:
    """Σ_i x_i² y_j = (x'x) y_j, so that it meets (x'x)⁻¹ written elsewhere."""
    arena = Arena()
    x, y = arena.variable("x", ("n",)), arena.variable("y", ("m",))
    square = arena.einsum("i,i->", x, x)
    mixed = arena.einsum("i,i,j->j", x, x, y)
    assert mixed is square * y
    assert mixed / square is y


def test_a_root_of_a_square_is_no_identity() -> None:
    """(x²)^½ = |x|, unless x ≥ 0 is known; (x^½)² = x."""
    arena = Arena()
    x, p = arena.variable("x", ("n",)), arena.variable("p", ("n",), ["positive"])
    root = Fraction(1, 2)
    array = np.array([-1.0, 2.0, -3.0])
    assert np.array_equal(value((x**2) ** root, {x: array}, SIZES), np.abs(array))
    assert (p**2) ** root is p
    assert (x**root) ** 2 is x


def test_a_negative_power_of_a_norm_is_zero_at_zero() -> None:
    arena = Arena()
    x = arena.variable("x", ("n",))
    unit = x / arena.power(arena.einsum("i,i->", x, x), Fraction(1, 2))
    assert not value(unit, {x: np.zeros(3)}, SIZES).any()


@pytest.mark.parametrize("exponent", [Fraction(-1, 2), -1, -2])
def test_division_by_zero_is_refused(exponent: Number) -> None:
    """Also 0/0, whatever else the product has, and in whatever order."""
    arena = Arena()
    x, zero = arena.variable("x", ("n",)), arena.zero(("n",))
    below = Factor(zero, (0,), exponent)
    others = [Factor(x, (0,), 1), Factor(zero, (0,), 1), Factor(zero, (1,), 2)]
    for count in range(4):
        for chosen in permutations(others, count):
            for place in range(count + 1):
                with pytest.raises(DomainError):
                    arena.product(3, [*chosen[:place], below, *chosen[place:]], ())
            assert zero**-exponent is zero
            if zero in [factor.node for factor in chosen]:
                assert arena.product(3, chosen, ()) is arena.zero(())


def test_a_power_of_a_diagonal_matrix_is_not_taken_off_the_diagonal() -> None:
    arena = Arena()
    x = arena.variable("x", ("n",))
    d = arena.einsum("i->ii", x)
    array = np.array([1.0, 2.0, 4.0])
    assert np.array_equal(value(d**2, {x: array}, SIZES), np.diag(array**2))
    with np.errstate(divide="ignore"):
        assert np.isinf(value(d**-1, {x: array}, SIZES)[0, 1])
    for exponent in (2, 3, Fraction(1, 2), Fraction(5, 3)):
        assert d**exponent is arena.einsum("i->ii", x**exponent)


def test_huge_powers_of_numbers_stay_powers() -> None:
    arena = Arena()
    node = arena.power(arena.number(3), 10**9)
    assert len(arena) < 20
    assert node.order == 0


@pytest.mark.parametrize("exponent", [1, 2, 7, 63, 512, 4095, 4096, 10**6])
def test_powers_of_numbers_are_numbers_of_bounded_length(exponent: int) -> None:
    """A power is a number where it has few bits, else a factor; those of -1 have one."""
    arena = Arena()
    for base in (-1, 2, 3, 1023, 1024, 10**30, Fraction(7, 3), Fraction(1, 10**30), -5):
        for sign in (1, -1):
            node = arena.power(arena.number(base), sign * exponent)
            bits = max(abs(Fraction(base).numerator), Fraction(base).denominator).bit_length() - 1
            assert isinstance(node, Product)
            if bits * exponent > 4096:
                assert node.factors
                assert node.coefficient == 1
            else:
                assert not node.factors
                assert node.coefficient == Fraction(base) ** (sign * exponent)


def test_a_symmetric_factor_meets_itself_turned() -> None:
    arena = Arena()
    s, a = arena.variable("S", ("n", "n"), ["symmetric"]), arena.variable("A", ("n", "n"))
    assert arena.einsum("ij,ji->ij", s, s) is s**2
    assert arena.einsum("ij,ji->ji", s**2, s) is s**3
    assert arena.einsum("ij,jk,kj->ik", a, s, s) is arena.einsum("ij,jk->ik", a, s**2)
    assert arena.einsum("ij,ji->ij", a, a) is not a**2


def test_roots_of_one_scalar_that_meet_are_what_they_are_of() -> None:
    """√2 √2 = 2, and so for 2 x'x and r tr A, which come apart."""
    arena = Arena()
    x, a = arena.variable("x", ("n",)), arena.variable("A", ("n", "n"))
    r = arena.variable("r", ())
    for scalar in (arena.number(2), 2 * arena.einsum("i,i->", x, x), r * arena.einsum("ii->", a)):
        root = scalar ** Fraction(1, 2)
        assert root * root is scalar
        assert arena.multiply(root, root, a) is scalar * a
        assert arena.multiply(root**3, x, root**-1) is scalar * x
        assert arena.multiply(root, root**-1, x) is x


def test_the_size_of_a_product_of_axes_is_the_product_of_their_sizes() -> None:
    arena = Arena()
    m, n = arena.size("m"), arena.size("n")
    for dims in (("m", "n"), ("n", 3, "m"), ("m", "m"), (2, 3)):
        want = arena.multiply(1, *(arena.size(dim) for dim in dims))
        assert arena.size(arena.total_size(dims)) is want
        assert arena.einsum("ii->", arena.identity(arena.total_size(dims))) is want
    assert arena.size(arena.total_size(("m", "n", 2))) is 2 * m * n


def test_the_reciprocal_of_an_entrywise_product_cancels_its_factors() -> None:
    """x (x/y)⁻¹ = y, whatever else stands beside it: the gradient of Σ x log(x/y)."""
    arena = Arena()
    x, y = (arena.variable(letter, ("n", "m"), ["positive"]) for letter in "xy")
    both = (0, 1)
    ratio = arena.product(1, [Factor(x, both, 1), Factor(y, both, -1)], both)
    assert arena.product(1, [Factor(x, both, 1), Factor(ratio, both, -1)], both) is y
    assert arena.product(1, [Factor(ratio, both, -2), Factor(x, both, 2)], both) is arena.product(
        1, [Factor(y, both, 2)], both
    )
    total = arena.product(1, [Factor(x, both, 1), Factor(y, both, -1)], (0,))  # Σ_j: no such law
    kept = arena.product(1, [Factor(x, both, 1), Factor(total, (0,), -1)], both)
    assert any(factor.node is total for factor in kept.factors)
    for exponent in (
        Fraction(1, 2),
        1,
        2,
    ):  # and no other power: what is written once is computed once
        kept = arena.product(1, [Factor(x, both, 1), Factor(ratio, both, exponent)], both)
        assert set(kept.children) == {x, ratio}
