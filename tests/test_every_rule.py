"""Every statement of the files of rewrite rules runs for some formula, whose value is kept.

What is listed are the statements that the files have, so a new rule needs a formula here or
in the tables that are run too: the rules of the constructors, the corpus, random programs.
"""

from __future__ import annotations

import ast
import inspect
import json
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import numpy as np
import pytest
import scipy.special

import matderiv as md
from matderiv.calculus import divide, expand, squares
from matderiv.tensor import cancel, matrix_rules, reshapes, roots, rules, stable, vanishing
from matderiv.tensor.primitives import PRIMITIVES
from tests.fuzz.grow import grow
from tests.numerics import relative_error
from tests.tensor.test_rules import RULES, value_error

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

MODULES = [
    *(divide, expand, squares, cancel, matrix_rules),
    *(reshapes, roots, rules, stable, vanishing),
]
CORPUS = Path(__file__).parent / "corpus" / "formulas.json"
SIZES = {"k": 4, "m": 2, "n": 3}
SHAPES = {
    "a": ("n",),
    "b": ("m",),
    "x": ("n",),
    "p": ("n",),
    "A": ("n", "n"),
    "B": ("m", "m"),
    "X": ("n", "m"),
    "Y": ("m", "n"),
    "Z": ("n", "m"),
    "P": ("n", "n"),
    "G": ("n", "n"),
    "V": ("k", "m", "n"),
    "Q": ("n", "n"),
    "K": ("n", "n"),
    "D": (3, 1),
    "U": (3, 2),
    "w": (6,),
    "c": (2,),
}
_DRAW = np.random.default_rng(7)
VALUES: dict[str, Any] = {
    name: _DRAW.normal(size=[SIZES.get(str(dim), dim) for dim in shape])
    for name, shape in SHAPES.items()
}
VALUES["A"] += 3 * np.eye(3)
VALUES["B"] += 3 * np.eye(2)
VALUES["p"], VALUES["P"] = np.array([0.0, 0.5, 2.0]), np.abs(VALUES["P"])
VALUES["P"][0, 1] = 0.0
VALUES["G"] = np.exp(VALUES["G"])
VALUES["Q"] = np.linalg.qr(VALUES["Q"])[0]
VALUES["K"] = VALUES["A"] @ VALUES["A"].T
ATTRIBUTES = {"K": ["posdef"], "Q": ["orthogonal"]}


def vec(x: Any) -> Any:
    return x.ravel(order="F")


def xlogx(x: Any) -> Any:
    return scipy.special.xlogy(x, x)


inv = np.linalg.inv
sqrtm = PRIMITIVES["sqrtm"].reference


def _sum_of_logs(d: Any, a: Any) -> Any:
    return (np.log(d**3 + a) + np.log(3 * d)).sum()


# A formula and what NumPy computes of the arrays that the function's parameters name.
TEXTS: dict[str, Callable[..., Any]] = {
    # inverses
    "kron(A, B)^-1": lambda A, B: inv(np.kron(A, B)),
    "pinv(kron(X, Y))": lambda X, Y: np.linalg.pinv(np.kron(X, Y)),
    "pinv(3 kron(X, Y)) + kron(2 A, B)^-1": lambda X, Y, A, B: (
        np.linalg.pinv(3 * np.kron(X, Y)) + inv(np.kron(2 * A, B))
    ),
    "(A.^2)^-1 x": lambda A, x: np.linalg.solve(A**2, x),
    "(A^-1).^2 x": lambda A, x: inv(A) ** 2 @ x,
    "(diag(p + 1) A^-1)^-1": lambda p, A: inv(np.diag(p + 1) @ inv(A)),
    "(A^-1 .* G)^-1": lambda A, G: inv(inv(A) * G),
    "A (A (A .* G))^-1 G": lambda A, G: A @ inv(A @ (A * G)) @ G,
    "tr(A^-1 (A + P))": lambda A, P: np.trace(inv(A) @ (A + P)),
    "(A + P)^-1 A + (A + P)^-1 P x x'": lambda A, P, x: (
        inv(A + P) @ A + inv(A + P) @ P @ np.outer(x, x)
    ),
    "sum(Q.^2 .* A)": lambda Q, A: (Q**2 * A).sum(),
    "logdet(diag(x))": lambda x: np.log(np.abs(x)).sum(),
    # roots
    "K^(1/2) x": lambda K, x: sqrtm(K) @ x,
    "A^(-3/2) x": lambda A, x: np.linalg.matrix_power(inv(sqrtm(A)), 3) @ x,
    "tr((A + a a')^0.5)": lambda A, a: np.trace(sqrtm(A + np.outer(a, a))),
    "L = chol(K)\n||L^-1 x||^2/2 + sum(log(diag(L)))": lambda K, x: (
        (x @ inv(K) @ x + np.linalg.slogdet(K)[1]) / 2
    ),
    "L = chol(K + a a')\nsum(log(diag(L).^3 + a)) + sum(log(3 diag(L)))": lambda K, a: _sum_of_logs(
        np.diag(np.linalg.cholesky(K + np.outer(a, a))), a
    ),
    "sum(log(ones(n) tr(chol(K))))": lambda K: 3 * np.log(np.trace(np.linalg.cholesky(K))),
    "diag(chol(K)' chol(K)) .* x": lambda K, x: (np.linalg.cholesky(K) ** 2).sum(0) * x,
    # squares
    "sum((A x + p) .* (A x))": lambda A, x, p: ((A @ x + p) * (A @ x)).sum(),
    "(A x + p) .* (A x) - p .* (A x)": lambda A, x, p: (A @ x) ** 2,
    "(a .* a - x .* x - a + x) ./ (a - x)": lambda a, x: a + x - 1,
    "(a .* a - x .* x - a) ./ (a - x)": lambda a, x: a + x - a / (a - x),
    "(a.^13 - x.^13) ./ (a - x)": lambda a, x: (a**13 - x**13) / (a - x),
    "(A - diag(x)) ./ (A + G)": lambda A, x, G: (A - np.diag(x)) / (A + G),
    # reshapes
    "vec(a x' + x a')": lambda a, x: vec(np.outer(a, x) + np.outer(x, a)),
    "reshape(vec(X) .* vec(Z), m, n)": lambda X, Z: (X * Z).T,
    "reshape(vec(U) .* w, 2, 3)": lambda U, w: U.T * w.reshape(2, 3),
    "reshape(U, 2, 3)": lambda U: U.reshape(2, 3),
    "reshape(diag(kron(X, Y)), n, m)": lambda X, Y: np.diag(np.kron(X, Y)).reshape(3, 2),
    "reshape(w, 3, 2) + U": lambda w, U: w.reshape(3, 2) + U,
    "reshape(vec(X) vec(Z)', m, n, m, n)": lambda X, Z: np.multiply.outer(X.T, Z.T),
    'reshape(einsum("ij,kl->ijkl", U, U), 3, 12)': lambda U: np.multiply.outer(U, U).reshape(3, 12),
    "kron(D, X) b": lambda D, X, b: np.kron(D, X) @ b,
    "kron(a, X) - kron(X, a)": lambda a, X: np.kron(a[:, None], X) - np.kron(X, a[:, None]),
    "kron(a', X) kron(A, b)": lambda a, X, A, b: np.kron(a, X) @ np.kron(A, b[:, None]),
    "vec(A X B) - vec(Z)": lambda A, X, B, Z: vec(A @ X @ B - Z),
    "vec(X) vec(Z)'": lambda X, Z: np.outer(vec(X), vec(Z)),
    "reshape(U c, 3, 1)": lambda U, c: (U @ c)[:, None],
    "diag(kron(X, Y))": lambda X, Y: np.diag(np.kron(X, Y)),
    "kron(A, B) kron(P, B) kron(X, B)": lambda A, B, P, X: (
        np.kron(A, B) @ np.kron(P, B) @ np.kron(X, B)
    ),
    # logarithms beside zeros
    "sum(p .* log(p))": lambda p: xlogx(p).sum(),
    "h = log(p)\nsum(p .* h)": lambda p: xlogx(p).sum(),
    "h = 2 p\nsum(h .* log(h))": lambda p: xlogx(2 * p).sum(),
    "sum(p .* log(1 ./ p))": lambda p: -xlogx(p).sum(),
    "sum(P .* log(P) - P)": lambda P: (xlogx(P) - P).sum(),
    "h = P ./ P'\nsum(G .* P .* P' .* log(h .* G))": lambda P, G: (
        G * P.T * xlogx(P) - G * P * xlogx(P.T) + P * P.T * xlogx(G)
    ).sum(),
    "(p .* x + p .* a)' log(p)": lambda p, x, a: (xlogx(p) * (x + a)).sum(),
    "p .* (log(p) - 1)": lambda p: xlogx(p) - p,
    "sum(p .* (x .* log(p) + 1))": lambda p, x: (x * xlogx(p) + p).sum(),
    "sum(P .* log(2 P))": lambda P: scipy.special.xlogy(P, 2 * P).sum(),
    "p .* log(p .* exp(x))": lambda p, x: scipy.special.xlogy(p, p * np.exp(x)),
    "p' log(P p .* p)": lambda P, p: scipy.special.xlogy(p, P @ p * p).sum(),
    "sum(G' .* log(G))": lambda G: (G.T * np.log(G)).sum(),
    # sums of exponentials
    'log(einsum("ijk->ki", exp(V)))': lambda V: np.log(np.exp(V).sum(1)).T,
    "log(sum(exp(X), axis=0) / sum(exp(X)))": lambda X: np.log(np.exp(X).sum(0) / np.exp(X).sum()),
}


# What has no value, and still a form.
SINGULAR = ["kron(X, Y)^-1", "(A ones(n) ones(n)' G)^-1 A"]


def statements(module: ModuleType) -> dict[range, str]:
    """The statements in its functions, each by its lines, or by those of its condition."""
    found = {}
    for function in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(function, ast.FunctionDef) and not any(_makes_functions(function)):
            for node in (part for part in function.body for part in ast.walk(part)):
                if isinstance(node, ast.stmt) and not _is_docstring(node):
                    body = getattr(node, "body", None)
                    last = body[0].lineno - 1 if body else node.end_lineno
                    text = f"{function.name}: {ast.unparse(node).splitlines()[0]}"
                    found[range(node.lineno, max(node.lineno, last or 0) + 1)] = text
    return found


def _makes_functions(function: ast.FunctionDef) -> Iterator[bool]:
    return (isinstance(node, ast.FunctionDef) for node in function.body)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


FIRED: dict[str, set[int]] = {str(module.__file__): set() for module in MODULES}


@contextmanager
def observed() -> Iterator[None]:
    """Note which lines of the files run."""

    def call(frame: FrameType, event: str, value: Any) -> Any:
        seen = FIRED.get(frame.f_code.co_filename)
        if seen is None:
            return None

        def line(frame: FrameType, event: str, value: Any) -> Any:
            seen.add(frame.f_lineno)
            return line

        return line

    before = sys.gettrace()
    sys.settrace(call)
    try:
        yield
    finally:
        sys.settrace(before)


def keeps_its_value(text: str) -> None:
    """Value by evaluator and by code, and each derivative against differences."""
    meaning = TEXTS[text]
    names = list(inspect.signature(meaning).parameters)
    shapes = {name: SHAPES[name] for name in names}
    given = {name: VALUES[name] for name in names}
    want = meaning(**given)
    marks = {name: ATTRIBUTES[name] for name in names if name in ATTRIBUTES}
    program = md.parse(text, shapes=shapes, attributes=marks)
    assert relative_error(program.evaluate(given), want) < 1e-12
    compiled = md.compile(program, names)
    assert relative_error(compiled.forward(given)[0], want) < 1e-12
    for name in names:
        assert md.check(program, name)
        assert str(md.diff(program, name))


@cache
def left() -> dict[str, list[str]]:
    """The statements that ran nowhere, by file."""
    with observed():
        for rule in RULES.values():
            assert value_error(rule, 0) <= 1e-12
        for case in json.loads(CORPUS.read_text("utf-8")):
            options = {"shapes": case["shapes"], "attributes": case["attrs"] or None}
            md.diff(case["expr"], case["wrt"], order=case["order"], **options)
        for seed in range(100):
            program = grow(seed)
            if program.inputs:
                md.diff(program.text(), random.Random(seed).choice(sorted(program.inputs)))
        for text in TEXTS:
            keeps_its_value(text)
        for text in SINGULAR:
            program = md.parse(text, shapes={name: SHAPES[name] for name in "AGXY" if name in text})
            md.diff(program, next(iter(program.inputs)))
    return {
        module.__name__: [
            f"{lines.start} {text}"
            for lines, text in statements(module).items()
            if FIRED[str(module.__file__)].isdisjoint(lines)
        ]
        for module in MODULES
    }


@pytest.mark.parametrize("module", [module.__name__ for module in MODULES])
def test_every_rule_fires(module: str) -> None:
    assert not left()[module]


@pytest.mark.parametrize("text", TEXTS)
def test_a_formula_keeps_its_value(text: str) -> None:
    keeps_its_value(text)
