"""0 log 0 is 0, however it is written: at a zero, a value is the limit of its values nearby."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import matderiv as md
from matderiv.tensor.vanishing import LOG_BESIDE, RECIPROCAL_BESIDE

Values = dict[str, Any]

_X = np.array([0.0, 1.0, 2.0])
_Y = np.array([0.5, 0.25, 3.0])
_VECTORS = {"x": _X, "y": _Y, "q": _Y}
_MATRICES = {"X": np.array([[0.0, 1.0, 2.0], [3.0, 0.0, 0.5]]), "w": np.array([0.3, 0.7])}

# forms of one value, the inputs of all, and those by which the gradient has a limit, too
FORMS: dict[str, tuple[list[str], Values, list[str]]] = {
    "x log x - x": (
        [
            "sum(x .* log(x) - x)",
            "x' (log(x) - 1)",
            "l = log(x)\nsum(x .* (l - 1))",
            "l = log(x)\nk = x .* (2 l - 2)\n1/2 sum(k)",
            "tr(diag(x) diag(log(x) - 1))",
            "sum(x .* log(x)) - sum(x)",
        ],
        _VECTORS,
        [],
    ),
    "relative entropy": (
        [
            "sum(x .* (log(x) - log(q)))",
            "sum(x .* log(x ./ q)) where q: (n)",
            "-sum(x .* log(q ./ x)) where q: (n)",
            "sum(x .* log(x)) - x' log(q)",
            "r = log(x) - log(q)\nx' r",
        ],
        _VECTORS,
        ["q"],
    ),
    "entropy of softmax": (
        ["p = softmax(z)\n-sum(p .* log(p))", "-sum(softmax(z) .* log(softmax(z)))"],
        {"z": np.array([0.0, -800.0, 1.0])},
        ["z"],
    ),
    "by entries of a matrix": (
        ["w' sum(X .* log(X) - X, axis=1)", "sum((X .* (log(X) - 1))' w)"],
        _MATRICES,
        ["w"],
    ),
    "a scalar": (["t log t - 2 t where t: ()", "t (log(t) - 2) where t: ()"], {"t": 0.0}, []),
    "a square": (["sum(x.^2 .* (log(x) + y))", "(x .* x)' (y + log(x))"], _VECTORS, ["x", "y"]),
    "a square of a logarithm": (
        ["sum(x .* log(x).^2)", "l = log(x)\nsum(l .* x .* l)"],
        _VECTORS,
        [],
    ),
    "a root": (["sum(x.^(1/2) .* log(x))", "2 sum(x.^(1/2) .* log(x.^(1/2)))"], _VECTORS, []),
    "a product in the logarithm": (
        ["r = x .* y\nr' log(r)", "sum(x .* y .* (log(x) + log(y)))", "(x .* y)' log(x .* y)"],
        _VECTORS,
        ["y"],
    ),
    "a quotient beside both": (
        [
            "sum(u .* v .* log(u ./ v))",
            "-sum(u .* v .* log(v ./ u))",
            "sum(u .* v .* (log(u ./ v) + 1)) - u' v",
        ],
        {
            "u": np.array([0.0, 1.0, 0.5, -3.0]),
            "v": np.array([2.0, 0.0, 3.0, -2.0]),
        },
        [],
    ),
    "a quotient by a product": (
        ["sum(x .* q .* z .* log(x ./ (q .* z))) where q: (n), z: (n)"],
        {
            "x": np.array([0.0, 1.0, 2.0, 3.0]),
            "q": np.array([2.0, 0.0, 3.0, 1.0]),
            "z": np.array([2.0, 1.0, 0.0, 2.0]),
        },
        [],
    ),
    "a diagonal": (
        [
            "sum(diag(D) .* log(diag(D)))",
            "d = diag(D)\nd' log(d)",
            "tr(D .* log(D))",
            "2 sum(diag(D) .* log(diag(D).^(1/2)))",
            "sum(diag(D) .* (log(diag(D) ./ q) + log(q))) where q: (n)",
        ],
        {"D": np.array([[0.0, 1.0, 2.0], [3.0, 0.5, 0.2], [1.0, 4.0, 3.0]]), "q": _Y},
        [],
    ),
    "a diagonal beside the diagonal of a logarithm": (
        ["sum(diag(D .* log(D)))", "sum(diag(D) .* diag(log(D)))"],
        {"D": np.array([[0.0, 1.0, 2.0], [3.0, 0.5, 0.2], [1.0, 4.0, 3.0]])},
        [],
    ),
    "a factor between": (
        ["l = log(x)\nr = x .* y\ns = cos(y)\nsum(l .* r .* s)", "(cos(y) .* x)' (log(x) .* y)"],
        {"x": np.array([0.0, 1.5, 2.0]), "y": _Y},
        ["y"],
    ),
    "beside a zero with a name": (
        ["k = x - x\nsum(k .* log(y) + x .* log(x))"],
        _VECTORS,
        ["y"],
    ),
    "a sum of which all terms vanish": (
        [
            "sum((x .* y + 2 x .* cos(y)) .* log(x))",
            "r = x .* y\nk = r + 2 x .* cos(y)\nsum(k .* log(x))",
            "r = x .* y\nk = 2 x .* cos(y)\nl = log(x)\nsum(l .* (k + r))",
        ],
        {"x": np.array([0.0, 1.5, 2.0]), "y": _Y},
        ["y"],
    ),
    "a logarithm of a sum of which all terms vanish": (
        [
            "sum(x .* log(x .* y + x .* exp(y)))",
            "r = x .* y\n-sum(x .* log(1 ./ (r + x .* exp(y))))",
            "sum(x .* (log(x) + log(y + exp(y))))",
        ],
        _VECTORS,
        [],
    ),
    "a quotient of the columns of a matrix": (
        [
            "sum((Z diag(x)) .* log(Z diag(q ./ x))) where Z: (m, n), q: (n)",
            "sum(Z .* (log(Z) + 𝟏 log(q)') diag(x)) - sum(Z, axis=0)' (x .* log(x)) "
            "where Z: (m, n), q: (n)",
        ],
        {"x": _X, "q": _Y, "Z": np.array([[2.0, 1.0, 2.0], [3.0, 4.0, 0.5]])},
        ["q"],
    ),
    "sums of rows": (
        ["sum(X' log(sum(X, axis=1)))", "s = sum(X, axis=1)\ns' log(s)"],
        {"X": np.array([[0.0, 1.0, 2.0], [3.0, 0.0, 0.5]])},
        ["X"],
    ),
    "an outer product": (
        ["sum((q x') .* log(q x'))", "r = q .* x\nsum((q r') .* log(q x'))"],
        {"x": _X, "q": _Y},
        ["q"],
    ),
    "other functions": (
        ["sum(x .* (log(x) + cos(x)))", "sum(x .* cos(x) + x .* log(x))"],
        _VECTORS,
        [],
    ),
    "a logarithm below": (["sum(u ./ log(u))"], {"u": np.array([0.0, 0.5, 2.0])}, []),
    "1 - x": (
        ["sum((1 - x) .* log(1 - x) + x)", "sum((1 - x) .* (log(1 - x) - 1)) + 3"],
        {"x": np.array([1.0, 0.25, 0.5])},
        [],
    ),
}


_NEAR = {0.0: 1e-200, 1.0: np.nextafter(1.0, 0.0), -800.0: -700.0}


def near(values: Values) -> Values:
    """The point with something small in the place of each 0, or 1 - 1, or exp(-800)."""
    return {
        name: np.vectorize(lambda x: _NEAR.get(float(x), x), otypes=[float])(array)
        for name, array in values.items()
    }


@pytest.mark.parametrize("name", FORMS)
def test_the_value_at_a_zero_is_the_limit(name: str) -> None:
    forms, every, _ = FORMS[name]
    for text in forms:
        program = md.parse(text)
        values = {key: every[key] for key in program.inputs}
        with np.errstate(divide="ignore"):
            found = program.evaluate(values)
            code = md.compile(program, next(iter(program.inputs))).forward(values)[0]
        np.testing.assert_allclose(found, program.evaluate(near(values)), rtol=1e-13, atol=1e-90)
        np.testing.assert_allclose(code, found, rtol=1e-13, atol=1e-90)


def test_the_value_at_a_zero_below_a_named_quotient_is_the_limit() -> None:
    """The value alone: the gradient by q through r is 0/0, as backpropagation has it."""
    forms, every, _ = FORMS["a quotient of the columns of a matrix"]
    text = forms[0].replace("q ./ x", "r")
    program = md.parse(f"r = q ./ x\n{text}")
    with np.errstate(divide="ignore"):
        found = program.evaluate(every)
        code = md.compile(program, "Z").forward(every)[0]
    np.testing.assert_allclose(found, program.evaluate(near(every)), rtol=1e-13)
    np.testing.assert_allclose(code, found, rtol=1e-13)


@pytest.mark.parametrize("name", FORMS)
def test_what_is_small_is_not_taken_for_a_zero(name: str) -> None:
    """Of two values of 1e-120 the product is a number, and that with both again is none."""
    forms, every, _ = FORMS[name]
    for text in forms:
        program = md.parse(text)
        values = {key: 1e-120 * np.where(every[key], every[key], 1.0) for key in program.inputs}
        code = md.compile(program, next(iter(program.inputs))).forward(values)[0]
        np.testing.assert_allclose(code, program.evaluate(values), rtol=1e-13)


@pytest.mark.parametrize("name", FORMS)
def test_the_gradient_at_a_zero_is_the_limit(name: str) -> None:
    forms, every, wrt = FORMS[name]
    for text in forms:
        for by in wrt:
            gradient = md.diff(text, by)
            values = {key: every[key] for key in gradient.program.inputs}
            with np.errstate(divide="ignore"):
                found = gradient.evaluate(values)
            wanted = gradient.evaluate(near(values))
            np.testing.assert_allclose(found, wanted, rtol=1e-13, atol=1e-90)


def test_where_the_limit_is_infinite_so_is_the_value() -> None:
    values = {"x": [1.0, 0.0], "y": [0.0, 3.0]}
    with np.errstate(divide="ignore"):
        for text in (
            "sum(x .* log(x .* y))",
            "sum(x .* (log(x) + log(y)))",
            "sum((x .* y + exp(y) + x .* cos(y)) .* log(x))",
            "sum(x .* log(x .* y + x .* y.^2))",
        ):
            assert md.parse(text).evaluate(values) == -np.inf
            assert md.compile(text, "x").forward(values)[0] == -np.inf
        assert md.diff("sum(x .* log(x) - x)", "x").evaluate({"x": [0.0, 1.0]})[0] == -np.inf
    # Two zeros that have nothing to do with each other have no limit.
    with np.errstate(all="ignore"):
        assert np.isnan(md.parse("x' log(y)").evaluate({"x": [0.0], "y": [0.0]}))


POWERS = ["-1", "0", "1/2", "1", "2"]


@pytest.mark.parametrize("seed", range(150))
def test_powers_beside_a_logarithm_have_their_limit(seed: int) -> None:
    """x^a y^b log(x^c y^d) where x, or y, goes to 0: what is infinite in the limit is so there."""
    random = np.random.default_rng(seed)
    a, b, c, d = random.choice(POWERS, size=4)
    inside = f"x.^({c}) .* y.^({d})"
    text = [
        f"x.^({a}) .* y.^({b}) .* log({inside})",
        f"r = {inside}\nx.^({a}) .* log(r) .* y.^({b})",
        f"l = log({inside})\ny.^({b}) .* (l .* x.^({a}))",
        f"u = x.^({a}) .* y.^({b})\nu .* (3 log({inside}) - 2 log({inside}))",
    ][seed % 4]
    program = md.parse(text, shapes={"x": ("n",), "y": ("n",)})
    coarse, fine = (
        program.evaluate({"x": np.array([e, 0.5, 0.5]), "y": np.array([0.7, 0.7, e])})
        for e in (1e-50, 1e-100)
    )
    want = np.where(abs(fine) > 1.5 * abs(coarse), np.copysign(np.inf, fine), fine)
    at = {"x": np.array([0.0, 0.5, 0.5]), "y": np.array([0.7, 0.7, 0.0])}
    with np.errstate(all="ignore"):
        found = program.evaluate(at), md.compile(program, "x").forward(at)[0]
    for value in found:
        np.testing.assert_allclose(value, want, rtol=1e-9, atol=1e-20)


def test_a_named_quotient_in_the_logarithm_of_a_factor() -> None:
    values = {"u": [0.0, 2.0, 3.0], "v": [2.0, 0.0, 0.5]}
    program = md.parse("r = u ./ v\nu' (v .* log(r))", shapes={"u": ("n",), "v": ("n",)})
    with np.errstate(divide="ignore"):
        found = program.evaluate(values), md.compile(program, "u").forward(values)[0]
    np.testing.assert_allclose(found, 1.5 * np.log(6))


def test_the_silenced_logarithm_is_its_reference() -> None:
    x, z = np.array([0.0, 0.0, 2.0]), np.array([0.0, 1.0, 3.0])
    with np.errstate(divide="ignore"):
        np.testing.assert_array_equal(LOG_BESIDE.reference(x, z), [0.0, -np.inf, np.log(2.0)])
        np.testing.assert_array_equal(RECIPROCAL_BESIDE.reference(x, z), [0.0, np.inf, 0.5])


def test_many_names_for_one_logarithm_take_no_time() -> None:
    """b = a + a y; c = b + b y; …: each is met once, not once for every way down to it."""
    lines = ["a0 = log(x)", *(f"a{k + 1} = a{k} + a{k} .* sin(a{k})" for k in range(3))]
    lines += [f"a{k + 1} = a{k} .* y + a{k}" for k in range(3, 60)]
    text = "\n".join([*lines, "sum(x .* a60)"])
    values = {"x": np.array([1.0, 2.0]), "y": np.array([0.01, 0.02])}
    program = md.parse(text, shapes={"x": ("n",), "y": ("n",)})
    value = program.evaluate(values)
    np.testing.assert_allclose(md.compile(program, "y").forward(values)[0], value)
