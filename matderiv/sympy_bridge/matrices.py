"""Matrices of SymPy as text of the language."""

from __future__ import annotations

from typing import Any

import sympy as sp

from matderiv.errors import ShapeError, UnsupportedError
from matderiv.sympy_bridge.reader import Level, Reader, Text, kind_of, shape_of

__all__ = [
    "determinant",
    "diagonal",
    "entry",
    "hadamard",
    "identity",
    "inverse",
    "kronecker",
    "matrix_power",
    "matrix_product",
    "matrix_symbol",
    "ones",
    "slice_of",
    "trace",
    "transpose",
]


def matrix_symbol(reader: Reader, symbol: Any) -> Text:
    name, shape = reader.name(symbol), shape_of(symbol)
    if not all(size.is_Symbol or (size.is_Integer and size > 0) for size in shape):
        raise ShapeError(f"{name} has shape {shape}: a size is a name or a positive integer")
    reader.shapes[name] = tuple(
        int(size) if size.is_Integer else reader.name(size) for size in shape if size != 1
    )
    return (f"{name}'" if kind_of(symbol) == "row" else name), Level.ATOM


def matrix_product(reader: Reader, expression: Any) -> Text:
    factors = list(expression.args)
    sign = ""
    if factors[0].is_number and factors[0].is_negative:
        sign, factors[0] = "-", -factors[0]
        factors = factors[1:] if factors[0] == 1 else factors
    text = " * ".join(reader.at(factor, Level.ATOM) for factor in factors)
    return sign + text, Level.SUM if sign else Level.PRODUCT


def hadamard(reader: Reader, expression: Any) -> Text:
    sign = " * " if kind_of(expression) == "scalar" else " .* "
    return sign.join(reader.at(arg, Level.ATOM) for arg in expression.args), Level.SUM


def kronecker(reader: Reader, expression: Any) -> Text:
    text = reader.read(expression.args[0]).text
    for arg in expression.args[1:]:
        text = f"kron({text}, {reader.read(arg).text})"
    return text, Level.ATOM


def matrix_power(reader: Reader, expression: Any) -> Text:
    base, exponent = expression.args
    if kind_of(base) == "scalar":
        return f"({reader.read(base).text})^({reader.read(exponent).text})", Level.PRODUCT
    if exponent == sp.Rational(1, 2):
        return reader.call("sqrtm", base)
    if not exponent.is_Integer:
        raise UnsupportedError(f"the power of a matrix is an integer, not {exponent}")
    return f"({reader.read(base).text})^{exponent}", Level.PRODUCT


def inverse(reader: Reader, expression: Any) -> Text:
    if kind_of(expression) == "scalar":
        return f"1 / {reader.at(expression.arg, Level.ATOM)}", Level.PRODUCT
    return f"{reader.at(expression.arg, Level.ATOM)}^-1", Level.PRODUCT


def transpose(reader: Reader, expression: Any) -> Text:
    inner = expression.arg
    written = reader.read(inner)
    if written.is_scalar:
        return written[:2]
    if isinstance(inner, sp.MatrixSymbol) and kind_of(inner) == "row":
        return written.text.removesuffix("'"), Level.ATOM
    return f"{written.at(Level.ATOM)}'", Level.ATOM


def trace(reader: Reader, expression: Any) -> Text:
    inner = expression.arg
    return reader.read(inner)[:2] if kind_of(inner) == "scalar" else reader.call("tr", inner)


def determinant(reader: Reader, expression: Any) -> Text:
    inner = expression.arg
    return reader.read(inner)[:2] if kind_of(inner) == "scalar" else reader.call("det", inner)


def ones(reader: Reader, expression: Any) -> Text:
    name = "ones" if isinstance(expression, sp.OneMatrix) else "zeros"
    sizes = [reader.size(size) for size in shape_of(expression)]
    kind = kind_of(expression)
    if kind == "scalar":
        return str(int(name == "ones")), Level.ATOM
    if kind == "matrix":
        return f"{name}({', '.join(sizes)})", Level.ATOM
    text = f"{name}({sizes[kind == 'row']})"
    return (f"{text}'" if kind == "row" else text), Level.ATOM


def identity(reader: Reader, expression: Any) -> Text:
    scalar = kind_of(expression) == "scalar"
    return ("1" if scalar else f"eye({reader.size(expression.shape[0])})"), Level.ATOM


def diagonal(reader: Reader, expression: Any) -> Text:
    (inner,) = expression.args
    if kind_of(inner) == "scalar":
        return reader.read(inner)[:2]
    if isinstance(expression, sp.DiagMatrix):
        return reader.call("diag", inner)
    if inner.shape[0] != inner.shape[1]:
        raise ShapeError(f"{type(expression).__name__} is of a square matrix here")
    text, level = reader.call("diag", inner)
    return (f"diag({text})" if isinstance(expression, sp.DiagonalMatrix) else text), level


def entry(reader: Reader, expression: Any) -> Text:
    parent, *indices = expression.args
    if not all(index.is_Integer and index >= 0 for index in indices):
        raise UnsupportedError(f"an index is an integer, not one of {tuple(indices)}")
    return _indexed(reader, parent, [str(index) for index in indices])


def slice_of(reader: Reader, expression: Any) -> Text:
    indices = []
    for (start, stop, step), size in zip(
        (expression.rowslice, expression.colslice), shape_of(expression.parent), strict=True
    ):
        bounds = [sp.sympify(bound) for bound in (start, stop, step)]
        if bounds == [0, size, 1]:
            indices.append(":")
        elif bounds[2] == 1 and all(bound.is_Integer for bound in bounds):
            one = bounds[1] - bounds[0] == 1
            indices.append(str(start) if one else f"{start}:{stop}")
        else:
            raise UnsupportedError(f"a slice has integer ends and step 1, not {expression}")
    return _indexed(reader, expression.parent, indices)


def _indexed(reader: Reader, parent: Any, indices: list[str]) -> Text:
    kind, text = kind_of(parent), reader.at(parent, Level.ATOM)
    if kind == "scalar" or indices == [":", ":"]:
        return text, Level.ATOM
    if kind == "matrix":
        return f"{text}[{', '.join(indices)}]", Level.ATOM
    if kind == "vector":
        return (text if indices[0] == ":" else f"{text}[{indices[0]}]"), Level.ATOM
    if indices[1] == ":":
        return text, Level.ATOM
    turned = "'" if ":" in indices[1] else ""
    return f"({text})'[{indices[1]}]{turned}", Level.ATOM
