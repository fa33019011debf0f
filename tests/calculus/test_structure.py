"""Derivatives by structured variables: the orthogonal projection onto the directions there are."""

from __future__ import annotations

import numpy as np
import pytest

from matderiv.calculus.structure import STRUCTURED, project, structure_of, structured_direction
from matderiv.errors import UnsupportedError
from matderiv.tensor.arena import Arena
from tests.numerics import Array, value

SIZES = {"n": 4, "m": 3, "k": 2}
RANDOM = np.random.default_rng(8)
POINT = np.linalg.qr(RANDOM.normal(size=(4, 4)))[0]


def violation(name: str, direction: Array) -> Array:
    """0 where a direction keeps the structure at POINT."""
    turned = POINT.T @ direction
    return {
        "diagonal": direction - np.diag(np.diag(direction)),
        "symmetric": direction - direction.T,
        "posdef": direction - direction.T,
        "lower": np.triu(direction, 1),
        "upper": np.tril(direction, -1),
        "orthogonal": turned + turned.T,
    }[name]


@pytest.mark.parametrize("name", STRUCTURED)
def test_projection_keeps_the_slope_along_each_direction(name: str) -> None:
    """<P(G), D> = <G, D> for every D that keeps the structure, and P(G) keeps it."""
    arena, marks = Arena(), frozenset({name})
    x, g = arena.variable("X", ("n", "n"), [name]), arena.variable("G", ("n", "n"))
    gradient = RANDOM.normal(size=(4, 4))
    projected = value(project(g, 0, x, marks), {g: gradient, x: POINT}, SIZES)
    assert np.allclose(violation(name, projected), 0)
    assert not np.allclose(violation(name, gradient), 0)
    for _ in range(4):
        direction = structured_direction(RANDOM.normal(size=(4, 4)), POINT, marks)
        assert np.allclose(violation(name, direction), 0)
        assert np.allclose(np.sum(projected * direction), np.sum(gradient * direction))
        if name != "orthogonal":
            assert np.allclose(structured_direction(direction, POINT, marks), direction)


@pytest.mark.parametrize("name", STRUCTURED)
def test_projection_takes_any_two_axes(name: str) -> None:
    arena, marks = Arena(), frozenset({name})
    x, g = arena.variable("X", ("n", "n"), [name]), arena.variable("G", ("m", "n", "n", "k"))
    if name == "orthogonal":
        with pytest.raises(UnsupportedError, match="orthogonal group"):
            project(g, 1, x, marks)
        return
    gradient = RANDOM.normal(size=(3, 4, 4, 2))
    projected = value(project(g, 1, x, marks), {g: gradient}, SIZES)
    for i in range(3):
        for j in range(2):
            want = structured_direction(gradient[i, :, :, j], POINT, marks)
            assert np.allclose(projected[i, :, :, j], want)


def test_the_narrowest_structure_counts() -> None:
    assert structure_of(frozenset({"symmetric", "diagonal"})) == "diagonal"
    assert structure_of(frozenset({"posdef", "symmetric"})) in ("symmetric", "posdef")
    assert structure_of(frozenset({"positive"})) is None
    arena = Arena()
    x, g = arena.variable("X", ("n", "n")), arena.variable("G", ("n", "n"))
    assert project(g, 0, x, frozenset()) is g
    assert np.array_equal(structured_direction(POINT, POINT, frozenset()), POINT)
