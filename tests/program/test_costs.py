"""Costs as formulas: the counts the notes ask for, and memory as it is measured."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy

import matderiv as md
from matderiv.errors import MatderivError
from matderiv.program.compiled import CompiledFunction
from matderiv.program.counting import LINEAR_ALGEBRA, WEIGHTS
from tests.program.measuring import measure

DOCS = Path(__file__).parents[2] / "docs"
TWO_LAYERS = "x: (B, D); w1: (D, D); w2: (D, K)\nh1 = x @ w1\nh2 = h1 @ w2\nh2.pow(2).mean()"
B, D, K = sympy.symbols("B D K", positive=True)


def test_a_matrix_product_costs_2k_minus_1_for_each_entry() -> None:
    cost = md.cost("A B where A: (N, M), B: (M, P)")
    n, m, p = sympy.symbols("N M P", positive=True)
    assert sympy.expand(cost.forward - (2 * m - 1) * n * p) == 0
    assert cost.leading.forward == 2 * n * m * p


def test_backward_is_twice_forward_with_the_input_gradient() -> None:
    cost = md.cost(TWO_LAYERS, ["w1", "w2"]).leading
    assert sympy.expand(cost.forward - (2 * B * D**2 + 2 * B * D * K)) == 0
    assert sympy.expand(cost.backward - (2 * B * D**2 + 4 * B * D * K)) == 0
    assert md.cost(TWO_LAYERS, ["w1", "w2", "x"]).leading.ratio == 2


def test_the_table_adds_up() -> None:
    cost = md.cost(TWO_LAYERS, ["w1", "w2"])
    rows = cost.table()
    for phase, total in (("forward", cost.forward), ("backward", cost.backward)):
        parts = [row.exact.to_sympy() for row in rows if row.phase == phase]
        assert sympy.expand(sum(parts) - total) == 0
    assert {row.name for row in rows} >= {"h1", "h2", "w1.grad", "w2.grad"}
    assert rows[0].formula == "matmul(x, w1)"


def test_solving_is_chosen_over_the_inverse_once_and_one_factor_when_it_is_needed_often() -> None:
    once = md.compile("A: (n, n); b: (n)\nb' A^-1 b", [])
    assert "linalg.solve" in once.source
    assert "linalg.inv" not in once.source
    both = md.compile("S: (n, n) posdef; x: (n)\nlogdet(S) + x' S^-1 x", ["S"])
    functions = [step.function for step in both.plan.steps]
    assert functions.count("linalg.cholesky") == functions.count("inverse_of_lower") == 1
    assert not {"linalg.inv", "linalg.solve", "linalg.slogdet"} & set(functions)


@pytest.mark.parametrize("sizes", [{"q": 3}, {"n": 3, "q": 3}, {"n": 0}, {"n": 2.5}])
def test_sizes_that_are_none_are_refused(sizes: dict[str, int]) -> None:
    source, message = "||X w - y||^2", r"q is no size here|size n is a positive integer"
    for call in (md.cost, md.compile, md.modes):
        with pytest.raises(MatderivError, match=message):
            call(source, "w", sizes=sizes)
    with pytest.raises(MatderivError, match=message):
        md.cost(source, "w").at(**sizes)
    with pytest.raises(MatderivError, match=message):
        md.compile(source, "w").memory(**sizes)


def test_association_follows_the_sizes() -> None:
    n = sympy.Symbol("n", positive=True)
    assert md.cost("A B x where A: (n, n), B: (n, n)").leading.forward == 4 * n**2


def _peak(function: CompiledFunction, values: dict[str, Any]) -> int:
    names = [function._names.inputs[v] for v in function.plan.inputs]
    return measure(function.module.value_and_grad, **{name: values[name] for name in names})


@pytest.mark.parametrize(
    "source, wrt",
    [
        (TWO_LAYERS, ["w1", "w2"]),
        ("x: (B, D); w: (D, K); y: (B, K)\n||relu(x w) - y||^2", ["w"]),
        ("x: (B, D); w: (D, K); y: (B, K)\nsum(tanh(x w) .* y)", ["w", "y"]),
    ],
)
def test_predicted_peak_is_the_measured_one(source: str, wrt: list[str]) -> None:
    function = md.compile(source, wrt)
    sizes = {"B": 120, "D": 100, "K": 90}
    rng = np.random.default_rng(0)
    values = {
        v.name: rng.normal(size=[sizes[str(d)] for d in v.shape]) for v in function.plan.inputs
    }
    predicted = function.cost.at(**sizes).peak_memory
    assert _peak(function, values) == pytest.approx(predicted, rel=0.02)


def test_the_tables_of_the_counting_rule_are_fresh() -> None:
    made = runpy.run_path(str(DOCS / "counting.py"))["page"]
    text = (DOCS / "counting.md").read_text("utf-8")
    assert made(text) == text, "run: python docs/counting.py"


def test_every_factorisation_has_its_count_in_the_page() -> None:
    text = (DOCS / "counting.md").read_text("utf-8")
    assert all(f"`{name}`" in text for name in LINEAR_ALGEBRA)
    assert all(f"`{name.rpartition('.')[2]}`" in text for name in WEIGHTS)
