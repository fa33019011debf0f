"""The JAX modules: equal to NumPy's, pure, and differentiable through `as_jax`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import pytest
from jax.test_util import check_grads

import matderiv as md
from matderiv.wrappers import as_jax
from tests.backends.programs import PROGRAMS, results, values_for


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("name", PROGRAMS)
def test_jax_gives_the_values_of_numpy(name: str) -> None:
    source, wrt, order = PROGRAMS[name]
    ours = md.compile(source, wrt, order=order)
    values, cotangent = values_for(ours)
    theirs = md.compile(source, wrt, order=order, backend="jax")
    expected, found = results(ours, values, cotangent), results(theirs, values, cotangent)
    for key, array in expected.items():
        np.testing.assert_allclose(np.asarray(found[key]), array, rtol=1e-9, atol=1e-9, err_msg=key)


@pytest.mark.parametrize("name", ["mlp", "attention", "ridge solution", "padding"])
def test_jit_compiles_the_whole_function(name: str) -> None:
    source, wrt, order = PROGRAMS[name]
    function = md.compile(source, wrt, order=order, backend="jax")
    values, cotangent = values_for(function)
    extra = {} if cotangent is None else {"cotangent": cotangent}
    call = jax.jit(function.module.value_and_grad)
    plain = function.module.value_and_grad(**values, **extra)
    for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(call(**values, **extra)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


REDUCTIONS = {
    "sum": ("sum(x)", ["x"], 1),
    "mean": ("mean(X, axis=0)", ["X"], 1),
    "trace": ("tr(A)", ["A"], 1),
    "maximum": ("sum(max(X, axis=1))", ["X"], 1),
    "entry": ("x[0] + sum(X[1, :])", ["x", "X"], 1),
    "diagonal": ("diag(A)", ["A"], 1),
    "constant": ("0 sum(x)", ["x"], 1),
    "scalars": ("t^2 sum(ones(2, 3)) where t: ()", ["t"], 1),
}


@pytest.mark.parametrize("name", [*PROGRAMS, *REDUCTIONS])
def test_jit_returns_the_cache_and_takes_it_back(name: str) -> None:
    """Sizes and the float type are read off arrays: what `jit` returns can be nothing else."""
    source, wrt, order = {**PROGRAMS, **REDUCTIONS}[name]
    function = md.compile(source, wrt, order=order, backend="jax")
    values, _ = values_for(function)
    module = function.module
    value, cache = module.forward(**values)
    cotangent = np.random.default_rng(3).normal(size=np.shape(value))
    expected = module.backward(cache, cotangent)
    value, cache = jax.jit(module.forward)(**values)
    found = jax.jit(module.backward)(cache, cotangent)
    for key, array in expected.items():
        np.testing.assert_allclose(found[key], array, rtol=1e-9, atol=1e-12, err_msg=key)


def test_a_module_needs_jax_alone() -> None:
    source = md.compile("||X w - y||^2", "w", backend="jax").source
    imports = [line for line in source.splitlines() if line.startswith(("import", "from"))]
    assert imports == ["import jax.numpy as jnp"]
    assert "X @ w" in source
    assert "del " not in source


def test_as_jax_is_differentiated_by_our_gradients() -> None:
    function = as_jax("softmax(A x)", ["A", "x"])
    rng = np.random.default_rng(0)
    arrays = rng.normal(size=(5, 3)), rng.normal(size=3)
    check_grads(function, arrays, 1, modes=["rev"])

    def first(A: Any, x: Any) -> Any:
        return function(A, x)[0]

    expected = jax.grad(lambda A, x: jax.nn.softmax(A @ x)[0])(*arrays)
    np.testing.assert_allclose(jax.jit(jax.grad(first))(*arrays), expected, rtol=1e-9, atol=1e-12)


def test_a_gradient_that_was_not_asked_for_is_no_zero() -> None:
    function = as_jax("||X w - y||^2", "w")
    arrays = np.ones((3, 2)), np.ones(2), np.zeros(3)
    assert np.all(np.isnan(jax.grad(function, argnums=0)(*arrays)))
    np.testing.assert_allclose(jax.grad(function, argnums=1)(*arrays), [12.0, 12.0])


def test_float32_stays_float32() -> None:
    function = md.compile("||X w - y||^2", "w", backend="jax")
    values, _ = values_for(function)
    single = {name: np.float32(value) for name, value in values.items()}
    value, gradients = function.value_and_grad(single)
    assert value.dtype == gradients["w"].dtype == np.float32
