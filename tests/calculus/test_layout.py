"""Layouts are permutations: denominator is the transpose of numerator, for any shapes."""

from __future__ import annotations

import numpy as np
import pytest

from matderiv.calculus.derivative import reverse
from matderiv.calculus.layout import LAYOUTS, arrange, layout_axes
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


@pytest.mark.parametrize("seed", range(12))
def test_denominator_is_the_transpose_of_numerator(seed: int) -> None:
    program = random_program(seed)
    (jacobian,) = reverse(program.root, program.variables[:1])
    order = program.root.order
    numerator = program.at(arrange(jacobian, "numerator", order))
    denominator = program.at(arrange(jacobian, "denominator", order))
    assert np.array_equal(denominator, numerator.T)
