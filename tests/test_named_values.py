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


@pytest.mark.parametrize("text", ["h = A x", "h = A x; h", "L = ||A x||^2", "L = ||A x||^2; L"])
def test_a_value_by_its_own_name_is_the_identity(text: str) -> None:
    """The last statement is the value, be it the name alone or what it is assigned."""
    name = text[0]
    at = {"A": np.arange(6.0).reshape(2, 3), "x": np.ones(3)}
    derivative = md.diff(text, name)
    identity = np.eye(2) if name == "h" else np.ones(())
    np.testing.assert_array_equal(derivative.evaluate(at), identity)
    assert derivative.check()
    if name == "L":
        assert md.compile(text, name).value_and_grad(at)[1][name] == 1.0


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


ROOTS = {
    "r = norm(x); log(r)": "x/r^2 where r = ||x||",
    "r = norm(x - y); λ/2 (r - α)^2": "lambda (r - alpha)/r (x - y) where r = ||x - y||",
    "r = sqrt(x' S x); r^3": "3 r S x where r = sqrt(x' S x)",
    "r = -2 sqrt(x' S x); r^3": "12 r S x where r = -2 sqrt(x' S x)",
    "r = (x' S x)^(1/3); exp(r)": "2 exp(r)/(3 r^2) S x where r = (x' S x)^(1/3)",
    "r = 1/(λ + x' S x); r^2": "-4 r^3 S x where r = 1/(lambda + x' S x)",
    "d = sqrt(x.^2 + 1); sum(d)": "x ./ d where d = sqrt(x.^2 + 1)",
}


@pytest.mark.parametrize("text", ROOTS)
def test_the_slope_of_a_named_root_is_told_by_its_name(text: str) -> None:
    """∂y/∂x = c^k/k y^(1 - k) of y = c x^(1/k); the value is that of the text without names."""
    program = md.parse(f"{text} where x: (n), S: (n, n) symmetric")
    derivative = md.diff(program, "x")
    assert derivative.to("ascii") == ROOTS[text]
    random = np.random.default_rng(2)
    root = random.normal(size=(3, 3))
    at = {"x": random.normal(size=3), "y": random.normal(size=3), "S": root @ root.T}
    at |= {"λ": 0.7, "α": 0.4}
    name, definition = text.split(";")[0].split(" = ")
    plain = text.split("; ")[1].replace(f"({name})", name).replace(name, f"({definition})", 1)
    plain += " where x: (n), S: (n, n) symmetric"
    given = {key: value for key, value in at.items() if key in program.inputs}
    np.testing.assert_allclose(
        derivative.evaluate(given), md.diff(plain, "x").evaluate(given), rtol=1e-12
    )


@pytest.mark.parametrize("text", ["r = norm(x); (r - 1)^2", "r = norm(x); log(1 + r)"])
def test_the_slope_of_a_named_norm_is_0_at_0(text: str) -> None:
    at = {"x": np.zeros(3)}
    assert not md.diff(text, "x").evaluate(at).any()
    assert not md.compile(text, "x").value_and_grad(at)[1]["x"].any()


VALUES = [  # primitives whose derivative is told by their value
    "P = softmax(A x); y' P",
    "P = A^-1; tr(P B)",
    "d = det(A); d^2",
    "S = sqrtm(M); x' S x",
    "L = chol(M); x' L x",
    "r = ||X||_op; r^2",
    "P = pinv(X); sum(P)",
    "P = expm(A); y' P x",
]


@pytest.mark.parametrize("text", VALUES)
def test_a_primitive_of_a_derivative_is_told_by_its_name(text: str) -> None:
    """What the user named is written once, where the name is explained."""
    where = " where A, B: (n, n), M: (n, n) posdef, X: (n, k), x, y: (n)"
    program = md.parse(text + where)
    wrt = next(name for name in "AMX" if name in program.inputs)
    derivative = md.diff(program, wrt)
    name, definition = text.split(";")[0].split(" = ")
    head, _, below = derivative.to("ascii").partition(f" where {name} = ")
    assert definition not in head
    assert definition not in below[len(definition) :]
    plain = text.split("; ")[1].replace(name, f"({definition})") + where
    random = np.random.default_rng(3)
    shapes = {key: [{"n": 3, "k": 2}[d] for d in e.shape] for key, e in program.inputs.items()}
    at = {key: random.uniform(0.5, 1.5, size=shape) for key, shape in shapes.items()}
    at |= {key: at[key] @ at[key].T + np.eye(3) for key in "AM" if key in at}
    np.testing.assert_allclose(
        derivative.evaluate(at), md.diff(plain, wrt).evaluate(at), rtol=1e-10, atol=1e-12
    )
