"""The modules compiled by Numba: equal to NumPy's, of the inputs' float type, self-contained."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import matderiv as md
from tests.backends.programs import PROGRAMS, results, values_for
from tests.loops.programs import PROGRAMS as LOOPS
from tests.loops.programs import values as loop_values

pytestmark = pytest.mark.heavy
pytest.importorskip("numba", reason="Numba is not installed: pip install 'matderiv[numba]'")

# Of all functions at once: one module, compiled once.
FUNCTIONS = """
x: (n); A: (n, m)
sum(exp(-x) + log(1 + x .* x) + sin(x) .* cos(x) + tan(0.1 x) + tanh(x) + sinh(x) + cosh(x)
  + asin(0.1 x) + acos(0.1 x) + atan(x) + erf(x) + sigmoid(x) + softplus(x) + relu(x)
  + leaky_relu(x) + elu(x) + gelu(x) + silu(x) + abs(x) + max(x, sin(x)) + min(x, cos(x))
  + normcdf(x)) + sum(softmax(A)) + sum(logsumexp(A)) + sum(max(A)) + norm(A)
"""


@pytest.mark.parametrize(
    "name",
    sorted(PROGRAMS.keys() - {"nuclear", "nuclear, wide", "singular values", "exponential"}),
)
def test_compiled_code_gives_the_values_of_numpy(name: str) -> None:
    source, wrt, order = PROGRAMS[name]
    ours = md.compile(source, wrt, order=order)
    values, cotangent = values_for(ours)
    theirs = md.compile(source, wrt, order=order, backend="numba")
    found = results(theirs, values, cotangent)
    for key, array in results(ours, values, cotangent).items():
        assert np.shape(found[key]) == np.shape(array)
        scale = np.max(np.abs(array)) + 1e-300
        np.testing.assert_allclose(found[key] / scale, array / scale, atol=1e-11, err_msg=key)


@pytest.mark.parametrize("name", ["network", "nested", "two carries", "scalars"])
def test_compiled_loops(name: str) -> None:
    program, wrt = LOOPS[name].program(), LOOPS[name].wrt.split()
    values = loop_values(program, 3)
    value, gradients = md.compile(program, wrt, backend="numba").value_and_grad(values)
    expected, exact = md.compile(program, wrt).value_and_grad(values)
    assert value == pytest.approx(expected, rel=1e-12)
    for key, want in exact.items():
        np.testing.assert_allclose(gradients[key], want, rtol=1e-10, atol=1e-11)


def test_all_functions_in_one_module() -> None:
    rng = np.random.default_rng(0)
    values = {"x": rng.normal(size=7), "A": rng.normal(size=(7, 3))}
    value, gradients = md.compile(FUNCTIONS, ["x", "A"], backend="numba").value_and_grad(values)
    expected, exact = md.compile(FUNCTIONS, ["x", "A"]).value_and_grad(values)
    assert value == pytest.approx(expected, rel=1e-13)
    for key, want in exact.items():
        np.testing.assert_allclose(gradients[key], want, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", ["mlp", "logistic Hessian", "jacobian", "gaussian"])
def test_float32_inputs_give_float32_arrays(name: str) -> None:
    source, wrt, order = PROGRAMS[name]
    function = md.compile(source, wrt, order=order, backend="numba")
    values, cotangent = values_for(function)
    double = results(function, values, cotangent)
    single = {k: v if isinstance(v, int) else np.float32(v) for k, v in values.items()}
    half = None if cotangent is None else np.float32(cotangent)
    for key, array in results(function, single, half).items():
        if np.shape(array):
            assert array.dtype == np.float32, key
        scale = np.max(np.abs(double[key])) + 1e-3
        np.testing.assert_allclose(array / scale, double[key] / scale, atol=3e-3, err_msg=key)


def test_inputs_that_lie_otherwise_are_taken() -> None:
    function = md.compile("||X w - y||^2", ["w", "X"], backend="numba")
    rng = np.random.default_rng(0)
    X, w, y = rng.normal(size=(3, 5)).T, rng.normal(size=6)[::2], rng.normal(size=5)
    X.flags.writeable = False
    gradients = function.value_and_grad({"X": X, "w": w, "y": y})[1]
    np.testing.assert_allclose(gradients["w"], 2 * X.T @ (X @ w - y), rtol=1e-13)
    np.testing.assert_allclose(gradients["X"], 2 * np.outer(X @ w - y, w), rtol=1e-13)


def test_a_saved_module_checks_itself_and_keeps_its_machine_code(tmp_path: Path) -> None:
    saved = md.compile("softmax(A x)", ["x"], backend="numba").save(tmp_path / "softmax.py")
    run = subprocess.run([sys.executable, str(saved)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("derivatives agree")
    assert list(tmp_path.glob("__pycache__/*.nbi"))
