"""A typed program as a SymPy expression.

    scalar  Symbol                     vector (n)  MatrixSymbol(n, 1)
    matrix  MatrixSymbol(m, n)         row         the transpose of a vector
    size    Symbol(integer, positive)  x' y        Trace(x.T*y), a scalar of SymPy

Named values are put in their places.  At a kink the value is SymPy's: the gradient of ‖x‖
at 0 is NaN there, 0 here.  What SymPy has no symbolic form for (vec, einsum,
expm, the largest entry, …) is refused by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import sympy as sp

from matderiv.errors import MatderivError, UnsupportedError
from matderiv.language.typed import Assignment, Typed, TypedProgram
from matderiv.sympy_bridge.functions import FAULTS, FUNCTIONS
from matderiv.sympy_bridge.parts import (
    column,
    column_of_ones,
    each,
    matrix_shape,
    power,
    refuse,
    row_of_ones,
    size_of,
    total,
)
from matderiv.sympy_bridge.reductions import RULES

__all__ = ["to_sympy"]


def to_sympy(program: TypedProgram) -> Any:
    """The value of a program; a vector is (n, 1), a row (1, n), a scalar no matrix.

    Raises UnsupportedError for what SymPy cannot hold.

    >>> from matderiv.language import read
    >>> to_sympy(read("diag(x) A x where A: (n, n)"))
    DiagMatrix(x)*A*x
    """
    writer = _Writer(program)
    try:
        for statement in program.statements:
            if not isinstance(statement, Assignment):
                raise UnsupportedError("SymPy holds no loop over the slices of a stack")
            writer.names[statement.name] = writer.write(statement.expression)
        return writer.write(program.output)
    except MatderivError:
        raise
    except RecursionError:
        raise UnsupportedError("the formula is too deep for SymPy") from None
    except FAULTS as error:
        raise UnsupportedError(f"SymPy does not take this formula: {error}") from None


class _Writer:
    """The expressions of typed values, each written once."""

    def __init__(self, program: TypedProgram) -> None:
        self.program = program
        self.names: dict[str, Any] = {}
        self.values: dict[int, Any] = {}

    def write(self, root: Typed) -> Any:
        for part in root.post_order():
            if id(part) not in self.values:
                self.values[id(part)] = getattr(self, "_" + part.op)(part)
        return self.values[id(root)]

    def of(self, part: Typed) -> Any:
        return self.values[id(part)]

    def column(self, part: Typed) -> Any:
        return column(self.of(part), part)

    def stretched(self, part: Typed, to: Typed) -> Any:
        """The value repeated to the shape of another, as the language broadcasts."""
        value = self.of(part)
        if to.kind == "scalar":
            return value
        rows, columns = matrix_shape(to.kind, to.shape)
        if part.kind == "scalar":
            return value * sp.OneMatrix(rows, columns)
        if part.kind != to.kind:
            value = self.column(part).T
        if value.shape[0] != rows:
            value = column_of_ones(rows) * value
        return value if value.shape[1] == columns else value * row_of_ones(columns)

    # ---- leaves ------------------------------------------------------------------

    def _input(self, part: Typed) -> Any:
        if part.kind == "scalar":
            positive = "positive" in self.program.inputs[part.value].attributes or None
            return sp.Symbol(part.value, real=True, positive=positive)
        return sp.MatrixSymbol(part.value, *matrix_shape(part.kind, part.shape))

    def _name(self, part: Typed) -> Any:
        return self.names[part.value]

    def _number(self, part: Typed) -> Any:
        value = Fraction(part.value)
        return sp.Rational(value.numerator, value.denominator)

    def _dimension(self, part: Typed) -> Any:
        return size_of(part.value)

    def _constant(self, part: Typed) -> Any:
        return sp.pi if part.value in ("π", "pi") else sp.E

    def _identity(self, part: Typed) -> Any:
        return sp.Identity(size_of(part.shape[0]))

    def _fill(self, part: Typed) -> Any:
        value = self.of(part.args[0])
        if part.kind == "scalar":
            return value
        shape = matrix_shape(part.kind, part.shape)
        return sp.ZeroMatrix(*shape) if value == 0 else value * sp.OneMatrix(*shape)

    # ---- sums and products ---------------------------------------------------------

    def _add(self, part: Typed) -> Any:
        left, right = (self.stretched(arg, part) for arg in part.args)
        return left + right

    def _subtract(self, part: Typed) -> Any:
        left, right = (self.stretched(arg, part) for arg in part.args)
        return left - right

    def _negate(self, part: Typed) -> Any:
        return -self.of(part.args[0])

    def _multiply(self, part: Typed) -> Any:
        if any(arg.kind == "scalar" for arg in part.args):
            left, right = map(self.of, part.args)
            return left * right
        return sp.HadamardProduct(*(self.stretched(arg, part) for arg in part.args))

    def _divide(self, part: Typed) -> Any:
        left, right = part.args
        if right.kind == "scalar":
            return self.of(left) / self.of(right)
        if left.kind == "scalar":
            return self.of(left) * power(self.of(right), sp.Integer(-1))
        inverse = power(self.stretched(right, part), sp.Integer(-1))
        return sp.HadamardProduct(self.stretched(left, part), inverse)

    def _product(self, part: Typed) -> Any:
        left, right = map(self.of, part.args)
        return sp.Trace(left * right) if part.kind == "scalar" else left * right

    def _inner(self, part: Typed) -> Any:
        left, right = map(self.column, part.args)
        return sp.Trace(left.T * right)

    def _outer(self, part: Typed) -> Any:
        left, right = map(self.column, part.args)
        return left * right.T

    def _kron(self, part: Typed) -> Any:
        return sp.KroneckerProduct(*map(self.of, part.args))

    def _solve(self, part: Typed) -> Any:
        matrix, right = map(self.of, part.args)
        return sp.Inverse(matrix) * right

    def _transpose(self, part: Typed) -> Any:
        value = self.of(part.args[0])
        return value.T if value.is_Matrix else value

    def _inverse(self, part: Typed) -> Any:
        inverse = sp.Inverse(self.of(part.args[0]))
        return inverse.T if part.value == "-T" else inverse

    def _power(self, part: Typed) -> Any:
        base, exponent = map(self.of, part.args)
        return power(base, exponent)

    def _matrix_power(self, part: Typed) -> Any:
        return self.of(part.args[0]) ** part.value

    def _norm(self, part: Typed) -> Any:
        (value,), which = map(self.of, part.args), part.value
        if which in ("inf", "op", "*"):
            raise refuse(f"norm _{which}")
        if not value.is_Matrix:
            return sp.Abs(value)
        if which in ("", "2", "F"):
            return sp.sqrt(sp.Trace(value.T * value))
        p = sp.Integer(which)
        return total(each(lambda t: sp.Abs(t) ** p, value)) ** (1 / p)

    def _index(self, part: Typed) -> Any:
        (base,) = part.args
        if any(isinstance(index, str) for index in part.value):
            raise refuse("slice of a stack")
        value = self.of(base)
        if base.kind == "vector":
            found = value[part.value[0], 0]
        elif base.kind == "row":
            found = value[0, part.value[0]]
        else:
            found = value[part.value]
        return found

    # ---- functions -----------------------------------------------------------------

    def _apply(self, part: Typed) -> Any:
        name, options = part.value
        if name in FUNCTIONS:
            return each(FUNCTIONS[name], self.of(part.args[0]))
        rule = RULES.get(name)
        if rule is None:
            raise refuse(name)
        return rule(self.of, part, dict(options))

    def _call(self, part: Typed) -> Any:
        """An abstract function, or a derivative of one of a single scalar."""
        name, orders = part.value
        arguments = [self.of(arg) for arg in part.args]
        function = sp.Function(name)
        if self.program.functions[name] == "elementwise" and len(arguments) == 1:
            (order,), (value,) = orders, arguments
            if not order:
                return each(function, value)
            if value.is_Matrix:
                t = sp.Dummy("t")
                return value.applyfunc(sp.Lambda(t, sp.Derivative(function(t), (t, order))))
            return _derivative(function, arguments, [0] * order)
        slots = orders[1:] if orders and orders[0] == "slots" else _slots(orders)
        if not slots and part.kind == "scalar":
            return function(*arguments)
        if any(argument.is_Matrix for argument in arguments):
            raise refuse(f"derivative of {name} by a vector or a matrix")
        return _derivative(function, arguments, slots)


def _slots(orders: Sequence[Any]) -> list[int]:
    return [slot for slot, count in enumerate(orders) for _ in range(count)]


def _derivative(function: Any, arguments: Sequence[Any], slots: Sequence[int]) -> Any:
    dummies = [sp.Dummy(f"t_{slot}") for slot in range(len(arguments))]
    derivative = sp.Derivative(function(*dummies), *(dummies[slot] for slot in slots))
    return sp.Subs(derivative, tuple(dummies), tuple(arguments))
