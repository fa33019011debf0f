"""Document 002: building blocks of forward and backward propagation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.testing import assert_allclose

import matderiv as md

LAYER = "X: (n, d); W: (d, m); b: (m); X W + b"


def test_002_linear(draw: Callable[..., dict[str, Any]], example: Callable[[str], str]) -> None:
    """Gradients for any incoming G: G W', X' G and the column sums of G."""
    maps = {name: d.vjp() for name, d in md.diff(LAYER, ["X", "W", "b"]).items()}
    formulas = {name: found.to("ascii") for name, found in maps.items()}
    assert formulas == {"X": "G W'", "W": "X' G", "b": "G' ones(n)"}
    v = draw(X=(5, 3), W=(3, 2), b=(2,), G=(5, 2))
    assert_allclose(maps["X"].evaluate(v), v["G"] @ v["W"].T)
    assert_allclose(maps["W"].evaluate(v), v["X"].T @ v["G"])
    assert_allclose(maps["b"].evaluate(v), v["G"].T @ np.ones(5))
    printed = example("linear_layer")
    for line in ("X: G ↦ G Wᵀ", "W: G ↦ Xᵀ G", "b: G ↦ Gᵀ 𝟏"):
        assert line in printed


def test_002_linear_code(draw: Callable[..., dict[str, Any]]) -> None:
    """Generated code: forward keeps a cache, backward takes it and the incoming gradient."""
    v = draw(X=(5, 3), W=(3, 2), b=(2,))
    incoming = draw(G=(5, 2))["G"]
    layer = md.compile(LAYER, ["X", "W", "b"])
    value, cache = layer.forward(v)
    assert_allclose(value, v["X"] @ v["W"] + v["b"])
    gradients = layer.backward(cache, incoming)
    assert_allclose(gradients["X"], incoming @ v["W"].T)
    assert_allclose(gradients["W"], v["X"].T @ incoming)
    assert_allclose(gradients["b"], incoming.sum(axis=0))
