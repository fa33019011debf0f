"""What both halves of the way out build with: sizes, sums, functions entry by entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp

from matderiv.errors import UnsupportedError
from matderiv.language.typed import Typed
from matderiv.tensor.dims import Composite, Dim, Shape

__all__ = [
    "column",
    "column_of_ones",
    "each",
    "matrix_shape",
    "power",
    "refuse",
    "row_of_ones",
    "size_of",
    "total",
]


def refuse(what: str) -> UnsupportedError:
    return UnsupportedError(f"SymPy holds no symbolic {what}")


def size_of(dim: Dim) -> Any:
    if isinstance(dim, Composite):
        return sp.Mul(dim.coefficient, *map(size_of, dim.names))
    return sp.Integer(dim) if isinstance(dim, int) else sp.Symbol(dim, integer=True, positive=True)


def matrix_shape(kind: str, shape: Shape) -> tuple[Any, Any]:
    if kind == "tensor":
        raise refuse(f"value of {len(shape)} axes")
    sizes = tuple(map(size_of, shape))
    if kind == "matrix":
        return sizes
    return (sizes[0], sp.Integer(1)) if kind == "vector" else (sp.Integer(1), sizes[0])


def row_of_ones(size: Any) -> Any:
    return sp.OneMatrix(1, size)


def column_of_ones(size: Any) -> Any:
    return sp.OneMatrix(size, 1)


def total(matrix: Any) -> Any:
    """The sum of all entries."""
    rows, columns = matrix.shape
    product = matrix if rows == 1 else row_of_ones(rows) * matrix
    return sp.Trace(product if columns == 1 else product * column_of_ones(columns))


def each(function: Callable[[Any], Any], value: Any) -> Any:
    """A function of a scalar, or of every entry."""
    if not value.is_Matrix:
        return function(value)
    if value.shape == (1, 1):  # SymPy would take the function of the matrix
        return function(value[0, 0]) * sp.OneMatrix(1, 1)
    if isinstance(function, type):
        return value.applyfunc(function)
    t = sp.Dummy("t")
    return value.applyfunc(sp.Lambda(t, function(t)))


def power(base: Any, exponent: Any) -> Any:
    if not base.is_Matrix and not exponent.is_Matrix:
        return base**exponent
    return sp.HadamardPower(base, exponent)


def column(value: Any, part: Typed) -> Any:
    """The value of `part` as a column where it is a row."""
    return value.T if part.kind == "row" else value
