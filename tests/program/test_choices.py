"""Where the best order of operations depends on the sizes, the condition is printed, and holds."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

import matderiv as md
from matderiv.commands import main
from matderiv.generate import _prepare, program_choices
from matderiv.program.choices import Choices, formulas
from matderiv.program.cost import Cost
from matderiv.program.plan import Plan, Problem
from tests.program.counting import count

PRODUCT = "A B C where A: (n, k), B: (k, n), C: (n, n)"


def choices(source: str, *wrt: str, **sizes: int) -> Choices:
    return program_choices(md.parse(source), wrt, sizes=sizes)


def test_the_condition_of_a_product_of_three() -> None:
    (line,) = choices(PRODUCT).lines()
    assert line.startswith("value = (A B) C if n < k, else A (B C)")
    assert "2 k n^2 + 2 n^3 against 4 k n^2 FLOPs" in line


@pytest.mark.parametrize(
    "source, wrt",
    [
        ("A B x", ()),
        ("||X w - y||^2", ("w",)),
        ("x: (B, D); w1: (D, M); w2: (M, K); h = relu(x w1); ||h w2||^2", ("w1", "w2")),
    ],
)
def test_one_order_is_best_for_all_sizes(source: str, wrt: tuple[str, ...]) -> None:
    assert len(choices(source, *wrt)) == 1
    assert choices(source, *wrt).lines() == []


@pytest.mark.parametrize("source, wrt", [(PRODUCT, ()), ("A B C", ()), ("A B C D", ())])
def test_at_any_sizes_the_planner_takes_one_of_the_choices(source: str, wrt: list[str]) -> None:
    """And the one that its conditions name."""
    found = choices(source, *wrt)
    assert len(found) > 1
    names = list(md.cost(source, wrt).sizes)
    draw = random.Random(0)
    for _ in range(10):
        sizes = {name: draw.choice([40, 300, 2000]) + k for k, name in enumerate(names)}
        planned = md.cost(source, wrt, sizes=sizes).polynomials
        best = min(choice.leading.at(sizes) for choice in found)
        total = (planned.forward + planned.backward).leading.at(sizes)
        assert float(total) <= 1.05 * float(best)


SHARED = [
    (PRODUCT, []),
    ("A B C D", []),
    ("||A B C||_F^2", ["B"]),
    ("X: (n, n); B: (n, k); C: (k, m); X^-1 B C", []),
    ("U: (n, k); V: (m, k); x: (m)\n||U V' x||^2 + tr(U' U V' V)", ["U", "V"]),
    ("A: (n, k); B: (k, n); D: (n, m); y: (m)\nsum(tanh(A B D) y)", ["A"]),
]


@pytest.mark.parametrize("source, wrt", SHARED)
@pytest.mark.parametrize("seed", range(6))
def test_code_for_given_sizes_executes_no_more_than_any_choice(
    source: str, wrt: list[str], seed: int
) -> None:
    """Counted while it runs, to the last unit: what the cheapest variant is predicted to cost."""
    draw = random.Random(seed)
    names = list(md.cost(source, wrt).sizes)
    sizes = {name: draw.choice([2, 3, 5, 9, 14, 30]) + k for k, name in enumerate(names)}

    def predicted(plan: Plan) -> float:
        counts = Cost(plan).polynomials
        return float((counts.forward + counts.backward).at(sizes))

    function = md.compile(source, wrt, sizes=sizes)
    best = min(predicted(choice.plan) for choice in choices(source, *wrt))
    rows = np.random.default_rng(0)
    given = [
        rows.normal(size=[sizes[str(dim)] for dim in variable.shape])
        for variable in function.plan.inputs
        if variable is not function.plan.cotangent
    ]
    executed, _ = count(function.module, "value_and_grad" if wrt else "forward", *given)
    assert executed == pytest.approx(predicted(function.plan))
    assert executed <= best + 1e-9


MANY_PRODUCTS = [
    *SHARED,
    ("x: (n); W: (m, n); V: (m, n); y: (m)\nz = W x\n||V' tanh(z) + x||^2 + z' y", ["x", "W"]),
    ("S: (n, n) posdef; B: (n, k); C: (k, n); y: (n)\nlogdet(S) + y' S^-1 B C S^-1 y", ["S", "B"]),
    (
        "x: (B, M); A: (M, K); C: (K, M); W: (N, M, M)\n"
        "z = x A C; repeat l in N { h = z A C; z = tanh(h W[l] A C) }; ||z A C||^2",
        ["x", "A"],
    ),
]


@pytest.mark.parametrize("source, wrt", MANY_PRODUCTS)
def test_sizes_planned_for_before_change_nothing(source: str, wrt: list[str]) -> None:
    """A lowering goes on from that of other sizes where they part: as if it were the first."""
    graphs, inputs, cotangent, *_ = _prepare(md.parse(source), wrt, 1, "mixed")
    problem = Problem.of(graphs, inputs, cotangent)
    draw, plans = random.Random(source), []
    for _ in range(20):
        sizes = {
            name: draw.choice([2, 40, 300, 20000]) + k for k, name in enumerate(problem.sizes({}))
        }
        plans.append(problem.cheapest(sizes))
        assert plans[-1] == replace(problem).cheapest(sizes)
    assert len({str(plan.steps) for plan in plans}) > 1


def test_what_is_known_of_the_sizes_decides() -> None:
    assert len(choices(PRODUCT, n=10, k=1000)) == 1
    few, many = (
        md.compile(PRODUCT, sizes=s).source for s in ({"n": 9, "k": 99}, {"n": 99, "k": 9})
    )
    assert "(A, B)  #" in few
    assert "(B, C)  #" in many


def test_formulas_show_every_bracket() -> None:
    network = "x: (B, D); w1: (D, M); w2: (M, K); h = relu(x w1); ||h w2||^2"
    found = formulas(md.cost(network, ["w1"]).plan)
    assert found["h"].startswith("maximum(x w1")
    assert found["w1.grad"].startswith("x' (")


def test_the_command_prints_the_condition(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flops", PRODUCT]) == 0
    assert "(A B) C if n < k, else A (B C)" in capsys.readouterr().out
    assert main(["compile", PRODUCT, "--at", "n=9,k=99"]) == 0
    assert "(A, B)  #" in capsys.readouterr().out
