"""A SymPy expression as text of the language, with the shapes of its symbols.

    MatrixSymbol(m, n)   matrix            MatrixSymbol(n, 1)   vector
    MatrixSymbol(1, n)   row of a vector   MatrixSymbol(1, 1)   scalar, as is Symbol

The shape of every part decides in the same way how it is written: (n, 1) is a column,
(1, n) a row, 1 × 1 a scalar.  A symbol that is a size of some matrix is that size.  What
the language does not have is refused by the name of its SymPy class.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.matrices.expressions.matexpr import MatrixElement
from sympy.matrices.expressions.slice import MatrixSlice

from matderiv.errors import MatderivError, UnsupportedError
from matderiv.sympy_bridge import matrices, scalars
from matderiv.sympy_bridge.functions import FAULTS
from matderiv.sympy_bridge.reader import Level, Reader, Rule

__all__ = ["Source", "from_sympy"]


class Source(NamedTuple):
    """What `matderiv.parse` takes: a text, and what is declared for it."""

    text: str
    shapes: dict[str, tuple[str | int, ...]]
    attributes: dict[str, str]


def from_sympy(expression: Any) -> Source:
    """Return the text, shapes and attributes of a scalar or matrix expression.

    Raises UnsupportedError, ShapeError or NameResolutionError for what cannot be written.

    >>> n, d = sp.symbols("n d", integer=True)
    >>> X, w = sp.MatrixSymbol("X", n, d), sp.MatrixSymbol("w", d, 1)
    >>> from_sympy(2 * X * w)
    Source(text='2 * X * w', shapes={'X': ('n', 'd'), 'w': ('d',)}, attributes={})
    """
    reader = Reader(_RULES)
    try:
        reader.find_sizes(expression)
        text = reader.read(expression).text
    except MatderivError:
        raise
    except RecursionError:
        raise UnsupportedError("the SymPy expression is too deep") from None
    except FAULTS as error:
        raise UnsupportedError(f"SymPy does not take its own expression: {error}") from None
    declared = [f"{name}: {kind}" for name, kind in reader.functions.items()]
    if declared:
        text += " where " + "; ".join(declared)
    return Source(text, reader.shapes, reader.attributes)


_RULES: dict[type, Rule] = {
    sp.Number: scalars.number,
    sp.Symbol: scalars.symbol,
    sp.MatrixSymbol: matrices.matrix_symbol,
    type(sp.pi): lambda reader, _: ("π", Level.ATOM),
    type(sp.E): lambda reader, _: ("exp(1)", Level.ATOM),
    sp.Add: scalars.add,
    sp.MatAdd: scalars.add,
    sp.Mul: scalars.multiply,
    sp.MatMul: matrices.matrix_product,
    sp.HadamardProduct: matrices.hadamard,
    sp.KroneckerProduct: matrices.kronecker,
    sp.Pow: scalars.power,
    sp.HadamardPower: scalars.power,
    sp.MatPow: matrices.matrix_power,
    sp.Inverse: matrices.inverse,
    sp.Transpose: matrices.transpose,
    sp.Function: scalars.function,
    sp.Max: scalars.extremum,
    sp.Min: scalars.extremum,
    sp.Heaviside: scalars.step,
    sp.Derivative: scalars.derivative,
    AppliedUndef: scalars.applied,
    ElementwiseApplyFunction: scalars.elementwise,
    sp.Trace: matrices.trace,
    sp.Determinant: matrices.determinant,
    sp.OneMatrix: matrices.ones,
    sp.ZeroMatrix: matrices.ones,
    sp.Identity: matrices.identity,
    sp.DiagMatrix: matrices.diagonal,
    sp.DiagonalMatrix: matrices.diagonal,
    sp.DiagonalOf: matrices.diagonal,
    MatrixElement: matrices.entry,
    MatrixSlice: matrices.slice_of,
}
"""A SymPy class -> how its expressions are written."""
