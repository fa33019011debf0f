"""Document 000: forward and backward propagation."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

import matderiv as md

EXAMPLES = Path(__file__).parents[2] / "examples"

Draw = Callable[..., dict[str, Any]]
Example = Callable[[str], str]

CHAIN = """
A: (M, N); X: (N, P); B, Y: (M, P)
f: elementwise
Yhat = A X + B
sum(f(Yhat, Y))
"""

LINEAR = """
x: (B, M0); y: (B, M3)
w1: (M0, M1); w2: (M1, M2); w3: (M2, M3)
z1 = x w1
z2 = z1 w2
yhat = z2 w3
||yhat - y||^2
"""

ABSTRACT = """
x: (B, M0); y: (B, M3)
w1: (M0, M1); w2: (M1, M2); w3: (M2, M3)
act: elementwise
h1 = x w1;   z1 = act(h1)
h2 = z1 w2;  z2 = act(h2)
h3 = z2 w3;  yhat = act(h3)
||yhat - y||^2
"""

DEPTH = """
x: (B, M); y: (B, C); W: (N, M, M); V: (M, C)
z = x
repeat l in N { z = z W[l] }
||z V - y||^2
"""

WEIGHTS = ["w1", "w2", "w3"]


def lines(derivative: md.Derivative) -> list[str]:
    """The formula, then its where-lines, without the layout of the page."""
    return [line.removeprefix("where").strip() for line in str(derivative).split("\n")]


def test_000_matmul(example: Example) -> None:
    cost = md.cost("A B where A: (N, M), B: (M, P)")
    assert str(cost.forward.factor()) == "N*P*(2*M - 1)"
    assert str(cost.leading.forward) == "2*M*N*P"
    printed = example("matrix_product")
    assert "2 M N P - N P" in printed
    assert "2 M N P\n" in printed


def test_000_matmul_of_a_chain(example: Example) -> None:
    """Several products are counted one by one, in the cheapest order."""
    cost = md.cost("A B x where A: (N, M), B: (M, P), x: (P)")
    assert str(cost.leading.forward) in ("2*M*N + 2*M*P", "2*M*P + 2*M*N")


def test_000_rules(example: Example) -> None:
    assert str(md.diff("f(α) where f: elementwise", "α")) == "f'(α)"
    assert str(md.diff("f(x) where f: scalar function", "x")) == "∂f/∂x"
    assert str(md.diff("A x", "x")) == "A"
    jacobian = md.diff("f(A x) where A: (m, n), f: elementwise", "x")
    assert str(jacobian) == "diag(f'(A x)) A"
    assert jacobian.shape == ("m", "n")
    printed = example("basic_rules")
    assert "∂/∂x f(x) = ∂f/∂x" in printed
    assert "∂/∂x f(A x) = diag(f'(A x)) A" in printed


def test_000_chain(draw: Draw, example: Example) -> None:
    """∂L/∂X = A' ∂L/∂Yhat for any elementwise f of two arguments."""
    gradient = md.diff(CHAIN, "X")
    assert lines(gradient)[0] == "Aᵀ ∂f/∂Yhat"
    assert gradient.check()
    assert "∂L/∂X = Aᵀ ∂f/∂Yhat" in example("chain_rule")

    concrete = CHAIN.replace("f: elementwise", "").replace("f(Yhat, Y)", "(Yhat - Y).^2")
    v = draw(A=(3, 4), X=(4, 2), B=(3, 2), Y=(3, 2))
    cotangent = 2 * (v["A"] @ v["X"] + v["B"] - v["Y"])
    assert_allclose(md.diff(concrete, "X").evaluate(v), v["A"].T @ cotangent, rtol=1e-12)


def test_000_mlp_linear(draw: Draw) -> None:
    gradients = md.diff(LINEAR, WEIGHTS)
    assert lines(gradients["w3"])[0] == "z2ᵀ δyhat"
    assert lines(gradients["w2"])[0] == "z1ᵀ δz2"
    assert "δz2 = δyhat w3ᵀ" in lines(gradients["w2"])
    assert "δyhat = 2 (yhat - y)" in lines(gradients["w2"])

    v = draw(x=(6, 5), y=(6, 2), w1=(5, 4), w2=(4, 3), w3=(3, 2))
    z1 = v["x"] @ v["w1"]
    z2 = z1 @ v["w2"]
    dyhat = 2 * (z2 @ v["w3"] - v["y"])
    expected = {
        "w3": z2.T @ dyhat,
        "w2": z1.T @ dyhat @ v["w3"].T,
        "w1": v["x"].T @ dyhat @ v["w3"].T @ v["w2"].T,
    }
    assert_allclose(md.parse(LINEAR).evaluate(v), np.sum(dyhat**2) / 4)
    for name in WEIGHTS:
        assert_allclose(gradients[name].evaluate(v), expected[name], rtol=1e-11)


def test_000_mlp(draw: Draw, example: Example) -> None:
    """An abstract activation: one line for each layer and no blow-up."""
    gradients = md.diff(ABSTRACT, WEIGHTS)
    assert lines(gradients["w3"])[0] == "z2ᵀ δh3"
    assert lines(gradients["w2"])[0] == "z1ᵀ δh2"
    assert "δh3 = 2 (yhat - y) ⊙ act'(h3)" in lines(gradients["w1"])
    assert "δh2 = δh3 w3ᵀ ⊙ act'(h2)" in lines(gradients["w1"])
    assert len(lines(gradients["w1"])) <= 10
    assert all(gradient.check() for gradient in gradients.values())
    printed = example("three_layers")
    assert "∂L/∂w3 = z2ᵀ δyhat" in printed
    assert "∂L/∂w3 = z2ᵀ δh3" in printed
    assert "the loss fell: True" in printed


def test_000_mlp_prints_in_linear_size() -> None:
    def size(layers: int) -> int:
        steps = [f"z_{k + 1} = tanh(z_{k} w_{k})" for k in range(1, layers + 1)]
        shapes = [f"w_{k}: (m, m)" for k in range(1, layers + 1)]
        program = "\n".join(["z_1: (b, m)", *shapes, *steps, f"||z_{layers + 1}||^2"])
        return len(str(md.diff(program, "w_1")))

    assert size(32) - size(16) < 2.2 * (size(16) - size(8))


def test_000_mlp_update(draw: Draw) -> None:
    """w := w - α ∂L/∂w as a function of the generated module; a small step descends."""
    module = md.compile(LINEAR, WEIGHTS).module
    values = draw(x=(2, 3), y=(2, 6), w1=(3, 4), w2=(4, 5), w3=(5, 6))
    before, gradients = module.value_and_grad(**values)
    moved = module.update(values, gradients, 1e-4)
    for name in WEIGHTS:
        assert_allclose(moved[name], values[name] - 1e-4 * gradients[name])
    assert module.value_and_grad(**{**values, **moved})[0] < before


def test_000_mlp_flops(example: Example) -> None:
    """Leading counts per layer; no gradient of x unless it is asked for."""
    cost = md.cost(ABSTRACT.replace("act: elementwise", "").replace("act", "relu"), WEIGHTS)
    B, M0, M1, M2, M3 = symbols("B M0 M1 M2 M3")
    products = {(row.phase, str(row.leading)) for row in cost.table() if "matmul" in row.formula}
    forward = [2 * B * M0 * M1, 2 * B * M1 * M2, 2 * B * M2 * M3]
    assert products == {
        ("forward", "2 B M0 M1"),
        ("forward", "2 B M1 M2"),
        ("forward", "2 B M2 M3"),
        ("backward", "2 B M0 M1"),
        ("backward", "2 B M1 M2"),
        ("backward", "2 B M2 M3"),
    }
    assert cost.leading.forward == sum(forward)
    # Every layer but the first passes a gradient on.
    assert cost.leading.backward == 2 * sum(forward) - forward[0]
    with_input = md.cost(LINEAR, [*WEIGHTS, "x"])
    assert with_input.leading.backward == 2 * sum(forward)

    linear = md.cost(LINEAR, WEIGHTS)
    loss = 3 * B * M3 - 1  # y - yhat, squares, their sum
    exact = (2 * M0 - 1) * B * M1 + (2 * M1 - 1) * B * M2 + (2 * M2 - 1) * B * M3 + loss
    assert (linear.forward - exact).expand() == 0
    printed = example("three_layers_flops")
    assert "2 B M0 M1" in printed


def test_000_depth(draw: Draw, example: Example) -> None:
    """Forward 2NBM² + 2BMC, backward (4N-2)BM² + 4BMC, and terms of lower order."""
    cost = md.cost(DEPTH, ["W", "V"])
    B, M, C, N = symbols("B M C N")
    forward, backward = 2 * N * B * M**2 + 2 * B * M * C, (4 * N - 2) * B * M**2 + 4 * B * M * C
    # A product of (B, M) and (M, M) makes B M (2 M - 1) operations, not 2 B M².
    assert (cost.forward - forward).expand() == 2 * B * C - B * M * N - 1
    assert (cost.backward - backward).expand() == B * C - B * M * N - C * M - M**2 * N
    assert cost.leading.ratio == 2
    gradient = md.diff(DEPTH, "W")
    assert gradient.check()
    assert str(gradient).startswith("[l] = z[l]ᵀ δz[l+1]   (l = 0 … N-1)\n")
    values = draw(x=(4, 3), y=(4, 2), W=(5, 3, 3), V=(3, 2))
    unrolled = md.diff(DEPTH.replace("N", "5"), "W").evaluate(values)
    assert_allclose(md.compile(DEPTH, ["W"]).value_and_grad(values)[1]["W"], unrolled)
    printed = example("symbolic_depth")
    assert "z[l+1] = relu(z[l] W[l] + b[l]ᵀ)" in printed
    assert "4 B M^2 N + 4 B C M - 2 B M^2" in printed
    assert "6 B M^2 N + 4 B C M - 2 B M^2" in printed
    assert "cache    8 B M √N + 8 B C bytes" in printed
    assert "written out: True" in printed


def test_000_memory(example: Example) -> None:
    """Training holds parameters, gradients, the optimizer's state and activations."""
    made = runpy.run_path(str(EXAMPLES / "training_memory.py"))
    found = made["training"](16, 128, 64)
    parameters, sizes = int(found.parameters.at(found.sizes)), found.sizes
    assert parameters == 8 * 16 * 64 * 64
    assert int(found.activations.at(sizes)) == 8 * 128 * 64 * 17
    states = [found.total_bytes(name) - found.peak_bytes for name in ("SGD", "momentum", "Adam")]
    assert states == [parameters, 2 * parameters, 3 * parameters]
    # The peak holds gradients and activations.
    assert found.peak_bytes >= parameters + int(found.activations.at(sizes))
    printed = example("training_memory")
    assert "Adam         8 B M N + 32 M^2 N + 25 B M + 8" in printed


def test_000_scaling(example: Example) -> None:
    """C ≈ 6 · parameters · tokens for large layers, from the counts of forward and backward."""
    cost = md.cost(DEPTH, ["W", "V"])
    B, M, C, N = symbols("B M C N")
    parameters, tokens = N * M**2 + M * C, B
    total = (cost.forward + cost.backward).expand()
    assert (cost.leading.forward + cost.leading.backward - 6 * N * M**2 * tokens).expand() == 0
    ratio = (total / (6 * parameters * tokens)).subs(C, M)
    assert ratio.subs({N: 48, M: 4096, B: 2048}).evalf() == pytest.approx(1, rel=0.02)
    assert "6 · parameters · tokens" in example("symbolic_depth")


def symbols(names: str) -> Any:
    import sympy

    return sympy.symbols(names, positive=True)
