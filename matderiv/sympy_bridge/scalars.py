"""Scalars of SymPy, and functions entry by entry, as text of the language.

What stands for the variable of a Lambda may be a matrix: products and powers of it are then
written entry by entry.
"""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from matderiv.errors import UnsupportedError
from matderiv.sympy_bridge.functions import NAMES
from matderiv.sympy_bridge.matrices import ones
from matderiv.sympy_bridge.reader import Level, Reader, Text, Written, shape_of, unsupported

__all__ = [
    "add",
    "applied",
    "derivative",
    "elementwise",
    "extremum",
    "function",
    "multiply",
    "number",
    "power",
    "step",
    "symbol",
]


def number(reader: Reader, number: Any) -> Text:
    if not number.is_finite:
        raise UnsupportedError(f"{number} is no number of the language")
    if number.is_Rational:
        text = str(number)
        return text, Level.ATOM if text.isdigit() else Level.SUM
    text = repr(float(number))
    return text, Level.SUM if text.startswith("-") else Level.ATOM


def symbol(reader: Reader, symbol: Any) -> Text:
    if symbol in reader.bound:
        return reader.bound[symbol][:2]
    name = reader.name(symbol)
    if name not in reader.sizes:
        reader.shapes[name] = ()
        if symbol.is_positive:
            reader.attributes[name] = "positive"
    return name, Level.ATOM


def add(reader: Reader, expression: Any) -> Text:
    text = ""
    for place, term in enumerate(expression.args):
        written = reader.read(term)
        if not place:
            text = written.text
        elif written.text.startswith("-"):
            text += " - " + reader.at(-term, Level.PRODUCT)
        else:
            text += " + " + written.at(Level.PRODUCT)
    return text, Level.SUM


def multiply(reader: Reader, expression: Any) -> Text:
    """Scalars in front, divisors behind; what is no scalar entry by entry."""
    coefficient, rest = expression.as_coeff_Mul()
    sign, coefficient = ("-" if coefficient < 0 else ""), abs(coefficient)
    top, bottom = coefficient.as_numer_denom()
    above, below = (
        [number(reader, value)[0]] if value != 1 else list[str]() for value in (top, bottom)
    )
    arrays = list[str]()
    for factor in sp.Mul.make_args(rest):
        if factor == 1:
            continue
        written = reader.read(factor)
        if not written.is_scalar:
            arrays.append(written.at(Level.ATOM))
        elif factor.is_Pow and factor.exp.could_extract_minus_sign():
            below.append(reader.at(1 / factor, Level.ATOM))
        else:
            above.append(written.at(Level.ATOM))
    scalars = " * ".join(above) + "".join(f" / {text}" for text in below)
    scalars = scalars if above else "1" + scalars if below else ""
    if not arrays:
        text = scalars or "1"
    else:
        product = " .* ".join(arrays)
        product = f"({product})" if scalars and len(arrays) > 1 else product
        text = f"{scalars} * {product}" if scalars else product
    return sign + text, Level.SUM if sign or len(arrays) > 1 else Level.PRODUCT


def power(reader: Reader, expression: Any) -> Text:
    base, exponent = expression.args
    body = reader.read(base)
    if exponent == sp.Rational(1, 2):
        return f"sqrt({body.text})", Level.ATOM
    if exponent == -1:
        sign = "/" if body.is_scalar else "./"
        return f"1 {sign} {body.at(Level.ATOM)}", Level.PRODUCT if sign == "/" else Level.SUM
    raised = reader.read(exponent)
    sign = "^" if body.is_scalar and raised.is_scalar else ".^"
    return f"({body.text}){sign}({raised.text})", Level.PRODUCT


def function(reader: Reader, expression: Any) -> Text:
    name = NAMES.get(type(expression))
    if name is None:
        raise unsupported(expression)
    return reader.call(name, *expression.args)


def extremum(reader: Reader, expression: Any) -> Text:
    name = "max" if isinstance(expression, sp.Max) else "min"
    first, *others = (reader.read(arg).text for arg in expression.args)
    for other in others:
        first = f"{name}({first}, {other})"
    return first, Level.ATOM


def step(reader: Reader, expression: Any) -> Text:
    if expression.args[1] != 0:
        raise unsupported(expression, "Heaviside(t, 0): step is 0 at 0")
    return reader.call("step", expression.args[0])


def elementwise(reader: Reader, expression: Any) -> Text:
    """Lambda(t, body).(X): the body with X for t, entry by entry."""
    function, operand = expression.function, expression.expr
    (t,) = function.variables
    for part in sp.preorder_traversal(function.expr):
        if isinstance(part, AppliedUndef) and t in part.free_symbols:
            reader.functions[reader.name(part.func)] = "elementwise"
    before = dict(reader.bound)
    written = reader.read(operand)
    reader.bound[t] = Written(written.text, written.level, False)
    body = reader.read(function.expr)
    reader.bound = before
    if not function.expr.has(t):
        rows = ones(reader, sp.OneMatrix(*shape_of(operand)))[0]
        return f"{body.at(Level.ATOM)} * {rows}", Level.PRODUCT
    return body[:2]


def applied(reader: Reader, expression: Any) -> Text:
    name = reader.name(expression.func)
    reader.functions.setdefault(name, "scalar function")
    return reader.call(name, *expression.args)


def derivative(reader: Reader, expression: Any) -> Text:
    """phi'(t), of an elementwise function of its own variable."""
    inner, (t, order) = expression.expr, expression.args[1]
    if len(expression.args) > 2 or not isinstance(inner, AppliedUndef) or inner.args != (t,):
        raise unsupported(expression)
    name = reader.name(inner.func)
    reader.functions.setdefault(name, "elementwise")
    return f"{name}{chr(39) * int(order)}({reader.read(t).text})", Level.ATOM
