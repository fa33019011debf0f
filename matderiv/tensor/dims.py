"""Sizes of axes, and exact polynomials in them.

A size is a positive integer, a name, or a product of both in normal form
(`Composite`), which Kronecker products, `vec` and `reshape` produce.  Sizes are
plain hashable values: comparing two of them is comparing two values.

    n · (2 m)  =  Composite(2, ("m", "n"))
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import isqrt
from typing import NamedTuple

__all__ = [
    "ROOT",
    "Composite",
    "Dim",
    "Shape",
    "dim_text",
    "dim_value",
    "dimension_names",
    "divide_dims",
    "multiply_dims",
    "name_value",
]

ROOT = "√"
"""Before the name of a size: the number of blocks of layers whose length is the same number."""


class Composite(NamedTuple):
    """The size `coefficient · names[0] · names[1] …` with the names sorted."""

    coefficient: int
    names: tuple[str, ...]


Dim = int | str | Composite
Shape = tuple[Dim, ...]


def _parts(dim: Dim) -> tuple[int, tuple[str, ...]]:
    if isinstance(dim, int):
        return dim, ()
    if isinstance(dim, str):
        return 1, (dim,)
    return dim.coefficient, dim.names


def multiply_dims(*dims: Dim) -> Dim:
    """Return the product of sizes in normal form.

    >>> multiply_dims("m", 2, "n")
    Composite(coefficient=2, names=('m', 'n'))
    >>> multiply_dims(2, 3), multiply_dims("n"), multiply_dims()
    (6, 'n', 1)
    """
    coefficient, names = 1, list[str]()
    for dim in dims:
        number, more = _parts(dim)
        coefficient *= number
        names += more
    if not names:
        return coefficient
    if coefficient == 1 and len(names) == 1:
        return names[0]
    return Composite(coefficient, tuple(sorted(names)))


def divide_dims(dim: Dim, divisor: Dim) -> Dim | None:
    """Return the size `dim / divisor`, or None where it is not a size.

    >>> divide_dims(multiply_dims("m", "n"), "m")
    'n'
    >>> divide_dims("m", "n") is None
    True
    """
    number, names = _parts(dim)
    below, divisors = _parts(divisor)
    left = list(names)
    for name in divisors:
        if name not in left:
            return None
        left.remove(name)
    return multiply_dims(number // below, *left) if number % below == 0 else None


def dimension_names(dims: Iterable[Dim]) -> Iterator[str]:
    """The names in some sizes.

    >>> list(dimension_names(("m", 2, multiply_dims("n", "k", 3))))
    ['m', 'k', 'n']
    """
    for dim in dims:
        yield from _parts(dim)[1]


def name_value(name: str, sizes: Mapping[str, int]) -> int:
    """Return the number of a name; √N is the least integer that is no less than the root of N.

    >>> name_value("m", {"m": 3}), [name_value("√N", {"N": n}) for n in (1, 9, 10, 16)]
    (3, [1, 3, 4, 4])
    """
    if name.startswith(ROOT) and name not in sizes:
        return isqrt(sizes[name[1:]] - 1) + 1
    return sizes[name]


def dim_value(dim: Dim, sizes: Mapping[str, int]) -> int:
    """Return the number of a size, given a number for each name.

    >>> dim_value(multiply_dims("m", "n"), {"m": 3, "n": 4})
    12
    """
    value, names = _parts(dim)
    for name in names:
        value *= name_value(name, sizes)
    return value


def dim_text(dim: Dim) -> str:
    """Return a size as a user reads it.

    >>> dim_text(multiply_dims("n", 2, "m"))
    '2 m n'
    """
    number, names = _parts(dim)
    return " ".join([*([] if names and number == 1 else [str(number)]), *names])
