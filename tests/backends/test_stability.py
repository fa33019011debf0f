"""Values, gradients and Hessians at extreme points: finite, right, and without a warning.

Warnings are errors in this suite, so an overflow on the way to a right answer fails too.
The cases are those of docs/stability.py, whose truth is computed with 900 digits.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import matderiv as md

LOGISTIC = "X: (n, d); w: (d); y: (n)\nsum(log(1 + exp(-y .* (X w))))"
ENTROPY = "Z: (n, k); Y: (n, k)\ncross_entropy(Z, Y)"

PAGE = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "stability.py"))
CASES = {case.title: case for case in PAGE["CASES"]}

# What is known to fall short, as the page says; everything else is right to 1e-10.
SHORT = {
    ("cosine similarity", "Hessian"): "‖x‖⁵ leaves the range of floats",
    ("√(x² + y²) by entries", "Hessian"): "its cube leaves the range of floats, with a warning",
    ("sigmoid in its tail", "value"): "σ by tanh is right to 1e-16 of 1",
    ("sigmoid in its tail", "gradient"): "σ by tanh is right to 1e-16 of 1",
    ("sigmoid in its tail", "Hessian"): "σ by tanh is right to 1e-16 of 1",
    ("log sigmoid", "Hessian"): "1 - σ is right to 1e-16 of 1",
}


def _short(title: str, part: str) -> Any:
    reason = SHORT.get((title, part))
    mark = [pytest.mark.xfail(strict=True, reason=reason)] if reason else []
    return pytest.param(title, part, marks=mark)


@pytest.mark.parametrize(
    ("title", "part"),
    [_short(title, part) for title, case in CASES.items() for part in PAGE["parts_of"](case)],
)
def test_values_and_derivatives_far_out(title: str, part: str) -> None:
    case = CASES[title]
    for x in case.points:
        truth = PAGE["exact"](case, x, part)
        found = PAGE["ours"](case, x, part)
        assert np.all(np.isfinite(found))
        np.testing.assert_allclose(found, truth, rtol=1e-10, atol=1e-10 * np.max(np.abs(truth)))


@pytest.mark.parametrize(("title", "part"), [k for k in SHORT if "leaves" not in SHORT[k]])
def test_what_falls_short_is_still_a_number(title: str, part: str) -> None:
    for x in CASES[title].points:
        assert np.all(np.isfinite(PAGE["ours"](CASES[title], x, part)))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_logistic_regression_at_800(sign: float) -> None:
    compiled = md.compile(LOGISTIC, "w", order=2)
    X = sign * np.array([[800.0, 0.0], [0.0, 800.0], [1.0, -1.0]])
    values = {"X": X, "w": np.ones(2), "y": np.array([1.0, -1.0, 1.0])}
    value, gradients = compiled.value_and_grad(values)
    assert value == pytest.approx(800.0 + np.log(2.0), rel=1e-15)
    wrong = 1 if sign > 0 else 0  # the row that is classified wrongly
    slope = 800.0 * np.eye(2)[wrong] + [-0.5 * sign, 0.5 * sign]
    np.testing.assert_allclose(gradients["w"], slope, rtol=1e-14)
    expected = 0.25 * np.array([[1.0, -1.0], [-1.0, 1.0]])
    np.testing.assert_allclose(compiled.derivative(values)["w"], expected, atol=1e-14)


def test_cross_entropy_at_800() -> None:
    compiled = md.compile(ENTROPY, "Z", order=2)
    Z = np.array([[800.0, -800.0, 0.0], [-800.0, 800.0, 800.0]])
    values = {"Z": Z, "Y": np.eye(3)[[1, 2]]}
    value, gradients = compiled.value_and_grad(values)
    assert value == pytest.approx((1600.0 + np.log(2.0)) / 2, rel=1e-15)
    np.testing.assert_allclose(gradients["Z"], [[0.5, -0.5, 0.0], [0.0, 0.25, -0.25]], atol=1e-15)
    assert np.all(np.isfinite(compiled.derivative(values)["Z"]))


def test_the_norm_at_zero() -> None:
    """The subgradient of least norm; the second derivative follows the same rule."""
    compiled = md.compile("norm(x)", "x", order=2)
    value, gradients = compiled.value_and_grad({"x": np.zeros(3)})
    assert value == 0.0
    np.testing.assert_array_equal(gradients["x"], 0.0)
    np.testing.assert_array_equal(compiled.derivative({"x": np.zeros(3)})["x"], 0.0)


@pytest.mark.parametrize("scale", [1e150, 1e-150, 1.0])
def test_logdet_of_badly_scaled_matrices(scale: float) -> None:
    compiled = md.compile("logdet(S) where S: (n, n) posdef", "S", order=2)
    A = np.array([[2.0, 1.0, 0.0], [1.0, 3.0, 0.5], [0.0, 0.5, 1.0]])
    value, gradients = compiled.value_and_grad({"S": scale * A})
    inverse = np.linalg.inv(A)
    assert value == pytest.approx(np.linalg.slogdet(A)[1] + 3 * np.log(scale), rel=1e-14)
    np.testing.assert_allclose(gradients["S"] * scale, inverse, rtol=1e-12, atol=1e-15)
    hessian = compiled.derivative({"S": scale * A})["S"] * scale * scale
    expected = -np.einsum("jk,li->ijkl", inverse, inverse)
    np.testing.assert_allclose(hessian, expected, atol=1e-12)


def test_logdet_of_a_diagonal_over_300_orders_of_magnitude() -> None:
    compiled = md.compile("logdet(S) where S: (n, n) posdef", "S")
    value, gradients = compiled.value_and_grad({"S": np.diag([1e150, 1.0, 1e-150])})
    assert value == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(np.diag(gradients["S"]), [1e-150, 1.0, 1e150], rtol=1e-14)
