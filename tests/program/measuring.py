"""What a call really allocates, and the programs on which predictions are held to it."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

from matderiv.program.compiled import CompiledFunction

LAYER = """
x: (B, M0);  w1: (M0, M1);  b1: (M1);  w2: (M1, M2);  b2: (M2);  y: (B, M2)
h = relu(x w1 + b1)
||h w2 + b2 - y||^2
"""
WEIGHTS = ["w1", "b1", "w2", "b2"]


def _activated(name: str) -> tuple[str, list[str]]:
    return LAYER.replace("relu", name), WEIGHTS


PROGRAMS: dict[str, tuple[str, list[str]]] = {
    "linear": ("x: (B, D); w1: (D, D); w2: (D, K)\n(x w1 w2).pow(2).mean()", ["w1", "w2"]),
    **{
        name: _activated(name)
        for name in ("relu", "tanh", "sigmoid", "softplus", "gelu", "silu", "elu", "leaky_relu")
    },
    "input too": (LAYER, ["x", *WEIGHTS]),
    "least squares": ("||X w - y||^2", ["w", "X"]),
    "norm": ("norm(X w - y)", ["w", "X"]),
    "logistic": ("sum(log(1 + exp(-y .* (X w))))", ["w", "X"]),
    "softmax regression": ("X: (n, d); W: (d, k); Y: (n, k)\ncross_entropy(X W, Y)", ["W"]),
    "attention": (
        "Q: (n, d); K: (m, d); V: (m, v); T: (n, v)\nP = softmax(Q K' / sqrt(d))\n||P V - T||^2",
        ["Q", "K", "V"],
    ),
    "residual": (
        "x: (B, D); W1, W2: (D, D); y: (B, D)\nh = x + tanh(x W1)\n||h + tanh(h W2) - y||^2",
        ["W1", "W2"],
    ),
    "two heads": (
        "x: (B, D); U, V: (D, K); y: (B, K)\nh = x U\n||tanh(h) + sin(h .* (x V)) - y||^2",
        ["U", "V"],
    ),
    "exponential": ("x: (B, D); w: (D, K); y: (B, K)\nsum(exp(x w) / sum(exp(x w)) .* y)", ["w"]),
    "outer product": ("x: (n); y: (m); A: (n, m)\nsum(exp(x y') .* A)", ["x", "y", "A"]),
    "distances": ("X: (n, d); Y: (n, d); s: ()\nsum(exp(-(X - Y) .* (X - Y) / s))", ["X", "s"]),
    "factorisation": ("X: (n, m); U: (n, k); V: (m, k)\n||X - U V'||_F^2", ["U", "V"]),
    "gram": ("X: (n, d)\n||X' X||_F^2", ["X"]),
    "ridge": (
        "X: (n, d); y: (n); t: ()\nS = X' X + t I\ny' X S^-1 X' y",
        ["t", "X"],
    ),
    "gaussian": ("S: (n, n) posdef; x: (n)\nlogdet(S) + x' S^-1 x", ["S", "x"]),
    "gaussian batch": ("S: (n, n) posdef; X: (n, m)\ntr(X' S^-1 X) + logdet(S)", ["S", "X"]),
    "trace": ("X, A: (n, n)\ntr(X^-1 A)", ["X"]),
    "determinant": ("X: (n, n)\ndet(X)", ["X"]),
    "inverse": ("X, G: (n, n)\nsum(X^-1 .* G .* X)", ["X", "G"]),
    "quadratic": ("A: (n, n); x: (n)\n(x' A x) / (x' x)", ["x", "A"]),
    "kron": ("A: (p, 24); X: (m, 25)\n||kron(A, X) .* kron(A, X)||_F^2", ["X"]),
    "hessian": ("A: (n, n); x: (n)\nsum(tanh(A x))", ["x"]),
    "jacobian": ("A: (m, n); x: (n)\nsoftmax(A x)", ["x"]),
    "columns": ("X: (n, 300)\n||sin(vec(X))||", ["X"]),
    "nuclear, wide": ("X: (n, 40); Y: (n, m)\nnorm_nuclear(X' Y)", ["X", "Y"]),
    "nuclear": ("X: (n, 40); Y: (n, m)\nnorm_nuclear(Y' X)", ["X", "Y"]),
}
SECOND_ORDER = {"hessian"}


def measure(call: Callable[..., Any], *arguments: Any, **named: Any) -> int:
    """The peak of what Python's accounting sees, beyond what was there before the call."""
    call(*arguments, **named)  # whatever is imported or cached at first use
    gc.freeze()  # a collection that has nothing to look at still empties the free lists
    gc.collect()
    gc.unfreeze()
    gc.disable()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        call(*arguments, **named)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
        gc.enable()


def arguments(function: CompiledFunction, sizes: dict[str, int]) -> dict[str, Any]:
    """Random arrays for the functions of the module, by the names of their arguments."""
    random = np.random.default_rng(0)
    found: dict[str, Any] = {}
    for variable, name in function._names.inputs.items():
        shape = function.memory(**sizes).footprints.numbers(variable.shape)
        array = random.uniform(0.5, 1.5, shape)
        if len(shape) == 2 and shape[0] == shape[1]:
            array = array @ array.T + np.eye(shape[0])
        found[name] = array
    for dim, name in zip(function.plan.free_sizes, function._names.free_sizes, strict=True):
        found[name] = sizes[dim]
    return found


def sizes_from(function: CompiledFunction, start: int) -> dict[str, int]:
    """Sizes that rise from name to name."""
    return {name: start + 11 * k for k, name in enumerate(function.plan.sizes)}
