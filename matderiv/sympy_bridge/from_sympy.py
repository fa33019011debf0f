"""A SymPy expression as text of the language, with the shapes of its symbols.

    MatrixSymbol(m, n)   matrix            MatrixSymbol(n, 1)   vector
    MatrixSymbol(1, n)   row of a vector   MatrixSymbol(1, 1)   scalar, as is Symbol

The shape of every part decides in the same way how it is written: (n, 1) is a column,
(1, n) a row, 1 × 1 a scalar.  A symbol that is a size of some matrix is that size.  What
the language does not have is refused by the name of its SymPy class.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, NamedTuple

import sympy as sp
from sympy.core.function import AppliedUndef

from matderiv.errors import MatderivError, NameResolutionError, ShapeError, UnsupportedError
from matderiv.language import canonical_name
from matderiv.sympy_bridge.functions import FAULTS, NAMES

__all__ = ["Source", "from_sympy"]

_RESERVED = frozenset(("where", "repeat", "in", "axis", "keepdims"))


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
    >>> from_sympy(sp.Trace(X * X.T) + w.T * w)
    Source(text="tr(X * X') + w' * w", shapes={'X': ('n', 'd'), 'w': ('d',)}, attributes={})
    """
    reader = _Reader()
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


class _Level(IntEnum):
    SUM = 1
    PRODUCT = 2
    ATOM = 3


class _Written(NamedTuple):
    """A text, how tightly it holds together, and whether it is a scalar."""

    text: str
    level: _Level
    is_scalar: bool

    def at(self, level: _Level) -> str:
        return self.text if self.level >= level else f"({self.text})"


def _shape(expression: Any) -> tuple[Any, Any]:
    return tuple(sp.sympify(size) for size in expression.shape)


def _kind(expression: Any) -> str:
    """ "scalar", "vector", "row" or "matrix", by the shape."""
    if not getattr(expression, "is_Matrix", False):
        return "scalar"
    rows, columns = _shape(expression)
    if rows == 1:
        return "scalar" if columns == 1 else "row"
    return "vector" if columns == 1 else "matrix"


def _unsupported(expression: Any, hint: str | None = None) -> UnsupportedError:
    name = type(expression).__name__
    return UnsupportedError(f"SymPy's {name} has no form in the language", hint=hint)


class _Reader:
    """Texts of expressions; `bound` gives the texts of the variables of Lambdas."""

    def __init__(self) -> None:
        self.shapes: dict[str, tuple[str | int, ...]] = {}
        self.attributes: dict[str, str] = {}
        self.functions: dict[str, str] = {}
        self.sizes: set[str] = set()
        self.symbols: dict[str, Any] = {}
        self.bound: dict[Any, _Written] = {}

    def find_sizes(self, expression: Any) -> None:
        """The names of sizes, which stand for numbers wherever they occur."""
        shaped = (sp.MatrixSymbol, sp.Identity, sp.OneMatrix, sp.ZeroMatrix)
        if isinstance(expression, sp.Basic):
            for part in sp.preorder_traversal(expression):
                if isinstance(part, shaped):
                    for size in _shape(part):
                        self.sizes |= {self.name(symbol) for symbol in size.free_symbols}

    def read(self, expression: Any) -> _Written:
        if isinstance(expression, sp.MatrixBase):
            raise _unsupported(expression, "give it a name: a MatrixSymbol, with a value later")
        for kind in type(expression).__mro__:
            rule = _RULES.get(kind)
            if rule is not None:
                text, level = rule(self, expression)
                return _Written(text, level, self.is_scalar(expression))
        raise _unsupported(expression)

    def is_scalar(self, expression: Any) -> bool:
        """Whether the value is one number, with what stands for bound variables."""
        if _kind(expression) != "scalar":
            return False
        free = getattr(expression, "free_symbols", frozenset())
        return all(written.is_scalar for t, written in self.bound.items() if t in free)

    def at(self, expression: Any, level: _Level) -> str:
        return self.read(expression).at(level)

    def call(self, function: str, *arguments: Any) -> tuple[str, _Level]:
        texts = ", ".join(self.read(argument).text for argument in arguments)
        return f"{function}({texts})", _Level.ATOM

    # ---- names and numbers ---------------------------------------------------------
    def name(self, symbol: Any) -> str:
        text = str(getattr(symbol, "name", symbol))
        if not (text.isidentifier() and not text.startswith("_")) or text in _RESERVED:
            raise NameResolutionError(f"{text!r} is no name in the language")
        known = self.symbols.setdefault(canonical_name(text), symbol)
        if known != symbol:
            raise NameResolutionError(f"{text!r} names two SymPy symbols: {known!r}, {symbol!r}")
        return text

    def size(self, size: Any) -> str:
        """A size as an argument of ones, zeros or eye."""
        size = sp.sympify(size)
        factors = sp.Mul.make_args(size)
        if not all(factor.is_Symbol or (factor.is_Integer and factor > 0) for factor in factors):
            raise UnsupportedError(f"a size is a name or a positive integer, not {size}")
        return "*".join(self.name(f) if f.is_Symbol else str(f) for f in factors)

    def symbol(self, symbol: Any) -> tuple[str, _Level]:
        if symbol in self.bound:
            return self.bound[symbol][:2]
        name = self.name(symbol)
        if name not in self.sizes:
            self.shapes[name] = ()
            if symbol.is_positive:
                self.attributes[name] = "positive"
        return name, _Level.ATOM

    def matrix_symbol(self, symbol: Any) -> tuple[str, _Level]:
        name, shape = self.name(symbol), _shape(symbol)
        if not all(size.is_Symbol or (size.is_Integer and size > 0) for size in shape):
            raise ShapeError(f"{name} has shape {shape}: a size is a name or a positive integer")
        self.shapes[name] = tuple(
            int(size) if size.is_Integer else self.name(size) for size in shape if size != 1
        )
        return (f"{name}'" if _kind(symbol) == "row" else name), _Level.ATOM

    def number(self, number: Any) -> tuple[str, _Level]:
        if not number.is_finite:
            raise UnsupportedError(f"{number} is no number of the language")
        if number.is_Rational:
            text = str(number)
            return text, _Level.ATOM if text.isdigit() else _Level.SUM
        text = repr(float(number))
        return text, _Level.SUM if text.startswith("-") else _Level.ATOM

    # ---- sums ----------------------------------------------------------------------
    def add(self, expression: Any) -> tuple[str, _Level]:
        text = ""
        for place, term in enumerate(expression.args):
            written = self.read(term)
            if not place:
                text = written.text
            elif written.text.startswith("-"):
                text += " - " + self.at(-term, _Level.PRODUCT)
            else:
                text += " + " + written.at(_Level.PRODUCT)
        return text, _Level.SUM

    # ---- products ------------------------------------------------------------------
    def multiply(self, expression: Any) -> tuple[str, _Level]:
        """Scalars in front, divisors behind; what is no scalar entry by entry."""
        numbers, rest = expression.as_coeff_Mul()
        sign = "-" if numbers.is_negative else ""
        above, below, arrays = list[str](), list[str](), list[str]()
        numbers = abs(numbers)
        if numbers.p != 1 if numbers.is_Rational else True:
            above.append(self.number(sp.Integer(numbers.p) if numbers.is_Rational else numbers)[0])
        if numbers.is_Rational and numbers.q != 1:
            below.append(str(numbers.q))
        for factor in sp.Mul.make_args(rest):
            if factor == 1:
                continue
            written = self.read(factor)
            if not written.is_scalar:
                arrays.append(written.at(_Level.ATOM))
            elif factor.is_Pow and factor.exp.could_extract_minus_sign():
                below.append(self.at(1 / factor, _Level.ATOM))
            else:
                above.append(written.at(_Level.ATOM))
        scalars = " * ".join(above) + "".join(f" / {text}" for text in below)
        scalars = scalars if above else "1" + scalars if below else ""
        if not arrays:
            text = scalars or "1"
        else:
            product = " .* ".join(arrays)
            product = f"({product})" if scalars and len(arrays) > 1 else product
            text = f"{scalars} * {product}" if scalars else product
        return sign + text, _Level.SUM if sign or len(arrays) > 1 else _Level.PRODUCT

    def matrix_product(self, expression: Any) -> tuple[str, _Level]:
        factors = list(expression.args)
        sign = ""
        if factors[0].is_number and factors[0].is_negative:
            sign, factors[0] = "-", -factors[0]
            factors = factors[1:] if factors[0] == 1 else factors
        text = " * ".join(self.at(factor, _Level.ATOM) for factor in factors)
        return sign + text, _Level.SUM if sign else _Level.PRODUCT

    def hadamard(self, expression: Any) -> tuple[str, _Level]:
        sign = " * " if _kind(expression) == "scalar" else " .* "
        return sign.join(self.at(arg, _Level.ATOM) for arg in expression.args), _Level.SUM

    def kronecker(self, expression: Any) -> tuple[str, _Level]:
        text = self.read(expression.args[0]).text
        for arg in expression.args[1:]:
            text = f"kron({text}, {self.read(arg).text})"
        return text, _Level.ATOM

    # ---- powers --------------------------------------------------------------------
    def power(self, expression: Any) -> tuple[str, _Level]:
        base, exponent = expression.args
        body = self.read(base)
        if exponent == sp.Rational(1, 2):
            return f"sqrt({body.text})", _Level.ATOM
        if exponent == -1:
            sign = "/" if body.is_scalar else "./"
            return f"1 {sign} {body.at(_Level.ATOM)}", _Level.PRODUCT if sign == "/" else _Level.SUM
        raised = self.read(exponent)
        sign = "^" if body.is_scalar and raised.is_scalar else ".^"
        return f"({body.text}){sign}({raised.text})", _Level.PRODUCT

    def matrix_power(self, expression: Any) -> tuple[str, _Level]:
        base, exponent = expression.args
        if _kind(base) == "scalar":
            return f"({self.read(base).text})^({self.read(exponent).text})", _Level.PRODUCT
        if exponent == sp.Rational(1, 2):
            return self.call("sqrtm", base)
        if not exponent.is_Integer:
            raise UnsupportedError(f"the power of a matrix is an integer, not {exponent}")
        return f"({self.read(base).text})^{exponent}", _Level.PRODUCT

    def inverse(self, expression: Any) -> tuple[str, _Level]:
        if _kind(expression) == "scalar":
            return f"1 / {self.at(expression.arg, _Level.ATOM)}", _Level.PRODUCT
        return f"{self.at(expression.arg, _Level.ATOM)}^-1", _Level.PRODUCT

    def transpose(self, expression: Any) -> tuple[str, _Level]:
        inner = expression.arg
        written = self.read(inner)
        if written.is_scalar:
            return written[:2]
        if isinstance(inner, sp.MatrixSymbol) and _kind(inner) == "row":
            return written.text.removesuffix("'"), _Level.ATOM
        return f"{written.at(_Level.ATOM)}'", _Level.ATOM

    # ---- functions -----------------------------------------------------------------
    def function(self, expression: Any) -> tuple[str, _Level]:
        name = NAMES.get(type(expression))
        if name is None:
            raise _unsupported(expression)
        return self.call(name, *expression.args)

    def extremum(self, expression: Any) -> tuple[str, _Level]:
        name = "max" if isinstance(expression, sp.Max) else "min"
        first, *others = (self.read(arg).text for arg in expression.args)
        for other in others:
            first = f"{name}({first}, {other})"
        return first, _Level.ATOM

    def step(self, expression: Any) -> tuple[str, _Level]:
        if expression.args[1] != 0:
            raise _unsupported(expression, "Heaviside(t, 0): step is 0 at 0")
        return self.call("step", expression.args[0])

    def elementwise(self, expression: Any) -> tuple[str, _Level]:
        """Lambda(t, body).(X): the body with X for t, entry by entry."""
        function, operand = expression.function, expression.expr
        (t,) = function.variables
        for part in sp.preorder_traversal(function.expr):
            if isinstance(part, AppliedUndef) and t in part.free_symbols:
                self.functions[self.name(part.func)] = "elementwise"
        before = dict(self.bound)
        written = self.read(operand)
        self.bound[t] = _Written(written.text, written.level, False)
        body = self.read(function.expr)
        self.bound = before
        if not function.expr.has(t):
            rows = self.ones(sp.OneMatrix(*_shape(operand)))[0]
            return f"{body.at(_Level.ATOM)} * {rows}", _Level.PRODUCT
        return body[:2]

    def applied(self, expression: Any) -> tuple[str, _Level]:
        name = self.name(expression.func)
        self.functions.setdefault(name, "scalar function")
        return self.call(name, *expression.args)

    def derivative(self, expression: Any) -> tuple[str, _Level]:
        """phi'(t), of an elementwise function of its own variable."""
        inner, (t, order) = expression.expr, expression.args[1]
        if len(expression.args) > 2 or not isinstance(inner, AppliedUndef) or inner.args != (t,):
            raise _unsupported(expression)
        name = self.name(inner.func)
        self.functions.setdefault(name, "elementwise")
        return f"{name}{chr(39) * int(order)}({self.read(t).text})", _Level.ATOM

    # ---- matrices ------------------------------------------------------------------
    def trace(self, expression: Any) -> tuple[str, _Level]:
        inner = expression.arg
        return self.read(inner)[:2] if _kind(inner) == "scalar" else self.call("tr", inner)

    def determinant(self, expression: Any) -> tuple[str, _Level]:
        inner = expression.arg
        return self.read(inner)[:2] if _kind(inner) == "scalar" else self.call("det", inner)

    def ones(self, expression: Any) -> tuple[str, _Level]:
        name = "ones" if isinstance(expression, sp.OneMatrix) else "zeros"
        sizes = [self.size(size) for size in _shape(expression)]
        kind = _kind(expression)
        if kind == "scalar":
            return str(int(name == "ones")), _Level.ATOM
        if kind == "matrix":
            return f"{name}({', '.join(sizes)})", _Level.ATOM
        text = f"{name}({sizes[kind == 'row']})"
        return (f"{text}'" if kind == "row" else text), _Level.ATOM

    def identity(self, expression: Any) -> tuple[str, _Level]:
        scalar = _kind(expression) == "scalar"
        return ("1" if scalar else f"eye({self.size(expression.shape[0])})"), _Level.ATOM

    def diagonal(self, expression: Any) -> tuple[str, _Level]:
        (inner,) = expression.args
        if _kind(inner) == "scalar":
            return self.read(inner)[:2]
        if isinstance(expression, sp.DiagMatrix):
            return self.call("diag", inner)
        if inner.shape[0] != inner.shape[1]:
            raise ShapeError(f"{type(expression).__name__} is of a square matrix here")
        text, level = self.call("diag", inner)
        return (f"diag({text})" if isinstance(expression, sp.DiagonalMatrix) else text), level

    def entry(self, expression: Any) -> tuple[str, _Level]:
        parent, *indices = expression.args
        if not all(index.is_Integer and index >= 0 for index in indices):
            raise UnsupportedError(f"an index is an integer, not one of {tuple(indices)}")
        return self.indexed(parent, [str(index) for index in indices])

    def slice(self, expression: Any) -> tuple[str, _Level]:
        indices = []
        for (start, stop, step), size in zip(
            (expression.rowslice, expression.colslice), _shape(expression.parent), strict=True
        ):
            bounds = [sp.sympify(bound) for bound in (start, stop, step)]
            if bounds == [0, size, 1]:
                indices.append(":")
            elif bounds[2] == 1 and all(bound.is_Integer for bound in bounds):
                one = bounds[1] - bounds[0] == 1
                indices.append(str(start) if one else f"{start}:{stop}")
            else:
                raise UnsupportedError(f"a slice has integer ends and step 1, not {expression}")
        return self.indexed(expression.parent, indices)

    def indexed(self, parent: Any, indices: list[str]) -> tuple[str, _Level]:
        kind, text = _kind(parent), self.at(parent, _Level.ATOM)
        if kind == "scalar" or indices == [":", ":"]:
            return text, _Level.ATOM
        if kind == "matrix":
            return f"{text}[{', '.join(indices)}]", _Level.ATOM
        if kind == "vector":
            return (text if indices[0] == ":" else f"{text}[{indices[0]}]"), _Level.ATOM
        if indices[1] == ":":
            return text, _Level.ATOM
        turned = "'" if ":" in indices[1] else ""
        return f"({text})'[{indices[1]}]{turned}", _Level.ATOM


_Rule = Callable[[_Reader, Any], tuple[str, _Level]]

_RULES: dict[type, _Rule] = {
    sp.Number: _Reader.number,
    sp.Symbol: _Reader.symbol,
    sp.MatrixSymbol: _Reader.matrix_symbol,
    type(sp.pi): lambda reader, _: ("π", _Level.ATOM),
    type(sp.E): lambda reader, _: ("exp(1)", _Level.ATOM),
    sp.Add: _Reader.add,
    sp.MatAdd: _Reader.add,
    sp.Mul: _Reader.multiply,
    sp.MatMul: _Reader.matrix_product,
    sp.HadamardProduct: _Reader.hadamard,
    sp.KroneckerProduct: _Reader.kronecker,
    sp.Pow: _Reader.power,
    sp.HadamardPower: _Reader.power,
    sp.MatPow: _Reader.matrix_power,
    sp.Inverse: _Reader.inverse,
    sp.Transpose: _Reader.transpose,
    sp.Function: _Reader.function,
    sp.Max: _Reader.extremum,
    sp.Min: _Reader.extremum,
    sp.Heaviside: _Reader.step,
    sp.Derivative: _Reader.derivative,
    AppliedUndef: _Reader.applied,
    type(sp.MatrixSymbol("X", 2, 2).applyfunc(sp.sin)): _Reader.elementwise,
    sp.Trace: _Reader.trace,
    sp.Determinant: _Reader.determinant,
    sp.OneMatrix: _Reader.ones,
    sp.ZeroMatrix: _Reader.ones,
    sp.Identity: _Reader.identity,
    sp.DiagMatrix: _Reader.diagonal,
    sp.DiagonalMatrix: _Reader.diagonal,
    sp.DiagonalOf: _Reader.diagonal,
    sp.matrices.expressions.matexpr.MatrixElement: _Reader.entry,
    sp.matrices.expressions.slice.MatrixSlice: _Reader.slice,
}
"""A SymPy class -> how its expressions are written."""
