"""Where the best order of operations depends on the sizes, the condition is printed, and holds."""

from __future__ import annotations

import random

import pytest

import matderiv as md
from matderiv.commands import main
from matderiv.generate import program_choices
from matderiv.program.choices import Choices, formulas

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
