"""The NumPy modules: float types, what an expert would write, and the compile cache."""

from __future__ import annotations

import re

import numpy as np
import pytest

import matderiv as md
from tests.backends.programs import PROGRAMS, results, values_for


@pytest.mark.parametrize("name", PROGRAMS)
def test_float32_inputs_give_float32_results(name: str) -> None:
    source, wrt, order = PROGRAMS[name]
    function = md.compile(source, wrt, order=order)
    values, cotangent = values_for(function)
    single = {k: v if isinstance(v, int) else np.float32(v) for k, v in values.items()}
    half = None if cotangent is None else np.float32(cotangent)
    double = results(function, values, cotangent)
    for key, array in results(function, single, half).items():
        if np.shape(array):
            assert array.dtype == np.float32, key
        scale = np.max(np.abs(double[key])) + 1e-3
        np.testing.assert_allclose(array / scale, double[key] / scale, atol=3e-3, err_msg=key)


def test_mixed_and_integer_inputs_are_float64() -> None:
    function = md.compile("||X w - y||^2", "w")
    X, w, y = np.ones((3, 2), np.float32), np.ones(2), [0, 0, 0]
    value, gradients = function.value_and_grad({"X": X, "w": w, "y": y})
    assert value == 12.0
    assert gradients["w"].dtype == np.float64


def _derivative(source: str, wrt: str, order: int) -> str:
    text = md.compile(source, wrt, order=order).source
    return text[text.index("def derivative") : text.index("def _inputs")]


def test_a_softmax_jacobian_multiplies_no_matrices() -> None:
    text = _derivative("softmax(A x)", "x", 1)
    assert text.count("np.dot") == 2
    assert "[:, None], t" in text  # p ⊙ (A - p'A)
    assert "np.eye" not in text


def test_a_weighted_gram_matrix_is_a_matrix_times_its_own_transpose() -> None:
    text = _derivative("sum(log(1 + exp(-y .* (X w))))", "w", 2)
    (left, right) = re.findall(r"np\.dot\((\w+)\.T, (\w+)\)", text)[-1]
    assert left == right


def test_weights_of_unknown_sign_have_no_root() -> None:
    text = _derivative("v' ((X w) .* (X w)) where v: (n)", "w", 2)
    assert "np.sqrt" not in text


WEIGHED = [
    "sum(softplus(X w))",
    "sum(exp(X w))",
    "sum(log(cosh(X w)))",
    "sum(sqrt((X w).^2 + 1))",
    "sum((X w).^2 .* (1 - sigmoid(a)))",
    "a' (X w).^2 - sum(X w .* (1 - softmax(X w)))",
    "sum((1 - sigmoid(X w)) .* sigmoid(X w))",
]


@pytest.mark.parametrize("sign", ["", "-", "5 - 3 * "])
@pytest.mark.parametrize("text", WEIGHED)
def test_a_weighted_gram_matrix_has_weights_of_either_sign(text: str, sign: str) -> None:
    program = md.parse(f"{sign}({text}) where X: (n, m), w: (m)")
    function = md.compile(program, "w", order=2)
    random = np.random.default_rng(1)
    sizes = {"n": 4, "m": 3}
    values = {
        name: random.normal(size=[sizes[str(dim)] for dim in entry.shape])
        for name, entry in program.inputs.items()
    }
    want = md.diff(program, "w", order=2).evaluate(values)
    np.testing.assert_allclose(function.derivative(values)["w"], want, atol=1e-12)


def test_a_mask_takes_a_byte_an_entry() -> None:
    source, wrt, _ = PROGRAMS["mlp"]
    assert "np.greater(h, 0.0)" in md.compile(source, wrt).source


def test_a_symmetric_factor_is_read_once() -> None:
    text = md.compile("x' A x where A: (n, n) symmetric", "x").source
    assert text[text.index("def value_and_grad") :].count("np.dot") == 1


def _calls(source: str, wrt: list[str]) -> list[str]:
    text = md.compile(source, wrt).source
    text = text[text.index("def value_and_grad") : text.index("def update")]
    return re.findall(r"(?:linalg\.|_)(cholesky|inverse_of_lower|inv|solve|slogdet)\(", text)


def test_a_positive_definite_matrix_is_factored_once() -> None:
    once = ["cholesky", "inverse_of_lower"]
    assert _calls("logdet(S) + x' S^-1 x where S: (n, n) posdef, x: (n)", ["S", "x"]) == once
    assert _calls("logdet(S) + x' S^-1 y where S: (n, n) posdef, x: (n)", ["x", "y"]) == once
    columns = "logdet(S) + tr(X' S^-1 X) where S: (n, n) posdef, X: (n, m)"
    assert _calls(columns, ["X"]) == ["cholesky", "solve"]
    shifted = "A = X' X + t I; logdet(A) + y' A^-1 y where X: (n, d), y: (d), t: () positive"
    assert _calls(shifted, ["y"]) == once
    assert "cholesky" not in _calls(shifted.replace(" positive", ""), ["y"])
    assert "cholesky" not in _calls(shifted.replace("X' X + t I", "t I - X' X"), ["y"])


@pytest.mark.parametrize("n", [1, 5, 64, 65, 200])
def test_the_factor_is_inverted_by_blocks(n: int) -> None:
    module = md.compile("logdet(S) + x' S^-1 x where S: (n, n) posdef, x: (n)", "S").module
    L = np.tril(np.random.default_rng(n).normal(size=(n, n))) + n * np.eye(n)
    inverse = module._inverse_of_lower(L)
    np.testing.assert_allclose(inverse @ L, np.eye(n), atol=1e-13)
    assert module._inverse_of_lower(np.float32(L)).dtype == np.float32


def test_the_same_text_is_compiled_once() -> None:
    first = md.compile("||X w - y||^2", ["w"])
    assert md.compile("||X w - y||^2", ["w"]) is first
    assert md.compile("||X w - y||^2", ["w"], order=2) is not first
    assert md.compile("||X w - y||^2", ["w"], backend="jax") is not first
    assert md.compile("||X w - y||^2", ["w"], shapes={"w": ("d",)}) is not first


def test_sizes_choose_the_order_of_operations() -> None:
    source = "sum(A B C) where A: (n, k), B: (k, m), C: (m, n)"
    for sizes in ({"n": 1000, "k": 2, "m": 3}, {"n": 2, "k": 1000, "m": 3}):
        assert md.compile(source, "B", sizes=sizes).plan.sizes == sizes


def test_half_of_a_symmetric_product_is_computed_once() -> None:
    gradient = md.compile("tr(X' S^-1 X) where S: (n, n) posdef, X: (n, m)", ["S", "X"]).source
    text = gradient[gradient.index("def value_and_grad") : gradient.index("def update")]
    assert text.count("np.linalg.solve(S, X)") == 1
    assert len(re.findall(r"np\.dot\((\w+), \1\.T\)", text)) == 1
    assert text.count("np.dot(") == 1
    value = md.compile("A B B' A' where A: (n, n), B: (n, m)").source
    assert re.search(r"(\w+) = np\.dot\(A, B\).*\n *\w+ = np\.dot\(\1, \1\.T\)", value)


def test_a_program_without_inputs() -> None:
    assert md.compile("pi + 1").forward({})[0] == pytest.approx(np.pi + 1)
    assert md.compile("sum(ones(3))").forward({})[0] == 3.0
    np.testing.assert_array_equal(md.compile("2 eye(3)").forward({})[0], 2 * np.eye(3))


def test_functions_of_numbers_are_no_work() -> None:
    function = md.compile("x: (n)\ntanh(2) sum(x) + sum(exp(ones(3)))", "x")
    assert "np.tanh" not in function.source
    assert "np.exp" not in function.source
    value, gradients = function.value_and_grad({"x": np.arange(4.0)})
    assert value == pytest.approx(6 * np.tanh(2) + 3 * np.e, rel=1e-15)
    np.testing.assert_allclose(gradients["x"], np.tanh(2), rtol=1e-15)
