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


def test_002_blocks(example: Callable[[str], str]) -> None:
    """Blocks joined by hand give the gradient of the whole; the optimizer is one more."""
    layer = md.compile("X: (n, d); W: (d, m); tanh(X W)", "W")
    loss = md.compile("Y: (n, m); T: (n, m); ||Y - T||^2", "Y")
    whole = md.compile("X: (n, d); W: (d, m); T: (n, m); ||tanh(X W) - T||^2", "W")
    random = np.random.default_rng(0)
    v = {name: random.normal(size=s) for name, s in {"X": (5, 3), "W": (3, 2), "T": (5, 2)}.items()}
    output, cache = layer.forward({"X": v["X"], "W": v["W"]})
    value, loss_cache = loss.forward({"Y": output, "T": v["T"]})
    gradients = layer.backward(cache, loss.backward(loss_cache)["Y"])
    expected_value, expected = whole.value_and_grad(v)
    assert_allclose(value, expected_value)
    assert_allclose(gradients["W"], expected["W"], rtol=1e-12)
    assert "each step lowers the loss: True" in example("blocks")


def test_002_pebble(example: Callable[[str], str]) -> None:
    """Pebbles laid in forward are taken up in the reverse order as gradients get ready."""
    lines = example("pebbles").splitlines()
    assert lines[0].split()[:3] == ["step", "h1", "h2"]
    ready = [line.split()[-3] for line in lines if line.endswith("is ready")]
    assert ready == ["w3.grad", "w2.grad", "w1.grad"]
    taken = {name: _row(lines, lines[0].index(name), "○") for name in ("h1", "h2")}
    laid = {name: _row(lines, lines[0].index(name), "●") for name in ("h1", "h2")}
    assert laid["h1"] < laid["h2"] < taken["h2"] < taken["h1"]


def _row(lines: list[str], column: int, pebble: str) -> int:
    return next(k for k, line in enumerate(lines) if line[column : column + 1] == pebble)
