"""Numbers written as expressions: -2, 1/2, (1 - 1/3)."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from fractions import Fraction
from typing import Any, Protocol

__all__ = ["Expression", "literal_value"]


class Expression(Protocol):
    """What syntax trees and typed trees share."""

    @property
    def op(self) -> str: ...
    @property
    def args(self) -> Sequence[Expression]: ...
    @property
    def value(self) -> Any: ...


def literal_value(root: Expression) -> int | Fraction | None:
    """The rational number that an expression of numbers is, else None."""
    values: dict[int, Fraction] = {}
    for node in _post_order(root, values):
        if node.op == "number" and not node.args:
            values[id(node)] = Fraction(node.value)
            continue
        args = [values[id(arg)] for arg in node.args]
        if node.op == "negate":
            values[id(node)] = -args[0]
        elif node.op == "add":
            values[id(node)] = args[0] + args[1]
        elif node.op == "subtract":
            values[id(node)] = args[0] - args[1]
        elif node.op == "multiply":
            values[id(node)] = args[0] * args[1]
        elif node.op == "divide" and args[1]:
            values[id(node)] = args[0] / args[1]
        else:
            return None
    value = values[id(root)]
    return value.numerator if value.denominator == 1 else value


def _post_order(root: Expression, seen: Container[int]) -> Iterator[Expression]:
    """The expressions that are not seen yet, arguments first."""
    stack: list[tuple[Expression, bool]] = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if id(node) in seen:
            continue
        if ready or not node.args:
            yield node
        else:
            stack.append((node, True))
            stack.extend((arg, False) for arg in reversed(node.args))
