"""Kronecker products, vec, commutation: reshapes that come apart inside products."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from itertools import accumulate, pairwise
from math import prod
from operator import mul
from typing import Any, TypeGuard

import numpy as np
import pytest

from matderiv.tensor.arena import Arena
from matderiv.tensor.dims import Shape, multiply_dims
from matderiv.tensor.nodes import Apply, Node, Product
from matderiv.tensor.reshapes import blocks, dyad_factors, kronecker_factors, unfused
from tests.numerics import lengths, relative_error, value
from tests.tensor.setting import SIZES, Setting


def _kron(s: Setting, a: Node, b: Node) -> Node:
    order = s.arena.einsum("ij,kl->ikjl", a, b)
    rows = s.arena.total_size((a.shape[0], b.shape[0]))
    columns = s.arena.total_size((a.shape[1], b.shape[1]))
    return s.arena.reshape(order, 4, (rows, columns))


def _kron_row(s: Setting, a: Node, x: Node) -> Node:
    return s.arena.reshape(s.e("ij,k->ijk", a, x), 2, (s.arena.total_size((a.shape[1], "n")),))


def _vec(s: Setting, a: Node) -> Node:
    return s.arena.reshape(s.t(a), 2, (s.arena.total_size(a.shape),))


def _commutation(s: Setting, m: str, n: str) -> Node:
    delta = s.arena.product(1, (), (0, 1, 1, 0), {0: m, 1: n})
    size = s.arena.total_size((m, n))
    return s.arena.reshape(delta, 4, (size, size))


def _sums(s: Setting, a: Node, shape: tuple[str | int, str | int], axis: int) -> Node:
    """The sums of the columns as a matrix of one row or column, opaque to the constructors."""
    return s.arena.broadcast(s.e("ij->j", a), shape, (axis,))


def _long_row(s: Setting, a: Node) -> Node:
    column = _sums(s, a, (a.shape[1], 1), 0)
    return s.arena.reshape(s.arena.apply("pinv", column), 2, (a.shape[1],))


def _long_column(s: Setting, a: Node) -> Node:
    row = _sums(s, a, (1, a.shape[1]), 1)
    return s.arena.reshape(s.arena.apply("pinv", row), 2, (a.shape[1],))


KRONECKER: dict[str, tuple[Callable[[Setting], Node], Callable[..., Any]]] = {
    "kron": (lambda s: _kron(s, s.A, s.X), lambda A, X: np.kron(A, X)),
    "tr(A ⊗ B)": (
        lambda s: s.e("ii->", _kron(s, s.A, s.B)),
        lambda A, B: np.trace(A) * np.trace(B),
    ),
    "(A ⊗ B)(B ⊗ A)": (
        lambda s: s.e("ij,jk->ik", _kron(s, s.A, s.B), _kron(s, s.B, s.A)),
        lambda A, B: np.kron(A @ B, B @ A),
    ),
    "(X ⊗ A)' (X ⊗ B)": (
        lambda s: s.e("ji,jk->ik", _kron(s, s.X, s.A), _kron(s, s.X, s.B)),
        lambda X, A, B: np.kron(X.T @ X, A.T @ B),
    ),
    "(A ⊗ X)(X ⊗ A)": (  # the inner sizes agree, their splittings do not
        lambda s: s.e("ji,jk->ik", _kron(s, s.A, s.X), _kron(s, s.X, s.A)),
        lambda A, X: np.kron(A, X).T @ np.kron(X, A),
    ),
    "vec": (lambda s: _vec(s, s.X), lambda X: X.T.ravel()),
    "diag(vec(X))": (lambda s: s.e("i->ii", _vec(s, s.X)), lambda X: np.diag(X.T.ravel())),
    "vec(X) vec(X)'": (
        lambda s: s.e("i,j->ij", _vec(s, s.X), _vec(s, s.X)),
        lambda X: np.outer(X.T.ravel(), X.T.ravel()),
    ),
    "diag(vec(A)) vec(B)' vec(A)": (
        lambda s: s.e("i,j,j->ii", _vec(s, s.A), _vec(s, s.B), _vec(s, s.A)),
        lambda A, B: np.diag(A.T.ravel()) * (A * B).sum(),
    ),
    "vec(X)' vec(X)": (
        lambda s: s.e("i,i->", _vec(s, s.X), _vec(s, s.X)),
        lambda X: (X * X).sum(),
    ),
    "(B ⊗ A) vec(X)": (
        lambda s: s.e("ij,j->i", _kron(s, s.A, s.B), _vec(s, s.e("ij,jk->ik", s.B, s.A))),
        lambda A, B: (B @ (B @ A) @ A.T).T.ravel(),
    ),
    "(X ⊗ A) vec(X)": (
        lambda s: s.e("ij,j->i", _kron(s, s.X, s.A), _vec(s, s.X)),
        lambda X, A: np.kron(X, A) @ X.T.ravel(),
    ),
    "(X ⊗ A)' vec(B)": (
        lambda s: s.e("ji,j->i", _kron(s, s.X, s.A), _vec(s, s.B)),
        lambda X, A, B: np.kron(X, A).T @ B.T.ravel(),
    ),
    "vec(X)' (S ⊗ A)⁻¹": (
        lambda s: s.e("j,ji->i", _vec(s, s.B), s.inv(_kron(s, s.S, s.A))),
        lambda B, S, A: B.T.ravel() @ np.linalg.inv(np.kron(S, A)),
    ),
    "pinv(X ⊗ A)": (
        lambda s: s.f("pinv", _kron(s, s.X, s.A)),
        lambda X, A: np.linalg.pinv(np.kron(X, A)),
    ),
    "K vec(X)": (
        lambda s: s.e("ij,j->i", _commutation(s, "n", "m"), _vec(s, s.X)),
        lambda X: X.ravel(),
    ),
    "K' K": (
        lambda s: s.e("ji,jk->ik", _commutation(s, "n", "m"), _commutation(s, "n", "m")),
        lambda X: np.eye(6),
    ),
    "reshape of reshape": (
        lambda s: s.arena.reshape(_vec(s, s.t(s.X)), 1, ("n", "m")),
        lambda X: X,
    ),
    "rows of one axis, summed against another": (  # (1, m) made long twice, and (m, 1) once
        lambda s: s.e("i,i,i->", _long_row(s, s.A), _long_row(s, s.B), _long_column(s, s.A)),
        lambda A, B: A.sum(0) ** 2 @ B.sum(0) / (A.sum(0) @ A.sum(0)) ** 2 / (B.sum(0) @ B.sum(0)),
    ),
    "pinv(X ⊗ x')": (
        lambda s: s.f("pinv", _kron_row(s, s.X, s.x)),
        lambda X, x: np.linalg.pinv(np.kron(X, x[None, :])),
    ),
    "row sums of a reshape": (
        lambda s: s.e("ij->i", s.arena.reshape(s.X, 2, ("m", "n"))),
        lambda X: X.reshape(2, 3).sum(1),
    ),
}


@pytest.mark.parametrize("name", KRONECKER)
def test_reshapes_keep_the_value(name: str) -> None:
    build, numpy = KRONECKER[name]
    s = Setting()
    code = numpy.__code__
    arrays = (s.array(letter) for letter in code.co_varnames[: code.co_argcount])
    assert relative_error(value(build(s), s.arrays, SIZES), numpy(*arrays)) <= 1e-12


def test_a_kronecker_product_of_a_vec_is_a_vec() -> None:
    """(A ⊗ B) vec(X) = vec(B X A'), Magnus and Neudecker, and so with an inverse."""
    s = Setting()
    matrix, long = _kron(s, s.X, s.A), _vec(s, s.X)

    def rows(spec: str, *factors: Node) -> Node:  # of the transpose, one after the other
        turned = s.e(spec, *factors)
        return s.arena.reshape(turned, 2, (s.arena.total_size(turned.shape),))

    assert s.e("ij,j->i", matrix, long) is rows("ij,jk,lk->li", s.A, s.X, s.X)
    assert s.e("ji,j->i", matrix, _vec(s, s.B)) is rows("ji,jk,kl->li", s.A, s.B, s.X)
    inverse = s.inv(_kron(s, s.S, s.A))
    assert inverse is _kron(s, s.inv(s.S), s.inv(s.A))
    gram = s.e("ji,jk->ik", s.X, s.X)
    form = s.e("i,ij,j->", long, _kron(s, gram, s.A), long)
    assert form is s.e("ij,ik,kl,jl->", s.X, s.A, s.X, gram)
    both = s.e("ij,ji->", _kron(s, s.A, s.B), _kron(s, s.B, s.S))
    assert both is s.e("ij,ji,kl,lk->", s.A, s.B, s.B, s.S)


def test_what_is_fused_is_fused_last() -> None:
    """Rows (i, j) of x_i X_jc, beside what is on other axes, or summed with them."""
    s = Setting()
    rows, v = s.arena.total_size(("n", "n")), s.arena.variable("v", ("m",))
    long = s.arena.reshape(s.e("i,jc->ijc", s.x, s.X), 3, (rows, "m"))
    after = {
        "rc,c->cr": ("i,jc,c->cij", (s.x, s.X, v)),
        "rc,d->cdr": ("i,jc,d->cdij", (s.x, s.X, v)),
        "rc,c->r": ("i,jc,c->ij", (s.x, s.X, v)),
        "rc->r": ("i,jc->ij", (s.x, s.X)),
        "rc->ccr": ("i,jc->ccij", (s.x, s.X)),
    }
    for spec, (apart, factors) in after.items():
        made = s.e(spec, long, *factors[2:])
        assert made is s.arena.reshape(s.e(apart, *factors), 2, (rows,)), spec


def test_a_pseudoinverse_of_a_kronecker_product_is_one_of_pseudoinverses() -> None:
    """Of oblong matrices too; a vector has none in this language."""
    s = Setting()
    made = s.f("pinv", _kron(s, s.X, s.A))
    assert made is _kron(s, s.f("pinv", s.X), s.f("pinv", s.A))
    beside = _kron_row(s, s.X, s.x)
    assert kronecker_factors(beside) is not None
    assert s.f("pinv", beside).children == (beside,)


def test_the_trace_of_a_kronecker_product_comes_apart() -> None:
    s = Setting()
    assert s.e("ii->", _kron(s, s.A, s.B)) is s.e("ii,jj->", s.A, s.B)
    square = s.e("i,i->", _vec(s, s.X), _vec(s, s.X))
    assert square is s.e("ij,ij->", s.X, s.X)


def test_blocks_are_the_finest() -> None:
    """Cut wherever the sizes before it agree; the parts are the axes, in order."""
    names = ("m", "n", "k")
    shapes: set[Shape] = set()
    for order in itertools.permutations(names):
        for cut in range(1, 4):
            shapes.add((multiply_dims(*order[:cut]), *order[cut:]))
            shapes.add((*order[:cut], multiply_dims(*order[cut:])) if cut < 3 else order)
    for old, new in itertools.product(sorted(shapes, key=str), repeat=2):
        found = blocks(old, new)
        assert tuple(dim for part, _ in found for dim in part) == old
        assert tuple(dim for _, part in found for dim in part) == new
        cuts = {
            (i, j)
            for i in range(1, len(old) + 1)
            for j in range(1, len(new) + 1)
            if multiply_dims(*old[:i]) == multiply_dims(*new[:j])
        }
        ends = [(0, 0)]
        for a, b in found:
            ends.append((ends[-1][0] + len(a), ends[-1][1] + len(b)))
        assert set(ends[1:]) == cuts


_ONES = [("n", 1), ("n", "m", 1), ("n", 1, 1), (1, "n", 1, "m")]


def _same_order(a: Shape, b: Shape) -> bool:
    return [dim for dim in a if dim != 1] == [dim for dim in b if dim != 1]


_TURNED = {
    (a, b)
    for base in _ONES
    for a in itertools.permutations(base)
    for b in itertools.permutations(base)
}


@pytest.mark.parametrize(
    ("old", "new"), sorted((pair for pair in _TURNED if _same_order(*pair)), key=str)
)
def test_axes_of_size_1_stay_where_they_are_asked_for(old: Shape, new: Shape) -> None:
    """Of a variable, of products with axes that nobody carries, and of a sum."""
    s = Setting()
    variable = s.arena.variable("V", old)
    array = np.random.default_rng(0).normal(size=lengths(old, SIZES))
    spread = s.arena.broadcast(s.x, old, (old.index("n"),))
    axis = [1] * len(old)
    axis[old.index("n")] = 3
    wide = s.array("x").reshape(axis) * np.ones_like(array)
    cases = {variable: array, spread: wide, variable + spread: array + wide}
    cases[s.arena.ones(*old)] = np.ones_like(array)
    for node, want in cases.items():
        turned = s.arena.reshape(node, len(old), new)
        assert turned.shape == new
        got = value(turned, {**s.arrays, variable: array}, SIZES)
        np.testing.assert_allclose(got, want.reshape(lengths(new, SIZES)))


@pytest.mark.parametrize("seed", range(200))
def test_blocks_are_the_finest_pairing_of_axes(seed: int) -> None:
    """Cut at each product of leading sizes that both shapes have; axes of size 1 are kept."""
    random = np.random.default_rng(seed)
    parts = [int(n) for n in random.choice([2, 3, 5, 7], size=random.integers(1, 6))]

    def grouped() -> list[int]:
        cuts = sorted({0, len(parts), *random.integers(0, len(parts) + 1, size=3).tolist()})
        return [int(np.prod(parts[a:b])) for a, b in pairwise(cuts)]

    old, new = grouped(), grouped()
    ends = [set(accumulate(shape, mul)) for shape in (old, new)]
    pairs = blocks(tuple(old), tuple(new))
    assert len(pairs) == len(ends[0] & ends[1])
    _pairs_well(pairs, old, new)
    for shape in (old, new):
        for _ in range(int(random.integers(0, 3))):
            shape.insert(int(random.integers(0, len(shape) + 1)), 1)
    _pairs_well(blocks(tuple(old), tuple(new)), old, new)


def _pairs_well(
    pairs: list[tuple[tuple[Any, ...], tuple[Any, ...]]], old: list[int], new: list[int]
) -> None:
    assert [dim for pair in pairs for dim in pair[0]] == old
    assert [dim for pair in pairs for dim in pair[1]] == new
    assert all(pair[0] and pair[1] and prod(pair[0]) == prod(pair[1]) for pair in pairs)


SPLIT: dict[str, tuple[Callable[[Setting], Node], Callable[[Setting], Node]]] = {
    "of two": (
        lambda s: _split(s, s.e("i,i->i", _fused(s, s.A), _fused(s, s.B))),
        lambda s: s.e("ij,ij->ij", s.A, s.B),
    ),
    "of a function": (
        lambda s: _split(s, s.e("i,i->i", _fused(s, s.A), _fused(s, s.m("exp", s.B)))),
        lambda s: s.e("ij,ij->ij", s.A, s.m("exp", s.B)),
    ),
    "beside another axis": (
        lambda s: _split(s, s.e("ki,ki->ki", _fused(s, s.W), _fused(s, s.W + 1))),
        lambda s: s.e("kij,kij->kij", s.W, s.W + 1),
    ),
    "with a factor on the other axis": (
        lambda s: _split(s, s.e("ki,a->aki", _fused(s, s.W), s.x)),
        lambda s: s.e("kij,a->akij", s.W, s.x),
    ),
    "of an outer product": (
        lambda s: _split(s, s.e("i,k->ki", _fused(s, s.A), s.x)),
        lambda s: s.e("ij,k->kij", s.A, s.x),
    ),
    "of ones": (
        lambda s: _split(s, s.e("k,i->ki", s.x, s.arena.ones(_square(s)))),
        lambda s: s.e("k,i,j->kij", s.x, s.arena.ones("n"), s.arena.ones("n")),
    ),
    "both sides of a diagonal": (
        lambda s: s.arena.reshape(s.e("i,i->ii", _fused(s, s.A), _fused(s, s.B)), 2, ("n",) * 4),
        lambda s: s.e("ij,ij->ijij", s.A, s.B),
    ),
    "of more axes than were fused": (
        lambda s: s.arena.reshape(_fused(s, s.W), 2, ("n", _thin(s))),
        lambda s: s.arena.reshape(s.W, 3, ("n", _thin(s))),
    ),
    "of a part": (
        lambda s: s.arena.reshape(_fused(s, s.W), 1, ("n", "n")),
        lambda s: s.W,
    ),
    "beside a vector that nobody fused": (
        lambda s: _split(s, s.e("i,i->i", _fused(s, s.A), _long(s))),
        lambda s: s.A * _split(s, _long(s)),
    ),
}


def _long(s: Setting) -> Node:
    node = s.arena.variable("v", (_square(s),))
    s.arrays[node] = np.random.default_rng(5).normal(size=9)
    return node


def _square(s: Setting) -> Any:
    return s.arena.total_size(("n", "n"))


def _thin(s: Setting) -> Any:
    return s.arena.total_size(("k", "n"))


def _fused(s: Setting, node: Node) -> Node:
    return s.arena.reshape(node, 2, (_square(s),))


def _split(s: Setting, node: Node) -> Node:
    return s.arena.reshape(node, 1, ("n", "n"))


@pytest.mark.parametrize("name", SPLIT)
def test_a_fused_axis_that_is_split_comes_apart(name: str) -> None:
    """reshape(vec(A) ⊙ vec(B)) is A ⊙ B, the same node."""
    s = Setting()
    fused, apart = (make(s) for make in SPLIT[name])
    assert fused is apart


@pytest.mark.parametrize("split", [(2, 3), (3, 2), (6, 1), (1, 6), (1, 2, 3), (2, 3, 1)])
def test_what_is_split_has_the_entries_in_their_order(split: Shape) -> None:
    """The last axis of six, or both, alike or not, of diagonals, outer products and matrices."""
    arena = Arena()
    v, M = arena.variable("v", (6,)), arena.variable("M", (6, 6))
    A, B = arena.variable("A", (2, 3)), arena.variable("B", (3, 2))
    random = np.random.default_rng(6)
    arrays: dict[Node, Any] = {x: random.normal(size=x.shape) for x in (v, M, A, B)}
    a, b = arena.reshape(A, 2, (6,)), arena.reshape(B, 2, (6,))
    nodes = [
        arena.identity(6),
        3 * arena.identity(6),
        arena.ones(6, 6),
        *(arena.einsum("i->ii", x) for x in (v, a, a * b, a * v)),
        *(arena.einsum("i,j->ij", x, y) for x in (v, a) for y in (v, a, b)),
        *(arena.einsum("i,ij->ij", x, M) for x in (v, a)),
        *(arena.einsum("ij,j->ij", M, x) for x in (v, b)),
        arena.einsum("ij,jk->ik", M, M),
    ]
    for node in nodes:
        want = value(node, arrays, {})
        for axes, dims in (
            (1, split),
            (2, (*split, *split)),
            (2, (*split, 3, 2)),
            (2, (6, *split)),
        ):
            made = arena.reshape(node, axes, dims)
            shape = (*node.shape[: 2 - axes], *dims)
            assert made.shape == shape
            assert relative_error(value(made, arrays, {}), want.reshape(shape)) <= 1e-12


def test_an_axis_that_a_matrix_carries_whole_stays_fused() -> None:
    """E (A ⊙ B) on a fused axis: no split, and no other value."""
    s = Setting()
    square = _square(s)
    whole = s.arena.variable("E", (square, square))
    s.arrays[whole] = np.random.default_rng(3).normal(size=(9, 9))
    for node in (
        s.e("i,ij->ij", _fused(s, s.A), whole),
        s.e("ii,i->i", whole, _fused(s, s.A)),
        s.e("ji,i,j->ji", whole, _fused(s, s.A), _fused(s, s.B)),
    ):
        want = value(node, s.arrays, SIZES).reshape(*[9] * (node.order - 1), 3, 3)
        assert relative_error(value(_split(s, node), s.arrays, SIZES), want) <= 1e-12


# Matrices and vectors with fused axes, and what stands around one before it is fused again.
FUSED: dict[str, Callable[[Setting], Node]] = {
    "A ⊗ X": lambda s: _kron(s, s.A, s.X),
    "vec(A)": lambda s: _fused(s, s.A),
    "vecs of W": lambda s: _fused(s, s.W),
    "v": lambda s: _long(s),
}
AROUND: dict[str, Callable[[Setting, Node], Node]] = {
    "itself": lambda s, node: node,
    "transposed": lambda s, node: s.t(node),
    "three times": lambda s, node: 3 * s.t(node),
    "times a scalar": lambda s, node: s.t(node) * s.e("i->", s.x),
    "squared": lambda s, node: s.t(node) ** 2,
    "inverted": lambda s, node: node**-1,
    "times a function of it": lambda s, node: s.t(node * s.m("tanh", node)),
    "beside a function of it": lambda s, node: s.e("...,i->...i", s.t(node), s.m("tanh", s.x)),
    "times its sums": lambda s, node: s.t(node) * s.e("...->", node**2),
    "repeated": lambda s, node: s.arena.broadcast(
        node, ("m", *node.shape), range(1, node.order + 1)
    ),
}


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("name", FUSED)
def test_what_is_fused_again_has_the_entries_in_their_order(name: str, around: str) -> None:
    """vec of all axes, and of all but the first, of a value that has fused axes."""
    s = Setting()
    node = AROUND[around](s, FUSED[name](s))
    want = value(node, s.arrays, SIZES)
    for axes in range(1, node.order + 1):
        kept = node.shape[: node.order - axes]
        total = s.arena.total_size(node.shape[node.order - axes :])
        long = s.arena.reshape(node, axes, (total,))
        assert long.shape == (*kept, total)
        got = value(long, s.arrays, SIZES)
        assert relative_error(got, want.reshape(*want.shape[: len(kept)], -1)) <= 1e-12


def test_a_kronecker_product_stays_one_matrix_beside_another() -> None:
    """(A ⊗ B) E, and (A ⊗ B)(B ⊗ A) E: three matrices, not tensors."""
    s = Setting()
    square = _square(s)
    whole = s.arena.variable("E", (square, square))
    one, other = _kron(s, s.A, s.B), _kron(s, s.B, s.A)
    assert set(s.e("ij,jk->ik", one, whole).children) == {one, whole}
    assert set(s.e("ij,jk->ik", whole, one).children) == {one, whole}
    assert set(s.e("ij,jk,kl->il", one, other, whole).children) == {one, other, whole}


def test_an_inverse_of_a_kronecker_product_of_oblong_matrices_stays_one() -> None:
    """X ⊗ X' is square, and singular: its factors have no inverses to write."""
    s = Setting()
    whole = _kron(s, s.X, s.t(s.X))
    assert s.inv(whole).children == (whole,)


def test_a_fusion_of_tensors_is_no_product_of_matrices() -> None:
    s = Setting()
    outer = s.e("ijk,lmn->iljmkn", s.W, s.W)
    sizes = [s.arena.total_size(outer.shape[k : k + 2]) for k in (0, 2, 4)]
    fused = s.arena.reshape(outer, 6, tuple(sizes))
    assert isinstance(fused, Apply)
    assert kronecker_factors(fused) is None
    assert dyad_factors(fused) is None
    thin, one = s.arena.variable("a", ("n", 1)), s.arena.variable("b", (1, 1))
    for reduced in (
        s.f("logsumexp", s.e("ij,k->ijk", s.A, s.x)),
        s.f("norm_op", s.e("ij,kl->ijkl", thin, one)),
    ):
        assert kronecker_factors(reduced) is None


def test_the_factors_of_a_dyad_of_long_vectors_are_known() -> None:
    """vec(A') vec(X')' as the fusion of A_ij X_kl."""
    s = Setting()
    sizes = [s.arena.total_size(node.shape) for node in (s.A, s.X)]
    dyad = s.arena.reshape(s.e("ij,kl->ijkl", s.A, s.X), 4, tuple(sizes))
    assert isinstance(dyad, Apply)
    assert dyad_factors(dyad) == (s.A, s.X)
    crossed = s.arena.reshape(s.e("ij,kl->ikjl", s.A, s.A), 4, (_square(s), _square(s)))
    assert isinstance(crossed, Apply)
    assert dyad_factors(crossed) is None


@pytest.mark.parametrize("before, after", [*itertools.product(range(4), repeat=2)])
def test_axes_of_size_1_alone_are_all_paired(before: int, after: int) -> None:
    pairs = blocks((1,) * before, (1,) * after)
    assert sum(len(pair[0]) for pair in pairs) == before
    assert sum(len(pair[1]) for pair in pairs) == after


@pytest.mark.parametrize("old", [(), (1,), (1, 1)])
@pytest.mark.parametrize("new", [(), (1,), (1, 1)])
def test_last_axes_of_size_1_come_and_go(old: Shape, new: Shape) -> None:
    """Of a number, of products, diagonals and sums: the shape and the value are as asked for."""
    s = Setting()
    u, U = (s.arena.variable(name, shape) for name, shape in (("u", (1,)), ("U", ("n", *old))))
    random = np.random.default_rng(7)
    arrays = {**s.arrays, u: random.normal(size=1), U: random.normal(size=(3, *(1,) * len(old)))}
    column = s.arena.broadcast(s.x, ("n", *old), (0,))
    nodes = [U, U**2, U * column, U + column, s.arena.ones(*old), 3 * s.arena.ones("n", *old)]
    if old:
        last = "ab"[: len(old)]
        nodes += [s.e(f"i,{','.join(last)}->i{last}", s.x, *[u] * len(old))]
        nodes += [s.arena.identity(1), 3 * s.arena.identity(1), s.e("i->ii", u)]
    for node in nodes:
        want = value(node, arrays, SIZES)
        made = s.arena.reshape(node, len(old), new)
        shape = (*node.shape[: node.order - len(old)], *new)
        assert made.shape == shape
        got = value(made, arrays, SIZES)
        np.testing.assert_allclose(got, want.reshape(lengths(shape, SIZES)))


# Operands of letters i, j, k, l of the sizes 2, 3, 2, 3: products of one, two or three.
_OUTER = [
    "ij,kl",
    "ik,jl",
    "il,jk",
    "i,jkl",
    "ijk,l",
    "ij,k,l",
    "ij,k",
    "ijkl",
    "ij,jk",
    "i,j,k",
    "i,j",
]
_TARGETS = [(6, 6), (4, 9), (2, 18), (18, 2), (3, 12), (36,), (6, 2), (2, 6), (4, 3), (12,), (6,)]
_TARGETS += [(2, 3, 2), (2, 2, 3), (2, 6, 3), (4, 3, 3)]
_LENGTHS = dict(zip("ijkl", (2, 3, 2, 3), strict=True))


def _fusions(terms: str) -> Iterator[tuple[Node, Any, dict[Node, Any]]]:
    """An outer product with its axes in any order, fused to any shape: node, value, arrays."""
    arena, arrays = Arena(), dict[Node, Any]()
    for place, term in enumerate(terms.split(",")):
        shape = tuple(_LENGTHS[letter] for letter in term)
        node = arena.variable("ABC"[place], shape)
        arrays[node] = np.random.default_rng(place).normal(size=shape)
    letters = sorted(set(terms) - {","})
    for out in itertools.permutations(letters):
        outer = arena.scale(3, arena.einsum(f"{terms}->{''.join(out)}", *arrays))
        for target in _TARGETS:
            if prod(outer.shape) == prod(target):
                fused = arena.reshape(outer, len(letters), target)
                yield fused, value(outer, arrays, {}).reshape(target), arrays


@pytest.mark.parametrize("terms", _OUTER)
def test_factors_found_in_a_fusion_are_its_factors(terms: str) -> None:
    """Whatever is fused how: A ⊗ B and vec(A') vec(B')' have the value of what they are of."""
    count = 0
    for fused, want, arrays in _fusions(terms):
        assert relative_error(value(fused, arrays, {}), want) <= 1e-12
        scalars = fused.coefficient if isinstance(fused, Product) else 1
        for node in filter(_is_apply, (fused, *fused.children)):
            for factors in (kronecker_factors, dyad_factors):
                if node.shape == want.shape and (found := factors(node)) is not None:
                    whole = value(node, arrays, {})
                    assert relative_error(whole * float(scalars), want) <= 1e-12 or node is fused
                    left, right = (value(part, arrays, {}) for part in found)
                    if factors is dyad_factors:
                        assert [part.order for part in found] == [2, 2]
                        left, right = left.ravel()[:, None], right.ravel()[None, :]
                    assert _is_kron(left, right, whole)
                    count += 1
    assert count or terms in ("ijkl", "ij,jk", "i,jkl", "ijk,l")


def _is_apply(node: Node) -> TypeGuard[Apply]:
    return isinstance(node, Apply)


def _is_kron(left: Any, right: Any, want: Any) -> bool:
    """A vector is the row or the column that makes the shapes fit."""
    sides = [[a] if a.ndim == want.ndim else [a[:, None], a[None, :]] for a in (left, right)]
    made = [np.kron(a, b) for a, b in itertools.product(*sides)]
    return any(a.shape == want.shape and relative_error(a, want) <= 1e-12 for a in made)


@pytest.mark.parametrize("alike", [True, False])
def test_a_sum_is_split_where_its_terms_are_fused_alike(alike: bool) -> None:
    arena = Arena()
    A, B = arena.variable("A", ("m", "n")), arena.variable("B", ("n", "m"))
    x = arena.variable("x", ("k",))
    shape = (arena.total_size(("m", "n")), "k")
    turned = arena.einsum("ij->ji", B) if alike else B
    fused = [
        arena.reshape(arena.einsum("ij,k->kij", part, node), 2, shape[:1])
        for part, node in ((A, x), (turned, x**2))
    ]
    total = arena.add(fused[0], 2 * fused[1])
    opened, parts = unfused(total)
    assert parts == (("k",), ("m", "n") if alike else shape[:1])
    random = np.random.default_rng(5)
    sizes = {"m": 2, "n": 3, "k": 4}
    arrays = {v: random.normal(size=[sizes[d] for d in v.shape]) for v in (A, B, x)}
    want = value(total, arrays, sizes)
    assert relative_error(value(opened, arrays, sizes).reshape(want.shape), want) <= 1e-12


def test_of_a_zero_nothing_is_fused() -> None:
    zero = Arena().zero(("m", "n"))
    assert unfused(zero) == (zero, (("m",), ("n",)))


def test_sums_of_sums_are_not_looked_into() -> None:
    """2^700 paths down, 1400 values: a sum beside its own transpose, again and again."""
    arena = Arena()
    node = arena.variable("A", ("n", "n"))
    other = arena.variable("B", ("n", "n"))
    for step in range(700):
        node = arena.add((2 + step % 3) * arena.einsum("ij->ji", node), arena.map("sin", other))
        node = arena.add(node, 3 * arena.einsum("ij->ji", node))
    assert unfused(node) == (node, (("n",), ("n",)))
    assert arena.reshape(node, 2, (arena.total_size(("n", "n")),)).order == 1
