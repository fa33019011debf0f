"""Functions of one number that the user gives by a formula: `f(t) = t^2 sin(t): elementwise`.

The formula is inferred once, for a number t.  A call f(x) becomes the formula with x in
the place of t and the shape of x in that of each value that depends on t; what comes
after, from nodes to code, meets ordinary elementwise operations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NoReturn

from matderiv.errors import ParseError
from matderiv.language.checker import Checker
from matderiv.language.syntax import Span, Syntax, post_order
from matderiv.language.typed import Typed
from matderiv.tensor.elementwise import ELEMENTWISE

__all__ = ["Formula", "Substitution", "check_elementwise"]

LARGEST = 30_000
"""How many values the calls of one program may stand for."""

_ELEMENTWISE = frozenset(
    ["add", "subtract", "multiply", "divide", "negate", "power", "formula", "call"]
)
_POWERS = frozenset(("sqrt", "square"))


@dataclass(frozen=True, slots=True)
class Formula:
    """`name(parameter) = body`, the body inferred."""

    name: str
    parameter: str
    body: Syntax


def check_elementwise(check: Checker, formula: Formula, norms: set[int]) -> None:
    """Refuse a body that is no function of one number; `norms` were written as ‖…‖."""
    depending: set[int] = set()
    for node in post_order(formula.body):
        if node.op == "parameter":
            depending.add(id(node))
        elif any(id(arg) in depending for arg in node.args):
            depending.add(id(node))
            if id(node) in norms or not _is_elementwise(node):
                _refuse(check, formula, node)
    if formula.body.kind != "scalar":
        _refuse_operand(check, formula, formula.body)


def _is_elementwise(node: Syntax) -> bool:
    if node.op == "apply":
        name = node.value[0]
        known = ELEMENTWISE.get(name)
        arity = known.arity if known else int(name in _POWERS)
        return node.kind == "scalar" and len(node.args) == arity
    return node.op in _ELEMENTWISE and node.kind == "scalar"


def _refuse(check: Checker, formula: Formula, node: Syntax) -> NoReturn:
    for arg in node.args:
        if arg.kind != "scalar":
            _refuse_operand(check, formula, arg)
    name, argument = formula.name, formula.parameter
    check.fail(
        f"{name} is elementwise: {argument} is a number in its formula, and {check.text(node)} "
        f"is no function of numbers entry by entry; write it outside, as in sum({name}(x))",
        node.at,
        error=ParseError,
    )


def _refuse_operand(check: Checker, formula: Formula, node: Syntax) -> NoReturn:
    text = check.text(node)
    stranger = node.op == "input" and node.value[1] == "default"
    check.fail(
        f"{formula.name} is elementwise: in its formula all values are numbers; {check.what(node)}"
        + (f": declare {text}: ()" if stranger else ""),
        node.span,
    )


class Substitution:
    """Puts arguments into formulas, as long as their values are not too many."""

    def __init__(self, check: Checker) -> None:
        self.check = check
        self.made = 0

    def put(self, body: Typed, argument: Typed, span: Span) -> Typed:
        """The body at an argument: f(x), which stands at `span`."""
        copies: dict[int, Typed] = {}
        for part in body.post_order():
            if part.op == "parameter":
                copies[id(part)] = argument
            elif any(id(arg) in copies for arg in part.args):
                args = tuple(copies.get(id(arg), arg) for arg in part.args)
                at = span if part is body else part.span
                copies[id(part)] = replace(
                    part, args=args, kind=argument.kind, shape=argument.shape, span=at
                )
        self.made += len(copies)
        if self.made > LARGEST:
            self.check.fail(
                f"the calls of functions given by formulas stand for more than {LARGEST:,} values",
                argument.span,
                error=ParseError,
            )
        constant = Typed("fill", (body,), None, argument.kind, argument.shape, span)
        return copies.get(id(body), constant if argument.shape else replace(body, span=span))
