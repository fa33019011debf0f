"""Modes of accumulation: equal values, counts that are executed, and the textbook's costs."""

from __future__ import annotations

import numpy as np
import pytest

import matderiv as md
from matderiv.commands import main
from matderiv.program.compiled import CompiledFunction
from matderiv.program.polynomial import Polynomial
from matderiv.reports.modes import MODE_FORMATS, compare
from tests.program.counting import count

CHAIN = "W1: (b, a); W2: (c, b); W3: (d, c); x: (a)\nW3 tanh(W2 tanh(W1 x))"
PROGRAMS = {
    "chain": (CHAIN, ["x"]),
    "softmax": ("softmax(A x)", ["x", "A"]),
    "normalised": ("x / norm(x)", ["x"]),
    "scalar value": ("||X w - y||^2", ["w", "X"]),
    "scalar variable": ("inv(X' X + t eye(n)) b where X: (m, n), b: (n), t: ()", ["t"]),
    "shared": ("h = tanh(A x); h .* (B h) where A: (n, n), B: (n, n)", ["x"]),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_modes_agree_and_cost_what_is_predicted(name: str) -> None:
    source, wrt = PROGRAMS[name]
    program = md.parse(source)
    sizes = {dim: 3 + k for k, dim in enumerate(md.cost(program, wrt).sizes)}
    random = np.random.default_rng(0)
    values = {
        key: random.normal(size=[sizes[str(dim)] for dim in entry.shape])
        for key, entry in program.inputs.items()
    }
    expected = {key: d.evaluate(values) for key, d in md.diff(program, wrt).items()}
    for cost in md.modes(program, wrt, sizes=sizes).values():
        function = CompiledFunction(cost.plan)
        found = function.derivative(values)
        for key, array in expected.items():
            np.testing.assert_allclose(found[key], array, rtol=1e-9, atol=1e-12)
        flops, _ = count(function.module, "derivative", **values)
        assert flops == pytest.approx(float(cost.at(**sizes).derivative), abs=1e-6)


@pytest.mark.parametrize("name", PROGRAMS)
def test_auto_costs_no_more_than_either(name: str) -> None:
    source, wrt = PROGRAMS[name]
    costs = md.modes(source, wrt)
    at = {mode: float(cost.at().derivative) for mode, cost in costs.items()}
    assert at["auto"] <= min(at.values()) + 1e-9


def test_the_ends_of_a_chain_decide_between_the_pure_modes() -> None:
    """Reverse carries value × intermediate, forward intermediate × variable."""
    costs = md.modes(CHAIN, "x")
    a, b, c, d = (Polynomial.of(name) for name in "abcd")
    assert costs["reverse"].polynomials.derivative.leading == 2 * b * c * d + 2 * a * b * d
    assert costs["forward"].polynomials.derivative.leading == 2 * a * b * c + 2 * a * c * d


@pytest.mark.parametrize(
    "sizes", [{"a": 2, "b": 90, "c": 91, "d": 92}, {"a": 92, "b": 90, "c": 91, "d": 2}]
)
def test_generated_code_takes_the_cheaper_mode(sizes: dict[str, int]) -> None:
    cost = md.cost(CHAIN, "x", sizes=sizes)
    pure = md.modes(CHAIN, "x", sizes=sizes)
    best = min(float(mode.at(**sizes).derivative) for mode in pure.values())
    assert float(cost.at(**sizes).derivative) <= 1.01 * best


@pytest.mark.parametrize("format", MODE_FORMATS)
def test_the_table_has_a_row_for_each_mode(format: str) -> None:
    text = compare(md.modes(CHAIN, "x"), format)
    assert all(mode in text for mode in ("reverse", "forward", "auto"))


def test_the_command_compares_modes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flops", CHAIN, "wrt", "x", "--modes", "--at", "a=4,b=5,c=6,d=7"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("reverse  2 a b d + 2 b c d")
    assert main(["flops", CHAIN, "--modes"]) == 2
    assert "differentiate by what?" in capsys.readouterr().err
