"""Every rewrite of the constructors: it fires, gives exactly its form, and keeps the value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from matderiv.tensor import matrix_rules, rules
from matderiv.tensor.arena import Arena
from matderiv.tensor.nodes import Factor, Node
from tests.numerics import Array, lengths, relative_error, value

SIZES = {"n": 3, "m": 2, "k": 4}
HALF = Fraction(1, 2)


class Setting:
    """Variables by letter, with arrays; e(spec, …), f(name, …) as the arena builds them."""

    def __init__(self, seed: int = 0) -> None:
        self.arena = arena = Arena()
        self.x, self.z = arena.variable("x", ("n",)), arena.variable("z", ("n",))
        self.p = arena.variable("p", ("n",), ["positive"])
        self.A, self.B = arena.variable("A", ("n", "n")), arena.variable("B", ("n", "n"))
        self.S = arena.variable("S", ("n", "n"), ["symmetric"])
        self.Q = arena.variable("Q", ("n", "n"), ["orthogonal"])
        self.X = arena.variable("X", ("n", "m"))
        self.P = arena.variable("P", ("n", "m"), ["stochastic"])
        self.W = arena.variable("W", ("k", "n", "n"))
        random = np.random.default_rng(seed)
        self.arrays: dict[Node, Array] = {
            node: random.normal(size=lengths(node.shape, SIZES))
            for node in (self.x, self.z, self.p, self.A, self.B, self.S, self.Q, self.X, self.P)
        }
        arrays = self.arrays
        arrays[self.p] = np.abs(arrays[self.p]) + 0.1
        arrays[self.A] = arrays[self.A] + 4 * np.eye(3)
        arrays[self.B] = arrays[self.B] + 4 * np.eye(3)
        arrays[self.S] = arrays[self.S] + arrays[self.S].T + 8 * np.eye(3)
        arrays[self.Q] = np.linalg.qr(arrays[self.Q])[0]
        arrays[self.P] = np.abs(arrays[self.P]) / np.abs(arrays[self.P]).sum(1, keepdims=True)
        arrays[self.W] = random.normal(size=(4, 3, 3)) + 4 * np.eye(3)

    def e(self, spec: str, *nodes: Node) -> Node:
        return self.arena.einsum(spec, *nodes)

    def f(self, name: str, *nodes: Node) -> Node:
        return self.arena.apply(name, *nodes)

    def m(self, name: str, *nodes: Node) -> Node:
        return self.arena.map(name, *nodes)

    def inv(self, node: Node) -> Node:
        return self.f("inv", node)

    def t(self, node: Node) -> Node:
        return self.arena.transpose(node)

    def array(self, name: str) -> Array:
        return self.arrays[getattr(self, name)]


@dataclass
class Rule:
    """left becomes exactly right; `numpy` computes the left side, `rules` are those that fire."""

    left: Callable[[Setting], Node]
    right: Callable[[Setting], Node]
    numpy: Callable[..., Any]  # of the arrays that its parameters name
    rules: tuple[Any, ...]


inv = np.linalg.inv


def slogdet(a: Array) -> Any:
    return np.linalg.slogdet(a)[1]


def softmax(a: Array, axis: int) -> Array:
    return np.exp(a) / np.exp(a).sum(axis, keepdims=True)


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
for _name in ("cos", "cosh", "abs"):
    ELEMENTWISE_RULES[f"{_name} even"] = Rule(
        lambda s, name=_name: s.m(name, -2 * s.x),  # type: ignore[misc]
        lambda s, name=_name: s.m(name, 2 * s.x),  # type: ignore[misc]
        lambda x, name=_name: getattr(np, name)(-2 * x),
        (_name,),
    )
for _name in ("sin", "tan", "atan", "sinh", "tanh", "sign", "asin", "erf"):
    _numpy = {"atan": "arctan", "asin": "arcsin"}.get(_name, _name)
    if _name != "erf":
        ELEMENTWISE_RULES[f"{_name} odd"] = Rule(
            lambda s, name=_name: s.m(name, -s.x / 4),  # type: ignore[misc]
            lambda s, name=_name: -s.m(name, s.x / 4),  # type: ignore[misc]
            lambda x, name=_numpy: getattr(np, name)(-x / 4),
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
for _name in ("expm", "sqrtm", "polar", "leading_dyad"):
    MATRIX_RULES[f"{_name} of transpose"] = Rule(
        lambda s, name=_name: s.f(name, s.t(s.A)),  # type: ignore[misc]
        lambda s, name=_name: s.t(s.f(name, s.A)),  # type: ignore[misc]
        lambda A, name=_name: _reference(name, A.T),
        (_name,),
    )


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
    "rows of P sum to 1": Rule(
        lambda s: s.e("ij->i", s.P), lambda s: s.arena.ones("n"), lambda P: P.sum(1), ()
    ),
}

RULES = {**ELEMENTWISE_RULES, **STABLE_RULES, **MATRIX_RULES, **CANCEL_RULES}


@pytest.mark.parametrize("name", RULES)
def test_rule_fires(name: str) -> None:
    setting = Setting()
    left = RULES[name].left(setting)
    assert left is RULES[name].right(setting)


@pytest.mark.parametrize("name", RULES)
def test_rule_keeps_the_value(name: str) -> None:
    rule = RULES[name]
    for seed in range(3):
        setting = Setting(seed)
        code = rule.numpy.__code__
        letters = [letter for letter in code.co_varnames[: code.co_argcount] if letter != "name"]
        want = rule.numpy(*(setting.array(letter) for letter in letters))
        got = value(rule.left(setting), setting.arrays, SIZES)
        assert relative_error(got, want) <= 1e-12


def test_every_rule_of_the_tables_fires_somewhere() -> None:
    fired = {key for rule in RULES.values() for key in rule.rules}
    tables = {*rules.POWERS, *rules.PAIRS, *rules._MAP_RULES, *matrix_rules._MATRIX_RULES}
    assert tables <= fired


# ----- where a rule must not fire -----------------------------------------------------
def test_guards() -> None:
    s = Setting()
    n = s.arena
    step, relu = s.m("step", s.x), s.m("relu", s.z)
    assert len((step * relu).children) == 2  # different arguments
    assert s.m("sign", s.x) ** 2 is not s.m("sign", s.x)  # 0 or 1, not -1
    assert s.m("abs", s.x) ** 3 is not s.x**3
    assert s.m("log", 1 + 2 * s.m("exp", s.x)) is not s.m("softplus", s.x)
    halves = s.m("exp", s.X) / s.e("ij->", s.m("exp", s.X))
    assert halves is not s.f("softmax", s.X)  # summed over both axes
    assert s.e("ij->j", s.P) is not n.ones("m")  # columns do not sum to 1
    assert s.e("ij,jk,j->ik", s.inv(s.A), s.A, s.x) is not s.e("i->ii", s.x)
    crossed = s.e("ij,kj->ik", s.inv(s.A), s.A)
    assert crossed is not n.identity("n")  # X⁻¹ X' is no identity
    want = np.linalg.inv(s.array("A")) @ s.array("A").T
    assert relative_error(value(crossed, s.arrays, SIZES), want) <= 1e-12


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


# ----- reshapes -----------------------------------------------------------------------
def _kron(s: Setting, a: Node, b: Node) -> Node:
    order = s.arena.einsum("ij,kl->ikjl", a, b)
    rows = s.arena.total_size((a.shape[0], b.shape[0]))
    columns = s.arena.total_size((a.shape[1], b.shape[1]))
    return s.arena.reshape(order, 4, (rows, columns))


def _vec(s: Setting, a: Node) -> Node:
    return s.arena.reshape(s.t(a), 2, (s.arena.total_size(a.shape),))


def _commutation(s: Setting, m: str, n: str) -> Node:
    delta = s.arena.product(1, (), (0, 1, 1, 0), {0: m, 1: n})
    size = s.arena.total_size((m, n))
    return s.arena.reshape(delta, 4, (size, size))


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
    "vec(X)' vec(X)": (
        lambda s: s.e("i,i->", _vec(s, s.X), _vec(s, s.X)),
        lambda X: (X * X).sum(),
    ),
    "(B ⊗ A) vec(X)": (
        lambda s: s.e("ij,j->i", _kron(s, s.A, s.B), _vec(s, s.e("ij,jk->ik", s.B, s.A))),
        lambda A, B: (B @ (B @ A) @ A.T).T.ravel(),
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


def test_the_trace_of_a_kronecker_product_comes_apart() -> None:
    s = Setting()
    assert s.e("ii->", _kron(s, s.A, s.B)) is s.e("ii,jj->", s.A, s.B)
    square = s.e("i,i->", _vec(s, s.X), _vec(s, s.X))
    assert square is s.e("ij,ij->", s.X, s.X)
