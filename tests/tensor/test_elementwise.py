"""Laws of the table of elementwise functions, each over the whole table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from matderiv.calculus.derivative import forward, reverse
from matderiv.tensor.arena import Arena
from matderiv.tensor.elementwise import ELEMENTWISE, AbstractElementwise, Elementwise
from matderiv.tensor.nodes import Node, Sum, Variable
from matderiv.tensor.vanishing import LOG_BESIDE, RECIPROCAL_BESIDE
from tests.numerics import Array, directional, relative_error, run_program, value

EVERY = {**ELEMENTWISE, **{entry.name: entry for entry in (LOG_BESIDE, RECIPROCAL_BESIDE)}}
TOLERANCE = 1e-8
COUNT = 9
SIZES = {"n": COUNT}
DOMAINS = {
    "real": (-2.5, 2.5),
    "positive": (0.2, 3.0),
    "unit": (-0.9, 0.9),
    "above_one": (1.2, 3.0),
    "nonzero": (0.3, 2.5),
}


def sample(entry: Elementwise, argument: int) -> Array:
    """Points on both sides of 0 where the domain allows, none of them near a kink."""
    low, high = DOMAINS[entry.domain]
    random = np.random.default_rng([3, argument])
    points = random.uniform(low, high, size=COUNT)
    return points * np.where(np.arange(COUNT) % 2, 1, -1) if entry.domain == "nonzero" else points


def instance(entry: Elementwise) -> tuple[Node, list[Variable], dict[Node, Array]]:
    arena = Arena()
    arguments = [arena.variable(f"x{k}", ("n",)) for k in range(entry.arity)]
    arrays: dict[Node, Array] = {x: sample(entry, k) for k, x in enumerate(arguments)}
    return arena.map(entry, *arguments), arguments, arrays


def slope_error(entry: Elementwise, index: int, order: int = 1) -> float:
    """The error of the last of `order` derivatives by one argument, against differences."""
    y, arguments, arrays = instance(entry)
    x = arguments[index]
    for _ in range(order - 1):
        y = slope(y, x)
    want = directional(lambda p: value(y, {**arrays, x: p}, SIZES), arrays[x], np.ones(COUNT))
    got = value(slope(y, x), arrays, SIZES)
    if not want.any():
        return float(np.max(np.abs(got)))
    return relative_error(got, want)


def slope(y: Node, x: Variable) -> Node:
    """The diagonal of the Jacobian of an elementwise value."""
    return y.arena.einsum("ii->i", reverse(y, [x])[0])


@pytest.mark.parametrize("name", EVERY)
def test_derivative_is_the_slope(name: str) -> None:
    entry = EVERY[name]
    for index in range(entry.arity):
        assert slope_error(entry, index) <= TOLERANCE


def wrong_derivatives(node: Node) -> Iterator[Node]:
    """A slope with its sign turned, doubled, with 1 more or 1 percent off, without each term."""
    yield node + 1
    if isinstance(node, Sum) and not node.terms:
        return
    yield from (-node, 2 * node, node * Fraction(101, 100))
    if isinstance(node, Sum):
        for place in range(len(node.terms)):
            yield node.arena.sum(node.terms[:place] + node.terms[place + 1 :], node.shape)


@pytest.mark.parametrize("name", EVERY)
def test_a_wrong_derivative_breaks_the_law(name: str) -> None:
    entry = EVERY[name]
    for index in range(entry.arity):
        y, arguments, _ = instance(entry)
        for place in range(len([*wrong_derivatives(slope(y, arguments[index]))])):

            def wrong(y: Node, *x: Node, index: int = index, place: int = place) -> Node:
                return [*wrong_derivatives(entry.differentiate(index, y, x))][place]

            derivative = list(entry.derivative)
            derivative[index] = wrong
            assert slope_error(replace(entry, derivative=tuple(derivative)), index) > 1e-3


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("order", [2, 3])
def test_higher_derivatives_are_slopes_of_slopes(name: str, order: int) -> None:
    entry = EVERY[name]
    for index in range(entry.arity):
        assert slope_error(entry, index, order) <= 1e-7


@pytest.mark.parametrize("name", EVERY)
def test_both_modes_agree(name: str) -> None:
    y, arguments, arrays = instance(EVERY[name])
    for x in arguments:
        (a,), (b,) = reverse(y, [x]), forward(y, [x])
        assert relative_error(value(a, arrays, SIZES), value(b, arrays, SIZES)) <= 1e-12


@pytest.mark.parametrize("name", EVERY)
def test_program_computes_the_reference(name: str) -> None:
    entry = EVERY[name]
    _, _, arrays = instance(entry)
    names = dict(zip("xz", arrays.values(), strict=False))
    want = entry.reference(*arrays.values())
    assert np.shape(want) == (COUNT,)
    assert relative_error(run_program(entry.numpy, names), want) <= 1e-14


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_program_does_not_overflow_where_the_value_is_finite(name: str) -> None:
    entry = ELEMENTWISE[name]
    if entry.arity > 1 or entry.domain == "unit" or name in ("exp", "expm1", "sinh", "cosh"):
        return
    low = 1e-300 if entry.domain == "positive" else -1e3
    far = [-300.0, -40.0, -21.0] if entry.domain == "real" else []
    points = np.array([low, *far, 1e3])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        got = run_program(entry.numpy, {"x": points})
        want = entry.reference(points)
    assert np.all(np.isfinite(got))
    assert np.allclose(got, want, rtol=1e-14)


# ----- kinks --------------------------------------------------------------------------
# (arguments, value, derivative by each argument), at every kink of the table.
KINKS: dict[str, list[tuple[tuple[float, ...], float, tuple[float, ...]]]] = {
    "relu": [((0.0,), 0.0, (0.0,))],
    "step": [((0.0,), 0.0, (0.0,))],
    "leaky_relu": [((0.0,), 0.0, (0.01,))],
    "abs": [((0.0,), 0.0, (0.0,))],
    "sign": [((0.0,), 0.0, (0.0,))],
    "max": [((2.0, 2.0), 2.0, (1.0, 0.0))],
    "min": [((2.0, 2.0), 2.0, (1.0, 0.0))],
}


def test_every_kink_is_listed() -> None:
    assert set(KINKS) == {name for name, entry in ELEMENTWISE.items() if entry.kink}


@pytest.mark.parametrize("name", KINKS)
def test_kinks_take_the_stated_value(name: str) -> None:
    entry = ELEMENTWISE[name]
    for point, result, slopes in KINKS[name]:
        arena = Arena()
        arguments = [arena.variable(f"x{k}", ("n",)) for k in range(entry.arity)]
        arrays: dict[Node, Array] = {
            x: np.array([p]) for x, p in zip(arguments, point, strict=True)
        }
        y = arena.map(entry, *arguments)
        assert value(y, arrays, {"n": 1}) == [result]
        assert run_program(entry.numpy, dict(zip("xz", arrays.values(), strict=False))) == [result]
        for x, wanted in zip(arguments, slopes, strict=True):
            assert value(slope(y, x), arrays, {"n": 1}) == [wanted]


# ----- declarations -------------------------------------------------------------------
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_declaration_is_complete(name: str) -> None:
    entry = ELEMENTWISE[name]
    assert entry.name == name
    assert entry.domain in DOMAINS
    assert 1 <= entry.arity <= 2
    assert entry.weight >= 1
    text = entry.latex.format(x="x", z="z")
    assert text.count("{") == text.count("}")
    assert "x" in text
    assert set(entry.unchanged_by) <= set(ELEMENTWISE)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_marks_are_true(name: str) -> None:
    """nonnegative, unit and unchanged_by hold where they are claimed."""
    entry = ELEMENTWISE[name]
    arrays = [sample(entry, k) for k in range(entry.arity)]
    result = entry.reference(*arrays)
    assert not (entry.nonnegative or entry.unit) or np.all(result >= 0)
    assert not entry.unit or np.all(result <= 1)
    for other in entry.unchanged_by:
        inner = ELEMENTWISE[other].reference(np.append(arrays[0], 0.0))
        assert np.array_equal(entry.reference(inner), [*result, entry.reference(0.0)])


def test_spellings_are_unique() -> None:
    spellings = [s for entry in ELEMENTWISE.values() for s in (entry.name, *entry.aliases)]
    assert len(set(spellings)) == len(spellings)


def test_abstract_function_counts_derivatives_by_argument() -> None:
    arena = Arena()
    x, z = arena.variable("x", ("n",)), arena.variable("z", ("n",))
    y = arena.map(AbstractElementwise("phi", (0, 0)), x, z)
    mixed = slope(slope(y, x), z)
    assert mixed is slope(slope(y, z), x)
    assert mixed is arena.map(AbstractElementwise("phi", (1, 1)), x, z)
