"""Attention, a network with biases, chains of layers, and a Hessian by a first weight."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.suite.case import Array, Case, Values, sizes

__all__ = ["NETWORKS"]

_LAYERS = 10
_WEIGHTS = tuple(f"W{k}" for k in range(_LAYERS))


# ----- by hand --------------------------------------------------------------------------
def _attention(Q: Array, K: Array, V: Array, T: Array) -> tuple[Any, ...]:
    scale = Q.shape[1] ** -0.5
    P = np.dot(Q * scale, K.T)
    P -= np.maximum.reduce(P, axis=1, keepdims=True)
    np.exp(P, out=P)
    P /= np.add.reduce(P, axis=1, keepdims=True)
    O = np.dot(P, V)  # noqa: E741
    R = O - T
    value = np.vdot(R, R)
    R *= 2.0
    gV = np.dot(P.T, R)
    G = np.dot(R, V.T)
    # The row sums of P ⊙ (R V') are those of O ⊙ R, which has fewer columns.
    G -= np.vecdot(O, R)[:, None]
    G *= P
    gQ, gK = np.dot(G, K), np.dot(G.T, Q)
    gQ *= scale
    gK *= scale
    return value, gQ, gK, gV


def _network(
    x: Array, w1: Array, b1: Array, w2: Array, b2: Array, w3: Array, b3: Array, y: Array
) -> tuple[Any, ...]:
    z1 = np.dot(x, w1)
    z1 += b1
    np.maximum(z1, 0.0, out=z1)
    z2 = np.dot(z1, w2)
    z2 += b2
    np.maximum(z2, 0.0, out=z2)
    r = np.dot(z2, w3)
    r += b3
    r -= y
    value = np.vdot(r, r) / r.size
    r *= 2.0 / r.size
    d2 = np.dot(r, w3.T)
    d2 *= z2 > 0
    d1 = np.dot(d2, w2.T)
    d1 *= z1 > 0
    sums = [np.add.reduce(d, axis=0) for d in (d1, d2, r)]
    products = [np.dot(a.T, d) for a, d in ((x, d1), (z1, d2), (z2, r))]
    pairs = zip(products, sums, strict=True)
    return value, *(array for pair in pairs for array in pair)


def _chain(x: Array, **weights: Array) -> tuple[Any, ...]:
    z = [x]
    for W in weights.values():
        h = np.dot(z[-1], W)
        np.tanh(h, out=h)
        z.append(h)
    value = np.vdot(z[-1], z[-1])
    g = 2.0 * z[-1]
    gradients = []
    for k, W in reversed(list(enumerate(weights.values()))):
        t = z[k + 1] * z[k + 1]
        np.subtract(1.0, t, out=t)
        t *= g
        gradients.append(np.dot(z[k].T, t))
        if k:
            g = np.dot(t, W.T)
    return value, *reversed(gradients)


def _first_weight(x: Array, y: Array, **weights: Array) -> tuple[Any, ...]:
    """2 (J'J) ⊗ x x': the slopes are 0 or 1, and x enters beside the rows of the weight."""
    first, *rest = weights.values()
    z = np.dot(first, x)
    J = np.diag((z > 0.0).astype(float))
    for W in rest:
        np.maximum(z, 0.0, out=z)
        z = np.dot(W, z)
        J = np.dot(W, J)
        J *= (z > 0.0)[:, None]
    G = np.dot(J.T, J)
    X = np.multiply.outer(2.0 * x, x)
    return (G[:, None, :, None] * X[None, :, None, :],)


# ----- for the frameworks ---------------------------------------------------------------
def _attention_value(xp: Any, v: Values) -> Any:
    P = xp.softmax(v["Q"] @ v["K"].T / v["Q"].shape[1] ** 0.5)
    r = P @ v["V"] - v["T"]
    return xp.sum(r * r)


def _network_value(xp: Any, v: Values) -> Any:
    z = xp.relu(v["x"] @ v["w1"] + v["b1"])
    z = xp.relu(z @ v["w2"] + v["b2"])
    r = z @ v["w3"] + v["b3"] - v["y"]
    return xp.sum(r * r) / (r.shape[0] * r.shape[1])


def _chain_value(xp: Any, v: Values) -> Any:
    z = v["x"]
    for name in _WEIGHTS:
        z = xp.tanh(z @ v[name])
    return xp.sum(z * z)


def _first_weight_value(xp: Any, v: Values) -> Any:
    z = v["x"]
    for name in _WEIGHTS:
        z = xp.relu(v[name] @ z)
    return xp.sum((z - v["y"]) ** 2)


# ----- in our language ------------------------------------------------------------------
def _chain_source() -> str:
    """z ← tanh(z W_k), then ‖z‖²."""
    lines = ["x: (B, M)", *(f"{name}: (M, M)" for name in _WEIGHTS), "z_0 = tanh(x W0)"]
    lines += [f"z_{k} = tanh(z_{k - 1} W{k})" for k in range(1, _LAYERS)]
    return "\n".join([*lines, f"||z_{_LAYERS - 1}||^2"])


def _first_weight_source() -> str:
    lines = ["x, y: (n)", *(f"{name}: (n, n)" for name in _WEIGHTS), "z_0 = relu(W0 x)"]
    lines += [f"z_{k} = relu(W{k} z_{k - 1})" for k in range(1, _LAYERS)]
    return "\n".join([*lines, f"||z_{_LAYERS - 1} - y||^2"])


NETWORKS = (
    Case(
        name="attention by Q, K, V",
        source="Q: (n, d); K: (m, d); V: (m, v); T: (n, v)\n"
        "P = softmax(Q K' / sqrt(d))\n||P V - T||^2",
        wrt=("Q", "K", "V"),
        asked="gradient",
        sizes=sizes("n=12 m=10 d=8 v=6", "n=200 m=180 d=64 v=64", "n=1000 m=900 d=64 v=64"),
        shapes={"Q": ("n", "d"), "K": ("m", "d"), "V": ("m", "v"), "T": ("n", "v")},
        hand=_attention,
        forward=_attention_value,
    ),
    Case(
        name="3 layers with biases",
        source="x: (B, M0); w1: (M0, M1); b1: (M1); w2: (M1, M2); b2: (M2); w3: (M2, M3)\n"
        "b3: (M3); y: (B, M3)\n"
        "z1 = relu(x w1 + b1)\nz2 = relu(z1 w2 + b2)\nmse(z2 w3 + b3, y)",
        wrt=("w1", "b1", "w2", "b2", "w3", "b3"),
        asked="gradient",
        sizes=sizes(
            "B=16 M0=10 M1=12 M2=11 M3=4",
            "B=128 M0=100 M1=120 M2=110 M3=10",
            "B=512 M0=512 M1=512 M2=512 M3=10",
        ),
        shapes={
            "x": ("B", "M0"),
            "w1": ("M0", "M1"),
            "b1": ("M1",),
            "w2": ("M1", "M2"),
            "b2": ("M2",),
            "w3": ("M2", "M3"),
            "b3": ("M3",),
            "y": ("B", "M3"),
        },
        hand=_network,
        forward=_network_value,
    ),
    Case(
        name=f"{_LAYERS} tanh layers",
        source=_chain_source(),
        wrt=_WEIGHTS,
        asked="gradient",
        sizes=sizes("B=8 M=10", "B=64 M=64", "B=256 M=256"),
        shapes={"x": ("B", "M"), **dict.fromkeys(_WEIGHTS, ("M", "M"))},
        hand=_chain,
        forward=_chain_value,
        draw=dict.fromkeys(_WEIGHTS, "weights"),
    ),
    Case(
        name=f"{_LAYERS} relu layers, Hessian by W0",
        source=_first_weight_source(),
        wrt=("W0",),
        asked="dense",
        sizes=sizes("n=6", "n=30", "n=60"),
        shapes={"x": ("n",), "y": ("n",), **dict.fromkeys(_WEIGHTS, ("n", "n"))},
        hand=_first_weight,
        forward=_first_weight_value,
        draw=dict.fromkeys(_WEIGHTS, "weights"),
        order=2,
    ),
)
