"""Derivations in steps: every equation holds, and the golden pages read as they did.

To write the pages anew: python -m tests.test_steps
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

import matderiv as md
from matderiv.calculus.derivative import forward
from matderiv.commands import main
from matderiv.language import lower, read
from matderiv.program.polynomial import Polynomial
from matderiv.steps import STYLES, Steps
from matderiv.steps.decompose import decompose
from matderiv.steps.laws import STATED
from matderiv.tensor.arena import Arena
from matderiv.tensor.evaluate import evaluate

GOLDEN = Path(__file__).parent / "golden" / "steps"

OBJECTIVE = """
x: (d);  W1: (p, d);  W2: (q, p);  y: (q);  λ: ()
φ: elementwise;  l: scalar function
z = W1 x
h = φ(z)
o = W2 h
L = l(o, y)
s = λ/2 (||W1||_F^2 + ||W2||_F^2)
J = L + s
J
"""
NETWORK = """
x: (B, D); w1: (D, D); w2: (D, K)
h1 = x @ w1
h2 = h1 @ w2
L = h2.pow(2).mean()
L
"""

PAGES: dict[str, tuple[str, list[str], str]] = {
    "003-ex1": ("y: (); z = (<x, w> - y)^2", ["w"], "numerator"),
    "003-ex2": ("z = norm(X w - y)^2", ["w"], "numerator"),
    "004-objective": (OBJECTIVE, ["W2", "W1"], "mixed"),
    "004-objective-W1": (OBJECTIVE, ["W1"], "mixed"),
    "001-backward": (NETWORK, ["w2", "w1", "x"], "mixed"),
}


def page(name: str) -> str:
    source, names, layout = PAGES[name]
    steps = Steps(md.diff(source, names, layout=layout).values())
    return "\n\n".join(steps.text(style) for style in STYLES) + "\n"


@pytest.mark.parametrize("name", PAGES)
def test_golden_page(name: str) -> None:
    assert page(name) == (GOLDEN / f"{name}.txt").read_text("utf-8")


PROGRAMS = {
    "(<x, w> - y)^2 where y: ()": "w",
    "||X w - y||": "w",
    "tr(A X B)": "X",
    "x' A x": "x",
    "(X w - y)' (X w - y) + λ w'w": "w",
    "logdet(X'X + λ I)": "X",
    "(X'X)^-1 X' y": "X",
    "sum(log(1 + exp(-y .* (X w))))": "w",
    "softmax(A x)": "x",
    "mse(relu(x W + b) V, y) where x: (B, m), y: (B, p), W: (m, k), b: (k), V: (k, p)": "W",
    "exp(-||x - μ||^2/(2 σ^2)) where μ: (n)": "x",
    "x": "x",
    "W (V x)": "x",
    "y = x; y' y": "x",
    "a = A x; b = tanh(a); c = a .* b; sum(c) + ||b||^2": "x",
    "s: () ; v = s x; w = A v; w'w + s": "s",
    "x' A x where A: (n, n) symmetric": "x",
    "tr(A' A) where A: (n, n) symmetric": "A",
    OBJECTIVE: "W1",
    NETWORK: "h1",
}


@pytest.mark.parametrize("layout", ["mixed", "numerator", "denominator"])
@pytest.mark.parametrize("source", PROGRAMS)
def test_every_step_holds(source: str, layout: str) -> None:
    derivative = md.diff(source, PROGRAMS[source], layout=layout)
    steps = derivative.steps()
    assert steps.check()
    for style in STYLES:
        last = steps.of(style)[-1]
        assert last.section == "Result"
        assert last.shape == derivative.shape
        shown = str(derivative).split("\nwhere")[0]
        if len(derivative.shape) < 3:
            assert last.statement().split("\nwhere")[0].endswith(shown)


@pytest.mark.parametrize("style", STYLES)
def test_a_wrong_step_is_found(style: str) -> None:
    """Doubling the right side of any equation is seen in that equation."""
    steps = md.diff("a = X w; ||tanh(a) - y||^2", "w").steps()
    numbers = next(steps.stages[0].page.numbers())
    for step in steps.of(style):
        assert step.error(numbers) < 1e-8
        assert replace(step, right=2 * step.right).error(numbers) > 0.1, step.statement()


@pytest.mark.parametrize("kind", STATED)
def test_stated_law(kind: str) -> None:
    """The differential of a law is the derivative of its value along the d's."""
    _, value, differential, shapes = STATED[kind]
    arena = Arena()
    root, claimed = (lower(read(f"{t} where {shapes}"), arena) for t in (value, differential))
    sizes = {"k": 2, "m": 3, "n": 4, "l": 5}
    random = np.random.default_rng(0)
    everything = claimed.variables | root.variables
    values = {
        variable: random.uniform(0.5, 1.5, size=[sizes[str(dim)] for dim in variable.shape])
        for variable in everything.values()
    }
    total = 0.0
    for name, variable in root.variables.items():
        if f"d{name}" in claimed.variables:
            (by,) = evaluate(forward(root.root, [variable]), values, sizes)
            total = total + np.tensordot(
                by, values[claimed.variables[f"d{name}"]], axes=variable.order
            )
    assert_allclose(evaluate([claimed.root], values, sizes)[0], total, rtol=1e-12)


def test_names_of_the_user_are_kept() -> None:
    made = decompose(read("b = X w; (b - y)' (b - y)"), {"w"})
    names = [statement.name for statement in made.program.statements]
    assert names == ["b", "a", "f"]
    assert made.made_up == {"a", "f"}


def test_equal_expressions_have_one_name() -> None:
    made = decompose(read("(X w - y)' (X w - y) + sum(X w)"), {"w"})
    definitions = [statement.name for statement in made.program.statements]
    assert definitions == ["a", "b", "c", "g", "f"]


def test_chain_rule_in_numerator_layout_is_a_product_of_rows() -> None:
    steps = md.diff("z = ||X w - y||^2", "w", layout="numerator").steps()
    statements = [step.statement() for step in steps.of()]
    assert "∂z/∂w = ∂z/∂a ∂a/∂w = 2 bᵀ X" in statements
    assert statements[-1] == "∂z/∂w = 2 (X w - y)ᵀ X"


def test_cotangents_by_entries() -> None:
    steps = md.diff(NETWORK, "w2").steps()
    found = {step.statement(): step.by_entries() for step in steps.of()}
    assert found["δw2 = δh2 ∂h2/∂w2 = h1ᵀ δh2"] == "δw2[i,j] = Σ_k δh2[k,j] h1[k,i]"


def test_flops_of_the_chain_rule_are_those_of_the_notes() -> None:
    """4 B D² + 4 B D K with the gradient of the input, 2 B D² + 4 B D K without."""
    by_hand = {
        "δh2": "B*K",
        "δh1": "2*B*D*K - B*D",
        "δx": "2*B*D**2 - B*D",
        "δw1": "2*B*D**2 - D**2",
        "δw2": "2*B*D*K - D*K",
    }
    steps = Steps(md.diff(NETWORK, ["w2", "w1", "x"]).values())
    chain = [step for step in steps.of() if step.section.startswith("Chain rule")]
    found = {s.statement().partition(" ")[0]: s.flops for s in chain}
    assert {k: str(f.to_sympy()) for k, f in found.items() if f is not None} == by_hand
    total = Polynomial.total(flops for flops in found.values() if flops is not None)
    assert str(total.leading) == "4 B D^2 + 4 B D K"
    assert found["δx"] is not None
    assert str((total - found["δx"]).leading) == "2 B D^2 + 4 B D K"


LSTM = """
x: (d); h, c: (m); A, B, C, D: (m, d); E, F, G, H: (m, m); v: (m)
f = sigmoid(A x + E h)
i = sigmoid(B x + F h)
o = sigmoid(C x + G h)
g = tanh(D x + H h)
cn = f .* c + i .* g
hn = o .* tanh(cn)
v' hn
"""
RECURRENT = """
p, q, s: (d); U: (h, d); V: (h, h); W: (d, h)
a = tanh(U p)
b = tanh(U q + V a)
c = a + tanh(V b)
||W c - s||^2
"""
ATTENTION = """
X: (n, d); A, B: (d, p); C: (d, m); Y: (n, m)
Q = X A
K = X B
V = X C
S = Q K' / sqrt(p)
P = softmax(S)
||P V - Y||_F^2
"""


@pytest.mark.parametrize(
    ("source", "wrt"),
    [
        *((LSTM, name) for name in "ADG"),
        *((RECURRENT, name) for name in "UVW"),
        (ATTENTION, "C"),
    ],
)
def test_flops_of_the_intermediate_values_are_those_of_forward(source: str, wrt: str) -> None:
    """What a line above computed is not counted again, whether the variable moves it or not."""
    steps = md.diff(source, wrt).steps().of()
    counts = [step.flops for step in steps if step.section == "Intermediate values"]
    total = Polynomial.total(flops for flops in counts if flops is not None)
    assert str(total) == str(md.cost(source, wrt).polynomials.forward)


def test_attributes_are_named() -> None:
    steps = md.diff("logdet(A) where A: (n, n) symmetric", "A").steps()
    assert steps.check()
    assert any("symmetric: A" in law.text() for step in steps.of() for law in step.laws)


@pytest.mark.parametrize("style", STYLES)
def test_markdown_and_latex(style: str) -> None:
    steps = md.diff(OBJECTIVE, "W1").steps()
    latex, markdown = steps.latex(style), steps.markdown(style)
    assert latex.count("{") == latex.count("}")
    assert latex.count(r"\item[") == len(steps.of(style)) + latex.count(r"\item[]")
    assert latex.isascii()
    assert r"\frac{\partial J}{\partial W_{1}}" in markdown
    assert markdown.count("$") % 2 == 0


HIGHER = {
    "||X w - y||^2": ("w", 2),
    "sum(exp(A x))": ("x", 2),
    "b' x + x' A x": ("x", 3),
    "h = tanh(X w); ||h - y||^2": ("w", 2),
    "c = A b; (c' x)^3": ("x", 2),
    "φ: elementwise; sum(φ(A x))": ("x", 2),
    "||X||_F^4": ("X", 2),
    "t^3 + sin(t) where t: ()": ("t", 4),
    "x' A x where A: (n, n) symmetric": ("x", 2),
    "b' x": ("x", 2),
    "Q, K, V: (n, d); A = softmax(Q K'); ||A V||^2": ("Q", 2),
    "w_1: (n); β_hat = X w_1; β_hat' β_hat": ("w1", 2),
}


@pytest.mark.parametrize("layout", ["mixed", "numerator", "denominator"])
@pytest.mark.parametrize("source", HIGHER)
def test_every_step_to_a_higher_order_holds(source: str, layout: str) -> None:
    name, order = HIGHER[source]
    derivative = md.diff(source, name, order=order, layout=layout)
    steps = derivative.steps()
    assert steps.check()
    for style in STYLES:
        last = steps.of(style)[-1]
        assert last.shape == derivative.shape
        shown = str(derivative).split("\nwhere")[0]
        assert last.right_side() == shown or len(derivative.shape) > 2


def test_a_mixed_partial() -> None:
    steps = md.diff("x' A y + ||x||^2 ||y||^2", "x").diff("y").steps()
    assert steps.check()
    assert [stage.heading for stage in steps.stages] == ["First derivative", "Second derivative"]
    statements = [step.statement() for step in steps.of()]
    assert statements[-1].startswith("∂²f/∂x∂y = ")


def test_a_wrong_step_of_a_second_stage_is_found() -> None:
    steps = md.diff("||X w - y||^2", "w", order=2).steps()
    for stage in steps.stages:
        numbers = next(stage.page.numbers())
        for step in stage.of("backpropagation"):
            assert step.error(numbers) < 1e-8
            assert replace(step, right=2 * step.right).error(numbers) > 0.1, step.statement()


def test_what_an_earlier_stage_says_is_not_said_again() -> None:
    steps = md.diff("||X w - y||^2", "w", order=2).steps()
    statements = [step.statement() for step in steps.of()]
    assert statements.count("a = X w") == statements.count("∂a/∂w = X") == 1
    assert "g = ∂f/∂w = 2 Xᵀ b" in statements


@pytest.mark.parametrize(
    "structure", ["symmetric", "posdef", "diagonal", "lower", "upper", "orthogonal"]
)
def test_a_structured_gradient_is_the_free_one_projected(structure: str) -> None:
    source = f"tr(A B) + ||A x||^2 where A: (n, n) {structure}"
    derivative = md.diff(source, "A", structured=True)
    steps = derivative.steps()
    assert steps.check()
    last = steps.of()[-1]
    assert last.statement().startswith("P(∂f/∂A) = ")
    assert last.right_side() == str(derivative)


def test_the_law_of_a_projection_is_cited() -> None:
    steps = md.diff("tr(A B) where A: (n, n) symmetric", "A", structured=True).steps()
    assert "P projects onto the symmetric matrices, P(G) = (G + Gᵀ)/2" in steps.text()


def test_refusals() -> None:
    with pytest.raises(md.UnsupportedError, match="which has 3 axes"):
        md.diff("A softmax(B x) x'", "x", order=2).steps()
    with pytest.raises(md.UnsupportedError, match="leave out diagonal"):
        md.diff("x' A x", "x", order=2, diagonal=True).steps()
    with pytest.raises(md.UnsupportedError, match="repeat"):
        md.diff("x: (n); W: (3, n, n); z = x; repeat l in 3 { z = W[l] z }; sum(z)", "x").steps()
    with pytest.raises(md.MatderivError, match="no style"):
        md.diff("x' x", "x").steps().of("magic")


def test_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "||X w - y||^2", "wrt", "w", "--steps", "--style", "differential"]) == 0
    printed = capsys.readouterr().out
    assert "df = 2 bᵀ X dw" in printed
    assert "every step checked" in printed
    assert main(["diff", "||X w - y||^2", "wrt", "w", "X", "--steps", "--format", "latex"]) == 0
    assert r"\begin{enumerate}" in capsys.readouterr().out


if __name__ == "__main__":
    for name in PAGES:
        (GOLDEN / f"{name}.txt").write_text(page(name), "utf-8")
