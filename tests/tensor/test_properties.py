"""What is said to be known of a value is true, and what should be known is."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from matderiv.tensor.arena import Arena
from matderiv.tensor.nodes import Node
from matderiv.tensor.primitives import PRIMITIVES
from matderiv.tensor.products import _number_power
from matderiv.tensor.properties import (
    _is_positive,
    bends_up,
    is_nonnegative,
    is_positive_definite,
    is_semidefinite,
    is_sum_of_squares,
    is_symmetric,
    splits_over_power,
)
from tests.numerics import Array, lengths, value

SIZES = {"m": 4, "n": 3}
OF_A_MATRIX = [
    name for name, entry in PRIMITIVES.items() if len(entry.cores) == 2 and len(entry.cores[0]) == 2
]
HALF = Fraction(1, 2)


class Matrices:
    """S, T positive definite, C symmetric, A, B (n, n), X (m, n), w ≥ 0, x, t > 0, r any.

    And D with x'D x > 0.
    """

    def __init__(self, seed: int = 0) -> None:
        self.arena = arena = Arena()
        random = np.random.default_rng([23, seed])
        self.arrays: dict[Node, Array] = {}

        def made(name: str, shape: tuple[str, ...], *attributes: str) -> Node:
            node = arena.variable(name, shape, attributes)
            array = 3 * random.normal(size=lengths(shape, SIZES))
            if "posdef" in attributes:
                array = array @ array.T / 3 + 0.05 * np.eye(3)
            elif "definite" in attributes:
                array = array @ array.T / 3 + 0.05 * np.eye(3) + 5 * (array - array.T)
            elif "symmetric" in attributes:
                array = array + array.T
            elif "positive" in attributes:
                array = np.abs(array) + 0.01
            elif seed % 3 == 2 and array.ndim == 1:
                array[0] = 0.0  # nothing is said of its sign, nor that it has one
            self.arrays[node] = array
            return node

        self.S, self.T = made("S", ("n", "n"), "posdef"), made("T", ("n", "n"), "posdef")
        self.C = made("C", ("n", "n"), "symmetric")
        self.A, self.B = made("A", ("n", "n")), made("B", ("n", "n"))
        self.X, self.Y = made("X", ("m", "n")), made("Y", ("m", "n"))
        self.w, self.p = made("w", ("m",), "positive"), made("p", ("n",), "positive")
        self.x, self.v = made("x", ("n",)), made("v", ("m",))
        self.t, self.r = made("t", (), "positive"), made("r", ())
        self.I = arena.identity("n")
        self.D = made("D", ("n", "n"), "definite")

    def e(self, spec: str, *nodes: Node) -> Node:
        return self.arena.einsum(spec, *nodes)

    def at(self, node: Node) -> Array:
        return value(node, self.arrays, SIZES)


Form = Callable[[Matrices], Node]

POSITIVE_DEFINITE: dict[str, Form] = {
    "S": lambda k: k.S,
    "S'": lambda k: k.arena.transpose(k.S),
    "2 S": lambda k: 2 * k.S,
    "t S": lambda k: k.e(",ij->ij", k.t, k.S),
    "n S": lambda k: k.e(",ij->ij", k.arena.size("n"), k.S),
    "S + T/2": lambda k: k.S + k.T / 2,
    "S named": lambda k: k.arena.name("N", k.S),
    "S + A'A": lambda k: k.S + k.e("ki,kj->ij", k.A, k.A),
    "S + A A'": lambda k: k.S + k.e("ik,jk->ij", k.A, k.A),
    "S + A'A named": lambda k: k.S + k.arena.name("N", k.e("ki,kj->ij", k.A, k.A)),
    "S + X' diag(w) X": lambda k: k.S + k.e("ki,k,kj->ij", k.X, k.w, k.X),
    "S + t X'X": lambda k: k.S + k.e(",ki,kj->ij", k.t, k.X, k.X),
    "S + r^2 X'X": lambda k: k.S + k.e(",ki,kj->ij", k.r**2, k.X, k.X),
    "A'A + t I": lambda k: k.e("ki,kj->ij", k.A, k.A) + k.e(",ij->ij", k.t, k.I),
    "X'X + I": lambda k: k.e("ki,kj->ij", k.X, k.X) + k.I,
    "X'X + diag(p)": lambda k: k.e("ki,kj->ij", k.X, k.X) + k.e("i->ii", k.p),
    "X'X + diag(p named)": lambda k: (
        k.e("ki,kj->ij", k.X, k.X) + k.e("i->ii", k.arena.name("q", k.p))
    ),
    "X'X + n I": lambda k: k.e("ki,kj->ij", k.X, k.X) + k.e(",ij->ij", k.arena.size("n"), k.I),
    "diag(p)": lambda k: k.e("i->ii", k.p),
    "2 t diag(p)": lambda k: 2 * k.e(",i->ii", k.t, k.p),
    "I": lambda k: k.I,
    "S^-1": lambda k: k.arena.apply("inv", k.S),
    "(S^-1 + x x')^-1": lambda k: k.arena.apply(
        "inv", k.arena.apply("inv", k.S) + k.e("i,j->ij", k.x, k.x)
    ),
    "S + x x'": lambda k: k.S + k.e("i,j->ij", k.x, k.x),
    "S + t x x'": lambda k: k.S + k.e(",i,j->ij", k.t, k.x, k.x),
    "S + 1 1'": lambda k: k.S + k.arena.ones("n", "n"),
    "S + A x x' A'": lambda k: k.S + k.e("ik,k,jl,l->ij", k.A, k.x, k.A, k.x),
    "S + A 1 1' A'": lambda k: k.S + k.e("ik,jl->ij", k.A, k.A),
    "S + A' T A": lambda k: k.S + k.e("ki,kl,lj->ij", k.A, k.T, k.A),
    "S + A' T T A": lambda k: k.S + k.e("ki,km,ml,lj->ij", k.A, k.T, k.T, k.A),
    "S + A'B'B A": lambda k: k.S + k.e("ki,mk,ml,lj->ij", k.A, k.B, k.B, k.A),
    "S + diag(x) T diag(x)": lambda k: k.S + k.e("i,ij,j->ij", k.x, k.T, k.x),
    "S + S .* T": lambda k: k.S + k.S * k.T,
    "S + S.^2 .* (A'A)": lambda k: k.S + k.S**2 * k.e("ki,kj->ij", k.A, k.A),
    "X'X + (t + 1) I": lambda k: k.e("ki,kj->ij", k.X, k.X) + k.e(",ij->ij", k.t + 1, k.I),
    "X'X + diag(2 t p + r.^2)": lambda k: (
        k.e("ki,kj->ij", k.X, k.X)
        + k.e("i->ii", 2 * k.e(",i->i", k.t, k.p) + k.e(",i->i", k.r**2, k.arena.ones("n")))
    ),
}

NOT_DEFINITE: dict[str, Form] = {
    "-S": lambda k: -k.S,
    "r S": lambda k: k.e(",ij->ij", k.r, k.S),
    "S - T": lambda k: k.S - k.T,
    "S - 3 I": lambda k: k.S - 3 * k.I,
    "C": lambda k: k.C,
    "A": lambda k: k.A,
    "S + C": lambda k: k.S + k.C,
    "S + A": lambda k: k.S + k.A,
    "S + A A": lambda k: k.S + k.e("ij,jk->ik", k.A, k.A),
    "S + A'B": lambda k: k.S + k.e("ki,kj->ij", k.A, k.B),
    "S + A .* A'": lambda k: k.S + k.e("ij,ji->ij", k.A, k.A),
    "S + diag(diag(A)) A": lambda k: k.S + k.e("ii,ij->ij", k.A, k.A),
    "S + X'Y": lambda k: k.S + k.e("ki,kj->ij", k.X, k.Y),
    "S + X' diag(v) X": lambda k: k.S + k.e("ki,k,kj->ij", k.X, k.v, k.X),
    "S + r X'X": lambda k: k.S + k.e(",ki,kj->ij", k.r, k.X, k.X),
    "S - X'X": lambda k: k.S - k.e("ki,kj->ij", k.X, k.X),
    "S + x p'": lambda k: k.S + k.e("i,j->ij", k.x, k.p),
    "S + x.^2 x'": lambda k: k.S + k.e("i,j->ij", k.x**2, k.x),
    "S + x 1'": lambda k: k.S + k.e("i,j->ij", k.x, k.arena.ones("n")),
    "S + p diag": lambda k: k.S + k.e("i,ij->ij", k.x, k.A),
    "X'X": lambda k: k.e("ki,kj->ij", k.X, k.X) - k.e("ki,kj->ij", k.X, k.X) / 1,
    "x x'": lambda k: k.e("i,j->ij", k.x, k.x),
    "p p'": lambda k: k.e("i,j->ij", k.p, k.p),
    "A'A - t I": lambda k: k.e("ki,kj->ij", k.A, k.A) - k.e(",ij->ij", k.t, k.I),
    "A'A + r I": lambda k: k.e("ki,kj->ij", k.A, k.A) + 9 * k.e(",ij->ij", k.r, k.I),
    "S T": lambda k: k.e("ij,jk->ik", k.S, k.T),
    "p .* S": lambda k: k.e("i,ij->ij", k.p, k.S),
    "1/S": lambda k: k.S**-1,
    "t S - C": lambda k: k.e(",ij->ij", k.t, k.S) - k.C,
    "diag(x)": lambda k: k.e("i->ii", k.x),
    "-diag(p)": lambda k: -k.e("i->ii", k.p),
    "diag(-p named)": lambda k: k.e("i->ii", k.arena.name("q", -k.p)),
    "diag(x p)": lambda k: k.e("i,i->ii", k.x, k.p),
    "diag(p) - I": lambda k: k.e("i->ii", k.p) - k.I,
    "S x": lambda k: k.e("ij,j->i", k.S, k.x),
    "0 S": lambda k: k.S - k.S,
    "A^-1": lambda k: k.arena.apply("inv", k.A),
    "sin(S)": lambda k: k.arena.map("sin", k.S),
    "S + (X.^2)' X": lambda k: k.S + k.e("ki,kj->ij", k.X**2, k.X),
    "diag(sin(x))": lambda k: k.e("i->ii", k.arena.map("sin", k.x)),
    "diag(p + x)": lambda k: k.e("i->ii", k.p + k.x),
    "diag(x.^2)": lambda k: k.e("i->ii", k.x**2),
    "diag(x.^2 + p .* x.^2)": lambda k: k.e("i->ii", k.x**2 + k.p * k.x**2),
    "diag(x.^2 + p .* x.^2) + x x'": lambda k: (
        k.e("i->ii", k.x**2 + k.p * k.x**2) + k.e("i,j->ij", k.x, k.x)
    ),
    "diag(p - t)": lambda k: k.e("i->ii", k.p - k.e(",i->i", k.t, k.arena.ones("n"))),
    "S + A' C A": lambda k: k.S + 9 * k.e("ki,kl,lj->ij", k.A, k.C, k.A),
    "S + A' T B": lambda k: k.S + k.e("ki,kl,lj->ij", k.A, k.T, k.B),
    "S + A T A": lambda k: k.S + k.e("ik,kl,lj->ij", k.A, k.T, k.A),
    "S + A x p' A'": lambda k: k.S + 9 * k.e("ik,k,jl,l->ij", k.A, k.x, k.A, k.p),
    "S + C .* T": lambda k: k.S + 9 * k.C * k.T,
    "S + S .* (A B')": lambda k: k.S + k.S * k.e("ik,jk->ij", k.A, k.B),
    "S + T.^-1": lambda k: k.S + k.T**-1,
    "S + r x x'": lambda k: k.S + 9 * k.e(",i,j->ij", k.r, k.x, k.x),
    "S + diag(x) T": lambda k: k.S + k.e("i,ij->ij", k.x, k.T),
    "C^-1": lambda k: k.arena.apply("inv", k.C),
}


@pytest.mark.parametrize("name", POSITIVE_DEFINITE)
def test_what_is_positive_definite_is_known_to_be(name: str) -> None:
    form = POSITIVE_DEFINITE[name]
    assert is_positive_definite(form(Matrices()))
    for seed in range(4):
        made = Matrices(seed)
        array = made.at(form(made))
        assert np.allclose(array, array.T)
        assert np.linalg.eigvalsh(array).min() > 0


@pytest.mark.parametrize("name", NOT_DEFINITE)
def test_what_is_not_positive_definite_is_not_said_to_be(name: str) -> None:
    form = NOT_DEFINITE[name]
    assert not is_positive_definite(form(Matrices()))
    arrays = [made.at(form(made)) for made in map(Matrices, range(12))]
    assert any(
        array.ndim < 2
        or not np.allclose(array, array.T)
        or np.linalg.eigvalsh(array).min() <= 1e-9 * np.abs(array).max()
        for array in arrays
    )


@pytest.mark.parametrize("name", OF_A_MATRIX)
def test_functions_of_matrices_are_what_is_said_of_them(name: str) -> None:
    """Of a positive definite, a symmetric and a general matrix, and of products of such."""
    for seed in range(4):
        k = Matrices(seed)
        for inner in (k.S, k.C, k.A, k.S + k.e("ki,kj->ij", k.A, k.A), k.e("ij,jk->ik", k.S, k.T)):
            node = k.arena.apply(name, inner)
            with np.errstate(all="ignore"):
                try:
                    array = k.at(node)
                except np.linalg.LinAlgError:
                    continue
            if not np.isfinite(array).all():
                continue
            scale = np.abs(array).max(initial=0)
            if is_nonnegative(node):
                assert array.min() >= -1e-9 * scale
            if is_symmetric(k.arena, node):
                assert np.allclose(array, array.T, rtol=0, atol=1e-7 * scale)
            if is_semidefinite(node):
                assert np.allclose(array, array.T, rtol=0, atol=1e-7 * scale)
                assert np.linalg.eigvalsh(array).min() >= -1e-9 * scale
            if is_positive_definite(node):
                assert np.linalg.eigvalsh(array).min() > 0


@pytest.mark.parametrize("name", {**POSITIVE_DEFINITE, **NOT_DEFINITE})
def test_what_is_said_to_be_symmetric_is(name: str) -> None:
    """Then it is its transpose; and what is positive definite is known to be symmetric."""
    made = Matrices()
    node = {**POSITIVE_DEFINITE, **NOT_DEFINITE}[name](made)
    array = made.at(node)
    if is_symmetric(made.arena, node):
        assert np.allclose(array, array.T)
        assert made.arena.transpose(node) is node
    else:
        assert name not in POSITIVE_DEFINITE
        assert array.ndim < 2 or not np.allclose(array, array.T)


def test_nothing_of_two_sizes_is_symmetric() -> None:
    k = Matrices()
    zero = k.arena.zero(("m", "n"))
    for node in (zero, k.arena.name("Z", zero), k.X, k.arena.map("exp", k.X), k.X + k.Y):
        assert not k.arena.is_symmetric(node)
        assert k.arena.transpose(node).shape == ("n", "m")


SEMIDEFINITE: dict[str, Form] = {
    **POSITIVE_DEFINITE,
    "A'A": lambda k: k.e("ki,kj->ij", k.A, k.A),
    "2 A A'": lambda k: 2 * k.e("ik,jk->ij", k.A, k.A),
    "x x'": lambda k: k.e("i,j->ij", k.x, k.x),
    "x x'/2": lambda k: k.e("i,j->ij", k.x, k.x) / 2,
    "t x x'": lambda k: k.e(",i,j->ij", k.t, k.x, k.x),
    "r^2 x x'": lambda k: k.e(",i,j->ij", k.r**2, k.x, k.x),
    "A'A + x x'": lambda k: k.e("ki,kj->ij", k.A, k.A) + k.e("i,j->ij", k.x, k.x),
    "A'A named": lambda k: k.arena.name("N", k.e("ki,kj->ij", k.A, k.A)),
    "X' diag(w) X": lambda k: k.e("ki,k,kj->ij", k.X, k.w, k.X),
    "X' diag(v.^2) X": lambda k: k.e("ki,k,kj->ij", k.X, k.v**2, k.X),
    "diag(x.^2)": lambda k: k.e("i->ii", k.x**2),
    "diag(x.^2) + x x'": lambda k: k.e("i->ii", k.x**2) + k.e("i,j->ij", k.x, k.x),
    "x.^2 (x.^2)'": lambda k: k.e("i,j->ij", k.x**2, k.x**2),
    "0": lambda k: k.S - k.S,
}
NOT_SEMIDEFINITE: dict[str, Form] = {
    "-A'A": lambda k: -k.e("ki,kj->ij", k.A, k.A),
    "A A": lambda k: k.e("ij,jk->ik", k.A, k.A),
    "A'B": lambda k: k.e("ki,kj->ij", k.A, k.B),
    "x p'": lambda k: k.e("i,j->ij", k.x, k.p),
    "S - 9 A'A": lambda k: k.S - 9 * k.e("ki,kj->ij", k.A, k.A),
    "A'A - S": lambda k: k.e("ki,kj->ij", k.A, k.A) - 9 * k.S,
    "A'A + C": lambda k: k.e("ki,kj->ij", k.A, k.A) + 9 * k.C,
    "r A'A": lambda k: k.e(",ki,kj->ij", k.r, k.A, k.A),
    "X' diag(v) X": lambda k: k.e("ki,k,kj->ij", k.X, k.v, k.X),
    "(X.^2)' X": lambda k: k.e("ki,kj->ij", k.X**2, k.X),
    "diag(diag(A)) A": lambda k: k.e("ii,ij->ij", k.A, k.A),
    "A .* A'": lambda k: k.e("ij,ji->ij", k.A, k.A),
    "A.^2": lambda k: k.A**2,
    "A' (B.^2) A": lambda k: k.e("ki,kl,lj->ij", k.A, k.B**2, k.A),
    "x 1'": lambda k: k.e("i,j->ij", k.x, k.arena.ones("n")),
    "diag(S) 1'": lambda k: k.e("ii,j->ij", k.S, k.arena.ones("n")),
    "-2 A A'": lambda k: -2 * k.e("ik,jk->ij", k.A, k.A),
    "S.^2 - 9": lambda k: k.S**2 - 9,
    "1/S": lambda k: k.S**-1,
    "x.^3 x'": lambda k: k.e("i,j->ij", k.x**3, k.x),
    "diag(x)": lambda k: k.e("i->ii", k.x),
    "-diag(p)": lambda k: -k.e("i->ii", k.p),
    "C": lambda k: k.C,
    "1/A'A": lambda k: k.e("ki,kj->ij", k.A, k.A) ** -1,
    "(1 + p p').^(1/2)": lambda k: (1 + k.e("i,j->ij", k.p, k.p)) ** HALF,
    "Σ A_ik A_jm B_il B_jl A_kl A_mo S_lo": lambda k: k.e(
        "ik,jm,il,jl,kl,mo,lo->ij", k.A, k.A, k.B, k.B, k.A, k.A, k.S
    ),
    "x": lambda k: k.x,
    "r": lambda k: k.r,
}


@pytest.mark.parametrize("name", SEMIDEFINITE)
def test_what_is_semidefinite_is_known_to_be(name: str) -> None:
    form = SEMIDEFINITE[name]
    assert is_semidefinite(form(Matrices()))
    for seed in range(4):
        made = Matrices(seed)
        array = made.at(form(made))
        assert np.allclose(array, array.T)
        assert np.linalg.eigvalsh(array).min() >= -1e-12 * np.abs(array).max()


@pytest.mark.parametrize("name", NOT_SEMIDEFINITE)
def test_what_is_not_semidefinite_is_not_said_to_be(name: str) -> None:
    form = NOT_SEMIDEFINITE[name]
    assert not is_semidefinite(form(Matrices()))
    arrays = [made.at(form(made)) for made in map(Matrices, range(12))]
    assert any(
        array.ndim < 2
        or not np.allclose(array, array.T)
        or np.linalg.eigvalsh(array).min() < -1e-9 * np.abs(array).max()
        for array in arrays
    )


BENDS_UP: dict[str, tuple[Form, bool]] = {
    "D": (lambda k: k.D, True),
    "D'": (lambda k: k.arena.transpose(k.D), True),
    "2 t D": (lambda k: 2 * k.t * k.D, True),
    "r^2 D'": (lambda k: k.r**2 * k.arena.transpose(k.D), True),
    "D named": (lambda k: k.arena.name("F", k.D), True),
    "D + X' X": (lambda k: k.D + k.e("ki,kj->ij", k.X, k.X), True),
    "3 D' + t D + S": (lambda k: 3 * k.arena.transpose(k.D) + k.t * k.D + k.S, True),
    "-D": (lambda k: -k.D, False),
    "r D": (lambda k: k.r * k.D, False),
    "D - S": (lambda k: k.D - k.S, False),
    "D + A": (lambda k: k.D + k.A, False),
    "D.^2": (lambda k: k.D**2, False),
    "D .* D'": (lambda k: k.D * k.arena.transpose(k.D), False),
    "D D": (lambda k: k.e("ij,jk->ik", k.D, k.D), False),
    "D diag(x)": (lambda k: k.e("ij,j->ij", k.D, k.x), False),
    "1 ./ D": (lambda k: k.D**-1, False),
    "A": (lambda k: k.A, False),
    "2 t A": (lambda k: 2 * k.t * k.A, False),
    "diag(D)": (lambda k: k.e("ii->ii", k.D), True),
    "tr(C) 𝟏 𝟏'": (lambda k: k.arena.broadcast(k.e("ii->", k.C), ("n", "n"), ()), False),
}


@pytest.mark.parametrize("name", BENDS_UP)
def test_what_bends_up_is_known_to(name: str) -> None:
    form, wanted = BENDS_UP[name]
    assert bends_up(form(Matrices())) == wanted
    lowest = []
    for made in map(Matrices, range(20)):
        array = made.at(form(made))
        lowest.append(np.linalg.eigvalsh(array + array.T).min() / np.abs(array).max())
    assert (min(lowest) >= -1e-12) == wanted


def test_what_bends_up_is_semidefinite_where_it_is_symmetric() -> None:
    k = Matrices()
    turned = k.arena.transpose(k.D)
    assert not is_semidefinite(k.D + k.S)
    assert not is_semidefinite(2 * k.D + turned)
    assert is_semidefinite(k.D + turned)
    assert is_semidefinite((k.D + k.S) + k.arena.transpose(k.D + k.S))


# ----- signs --------------------------------------------------------------------------
ENTRIES: dict[str, tuple[Form, bool]] = {
    "p": (lambda k: k.p, True),
    "2 p": (lambda k: 2 * k.p, True),
    "p/2": (lambda k: k.p / 2, True),
    "x.^2/3": (lambda k: k.x**2 / 3, True),
    "-p": (lambda k: -k.p, False),
    "x": (lambda k: k.x, False),
    "x.^2": (lambda k: k.x**2, True),
    "x.^3": (lambda k: k.x**3, False),
    "-x.^2": (lambda k: -(k.x**2), False),
    "p x.^2": (lambda k: k.p * k.x**2, True),
    "p x": (lambda k: k.p * k.x, False),
    "p.^3": (lambda k: k.p**3, True),
    "p + x.^2": (lambda k: k.p + k.x**2, True),
    "p - x.^2": (lambda k: k.p - k.x**2, False),
    "x + p": (lambda k: k.x + k.p, False),
    "x'x": (lambda k: k.e("i,i->", k.x, k.x), True),
    "x'p": (lambda k: k.e("i,i->", k.x, k.p), False),
    "n": (lambda k: k.arena.size("n"), True),
    "exp(x)": (lambda k: k.arena.map("exp", k.x), True),
    "sin(x)": (lambda k: k.arena.map("sin", k.x), False),
    "exp(x) named": (lambda k: k.arena.name("y", k.arena.map("exp", k.x)), True),
    "sin(x) named": (lambda k: k.arena.name("y", k.arena.map("sin", k.x)), False),
    "1 - sigmoid(x)": (lambda k: 1 - k.arena.map("sigmoid", k.x), True),
    "2 - sigmoid(x)": (lambda k: 2 - k.arena.map("sigmoid", k.x), False),
    "1 + sigmoid(x)": (lambda k: 1 + k.arena.map("sigmoid", k.x), True),
    "1 - softmax(x)": (lambda k: 1 - k.arena.apply("softmax", k.x), True),
    "1 - 2 sigmoid(x)": (lambda k: 1 - 2 * k.arena.map("sigmoid", 9 * k.x), False),
    "1 - exp(x)": (lambda k: 1 - k.arena.map("exp", k.x), False),
    "1/2 - sigmoid(x)": (lambda k: HALF - k.arena.map("sigmoid", 9 * k.x), False),
    "I - sigmoid(C)": (lambda k: k.I - k.arena.map("sigmoid", k.C), False),
    "tr(X)": (lambda k: k.e("ii->", k.A), False),
    "||X||_*": (lambda k: k.arena.apply("norm_nuclear", k.X), True),
    "det(A)": (lambda k: k.arena.apply("det", k.A), False),
    "1 - det(A)": (lambda k: 1 - k.arena.apply("det", k.A), False),
    "1 - sigmoid(x), the 1 made first": (
        lambda k: k.arena.ones("n") - k.arena.map("sigmoid", k.x),
        True,
    ),
}
MAYBE = {"2 - sigmoid(x)"}  # true, and not proved


@pytest.mark.parametrize("name", ENTRIES)
def test_what_is_said_to_be_nonnegative_is(name: str) -> None:
    form, known = ENTRIES[name]
    made = Matrices()
    assert is_nonnegative(form(made)) == known
    arrays = [draw.at(form(draw)) for draw in map(Matrices, range(12))]
    if known:
        assert all(np.all(array >= 0) for array in arrays)
    elif name not in MAYBE:
        assert any(np.any(array < 0) for array in arrays)


def test_an_even_root_is_nonnegative_where_it_is() -> None:
    x = Matrices().x
    for power in (HALF, Fraction(3, 2), Fraction(2, 3), Fraction(-1, 2), Fraction(5, 6)):
        assert is_nonnegative(x**power)
    for power in (Fraction(1, 3), Fraction(-1, 3), Fraction(5, 3), Fraction(3, 5)):
        assert not is_nonnegative(x**power)


def test_a_diagonal_matrix_is_not_positive_entry_by_entry() -> None:
    k = Matrices()
    assert _is_positive(k.p)
    assert _is_positive(k.e("i,j->ij", k.p, k.p))
    assert not _is_positive(k.e("i->ii", k.p))


# A power -1/2 of a sum of squares is taken as 0 where all of them are 0.
SQUARES: dict[str, tuple[Form, bool]] = {
    "x'x": (lambda k: k.e("i,i->", k.x, k.x), True),
    "2 x'x": (lambda k: 2 * k.e("i,i->", k.x, k.x), True),
    "x'x + v'v": (lambda k: k.e("i,i->", k.x, k.x) + k.e("i,i->", k.v, k.v), True),
    "tr(A'A)": (lambda k: k.e("ij,ij->", k.A, k.A), True),
    "r^2": (lambda k: k.r**2, True),
    "r^2 x'x": (lambda k: k.e(",i,i->", k.r**2, k.x, k.x), True),
    "(x'x)^3": (lambda k: k.e("i,i->", k.x, k.x) ** 3, True),
    "(x'x + r^2)^3 r^2": (lambda k: (k.e("i,i->", k.x, k.x) + k.r**2) ** 3 * k.r**2, True),
    "x'x named": (lambda k: k.arena.name("s", k.e("i,i->", k.x, k.x)), True),
    "-x'x": (lambda k: -k.e("i,i->", k.x, k.x), False),
    "x'x - v'v": (lambda k: k.e("i,i->", k.x, k.x) - k.e("i,i->", k.v, k.v), False),
    "x'x - r^2": (lambda k: 4 * k.r**2 - k.e("i,i->", k.x, k.x), False),
    "x'x + r": (lambda k: k.e("i,i->", k.x, k.x) + 9 * k.r, False),
    "r x'x": (lambda k: k.e(",i,i->", k.r, k.x, k.x), False),
    "r^3": (lambda k: k.r**3, False),
    "r": (lambda k: k.r, False),
    "r named": (lambda k: k.arena.name("s", k.r), False),
    "x'p": (lambda k: k.e("i,i->", k.x, k.p), False),
    "x.^2": (lambda k: k.x**2, False),
    "(x'x)^-1": (lambda k: k.e("i,i->", k.x, k.x) ** -1, False),
    "0": (lambda k: k.r - k.r, False),
    "1": (lambda k: k.arena.number(1), False),
}


@pytest.mark.parametrize("name", SQUARES)
def test_sums_of_squares_are_known(name: str) -> None:
    form, known = SQUARES[name]
    assert is_sum_of_squares(form(Matrices())) == known
    arrays = [made.at(form(made)) for made in map(Matrices, range(12))]
    assert not known or all(array >= 0 for array in arrays)


@pytest.mark.parametrize("inner", [-2, -1, -HALF, HALF, Fraction(2, 3), 1, 2, 3])
@pytest.mark.parametrize("outer", [-2, -HALF, HALF, Fraction(1, 3), Fraction(3, 2), 2])
def test_powers_of_powers_multiply_where_they_do(inner: Fraction, outer: Fraction) -> None:
    """(b^i)^o = b^(i o) for the base b at both signs, wherever the left side exists."""
    made = Matrices()

    def power(base: float, exponent: Fraction) -> float:
        if base < 0 and Fraction(exponent).denominator % 2:
            root = -((-base) ** (1 / Fraction(exponent).denominator))
            return float(root ** Fraction(exponent).numerator)
        return float(np.float64(base) ** float(exponent))

    assert splits_over_power(made.t, inner, outer)
    assert splits_over_power(made.r, inner, outer) or Fraction(outer).denominator > 1
    if splits_over_power(made.r, inner, outer):
        with np.errstate(invalid="ignore"):
            for base in (-1.7, 2.3):
                left = power(power(base, inner), outer)
                if np.isfinite(left):
                    assert left == pytest.approx(power(base, Fraction(inner) * outer))


def test_a_root_of_a_product_comes_apart_for_one_unknown_sign() -> None:
    """(t x_i)^½ = t^½ x_i^½ where t > 0, but r x_i may be a product of two negatives."""
    k = Matrices()
    assert k.e(",i->i", k.t, k.x) ** HALF is k.e(",i->i", k.t**HALF, k.x**HALF)
    assert k.e("i,j->ij", k.p, k.x) ** HALF is k.e("i,j->ij", k.p**HALF, k.x**HALF)
    assert k.e(",i->i", k.r, k.x) ** HALF is not k.e(",i->i", k.r**HALF, k.x**HALF)
    assert k.e("i,j->ij", k.x, k.v) ** HALF is not k.e("i,j->ij", k.x**HALF, k.v**HALF)
    trace = k.e("ii->", k.A)
    assert (k.r * trace) ** HALF is not k.r**HALF * trace**HALF
    assert (k.t * trace) ** HALF is k.t**HALF * trace**HALF


# ----- powers of numbers --------------------------------------------------------------
def test_powers_of_numbers_are_exact() -> None:
    """b^e where it is rational: every root that is a number of digits is found."""
    roots = [Fraction(n, d) for n in range(1, 14) for d in range(1, 8)]
    roots += [Fraction(2**31 + 11), Fraction(1, 3**25), Fraction(10**18 + 9)]
    for root in roots:
        for degree in (1, 2, 3, 5):
            for power in (-3, -2, -1, 1, 2, 4):
                got = _number_power(root**degree, Fraction(power, degree))
                assert got == root**power, (root, degree, power)
    for base in (2, 3, 5, 6, 7, Fraction(1, 2), Fraction(4, 3), 10**18 + 1):
        assert _number_power(base, HALF) is None
        assert _number_power(base**3, HALF) is None
    assert _number_power(-1, 7) == -1
    assert _number_power(-1, 8) == 1
    assert _number_power(-1, -1) == -1
    assert _number_power(-2, 3) == -8
    assert _number_power(-4, HALF) is None
    assert _number_power(0, 2) == 0


PROOFS: dict[str, tuple[Callable[[Node], bool], Form, Form]] = {  # of one, and not of the other
    "symmetric": (lambda node: node.arena.is_symmetric(node), lambda k: k.C, lambda k: k.A),
    "nonnegative": (is_nonnegative, lambda k: k.p, lambda k: k.x),
    "definite": (is_positive_definite, lambda k: k.S, lambda k: k.C),
    "semidefinite": (is_semidefinite, lambda k: k.e("ki,kj->ij", k.X, k.X), lambda k: k.C),
    "sum of squares": (is_sum_of_squares, lambda k: k.r**2, lambda k: k.r),
}


@pytest.mark.parametrize("name", PROOFS)
def test_a_proof_is_found_once_for_each_value(name: str) -> None:
    """Of a sum whose terms are of the one before: 2^700 paths down, 1400 values."""
    proof, *forms = PROOFS[name]
    for form, want in zip(forms, (True, False), strict=True):
        made = Matrices()
        node = form(made)
        for step in range(700):
            other = made.arena.name(f"b{step}", 2 * node)
            node = made.arena.name(f"a{step}", node + other)
        assert proof(node) == want


def test_a_long_chain_of_functions_is_symmetric_as_its_first_argument_is() -> None:
    for start in (Matrices().C, Matrices().A):
        node = start
        for _ in range(700):
            node = node.arena.apply("expm", node.arena.map("sin", node))
        assert node.arena.is_symmetric(node) == node.arena.is_symmetric(start)
