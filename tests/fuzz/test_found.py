"""Programs that the fuzzer found wrong once, each in its smallest form."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import matderiv as md
from tests.backends.test_emitters import uncompiled
from tests.numerics import relative_error
from tests.program.measuring import arguments, measure, sizes_from

_DRAW = np.random.default_rng(3)

# text, variable: each was evaluated, differentiated, printed or compiled wrongly
FOUND = [
    ("ones(2)' ⊗ x where x: (n)", "x"),  # a row times a column is no long vector
    ("x ⊗ y' where x: (n), y: (m)", "y"),
    ("t inv(E) ones(n) where E: (n, n), t: ()", "t"),  # the scalar beside a lone inverse
    ("det(W + b') where W: (n, n), b: (n)", "b"),
    ("E \\ acos(W - W) where W: (n, 2), E: (n, n)", "E"),
    ("silu(k) + sum(b) where b: (k)", "b"),  # a size in an elementwise program
    ("log(n) - b' where b: (n)", "b"),
    ("ones(k) / ||B||_* where B: (k, n)", "B"),  # the size of a tuple
    ("t - ones(n) where t: (), x: (n)", "t"),  # a size that only the cotangent shows
    ("<Σ * y, y> ⊙ α where Σ: (n, n), y: (n), α: ()", "y"),  # brackets of an inner product
    ("w_1' w_1 where w_1: (n)", "w_1"),
    ("||B .* B|| where B: (n, m)", "B"),
    ("sqrt(π) x' x where x: (n)", "x"),
    ("logdet(diag(b)) where b: (n)", "b"),
    ("(2 .^ W)' x where W: (n, k), x: (n)", "x"),  # the transpose of an exponent
    ("mean(2 .^ W, axis=0)' v where W: (n, k), v: (k)", "v"),
    ("||X ./ v' + E ./ q||_* where X: (k, n), v: (n), q: (k, 1), E: (k, n)", "q"),
    ("softplus(logdet(W.^-1)) where W: (n, n)", "W"),  # parts of tuples move with their readers
    ("X.Tr() where X: (n, n)", "X"),
    ("min(pinv(Σ)) where Σ: (n, 1)", "Σ"),  # two reshapes of one axis beside a size of 1
    ("sum(power(y, w).^2 + y.pow(2).^2) where y: (n) positive, w: (n)", "w"),
    ("power(y .^ w, w) where y: (n) positive, w: (n)", "y"),  # the comma ends the first power
    ("sum(w'.T (v' - y')) where w: (n), v: (m), y: (m)", "w"),  # a product, no call of T
    # A number met again was taken for the array after it, and filled the rows with columns.
    ("mean(X + X, axis=1) where X: (n, n)", "X"),
    ("mean(X + X, axis=1) where X: (n, m)", "X"),
    ("diag(vec(X) vec(Σ)') where X: (n, m), Σ: (m, n)", "Σ"),  # one axis made of two pairs
]


@pytest.mark.parametrize(("text", "wrt"), FOUND, ids=[text for text, _ in FOUND])
def test_found(text: str, wrt: str) -> None:
    program = md.parse(text)
    sizes = {"n": 3, "m": 4, "k": 2}
    values = {
        name: _DRAW.normal(size=[sizes.get(str(dim), dim) for dim in entry.shape])
        for name, entry in program.inputs.items()
    }
    for name, entry in program.inputs.items():
        if "positive" in entry.attributes:
            values[name] = np.abs(values[name])
    values |= {dim: sizes[dim] for dim in program.dimensions}
    derivative = md.diff(program, wrt)
    assert derivative.check()
    want = derivative.evaluate(values)
    assert relative_error(md.diff(program, wrt, mode="forward").evaluate(values), want) < 1e-9
    if want.ndim <= 2:
        shapes = {name: entry.shape for name, entry in program.inputs.items()} | {
            "spare": tuple(sizes)
        }
        marks = {n: sorted(e.attributes) for n, e in program.inputs.items() if e.attributes}
        again = md.parse(derivative.to("ascii"), shapes=shapes, attributes=marks)
        needed = {name: values[name] for name in [*again.inputs, *again.dimensions]}
        assert relative_error(again.evaluate(needed), want) < 1e-9
    compiled = md.compile(program, wrt)
    assert relative_error(compiled.forward(values)[0], program.evaluate(values)) < 1e-9
    if program.shape:
        assert relative_error(compiled.derivative(values)[wrt], want) < 1e-9
        cotangent = _DRAW.normal(size=program.evaluate(values).shape)
        cache = compiled.forward(values)[1]
        for _ in range(2):  # a cache is kept until it is released
            got = compiled.backward(cache, cotangent)[wrt]
            assert relative_error(got, np.tensordot(cotangent, want, cotangent.ndim)) < 1e-9
    else:
        assert relative_error(compiled.value_and_grad(values)[1][wrt], want) < 1e-9


def test_a_row_times_a_column_is_their_outer_product() -> None:
    x, y = np.array([1.0, 2.0]), np.array([3.0, 4.0, 5.0])
    for text in ("x ⊗ y'", "y' ⊗ x"):
        np.testing.assert_array_equal(md.parse(text).evaluate({"x": x, "y": y}), np.outer(x, y))


def test_logdet_of_a_diagonal_with_two_negative_entries() -> None:
    b = np.array([-2.0, -3.0, 0.5])
    got = md.parse("logdet(diag(b))").evaluate({"b": b})
    assert np.isclose(got, np.log(3.0))
    np.testing.assert_allclose(md.diff("logdet(diag(b))", "b").evaluate({"b": b}), 1 / b)


def test_an_index_beyond_an_array_is_an_error() -> None:
    for text in ("x[5]", "x[0:6]", "x[0:6]' x[0:6]"):
        with pytest.raises(md.ShapeError, match="the index 5 is out of range: n is 2"):
            md.parse(text).evaluate({"x": np.ones(2)})
    with pytest.raises(md.ShapeError, match="out of range"):
        md.diff("x[5]^2", "x").evaluate({"x": np.ones(2)})


def test_chains_of_more_matrices_than_numpy_has_letters() -> None:
    matrix = np.array([[0.5, 1.0], [0.0, 0.9]])
    got = md.parse("A " * 60).evaluate({"A": matrix})
    np.testing.assert_allclose(got, np.linalg.matrix_power(matrix, 60))


def test_a_derivative_of_no_terms_has_entries() -> None:
    assert md.diff("b' + -b'", "b").to("index") == "[i,j] = 0"
    assert "dS" in str(md.diff("S ./ q where S: (m, m), q: (m, 1)", "S"))


def test_a_number_beyond_float64_has_no_code() -> None:
    for text in ("x / 1e-320", "sum(x .^ 2 / 1e-320)", "2^5000 x"):
        with pytest.raises(md.DomainError, match="beyond float64"):
            md.compile(text, "x")
        with pytest.raises(md.DomainError, match="beyond float64"):
            str(md.cost(text, "x"))


def test_a_number_beyond_float64_is_infinite_of_its_sign() -> None:
    for text, want in (("x / 1e-320", np.inf), ("-x / 1e-320", -np.inf)):
        with np.errstate(over="ignore"):
            assert md.parse(text).evaluate({"x": [1.0]}) == [want]


def test_the_value_of_a_matrix_function_that_overflows_is_no_number() -> None:
    with np.errstate(all="ignore"):
        assert not np.any(np.isfinite(md.parse("expm(1e308 X)").evaluate({"X": np.ones((2, 2))})))
    with pytest.raises(md.DomainError, match="no point was found"):
        md.check("expm(1e308 X)", "X")


def test_what_is_too_large_is_not_checked() -> None:
    for text in ("X^3 where X: (100, 100)", "vec(X) where X: (256, 256)"):
        with pytest.raises(md.DomainError, match="too large to check"):
            md.check(text, "X")


def test_both_sides_of_a_diagonal_are_summed_where_they_are_made() -> None:
    """(S⁻¹ 1)' X twice: the axis that only one side has is summed before they meet."""
    text = "cos((X w)' S^-1 ones(n)) where X: (n, k), S: (n, n)"
    values = {"X": _DRAW.normal(size=(3, 2)), "w": _DRAW.normal(size=2), "S": 3 * np.eye(3)}
    values["S"] += _DRAW.uniform(size=(3, 3))
    want = np.diag(md.diff(text, "w", order=2).evaluate(values))
    compiled = md.compile(text, "w", order=2, diagonal=True)
    np.testing.assert_allclose(compiled.derivative(values)["w"], want, rtol=1e-10)


def test_torch_takes_the_larger_of_a_number_and_an_array() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    compiled = md.compile("sum(max(1, x) + min(2, x))", "x", backend="torch")
    value, gradients = compiled.value_and_grad({"x": torch.tensor([0.5, 1.5, 3.0])})
    assert float(value) == 9.5
    assert gradients["x"].tolist() == [1.0, 2.0, 1.0]


def test_a_deviation_of_nothing_has_the_derivative_zero() -> None:
    """‖x‖ at 0, also where the square in the root has a factor of its own."""
    assert not md.diff("std(min(w, w) ./ w) where w: (3)", "w").evaluate({"w": [0.5, 2, 4]}).any()
    gradients = md.compile("std(min(w, w) ./ w) where w: (3)", "w").value_and_grad(
        {"w": [0.5, 2, 4]}
    )[1]
    assert not gradients["w"].any()


# Peaks that were predicted 3 to 27 percent off: a copy of what is stretched, a search along
# rows that are columns in memory, a product of a slice.
PEAKS = [
    ("min(Σ, W ones(d, n)) where Σ: (n, n), W: (n, d)", "W"),
    ("(w - eye(m)) .* (A B) where w: (m), A: (m, k), B: (k, m)", "w"),
    ("max(asin(1/2 sin(X)), axis=0) where X: (k, m)", "X"),
    ("||X[:, 0:50] w + X[:, 2:52] v||^2 where X: (n, 120), w: (50), v: (50)", "w"),
]


@pytest.mark.parametrize(("text", "wrt"), PEAKS, ids=[text for text, _ in PEAKS])
def test_peaks_found(text: str, wrt: str) -> None:
    compiled = md.compile(text, wrt)
    sizes = sizes_from(compiled, 300)
    given = arguments(compiled, sizes)
    predicted = compiled.memory(**sizes).value_and_grad.bytes
    measured = measure(compiled.module.value_and_grad, **given)
    assert predicted == pytest.approx(measured, rel=0.005, abs=250)


@pytest.mark.parametrize("backend", ["numpy", "numba", "jax", "torch"])
def test_an_array_filled_with_rows_or_columns(
    monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    """Gradients that repeat a column, and a row that an identity is taken from."""
    for text, wrt in PEAKS[:2]:
        program = md.parse(text)
        sizes = {"n": 3, "m": 3, "k": 4, "d": 2}
        given = {
            name: _DRAW.normal(size=[sizes[str(dim)] for dim in entry.shape])
            for name, entry in program.inputs.items()
        }
        cotangent = _DRAW.normal(size=(3, 3))
        if backend == "torch":
            torch = pytest.importorskip("torch")
            given = {name: torch.as_tensor(value) for name, value in given.items()}
            cotangent = torch.as_tensor(cotangent)
        if backend == "jax":
            pytest.importorskip("jax")
        if backend == "numba":  # run as Python
            monkeypatch.setitem(sys.modules, "numba", uncompiled())
        compiled = md.compile(program, wrt, backend=backend)
        value, gradients = compiled.value_and_grad(given, cotangent=cotangent)
        values = {name: np.asarray(value) for name, value in given.items()}
        want = np.tensordot(cotangent, md.diff(program, wrt).evaluate(values), 2)
        assert relative_error(np.asarray(gradients[wrt]), want) < 1e-5
        assert relative_error(np.asarray(value), program.evaluate(values)) < 1e-5
