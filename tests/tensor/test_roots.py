"""Roots of matrices beside anything: they are multiplied where, and only where, they may be."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

from matderiv.tensor.nodes import Node
from tests.numerics import relative_error, value
from tests.tensor.setting import SIZES, Setting

OPERANDS: dict[str, Callable[[Setting], Node]] = {
    "L": lambda s: s.f("chol", s.C),
    "named L": lambda s: s.arena.name("L", s.f("chol", s.C)),
    "L^-1": lambda s: s.inv(s.f("chol", s.C)),
    "L.^2": lambda s: s.f("chol", s.C) ** 2,
    "chol(D)": lambda s: s.f("chol", s.D),
    "sqrtm(A)": lambda s: s.f("sqrtm", s.A),
    "sqrtm(A)^-1": lambda s: s.inv(s.f("sqrtm", s.A)),
    "sqrtm(C)": lambda s: s.f("sqrtm", s.C),
    "sqrtm(C)^-1": lambda s: s.inv(s.f("sqrtm", s.C)),
    "exp(L)": lambda s: s.m("exp", s.f("chol", s.C)),
    "B": lambda s: s.B,
    "x": lambda s: s.x,
    "L x": lambda s: s.e("ij,j->i", s.f("chol", s.C), s.x),
    "L' x": lambda s: s.e("ji,j->i", s.f("chol", s.C), s.x),
    "L^-1 X": lambda s: s.e("ij,jk->ik", s.inv(s.f("chol", s.C)), s.X),
    "x L": lambda s: s.e("i,ik->ik", s.x, s.f("chol", s.C)),
    "named L x": lambda s: s.arena.name("y", s.e("ij,j->i", s.f("chol", s.C), s.x)),
    "sqrtm(A) x": lambda s: s.e("ij,j->i", s.f("sqrtm", s.A), s.x),
    "sqrtm(C) x": lambda s: s.e("ij,j->i", s.f("sqrtm", s.C), s.x),
    "diag(L)": lambda s: s.e("ii->i", s.f("chol", s.C)),
    "log(diag(L))": lambda s: s.m("log", s.e("ii->i", s.f("chol", s.C))),
    "log(2 diag(L))": lambda s: s.m("log", 2 * s.e("ii->i", s.f("chol", s.C))),
    "log(diag(L).^3)": lambda s: s.m("log", s.e("ii->i", s.f("chol", s.C)) ** 3),
    "log(tr L) 𝟏": lambda s: s.m("log", _traces(s)),
}


def _traces(s: Setting) -> Node:
    return s.arena.broadcast(s.e("ii->", s.f("chol", s.C)), ("n",), ())


@pytest.mark.parametrize("seed", range(10))
def test_products_of_roots_have_the_value_of_numpy(seed: int) -> None:
    draw, setting = random.Random(seed), Setting(seed)
    arrays = {name: value(OPERANDS[name](setting), setting.arrays, SIZES) for name in OPERANDS}
    for _ in range(60):
        names = draw.choices(list(OPERANDS), k=draw.choice((1, 2, 3)))
        names += draw.choices(names, k=draw.choice((0, 1, 2)))
        nodes = [OPERANDS[name](setting) for name in names]
        terms = ["".join(draw.choice("abc" if d == "n" else "y") for d in n.shape) for n in nodes]
        letters = sorted({*"".join(terms)})
        out = "".join(draw.sample(letters, draw.randint(0, min(2, len(letters)))))
        spec = f"{','.join(terms)}->{out}"
        want = np.einsum(spec, *(arrays[name] for name in names))
        got = value(setting.e(spec, *nodes), setting.arrays, SIZES)
        assert relative_error(got, want) <= 1e-8, (names, spec)


@pytest.mark.parametrize(
    "spec, root, matrix",
    [("ij,j->i", "chol", "C"), ("ij,j->i", "sqrtm", "A"), ("ji,j->i", "sqrtm", "A")],
)
def test_a_norm_stays_one_where_no_root_meets_its_transpose(
    spec: str, root: str, matrix: str
) -> None:
    s = Setting()
    vector = s.e(spec, s.f(root, getattr(s, matrix)), s.x)
    _stays(vector)


def test_a_norm_stays_one_where_another_factor_has_the_axis_of_the_root() -> None:
    s = Setting()
    _stays(s.e("ki,kj,i,j->k", s.inv(s.f("chol", s.C)), s.B, s.x, s.z))
    inverse, later = s.inv(s.f("chol", s.C)), s.m("exp", s.B)
    _stays(s.e("ki,kj,i,j->k", inverse, later, s.x, s.z))


def _stays(vector: Node) -> None:
    norm = vector.arena.einsum("i,i->", vector, vector)
    ((node, _, exponent),) = norm.factors  # type: ignore[attr-defined]
    assert (node, exponent) == (vector, 2)


def test_a_matrix_that_might_be_indefinite_stays_inside_its_root() -> None:
    s = Setting()
    root = s.f("chol", s.S)
    assert s.e("ik,jk->ij", root, root) is not s.S
    assert s.f("logdet", root).primitive.name == "logdet"  # type: ignore[attr-defined]
    assert s.f("chol", s.A).arguments == (s.A,)  # type: ignore[attr-defined]


def test_an_equation_of_two_matrices_is_not_that_of_one() -> None:
    s = Setting()
    identity = s.arena.identity("n")
    found = value(s.f("sylvester", s.A, s.B, identity), s.arrays, SIZES)
    a, b = s.array("A"), s.array("B")
    assert relative_error(a @ found + found @ b, np.eye(3)) <= 1e-12
