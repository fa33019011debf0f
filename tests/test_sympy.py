"""SymPy expressions out and in: both sides of the bridge have one value."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp

import matderiv as md
from matderiv.language import canonical_name
from matderiv.source import bind_values

Array = np.ndarray
FORMULAS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "corpus" / "formulas.json").read_text("utf-8")
)

# Results of order ≤ 2 for which SymPy has no symbolic form.
NOT_IN_SYMPY = {
    "mse-701062": "polar",
    "kron-sum": "reshape",
    "red-max": "onehot_max",
    "ab-loss": "derivative of l by a vector or a matrix",
}
# At a kink the value is SymPy's.
KINKS = {"norm-zero"}


def sympy_value(expression: Any, numbers: Mapping[str, Any]) -> Any:
    """The value of an expression, computed by SymPy's own classes from explicit matrices."""
    if isinstance(expression, sp.MatrixSymbol | sp.Symbol):
        return numbers.get(canonical_name(expression.name), expression)
    if isinstance(expression, sp.Lambda):
        free = {symbol: sympy_value(symbol, numbers) for symbol in expression.free_symbols}
        return expression.xreplace(free)
    if not expression.args:
        return expression
    args = [sympy_value(arg, numbers) for arg in expression.args]
    if isinstance(expression, sp.DiagonalOf | sp.DiagonalMatrix):  # refuse explicit matrices
        entries = args[0].diagonal()
        return sp.ImmutableMatrix(
            entries.T if isinstance(expression, sp.DiagonalOf) else sp.diag(*entries)
        )
    made = expression.func(*args)
    if isinstance(made, sp.MatrixExpr):
        made = made.doit()
    if isinstance(made, sp.MatrixExpr):
        return made.as_explicit()
    return made if getattr(made, "is_Matrix", False) else made.doit()


def as_array(value: Any) -> Array:
    return np.array(value.tolist() if getattr(value, "is_Matrix", False) else value, float)


def explicit(arrays: Mapping[str, Array], sizes: Mapping[str, int]) -> dict[str, Any]:
    numbers: dict[str, Any] = {name: sp.Integer(size) for name, size in sizes.items()}
    for name, array in arrays.items():
        matrix = array.reshape(len(array), -1) if array.ndim else array
        numbers[name] = sp.ImmutableMatrix(matrix.tolist()) if array.ndim else sp.Float(array)
    return numbers


# ----- out ----------------------------------------------------------------------------
def _corpus() -> list[dict[str, Any]]:
    return [case for case in FORMULAS if len(case["derivative_shape"] or ()) <= 2]


@pytest.mark.parametrize("case", _corpus(), ids=[case["id"] for case in _corpus()])
def test_derivative_has_its_value_in_sympy(case: dict[str, Any]) -> None:
    declared = {"shapes": case["shapes"], "attributes": case["attrs"] or None}
    derivative = md.diff(case["expr"], case["wrt"], order=case["order"], **declared)
    if case["id"] in NOT_IN_SYMPY:
        with pytest.raises(md.UnsupportedError, match=NOT_IN_SYMPY[case["id"]]):
            derivative.to("sympy")
        return
    expression = derivative.to("sympy")
    assert isinstance(expression, sp.Basic)
    if case["expected_derivative"] is None or case["id"] in KINKS:
        return
    found = as_array(
        sympy_value(expression, explicit(*bind_values(derivative.program, case["inputs"])))
    )
    want = derivative.evaluate(case["inputs"])
    assert np.allclose(found.reshape(want.shape), want, rtol=1e-8), expression


@pytest.mark.parametrize(
    "text, expected",
    [
        ("x' A x", "Trace(x.T*A*x)"),
        ("||X w - y||", "sqrt(Trace((w.T*X.T - y.T)*(X*w - y)))"),
        ("A .* B", "HadamardProduct(A, B)"),
        ("A \\ b", "A**(-1)*b"),
        ("diag(x) A exp(x) where A: (n, n)", "DiagMatrix(x)*A*Lambda(_d, exp(_d)).(x)"),
        ("kron(A, B) where A: (2, 3)", "KroneckerProduct(A, B)"),
        ("det(A) A^-T", "Determinant(A)*A.T**(-1)"),
        ("X[0, 1] + x[2]", "X[0, 1] + x[2, 0]"),
    ],
)
def test_expressions_read_as_sympy_users_write(text: str, expected: str) -> None:
    expression = md.parse(text).to_sympy()
    assert str(expression) == expected


@pytest.mark.parametrize(
    "text",
    [
        "softmax(X)", "softmax(X, axis=0)", "log_softmax(X)", "logsumexp(X)", "logsumexp(x)",
        "sum(X, axis=0)", "sum(X, axis=1, keepdims=True)", "mean(X)", "var(X, axis=0)", "var(X)",
        "mse(X, Y)", "cross_entropy(X, Y)", "norm(x, 3)", "||X||_1", "X + b", "X + s", "s ./ X",
        "relu(X) + step(X)", "gelu(x) + silu(x) + elu(x) + leaky_relu(x)", "max(x, 0.2)",
        "X[0:2, :] Y'", "X[0, :] + x[0:1] X[1, :]", "normcdf(x) + normpdf(x)", "x .^ s",
        "adj(A)", "sqrt(square(X))", "diag(A) .* diag(x)", "z' X where z = X x",
        "log1p(x) + expm1(x)", "softplus(x) .* sigmoid(x)", "<X, Y> + ||s||",
        "logaddexp(x, relu(x))", "logaddexp(s, 2)",
    ],
)  # fmt: skip
def test_value_of_a_program_in_sympy(text: str) -> None:
    shapes = {"X": ("m", "n"), "Y": ("m", "n"), "x": ("n",), "A": ("n", "n"), "b": ("n",), "s": ()}
    if text == "diag(A) .* diag(x)":
        text = "diag(A) + diag(x) x"
    program = md.parse(text, shapes=shapes)
    random_numbers = np.random.default_rng(0)
    sizes = {"m": 3, "n": 2}
    values = {
        name: random_numbers.uniform(0.5, 1.5, [sizes[dim] for dim in shape])
        for name, shape in shapes.items()
    }
    want = program.evaluate(values)
    found = as_array(sympy_value(program.to_sympy(), explicit(values, sizes)))
    assert np.allclose(found.reshape(want.shape), want)


@pytest.mark.parametrize(
    "text, word",
    [
        ("vec(X)", "vec"),
        ("expm(A)", "expm"),
        ("||X||_op", "norm _op"),
        ('einsum("ij,jk->ik", A, B)', "einsum"),
        ("max(x)", "max"),
        ("T where T: (2, 3, 4)", "3 axes"),
    ],
)
def test_what_sympy_cannot_hold_is_refused_by_name(text: str, word: str) -> None:
    with pytest.raises(md.UnsupportedError, match=word):
        md.parse(text).to_sympy()


def test_tensors_go_out_as_their_other_forms() -> None:
    derivative = md.diff("A X B", "X")
    with pytest.raises(md.UnsupportedError, match="4 axes"):
        derivative.to("sympy")
    assert str(derivative.vec().to("sympy")) == "KroneckerProduct(B.T, A)"
    assert str(derivative.differential().to("sympy")) == "A*dX*B"


# ----- in -----------------------------------------------------------------------------
n, m, k = sp.symbols("n m k", integer=True, positive=True)
s, t = sp.symbols("s t")
X, Y = sp.MatrixSymbol("X", n, m), sp.MatrixSymbol("Y", n, m)
A, B = sp.MatrixSymbol("A", n, n), sp.MatrixSymbol("weights", m, m)
x, y = sp.MatrixSymbol("x", n, 1), sp.MatrixSymbol("y_hat", m, 1)
r = sp.MatrixSymbol("r", 1, m)
SIZES = {"n": 3, "m": 2, "k": 4}


class _Maker:
    """Random matrix expressions by shape."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def scalar(self, depth: int) -> Any:
        choose = self.random.choice
        if depth == 0:
            return choose([s, t, sp.Integer(2), sp.Rational(-1, 3), n, x[1, 0], X[0, 1], r[0, 1]])
        square = self.matrix(*choose([(n, n), (m, m)]), depth - 1)
        inner = self.scalar(depth - 1)
        return choose(
            [
                lambda: sp.Trace(square),
                lambda: sp.Determinant(square),
                lambda: inner * self.scalar(depth - 1) - s,
                lambda: sp.exp(-(inner**2)),
                lambda: sp.sqrt(1 + inner**2) / (2 + t**2),
                lambda: sp.Max(inner, 0) + sp.sin(inner) * sp.pi,
                lambda: (1 + inner**2) ** sp.Rational(-3, 2),
                lambda: sp.tanh(inner) ** 3 + sp.Abs(inner) - sp.Float("0.25"),
            ]
        )()

    def leaf(self, rows: Any, columns: Any) -> Any:
        leaves: list[Any] = [
            v for v in (X, Y, A, B, x, y, r, x.T, y.T, X.T) if v.shape == (rows, columns)
        ]
        leaves += [sp.OneMatrix(rows, columns), sp.ZeroMatrix(rows, columns)][: not leaves]
        if rows == columns and rows != 1:
            leaves += [sp.Identity(rows), sp.DiagMatrix(x if rows == n else y)]
        return self.random.choice(leaves)

    def matrix(self, rows: Any, columns: Any, depth: int) -> Any:
        if depth == 0:
            return self.leaf(rows, columns)
        choose = self.random.choice
        if rows == columns == 1:  # SymPy maps no function over these
            return self.matrix(1, n, depth - 1) * self.matrix(n, 1, depth - 1)

        def part() -> Any:
            return self.matrix(rows, columns, depth - 1)

        inner = choose([n, m, sp.Integer(1)])
        v = sp.Dummy("v")
        options = [
            lambda: part() + part() - 2 * part(),
            lambda: self.matrix(rows, inner, depth - 1) * self.matrix(inner, columns, depth - 1),
            lambda: self.matrix(columns, rows, depth - 1).T,
            lambda: self.scalar(depth - 1) * part(),
            lambda: sp.HadamardProduct(part(), part()),
            lambda: sp.HadamardPower(part(), 2),
            lambda: part().applyfunc(sp.sin),
            lambda: part().applyfunc(sp.Lambda(v, s * v / (1 + v**2) + 2)),
            lambda: part().applyfunc(sp.Lambda(v, sp.exp(-v) * sp.tanh(v) * sp.Max(v, 0) * t)),
        ]
        if rows == columns and rows != 1:
            options += [
                lambda: sp.Inverse(part() + 9 * sp.Identity(rows)),
                lambda: part() ** 2,
                lambda: sp.DiagonalMatrix(part()),
            ]
        if columns == 1 and rows != 1:
            options += [lambda: sp.DiagonalOf(self.matrix(rows, rows, depth - 1))]
        if rows == 1 and columns == m:
            options += [lambda: self.matrix(n, m, depth - 1)[0, :]]
        return choose(options)()


@pytest.mark.parametrize("seed", range(150))
def test_random_expressions_come_in_with_their_value(seed: int) -> None:
    maker = _Maker(seed)
    shape = maker.random.choice([(n, m), (n, n), (n, 1), (1, m), None])
    expression = maker.scalar(3) if shape is None else maker.matrix(*shape, 3)
    generator = np.random.default_rng(seed)
    values = {
        name: generator.uniform(0.5, 1.5, [SIZES[dim] for dim in dims])
        for name, dims in {
            "X": "nm", "Y": "nm", "A": "nn", "weights": "mm", "x": "n", "y_hat": "m",
            "r": "m", "s": "", "t": "",
        }.items()
    }  # fmt: skip
    numbers = explicit(values, SIZES)
    numbers["r"] = numbers["r"].T
    want = as_array(sympy_value(expression, numbers))
    program = md.parse(expression)
    known = values | SIZES
    found = program.evaluate({k: known[k] for k in (*program.inputs, *program.dimensions)})
    assert np.allclose(found.reshape(want.shape), want, rtol=1e-9, atol=1e-9), program.source


def test_determinant_of_the_diagonal_part() -> None:
    values = np.random.default_rng(0).normal(size=(3, 3))
    found = md.parse(sp.Determinant(sp.DiagonalMatrix(A))).evaluate({"A": values})
    assert np.allclose(found, np.prod(np.diag(values)))


def test_public_functions_take_sympy() -> None:
    loss = sp.Trace((X * y - x).T * (X * y - x))
    assert md.diff(loss, y).to("ascii") == "2 X' (X y_hat - x)"
    assert md.diff(loss, [X, "x"])["x"].to("ascii") == "2 (x - X y_hat)"
    assert md.check(loss, "X")
    assert md.compile(loss, y).source
    assert md.cost(loss, ["y_hat"]).forward
    assert str(md.diff(loss, "X").to("sympy")) == "(2*X*y_hat - 2*x)*y_hat.T"


def test_shapes_and_assumptions_are_declared() -> None:
    p = sp.Symbol("p", positive=True)
    program = md.parse(p * sp.MatrixSymbol("W", 2, 3) * sp.MatrixSymbol("v", 3, 1))
    assert {name: entry.shape for name, entry in program.inputs.items()} == {
        "p": (),
        "W": (2, 3),
        "v": (3,),
    }
    assert program.inputs["p"].attributes == {"positive"}


def test_abstract_functions_come_in() -> None:
    phi, f = sp.Function("phi"), sp.Function("f")
    assert md.parse(x.applyfunc(phi)).typed.functions == {"φ": "elementwise"}
    assert md.diff(f(x), "x").to("unicode") == "∂f/∂x"
    again = md.parse(md.diff(sp.Trace(y.applyfunc(phi).T * y), "y_hat").to("sympy"))
    assert again.typed.functions == {"φ": "elementwise"}


@pytest.mark.parametrize(
    "expression, word",
    [
        (sp.BlockMatrix([[A, X]]), "BlockMatrix"),
        (sp.Sum(x[k, 0], (k, 0, n - 1)), "Sum"),
        (sp.Matrix([[1, 2], [3, 4]]), "Matrix"),
        (sp.Matrix([[1, 2]]) * X.subs(n, 2), "Matrix"),
        (sp.gamma(s), "gamma"),
        (sp.I * s, "ImaginaryUnit"),
        (sp.oo * s, "number"),
        (sp.Eq(s, t), "Equality"),
        (sp.Piecewise((s, s > 0), (t, True)), "Piecewise"),
        (sp.Heaviside(s), "Heaviside"),
        (A**k, "power"),
        (X[k, 0], "index"),
        (sp.MatrixSymbol("Z", n + 1, m) * y, "size"),
        (sp.Symbol("a b"), "no name"),
        (sp.Symbol("where") + s, "no name"),
        (sp.Symbol("x") * x, "two SymPy symbols"),
        (sp.Adjoint(X), "Adjoint"),
        (sp.FunctionMatrix(2, 2, sp.Lambda((s, t), s + t)), "FunctionMatrix"),
        (s > 0, "Greater"),
        (sp.true, "Boolean"),
        (sp.Tuple(s, t), "Tuple"),
        (sp.Derivative(sp.sin(s), s), "Derivative"),
    ],
    ids=str,
)
def test_what_the_language_lacks_is_refused_by_name(expression: Any, word: str) -> None:
    with pytest.raises(md.MatderivError, match=word):
        md.parse(expression)


def test_deep_expressions_are_refused() -> None:
    deep = s
    for _ in range(3000):
        deep = sp.sin(deep, evaluate=False)
    with pytest.raises(md.MatderivError, match="deep"):
        md.parse(deep)


def test_sympy_is_imported_only_when_asked_for() -> None:
    code = (
        "import sys, matderiv as md; d = md.diff('||X w - y||^2', 'w'); str(d); d.check(); "
        "md.compile(d.program, 'w').source; assert 'sympy' not in sys.modules; "
        "d.to('sympy'); assert 'sympy' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
