"""Functions of the language that are no single class of SymPy: sums, means, softmax, det.

A rule takes what gives the expression of a part, the typed call and its options.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sympy as sp

from matderiv.language.typed import Typed
from matderiv.sympy_bridge.functions import FUNCTIONS
from matderiv.sympy_bridge.parts import (
    column,
    column_of_ones,
    each,
    power,
    refuse,
    row_of_ones,
    size_of,
    total,
)

__all__ = ["RULES"]

Of = Callable[[Typed], Any]
Options = Mapping[str, Any]
Rule = Callable[[Of, Typed, Options], Any]


def _reduced(value: Any, part: Typed, options: Options) -> Any:
    """The sums along an axis, in the shape of `part`."""
    axis, keep = options.get("axis"), options.get("keepdims", False)
    (arg,) = part.args
    if arg.kind == "scalar":
        return value
    if arg.kind != "matrix" or axis is None:
        number = total(value)
        return number * sp.OneMatrix(1, 1) if keep else number
    if axis == 0:
        sums = row_of_ones(value.shape[0]) * value
        return sums if keep else sums.T
    return value * column_of_ones(value.shape[1])


def _count(part: Typed, options: Options) -> Any:
    axis, shape = options.get("axis"), part.args[0].shape
    return sp.Mul(*(size_of(dim) for k, dim in enumerate(shape) if axis in (None, k)))


def _spread(value: Any, part: Typed, options: Options) -> Any:
    """The sums along an axis, repeated along it."""
    if part.args[0].kind != "matrix":
        return total(value) * sp.OneMatrix(*value.shape)
    rows, columns = value.shape
    if options.get("axis") == 0:
        return sp.OneMatrix(rows, rows) * value
    return value * sp.OneMatrix(columns, columns)


def _sum(of: Of, part: Typed, options: Options) -> Any:
    return _reduced(of(part.args[0]), part, options)


def _mean(of: Of, part: Typed, options: Options) -> Any:
    return _sum(of, part, options) / _count(part, options)


def _var(of: Of, part: Typed, options: Options) -> Any:
    value, count = of(part.args[0]), _count(part, options)
    if not value.is_Matrix:
        return sp.Integer(0)
    everywhere = part.args[0].kind == "matrix" and options.get("axis") is None
    sums = total(value) * sp.OneMatrix(*value.shape)
    sums = sums if everywhere else _spread(value, part, options)
    return _reduced(power(value - sums / count, sp.Integer(2)), part, options) / count


def _softmax(of: Of, part: Typed, options: Options) -> Any:
    powers = each(sp.exp, of(part.args[0]))
    if part.args[0].kind != "matrix":
        return powers / total(powers)
    return sp.HadamardProduct(powers, power(_spread(powers, part, options), sp.Integer(-1)))


def _log_softmax(of: Of, part: Typed, options: Options) -> Any:
    value = of(part.args[0])
    return value - each(sp.log, _spread(each(sp.exp, value), part, options))


def _logsumexp(of: Of, part: Typed, options: Options) -> Any:
    return each(sp.log, _reduced(each(sp.exp, of(part.args[0])), part, options))


def _mse(of: Of, part: Typed, options: Options) -> Any:
    left, right = map(of, part.args)
    if not left.is_Matrix:
        return (left - right) ** 2
    return sp.Trace((left - right).T * (left - right)) / _count(part, {})


def _cross_entropy(of: Of, part: Typed, options: Options) -> Any:
    logits, target = map(of, part.args)
    count = size_of(part.args[0].shape[0]) if part.args[0].kind == "matrix" else 1
    logs = logits - each(sp.log, _spread(each(sp.exp, logits), part, {}))
    return -sp.Trace(target.T * logs) / count


def _diag(of: Of, part: Typed, options: Options) -> Any:
    if part.kind == "vector":
        return sp.DiagonalOf(of(part.args[0]))
    return sp.DiagMatrix(column(of(part.args[0]), part.args[0]))


def _vec(of: Of, part: Typed, options: Options) -> Any:
    if part.args[0].kind == "matrix":
        raise refuse("vec of a matrix")
    return column(of(part.args[0]), part.args[0])


def _extremum(function: Any) -> Rule:
    """Of two arguments, one of them a scalar; SymPy maps functions of one argument."""

    def rule(of: Of, part: Typed, options: Options) -> Any:
        values = sorted((of(arg) for arg in part.args), key=lambda v: bool(v.is_Matrix))
        if part.kind == "scalar" and len(values) == 2:
            return function(*values)
        if len(values) == 2 and not values[0].is_Matrix:
            return each(lambda t: function(t, values[0]), values[1])
        raise refuse(f"{part.value[0]} of the entries")

    return rule


def _logaddexp(of: Of, part: Typed, options: Options) -> Any:
    """log(eˢ + eᵗ); of entries s + log(1 + eᵗ⁻ˢ), as SymPy maps functions of one argument."""
    first, second = map(of, part.args)
    if part.kind == "scalar":
        return sp.log(sp.exp(first) + sp.exp(second))
    if not (first.is_Matrix and second.is_Matrix):
        raise refuse("logaddexp of a number and an array")
    return first + each(FUNCTIONS["softplus"], second - first)


def _of_matrix(
    function: Callable[[Any], Any],
) -> Rule:
    return lambda of, part, options: function(of(part.args[0]))


RULES: dict[str, Rule] = {
    "sum": _sum,
    "mean": _mean,
    "var": _var,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "logaddexp": _logaddexp,
    "mse": _mse,
    "cross_entropy": _cross_entropy,
    "diag": _diag,
    "vec": _vec,
    "max": _extremum(sp.Max),
    "min": _extremum(sp.Min),
    "sqrt": _of_matrix(lambda x: power(x, sp.Rational(1, 2))),
    "square": _of_matrix(lambda x: power(x, sp.Integer(2))),
    "tr": _of_matrix(sp.Trace),
    "det": _of_matrix(sp.Determinant),
    "logdet": _of_matrix(lambda x: sp.log(sp.Abs(sp.Determinant(x)))),
    "inv": _of_matrix(sp.Inverse),
    "adj": _of_matrix(lambda x: sp.Determinant(x) * sp.Inverse(x)),
    "pi": lambda of, part, options: sp.pi,
    "e": lambda of, part, options: sp.E,
}
