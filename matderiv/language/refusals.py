"""Texts with two readings, which are refused with both spelled out."""

from __future__ import annotations

from matderiv.errors import ParseError
from matderiv.language.checker import Checker
from matderiv.language.syntax import Syntax

__all__ = ["refuse_ambiguous"]


def refuse_ambiguous(check: Checker, node: Syntax) -> None:
    """Look at one node whose operands are inferred."""
    if node.op == "binary":
        left, right = node.args
        if left.bare and node.value not in ("+", "-"):
            _refuse_bare_function(check, node, left, right)
        if node.value in (".*", "./"):
            for operand in node.args:
                _refuse_mixed_products(check, node, operand)


def _refuse_bare_function(check: Checker, node: Syntax, left: Syntax, right: Syntax) -> None:
    """`log x / 2`: a function without brackets takes one factor."""
    if _begins_with_function(right):
        return
    assert left.bare is not None
    name, argument, rest = (
        " ".join(check.source[start:end].split())
        for start, end in (
            left.bare,
            (left.bare[1], left.span[1]),
            (left.span[1], right.span[1]),
        )
    )
    if check.source[left.span[1]].isspace():
        rest = f" {rest}"
    check.fail(
        f"{name} {argument}{rest} has two readings: {name}({argument}){rest} and "
        f"{name}({argument}{rest})",
        node.at,
        error=ParseError,
    )


def _begins_with_function(node: Syntax) -> bool:
    """Whether a factor is a function value: sin x cos x has one reading."""
    return node.bare is not None or (node.at[0] == node.span[0] and node.op in ("apply", "call"))


def _refuse_mixed_products(check: Checker, node: Syntax, operand: Syntax) -> None:
    """An explicit `*` `@` `\\` of non-scalars beside a Hadamard operator."""
    while operand.op in ("product", "outer", "inner", "solve", "multiply", "divide", "negate"):
        enclosed = operand.op != "negate" and operand.at[0] <= operand.span[0]  # <x, y>, outer(…)
        looked_at = operand.value in (".*", "./")  # by this function, when it was inferred
        if operand.bracketed or enclosed or looked_at or not operand.args:
            return
        explicit = check.source[slice(*operand.at)].strip() in ("*", "@", "\\", "∗")
        if (
            explicit
            and operand.op != "negate"
            and all(arg.kind != "scalar" for arg in operand.args)
        ):
            break
        operand = operand.args[0]
    else:
        return
    text = check.text(node)
    left, right = (check.text(arg) for arg in node.args)
    a, b = (check.text(arg) for arg in operand.args)
    sign = check.source[slice(*operand.at)].strip()
    if operand is node.args[0]:
        other = f"{a} {sign} ({b} {node.value} {right})"
    else:
        other = f"({left} {node.value} {a}) {sign} {b}"
    check.fail(
        f"{text} has two readings: ({left}) {node.value} ({right}), and {other} as in MATLAB "
        "and Python; put brackets",
        node.at,
        error=ParseError,
    )
