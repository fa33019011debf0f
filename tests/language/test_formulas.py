"""Functions given by a formula: f(t) = t^2 sin(t): elementwise.

The oracle of their derivatives is SymPy, which knows the formula as a function of one
number and nothing of arrays.
"""

from __future__ import annotations

import random

import numpy as np
import pytest

import matderiv as md
from matderiv.language import lower, read
from matderiv.tensor.arena import Arena
from matderiv.tensor.elementwise import ELEMENTWISE
from tests.numerics import Array, relative_error

sympy = pytest.importorskip("sympy")

FUNCTIONS = ("sin", "cos", "exp", "tanh", "atan", "sigmoid", "softplus", "sqrt", "log")
SIZES = {"n": 3, "m": 4, "k": 2}
ARGUMENTS = {
    "x": "x: (n)",
    "x'": "x: (n)",
    "X": "X: (n, m)",
    "X x": "X: (n, m), x: (m)",
    "A ⊙ x": "A: (n, m), x: (m)",
    "x[0]": "x: (n)",
    "T": "T: (n, m, k)",
}


def body(generator: random.Random, depth: int) -> tuple[str, str]:
    """A formula in t, and the same entry by entry in {x}; positive for positive t."""
    if depth == 0:
        return generator.choice([("t", "({x})"), ("2", "2"), ("1/3", "(1/3)"), ("λ", "λ")])
    (a, b), (c, d) = body(generator, depth - 1), body(generator, depth - 1)
    function = generator.choice(FUNCTIONS)
    return generator.choice(
        [
            (f"({a} + {c})", f"({b} + {d})"),
            (f"({a}) * ({c})", f"(({b}) .* ({d}))"),
            (f"({a}) / (1 + {c})", f"(({b}) ./ (1 + {d}))"),
            (f"({a})^{depth + 1}", f"({b}).^{depth + 1}"),
            (f"({a})^-1", f"({b}).^-1"),
            (f"{function}(1 + ({a})^2)", f"{function}(1 + ({b}).^2)"),
        ]
    )


def point(shape: tuple[object, ...], seed: int) -> Array:
    generator = np.random.default_rng(seed)
    return generator.uniform(0.4, 1.3, [SIZES[str(dim)] for dim in shape])


@pytest.mark.parametrize("seed", range(24))
def test_a_call_is_the_formula_written_out(seed: int) -> None:
    generator = random.Random(seed)
    formula, written = body(generator, 3)
    text = generator.choice(list(ARGUMENTS))
    shapes = f"λ: (), {ARGUMENTS[text]}"
    given = md.parse(f"f(t) = {formula} + t: elementwise; f({text}) where {shapes}")
    plain = md.parse(f"{written.format(x=text)} + ({text}) where {shapes}")
    assert given.shape == plain.shape
    assert given.typed.output.kind == plain.typed.output.kind
    values = {name: point(entry.shape, 3) for name, entry in given.inputs.items()}
    whole = {"λ": 0.7, **values}
    assert relative_error(given.evaluate(values), plain.evaluate(whole)) < 1e-13


@pytest.mark.parametrize("seed", range(12))
def test_derivatives_are_those_of_sympy(seed: int) -> None:
    formula, _ = body(random.Random(seed), 3)
    formula = f"t * ({formula})"
    t, lam = sympy.symbols("t λ", positive=True)
    locals_ = {
        "t": t,
        "λ": lam,
        "sigmoid": lambda u: 1 / (1 + sympy.exp(-u)),
        "softplus": lambda u: sympy.log(1 + sympy.exp(u)),
    }
    exact = sympy.sympify(formula.replace("^", "**"), locals=locals_)
    x = point(("n",), seed)
    for order in (1, 2, 3):
        exact = sympy.diff(exact, t)
        derivative = md.diff(
            f"f(t) = {formula}: elementwise; sum(f(x)) where x: (n), λ: ()", "x", order=order
        )
        values = {"x": x, "λ": 0.7}
        got = derivative.evaluate({n: values[n] for n in derivative.program.inputs})
        want = np.zeros((3,) * order)
        slope = sympy.lambdify(t, exact.subs(lam, 0.7), "math")
        for i in range(3):
            want[(i,) * order] = slope(x[i])
        assert relative_error(got, want) < 1e-10
        assert order > 2 or derivative.check()


@pytest.mark.parametrize("name", [e.name for e in ELEMENTWISE.values() if e.arity == 1])
def test_every_elementwise_function_may_stand_in_a_formula(name: str) -> None:
    arena = Arena()
    given = lower(read(f"f(t) = {name}(t): elementwise; f(x)"), arena)
    assert given.root is lower(read(f"{name}(x)"), arena).root


def test_formulas_use_formulas_constants_and_named_values() -> None:
    program = md.parse(
        "s = x' x; f(t) = s t^2: elementwise; g(t) = f(t)^2 + π phi(t) / n: elementwise\n"
        "sum(g(f(X))) where x: (k), X: (n, m), phi: elementwise"
    )
    plain = md.parse(
        "s = x' x; F = s X.^2; sum((s F.^2).^2 + π/n phi(F)) "
        "where x: (k), X: (n, m), phi: elementwise"
    )
    values = {"x": point(("k",), 0), "X": point(("n", "m"), 1)}
    functions = {("abstract", "φ", (0,)): np.sin}
    got, want = (p.evaluate(values, functions) for p in (program, plain))
    assert relative_error(got, want) < 1e-14


def test_the_letter_of_the_argument_is_free_outside() -> None:
    values = {"t": point(("n",), 0), "x": 0.3}
    program = md.parse("f(x) = x^3: elementwise; x sum(f(t)) where x: (), t: (n)")
    assert relative_error(program.evaluate(values), 0.3 * np.sum(values["t"] ** 3)) < 1e-15


def test_a_function_hides_one_of_the_language() -> None:
    assert md.parse("exp(t) = 2 t: elementwise; exp(x)").evaluate({"x": [1.0]}) == [2.0]


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("backend", ["numpy", "jax", "torch"])
def test_generated_code_computes_it(backend: str, order: int) -> None:
    if backend != "numpy":
        pytest.importorskip(backend)
    text = "f(t) = t^2 sin(t): elementwise; sum(f(X w)) where X: (n, m), w: (m)"
    values = {"X": point(("n", "m"), 0), "w": point(("m",), 1)}
    compiled = md.compile(text, "w", backend=backend, order=order)
    made = compiled.derivative(values) if order > 1 else compiled.value_and_grad(values)[1]
    want = md.diff(text, "w", order=order).evaluate(values)
    assert relative_error(np.asarray(made["w"]), want) < 1e-5


def test_it_costs_what_it_costs_written_out() -> None:
    given = md.cost("f(t) = t^2 sin(t): elementwise; sum(f(X w))", "w")
    plain = md.cost("sum((X w).^2 .* sin(X w))", "w")
    assert given.forward == plain.forward
    assert given.backward == plain.backward
