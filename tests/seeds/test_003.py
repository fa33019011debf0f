"""Document 003: derivatives, backpropagation and complexity."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

import matderiv as md
from matderiv.commands import main
from matderiv.pictures import computation_graph
from tests.seeds.conftest import EXAMPLES

Draw = Callable[..., dict[str, Any]]
Example = Callable[[str], str]


def terms(formula: str) -> set[str]:
    return set(formula.split(" + "))


def numerator(value: str, wrt: str, where: str = "") -> str:
    source = f"{value} where {where}" if where else value
    return str(md.diff(source, wrt, layout="numerator"))


@pytest.mark.parametrize(
    "value, where, derivative",
    [
        ("c", "c, α: ()", "0"),
        ("α^n", "n: ()", "n α^(n - 1)"),
        ("exp(α)", "", "exp(α)"),
        ("log(α)", "", "1/α"),
        ("sin(α)", "", "cos(α)"),
        ("u(α) + v(α)", "u, v: elementwise", "u'(α) + v'(α)"),
        ("u(α) v(α)", "u, v: elementwise", "u(α) v'(α) + v(α) u'(α)"),
        ("f(g(α))", "f, g: elementwise", "f'(g(α)) g'(α)"),
    ],
)
def test_003_scalar(value: str, where: str, derivative: str) -> None:
    found = md.diff(f"{value} where {where}" if where else value, "α")
    assert terms(str(found)) == terms(derivative)
    assert found.check()


def test_003_scalar_example(example: Example) -> None:
    printed = example("basic_rules")
    assert "∂/∂α α^n = n α^(n - 1)" in printed
    assert "∂/∂α f(g(α)) = f'(g(α)) g'(α)" in printed


def test_003_kinks(example: Example) -> None:
    """relu'(0) = 0 and |·|'(0) = 0, elements of [0, 1] and [-1, 1]."""
    for value, slopes in {"max(α, 0)": (0, 0, 1), "|α|": (-1, 0, 1)}.items():
        derivative = md.diff(value, "α")
        found = [float(derivative.evaluate({"α": at})) for at in (-3.0, 0.0, 3.0)]
        assert found == list(slopes)
    relu = md.diff("sum(max(x, 0))", "x").evaluate({"x": [-1.0, 0.0, 2.0]})
    assert_allclose(relu, [0, 0, 1])
    printed = example("kinks")
    assert "of [0, 1]" in printed
    assert "of [-1, 1]" in printed


@pytest.mark.parametrize("value, subdifferential", [("max(α, 0)", "[0, 1]"), ("|α|", "[-1, 1]")])
def test_003_kinks_are_stated(
    value: str, subdifferential: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["diff", value, "wrt", "α"])
    assert subdifferential in capsys.readouterr().out


def test_003_three(example: Callable[[str], str]) -> None:
    """Symbolic and automatic agree to rounding; differences are best at a middling step."""
    printed = example("three_ways")
    assert "∂z/∂w = 2 (xᵀ w - y) x" in printed
    (automatic,) = re.findall(r"automatic .* (\S+) apart", printed)
    assert float(automatic) < 1e-14
    errors = [float(error) for error in re.findall(r"h = \S+ +(\S+) apart", printed)]
    assert min(errors) > float(automatic)
    assert errors[0] > errors[2] < errors[-1]


SCALAR_FUNCTIONS = "x: (n), α: (), u, v: scalar function"
VECTOR_FUNCTIONS = "x: (n), α: (), A: (m, n), u, v: elementwise"


@pytest.mark.parametrize(
    "value, where, gradient",
    [
        ("α", SCALAR_FUNCTIONS, "0ᵀ"),
        ("α u(x)", SCALAR_FUNCTIONS, "α (∂u/∂x)ᵀ"),
        ("sum(x)", SCALAR_FUNCTIONS, "𝟏ᵀ"),
        ("||x||^2", SCALAR_FUNCTIONS, "2 xᵀ"),
        ("u(x) + v(x)", SCALAR_FUNCTIONS, "(∂u/∂x + ∂v/∂x)ᵀ"),
        ("u(x) v(x)", SCALAR_FUNCTIONS, "(u(x) ∂v/∂x + v(x) ∂u/∂x)ᵀ"),
        ("<u(x), v(x)>", VECTOR_FUNCTIONS, "(u(x) ⊙ v'(x) + v(x) ⊙ u'(x))ᵀ"),
    ],
)
def test_003_gradients(value: str, where: str, gradient: str) -> None:
    """Scalars by a vector in numerator layout: rows."""
    found = md.diff(f"{value} where {where}", "x", layout="numerator")
    assert found.shape == ("n",)
    strip = str.maketrans("", "", "()ᵀ")
    assert {t.translate(strip) for t in terms(str(found))} == {
        t.translate(strip) for t in terms(gradient)
    }
    assert str(found).endswith("ᵀ")
    assert found.check()


def test_003_gradients_example(example: Example) -> None:
    printed = example("gradients")
    assert "||x||^2        2 xᵀ" in printed
    assert "sum(x)         𝟏ᵀ" in printed


@pytest.mark.parametrize(
    "value, where, jacobian, shape",
    [
        ("a", "x: (n), a: (m)", "0", ("m", "n")),
        ("x", "", "I", ("n", "n")),
        ("A x", "A: (m, n)", "A", ("m", "n")),
        ("x' A", "A: (n, m)", "Aᵀ", ("m", "n")),
        ("α u(x)", VECTOR_FUNCTIONS, "α diag(u'(x))", ("n", "n")),
        ("A u(x)", VECTOR_FUNCTIONS, "A diag(u'(x))", ("m", "n")),
        ("u(x) + v(x)", VECTOR_FUNCTIONS, "diag(u'(x) + v'(x))", ("n", "n")),
    ],
)
def test_003_jacobians(value: str, where: str, jacobian: str, shape: tuple[str, ...]) -> None:
    """Vectors by a vector in numerator layout."""
    source = f"{value} where {where}" if where else value
    found = md.diff(source, "x", layout="numerator")
    assert found.shape == shape
    strip = str.maketrans("", "", "()")
    assert {t.translate(strip).replace("diag", "") for t in terms(str(found))} == {
        t.translate(strip).replace("diag", "") for t in terms(jacobian)
    }
    assert found.check()


def test_003_jacobians_example(example: Example) -> None:
    printed = example("jacobians")
    assert "A x          A\n" in printed
    assert "x' B         Bᵀ\n" in printed


CELLS = {
    ("y", "α"): ("α^2", ()),
    ("y", "x"): ("sum(x)", ("n",)),
    ("y", "X"): ("<C, X>", ("k", "n")),
    ("v", "α"): ("α v", ("m",)),
    ("v", "x"): ("A x", ("m", "n")),
    ("v", "X"): ("A X b", ("m", "k", "n")),
    ("V", "α"): ("α V", ("m", "l")),
    ("V", "x"): ("A x c'", ("m", "l", "n")),
    ("V", "X"): ("A X D", ("m", "l", "k", "n")),
}
DECLARED = (
    "α: (), x: (n), X: (n, k), v: (m), V: (m, l), A: (m, n), C: (n, k), b: (k), c: (l), D: (k, l)"
)


@pytest.mark.parametrize("cell", CELLS, ids="-by-".join)
def test_003_shapes(cell: tuple[str, str], draw: Draw) -> None:
    value, shape = CELLS[cell]
    found = {
        layout: md.diff(f"{value} where {DECLARED}", cell[1], layout=layout)
        for layout in ("mixed", "numerator", "denominator")
    }
    assert found["numerator"].shape == shape
    assert found["denominator"].shape == shape[::-1]
    v = draw(α=(), x=(2,), X=(2, 3), v=(4,), V=(4, 5), A=(4, 2), C=(2, 3), b=(3,), c=(5,), D=(3, 5))
    arrays = {layout: derivative.evaluate(v) for layout, derivative in found.items()}
    sizes = {"n": 2, "k": 3, "m": 4, "l": 5}
    assert arrays["numerator"].shape == tuple(sizes[name] for name in shape)
    assert_allclose(arrays["denominator"], arrays["numerator"].T)
    value_order = {"y": 0, "v": 1, "V": 2}[cell[0]]
    axes = [*range(value_order), *range(value_order, len(shape))[::-1]]
    assert_allclose(arrays["numerator"], arrays["mixed"].transpose(axes))


def test_003_shapes_example(example: Example) -> None:
    printed = example("shapes")
    assert "(m, l, k, n)" in printed
    assert "(n, k, l, m)" in printed


def test_003_ex1(draw: Draw, example: Example) -> None:
    """z = (<x, w> - y)²: a row, and the chain ∂z/∂b ∂b/∂a ∂a/∂w."""
    assert numerator("(<x, w> - y)^2", "w", "y: ()") == "2 (xᵀ w - y) xᵀ"
    assert numerator("b^2", "b", "b: ()") == "2 b"
    assert numerator("a - y", "a", "a, y: ()") == "1"
    assert numerator("<x, w>", "w") == "xᵀ"
    named = md.diff("y: (); a = <x, w>; b = a - y; z = b^2; z", "w", layout="numerator")
    assert str(named).split("\n")[0] == "2 b xᵀ"
    v = draw(x=(3,), w=(3,), y=())
    assert_allclose(named.evaluate(v), 2 * (v["x"] @ v["w"] - v["y"]) * v["x"])
    assert "∂z/∂w = 2 (xᵀ w - y) xᵀ" in example("squared_errors")


def test_003_ex2(draw: Draw, example: Example) -> None:
    """z = ‖X w - y‖²: a row, and the chain ∂z/∂b ∂b/∂a ∂a/∂w."""
    assert numerator("||X w - y||^2", "w") == "2 (X w - y)ᵀ X"
    assert numerator("||b||^2", "b") == "2 bᵀ"
    assert numerator("a - y", "a") == "I"
    assert numerator("X w", "w") == "X"
    named = md.diff("a = X w; b = a - y; z = ||b||^2; z", "w", layout="numerator")
    assert str(named).split("\n")[0] == "2 bᵀ X"
    v = draw(X=(4, 3), w=(3,), y=(4,))
    assert_allclose(named.evaluate(v), 2 * (v["X"] @ v["w"] - v["y"]) @ v["X"])
    assert "∂z/∂w = 2 (X w - y)ᵀ X" in example("squared_errors")


@pytest.mark.parametrize("value", ["(<x, w> - y)^2 where y: ()", "||X w - y||^2"])
def test_003_examples_in_steps(value: str) -> None:
    steps = md.diff(value, "w", layout="numerator").steps()
    assert steps.check()
    assert "∂f/∂a = ∂f/∂b ∂b/∂a = 2 b" in steps.text()


def test_layouts_agree_on_numbers(draw: Draw) -> None:
    v = draw(X=(4, 3), w=(3,), y=(4,))
    both = [md.diff("||X w - y||^2", "w", layout=k).evaluate(v) for k in ("mixed", "numerator")]
    assert np.array_equal(*both)


def test_003_graph(example: Example) -> None:
    """The graph of (<x, w> - y)², explicit, and pruned to what the gradient by w needs."""
    printed = example("graphs")
    for label in ("⟨·,·⟩", "−", "·²"):
        assert f'(("{label}"))' in printed
    program = md.parse("y: (); a = <x, w>; b = a - y; b^2 + exp(<x, x>)")
    whole, pruned = (computation_graph(program, names) for names in ((), ("w",)))
    assert len(whole.vertices) > len(pruned.vertices)
    assert {vertex.label for vertex in pruned.vertices if vertex.known} == {"x", "y", "exp(<x, x>)"}


def test_003_modes(example: Example) -> None:
    """FLOPs O(n k) forward and O(n) reverse; memory O(1) forward and O(n) reverse."""
    steps = runpy.run_path(str(EXAMPLES / "modes.py"))["steps"]

    def flops(n: int, k: int, mode: str) -> int:
        costs = md.modes(steps(n, k), [f"a{j}" for j in range(k)])
        return int(costs[mode].polynomials.derivative.leading.terms[("M",)])

    for mode, each in (("forward", 1), ("reverse", 0)):
        # What n and k add together beyond what each adds alone.
        both = flops(12, 6, mode) - flops(12, 2, mode) - flops(4, 6, mode) + flops(4, 2, mode)
        assert both == each * (12 - 4) * (6 - 2)

    def kept(n: int, mode: str) -> float:
        sizes = {"M": 100_000}
        cost = md.modes(steps(n, 1), "a0", sizes=sizes)[mode]
        return cost.at(**sizes).peak_memory / (8 * sizes["M"])

    assert kept(16, "forward") == pytest.approx(kept(4, "forward"), rel=0.01)
    assert kept(16, "reverse") - kept(4, "reverse") == pytest.approx(12, rel=0.01)
    assert "auto" in example("modes")


def test_003_remat(example: Example) -> None:
    """√n segments: a quarter of the memory for one more forward; cheap layers dropped first."""
    made = runpy.run_path(str(EXAMPLES / "rematerialization.py"))
    tradeoff = made["tradeoff"]
    forward = tradeoff.units.work(tradeoff.plain.schedule.forward)
    point = tradeoff.segments("sqrt")
    assert point.method == "8 segments"
    assert tradeoff.peak(point).bytes < 0.25 * tradeoff.plain.peak
    assert 0.7 < (point.work - tradeoff.plain.work) / forward < 1
    by_count = [tradeoff.segments(m).peak for m in (1, 2, 4, 8)]
    assert by_count == sorted(by_count, reverse=True)
    assert tradeoff.segments(64).peak > by_count[-1]
    printed = example("rematerialization")
    assert "gradients are the same bits" in printed
    assert " segments" in printed
