"""No form is less accurate than the user's own: inputs far from zero, close to each other.

A difference of the data costs six digits here, and the user wrote it.  A square opened
into x'x - 2 x'm + m'm would cost twelve.  The reference is the derivative as the rules
give it, before any rewriting, in 80 bits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pytest

import matderiv as md
from matderiv.calculus.accuracy import Degrees
from matderiv.calculus.derive import derive_raw
from matderiv.tensor.arena import Arena
from matderiv.tensor.dims import dim_value
from matderiv.tensor.evaluate import evaluate
from matderiv.tensor.nodes import Last, Stack
from matderiv.tensor.traverse import everything
from tests.loops.programs import PROGRAMS
from tests.numerics import Array

SIZES = {"n": 7, "d": 3, "k": 2}
MEAN, SPREAD = 1e6, 1.0
SLACK = 8  # times the error of the user's own form, some of which is luck
ONCE = 64 * np.finfo(float).eps * MEAN / SPREAD  # what one difference of the data costs

# The variables far from zero are x, y, m, X and Y.
CASES = [
    ("c = x - mean(x); c' c", "x"),
    ("var(x)", "x"),
    ("sqrt(var(x))", "x"),
    ("(x - mean(x)) / sqrt(var(x) + t)", "x"),
    ("sum(g .* (x - mean(x)) / sqrt(var(x) + t))", "x"),
    ("(x - mean(x))' (y - mean(y)) / (norm(x - mean(x)) norm(y - mean(y)))", "x"),
    ("||x - y||^2 / (1 + ||x - y||^2)", "x"),
    ("exp(-||x - y||^2 / (2 t^2))", "x"),
    ("exp(-||x - y||^2 / (2 t^2))", "t"),
    ("sum((x - y).^4)", "x"),
    ("sum(log(1 + (x - y).^2))", "x"),
    ("sum(log(1 + (x - y).^2 / t^2))", "x"),
    ("sum(log(1 + y ./ x))", "y"),
    ("exp(||x - y||^2 - ||x - m||^2) / exp(||x - y||^2)", "x"),
    ("((x - y)' A (x - y))^2", "x"),
    ("(x - m)' S (x - m)", "m"),
    ("||(X - mean(X, axis=0)) W||^2", "W"),
    ("||(X - mean(X, axis=0)) W||^2", "X"),
    ("tr((X - mean(X, axis=0))' (X - mean(X, axis=0)))", "X"),
    ("tr(S (X - ones(n) u')' (X - ones(n) u'))", "u"),
    ("||tanh((X - Y) W) - G||^2", "W"),
    ("(x - y)' (x - m) / ((x - m)' (x - m))", "m"),
]
SHAPES = {
    "x": ("n",),
    "y": ("n",),
    "m": ("n",),
    "g": ("n",),
    "u": ("d",),
    "X": ("n", "d"),
    "Y": ("n", "d"),
    "W": ("d", "k"),
    "G": ("n", "k"),
    "A": ("n", "n"),
    "S": ("n", "n"),
    "t": (),
}
FAR = {"x", "y", "m", "u", "X", "Y"}


# By the laws of `accuracy.py`; all inputs are far from zero.
DEGREES: dict[str, tuple[int, int]] = {
    "x": (1, 1),
    "x + 1": (1, 1),
    "x - m": (0, 1),
    "x + y - 2 m": (0, 1),
    "(x - m) + (m - y)": (0, 1),
    "x .* y - m .* y": (1, 2),
    "(x - m) .* y": (1, 2),
    "(x - m)' (x - m)": (0, 1),
    "x' x": (2, 2),
    "x' x - 2 m' x + m' m": (1, 2),
    "c = x - m; c .* y - c": (1, 2),
    "c = x .* y; c .* m": (3, 3),
    "x.^2 + y.^2": (2, 2),
    "x.^2 - y.^2": (1, 2),
    "X' X + Y' Y": (2, 2),
    "X' X - Y' Y": (1, 2),
    "x - x": (0, 0),
    "2 ones(n)": (0, 0),
    "n x": (1, 1),
    "1 ./ x": (-1, -1),
    "1 ./ x.^2": (-2, -2),
    "(x - m) ./ y": (-1, 0),
    "x ./ y": (0, 0),
    "sqrt(x' x)": (1, 1),
    "A^-1": (-1, -1),
    "(A - B)^-1": (0, 1),
    "(A A)^-1": (-2, -2),
    "A^-1 (x - m)": (-1, 0),
    "tanh(x)": (0, 1),
    "exp(x - m)": (0, 1),
    "softmax(x .* y)": (0, 2),
    "exp((x - m) .* y) + tanh(x)": (0, 2),
}


@pytest.mark.parametrize("source", DEGREES)
def test_a_value_and_its_error_grow_as_their_degrees_say(source: str) -> None:
    """No faster, from M to 2^10 M: the value as M^v, its rounding error as M^e."""
    shapes = SHAPES | {"B": ("n", "n")}
    names = set(re.findall(r"\w+", source))
    program = md.parse(source, shapes={k: v for k, v in shapes.items() if k in names})
    lowered = program.lowered(Arena())
    value, error = DEGREES[source]
    assert Degrees()(lowered.root) == (value, error)
    size = {}
    for far in (2.0**20, 2.0**30):
        random = np.random.default_rng(0)
        arrays = {
            node: far + np.round(random.normal(size=[SIZES[str(dim)] for dim in node.shape]) * 64)
            for node in lowered.variables.values()
        }
        if "^-1" in source:  # well conditioned, as the law takes a matrix to be
            near = 1.0 if "-" in source.split("^")[0] else far
            arrays |= {
                node: near * np.eye(SIZES["n"]) + arrays[node] / far
                for name, node in lowered.variables.items()
                if name == "A"
            }
        wide = {node: array.astype(np.longdouble) for node, array in arrays.items()}
        with np.errstate(all="ignore"):
            exact = evaluate([lowered.root], wide, SIZES)[0]
            found = evaluate([lowered.root], arrays, SIZES)[0]
        if np.all(np.isfinite(exact)):
            size[far] = np.max(np.abs(exact))
            rounding = np.finfo(float).eps * far**error
            assert np.max(np.abs(found - exact)) <= 2.0**12 * rounding
    if len(size) == 2:
        assert size[2.0**30] <= 2.0**5 * 2.0 ** (10 * value) * size[2.0**20]


def _values(program: md.Program) -> dict[str, Array]:
    random = np.random.default_rng(0)
    sizes = dict(SIZES)
    values: dict[str, Array] = {}
    for name, entry in program.inputs.items():
        shape = [dim_value(dim, sizes) for dim in entry.shape]
        far = MEAN if name in FAR else 0.0
        # Exact in binary with bits to spare, so that the inputs carry no error of their own.
        values[name] = far + np.round(random.normal(size=shape) * 1024) / 1024 * SPREAD
    values |= {"t": np.array(0.75)} if "t" in values else {}
    return values


def _own_form(program: md.Program, wrt: str, order: int, values: Mapping[str, Array]) -> Array:
    """The derivative by the rules alone, in the precision of the values."""
    lowered = program.lowered(Arena(), [wrt])
    node = lowered.root
    for _ in range(order):
        (node,) = derive_raw(node, [lowered.variables[wrt]])
    arrays = {lowered.variables[name]: value for name, value in values.items()}
    return evaluate([node], arrays, SIZES)[0]


def _error(found: Array, reference: Array) -> float:
    return float(np.max(np.abs(found - reference)) / np.max(np.abs(reference)))


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(("source", "wrt"), CASES, ids=[case[0] for case in CASES])
def test_no_form_is_less_accurate_than_the_users_own(source: str, wrt: str, order: int) -> None:
    shapes = SHAPES | ({"S": ("d", "d")} if "X" in source else {})
    used = {
        name: shape
        for name, shape in shapes.items()
        if name in md.parse(source, shapes=shapes).inputs
    }
    program = md.parse(source, shapes=used)
    values = _values(program)
    wide = {name: value.astype(np.longdouble) for name, value in values.items()}
    reference = _own_form(program, wrt, order, wide)
    allowed = SLACK * _error(_own_form(program, wrt, order, values), reference) + ONCE
    derivative = md.diff(program, wrt, order=order)
    assert _error(derivative.evaluate(values), reference) <= allowed, str(derivative)
    code = md.compile(program, [wrt], order=order)
    scalar = order == 1 and not program.shape
    made = code.value_and_grad(values)[1] if scalar else code.derivative(values)
    assert _error(made[wrt], reference) <= allowed, code.source
    if derivative.node.order <= 2:
        printed = derivative.program.reread(derivative.to("ascii"))
        assert _error(printed.evaluate(values), reference) <= allowed, str(derivative)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_values_of_a_loop_are_taken_for_inputs(name: str) -> None:
    """Nothing is known of how they cancel."""
    root = PROGRAMS[name].program().lowered(Arena()).root
    found = [node for node in everything([root]) if isinstance(node, Last | Stack)]
    assert found
    for node in found:
        assert Degrees()(node) == (1, 1)
