"""Derivatives by a value that the program computes, beside those by its inputs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import matderiv as md
from matderiv.errors import NameResolutionError

SOURCE = "h1 = x w1; h2 = tanh(h1) w2; L = mean(h2.^2); L"
SHAPES = {"x": ("B", "D"), "w1": ("D", "M"), "w2": ("M", "K")}
SIZES = {"B": 2, "D": 3, "M": 4, "K": 5}


def values() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        name: random.normal(size=[SIZES[dim] for dim in shape]) for name, shape in SHAPES.items()
    }


@pytest.mark.parametrize("name", ["h1", "h2", "w1", "w2", "x"])
def test_derivative_passes_its_check(name: str) -> None:
    assert md.diff(SOURCE, name, shapes=SHAPES).check()


def test_chain_rule_through_a_named_value() -> None:
    """∂L/∂w1 = x' ∂L/∂h1, the inner derivative computed from the inputs alone."""
    found = md.diff(SOURCE, ["h1", "w1"], shapes=SHAPES)
    at = values()
    assert list(found) == ["h1", "w1"]
    np.testing.assert_allclose(
        found["w1"].evaluate(at), at["x"].T @ found["h1"].evaluate(at), rtol=1e-12
    )


def test_a_given_value_overrides_the_computed_one() -> None:
    by_h2 = md.diff(SOURCE, "h2", shapes=SHAPES)
    assert not by_h2.evaluate({**values(), "h2": np.zeros((2, 5))}).any()


def test_code_gives_the_same_gradients() -> None:
    found = md.diff(SOURCE, ["h1", "w1"], shapes=SHAPES)
    gradients = md.compile(SOURCE, ["h1", "w1"], shapes=SHAPES).value_and_grad(values())[1]
    for name, derivative in found.items():
        np.testing.assert_allclose(gradients[name], derivative.evaluate(values()), rtol=1e-12)


def test_second_order_by_a_named_value() -> None:
    assert md.diff("h = A x; ||h||^2", "h", order=2).to("ascii") == "2 eye(n)"


def test_an_unknown_name_is_still_refused() -> None:
    with pytest.raises(NameResolutionError, match="h3"):
        md.diff(SOURCE, "h3", shapes=SHAPES)


CLAUSE = [
    "Q = K / sum(K)",
    "K = h(D)",
    "h(t) = 1/(1 + g(t)): elementwise",
    "g(t) = t^2: elementwise",
]


@pytest.mark.parametrize("order", list(itertools.permutations(range(len(CLAUSE)))))
def test_a_where_clause_reads_in_any_order(order: tuple[int, ...]) -> None:
    text = "tr(P Q) where " + ", ".join(CLAUSE[k] for k in order) + ", P, D: (n, n)"
    straight = "tr(P Q) where " + ", ".join(reversed(CLAUSE)) + ", P, D: (n, n)"
    assert str(md.diff(text, "D")) == str(md.diff(straight, "D"))
