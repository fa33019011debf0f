"""Document 001: the FLOPs of a two-layer network, forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy
from numpy.testing import assert_allclose

import matderiv as md

NETWORK = """
x: (B, D); w1: (D, D); w2: (D, K)
h1 = x @ w1
h2 = h1 @ w2
h2.pow(2).mean()
"""
B, D, K = sympy.symbols("B D K", positive=True)


def test_001_forward(example: Callable[[str], str]) -> None:
    cost = md.cost(NETWORK)
    assert cost.leading.forward == 2 * B * D * D + 2 * B * D * K
    assert "2 B D^2 + 2 B D K" in example("two_layers")


def test_001_backward_formulas(draw: Callable[..., dict[str, Any]]) -> None:
    gradients = md.diff(NETWORK, ["w2", "w1", "x"])
    texts = {name: str(gradient) for name, gradient in gradients.items()}
    assert texts["w2"].startswith("h1ᵀ δh2\n")
    assert texts["w1"].startswith("xᵀ δh1\n")
    assert texts["x"].startswith("δh1 w1ᵀ\n")
    assert "δh1 = δh2 w2ᵀ" in texts["w1"]
    assert any(f"δh2 = 2/({sizes}) h2" in texts["w2"] for sizes in ("B K", "K B"))

    v = draw(x=(4, 3), w1=(3, 3), w2=(3, 2))
    h1 = v["x"] @ v["w1"]
    dh2 = 2 / (4 * 2) * h1 @ v["w2"]
    dh1 = dh2 @ v["w2"].T
    assert_allclose(gradients["w2"].evaluate(v), h1.T @ dh2, rtol=1e-12)
    assert_allclose(gradients["w1"].evaluate(v), v["x"].T @ dh1, rtol=1e-12)
    assert_allclose(gradients["x"].evaluate(v), dh1 @ v["w1"].T, rtol=1e-12)


def test_001_backward_index_form(example: Callable[[str], str]) -> None:
    """The same gradients by their entries: sums over the index that meets."""
    gradients = md.diff(NETWORK, ["w2", "w1", "x"])
    heads = {name: str(found.to("index")).split("\n")[0] for name, found in gradients.items()}
    assert heads == {
        "w2": "[i,j] = Σ_k h1[k,i] δh2[k,j]",
        "w1": "[i,j] = Σ_k x[k,i] δh1[k,j]",
        "x": "[i,j] = Σ_k w1[j,k] δh1[i,k]",
    }
    assert "[i,j] = Σ_k h1[k,i] δh2[k,j]" in example("two_layers")


def test_001_backward() -> None:
    """FLOPs of the backward pass, with the gradient of the input and without."""
    without = md.cost(NETWORK, ["w1", "w2"])
    assert without.leading.backward == 2 * B * D * D + 4 * B * D * K
    with_input = md.cost(NETWORK, ["w1", "w2", "x"])
    assert with_input.leading.backward == 4 * B * D * D + 4 * B * D * K
    products = [str(row.leading) for row in with_input.table() if "matmul" in row.formula]
    assert sorted(products) == sorted(3 * ["2 B D^2"] + 3 * ["2 B D K"])


def test_001_ratio() -> None:
    """A stack of linear layers costs twice as much backward as forward."""
    cost = md.cost(NETWORK, ["w1", "w2", "x"])
    assert sympy.simplify(cost.leading.ratio) == 2
    for layers in (1, 3, 5):
        names = [f"w_{k}" for k in range(layers)]
        declared = "; ".join(f"{name}: (M, M)" for name in names)
        stack = f"x: (B, M); {declared}; ||x {' '.join(names)}||^2"
        assert sympy.simplify(md.cost(stack, [*names, "x"]).leading.ratio) == 2
