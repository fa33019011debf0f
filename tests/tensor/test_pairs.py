"""Two functions together: whatever a rule makes of them, the value is NumPy's.

The table of `test_rules.py` says where a rule fires.  Here every pair of the tables is
tried, so a rule that fires where it must not, or beside its pattern, gives a wrong value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest

from matderiv.tensor.elementwise import ELEMENTWISE, Elementwise
from matderiv.tensor.nodes import Factor, Map, Node, Number, Product
from matderiv.tensor.primitives import PRIMITIVES
from tests.numerics import Array, value
from tests.tensor.setting import SIZES, Setting

UNARY = [entry for entry in ELEMENTWISE.values() if entry.arity == 1]
BINARY = [entry for entry in ELEMENTWISE.values() if entry.arity == 2]
MATRIX = [
    entry for entry in PRIMITIVES.values() if entry.signature in ("(n,n)->(n,n)", "(n,n)->()")
]
MATRIX += [PRIMITIVES[name] for name in ("pinv", "polar", "leading_dyad", "tril", "triu")]
POINTS = np.array([-1.7, -0.4, 0.0, 0.3, 1.0, 2.2])
NUMBERS = (-2, -1, 0, 1, 2)


def same(node: Node, want: Any, arrays: dict[Node, Array], sizes: dict[str, int] = SIZES) -> bool:
    """Whether a node has this value wherever this is a number of moderate size."""
    got = value(node, arrays, sizes)
    want = np.broadcast_to(want, got.shape)
    known = np.isfinite(want) & (np.abs(want) < 1e8)
    return bool(np.allclose(got[known], want[known], rtol=1e-9, atol=1e-11))


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with np.errstate(all="ignore"):
        yield


def line() -> tuple[Setting, Array]:
    """x is a row of points on both sides of 0, and 0."""
    s = Setting()
    s.arrays[s.x] = POINTS
    return s, POINTS


SIZE = {"n": len(POINTS)}


@pytest.mark.parametrize("entry", UNARY, ids=lambda entry: entry.name)
def test_a_function_of_a_number(entry: Elementwise) -> None:
    s = Setting()
    for number in NUMBERS:
        node = s.arena.map(entry, s.arena.constant(number, ("n",)))
        assert same(node, entry.reference(np.full(3, float(number))), s.arrays), number
        identity = s.arena.map(entry, number * s.arena.identity("n"))  # 0 beside the diagonal
        assert same(identity, entry.reference(number * np.eye(3)), s.arrays), number


@pytest.mark.parametrize("entry", BINARY, ids=lambda entry: entry.name)
def test_a_function_of_a_value_and_a_number(entry: Elementwise) -> None:
    s = Setting()
    for number in NUMBERS:
        constant, array = s.arena.constant(number, ("n",)), np.full(3, float(number))
        p = s.array("p")
        assert same(s.arena.map(entry, s.p, constant), entry.reference(p, array), s.arrays), number
        assert same(s.arena.map(entry, constant, s.p), entry.reference(array, p), s.arrays), number
        A, eye = abs(s.array("A")), number * np.eye(3)
        made = s.arena.map(entry, s.m("abs", s.A), number * s.arena.identity("n"))
        assert same(made, entry.reference(A, eye), s.arrays), number


@pytest.mark.parametrize("outer", UNARY, ids=lambda entry: entry.name)
def test_a_function_of_a_function(outer: Elementwise) -> None:
    """f(c + s g(t x)) for every f and g."""
    s, x = line()
    for inner in UNARY:
        for t in (1, -1):
            value_inside = inner.reference(t * x)
            for c, factor in product((0, 1, -1, 2), (1, -1, 2, -2)):
                node = c + factor * s.arena.map(inner, t * s.x)
                made = s.arena.map(outer, node)
                if isinstance(made, Map) and (made.function, made.arguments) == (outer, (node,)):
                    continue  # no rule has fired
                want = outer.reference(c + factor * value_inside)
                assert same(made, want, s.arrays, SIZE), (inner.name, c, factor)


EXPONENTS = (-2, -1, Fraction(1, 2), 1, 2, 3)


@pytest.mark.parametrize("t, c, factor", [(1, 0, 1), (-1, 0, 1), (1, 1, 1), (-1, 1, 1), (1, 1, -1)])
@pytest.mark.parametrize("first", UNARY, ids=lambda entry: entry.name)
def test_a_product_of_powers_of_functions(first: Elementwise, t: int, c: int, factor: int) -> None:
    """f(x)^i (c ± g(±x))^j for every f and g, and f(x)^i (c ± x)^j."""
    s, x = line()
    f, array = s.arena.map(first, s.x), first.reference(x)
    others = [("x", c + factor * t * s.x, c + factor * t * x)]
    for second in UNARY:
        g = c + factor * s.arena.map(second, t * s.x)
        others.append((second.name, g, c + factor * second.reference(t * x)))
    for name, g, other in others:
        for j in EXPONENTS:
            for i in EXPONENTS:
                factors = [Factor(f, (0,), i), Factor(g, (0,), j)]
                node = s.arena.product(1, factors[::-1] if c else factors, (0,))
                if isinstance(node, Product) and {(f, i), (g, j)} == _powers(node):
                    continue  # no rule has fired
                want = array ** float(i) * other ** float(j)
                assert same(node, want, s.arrays, SIZE), (name, i, j)


def _powers(node: Product) -> set[tuple[Node, Number]]:
    return {(factor.node, factor.exponent) for factor in node.factors}


@pytest.mark.parametrize("first", UNARY, ids=lambda entry: entry.name)
def test_an_outer_product_of_functions(first: Elementwise) -> None:
    """f(x)_i g(x)_j: the same argument on another axis is another value."""
    s, x = line()
    for second in UNARY:
        for i, j in ((1, 1), (1, -1), (-1, 1)):
            f, g = s.arena.map(first, s.x) ** i, s.arena.map(second, s.x) ** j
            want = np.outer(first.reference(x) ** float(i), second.reference(x) ** float(j))
            assert same(s.e("i,j->ij", f, g), want, s.arrays, SIZE), second.name


def test_powers_with_exponents_of_their_own() -> None:
    """x^z beside powers of x, on its axis and on another."""
    s = Setting()
    p, z = s.array("p"), s.array("z")
    raised = s.arena.map("pow", s.p, s.z)
    for k in (-2, -1, Fraction(1, 2), 1, 3):
        for power in (1, 2, -1):
            want = p ** (z * power), p ** float(k)
            assert same(raised**power * s.p**k, want[0] * want[1], s.arrays)
            assert same(s.e("i,j->ij", raised**power, s.p**k), np.outer(*want), s.arrays)
    assert same(raised * s.x, p**z * s.array("x"), s.arrays)


# ----- exponentials and their sums ----------------------------------------------------
def _quotients(s: Setting) -> Iterator[tuple[Node, Array]]:
    """f(Y)^i / (Σ exp(Z))^j along each axis of a matrix, its own and another."""
    exp, arrays = np.exp, (s.array("A"), s.array("B"))
    for Y, y in zip((s.A, s.B), arrays, strict=True):
        for axis, spec in enumerate(("ij->j", "ij->i")):
            total = s.e(spec, s.m("exp", s.A))
            for i, j in ((1, 1), (2, 1), (1, 2), (1, -1)):
                for above, array in ((s.m("exp", Y), exp(y)), (Y, y), (2 * Y, 2 * y)):
                    below = exp(arrays[0]).sum(axis)
                    column = s.e("ij,i->ij", above**i, total ** (-j))
                    yield column, array**i / below[:, None] ** j
                    yield s.e("ij,j->ij", above**i, total ** (-j)), array**i / below[None] ** j
        everything = s.e("ij->", s.m("exp", s.A))
        yield s.m("exp", Y) / everything, exp(y) / exp(arrays[0]).sum()


def test_quotients_by_sums_of_exponentials() -> None:
    s = Setting()
    for node, want in _quotients(s):
        assert same(node, want, s.arrays), node


LOGARITHMS: list[tuple[Callable[[Setting], Node], Callable[..., Any]]] = [
    (lambda s: s.e("ij->", s.m("exp", s.A)), lambda A, x, p, W: np.exp(A).sum()),
    (lambda s: s.e("ii->", s.m("exp", s.A)), lambda A, x, p, W: np.trace(np.exp(A))),
    (lambda s: s.e("ii->i", s.m("exp", s.A)), lambda A, x, p, W: np.diag(np.exp(A))),
    (lambda s: s.e("ij->ij", s.m("exp", s.A)), lambda A, x, p, W: np.exp(A)),
    (lambda s: 2 * s.e("i->", s.m("exp", s.x)), lambda A, x, p, W: 2 * np.exp(x).sum()),
    (lambda s: s.e("i->", s.m("exp", s.x) ** 2), lambda A, x, p, W: np.exp(2 * x).sum()),
    (lambda s: s.e("i->", s.m("exp", s.x) ** -1), lambda A, x, p, W: np.exp(-x).sum()),
    (lambda s: s.e("i,i->", s.m("exp", s.x), s.p), lambda A, x, p, W: (np.exp(x) * p).sum()),
    (lambda s: s.e("i->", s.m("cosh", s.x)), lambda A, x, p, W: np.cosh(x).sum()),
    (
        lambda s: s.e("i,->", s.m("exp", s.x), s.f("det", s.A)),
        lambda A, x, p, W: np.exp(x).sum() * np.linalg.det(A),
    ),
]
for _spec in (
    "kij->ij",
    "kij->kj",
    "kij->ki",
    "kij->ji",
    "kij->jk",
    "kij->k",
    "kii->k",
    "kij->kji",
):
    LOGARITHMS.append(
        (
            lambda s, spec=_spec: s.e(spec, s.m("exp", s.W)),  # type: ignore[misc]
            lambda A, x, p, W, spec=_spec: np.einsum(spec, np.exp(W)),
        )
    )


@pytest.mark.parametrize("place", range(len(LOGARITHMS)))
def test_logarithms_of_sums_of_exponentials(place: int) -> None:
    s = Setting()
    node, numpy = LOGARITHMS[place]
    want = np.log(numpy(*(s.array(letter) for letter in "AxpW")))
    assert same(s.m("log", node(s)), want, s.arrays)


@pytest.mark.parametrize("outer", UNARY, ids=lambda entry: entry.name)
def test_a_function_of_a_transposed_sum(outer: Elementwise) -> None:
    """f(c ± g(A)) and its transpose and cube; c is 1 or I, and the sum may be -(g(A) - c)."""
    for inner, first in product(UNARY, (True, False)):
        s = Setting()
        if first:  # what is made first stands first in a sum
            s.arena.ones("n", "n")
        made = s.arena.map(inner, s.A)
        array = inner.reference(s.array("A"))
        one, eye = s.arena.identity("n"), np.eye(3)
        for node, want in (
            *((1 - made, 1 - array), (1 + made, 1 + array), (2 * made, 2 * array)),
            *((one - made, eye - array), (one + made, eye + array)),
        ):
            for power in (1, 3):
                want_here = outer.reference(want ** float(power))
                assert same(s.arena.map(outer, node**power), want_here, s.arrays), inner.name
                turned = s.arena.map(outer, s.t(node**power))
                assert same(turned, want_here.T, s.arrays), inner.name


# ----- functions of matrices ----------------------------------------------------------
def _matrices(s: Setting) -> Iterator[tuple[str, Node, Array]]:
    A, B, Q, p, x = (s.array(k) for k in "ABQpx")
    S, W = s.array("S"), np.eye(3)
    total = p.sum()
    identity = s.arena.identity("n")
    yield "A", s.A, A
    yield "A'", s.t(s.A), A.T
    yield "-2 A'", -2 * s.t(s.A), -2 * A.T
    yield "s A", s.e(",ij->ij", s.e("i->", s.p), s.A), total * A
    yield "A/s", s.e(",ij->ij", 1 / s.e("i->", s.p), s.A), A / total
    yield "0", s.A - s.A, 0 * A
    yield "I", identity, W
    yield "3 I", 3 * identity, 3 * W
    yield "s I", s.e(",ij->ij", s.e("i->", s.p), identity), total * W
    yield "diag(p)", s.e("i->ii", s.p), np.diag(p)
    yield "2 diag(p)", 2 * s.e("i->ii", s.p), 2 * np.diag(p)
    yield "diag(p x)", s.e("i,i->ii", s.p, s.x), np.diag(p * x)
    yield "diag(diag(A))", s.e("ii->ii", s.A), np.diag(np.diag(A))
    yield "Q", s.Q, Q
    yield "S", s.S, S
    yield "A + B", s.A + s.B, A + B
    yield "(A + B)'", s.t(s.A + s.B), (A + B).T
    yield "A .* B", s.A * s.B, A * B
    yield "p p'", s.e("i,j->ij", s.p, s.p), np.outer(p, p)
    yield "A + p p'", s.A + s.e("i,j->ij", s.p, s.p), A + np.outer(p, p)
    yield "p .* A", s.e("i,ij->ij", s.p, s.A), p[:, None] * A
    yield "A .* p'", s.e("j,ij->ij", s.p, s.A), A * p
    yield "A^.2", s.A**2, A**2
    yield "(A^.2)'", s.t(s.A**2), (A**2).T
    for name, node, array in (
        ("Q.^2", s.Q**2, Q**2),
        ("A^-1.^2", s.inv(s.A) ** 2, np.linalg.inv(A) ** 2),
    ):
        yield f"B {name}", s.e("ij,jk->ik", s.B, node), B @ array
        yield f"{name} B", s.e("ij,jk->ik", node, s.B), array @ B
    yield "B diag(diag(Q))", s.e("ij,jj->ij", s.B, s.Q), B * np.diag(Q)
    yield "diag(diag(Q)) B", s.e("ii,ij->ij", s.Q, s.B), np.diag(Q)[:, None] * B
    yield "B diag(p) Q", s.e("ij,j,jk->ik", s.B, s.p, s.Q), B * p @ Q
    cube = s.arena.variable("U", ("n", "n", "n"))
    s.arrays[cube] = np.random.default_rng(4).normal(size=(3, 3, 3)) + 3 * np.eye(3)[:, :, None]
    for spec in ("ijj->ij", "ijj->ji", "iji->ij", "iji->ji"):
        yield spec, s.e(spec, cube), np.einsum(spec, s.arrays[cube])
    factors = {"A": s.A, "B": s.B, "Q": s.Q, "A+B": s.A + s.B, "A^-1": s.inv(s.A)}
    arrays = {"A": A, "B": B, "Q": Q, "A+B": A + B, "A^-1": np.linalg.inv(A)}
    for left in factors:
        for right in factors:
            for spec in ("ij,jk->ik", "ji,jk->ik", "ij,kj->ik", "ji,kj->ik", "ij,jk->ki"):
                want = np.einsum(spec, arrays[left], arrays[right])
                yield f"{left} {right} {spec}", s.e(spec, factors[left], factors[right]), want


@pytest.mark.parametrize("entry", MATRIX, ids=lambda entry: entry.name)
def test_a_function_of_a_matrix(entry: Any) -> None:
    s = Setting()
    for name, node, array in _matrices(s):
        if np.linalg.matrix_rank(array) < 3 and name not in ("0", "p p'"):
            continue
        if entry.domain == "posdef" and np.linalg.eigvalsh(array + array.T).min() <= 0:
            continue
        if entry.name == "leading_dyad" and np.ptp(np.linalg.svdvals(array)) < 1e-9:
            continue  # as good as orthogonal: no direction leads
        if entry.name == "sqrtm" and not np.isfinite(entry.reference(array)).all():
            continue
        try:
            want = entry.reference(array)
        except np.linalg.LinAlgError:
            continue
        if np.isfinite(want).all():
            got = value(s.f(entry.name, node), s.arrays, SIZES)
            assert np.allclose(got, want, rtol=1e-7, atol=1e-8 * (1 + np.abs(want).max())), name


@pytest.mark.parametrize("name", ["frechet", "sylvester"])
def test_functions_of_several_matrices(name: str) -> None:
    """Each special matrix in the place of each argument, and twice the same."""
    s, entry = Setting(), PRIMITIVES[name]
    arity = len(entry.cores) - 1
    given: list[tuple[Node, Array]] = [
        (s.A, s.array("A")),
        (s.B, s.array("B")),
        (s.S, s.array("S")),
    ]
    for label, node, array in _matrices(s):
        for place in range(arity):
            nodes, arrays = map(list, zip(*given[:arity], strict=True))
            nodes[place], arrays[place] = node, array
            try:
                want = entry.reference(*arrays)
            except np.linalg.LinAlgError:
                continue
            got = value(s.f(name, *nodes), s.arrays, SIZES)
            if np.linalg.norm(want) < 1e8:
                assert np.allclose(got, want, rtol=1e-6, atol=1e-8 * np.abs(want).max()), label
        if name == "frechet":
            want = entry.reference(array, array)
            got = value(s.f(name, node, node), s.arrays, SIZES)
            if np.linalg.norm(want) < 1e8:
                assert np.allclose(got, want, rtol=1e-6, atol=1e-8 * np.abs(want).max()), label


# ----- sums that are 1 ----------------------------------------------------------------
@pytest.mark.parametrize("exponent", [-1, 1, 2, 3])
@pytest.mark.parametrize("spec", ["ij->i", "ij->j", "ij->", "ij,i->i", "ij,i->j", "ij,j->i"])
def test_only_what_sums_to_one_does(spec: str, exponent: int) -> None:
    """Σ_j P_ij = 1, and Σ_i Q_ij² = 1; no other power, and along no other axis."""
    s = Setting()
    for node in (s.P, s.f("softmax", s.X), s.f("onehot_max", s.X + s.X), s.Q, s.e("ij->ij", s.S)):
        array, x = value(node, s.arrays, SIZES), s.array("x")
        other = s.x if spec != "ij,j->i" or node.shape[1] == "n" else s.arena.ones("m")
        beside = x if other is s.x else np.ones(2)
        if "," in spec:
            got, want = (
                s.e(spec, node**exponent, other),
                np.einsum(spec, array ** float(exponent), beside),
            )
        else:
            got, want = s.e(spec, node**exponent), np.einsum(spec, array ** float(exponent))
        assert same(got, want, s.arrays)


# ----- inverses beside matrices -------------------------------------------------------
def _chains(s: Setting) -> Iterator[tuple[str, Node, Array]]:
    """Products of A and B that are not A B, and A B."""
    A, B, p = s.array("A"), s.array("B"), s.array("p")
    yield "A B", s.e("ij,jk->ik", s.A, s.B), A @ B
    yield "2 A B", 2 * s.e("ij,jk->ik", s.A, s.B), 2 * A @ B
    yield "A B.^2", s.e("ij,jk->ik", s.A, s.B**2), A @ B**2
    yield "A.^2 B", s.e("ij,jk->ik", s.A**2, s.B), A**2 @ B
    yield "A diag(p) B", s.e("ij,j,jk->ik", s.A, s.p, s.B), A * p @ B
    yield "A diag(diag(B))", s.e("ij,jj->ij", s.A, s.B), A * np.diag(B)
    yield "det(A) A B", s.e(",ij,jk->ik", s.f("det", s.A), s.A, s.B), np.linalg.det(A) * A @ B
    yield "A .* B", s.A * s.B, A * B
    yield "A B'", s.e("ij,kj->ik", s.A, s.B), A @ B.T
    yield "(A B)'", s.e("ij,jk->ki", s.A, s.B), (A @ B).T
    yield "A + B", s.A + s.B, A + B


def test_an_inverse_beside_a_matrix() -> None:
    """M^-1 N, N M^-1 and their transposes, for every M and N: only M^-1 M cancels."""
    s = Setting()
    beside = [*_chains(s), ("A", s.A, s.array("A")), ("B", s.B, s.array("B"))]
    for name, node, array in beside:
        inverse, inverted = s.inv(node), np.linalg.inv(array)
        for other_name, other, want in beside:
            for spec in ("ij,jk->ik", "ji,jk->ik", "ij,kj->ik", "ij,ki->jk", "ij,ij->", "ij,ji->"):
                got = s.e(spec, inverse, other)
                assert same(got, np.einsum(spec, inverted, want), s.arrays), (
                    name,
                    other_name,
                    spec,
                )
