"""Layouts are permutations: denominator is the transpose of numerator, for any shapes."""

from __future__ import annotations

import numpy as np
import pytest

from matderiv.calculus.derivative import reverse
from matderiv.calculus.layout import (
    _LETTERS,
    LAYOUTS,
    arrange,
    diagonal_rule,
    index_rule,
    is_row,
    layout_axes,
)
from matderiv.tensor.dims import Shape
from tests.random_programs import random_program


@pytest.mark.parametrize("value_order", range(4))
@pytest.mark.parametrize("variable_order", range(4))
def test_axes_are_those_of_the_definition(value_order: int, variable_order: int) -> None:
    s: Shape = tuple(f"s{k}" for k in range(value_order))
    t: Shape = tuple(f"t{k}" for k in range(variable_order))
    mixed = s + t
    want = {"mixed": s + t, "numerator": s + t[::-1], "denominator": t + s[::-1]}
    for layout in LAYOUTS:
        axes = layout_axes(layout, value_order, len(mixed))
        assert tuple(mixed[k] for k in axes) == want[layout]


@pytest.mark.parametrize("row", [False, True], ids=["column", "row"])
def test_a_derivative_by_a_number_lies_as_its_value_does(row: bool) -> None:
    """The denominator layout turns it; a gradient is a row in the numerator layout alone."""
    assert is_row("numerator", 1, 1, row) == is_row("mixed", 1, 1, row) == row
    assert is_row("denominator", 1, 1, row) != row
    for layout in LAYOUTS:
        assert is_row(layout, 0, 1, row) == (layout == "numerator")
        assert not any(is_row(layout, order, total, row) for order in (0, 1) for total in (0, 2))


@pytest.mark.parametrize("seed", range(12))
def test_denominator_is_the_transpose_of_numerator(seed: int) -> None:
    program = random_program(seed)
    (jacobian,) = reverse(program.root, program.variables[:1])
    order = program.root.order
    numerator = program.at(arrange(jacobian, "numerator", order))
    denominator = program.at(arrange(jacobian, "denominator", order))
    assert np.array_equal(denominator, numerator.T)


def test_the_rule_of_indices_is_said_as_far_as_there_are_letters() -> None:
    last = len(_LETTERS)
    for layout in LAYOUTS:
        for order in (0, 1, last + 1):
            assert not index_rule(layout, 0, [("X", order)])
        for order in (2, 3, last):
            rule = index_rule(layout, 0, [("X", order)])
            letters = rule[len("entry [") : rule.index("]")].split(",")
            assert "".join(letters) == _LETTERS[:order]
            assert rule.endswith(
                f"∂f/∂X[{','.join(letters[::-1] if layout == 'numerator' else letters)}]"
            )
        assert len(diagonal_rule(layout, 0, [("X", last), ("X", last)])) > last
        assert not diagonal_rule(layout, 0, [("X", last + 1), ("X", last + 1)])
