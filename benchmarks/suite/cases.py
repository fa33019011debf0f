"""The cases: a program, what is asked of it, values, the best NumPy written by hand.

`hand` returns what is asked, flat: value and gradients, or derivatives.  `forward` is the
value in the vocabulary of `peers.py`, which the frameworks differentiate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.suite import hand

__all__ = ["CASES", "Case"]

Values = dict[str, Any]
Sizes = Mapping[str, int]


@dataclass(frozen=True)
class Case:
    """One row of the table.

    asked    "gradient": the value and its gradients; "dense": the derivative as an array;
             "product": the Hessian times a direction, given as d-names
    sizes    small, medium, large
    draw     how each input is drawn: "normal", "sign", "mask", "posdef", "rows" that sum
             to 1, "symmetric", or a number
    """

    name: str
    source: str
    wrt: tuple[str, ...]
    asked: str
    sizes: tuple[Sizes, Sizes, Sizes]
    shapes: Mapping[str, tuple[str, ...]]
    hand: Callable[..., tuple[Any, ...]]
    forward: Callable[..., Any]
    draw: Mapping[str, str] = ()  # type: ignore[assignment]
    order: int = 1

    def values(self, sizes: Sizes, seed: int = 0) -> Values:
        rng = np.random.default_rng(seed)
        kinds = dict(self.draw)
        return {
            name: _drawn(rng, kinds.get(name, "normal"), [sizes[d] for d in shape])
            for name, shape in self.shapes.items()
        }


def _drawn(rng: np.random.Generator, kind: str, shape: list[int]) -> Any:
    array = rng.normal(size=shape)
    if kind == "sign":
        return np.sign(array)
    if kind == "mask":
        return (array > 0).astype(float)
    if kind == "posdef":
        return array @ array.T / len(array) + np.eye(len(array))
    if kind == "symmetric":
        return array + array.T
    if kind == "rows":
        return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[0])]
    return array if shape else abs(float(array)) + 0.5


def _sizes(small: str, medium: str, large: str) -> tuple[Sizes, Sizes, Sizes]:
    def read(text: str) -> Sizes:
        pairs = (part.split("=") for part in text.split())
        return {name: int(number) for name, number in pairs}

    return read(small), read(medium), read(large)


_LOGISTIC = "X: (n, d); y: (n); w: (d)\nsum(log(1 + exp(-y .* (X w))))"
_LOGISTIC_SHAPES = {"X": ("n", "d"), "y": ("n",), "w": ("d",)}
_FACTORS = "T: (n, m); U: (n, k); V: (m, k)\n||T - U V'||_F^2"
_FACTOR_SHAPES = {"T": ("n", "m"), "U": ("n", "k"), "V": ("m", "k")}
_NET = ("w1", "b1", "w2", "b2", "w3", "b3")
_CHAIN = 10


def _chain(layers: int) -> tuple[str, dict[str, tuple[str, ...]]]:
    """z ← tanh(z W_k), then ‖z‖²."""
    names = [f"W{k}" for k in range(layers)]
    lines = ["x: (B, M)", *(f"{name}: (M, M)" for name in names), "z_0 = tanh(x W0)"]
    lines += [f"z_{k} = tanh(z_{k - 1} W{k})" for k in range(1, layers)]
    lines.append(f"||z_{layers - 1}||^2")
    return "\n".join(lines), {"x": ("B", "M"), **dict.fromkeys(names, ("M", "M"))}


def _chained(xp: Any, v: Values) -> Any:
    z = v["x"]
    for k in range(_CHAIN):
        z = xp.tanh(z @ v[f"W{k}"])
    return xp.sum(z * z)


def _network(xp: Any, v: Values) -> Any:
    z = xp.relu(v["x"] @ v["w1"] + v["b1"])
    z = xp.relu(z @ v["w2"] + v["b2"])
    r = z @ v["w3"] + v["b3"] - v["y"]
    return xp.sum(r * r) / (r.shape[0] * r.shape[1])


def _attention(xp: Any, v: Values) -> Any:
    P = xp.softmax(v["Q"] @ v["K"].T / v["Q"].shape[1] ** 0.5)
    r = P @ v["V"] - v["T"]
    return xp.sum(r * r)


def _layer_norm(xp: Any, v: Values) -> Any:
    c = v["x"] - xp.sum(v["x"]) / v["x"].shape[0]
    return c / xp.sqrt(xp.sum(c * c) / c.shape[0] + 1e-5)


CASES = [
    Case(
        "quadratic form",
        "x' A x",
        ("x",),
        "gradient",
        _sizes("n=10", "n=300", "n=2000"),
        {"A": ("n", "n"), "x": ("n",)},
        hand.quadratic,
        lambda xp, v: v["x"] @ (v["A"] @ v["x"]),
    ),
    Case(
        "quadratic form, Hessian",
        "x' A x",
        ("x",),
        "dense",
        _sizes("n=10", "n=300", "n=1000"),
        {"A": ("n", "n"), "x": ("n",)},
        hand.quadratic_hessian,
        lambda xp, v: v["x"] @ (v["A"] @ v["x"]),
        order=2,
    ),
    Case(
        "least squares",
        "X: (n, d); w: (d); y: (n)\n||X w - y||^2",
        ("w",),
        "gradient",
        _sizes("n=30 d=10", "n=1000 d=100", "n=10000 d=500"),
        {"X": ("n", "d"), "w": ("d",), "y": ("n",)},
        hand.least_squares,
        lambda xp, v: xp.sum((v["X"] @ v["w"] - v["y"]) ** 2),
    ),
    Case(
        "logistic regression",
        _LOGISTIC,
        ("w",),
        "gradient",
        _sizes("n=30 d=10", "n=1000 d=100", "n=10000 d=500"),
        _LOGISTIC_SHAPES,
        hand.logistic,
        lambda xp, v: xp.sum(xp.softplus(-v["y"] * (v["X"] @ v["w"]))),
        {"y": "sign"},
    ),
    Case(
        "logistic regression, Hessian",
        _LOGISTIC,
        ("w",),
        "dense",
        _sizes("n=30 d=10", "n=1000 d=100", "n=5000 d=300"),
        _LOGISTIC_SHAPES,
        hand.logistic_hessian,
        lambda xp, v: xp.sum(xp.softplus(-v["y"] * (v["X"] @ v["w"]))),
        {"y": "sign"},
        order=2,
    ),
    Case(
        "logistic regression, H v",
        _LOGISTIC,
        ("w",),
        "product",
        _sizes("n=30 d=10", "n=1000 d=100", "n=10000 d=500"),
        {**_LOGISTIC_SHAPES, "dw": ("d",)},
        hand.logistic_product,
        lambda xp, v: xp.sum(xp.softplus(-v["y"] * (v["X"] @ v["w"]))),
        {"y": "sign"},
    ),
    Case(
        "matrix factorisation",
        _FACTORS,
        ("U", "V"),
        "gradient",
        _sizes("n=20 m=15 k=4", "n=300 m=250 k=10", "n=1500 m=1200 k=20"),
        _FACTOR_SHAPES,
        hand.factorisation,
        lambda xp, v: xp.sum((v["T"] - v["U"] @ v["V"].T) ** 2),
    ),
    Case(
        "matrix factorisation, masked",
        "M, T: (n, m); U: (n, k); V: (m, k)\n||M .* (T - U V')||_F^2",
        ("U", "V"),
        "gradient",
        _sizes("n=20 m=15 k=4", "n=300 m=250 k=10", "n=1500 m=1200 k=20"),
        {"M": ("n", "m"), **_FACTOR_SHAPES},
        hand.masked_factorisation,
        lambda xp, v: xp.sum((v["M"] * (v["T"] - v["U"] @ v["V"].T)) ** 2),
        {"M": "mask"},
    ),
    Case(
        "matrix factorisation, Hessian",
        _FACTORS,
        ("U",),
        "dense",
        _sizes("n=8 m=6 k=3", "n=60 m=50 k=5", "n=300 m=250 k=5"),
        _FACTOR_SHAPES,
        hand.factorisation_hessian,
        lambda xp, v: xp.sum((v["T"] - v["U"] @ v["V"].T) ** 2),
        order=2,
    ),
    Case(
        "matrix factorisation, H V",
        _FACTORS,
        ("U",),
        "product",
        _sizes("n=20 m=15 k=4", "n=300 m=250 k=10", "n=1500 m=1200 k=20"),
        {**_FACTOR_SHAPES, "dU": ("n", "k")},
        hand.factorisation_product,
        lambda xp, v: xp.sum((v["T"] - v["U"] @ v["V"].T) ** 2),
    ),
    Case(
        "log-det likelihood",
        "S: (n, n) posdef; C: (n, n) symmetric\nlogdet(S) + tr(S^-1 C)",
        ("S",),
        "gradient",
        _sizes("n=10", "n=100", "n=500"),
        {"S": ("n", "n"), "C": ("n", "n")},
        hand.log_det,
        lambda xp, v: xp.logdet(v["S"]) + xp.sum(xp.inv(v["S"]) * v["C"].T),
        {"S": "posdef", "C": "symmetric"},
    ),
    Case(
        "softmax regression",
        "X: (n, d); W: (d, k); Y: (n, k)\ncross_entropy(X W, Y)",
        ("W",),
        "gradient",
        _sizes("n=30 d=10 k=5", "n=1000 d=100 k=10", "n=10000 d=300 k=10"),
        {"X": ("n", "d"), "W": ("d", "k"), "Y": ("n", "k")},
        hand.softmax_regression,
        lambda xp, v: -xp.sum(v["Y"] * xp.log_softmax(v["X"] @ v["W"])) / v["X"].shape[0],
        {"Y": "rows"},
    ),
    Case(
        "softmax(A x), Jacobian",
        "softmax(A x)",
        ("x",),
        "dense",
        _sizes("n=12 m=10", "n=300 m=250", "n=1500 m=1200"),
        {"A": ("n", "m"), "x": ("m",)},
        hand.softmax_jacobian,
        lambda xp, v: xp.softmax(v["A"] @ v["x"]),
    ),
    Case(
        "ridge by λ and X",
        "X: (n, d); y: (n); t: ()\nS = X' X + t I\ny' X S^-1 X' y",
        ("t", "X"),
        "gradient",
        _sizes("n=20 d=8", "n=400 d=100", "n=3000 d=400"),
        {"X": ("n", "d"), "y": ("n",), "t": ()},
        hand.ridge,
        lambda xp, v: xp.ridge(v["X"], v["y"], v["t"]),
    ),
    Case(
        "layer norm, Jacobian",
        "x: (n)\nc = x - mean(x)\nc / sqrt(mean(c .* c) + 1e-5)",
        ("x",),
        "dense",
        _sizes("n=10", "n=200", "n=1500"),
        {"x": ("n",)},
        hand.layer_norm,
        _layer_norm,
    ),
    Case(
        "attention by Q, K, V",
        "Q: (n, d); K: (m, d); V: (m, v); T: (n, v)\nP = softmax(Q K' / sqrt(d))\n||P V - T||^2",
        ("Q", "K", "V"),
        "gradient",
        _sizes("n=12 m=10 d=8 v=6", "n=200 m=180 d=64 v=64", "n=1000 m=900 d=64 v=64"),
        {"Q": ("n", "d"), "K": ("m", "d"), "V": ("m", "v"), "T": ("n", "v")},
        hand.attention,
        _attention,
    ),
    Case(
        "MLP with biases, 3 layers",
        "x: (B, M0); w1: (M0, M1); b1: (M1); w2: (M1, M2); b2: (M2); w3: (M2, M3); b3: (M3)\n"
        "y: (B, M3)\nz1 = relu(x w1 + b1)\nz2 = relu(z1 w2 + b2)\nmse(z2 w3 + b3, y)",
        _NET,
        "gradient",
        _sizes(
            "B=16 M0=10 M1=12 M2=11 M3=4",
            "B=128 M0=100 M1=120 M2=110 M3=10",
            "B=512 M0=512 M1=512 M2=512 M3=10",
        ),
        {
            "x": ("B", "M0"),
            "w1": ("M0", "M1"),
            "b1": ("M1",),
            "w2": ("M1", "M2"),
            "b2": ("M2",),
            "w3": ("M2", "M3"),
            "b3": ("M3",),
            "y": ("B", "M3"),
        },
        hand.network,
        _network,
    ),
    Case(
        f"chain of {_CHAIN} tanh layers",
        _chain(_CHAIN)[0],
        tuple(f"W{k}" for k in range(_CHAIN)),
        "gradient",
        _sizes("B=8 M=10", "B=64 M=64", "B=256 M=256"),
        _chain(_CHAIN)[1],
        hand.chain,
        _chained,
    ),
]
