"""Document 004: backpropagation and the computation graph."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

import matderiv as md
from matderiv.pictures import computation_graph
from matderiv.pictures.picture import place
from tests.seeds.conftest import EXAMPLES

Draw = Callable[..., dict[str, Any]]
Example = Callable[[str], str]

OBJECTIVE = """
x: (d); W1: (p, d); W2: (q, p); y: (q); λ: ()
φ: elementwise; l: scalar function
z = W1 x
h = φ(z)
o = W2 h
L = l(o, y)
s = λ/2 (||W1||_F^2 + ||W2||_F^2)
J = L + s
J
"""


def terms(formula: str) -> set[str]:
    return set(formula.split("\n")[0].split(" + "))


def test_004_objective(example: Example) -> None:
    second, first = (md.diff(OBJECTIVE, name) for name in ("W2", "W1"))
    assert terms(str(second)) == {"∂l/∂o hᵀ", "λ W2"}
    assert terms(str(first)) == {"(W2ᵀ ∂l/∂o ⊙ φ'(z)) xᵀ", "λ W1"}
    assert second.shape == ("q", "p")
    assert first.shape == ("p", "d")
    assert first.check()
    assert second.check()
    printed = example("objective")
    assert "∂l/∂o hᵀ" in printed
    assert "(W2ᵀ ∂l/∂o ⊙ φ'(z)) xᵀ" in printed


def test_004_objective_of_both_weights() -> None:
    """Asked for together, the gradients read as they do one by one."""
    joint = md.diff(OBJECTIVE, ["W2", "W1"])
    for name, gradient in joint.items():
        assert terms(str(gradient)) == terms(str(md.diff(OBJECTIVE, name)))


def test_004_objective_with_functions(draw: Draw) -> None:
    """φ = tanh and half a squared error in the place of the abstract functions."""
    program = (
        OBJECTIVE.replace("φ: elementwise; l: scalar function", "")
        .replace("φ(z)", "tanh(z)")
        .replace("l(o, y)", "1/2 ||o - y||^2")
    )
    gradients = md.diff(program, ["W1", "W2"])
    v = draw(x=(3,), W1=(4, 3), W2=(2, 4), y=(2,), λ=())
    h = np.tanh(v["W1"] @ v["x"])
    do = v["W2"] @ h - v["y"]
    dz = (v["W2"].T @ do) * (1 - h**2)
    w2 = np.outer(do, h) + v["λ"] * v["W2"]
    w1 = np.outer(dz, v["x"]) + v["λ"] * v["W1"]
    assert_allclose(gradients["W2"].evaluate(v), w2, rtol=1e-12)
    assert_allclose(gradients["W1"].evaluate(v), w1, rtol=1e-12)


FORMS = {
    "vector": ("h: (p); t: (q)", "W h", {"h": (3,), "t": (2,)}),
    "column": ("h: (p, 1); t: (q, 1)", "W h", {"h": (3, 1), "t": (2, 1)}),
    "row": ("h: (1, p); t: (1, q)", "h W'", {"h": (1, 3), "t": (1, 2)}),
    "batch": ("h: (B, p); t: (B, q)", "h W'", {"h": (5, 3), "t": (5, 2)}),
}


@pytest.mark.parametrize("form", FORMS)
def test_004_shapes(form: str, draw: Draw) -> None:
    """(q,), (q, 1), (1, q) and (B, q): each gradient has the shape of its variable."""
    declared, output, shapes = FORMS[form]
    program = f"{declared}; W: (q, p); o = {output}; ||o - t||^2"
    gradients = md.diff(program, ["h", "W"])
    v = draw(W=(2, 3), **shapes)
    by_h = gradients["h"].evaluate(v)
    assert by_h.shape == shapes["h"]
    assert gradients["W"].evaluate(v).shape == (2, 3)
    residual = 2 * ((v["W"] @ v["h"] if output == "W h" else v["h"] @ v["W"].T) - v["t"])
    expected = v["W"].T @ residual if output == "W h" else residual @ v["W"]
    assert_allclose(by_h, expected, rtol=1e-12)
    assert md.diff(f"{declared}; W: (q, p); l: scalar function; l({output}, t)", "h").check()


def test_004_shapes_example(example: Example) -> None:
    printed = example("batches")
    for shape in ("(p)", "(p, 1)", "(1, p)", "(B, p)"):
        assert f"of shape {shape}" in printed


def test_004_graph(example: Example) -> None:
    """Variables are squares, operators circles; input lower left, output upper right."""
    graph = computation_graph(md.parse(OBJECTIVE))
    squares = [vertex.label for vertex in graph.vertices if vertex.kind != "operator"]
    assert sorted(squares) == sorted(["x", "W1", "W2", "y", "λ", "z", "h", "o", "L", "s", "J"])
    centres, _ = place(graph)
    where = {v.label: centres[v.number] for v in graph.vertices if v.label in squares}
    assert all(where["J"][0] >= x and where["J"][1] <= y + 0.01 for x, y in where.values())
    assert where["x"][0] < where["z"][0] < where["h"][0] < where["o"][0] < where["L"][0]
    assert where["x"][1] > where["z"][1] > where["h"][1] > where["o"][1] > where["L"][1]
    assert "∂J/∂W2: h, W2, o, y, L" in example("graphs")


def test_004_memory(example: Example) -> None:
    """What is cached grows in proportion to layers and to the batch, by the engine's own count."""
    cached = runpy.run_path(str(EXAMPLES / "training_memory.py"))["cached"]
    for layers, batch in ((8, 64), (16, 128), (32, 256)):
        assert cached(layers, batch) == 8 * batch * 64 * (layers + 1)  # and the residual
        assert cached(layers, 2 * batch) == 2 * cached(layers, batch)
    assert "kB cached, by layers and batch" in example("training_memory")
