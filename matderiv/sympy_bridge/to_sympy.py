"""A typed program as a SymPy expression.

    scalar  Symbol                     vector (n)  MatrixSymbol(n, 1)
    matrix  MatrixSymbol(m, n)         row         the transpose of a vector
    size    Symbol(integer, positive)  x' y        Trace(x.T*y), a scalar of SymPy

Named values are put in their places.  At a kink the value is SymPy's: the gradient of ‖x‖
at 0 is NaN there, 0 here.  What SymPy has no symbolic form for (vec, einsum,
expm, the largest entry, …) is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import sympy as sp

from matderiv.errors import MatderivError, UnsupportedError
from matderiv.language.typed import Assignment, Typed, TypedProgram
from matderiv.sympy_bridge.functions import FAULTS, FUNCTIONS
from matderiv.tensor.dims import Composite, Dim, Shape

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


def _refuse(what: str) -> UnsupportedError:
    return UnsupportedError(f"SymPy holds no symbolic {what}")


def _size(dim: Dim) -> Any:
    if isinstance(dim, Composite):
        return sp.Mul(dim.coefficient, *map(_size, dim.names))
    return sp.Integer(dim) if isinstance(dim, int) else sp.Symbol(dim, integer=True, positive=True)


def _matrix_shape(kind: str, shape: Shape) -> tuple[Any, Any]:
    if kind == "tensor":
        raise _refuse(f"value of {len(shape)} axes")
    sizes = tuple(map(_size, shape))
    if kind == "matrix":
        return sizes
    return (sizes[0], sp.Integer(1)) if kind == "vector" else (sp.Integer(1), sizes[0])


def _row_of_ones(size: Any) -> Any:
    return sp.OneMatrix(1, size)


def _column_of_ones(size: Any) -> Any:
    return sp.OneMatrix(size, 1)


def _total(matrix: Any) -> Any:
    """The sum of all entries."""
    rows, columns = matrix.shape
    product = matrix if rows == 1 else _row_of_ones(rows) * matrix
    return sp.Trace(product if columns == 1 else product * _column_of_ones(columns))


def _each(function: Callable[[Any], Any], value: Any) -> Any:
    """A function of a scalar, or of every entry."""
    if not value.is_Matrix:
        return function(value)
    if value.shape == (1, 1):  # SymPy would take the function of the matrix
        return function(value[0, 0]) * sp.OneMatrix(1, 1)
    if isinstance(function, type):
        return value.applyfunc(function)
    t = sp.Dummy("t")
    return value.applyfunc(sp.Lambda(t, function(t)))


def _power(base: Any, exponent: Any) -> Any:
    if not base.is_Matrix and not exponent.is_Matrix:
        return base**exponent
    return sp.HadamardPower(base, exponent)


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
        return self.of(part).T if part.kind == "row" else self.of(part)

    def stretched(self, part: Typed, to: Typed) -> Any:
        """The value repeated to the shape of another, as the language broadcasts."""
        value = self.of(part)
        if to.kind == "scalar":
            return value
        rows, columns = _matrix_shape(to.kind, to.shape)
        if part.kind == "scalar":
            return value * sp.OneMatrix(rows, columns)
        if part.kind != to.kind:
            value = self.column(part).T
        if value.shape[0] != rows:
            value = _column_of_ones(rows) * value
        return value if value.shape[1] == columns else value * _row_of_ones(columns)

    # ---- leaves ------------------------------------------------------------------

    def _input(self, part: Typed) -> Any:
        if part.kind == "scalar":
            positive = "positive" in self.program.inputs[part.value].attributes or None
            return sp.Symbol(part.value, real=True, positive=positive)
        return sp.MatrixSymbol(part.value, *_matrix_shape(part.kind, part.shape))

    def _name(self, part: Typed) -> Any:
        return self.names[part.value]

    def _number(self, part: Typed) -> Any:
        value = Fraction(part.value)
        return sp.Rational(value.numerator, value.denominator)

    def _dimension(self, part: Typed) -> Any:
        return _size(part.value)

    def _constant(self, part: Typed) -> Any:
        return sp.pi if part.value in ("π", "pi") else sp.E

    def _identity(self, part: Typed) -> Any:
        return sp.Identity(_size(part.shape[0]))

    def _fill(self, part: Typed) -> Any:
        value = self.of(part.args[0])
        if part.kind == "scalar":
            return value
        shape = _matrix_shape(part.kind, part.shape)
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
            return self.of(left) * _power(self.of(right), sp.Integer(-1))
        inverse = _power(self.stretched(right, part), sp.Integer(-1))
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
        return _power(base, exponent)

    def _matrix_power(self, part: Typed) -> Any:
        return self.of(part.args[0]) ** part.value

    def _norm(self, part: Typed) -> Any:
        (value,), which = map(self.of, part.args), part.value
        if which in ("inf", "op", "*"):
            raise _refuse(f"norm _{which}")
        if not value.is_Matrix:
            return sp.Abs(value)
        if which in ("", "2", "F"):
            return sp.sqrt(sp.Trace(value.T * value))
        p = sp.Integer(which)
        return _total(_each(lambda t: sp.Abs(t) ** p, value)) ** (1 / p)

    def _index(self, part: Typed) -> Any:
        (base,) = part.args
        if any(isinstance(index, str) for index in part.value):
            raise _refuse("slice of a stack")
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
            return _each(FUNCTIONS[name], self.of(part.args[0]))
        rule = _RULES.get(name)
        if rule is None:
            raise _refuse(name)
        return rule(self, part, dict(options))

    def _call(self, part: Typed) -> Any:
        """An abstract function, or a derivative of one of a single scalar."""
        name, orders = part.value
        arguments = [self.of(arg) for arg in part.args]
        function = sp.Function(name)
        if self.program.functions[name] == "elementwise" and len(arguments) == 1:
            (order,), (value,) = orders, arguments
            if not order:
                return _each(function, value)
            if value.is_Matrix:
                t = sp.Dummy("t")
                return value.applyfunc(sp.Lambda(t, sp.Derivative(function(t), (t, order))))
            return _derivative(function, arguments, [0] * order)
        slots = orders[1:] if orders and orders[0] == "slots" else _slots(orders)
        if not slots and part.kind == "scalar":
            return function(*arguments)
        if any(argument.is_Matrix for argument in arguments):
            raise _refuse(f"derivative of {name} by a vector or a matrix")
        return _derivative(function, arguments, slots)


def _slots(orders: Sequence[Any]) -> list[int]:
    return [slot for slot, count in enumerate(orders) for _ in range(count)]


def _derivative(function: Any, arguments: Sequence[Any], slots: Sequence[int]) -> Any:
    dummies = [sp.Dummy(f"t_{slot}") for slot in range(len(arguments))]
    derivative = sp.Derivative(function(*dummies), *(dummies[slot] for slot in slots))
    return sp.Subs(derivative, tuple(dummies), tuple(arguments))


# ---- reductions and functions of matrices --------------------------------------------
def _reduced(value: Any, part: Typed, options: Mapping[str, Any]) -> Any:
    """The sums along an axis, in the shape of `part`."""
    axis, keep = options.get("axis"), options.get("keepdims", False)
    (arg,) = part.args
    if arg.kind == "scalar":
        return value
    if arg.kind != "matrix" or axis is None:
        total = _total(value)
        return total * sp.OneMatrix(1, 1) if keep else total
    if axis == 0:
        sums = _row_of_ones(value.shape[0]) * value
        return sums if keep else sums.T
    return value * _column_of_ones(value.shape[1])


def _count(part: Typed, options: Mapping[str, Any]) -> Any:
    axis, shape = options.get("axis"), part.args[0].shape
    return sp.Mul(*(_size(dim) for k, dim in enumerate(shape) if axis in (None, k)))


def _spread(value: Any, part: Typed, options: Mapping[str, Any]) -> Any:
    """The sums along an axis, repeated along it."""
    if part.args[0].kind != "matrix":
        return _total(value) * sp.OneMatrix(*value.shape)
    rows, columns = value.shape
    if options.get("axis") == 0:
        return sp.OneMatrix(rows, rows) * value
    return value * sp.OneMatrix(columns, columns)


def _sum(writer: _Writer, part: Typed, options: Mapping[str, Any]) -> Any:
    return _reduced(writer.of(part.args[0]), part, options)


def _mean(writer: _Writer, part: Typed, options: Mapping[str, Any]) -> Any:
    return _sum(writer, part, options) / _count(part, options)


def _var(writer: _Writer, part: Typed, options: Mapping[str, Any]) -> Any:
    value, count = writer.of(part.args[0]), _count(part, options)
    if not value.is_Matrix:
        return sp.Integer(0)
    everywhere = part.args[0].kind == "matrix" and options.get("axis") is None
    sums = _total(value) * sp.OneMatrix(*value.shape)
    sums = sums if everywhere else _spread(value, part, options)
    return _reduced(_power(value - sums / count, sp.Integer(2)), part, options) / count


def _softmax(writer: _Writer, part: Typed, options: Mapping[str, Any]) -> Any:
    powers = _each(sp.exp, writer.of(part.args[0]))
    if part.args[0].kind != "matrix":
        return powers / _total(powers)
    return sp.HadamardProduct(powers, _power(_spread(powers, part, options), sp.Integer(-1)))


def _log_softmax(writer: _Writer, part: Typed, options: Mapping[str, Any]) -> Any:
    value = writer.of(part.args[0])
    return value - _each(sp.log, _spread(_each(sp.exp, value), part, options))


def _logsumexp(writer: _Writer, part: Typed, options: Mapping[str, Any]) -> Any:
    return _each(sp.log, _reduced(_each(sp.exp, writer.of(part.args[0])), part, options))


def _mse(writer: _Writer, part: Typed, options: Mapping[str, Any]) -> Any:
    left, right = map(writer.of, part.args)
    if not left.is_Matrix:
        return (left - right) ** 2
    return sp.Trace((left - right).T * (left - right)) / _count(part, {})


def _cross_entropy(writer: _Writer, part: Typed, options: Mapping[str, Any]) -> Any:
    logits, target = map(writer.of, part.args)
    count = _size(part.args[0].shape[0]) if part.args[0].kind == "matrix" else 1
    logs = logits - _each(sp.log, _spread(_each(sp.exp, logits), part, {}))
    return -sp.Trace(target.T * logs) / count


def _diag(writer: _Writer, part: Typed, options: Mapping[str, Any]) -> Any:
    if part.kind == "vector":
        return sp.DiagonalOf(writer.of(part.args[0]))
    return sp.DiagMatrix(writer.column(part.args[0]))


def _vec(writer: _Writer, part: Typed, options: Mapping[str, Any]) -> Any:
    if part.args[0].kind == "matrix":
        raise _refuse("vec of a matrix")
    return writer.column(part.args[0])


def _extremum(function: Any) -> Callable[[_Writer, Typed, Mapping[str, Any]], Any]:
    """Of two arguments, one of them a scalar; SymPy maps functions of one argument."""

    def rule(writer: _Writer, part: Typed, options: Mapping[str, Any]) -> Any:
        values = sorted((writer.of(arg) for arg in part.args), key=lambda v: bool(v.is_Matrix))
        if part.kind == "scalar" and len(values) == 2:
            return function(*values)
        if len(values) == 2 and not values[0].is_Matrix:
            return _each(lambda t: function(t, values[0]), values[1])
        raise _refuse(f"{part.value[0]} of the entries")

    return rule


def _of_matrix(
    function: Callable[[Any], Any],
) -> Callable[[_Writer, Typed, Mapping[str, Any]], Any]:
    return lambda writer, part, options: function(writer.of(part.args[0]))


_RULES: dict[str, Callable[[_Writer, Typed, Mapping[str, Any]], Any]] = {
    "sum": _sum,
    "mean": _mean,
    "var": _var,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "mse": _mse,
    "cross_entropy": _cross_entropy,
    "diag": _diag,
    "vec": _vec,
    "max": _extremum(sp.Max),
    "min": _extremum(sp.Min),
    "sqrt": _of_matrix(lambda x: _power(x, sp.Rational(1, 2))),
    "square": _of_matrix(lambda x: _power(x, sp.Integer(2))),
    "tr": _of_matrix(sp.Trace),
    "det": _of_matrix(sp.Determinant),
    "logdet": _of_matrix(lambda x: sp.log(sp.Abs(sp.Determinant(x)))),
    "inv": _of_matrix(sp.Inverse),
    "adj": _of_matrix(lambda x: sp.Determinant(x) * sp.Inverse(x)),
    "pi": lambda writer, part, options: sp.pi,
    "e": lambda writer, part, options: sp.E,
}
