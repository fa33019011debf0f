"""`scipy.optimize` on generated code, to convergence."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from scipy.optimize import approx_fprime, minimize

import matderiv as md
from matderiv.errors import UnsupportedError
from matderiv.wrappers import Objective, as_objective, compile_hessian_product

LOGISTIC = "sum(log(1 + exp(-y .* (X w)))) + 1/2 w' w"
FACTORS = "||T - U V'||_F^2 where U: (n, k), V: (m, k), T: (n, m)"


@pytest.fixture
def logistic() -> Objective:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 5))
    values = {"X": X, "y": np.sign(X @ rng.normal(size=5) + rng.normal(size=60))}
    return as_objective(LOGISTIC, "w", values)


@pytest.mark.parametrize("method", ["BFGS", "Newton-CG", "trust-ncg", "trust-exact"])
def test_logistic_regression_converges(logistic: Objective, method: str) -> None:
    second = {"BFGS": {}, "trust-exact": {"hess": logistic.hess}}
    more = second.get(method, {"hessp": logistic.hessp})
    start = logistic.pack(w=np.zeros(5))
    options = {"gtol": 1e-9} if method.startswith("trust") else {}
    found = minimize(logistic.fun, start, jac=logistic.jac, method=method, options=options, **more)
    assert np.max(np.abs(logistic.jac(found.x))) < 1e-4


def test_second_derivatives_agree_with_differences_of_the_first(logistic: Objective) -> None:
    rng = np.random.default_rng(1)
    x, p = logistic.pack(w=rng.normal(size=5)), rng.normal(size=5)
    dense = logistic.hess(x)
    np.testing.assert_allclose(logistic.hessp(x, p), dense @ p, rtol=1e-10)
    np.testing.assert_allclose(dense, approx_fprime(x, logistic.jac, 1e-7), rtol=1e-4, atol=1e-4)


def test_matrix_factorisation_finds_the_truncated_svd() -> None:
    rng = np.random.default_rng(0)
    T = rng.normal(size=(8, 6))
    f = as_objective(FACTORS, ["U", "V"], {"T": T})
    start = f.pack(U=rng.normal(size=(8, 2)), V=rng.normal(size=(6, 2)))
    options = {"gtol": 1e-8, "maxiter": 500}
    found = minimize(f.fun, start, jac=f.jac, hessp=f.hessp, method="trust-ncg", options=options)
    assert found.fun == pytest.approx(np.sum(np.linalg.svd(T)[1][2:] ** 2), rel=1e-9)
    factors = f.unpack(found.x)
    assert factors["U"].shape == (8, 2)
    assert factors["V"].shape == (6, 2)


SEVERAL = {
    FACTORS: (["U", "V"], {"T": (8, 6)}, {"U": (8, 2), "V": (6, 2)}),
    "sum(log(1 + exp(X w + β))) + α w' w where w: (m)": (
        ["β", "w", "α"],
        {"X": (7, 3)},
        {"β": (), "w": (3,), "α": ()},
    ),
    "||tanh(X A + b) c - y||^2 where b: (k), c: (k)": (
        ["c", "A", "b"],
        {"X": (5, 4), "y": (5,)},
        {"c": (2,), "A": (4, 2), "b": (2,)},
    ),
}


@pytest.mark.parametrize("source", SEVERAL)
def test_derivatives_by_several_variables_are_those_of_the_packed_vector(source: str) -> None:
    wrt, fixed, shapes = SEVERAL[source]
    rng = np.random.default_rng(2)
    f = as_objective(source, wrt, {name: rng.normal(size=fixed[name]) for name in fixed})
    x = f.pack(**{name: rng.normal(size=shape) for name, shape in shapes.items()})
    assert [part.shape for part in f.unpack(x).values()] == [shapes[name] for name in wrt]
    dense, along = f.hess(x), rng.normal(size=x.size)
    np.testing.assert_allclose(f.jac(x), approx_fprime(x, f.fun, 1e-7), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(dense, approx_fprime(x, f.jac, 1e-7), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(f.hessp(x, along), dense @ along, rtol=1e-9, atol=1e-9)


def test_a_start_is_packed_only_where_its_shape_is_open() -> None:
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(6, 4)), rng.normal(size=6)
    known = as_objective("||X w - y||^2 + β^2", ["w", "β"], {"X": X, "y": y})
    assert known.jac(np.ones(5)).shape == (5,)
    assert known.unpack(np.arange(5.0))["w"].tolist() == [0, 1, 2, 3]
    alone = as_objective("x' x - ρ", "x", {"rho": 2.0})
    assert [alone.fun(np.ones(size)) for size in (2, 5)] == [0.0, 3.0]
    with pytest.raises(UnsupportedError, match="pack a starting point"):
        as_objective(FACTORS, ["U", "V"], {"T": X}).fun(np.zeros(20))
    with pytest.raises(md.ShapeError, match=r"expected \(5,\) for w \(4,\), β \(\)"):
        known.fun(np.ones(4))


def test_fixed_values_are_looked_at_first() -> None:
    X, y = np.ones((6, 4)), np.ones(6)
    with pytest.raises(md.ShapeError, match="y must have shape"):
        as_objective("||X w - y||^2", "w", {"X": X, "y": y[:3]})
    with pytest.raises(md.NameResolutionError, match="no value is given for y"):
        as_objective("||X w - y||^2", "w", {"X": X})
    with pytest.raises(md.ShapeError, match="an objective is a number"):
        as_objective("X w - y", "w", {"X": X, "y": y})


def test_a_product_with_the_hessian_mixes_variables() -> None:
    f = compile_hessian_product("x' A y where x: (n), y: (m)", ["x", "y"])
    A, x, y = np.arange(6.0).reshape(2, 3), np.ones(2), np.ones(3)
    found = f.derivative({"A": A, "x": x, "y": y, "dx": np.ones(2), "dy": np.zeros(3)})
    np.testing.assert_allclose(found["x"], 0.0)
    np.testing.assert_allclose(found["y"], A.sum(0))


@pytest.mark.parametrize(
    ("source", "wrt"),
    [
        (LOGISTIC, ["w"]),
        (FACTORS, ["U", "V"]),
        ("logdet(S) + x' S^-1 x where S: (n, n) posdef", ["S", "x"]),
    ],
)
def test_a_product_with_the_hessian_checks_itself(source: str, wrt: list[str]) -> None:
    source = compile_hessian_product(md.parse(source), wrt).source
    module: dict[str, Any] = {"__name__": "generated"}
    exec(source, module)
    assert module["self_check"]() == 0
    wrong = re.sub(r"derivatives = \{'(\w+)': (\w+)", r"derivatives = {'\1': -\2", source)
    assert wrong != source
    exec(wrong, module)
    assert module["self_check"]() == 1


def test_a_point_that_does_not_fit_is_refused_in_words(logistic: Objective) -> None:
    with pytest.raises(md.NameResolutionError, match="no starting value is given for w"):
        logistic.pack(v=np.zeros(5))
    with pytest.raises(md.ShapeError, match="not an array of real numbers"):
        logistic.pack(w=["a"])
    logistic.pack(w=np.zeros(5))
    for call in (logistic.fun, logistic.jac, logistic.hess, logistic.unpack):
        with pytest.raises(md.ShapeError, match=r"expected \(5,\)"):
            call(np.zeros(6))
    with pytest.raises(md.ShapeError, match=r"expected \(5,\)"):
        logistic.hessp(np.zeros(5), np.zeros(4))


@pytest.mark.parametrize("name", ["λ_1", "lambda1", "λ1"])
def test_a_variable_is_packed_by_any_of_its_spellings(name: str) -> None:
    f = as_objective("λ_1^3", "lambda_1", {})
    assert f.fun(f.pack(**{name: 2.0})) == 8.0
