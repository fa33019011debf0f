"""The likelihood of a Gaussian, and Jacobians of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.suite.case import Array, Case, Values, sizes

__all__ = ["MATRICES"]


# ----- by hand --------------------------------------------------------------------------
def _triangular_inverse(L: Array, block: int = 64) -> Array:
    """By rows of blocks, so that products do the work: NumPy has no triangular solver."""
    inverse = np.zeros_like(L)
    for start in range(0, len(L), block):
        rows = slice(start, start + block)
        corner = np.linalg.inv(L[rows, rows])
        inverse[rows, rows] = corner
        above = np.dot(L[rows, :start], inverse[:start, :start])
        np.matmul(-corner, above, out=inverse[rows, :start])
    return inverse


def _likelihood(S: Array, C: Array) -> tuple[Any, ...]:
    if len(S) > 64:
        root = _triangular_inverse(np.linalg.cholesky(S))
        value = -2.0 * np.add.reduce(np.log(np.einsum("ii->i", root)))
        inverse = np.dot(root.T, root)
    else:
        value = np.linalg.slogdet(S)[1]
        inverse = np.linalg.inv(S)
    value += np.vdot(inverse, C)
    gradient = np.dot(np.dot(inverse, C), inverse)
    np.subtract(inverse, gradient, out=gradient)
    return value, gradient


def _softmax_jacobian(A: Array, x: Array) -> tuple[Any, ...]:
    p = np.dot(A, x)
    p -= np.maximum.reduce(p)
    np.exp(p, out=p)
    p /= np.add.reduce(p)
    J = A - np.dot(p, A)
    J *= p[:, None]
    return (J,)


def _layer_norm(x: Array) -> tuple[Any, ...]:
    n = len(x)
    c = x - np.add.reduce(x) / n
    v = np.dot(c, c) / n + 1e-5
    s = 1.0 / np.sqrt(v)
    J = c[:, None] * (c * (-s / (n * v)))
    J -= s / n
    J.ravel()[:: n + 1] += s
    return (J,)


# ----- for the frameworks ---------------------------------------------------------------
def _layer_norm_value(xp: Any, v: Values) -> Any:
    c = v["x"] - xp.sum(v["x"]) / v["x"].shape[0]
    return c / xp.sqrt(xp.sum(c * c) / c.shape[0] + 1e-5)


MATRICES = (
    Case(
        name="log-det likelihood",
        source="S: (n, n) posdef; C: (n, n) symmetric\nlogdet(S) + tr(S^-1 C)",
        wrt=("S",),
        asked="gradient",
        sizes=sizes("n=10", "n=100", "n=500"),
        shapes={"S": ("n", "n"), "C": ("n", "n")},
        hand=_likelihood,
        forward=lambda xp, v: xp.logdet(v["S"]) + xp.sum(xp.inv(v["S"]) * v["C"].T),
        draw={"S": "posdef", "C": "symmetric"},
    ),
    Case(
        name="softmax(A x), Jacobian",
        source="softmax(A x)",
        wrt=("x",),
        asked="dense",
        sizes=sizes("n=12 m=10", "n=300 m=250", "n=1500 m=1200"),
        shapes={"A": ("n", "m"), "x": ("m",)},
        hand=_softmax_jacobian,
        forward=lambda xp, v: xp.softmax(v["A"] @ v["x"]),
    ),
    Case(
        name="layer norm, Jacobian",
        source="x: (n)\nc = x - mean(x)\nc / sqrt(mean(c .* c) + 1e-5)",
        wrt=("x",),
        asked="dense",
        sizes=sizes("n=10", "n=200", "n=1500"),
        shapes={"x": ("n",)},
        hand=_layer_norm,
        why={
            "small": "1/‖c‖ and 1/‖c‖² are multiplied on apart, since their product may leave the "
            "range of floats: 24 calls, most of them on numbers, against 13 by hand"
        },
        forward=_layer_norm_value,
    ),
)
