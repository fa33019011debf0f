"""The typed program: what `read` returns and `lower` consumes.

`kind` is "scalar", "vector" (a column), "row", "matrix" or "tensor"; only here do rows
and columns differ.  The operations, with `value` in brackets:

    input [name]  name [name]  number [int | Fraction]  dimension [Dim]  constant ["π" | "e"]
    identity  fill (of its argument)  add  subtract  multiply  divide  negate
    power [".^"]  matrix_power [int]  product (matrix)  outer  inner  kron  solve
    transpose  inverse ["-1" | "-T"]  norm [which]  index [tuple of int | slice | loop name]
    apply [(function, options)]  call [(abstract function, derivative orders)]

multiply, divide, add, subtract and power work entry by entry and broadcast.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from matderiv.language.syntax import Span
from matderiv.tensor.dims import Dim

__all__ = ["VALUED", "Assignment", "Input", "Repeat", "Typed", "TypedProgram"]

_VALUED = "input name number dimension constant power matrix_power inverse norm index apply call"
VALUED = frozenset(_VALUED.split())
"""The operations that carry a value."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Typed:
    """An expression with its kind and shape.

    Trees may be deep, and a value may be an argument of several others where functions
    are given by formulas: never recurse, and look at each once.
    """

    op: str
    args: tuple[Typed, ...]
    value: Any
    kind: str
    shape: tuple[Dim, ...]
    span: Span

    def __repr__(self) -> str:
        return f"<{self.op} {self.value!r} {self.kind} {self.shape}>"

    def post_order(self) -> Iterator[Typed]:
        """Every expression in this one once, arguments first, left to right."""
        seen: set[int] = set()
        stack: list[tuple[Typed, bool]] = [(self, False)]
        while stack:
            node, ready = stack.pop()
            if id(node) in seen:
                continue
            if ready or not node.args:
                seen.add(id(node))
                yield node
            else:
                stack.append((node, True))
                stack.extend((arg, False) for arg in reversed(node.args))


@dataclass(frozen=True, slots=True)
class Input:
    """A variable of the program: its shape, what is known of it, where it first stands."""

    shape: tuple[Dim, ...]
    attributes: frozenset[str]
    declared: bool
    span: Span | None
    spelling: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """`name = expression`."""

    name: str
    expression: Typed


@dataclass(frozen=True, slots=True)
class Repeat:
    """`repeat index in count { body }`; `carried` names keep their value from turn to turn."""

    index: str
    count: Dim
    body: tuple[Assignment | Repeat, ...]
    carried: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class TypedProgram:
    """A program with every size resolved.

    inputs      by canonical name, in order of first appearance in the text
    functions   the abstract functions: name -> "elementwise" or "scalar"
    statements  in order of evaluation; assignments of a `where` clause come first
    output      the value of the program
    notes       what was inferred, split or broadcast, for the user to read
    """

    source: str
    inputs: dict[str, Input]
    functions: dict[str, str]
    statements: tuple[Assignment | Repeat, ...]
    output: Typed
    notes: tuple[str, ...] = field(default=())
