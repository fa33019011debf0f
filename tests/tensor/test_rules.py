"""Every rewrite of the constructors: it fires, gives exactly its form, and keeps the value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import scipy.special

from matderiv.tensor import matrix_rules, rules
from matderiv.tensor.arena import Arena
from matderiv.tensor.elementwise import ELEMENTWISE, AbstractElementwise
from matderiv.tensor.nodes import Factor, Map, Node
from tests.numerics import Array, relative_error, value
from tests.tensor.setting import SIZES, Setting

HALF = Fraction(1, 2)


@dataclass
class Rule:
    """left becomes exactly right; `numpy` computes the left side, `rules` are those that fire."""

    left: Callable[[Setting], Node]
    right: Callable[[Setting], Node]
    numpy: Callable[..., Any]  # of the arrays that its parameters name
    rules: tuple[Any, ...]


inv = np.linalg.inv


def expm(a: Array) -> Any:
    import scipy.linalg

    return scipy.linalg.expm(a)


def slogdet(a: Array) -> Any:
    return np.linalg.slogdet(a)[1]


def softmax(a: Array, axis: int) -> Array:
    return np.exp(a) / np.exp(a).sum(axis, keepdims=True)


def _scalars(s: Setting) -> list[Node]:
    """One that is no less than 0, and two of which nothing is known."""
    return [s.m("exp", s.e("i->", s.m("log", s.p))), s.e("ii->", s.A), s.e("ii->", s.B)]


ELEMENTWISE_RULES = {
    "step^2": Rule(
        lambda s: s.m("step", s.x) ** 3,
        lambda s: s.m("step", s.x),
        lambda x: np.heaviside(x, 0),
        ("step",),
    ),
    "sign^3": Rule(
        lambda s: s.m("sign", s.x) ** 3, lambda s: s.m("sign", s.x), lambda x: np.sign(x), ("sign",)
    ),
    "x^3 sign(x)": Rule(
        lambda s: s.x**3 * s.m("sign", s.x),
        lambda s: s.x**2 * s.m("abs", s.x),
        lambda x: x**3 * np.sign(x),
        ("sign",),
    ),
    "y sign(y), y = A x": Rule(
        lambda s: s.e("ij,j->i", s.A, s.x) * s.m("sign", s.e("ij,j->i", s.A, s.x)),
        lambda s: s.m("abs", s.e("ij,j->i", s.A, s.x)),
        lambda A, x: np.abs(A @ x),
        ("sign",),
    ),
    "abs^2": Rule(
        lambda s: s.m("abs", s.x) ** 2, lambda s: s.x**2, lambda x: np.abs(x) ** 2, ("abs",)
    ),
    "abs^-2": Rule(
        lambda s: s.m("abs", s.x) ** -2, lambda s: s.x**-2, lambda x: np.abs(x) ** -2, ("abs",)
    ),
    "relu step": Rule(
        lambda s: s.m("step", s.x) * s.m("relu", s.x),
        lambda s: s.m("relu", s.x),
        lambda x: np.maximum(x, 0) * (x > 0),
        (("relu", "step"),),
    ),
    "abs sign": Rule(
        lambda s: s.m("sign", s.x) * s.m("abs", s.x),
        lambda s: s.x,
        lambda x: np.sign(x) * np.abs(x),
        (("abs", "sign"),),
    ),
    "sign / abs": Rule(
        lambda s: s.m("sign", s.x) * s.m("abs", s.x) ** -1,
        lambda s: s.x**-1,
        lambda x: np.sign(x) / np.abs(x),
        (),
    ),
    "x^z (-x)^k": Rule(
        lambda s: s.m("pow", -s.m("expm1", -s.p), s.z) * s.m("expm1", -s.p) ** 3,
        lambda s: -s.m("pow", -s.m("expm1", -s.p), s.z + 3),
        lambda p, z: (-np.expm1(-p)) ** z * np.expm1(-p) ** 3,
        ("pow",),
    ),
    "x^z (-x)^2": Rule(
        lambda s: s.m("pow", -s.m("expm1", -s.p), s.z) * s.m("expm1", -s.p) ** 2,
        lambda s: s.m("pow", -s.m("expm1", -s.p), s.z + 2),
        lambda p, z: (-np.expm1(-p)) ** z * np.expm1(-p) ** 2,
        ("pow",),
    ),
    "x^z x^k": Rule(
        lambda s: s.m("pow", s.p, s.z) * s.p**-1,
        lambda s: s.m("pow", s.p, s.z - 1),
        lambda p, z: p ** (z - 1),
        ("pow",),
    ),
    "exp log": Rule(
        lambda s: s.m("exp", s.m("log", s.p)), lambda s: s.p, lambda p: np.exp(np.log(p)), ("exp",)
    ),
    "exp 0": Rule(
        lambda s: s.m("exp", s.x - s.x), lambda s: s.arena.ones("n"), lambda x: np.ones(3), ("exp",)
    ),
    "log exp": Rule(
        lambda s: s.m("log", s.m("exp", s.x)), lambda s: s.x, lambda x: np.log(np.exp(x)), ("log",)
    ),
    "log 1": Rule(
        lambda s: s.m("log", s.arena.ones("n")),
        lambda s: s.arena.zero(("n",)),
        lambda x: np.zeros(3),
        ("log",),
    ),
    "step relu": Rule(
        lambda s: s.m("step", s.m("relu", s.x)),
        lambda s: s.m("step", s.x),
        lambda x: np.heaviside(np.maximum(x, 0), 0),
        ("step",),
    ),
    "relu relu": Rule(
        lambda s: s.m("relu", s.m("relu", s.x)),
        lambda s: s.m("relu", s.x),
        lambda x: np.maximum(x, 0),
        ("relu",),
    ),
    "max(x, 0)": Rule(
        lambda s: s.m("max", s.x, s.arena.zero(("n",))),
        lambda s: s.m("relu", s.x),
        lambda x: np.maximum(x, 0),
        ("max",),
    ),
    "x^number": Rule(
        lambda s: s.m("pow", s.p, s.arena.constant(HALF, ("n",))),
        lambda s: s.p**HALF,
        lambda p: p**0.5,
        ("pow",),
    ),
}
for _name, _number in {"cos": 1, "cosh": 1, "logcosh": 0, "relu": 0}.items():
    ELEMENTWISE_RULES[f"{_name} 0"] = Rule(
        lambda s, name=_name: s.m(name, s.x - s.x),  # type: ignore[misc]
        lambda s, number=_number: s.arena.constant(number, ("n",)),  # type: ignore[misc]
        lambda x, name=_number: np.full(3, name),
        (_name,),
    )
ELEMENTWISE_RULES["logcosh even"] = Rule(
    lambda s: s.m("logcosh", -2 * s.x),
    lambda s: s.m("logcosh", 2 * s.x),
    lambda x: np.log(np.cosh(2 * x)),
    ("logcosh",),
)
for _name in ("cos", "cosh", "abs"):
    ELEMENTWISE_RULES[f"{_name} even"] = Rule(
        lambda s, name=_name: s.m(name, -2 * s.x),  # type: ignore[misc]
        lambda s, name=_name: s.m(name, 2 * s.x),  # type: ignore[misc]
        lambda x, name=_name: getattr(np, name)(-2 * x),
        (_name,),
    )
for _name in ("sin", "tan", "atan", "sinh", "tanh", "sign", "asin", "erf"):
    _numpy = {"atan": "arctan", "asin": "arcsin"}.get(_name, _name)
    ELEMENTWISE_RULES[f"{_name} odd"] = Rule(
        lambda s, name=_name: s.m(name, -s.x / 4),  # type: ignore[misc]
        lambda s, name=_name: -s.m(name, s.x / 4),  # type: ignore[misc]
        lambda x, name=_numpy: getattr(scipy.special if name == "erf" else np, name)(-x / 4),
        (_name,),
    )
    ELEMENTWISE_RULES[f"{_name} 0"] = Rule(
        lambda s, name=_name: s.m(name, s.x - s.x),  # type: ignore[misc]
        lambda s: s.arena.zero(("n",)),
        lambda x: np.zeros(3),
        (_name,),
    )

STABLE_RULES = {
    "log sum exp": Rule(
        lambda s: s.m("log", s.e("i->", s.m("exp", s.x))),
        lambda s: s.f("logsumexp", s.x),
        lambda x: np.log(np.exp(x).sum()),
        (),
    ),
    "log sum exp along the first axis": Rule(
        lambda s: s.m("log", s.e("ij->j", s.m("exp", s.X))),
        lambda s: s.f("logsumexp", s.t(s.X)),
        lambda X: np.log(np.exp(X).sum(0)),
        (),
    ),
    "log(1 + exp)": Rule(
        lambda s: s.m("log", 1 + s.m("exp", s.x)),
        lambda s: s.m("softplus", s.x),
        lambda x: np.log(1 + np.exp(x)),
        (),
    ),
    "log sigmoid": Rule(
        lambda s: s.m("log", s.m("sigmoid", s.x)),
        lambda s: -s.m("softplus", -s.x),
        lambda x: -np.log(1 + np.exp(-x)),
        (),
    ),
    "log(1 - sigmoid)": Rule(
        lambda s: s.m("log", 1 - s.m("sigmoid", s.x)),
        lambda s: -s.m("softplus", s.x),
        lambda x: -np.log(1 + np.exp(x)),
        (),
    ),
    "log cosh": Rule(
        lambda s: s.m("log", s.m("cosh", s.x)),
        lambda s: s.m("logcosh", s.x),
        lambda x: np.log(np.cosh(x)),
        (),
    ),
    "log(exp + exp)": Rule(
        lambda s: s.m("log", s.m("exp", s.x) + s.m("exp", s.z)),
        lambda s: s.m("logaddexp", s.x, s.z),
        lambda x, z: np.log(np.exp(x) + np.exp(z)),
        (),
    ),
    "log(exp + exp of the opposite)": Rule(
        lambda s: s.m("log", s.m("exp", s.x) + s.m("exp", -s.x)),
        lambda s: s.m("logcosh", s.x) + s.m("log", s.arena.constant(2, ("n",))),
        lambda x: np.log(np.exp(x) + np.exp(-x)),
        (),
    ),
    "log(1 + sum of exponentials)": Rule(
        lambda s: s.m("log", 1 + s.e("ij->i", s.m("exp", s.X))),
        lambda s: s.m("softplus", s.f("logsumexp", s.X)),
        lambda X: np.log(1 + np.exp(X).sum(1)),
        (),
    ),
    "log of a mean of exponentials": Rule(
        lambda s: s.m("log", s.e("i->", s.m("exp", s.x)) / s.arena.size("n")),
        lambda s: s.f("logsumexp", s.x) - s.m("log", s.arena.size("n")),
        lambda x: np.log(np.exp(x).mean()),
        (),
    ),
    "log of a product of stable functions": Rule(
        lambda s: s.m("log", s.m("sigmoid", s.x) ** 3 * s.m("cosh", s.z) * 5 / 2),
        lambda s: (
            s.m("logcosh", s.z)
            - 3 * s.m("softplus", -s.x)
            + s.arena.broadcast(s.m("log", s.arena.constant(5, ())), ("n",), ())
            - s.arena.broadcast(s.m("log", s.arena.constant(2, ())), ("n",), ())
        ),
        lambda x, z: np.log(2.5 * np.cosh(z) / (1 + np.exp(-x)) ** 3),
        (),
    ),
    "log of a determinant of any sign beside a scalar": Rule(
        lambda s: s.m("log", s.e("i,i->", s.p, s.p) * s.f("det", s.A)),
        lambda s: s.f("logdet", s.A) + s.m("log", s.e("i,i->", s.p, s.p)),
        lambda p, A: np.log(p @ p * np.linalg.det(A)),
        (),
    ),
    "log of a stable function beside a sum of exponentials": Rule(
        lambda s: s.m("log", s.e("i,ij->i", s.m("sigmoid", s.x), s.m("exp", s.X))),
        lambda s: s.f("logsumexp", s.X) - s.m("softplus", -s.x),
        lambda x, X: np.log(np.exp(X).sum(1) / (1 + np.exp(-x))),
        (),
    ),
    "log of a determinant beside a scalar": Rule(
        lambda s: s.m("log", s.e("i,i->", s.p, s.p) * s.f("det", s.A) ** HALF),
        lambda s: HALF * s.f("logdet", s.A) + s.m("log", s.e("i,i->", s.p, s.p)),
        lambda p, A: np.log(p @ p * np.sqrt(np.linalg.det(A))),
        (),
    ),
    "log of a sum of exponentials beside scalars of any sign": Rule(
        lambda s: s.m("log", s.e(",,,->", *_scalars(s), s.e("i->", s.m("exp", s.z)))),
        lambda s: (
            s.f("logsumexp", s.z)
            + s.m("log", s.arena.product(1, [Factor(c, (), 1) for c in _scalars(s)[1:]], ()))
            + s.m("log", _scalars(s)[0])
        ),
        lambda p, z, A, B: np.log(np.prod(p) * np.exp(z).sum() * np.trace(A) * np.trace(B)),
        (),
    ),
    "exp over a sum with another before it": Rule(
        lambda s: 1 / (s.m("exp", s.x) + s.m("exp", s.z)) * s.m("exp", s.z),
        lambda s: s.m("sigmoid", s.z - s.x),
        lambda x, z: np.exp(z) / (np.exp(x) + np.exp(z)),
        (),
    ),
    "exp over a sum with another": Rule(
        lambda s: s.m("exp", s.z) / (s.m("exp", s.x) + s.m("exp", s.z)),
        lambda s: s.m("sigmoid", s.z - s.x),
        lambda x, z: np.exp(z) / (np.exp(x) + np.exp(z)),
        (),
    ),
    "log normcdf": Rule(
        lambda s: s.m("log", s.m("normcdf", s.x)),
        lambda s: s.m("lognormcdf", s.x),
        lambda x: scipy.special.log_ndtr(x),
        (),
    ),
    "log(1 - normcdf)": Rule(
        lambda s: s.m("log", 1 - s.m("normcdf", s.x)),
        lambda s: s.m("lognormcdf", -s.x),
        lambda x: scipy.special.log_ndtr(-x),
        (),
    ),
    "sinh / cosh": Rule(
        lambda s: s.m("sinh", s.x) / s.m("cosh", s.x),
        lambda s: s.m("tanh", s.x),
        lambda x: np.tanh(x),
        (),
    ),
    "sinh / cosh^2": Rule(
        lambda s: s.m("sinh", s.x) / s.m("cosh", s.x) ** 2,
        lambda s: s.m("tanh", s.x) / s.m("cosh", s.x),
        lambda x: np.sinh(x) / np.cosh(x) ** 2,
        (),
    ),
    "log softmax": Rule(
        lambda s: s.m("log", s.f("softmax", s.X)),
        lambda s: s.X - s.e("i,j->ij", s.f("logsumexp", s.X), s.arena.ones("m")),
        lambda X: np.log(softmax(X, 1)),
        (),
    ),
    "log det": Rule(
        lambda s: s.m("log", s.f("det", s.A)),
        lambda s: s.f("logdet", s.A),
        lambda A: np.log(np.linalg.det(A)),
        (),
    ),
    "exp / sum exp": Rule(
        lambda s: s.m("exp", s.x) / s.e("i->", s.m("exp", s.x)),
        lambda s: s.f("softmax", s.x),
        lambda x: softmax(x, 0),
        (),
    ),
    "exp / sum exp along the first axis": Rule(
        lambda s: s.e("ij,j->ij", s.m("exp", s.X), 1 / s.e("ij->j", s.m("exp", s.X))),
        lambda s: s.t(s.f("softmax", s.t(s.X))),
        lambda X: softmax(X, 0),
        (),
    ),
    "1 / (1 + exp)": Rule(
        lambda s: 1 / (1 + s.m("exp", -s.x)),
        lambda s: s.m("sigmoid", s.x),
        lambda x: 1 / (1 + np.exp(-x)),
        (),
    ),
    "1 / (1 + exp)^2": Rule(
        lambda s: (1 + s.m("exp", s.x)) ** -2,
        lambda s: s.m("sigmoid", -s.x) ** 2,
        lambda x: (1 + np.exp(x)) ** -2,
        (),
    ),
    "exp / (1 + exp)^2": Rule(
        lambda s: s.m("exp", -s.x) / (1 + s.m("exp", -s.x)) ** 2,
        lambda s: s.m("sigmoid", s.x) * s.m("sigmoid", -s.x),
        lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2,
        (),
    ),
    "sigmoid^2 exp": Rule(
        lambda s: s.m("sigmoid", s.x) ** 2 * s.m("exp", -s.x),
        lambda s: s.m("sigmoid", s.x) * s.m("sigmoid", -s.x),
        lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2,
        (),
    ),
    "sigmoid exp": Rule(
        lambda s: s.m("sigmoid", s.x) * s.m("exp", -s.x),
        lambda s: s.m("sigmoid", -s.x),
        lambda x: np.exp(-x) / (1 + np.exp(-x)),
        (),
    ),
    "exp / (1 + exp)": Rule(
        lambda s: s.m("exp", s.x) / (1 + s.m("exp", s.x)),
        lambda s: s.m("sigmoid", s.x),
        lambda x: np.exp(x) / (1 + np.exp(x)),
        (),
    ),
}

MATRIX_RULES = {
    "inv inv": Rule(lambda s: s.inv(s.inv(s.A)), lambda s: s.A, lambda A: A, ("inv",)),
    "inv of orthogonal": Rule(lambda s: s.inv(s.Q), lambda s: s.t(s.Q), lambda Q: inv(Q), ("inv",)),
    "inv of multiple": Rule(
        lambda s: s.inv(s.e(",ij->ij", s.e("i->", s.p), 2 * s.A)),
        lambda s: s.e(",ij->ij", 1 / s.e("i->", s.p), s.inv(s.A)) / 2,
        lambda p, A: inv(2 * p.sum() * A),
        ("inv",),
    ),
    "inv of a matrix times a scalar": Rule(
        lambda s: s.inv(s.e(",ij->ij", s.e("i->", s.p), s.A)),
        lambda s: s.e(",ij->ij", 1 / s.e("i->", s.p), s.inv(s.A)),
        lambda p, A: inv(p.sum() * A),
        ("inv",),
    ),
    "inv of a matrix times a number": Rule(
        lambda s: s.inv(-3 * s.A), lambda s: s.inv(s.A) / -3, lambda A: inv(-3 * A), ("inv",)
    ),
    "inv of transpose": Rule(
        lambda s: s.inv(s.t(s.A)), lambda s: s.t(s.inv(s.A)), lambda A: inv(A.T), ("inv",)
    ),
    "inv of diag": Rule(
        lambda s: s.inv(s.e("i->ii", s.p)),
        lambda s: s.e("i->ii", 1 / s.p),
        lambda p: inv(np.diag(p)),
        ("inv",),
    ),
    "inv(A^-1 M)": Rule(
        lambda s: s.inv(s.e("ij,jk->ik", s.inv(s.A), s.B)),
        lambda s: s.e("ij,jk->ik", s.inv(s.B), s.A),
        lambda A, B: inv(inv(A) @ B),
        ("inv",),
    ),
    "inv(M Q)": Rule(
        lambda s: s.inv(s.e("ij,jk->ik", s.B, s.Q)),
        lambda s: s.e("ji,jk->ik", s.Q, s.inv(s.B)),
        lambda B, Q: inv(B @ Q),
        ("inv",),
    ),
    "inv(M A^-T)": Rule(
        lambda s: s.inv(s.e("ij,kj->ik", s.B, s.inv(s.A))),
        lambda s: s.e("ji,jk->ik", s.A, s.inv(s.B)),
        lambda A, B: inv(B @ inv(A).T),
        ("inv",),
    ),
    "inv(A^-T M)": Rule(
        lambda s: s.inv(s.e("ji,jk->ik", s.inv(s.A), s.B)),
        lambda s: s.e("ij,kj->ik", s.inv(s.B), s.A),
        lambda A, B: inv(inv(A).T @ B),
        ("inv",),
    ),
    "inv(Q diag(p) Q')": Rule(
        lambda s: s.inv(s.e("ij,j,kj->ik", s.Q, s.p, s.Q)),
        lambda s: s.e("ij,kj->ik", s.e("ij,j->ij", s.Q, 1 / s.p), s.Q),
        lambda Q, p: inv(Q * p @ Q.T),
        ("inv",),
    ),
    "inv(A^-1 diag(p))": Rule(
        lambda s: s.inv(s.e("ij,j->ij", s.inv(s.A), s.p)),
        lambda s: s.e("i,ij->ij", 1 / s.p, s.A),
        lambda A, p: inv(inv(A) * p),
        ("inv",),
    ),
    "inv(diag(p) A^-T)": Rule(
        lambda s: s.inv(s.e("i,ji->ij", s.p, s.inv(s.A))),
        lambda s: s.e("ji,j->ij", s.A, 1 / s.p),
        lambda A, p: inv(p[:, None] * inv(A).T),
        ("inv",),
    ),
    "det of inverse": Rule(
        lambda s: s.f("det", s.inv(s.A)),
        lambda s: 1 / s.f("det", s.A),
        lambda A: np.linalg.det(inv(A)),
        ("det",),
    ),
    "det of transpose": Rule(
        lambda s: s.f("det", s.t(s.A)),
        lambda s: s.f("det", s.A),
        lambda A: np.linalg.det(A),
        ("det",),
    ),
    "expm of multiple of transpose": Rule(
        lambda s: s.f("expm", -2 * s.t(s.A)),
        lambda s: s.t(s.f("expm", -2 * s.A)),
        lambda A: expm(-2 * A.T),
        ("expm",),
    ),
    "logdet of expm": Rule(
        lambda s: s.f("logdet", s.f("expm", s.A)),
        lambda s: s.e("ii->", s.A),
        lambda A: slogdet(expm(A)),
        ("logdet",),
    ),
    "det of expm": Rule(
        lambda s: s.f("det", s.f("expm", s.A)),
        lambda s: s.arena.map("exp", s.e("ii->", s.A)),
        lambda A: np.linalg.det(expm(A)),
        ("det",),
    ),
    "expm along the identity": Rule(
        lambda s: s.f("frechet", s.A, s.arena.identity("n")),
        lambda s: s.f("expm", s.A),
        lambda A: expm(A),
        ("frechet",),
    ),
    "expm along itself": Rule(
        lambda s: s.f("frechet", 2 * s.A, s.A),
        lambda s: s.e("ij,jk->ik", s.A, s.f("expm", 2 * s.A)),
        lambda A: A @ expm(2 * A),
        ("frechet",),
    ),
    "logdet of inverse": Rule(
        lambda s: s.f("logdet", s.inv(s.A)),
        lambda s: -s.f("logdet", s.A),
        lambda A: slogdet(inv(A)),
        ("logdet",),
    ),
    "logdet of transpose": Rule(
        lambda s: s.f("logdet", s.t(s.A)),
        lambda s: s.f("logdet", s.A),
        lambda A: slogdet(A),
        ("logdet",),
    ),
    "logdet of diag": Rule(
        lambda s: s.f("logdet", s.e("i->ii", s.p)),
        lambda s: s.e("i->", s.m("log", s.p)),
        lambda p: slogdet(np.diag(p)),
        ("logdet",),
    ),
    "pinv pinv": Rule(
        lambda s: s.f("pinv", s.f("pinv", s.X)), lambda s: s.X, lambda X: X, ("pinv",)
    ),
    "pinv of transpose": Rule(
        lambda s: s.f("pinv", s.t(s.X)),
        lambda s: s.t(s.f("pinv", s.X)),
        lambda X: np.linalg.pinv(X.T),
        ("pinv",),
    ),
    "expm 0": Rule(
        lambda s: s.f("expm", s.A - s.A),
        lambda s: s.arena.identity("n"),
        lambda A: np.eye(3),
        ("expm",),
    ),
    "expm of diag": Rule(
        lambda s: s.f("expm", s.e("i->ii", s.x)),
        lambda s: s.e("i->ii", s.m("exp", s.x)),
        lambda x: np.diag(np.exp(x)),
        ("expm",),
    ),
    "sqrtm of diag": Rule(
        lambda s: s.f("sqrtm", s.e("i->ii", s.p)),
        lambda s: s.e("i->ii", s.p**HALF),
        lambda p: np.diag(p**0.5),
        ("sqrtm",),
    ),
    "norm of transpose": Rule(
        lambda s: s.f("norm_nuclear", s.t(s.X)),
        lambda s: s.f("norm_nuclear", s.X),
        lambda X: np.linalg.norm(X, "nuc"),
        ("norm_nuclear",),
    ),
    "operator norm of transpose": Rule(
        lambda s: s.f("norm_op", s.t(s.X)),
        lambda s: s.f("norm_op", s.X),
        lambda X: np.linalg.norm(X, 2),
        ("norm_op",),
    ),
    "number out of a linear argument": Rule(
        lambda s: s.f("frechet", s.A, -3 * s.B),
        lambda s: -3 * s.f("frechet", s.A, s.B),
        lambda A, B: -3 * s_frechet(A, B),
        (),
    ),
    "zero in a linear argument": Rule(
        lambda s: s.f("sylvester", s.A, s.B, s.A - s.A),
        lambda s: s.arena.zero(("n", "n")),
        lambda A: np.zeros((3, 3)),
        (),
    ),
}
for _name in ("tril", "triu"):
    MATRIX_RULES[f"{_name} twice"] = Rule(
        lambda s, name=_name: s.f(name, s.f(name, s.A)),  # type: ignore[misc]
        lambda s, name=_name: s.f(name, s.A),  # type: ignore[misc]
        lambda A, name=_name: _reference(name, A),
        (_name,),
    )
for _name in ("expm", "sqrtm", "polar", "leading_dyad"):
    MATRIX_RULES[f"{_name} of transpose"] = Rule(
        lambda s, name=_name: s.f(name, s.t(s.A)),  # type: ignore[misc]
        lambda s, name=_name: s.t(s.f(name, s.A)),  # type: ignore[misc]
        lambda A, name=_name: _reference(name, A.T),
        (_name,),
    )


DIRECTIONS: dict[str, Callable[[Setting], Node]] = {
    "2 𝟏 𝟏'": lambda s: 2 * s.arena.ones("n", "n"),
    "x 𝟏'": lambda s: s.arena.broadcast(s.x, ("n", "n"), (0,)),
    "𝟏 x'": lambda s: s.arena.broadcast(s.x, ("n", "n"), (1,)),
    "diag(x)": lambda s: s.e("i->ii", s.x),
    "x z'": lambda s: s.e("i,j->ij", s.x, s.z),
    "B'": lambda s: s.t(s.B),
    "A'": lambda s: s.t(s.A),
    "A .* A": lambda s: s.A**2,
}


@pytest.mark.parametrize("name", DIRECTIONS)
def test_the_exponential_moves_along_any_matrix(name: str) -> None:
    """L(A, E) is expm(A) E where A and E commute: these do not."""
    s = Setting()
    e = DIRECTIONS[name](s)
    want = s_frechet(s.array("A"), value(e, s.arrays, SIZES))
    got = value(s.f("frechet", s.A, e), s.arrays, SIZES)
    assert np.allclose(got, want, rtol=1e-9, atol=1e-9)


def s_frechet(a: Array, e: Array) -> Array:
    import scipy.linalg

    return np.asarray(scipy.linalg.expm_frechet(a, e, compute_expm=False))


def _reference(name: str, a: Array) -> Any:
    from matderiv.tensor.primitives import PRIMITIVES

    return PRIMITIVES[name].reference(a)


CANCEL_RULES = {
    "X^-1 X": Rule(
        lambda s: s.e("ij,jk->ik", s.inv(s.A), s.A),
        lambda s: s.arena.identity("n"),
        lambda A: np.eye(3),
        (),
    ),
    "X X^-1 inside a chain": Rule(
        lambda s: s.e("ij,jk,kl->il", s.B, s.A, s.inv(s.A)), lambda s: s.B, lambda B: B, ()
    ),
    "X' X^-T": Rule(
        lambda s: s.e("ji,kj,kl->il", s.A, s.inv(s.A), s.B), lambda s: s.B, lambda B: B, ()
    ),
    "tr(X^-1 X)": Rule(
        lambda s: s.e("ij,ji->", s.inv(s.A), s.A), lambda s: s.arena.size("n"), lambda A: 3.0, ()
    ),
    "S^-1 S by any port": Rule(
        lambda s: s.e("ij,kj->ik", s.inv(s.S), s.S),
        lambda s: s.arena.identity("n"),
        lambda S: np.eye(3),
        (),
    ),
    "(X'X)^-1 X'X opened": Rule(
        lambda s: s.e("ij,kj,kl->il", s.inv(s.e("ki,kj->ij", s.X, s.X)), s.X, s.X),
        lambda s: s.arena.identity("m"),
        lambda X: np.eye(2),
        (),
    ),
    "A B (A B)^-1": Rule(
        lambda s: s.e("ij,jk,kl->il", s.A, s.B, s.inv(s.e("ij,jk->ik", s.A, s.B))),
        lambda s: s.arena.identity("n"),
        lambda A: np.eye(3),
        (),
    ),
    "Q'Q": Rule(
        lambda s: s.e("ji,jk->ik", s.Q, s.Q),
        lambda s: s.arena.identity("n"),
        lambda Q: Q.T @ Q,
        (),
    ),
    "Q Q'": Rule(
        lambda s: s.e("ij,kj->ik", s.Q, s.Q),
        lambda s: s.arena.identity("n"),
        lambda Q: Q @ Q.T,
        (),
    ),
    "columns of Q have norm 1": Rule(
        lambda s: s.e("ij,ij->j", s.Q, s.Q),
        lambda s: s.arena.ones("n"),
        lambda Q: (Q * Q).sum(0),
        (),
    ),
    "rows of a softmax sum to 1": Rule(
        lambda s: s.e("ij,i->i", s.f("softmax", s.X), s.x),
        lambda s: s.x,
        lambda X, x: softmax(X, 1).sum(1) * x,
        (),
    ),
    "a softmax of rows summed over both axes": Rule(
        lambda s: s.e("ij->", s.f("softmax", s.X)),
        lambda s: s.arena.size("n"),
        lambda X: softmax(X, 1).sum(),
        (),
    ),
    "an indicator sums to 1": Rule(
        lambda s: s.e("i->", s.f("onehot_max", s.x)),
        lambda s: s.arena.number(1),
        lambda x: 1.0,
        (),
    ),
    "rows of P sum to 1": Rule(
        lambda s: s.e("ij->i", s.P), lambda s: s.arena.ones("n"), lambda P: P.sum(1), ()
    ),
}


def _chol(s: Setting) -> Node:
    return s.f("chol", s.C)


ROOT_RULES = {
    "L L'": Rule(
        lambda s: s.e("ik,jk,j->i", _chol(s), _chol(s), s.x),
        lambda s: s.e("ij,j->i", s.C, s.x),
        lambda C, x: C @ x,
        (),
    ),
    "L^-T L^-1": Rule(
        lambda s: s.e("ki,kj->ij", s.inv(_chol(s)), s.inv(_chol(s))),
        lambda s: s.inv(s.C),
        lambda C: inv(C),
        (),
    ),
    "L of a name": Rule(
        lambda s: s.e("ik,jk->ij", s.arena.name("L", _chol(s)), s.arena.name("L", _chol(s))),
        lambda s: s.C,
        lambda C: C,
        (),
    ),
    "L of what is semidefinite beside any vector": Rule(
        lambda s: s.e("ik,ik,i->", *2 * [s.f("chol", s.C + s.e("i,j->ij", s.x, s.x))], s.z),
        lambda s: s.e("ii,i->", s.C + s.e("i,j->ij", s.x, s.x), s.z),
        lambda C, x, z: np.diag(C + np.outer(x, x)) @ z,
        (),
    ),
    "norm of L^-1 x": Rule(
        lambda s: s.e("k,k->", *2 * [s.e("ki,i->k", s.inv(_chol(s)), s.x)]),
        lambda s: s.e("i,ij,j->", s.x, s.inv(s.C), s.x),
        lambda C, x: x @ inv(C) @ x,
        (),
    ),
    "columns of L' X": Rule(
        lambda s: s.e("kj,kj->j", *2 * [s.e("ik,ij->kj", _chol(s), s.X)]),
        lambda s: s.e("ij,ik,kj->j", s.X, s.C, s.X),
        lambda C, X: ((X.T @ C) * X.T).sum(1),
        (),
    ),
    "columns of L' X beside a vector": Rule(
        lambda s: s.e("a,kj,kj->aj", s.z, *2 * [s.e("ik,ij->kj", _chol(s), s.X)]),
        lambda s: s.e("a,j->aj", s.z, s.e("ij,ik,kj->j", s.X, s.C, s.X)),
        lambda z, C, X: np.outer(z, ((X.T @ C) * X.T).sum(1)),
        (),
    ),
    "sum of log diag L": Rule(
        lambda s: s.e("i->", s.m("log", s.e("ii->i", _chol(s)))),
        lambda s: s.f("logdet", s.C) / 2,
        lambda C: slogdet(C) / 2,
        (),
    ),
    "trace of log L": Rule(
        lambda s: s.e("ii->", s.m("log", _chol(s))),
        lambda s: s.f("logdet", s.C) / 2,
        lambda C: slogdet(C) / 2,
        (),
    ),
    "sum of log of powers": Rule(
        lambda s: s.e("i->", s.m("log", s.e("ii->i", _chol(s)) ** -3)),
        lambda s: -3 * s.f("logdet", s.C) / 2,
        lambda C: -1.5 * slogdet(C),
        (),
    ),
    "det L": Rule(
        lambda s: s.f("det", _chol(s)),
        lambda s: s.f("det", s.C) ** HALF,
        lambda C: np.linalg.det(C) ** 0.5,
        ("det",),
    ),
    "logdet of a root": Rule(
        lambda s: s.f("logdet", s.f("sqrtm", s.A)),
        lambda s: s.f("logdet", s.A) / 2,
        lambda A: slogdet(A) / 2,
        ("logdet",),
    ),
    "S S": Rule(
        lambda s: s.e("ij,jk->ik", s.f("sqrtm", s.A), s.f("sqrtm", s.A)),
        lambda s: s.A,
        lambda A: A,
        (),
    ),
    "S S of a symmetric S, by any port": Rule(
        lambda s: s.e("ji,jk,lk,l->i", *3 * [s.f("sqrtm", s.C)], s.x),
        lambda s: s.e("ij,jk,k->i", s.C, s.f("sqrtm", s.C), s.x),
        lambda C, x: C @ _reference("sqrtm", C) @ x,
        (),
    ),
    "S S of a symmetric S, in a chain": Rule(
        lambda s: s.e("ij,jk,kl,l->i", s.f("sqrtm", s.C), s.f("sqrtm", s.C), s.B, s.x),
        lambda s: s.e("ij,jk,k->i", s.C, s.B, s.x),
        lambda C, B, x: C @ B @ x,
        (),
    ),
    "S^-1 S^-1 x": Rule(
        lambda s: s.e("ij,jk,k->i", s.inv(s.f("sqrtm", s.A)), s.inv(s.f("sqrtm", s.A)), s.x),
        lambda s: s.e("ij,j->i", s.inv(s.A), s.x),
        lambda A, x: inv(A) @ x,
        (),
    ),
    "norm of a symmetric S^-1 x": Rule(
        lambda s: s.e("k,k->", *2 * [s.e("ki,i->k", s.inv(s.f("sqrtm", s.C)), s.x)]),
        lambda s: s.e("i,ij,j->", s.x, s.inv(s.C), s.x),
        lambda C, x: x @ inv(C) @ x,
        (),
    ),
    "Y X + X Y = 2 s I": Rule(
        lambda s: s.f("sylvester", s.A, s.A, _twice(s)),
        lambda s: s.e("k,k,ij->ij", s.x, s.x, s.inv(s.A)),
        lambda A, x: x @ x * inv(A),
        ("sylvester",),
    ),
    "chol of what is no less than 0 along every x": Rule(
        lambda s: s.f("chol", s.D + s.C),
        lambda s: s.f("chol", (s.D + s.C + s.t(s.D + s.C)) / 2),
        lambda D, C: np.linalg.cholesky((D + D.T) / 2 + C),
        ("chol",),
    ),
}


FUSION_RULES = {
    "vec(A) + vec(2 B')": Rule(
        lambda s: _rows(s.t(s.A)) + 2 * _rows(s.B),
        lambda s: _rows(s.t(s.A) + 2 * s.B),
        lambda A, B: (A.T + 2 * B).ravel(),
        (),
    ),
    "norm of vec(A) - vec(B)": Rule(
        lambda s: s.e("i,i->", *2 * [_rows(s.A) - _rows(s.B)]),
        lambda s: s.e("ij,ij->", *2 * [s.A - s.B]),
        lambda A, B: ((A - B) ** 2).sum(),
        (),
    ),
    "columns beside rows": Rule(
        lambda s: _rows(s.X) + _rows(s.t(s.X)),
        lambda s: _rows(s.t(s.X)) + _rows(s.X),
        lambda X: X.ravel() + X.T.ravel(),
        (),
    ),
    "a reshape beside another function": Rule(
        lambda s: s.arena.reshape(s.X, 2, ("m", "n")) + s.f("pinv", s.X),
        lambda s: s.f("pinv", s.X) + s.arena.reshape(s.X, 2, ("m", "n")),
        lambda X: X.reshape(2, 3) + np.linalg.pinv(X),
        (),
    ),
    "vec of outer products": Rule(
        lambda s: _rows(s.e("i,j->ij", s.x, s.z)) + _rows(s.A),
        lambda s: s.arena.add(_rows(s.e("i,j->ij", s.x, s.z)), _rows(s.A)),
        lambda x, z, A: (np.outer(x, z) + A).ravel(),
        (),
    ),
}


def _rows(node: Node) -> Node:
    return node.arena.reshape(node, 2, (node.arena.total_size(node.shape),))


def _twice(s: Setting) -> Node:
    return 2 * s.e("k,k,ij->ij", s.x, s.x, s.arena.identity("n"))


RULES = {
    **ELEMENTWISE_RULES,
    **STABLE_RULES,
    **MATRIX_RULES,
    **CANCEL_RULES,
    **ROOT_RULES,
    **FUSION_RULES,
}


@pytest.mark.parametrize("name", RULES)
def test_rule_fires(name: str) -> None:
    assert fires(RULES[name])


def fires(rule: Rule) -> bool:
    setting = Setting()
    return rule.left(setting) is rule.right(setting)


@pytest.mark.parametrize("name", RULES)
def test_rule_keeps_the_value(name: str) -> None:
    for seed in range(3):
        assert value_error(RULES[name], seed) <= 1e-12


def value_error(rule: Rule, seed: int) -> float:
    """How far the left side, as it is rewritten, is from what NumPy computes."""
    setting = Setting(seed)
    code = rule.numpy.__code__
    letters = [letter for letter in code.co_varnames[: code.co_argcount] if letter != "name"]
    want = rule.numpy(*(setting.array(letter) for letter in letters))
    return relative_error(value(rule.left(setting), setting.arrays, SIZES), want)


TABLES: dict[str, dict[Any, Any]] = {
    "powers": rules.POWERS,
    "pairs": rules.PAIRS,
    "maps": rules._MAP_RULES,
    "matrices": matrix_rules._MATRIX_RULES,
}


def test_every_rule_of_the_tables_fires_somewhere() -> None:
    fired = {key for rule in RULES.values() for key in rule.rules}
    assert {key for table in TABLES.values() for key in table} <= fired


# ----- rules broken on purpose --------------------------------------------------------
def _transposed(node: Node) -> Node:
    """Where it is square, else something wrong as well."""
    is_square = node.order == 2 and node.shape[0] == node.shape[1]
    return node.arena.transpose(node) if is_square else node + 1


WRONG: dict[str, Callable[[Node], Node]] = {
    "sign": lambda node: -node,
    "factor": lambda node: 2 * node,
    "term": lambda node: node + 1,
    "transposed": _transposed,
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(
    "table, key", [(name, key) for name in ("maps", "matrices") for key in TABLES[name]]
)
def test_a_wrong_rule_changes_a_value(
    monkeypatch: pytest.MonkeyPatch, table: str, key: str, wrong: str
) -> None:
    rule = TABLES[table][key]

    def broken(arena: Arena, *arguments: Node, **named: Node) -> Node | None:
        made = rule(arena, *arguments, **named)
        return None if made is None else WRONG[wrong](made)

    monkeypatch.setitem(TABLES[table], key, broken)
    assert max(value_error(r, 0) for r in RULES.values() if key in r.rules) > 1e-3


@pytest.mark.parametrize("key", rules.POWERS)
def test_a_wrong_power_changes_a_value(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setitem(rules.POWERS, key, lambda k: k + 1)
    assert max(value_error(r, 0) for r in RULES.values() if key in r.rules) > 1e-3


@pytest.mark.parametrize("key", rules.PAIRS, ids=" ".join)
def test_a_wrong_pair_changes_a_value(
    monkeypatch: pytest.MonkeyPatch, key: tuple[str, str]
) -> None:
    for wrong in {*key, "exp", None} - {rules.PAIRS[key]}:
        monkeypatch.setitem(rules.PAIRS, key, wrong)
        assert max(value_error(r, 0) for r in RULES.values() if key in r.rules) > 1e-3


@pytest.mark.parametrize("table, key", [(name, key) for name in TABLES for key in TABLES[name]])
def test_a_rule_left_out_is_missed(monkeypatch: pytest.MonkeyPatch, table: str, key: Any) -> None:
    monkeypatch.delitem(TABLES[table], key)
    assert not all(fires(r) for r in RULES.values() if key in r.rules)


# ----- where a rule must not fire -----------------------------------------------------
def test_guards() -> None:
    s = Setting()
    n = s.arena
    step, relu = s.m("step", s.x), s.m("relu", s.z)
    assert len((step * relu).children) == 2  # different arguments
    assert s.m("sign", s.x) ** 2 is not s.m("sign", s.x)  # 0 or 1, not -1
    assert s.m("abs", s.x) ** 3 is not s.x**3
    sign = s.m("sign", s.x)  # x^k |x| is for x^(k + 1) alone
    assert set((sign * s.x**-1).children) == {sign, s.x}
    assert set((sign * s.x**HALF).children) == {sign, s.x}
    product = s.e("ij,jk->ik", s.f("expm", s.A), s.B)  # (M A)⁻¹ is split where M⁻¹ is at hand
    assert s.inv(product).children == (product,)
    below = s.m("expm1", -s.p)  # negative: its root is no number
    assert len((s.m("pow", -below, s.z) * below**HALF).children) == 2
    assert s.m("sign", s.x) ** Fraction(3, 2) is not s.m("sign", s.x)  # no number where x < 0
    named = AbstractElementwise("log", (0,))  # a function of the user's, whatever its name
    assert n.map(named, s.m("exp", s.x)) is not s.x
    assert s.m("log", 1 + 2 * s.m("exp", s.x)) is not s.m("softplus", s.x)
    for sum_ in (s.m("exp", s.x) - s.m("exp", s.z), s.m("exp", s.x) + 2 * s.m("exp", s.z)):
        assert s.m("log", sum_) is not s.m("logaddexp", s.x, s.z)
        assert s.m("exp", s.x) / sum_ is not s.m("sigmoid", s.x - s.z)
    signed = s.e("i,i->", s.x, s.z)  # no logarithm of its own
    for product in (signed * s.f("det", s.A), -2 * s.f("det", s.A), s.x * s.m("sigmoid", s.z)):
        assert isinstance(s.m("log", product), Map)
    halves = s.m("exp", s.X) / s.e("ij->", s.m("exp", s.X))
    assert halves is not s.f("softmax", s.X)  # summed over both axes
    assert s.e("ij->j", s.P) is not n.ones("m")  # columns do not sum to 1
    assert s.e("ij,jk,j->ik", s.inv(s.A), s.A, s.x) is not s.e("i->ii", s.x)
    crossed = s.e("ij,kj->ik", s.inv(s.A), s.A)
    assert crossed is not n.identity("n")  # X⁻¹ X' is no identity
    want = np.linalg.inv(s.array("A")) @ s.array("A").T
    assert relative_error(value(crossed, s.arrays, SIZES), want) <= 1e-12


@pytest.mark.parametrize("outer", [-2, -1, 1, 2, 3])
@pytest.mark.parametrize("inner", [-2, -1, 1, 2, 3])
def test_powers_beside_each_other_keep_their_value(inner: int, outer: int) -> None:
    """σ(t)^a (e⁻ᵗ)^b, sinh(t)^a cosh(t)^b and more that may merge: also on different axes."""
    s = Setting()
    x, z, p = (s.array(letter) for letter in "xzp")
    pairs = [
        (s.m("exp", s.x) + s.m("exp", s.z), np.exp(x) + np.exp(z), s.m("exp", s.x), np.exp(x)),
        (s.m("exp", s.x) + s.m("exp", s.z), np.exp(x) + np.exp(z), s.m("exp", s.z), np.exp(z)),
        (s.m("pow", s.p, s.z), p**z, s.p, p),
        (s.m("pow", s.p, s.z), p**z, -s.p, -p),
        (s.m("abs", s.x), np.abs(x), s.m("sign", s.x), np.sign(x)),
        (s.x, x, s.m("sign", s.x), np.sign(x)),
        (s.m("sigmoid", s.x), 1 / (1 + np.exp(-x)), s.m("exp", -s.x), np.exp(-x)),
        (1 + s.m("exp", s.x), 1 + np.exp(x), s.m("exp", s.x), np.exp(x)),
        (s.m("sinh", s.x), np.sinh(x), s.m("cosh", s.x), np.cosh(x)),
    ]
    for f, left, g, right in pairs:
        got = value(f**inner * g**outer, s.arrays, SIZES)
        assert relative_error(got, left**inner * right**outer) <= 1e-12
        got = value(s.e("i,j->ij", f**inner, g**outer), s.arrays, SIZES)
        assert relative_error(got, np.outer(left**inner, right**outer)) <= 1e-12


@pytest.mark.parametrize("of", ["ij->i", "ij->j", "ij->"])
def test_powers_of_sums_of_exponentials_beside_them_keep_their_value(of: str) -> None:
    """(e^X)^a (Σ e^X)^b, and with e^(2 X) for the one or the other: softmax is for 1 and -1."""
    s = Setting()
    x = s.array("X")
    for left, right in ((1, 1), (1, 2), (2, 1)):
        for a in (-1, 1, 2):
            for b in (-2, -1, 1):
                single, total = s.m("exp", left * s.X), s.e(of, s.m("exp", right * s.X))
                want = np.exp(left * x) ** a, np.einsum(of, np.exp(right * x)) ** float(b)
                for out in ("ij", "ji"):
                    spec = f"ij,{of[4:]}->{out}"
                    got = value(s.e(spec, single**a, total**b), s.arrays, SIZES)
                    assert relative_error(got, np.einsum(spec, *want)) <= 1e-12
                got = value(s.e("ij,...->ij...", single**a, total**b), s.arrays, SIZES)
                assert relative_error(got, np.multiply.outer(*want)) <= 1e-12


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("first", [True, False], ids=["the 1 made first", "the 1 made last"])
def test_logarithms_and_reciprocals_of_one_and_a_function_keep_their_value(
    sign: int, first: bool
) -> None:
    """log(1 ± f), log(p (1 ± f)), 1/(1 ± f) for each f that one of the signs has a form for."""
    for name in ("exp", "sigmoid", "normcdf"):
        s = Setting()
        p = s.array("p")
        if first:
            s.arena.ones("n")
        f = s.m(name, -s.p)
        one_and = sign * f + s.arena.ones("n")
        one_more = 1 + sign * ELEMENTWISE[name].reference(-p)
        after, late = s.m("logcosh", one_and), np.log(np.cosh(one_more))
        for node, want in (
            (s.m("log", one_and), np.log(one_more)),
            (s.m("log", s.p * one_and), np.log(p * one_more)),
            (s.m("log", after * one_and), np.log(late * one_more)),
            (one_and**-1, 1 / one_more),
            (f * one_and**-2, ELEMENTWISE[name].reference(-p) / one_more**2),
        ):
            assert relative_error(value(node, s.arrays, SIZES), want) <= 1e-12


@pytest.mark.parametrize("sign", [1, -1])
def test_the_logarithm_of_one_and_exponentials_keeps_its_value(sign: int) -> None:
    """log(1 ± f) for a sum f of exponentials: softplus is for one of the signs."""
    s = Setting()
    x, z, X = (-3 - s.array(letter) ** 2 for letter in "xzX")
    below, beside, wide = (s.m("exp", -3 - node**2) for node in (s.x, s.z, s.X))
    for f, want in (
        (below, np.exp(x)),
        (below + beside, np.exp(x) + np.exp(z)),
        (s.e("ij->i", wide), np.exp(X).sum(1)),
        (s.e("ij->j", wide), np.exp(X).sum(0)),
        (s.e("i->", below), np.exp(x).sum()),
    ):
        got = value(s.m("log", 1 + sign * f), s.arrays, SIZES)
        assert relative_error(got, np.log(1 + sign * want)) <= 1e-12


def test_the_logarithm_of_a_weighted_sum_of_exponentials_keeps_its_value() -> None:
    s = Setting()
    x, p = s.array("x"), s.array("p")
    weighted = s.m("log", s.e("i,i->", s.m("exp", s.x), s.p))
    assert relative_error(value(weighted, s.arrays, SIZES), np.log(np.exp(x) @ p)) <= 1e-12
    twice = s.m("log", 2 * s.e("i->", s.m("exp", s.x)))
    assert relative_error(value(twice, s.arrays, SIZES), np.log(2 * np.exp(x).sum())) <= 1e-12


def test_an_identity_is_no_number() -> None:
    s = Setting()
    identity, exp = s.arena.identity("n"), s.m("exp", s.A / 4)
    got = value(s.m("pow", exp, identity), s.arrays, SIZES)
    assert relative_error(got, np.exp(s.array("A") / 4) ** np.eye(3)) <= 1e-12
    with np.errstate(divide="ignore"):
        assert np.isneginf(value(s.m("log", identity), s.arrays, SIZES)[0, 1])


FORMS_OF_A_MATRIX: dict[str, Callable[[Setting], Node]] = {
    "A": lambda s: s.A,
    "A + B": lambda s: s.A + s.B,
    "-2 A": lambda s: -2 * s.A,
    "A'": lambda s: s.t(s.A),
    "A.^2": lambda s: s.A**2,
    "(A.^2)'": lambda s: s.t(s.A**2),
    "3 (A.^2)'": lambda s: 3 * s.t(s.A**2),
    "A B": lambda s: s.e("ij,jk->ik", s.A, s.B),
    "sin(A) B": lambda s: s.e("ij,jk->ik", s.m("sin", s.A), s.B),
    "A^-1 B": lambda s: s.e("ij,jk->ik", s.inv(s.A), s.B),
    "(A^-1).^2 B": lambda s: s.e("ij,jk->ik", s.inv(s.A) ** 2, s.B),
    "the sum of a batch": lambda s: s.e("kij->ij", s.W),
    "the sum of a batch turned": lambda s: s.e("kij->ji", s.W),
    "diag(p)": lambda s: s.e("i->ii", s.p),
    "diag(A)": lambda s: s.e("ii->ii", s.A),
    "x x' + 9 I": lambda s: s.e("i,j->ij", s.x, s.x) + 9 * s.arena.identity("n"),
    "A' A": lambda s: s.e("ki,kj->ij", s.A, s.A),
}


@pytest.mark.parametrize("form", FORMS_OF_A_MATRIX)
def test_a_function_of_a_matrix_is_that_of_its_value(form: str) -> None:
    s = Setting()
    for name in sorted({*matrix_rules._MATRIX_RULES} - {"chol", "frechet", "sylvester"}):
        node = FORMS_OF_A_MATRIX[form](s)
        with np.errstate(invalid="ignore"):
            want = _reference(name, value(node, s.arrays, SIZES))
            got = value(s.f(name, node), s.arrays, SIZES)
        if np.isfinite(want).all():
            assert relative_error(got, want) <= 1e-9


def test_a_sum_of_three_exponentials_keeps_its_value() -> None:
    s = Setting()
    e = [s.m("exp", node) for node in (s.x, s.z, s.p)]
    x, z, p = (np.exp(s.array(letter)) for letter in "xzp")
    total = s.arena.add(*e)
    assert relative_error(value(s.m("log", total), s.arrays, SIZES), np.log(x + z + p)) <= 1e-12
    assert relative_error(value(e[0] / total, s.arrays, SIZES), x / (x + z + p)) <= 1e-12


def test_the_inverse_of_a_product_with_a_power_or_a_batch_of_inverses_keeps_its_value() -> None:
    s = Setting()
    A, B, W = s.array("A"), s.array("B"), s.array("W")
    v, array = s.arena.variable("v", ("k",)), np.array([0.3, 1.1, -0.4, 0.9])
    cases = {
        s.e("ij,jk->ik", s.inv(s.A) ** 2, s.B): inv(A) ** 2 @ B,
        s.e("ij,jk->ik", s.B, s.inv(s.A) ** -1): B @ (1 / inv(A)),
        s.e("kij,k,jl->il", s.inv(s.W), v, s.B): np.einsum("kij,k->ij", inv(W), array) @ B,
        s.e("il,klj,k->ij", s.B, s.inv(s.W), v): B @ np.einsum("kij,k->ij", inv(W), array),
    }
    for node, want in cases.items():
        got = value(s.inv(node), {**s.arrays, v: array}, SIZES)
        assert relative_error(got, inv(want)) <= 1e-9


def test_the_logarithm_of_a_diagonal_of_sums_is_infinite_beside_it() -> None:
    s = Setting()
    for name in ("exp", "cosh"):
        for spec, on in (("kii->ii", s.W), ("kij->kk", s.W), ("ij->ii", s.X), ("ii->ii", s.A)):
            node = s.m("log", s.e(spec, s.m(name, on)))
            sums = np.einsum(spec[: spec.index(">") + 2], getattr(np, name)(s.arrays[on]))
            with np.errstate(divide="ignore"):
                got, want = value(node, s.arrays, SIZES), np.log(np.diag(sums))
            np.testing.assert_allclose(got, want, rtol=1e-12)


def test_inverses_of_a_batch_cancel_nothing() -> None:
    """W⁻¹_kij V_kjl with another batch axis in the place of a row."""
    s = Setting()
    cube = s.arena.variable("V", ("n", "n", "n"))
    s.arrays[cube] = np.random.default_rng(2).normal(size=(3, 3, 3)) + 4 * np.eye(3)
    array = s.arrays[cube]
    inverse = s.inv(cube)
    got = value(s.e("kij,ilm->kjlm", inverse, cube), s.arrays, SIZES)
    assert relative_error(got, np.einsum("kij,ilm->kjlm", inv(array), array)) <= 1e-12
    scaled = s.inv(s.e("kij,jl->kil", cube, s.A))
    got = value(s.e("kij,kjl->kil", scaled, cube), s.arrays, SIZES)
    want = np.linalg.inv(array @ s.array("A")) @ array
    assert relative_error(got, want) <= 1e-12


@pytest.mark.parametrize("name", ["inv", "det", "logdet", "expm", "sqrtm", "pinv", "polar"])
def test_rules_of_matrices_leave_batches_alone(name: str) -> None:
    """A permuted batch is no transpose; a batch of diagonals, scaled, is no diagonal matrix."""
    s = Setting()
    arena = s.arena
    turned = arena.variable("U", ("n", "n", "k"))
    s.arrays[turned] = np.moveaxis(s.arrays[s.W], 0, 2).copy()
    inner = [
        arena.transpose(turned),
        arena.einsum("kij->kji", s.W),
        arena.einsum("k,i->kii", 1 + arena.ones("k"), s.p),
        arena.einsum("kij,jl->kil", s.W, s.A),
    ]
    for node in inner:
        want = _reference(name, value(node, s.arrays, SIZES))
        assert relative_error(value(s.f(name, node), s.arrays, SIZES), want) <= 1e-9


# ----- random chains ------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(80))
def test_a_chain_of_matrices_and_inverses_keeps_its_value(seed: int) -> None:
    random = np.random.default_rng([17, seed])
    s = Setting(seed)
    ab = s.e("ij,jk->ik", s.A, s.B)
    sas = s.e("ij,jk,kl->il", s.S, s.A, s.S)
    pool = [s.A, s.B, s.S, s.Q, s.inv(s.A), s.inv(s.S), s.inv(ab), s.inv(sas), ab]
    factors, product = [], np.eye(3)
    count = int(random.integers(2, 7))
    for place in range(count):
        node = pool[int(random.integers(len(pool)))]
        array = value(node, s.arrays, SIZES)
        labels = (place, place + 1)
        if random.random() < 0.3:
            labels, array = labels[::-1], array.T
        factors.append(Factor(node, labels, 1))
        product = product @ array
    merged = frozenset({ab.id, sas.id})
    closed = random.random() < 0.3
    if closed:
        factors = [
            f._replace(labels=tuple(0 if k == count else k for k in f.labels)) for f in factors
        ]
    out: tuple[int, ...] = () if closed else (0, count)
    want = np.trace(product) if closed else product
    for inline in (frozenset[int](), merged):
        node = s.arena.product(1, factors, out, {}, inline)
        assert relative_error(value(node, s.arrays, SIZES), want) <= 1e-9
