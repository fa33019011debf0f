"""Quadratic forms, least squares, logistic and softmax regression, ridge."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.suite.case import Array, Case, Values, sizes

__all__ = ["REGRESSION"]


# ----- by hand --------------------------------------------------------------------------
def _quadratic(A: Array, x: Array) -> tuple[Any, ...]:
    t = np.dot(A, x)
    value = np.dot(x, t)
    t += np.dot(A.T, x)
    return value, t


def _quadratic_hessian(A: Array, x: Array) -> tuple[Any, ...]:
    return (A + A.T,)


def _least_squares(X: Array, w: Array, y: Array) -> tuple[Any, ...]:
    r = np.dot(X, w)
    r -= y
    value = np.dot(r, r)
    r *= 2.0
    return value, np.dot(X.T, r)


def _sigmoid(X: Array, y: Array, w: Array) -> Array:
    s = np.dot(X, w)
    s *= y
    s *= 0.5
    np.tanh(s, out=s)
    s += 1.0
    s *= 0.5
    return s


def _logistic(X: Array, y: Array, w: Array) -> tuple[Any, ...]:
    m = np.dot(X, w)
    m *= y
    e = np.abs(m)
    np.negative(e, out=e)
    np.exp(e, out=e)
    np.log1p(e, out=e)
    e -= np.minimum(m, 0.0)
    value = np.add.reduce(e)
    m *= -0.5
    np.tanh(m, out=m)
    m += 1.0
    m *= y
    m *= -0.5
    return value, np.dot(X.T, m)


def _logistic_hessian(X: Array, y: Array, w: Array) -> tuple[Any, ...]:
    s = _sigmoid(X, y, w)
    s *= 1.0 - s
    np.sqrt(s, out=s)
    s *= y
    Z = X * s[:, None]
    return (np.dot(Z.T, Z),)  # one operand twice: NumPy calls SYRK


def _logistic_product(X: Array, y: Array, w: Array, dw: Array) -> tuple[Any, ...]:
    s = _sigmoid(X, y, w)
    s *= 1.0 - s
    s *= y
    s *= y
    s *= np.dot(X, dw)
    return (np.dot(X.T, s),)


def _softmax_regression(X: Array, W: Array, Y: Array) -> tuple[Any, ...]:
    z = np.dot(X, W)
    z -= np.maximum.reduce(z, axis=1, keepdims=True)
    p = np.exp(z)
    total = np.add.reduce(p, axis=1, keepdims=True)
    z -= np.log(total)
    n = len(X)
    value = -np.vdot(Y, z) / n
    p /= total
    p -= Y
    p /= n
    return value, np.dot(X.T, p)


def _ridge(X: Array, y: Array, t: float) -> tuple[Any, ...]:
    S = np.dot(X.T, X)
    S.ravel()[:: len(S) + 1] += t
    b = np.linalg.solve(S, np.dot(X.T, y))
    fit = np.dot(X, b)
    value = np.dot(y, fit)
    by_t = -np.dot(b, b)
    residual = y - fit
    residual *= 2.0
    return value, by_t, residual[:, None] * b


# ----- for the frameworks ---------------------------------------------------------------
def _quadratic_value(xp: Any, v: Values) -> Any:
    return v["x"] @ (v["A"] @ v["x"])


def _logistic_value(xp: Any, v: Values) -> Any:
    return xp.sum(xp.softplus(-v["y"] * (v["X"] @ v["w"])))


def _ridge_value(xp: Any, v: Values) -> Any:
    X, y = v["X"], v["y"]
    S = X.T @ X
    return y @ X @ xp.solve(S + v["t"] * xp.eye(S), X.T @ y)


_LOGISTIC = "X: (n, d); y: (n); w: (d)\nsum(log(1 + exp(-y .* (X w))))"
_LOGISTIC_SHAPES = {"X": ("n", "d"), "y": ("n",), "w": ("d",)}

REGRESSION = (
    Case(
        name="quadratic form",
        source="x' A x",
        wrt=("x",),
        asked="gradient",
        sizes=sizes("n=10", "n=300", "n=2000"),
        shapes={"A": ("n", "n"), "x": ("n",)},
        hand=_quadratic,
        forward=_quadratic_value,
    ),
    Case(
        name="quadratic form, Hessian",
        source="x' A x",
        wrt=("x",),
        asked="dense",
        sizes=sizes("n=10", "n=300", "n=1000"),
        shapes={"A": ("n", "n"), "x": ("n",)},
        hand=_quadratic_hessian,
        forward=_quadratic_value,
        order=2,
    ),
    Case(
        name="least squares",
        source="X: (n, d); w: (d); y: (n)\n||X w - y||^2",
        wrt=("w",),
        asked="gradient",
        sizes=sizes("n=30 d=10", "n=1000 d=100", "n=10000 d=500"),
        shapes={"X": ("n", "d"), "w": ("d",), "y": ("n",)},
        hand=_least_squares,
        forward=lambda xp, v: xp.sum((v["X"] @ v["w"] - v["y"]) ** 2),
    ),
    Case(
        name="logistic regression",
        source=_LOGISTIC,
        wrt=("w",),
        asked="gradient",
        sizes=sizes("n=30 d=10", "n=1000 d=100", "n=10000 d=500"),
        shapes=_LOGISTIC_SHAPES,
        hand=_logistic,
        forward=_logistic_value,
        draw={"y": "sign"},
    ),
    Case(
        name="logistic regression, Hessian",
        source=_LOGISTIC,
        wrt=("w",),
        asked="dense",
        sizes=sizes("n=30 d=10", "n=1000 d=100", "n=5000 d=300"),
        shapes=_LOGISTIC_SHAPES,
        hand=_logistic_hessian,
        forward=_logistic_value,
        draw={"y": "sign"},
        order=2,
    ),
    Case(
        name="logistic regression, H v",
        source=_LOGISTIC,
        wrt=("w",),
        asked="product",
        sizes=sizes("n=30 d=10", "n=1000 d=100", "n=10000 d=500"),
        shapes={**_LOGISTIC_SHAPES, "dw": ("d",)},
        hand=_logistic_product,
        forward=_logistic_value,
        draw={"y": "sign"},
    ),
    Case(
        name="softmax regression",
        source="X: (n, d); W: (d, k); Y: (n, k)\ncross_entropy(X W, Y)",
        wrt=("W",),
        asked="gradient",
        sizes=sizes("n=30 d=10 k=5", "n=1000 d=100 k=10", "n=10000 d=300 k=10"),
        shapes={"X": ("n", "d"), "W": ("d", "k"), "Y": ("n", "k")},
        hand=_softmax_regression,
        forward=lambda xp, v: -xp.sum(v["Y"] * xp.log_softmax(v["X"] @ v["W"])) / v["X"].shape[0],
        draw={"Y": "rows"},
    ),
    Case(
        name="ridge by λ and X",
        source="X: (n, d); y: (n); t: ()\nS = X' X + t I\ny' X S^-1 X' y",
        wrt=("t", "X"),
        asked="gradient",
        sizes=sizes("n=20 d=8", "n=400 d=100", "n=3000 d=400"),
        shapes={"X": ("n", "d"), "y": ("n",), "t": ()},
        hand=_ridge,
        forward=_ridge_value,
        draw={"t": "positive"},
    ),
)
