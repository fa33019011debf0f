"""Values, gradients and Hessians at extreme points: finite, right, and without a warning.

Warnings are errors in this suite, so an overflow on the way to a right answer fails too.
References are computed with 60 digits by mpmath.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mpmath
import numpy as np
import pytest

import matderiv as md

mpmath.mp.dps = 60

Point = Mapping[str, Any]

LOGISTIC = "X: (n, d); w: (d); y: (n)\nsum(log(1 + exp(-y .* (X w))))"
ENTROPY = "Z: (n, k); Y: (n, k)\ncross_entropy(Z, Y)"


def _norm(x: Sequence[Any]) -> Any:
    return mpmath.sqrt(mpmath.fsum(v**2 for v in x))


def _logsumexp(x: Sequence[Any]) -> Any:
    return mpmath.log(mpmath.fsum(mpmath.exp(v) for v in x))


def _softplus(x: Sequence[Any]) -> Any:
    return mpmath.fsum(mpmath.log1p(mpmath.exp(v)) for v in x)


# A scalar program of x alone, its value for mpmath, and the points.
FAR = [[800.0, -800.0, 799.0], [-800.0, -801.0, -802.0], [0.0, 800.0, 800.0]]
CASES: dict[str, tuple[str, Callable[[Sequence[Any]], Any], list[list[float]]]] = {
    "logsumexp": ("logsumexp(x)", _logsumexp, FAR),
    "log sum exp, written out": ("log(sum(exp(x)))", _logsumexp, FAR),
    "softplus": ("sum(softplus(x))", _softplus, FAR),
    "softplus, written out": ("sum(log(1 + exp(x)))", _softplus, FAR),
    "sigmoid": (
        "sum(1 ./ (1 + exp(-x)))",
        lambda x: mpmath.fsum(1 / (1 + mpmath.exp(-v)) for v in x),
        FAR,
    ),
    "norm": ("norm(x)", _norm, [[3e150, 4e150, 0.0], [3e-150, 4e-150, 1e-150], [1e150, 1.0, 0.0]]),
    "norm of a difference": (
        "norm(x - y) where y: (n)",
        lambda x: _norm([v - 1e150 for v in x]),
        [[3e150, 4e150, 0.0]],
    ),
}


def _exact(
    function: Callable[[Sequence[Any]], Any], x: list[float], order: tuple[int, ...]
) -> float:
    """A partial derivative by central differences with hundreds of digits."""
    with mpmath.workdps(900):
        scale = max(map(abs, x))
        step = mpmath.mpf(scale) * mpmath.mpf(10) ** -200

        def nested(point: list[Any], axes: tuple[int, ...]) -> Any:
            if not axes:
                return function(point)
            ends = []
            for sign in (1, -1):
                moved = list(point)
                moved[axes[0]] += sign * step
                ends.append(nested(moved, axes[1:]))
            return (ends[0] - ends[1]) / (2 * step)

        return float(nested([mpmath.mpf(v) for v in x], order))


@pytest.mark.parametrize(
    ("name", "x"), [(name, x) for name, (_, _, points) in CASES.items() for x in points]
)
def test_value_gradient_and_hessian_far_out(name: str, x: list[float]) -> None:
    source, function, _ = CASES[name]
    compiled = md.compile(source, "x", order=2)
    values = {"x": np.array(x), "y": np.full(3, 1e150)}
    value, gradients = compiled.value_and_grad(values)
    axes = range(len(x))
    gradient = [_exact(function, x, (i,)) for i in axes]
    hessian = [[_exact(function, x, (i, j)) for j in axes] for i in axes]
    np.testing.assert_allclose(value, _exact(function, x, ()), rtol=1e-14)
    for found, exact in ((gradients["x"], gradient), (compiled.derivative(values)["x"], hessian)):
        scale = np.max(np.abs(exact))
        assert np.all(np.isfinite(found))
        np.testing.assert_allclose(found, exact, rtol=1e-11, atol=1e-13 * scale)


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
