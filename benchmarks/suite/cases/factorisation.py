"""Matrix factorisation, masked and not: gradients, Hessians of order 4, their products."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.suite.case import Array, Case, Values, sizes

__all__ = ["FACTORISATION"]


# ----- by hand --------------------------------------------------------------------------
def _factorisation(T: Array, U: Array, V: Array) -> tuple[Any, ...]:
    """With the residual: 2 (U (V'V) - T V) saves a product, and digits where U V' is near T."""
    R = np.dot(U, V.T)
    R -= T
    value = np.vdot(R, R)
    gU, gV = np.dot(R, V), np.dot(R.T, U)
    gU *= 2.0
    gV *= 2.0
    return value, gU, gV


def _masked(M: Array, T: Array, U: Array, V: Array) -> tuple[Any, ...]:
    R = np.dot(U, V.T)
    R -= T
    R *= M
    value = np.vdot(R, R)
    R *= M
    gU, gV = np.dot(R, V), np.dot(R.T, U)
    gU *= 2.0
    gV *= 2.0
    return value, gU, gV


def _block(T: Array, U: Array, V: Array) -> tuple[Any, ...]:
    G = np.dot(V.T, V)
    G *= 2.0
    return (G,)


def _hessian(T: Array, U: Array, V: Array) -> tuple[Any, ...]:
    (G,) = _block(T, U, V)
    n, k = U.shape
    H = np.zeros((n, k, n, k))
    np.einsum("abac->abc", H)[...] = G
    return (H,)


def _masked_blocks(M: Array, T: Array, U: Array, V: Array) -> tuple[Any, ...]:
    """2 Σ_j M_ij² V_ja V_jb for all rows i: one product with the k² columns of V ⊗ V."""
    m, k = V.shape
    W = M * M
    W *= 2.0
    columns = V.T.copy()
    pairs = columns[:, None] * columns
    return (np.dot(W, pairs.reshape(k * k, m).T).reshape(len(M), k, k),)


def _masked_hessian(M: Array, T: Array, U: Array, V: Array) -> tuple[Any, ...]:
    (G,) = _masked_blocks(M, T, U, V)
    n, k = U.shape
    H = np.zeros((n, k, n, k))
    np.einsum("abac->abc", H)[...] = G
    return (H,)


def _product(T: Array, U: Array, V: Array, dU: Array) -> tuple[Any, ...]:
    G = np.dot(V.T, V)
    G *= 2.0
    return (np.dot(dU, G),)


def _masked_product(M: Array, T: Array, U: Array, V: Array, dU: Array) -> tuple[Any, ...]:
    R = np.dot(dU, V.T)
    R *= M
    R *= M
    P = np.dot(R, V)
    P *= 2.0
    return (P,)


# ----- for the frameworks ---------------------------------------------------------------
def _value(xp: Any, v: Values) -> Any:
    return xp.sum((v["T"] - v["U"] @ v["V"].T) ** 2)


def _masked_value(xp: Any, v: Values) -> Any:
    return xp.sum((v["M"] * (v["T"] - v["U"] @ v["V"].T)) ** 2)


_PLAIN: dict[str, Any] = {
    "source": "T: (n, m); U: (n, k); V: (m, k)\n||T - U V'||_F^2",
    "forward": _value,
}
_MASKED: dict[str, Any] = {
    "source": "M, T: (n, m); U: (n, k); V: (m, k)\n||M .* (T - U V')||_F^2",
    "forward": _masked_value,
    "draw": {"M": "mask"},
}
_SHAPES = {"T": ("n", "m"), "U": ("n", "k"), "V": ("m", "k")}
_MASKED_SHAPES = {"M": ("n", "m"), **_SHAPES}
_DIRECTION = {"dU": ("n", "k")}
_ENTRIES = sizes("n=20 m=15 k=4", "n=300 m=250 k=10", "n=1500 m=1200 k=20")
_HESSIANS = sizes("n=8 m=6 k=3", "n=60 m=50 k=5", "n=200 m=150 k=5")

FACTORISATION = (
    Case(
        name="factorisation",
        **_PLAIN,
        wrt=("U", "V"),
        asked="gradient",
        sizes=_ENTRIES,
        shapes=_SHAPES,
        hand=_factorisation,
    ),
    Case(
        name="factorisation, Hessian",
        **_PLAIN,
        wrt=("U",),
        asked="dense",
        sizes=_HESSIANS,
        shapes=_SHAPES,
        hand=_hessian,
        order=2,
    ),
    Case(
        name="factorisation, Hessian compressed",
        **_PLAIN,
        wrt=("U",),
        asked="compressed",
        sizes=_ENTRIES,
        shapes=_SHAPES,
        hand=_block,
        order=2,
    ),
    Case(
        name="factorisation, H V",
        **_PLAIN,
        wrt=("U",),
        asked="product",
        sizes=_ENTRIES,
        shapes={**_SHAPES, **_DIRECTION},
        hand=_product,
    ),
    Case(
        name="masked factorisation",
        **_MASKED,
        wrt=("U", "V"),
        asked="gradient",
        sizes=_ENTRIES,
        shapes=_MASKED_SHAPES,
        hand=_masked,
        why={"large": "four passes over n × m, in the caches with blocked=True, two when compiled"},
    ),
    Case(
        name="masked factorisation, Hessian",
        **_MASKED,
        wrt=("U",),
        asked="dense",
        sizes=_HESSIANS,
        shapes=_MASKED_SHAPES,
        hand=_masked_hessian,
        order=2,
    ),
    Case(
        name="masked factorisation, Hessian compressed",
        **_MASKED,
        wrt=("U",),
        asked="compressed",
        sizes=_ENTRIES,
        shapes=_MASKED_SHAPES,
        hand=_masked_blocks,
        order=2,
    ),
    Case(
        name="masked factorisation, H V",
        **_MASKED,
        wrt=("U",),
        asked="product",
        sizes=_ENTRIES,
        shapes={**_MASKED_SHAPES, **_DIRECTION},
        hand=_masked_product,
        why={"medium": "four fifths of Numba's time are two products by BLAS, a sixth one pass"},
    ),
)
