"""Sizes: what is computed with them is true of their numbers."""

from __future__ import annotations

from itertools import product

import pytest

from matderiv.tensor.dims import (
    Dim,
    bound_name,
    dim_text,
    dim_value,
    dimension_names,
    divide_dims,
    least_dim,
    multiply_dims,
    smaller_of,
)

DIMS: list[Dim] = [
    1, 2, 3, 6, "m", "n", "k",
    multiply_dims("m", "n"), multiply_dims(2, "m"), multiply_dims(6, "m", "n"),
    multiply_dims("n", "n"), multiply_dims("k", "m", "n"),
]  # fmt: skip
NUMBERS = [{"m": 5, "n": 2, "k": 7}, {"m": 1, "n": 3, "k": 2}, {"m": 4, "n": 9, "k": 1}]


@pytest.mark.parametrize("a", DIMS, ids=dim_text)
def test_products_quotients_and_the_smaller_of_two_are_those_of_numbers(a: Dim) -> None:
    for b, sizes in product(DIMS, NUMBERS):
        x, y = dim_value(a, sizes), dim_value(b, sizes)
        assert dim_value(multiply_dims(a, b), sizes) == x * y
        assert divide_dims(multiply_dims(a, b), b) == a
        quotient = divide_dims(a, b)
        assert quotient is None or dim_value(quotient, sizes) * y == x
        least = least_dim(a, b)
        assert dim_value(least, sizes) == min(x, y)
        assert least == least_dim(b, a)
        assert least == 1 or 1 not in (a, b)
        if isinstance(least, str) and (sides := smaller_of(least)):
            assert set(sides) == {a, b}
            assert {*dimension_names([least])} == {*dimension_names([a]), *dimension_names([b])}
        else:
            assert least == (min(a, b) if isinstance(a, int) and isinstance(b, int) else least)
            assert least in (a, b)


@pytest.mark.parametrize("a", DIMS, ids=dim_text)
def test_a_size_is_bound_as_far_as_numbers_are_known(a: Dim) -> None:
    for b, sizes in product(DIMS, NUMBERS):
        least = least_dim(a, b)
        if not isinstance(least, str):
            continue
        assert bound_name(least, sizes) == dim_value(least, sizes)
        assert bound_name(least, {}) == least
        for name in sizes:
            rest = {other: number for other, number in sizes.items() if other != name}
            assert dim_value(bound_name(least, rest), sizes) == dim_value(least, sizes)
            assert not {*dimension_names([bound_name(least, rest)])} - {name}


@pytest.mark.parametrize("a", DIMS, ids=dim_text)
def test_a_size_is_written_as_its_factors(a: Dim) -> None:
    words = dim_text(a).split()
    assert multiply_dims(*(int(word) if word.isdigit() else word for word in words)) == a
    assert words
    assert "1" not in words or words == ["1"]
