"""What the functions of every backend take for an array: any real numbers, and nothing else."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import matderiv as md
from matderiv import wrappers
from matderiv.program.compiled import CompiledFunction

SCALAR, VECTOR = "x' A x + λ sum(x)", "tanh(A x) + λ x"
A, X, RATE = np.array([[2.0, -1.0], [0.5, 3.0]]), np.array([1.0, 2.0]), 0.1
TAKEN: dict[str, Callable[[np.ndarray], Any]] = {
    "lists": np.ndarray.tolist,
    "tuples": lambda array: tuple(map(tuple if array.ndim == 2 else float, array)),
    "integers": lambda array: array.astype(int) if np.all(array == array.round()) else array,
    "by columns": np.asfortranarray,
    "every second": lambda array: np.repeat(array, 2, axis=-1)[..., ::2],
}
REFUSED = [np.array([1j, 2]), "ab", None, [object, 1], [[1.0], 1.0], [10**400, 1], X[:, None]]
REFUSED += [["1", "2"]]


@pytest.fixture(params=["numpy", "numba", "jax", "torch"])
def backend(request: pytest.FixtureRequest) -> str:
    if request.param != "numpy":
        pytest.importorskip(request.param, reason=f"{request.param} is not installed")
    return str(request.param)


def _compiled(source: str, backend: str) -> CompiledFunction:
    return md.compile(source, "x", backend=backend)


def _digits(backend: str) -> float:
    """JAX alone computes in float32 unless it is told otherwise."""
    return 1e-6 if backend == "jax" else 1e-15


@pytest.mark.parametrize("form", TAKEN)
def test_any_real_numbers_are_float64(backend: str, form: str) -> None:
    """A Python number, an integer, a list: each counts with all of its digits."""
    function = _compiled(SCALAR, backend)
    values = {"A": TAKEN[form](A), "x": TAKEN[form](X), "λ": RATE}
    value, gradients = function.value_and_grad(values)
    digits = _digits(backend)
    np.testing.assert_allclose(float(value), X @ A @ X + RATE * X.sum(), rtol=digits)
    np.testing.assert_allclose(np.asarray(gradients["x"]), (A + A.T) @ X + RATE, rtol=digits)


def test_inputs_of_several_types_meet_in_the_largest(backend: str) -> None:
    function = _compiled(SCALAR, backend)
    mixed = {"A": A.astype(np.float32), "x": X, "λ": RATE}
    found = function.value_and_grad(mixed)[1]["x"]
    np.testing.assert_allclose(np.asarray(found), (A + A.T) @ X + RATE, rtol=_digits(backend))
    single = {"A": A.astype(np.float32), "x": X.astype(np.float32), "λ": RATE}
    assert "float32" in str(function.value_and_grad(single, 2.0)[1]["x"].dtype)


@pytest.mark.parametrize("value", REFUSED, ids=repr)
def test_what_is_no_array_of_real_numbers_is_refused(backend: str, value: Any) -> None:
    function = _compiled(SCALAR, backend)
    with pytest.raises(md.MatderivError):
        function.value_and_grad({"A": A, "x": value, "λ": RATE})
    with pytest.raises(md.MatderivError):
        function.forward({"A": A, "x": X, "λ": value})


@pytest.mark.parametrize("value", [np.array([1j, 2]), X[:, None]], ids=["complex", "column"])
def test_a_refusal_names_the_input(backend: str, value: Any) -> None:
    with pytest.raises(md.ShapeError, match=r"\bx (has|is)\b"):
        _compiled(SCALAR, backend).value_and_grad({"A": A, "x": value, "λ": RATE})


def test_a_wrapped_program_takes_arrays_in_order_or_by_name(backend: str) -> None:
    if backend not in ("jax", "torch"):
        pytest.skip("no wrapper for its autograd")
    module = importlib.import_module(backend)
    array = module.numpy.asarray if backend == "jax" else module.as_tensor
    function = getattr(wrappers, f"as_{backend}")("x_1' A y + λ sum(y)", ["x_1", "y"])
    names = ["x_1", "A", "y", "λ"]
    values = dict(zip(names, map(array, map(np.asarray, [X, A, 3 * X, RATE])), strict=True))
    want = float(3 * X @ A @ X + RATE * 3 * X.sum())
    for given in range(len(names) + 1):
        ordered, named = names[:given], reversed(names[given:])
        found = function(*map(values.get, ordered), **{name: values[name] for name in named})
        np.testing.assert_allclose(float(found), want, rtol=_digits(backend))
    x1 = values.pop("x_1")
    np.testing.assert_allclose(float(function(x1=x1, **values)), want, rtol=_digits(backend))
    wrong: list[Callable[[], Any]] = [
        function,
        lambda: function(x1),
        lambda: function(values),
        lambda: function(x1, **values, z=1),
        lambda: function(x1, x_1=x1, **values),
        lambda: function(x1, values["A"], values["y"], values["λ"], x1),
        lambda: function(**values, z=1),
    ]
    for call in wrong:
        with pytest.raises(md.NameResolutionError):
            call()


def test_a_cotangent_has_the_shape_of_the_value(backend: str) -> None:
    values = {"A": A, "x": X, "λ": RATE}
    for source, shape in ((SCALAR, ()), (VECTOR, (2,))):
        function = _compiled(source, backend)
        ones = np.ones(shape)
        _, cache = function.forward(values)
        found = function.backward(cache, 3 * ones)["x"]
        np.testing.assert_allclose(found, function.value_and_grad(values, 3 * ones)[1]["x"])
        for wrong in (np.ones(3), np.ones((2, 2)), np.ones((*shape, 1))):
            with pytest.raises(md.MatderivError, match="cotangent has shape"):
                function.backward(function.forward(values)[1], wrong)
            with pytest.raises(md.MatderivError, match="cotangent has shape"):
                function.value_and_grad(values, wrong)


def test_a_singular_matrix_is_no_other_error(backend: str) -> None:
    if backend == "jax":
        pytest.skip("JAX returns what is not finite")
    with pytest.raises(md.DomainError, match="at these values"):
        _compiled("sum(A^-1 x)", backend).value_and_grad({"A": np.zeros((2, 2)), "x": X})
