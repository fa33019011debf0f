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
    "bound_name",
    "dim_text",
    "dim_value",
    "dimension_names",
    "divide_dims",
    "least_dim",
    "multiply_dims",
    "name_value",
    "shape_text",
    "smaller_of",
]

ROOT = "√"
"""Before the name of a size: the number of blocks of layers whose length is the same number."""

_LEAST = "min("


class Composite(NamedTuple):
    """The size `coefficient · names[0] · names[1] …` with the names sorted."""

    coefficient: int
    names: tuple[str, ...]

    def __str__(self) -> str:
        return dim_text(self)


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


def least_dim(a: Dim, b: Dim) -> Dim:
    """Return the smaller of two sizes: a name made of both, where that depends on them.

    >>> least_dim("m", "n"), least_dim("n", "m"), least_dim("n", "n"), least_dim(2, 3)
    ('min(m, n)', 'min(m, n)', 'n', 2)
    """
    if a == b or 1 in (a, b):
        return a if a == b else 1
    if isinstance(a, int) and isinstance(b, int):
        return min(a, b)
    return f"{_LEAST}{', '.join(sorted((dim_text(a), dim_text(b))))})"


def smaller_of(name: str) -> tuple[Dim, Dim] | None:
    """The sizes of which a name is the smaller, if it was made of two.

    >>> smaller_of("min(2 k, n)"), smaller_of("n")
    ((Composite(coefficient=2, names=('k',)), 'n'), None)
    """
    if not name.startswith(_LEAST):
        return None
    sides = name.removeprefix(_LEAST).removesuffix(")").split(", ")
    a, b = (
        multiply_dims(*(int(part) if part.isdigit() else part for part in side.split()))
        for side in sides
    )
    return a, b


def dimension_names(dims: Iterable[Dim]) -> Iterator[str]:
    """The names in some sizes.

    >>> list(dimension_names(("m", 2, multiply_dims("n", "k", 3), least_dim("p", "q"))))
    ['m', 'k', 'n', 'p', 'q']
    """
    for dim in dims:
        for name in _parts(dim)[1]:
            sides = smaller_of(name)
            yield from (name,) if sides is None else dimension_names(sides)


def name_value(name: str, sizes: Mapping[str, int]) -> int:
    """Return the number of a name; √N is the least integer that is no less than the root of N.

    >>> name_value("m", {"m": 3}), [name_value("√N", {"N": n}) for n in (1, 9, 10, 16)]
    (3, [1, 3, 4, 4])
    >>> name_value("min(m, n)", {"m": 3, "n": 2})
    2
    """
    if name in sizes:
        return sizes[name]
    if (sides := smaller_of(name)) is not None:
        return min(dim_value(dim, sizes) for dim in sides)
    return isqrt(sizes[name.removeprefix(ROOT)] - 1) + 1 if name.startswith(ROOT) else sizes[name]


def bound_name(name: str, sizes: Mapping[str, int]) -> Dim:
    """The size of a name once the numbers of some names are known.

    >>> sizes = {"m": 3}
    >>> bound_name("m", sizes), bound_name("n", sizes), bound_name("min(m, n)", sizes)
    (3, 'n', 'min(3, n)')
    """
    if (sides := smaller_of(name)) is None:
        return name_value(name, sizes) if name.removeprefix(ROOT) in sizes else name
    return least_dim(
        *(
            multiply_dims(number, *(bound_name(part, sizes) for part in names))
            for number, names in map(_parts, sides)
        )
    )


def dim_value(dim: Dim, sizes: Mapping[str, int]) -> int:
    """Return the number of a size, given a number for each name.

    >>> dim_value(multiply_dims("m", "n"), {"m": 3, "n": 4})
    12
    """
    if isinstance(dim, str):
        return name_value(dim, sizes)
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


def shape_text(shape: Iterable[Dim]) -> str:
    """A shape as users write it, and as NumPy prints one.

    >>> shape_text(("n",)), shape_text((multiply_dims("n", "m"), 3)), shape_text(())
    ('(n,)', '(m n, 3)', '()')
    """
    texts = [dim_text(dim) for dim in shape]
    return f"({', '.join(texts)}{',' * (len(texts) == 1)})"
