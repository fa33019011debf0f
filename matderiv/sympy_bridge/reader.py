"""How parts of SymPy expressions are put together as text: names, sizes, brackets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, NamedTuple

import sympy as sp

from matderiv.errors import NameResolutionError, UnsupportedError
from matderiv.language import canonical_name

__all__ = ["Level", "Reader", "Rule", "Text", "Written", "kind_of", "shape_of", "unsupported"]

_RESERVED = frozenset(("where", "repeat", "in", "axis", "keepdims"))


class Level(IntEnum):
    """How tightly a text holds together."""

    SUM = 1
    PRODUCT = 2
    ATOM = 3


Text = tuple[str, Level]


class Written(NamedTuple):
    """A text, how tightly it holds together, and whether it is a scalar."""

    text: str
    level: Level
    is_scalar: bool

    def at(self, level: Level) -> str:
        return self.text if self.level >= level else f"({self.text})"


def shape_of(expression: Any) -> tuple[Any, Any]:
    rows, columns = expression.shape
    return sp.sympify(rows), sp.sympify(columns)


def kind_of(expression: Any) -> str:
    """ "scalar", "vector", "row" or "matrix", by the shape."""
    if not getattr(expression, "is_Matrix", False):
        return "scalar"
    rows, columns = shape_of(expression)
    if rows == 1:
        return "scalar" if columns == 1 else "row"
    return "vector" if columns == 1 else "matrix"


def unsupported(expression: Any, hint: str | None = None) -> UnsupportedError:
    name = type(expression).__name__
    return UnsupportedError(f"SymPy's {name} has no form in the language", hint=hint)


class Reader:
    """Texts of expressions, by the rule of each class, and what they declare.

    bound   the variables of Lambdas, and what stands for them
    """

    def __init__(self, rules: Mapping[type, Rule]) -> None:
        self.rules = rules
        self.shapes: dict[str, tuple[str | int, ...]] = {}
        self.attributes: dict[str, str] = {}
        self.functions: dict[str, str] = {}
        self.sizes: set[str] = set()
        self.symbols: dict[str, Any] = {}
        self.bound: dict[Any, Written] = {}

    def find_sizes(self, expression: Any) -> None:
        """The names of sizes, which stand for numbers wherever they occur."""
        shaped = (sp.MatrixSymbol, sp.Identity, sp.OneMatrix, sp.ZeroMatrix)
        if isinstance(expression, sp.Basic):
            for part in sp.preorder_traversal(expression):
                if isinstance(part, shaped):
                    for size in shape_of(part):
                        self.sizes |= {self.name(symbol) for symbol in size.free_symbols}

    def read(self, expression: Any) -> Written:
        if isinstance(expression, sp.MatrixBase):
            raise unsupported(expression, "give it a name: a MatrixSymbol, with a value later")
        for kind in type(expression).__mro__:
            rule = self.rules.get(kind)
            if rule is not None:
                text, level = rule(self, expression)
                return Written(text, level, self.is_scalar(expression))
        raise unsupported(expression)

    def is_scalar(self, expression: Any) -> bool:
        """Whether the value is one number, with what stands for bound variables."""
        if kind_of(expression) != "scalar":
            return False
        free: frozenset[Any] = getattr(expression, "free_symbols", frozenset())
        return all(written.is_scalar for t, written in self.bound.items() if t in free)

    def at(self, expression: Any, level: Level) -> str:
        return self.read(expression).at(level)

    def call(self, function: str, *arguments: Any) -> Text:
        texts = ", ".join(self.read(argument).text for argument in arguments)
        return f"{function}({texts})", Level.ATOM

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


Rule = Callable[[Reader, Any], Text]
