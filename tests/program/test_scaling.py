"""Scalars before sums of thin terms are multiplied onto vectors, not onto the matrix."""

from __future__ import annotations

import pytest

import matderiv as md

LAYER_NORM = "x: (n)\nc = x - mean(x)\nc / sqrt(mean(c .* c) + 1e-5)"


@pytest.mark.parametrize(
    ("source", "passes"),
    [
        (LAYER_NORM, 2),  # an outer product, a constant
        ("norm(x)", 1),  # an outer product; the identity is n entries
    ],
)
def test_a_dense_derivative_takes_one_pass_for_each_term(source: str, passes: int) -> None:
    function = md.compile(source, "x", order=1 if "\n" in source else 2)
    flops = sum(float(step.flops.at({"n": 1000})) for step in function.plan.derivative)
    assert flops / 1000**2 == pytest.approx(passes, rel=0.02)


def test_a_matrix_among_the_terms_is_scaled_with_the_others() -> None:
    """A copy of A for the scalar would cost as much as the scaling of the sum."""
    function = md.compile("(A + x x') / (x' x)", "x")
    forward = [step.function for step in function.plan.forward if len(step.shape) == 2]
    assert forward == ["multiply", "add", "multiply"]
