"""Shape rules of the operators, one function each.

A rule gets a node whose operands are inferred; it sets the meaning (`node.op`, and
`args`, `value` where they change) and returns kind and sizes.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from matderiv.errors import ParseError
from matderiv.language.checker import SCALAR, Checker, Shape
from matderiv.language.letters import (
    function_hint,
    is_default,
    refuse_divisor,
    refuse_greek_number,
    refuse_number_by_letter,
)
from matderiv.language.powers import absolute, inverse, is_raised_e, norm, power
from matderiv.language.sizes import Size, fixed, product, resolve
from matderiv.language.syntax import Syntax

__all__ = ["OPERATORS", "norm", "power"]


def add(check: Checker, node: Syntax) -> Shape:
    left, right = node.args
    who = node.value
    node.op = "add" if who == "+" else "subtract"
    for operand, other in ((left, right), (right, left)):
        refuse_number_by_letter(check, operand, other)
        refuse_greek_number(check, operand, other)
    return check.broadcast(left, right, who, node.at)


def hadamard(check: Checker, node: Syntax) -> Shape:
    node.op = "multiply" if node.value == ".*" else "divide"
    left, right = node.args
    refuse_greek_number(check, left, right)
    refuse_greek_number(check, right, left)
    return check.broadcast(left, right, node.value, node.at)


def multiply(check: Checker, node: Syntax) -> Shape:
    left, right = node.args
    if left.kind == "scalar" or right.kind == "scalar":
        if not node.value:
            _refuse_two_readings(check, node)
        node.op = "multiply"
        if left.kind in ("matrix", "row") and is_default(right, "scalar"):
            name = check.text(right)  # X β, as statisticians write
            check.note(
                f"{name} is a scalar, as Greek letters are; declare {name}: (n) for a vector"
            )
        return check.broadcast(left, right, node.value or "product", node.at)
    kinds = left.kind, right.kind
    if kinds == ("vector", "vector"):
        if node.value == "·":
            return inner(check, node)
        a, b = check.text(left), check.text(right)
        a, b = (f"({t})" if " " in t and not n.bracketed else t for t, n in ((a, left), (b, right)))
        check.fail(
            f"{check.text(left)} and {check.text(right)} are both columns; their product is "
            f"{a}' {b} (a scalar), {a} {b}' (a matrix) or {a} .* {b} (entry by entry)"
            + function_hint(check, left),
            node.at,
        )
    if "tensor" in kinds:
        check.fail(
            f"the product with a tensor is written with einsum: {check.shown(left)} and "
            f"{check.shown(right)}",
            node.at,
        )
    if kinds == ("vector", "row"):
        node.op = "outer"
        return "matrix", (left.size[0], right.size[0])
    if kinds in (("vector", "matrix"), ("matrix", "row"), ("row", "row")):
        _refuse_orientation(check, node)
    node.op = "product"
    if not check.equate(left.size[-1], right.size[0]):
        _refuse_inner_sizes(check, node)
    sizes = left.size[:-1] + right.size[1:]
    kind = {0: "scalar", 2: "matrix"}.get(len(sizes), "row" if left.kind == "row" else "vector")
    return kind, sizes


_NAMES = ("input", "name", "dimension")


def _refuse_two_readings(check: Checker, node: Syntax) -> None:
    """X 1, where 1 may be the vector of ones; 1/2n, a/bc, where n and c may stand below the line.

    So may |b| in x/|a| |b|.
    """
    left, right = node.args
    a, b = check.text(left), check.text(right)
    if left.kind in ("row", "matrix") and check.text(right) == "1":
        check.fail(
            f"{a} 1 has two readings: {a} times the vector of ones is {a} ones(n), times the "
            f"number 1 it is {a}",
            node.at,
        )
    named = right.args[0] if right.op == "power" and right.args else right
    if left.op != "divide" or left.bracketed:
        return
    above, below = left.args
    glued = not re.search(r"\s", check.source[left.at[0] : named.span[1]])
    number = below.op == "number" or (below.op in _NAMES and right.kind == "scalar")
    bars = all(check.source[part.span[0]] in "|‖" for part in (below, named))
    if (glued and number and named.op in _NAMES) or bars:
        c, d = check.text(above), check.text(below)
        check.fail(
            f"{c}/{d}{b} has two readings: {c}/({d} {b}) and {c}/{d} {b}, which is ({c}/{d}) {b}",
            left.at,
        )


def _refuse_orientation(check: Checker, node: Syntax) -> None:
    left, right = node.args
    operand = right if left.kind == "matrix" else left
    turned = "a column" if operand.kind == "vector" else "a row"
    hint = None
    name = operand.op in ("input", "name") and not operand.bracketed
    if left.kind == "vector" and name and check.equate(left.size[0], right.size[0]):
        hint = f"{check.text(left)}' {check.text(right)}"
    text = check.text(operand)
    undeclared = operand.op == "input" and operand.value[1] == "default"
    number = f"; a number is declared, {text}: ()" if undeclared else ""
    check.fail(
        f"the product of {check.shown(left)} and {check.shown(right)} has no meaning: "
        f"{text} is {turned}{number}",
        node.at,
        hint,
    )


def _refuse_inner_sizes(check: Checker, node: Syntax) -> None:
    left, right = node.args
    inner_left, inner_right = left.size[-1], right.size[0]
    a, b = check.text(left), check.text(right)
    hint = None
    if left.op in ("input", "name") and right.op in ("input", "name"):
        if left.kind == "matrix" and resolve(left.size[0]) == resolve(inner_right):
            hint = f"{a}' {b}"
        elif right.kind == "matrix" and resolve(right.size[1]) == resolve(inner_left):
            hint = f"{a} {b}'"
    check.fail(
        f"the product needs equal inner sizes, got {check.size_text(inner_left)} and "
        f"{check.size_text(inner_right)}: "
        f"{check.shown(left)} and {check.shown(right)}",
        node.at,
        hint,
    )


def divide(check: Checker, node: Syntax) -> Shape:
    left, right = node.args
    node.op = "divide"
    start, end = node.at
    tight = re.search(r"\^-?1$", check.source[:start])
    if tight and check.source[end : end + 1].isdigit():
        power = tight[0][1:]
        check.fail(
            f"^{power}/{check.text(right)} has two readings: ^({power}/{check.text(right)}), and "
            f"(…^{power}) / {check.text(right)}",
            node.at,
            error=ParseError,
        )
    if right.kind != "scalar":
        text = check.text(right)
        if is_default(right, "vector") and check.text(left).endswith("d") and text[0] == "d":
            check.fail(
                f"d/{text} is not read: paste the function itself; the variable goes after wrt",
                left.at,
                error=ParseError,
            )
        refuse_divisor(check, right)
        if right.kind == "row" and right.op == "transpose":
            check.fail(
                f"'/' divides by a scalar; {check.what(right)}: what is below the line stands in "
                f"brackets, {check.text(left)}/({text} …)",
                node.at,
            )
        check.fail(
            f"'/' divides by a scalar; {check.what(right)}: "
            "./ divides entry by entry" + (", A \\ b solves" if right.kind == "matrix" else ""),
            node.at,
        )
    return left.kind, left.size


def solve(check: Checker, node: Syntax) -> Shape:
    left, right = node.args
    node.op = "solve"
    size = check.require_square(left, "A \\ b", node.at)
    check.require_kind(right, ("vector", "matrix"), "A \\ b", node.at)
    if not check.equate(size, right.size[0]):
        check.fail(
            f"A \\ b needs equal sizes: {check.shown(left)} and {check.shown(right)}", node.at
        )
    return right.kind, right.size


def kron(check: Checker, node: Syntax) -> Shape:
    left, right = node.args
    node.op = "kron"
    if left.kind == "scalar" or right.kind == "scalar":
        node.op = "multiply"
        return check.broadcast(left, right, "⊗", node.at)
    for operand in (left, right):
        check.require_kind(operand, ("vector", "row", "matrix"), "⊗", node.at)
    if left.kind == right.kind != "matrix":
        return left.kind, (product(left.size[0], right.size[0]),)
    (a, b), (c, d) = (_as_matrix(operand) for operand in (left, right))
    return "matrix", (product(a, c), product(b, d))


def _as_matrix(node: Syntax) -> tuple[Size, ...]:
    one = fixed(1)
    if node.kind == "vector":
        return node.size[0], one
    return (one, node.size[0]) if node.kind == "row" else node.size


def inner(check: Checker, node: Syntax) -> Shape:
    left, right = node.args
    node.op = "inner"
    if left.kind != right.kind or left.kind == "tensor":
        check.fail(
            f"an inner product needs two of one shape: {check.shown(left)} and "
            f"{check.shown(right)}",
            node.at,
        )
    for a, b in zip(left.size, right.size, strict=True):
        if not check.equate(a, b):
            check.fail(
                f"an inner product needs equal sizes: {check.shown(left)} and {check.shown(right)}",
                node.at,
            )
    return SCALAR


def negate(check: Checker, node: Syntax) -> Shape:
    node.op = "negate"
    (operand,) = node.args
    return operand.kind, operand.size


def transpose(check: Checker, node: Syntax) -> Shape:
    (operand,) = node.args
    if operand.op == "number":
        check.fail(
            f"{check.text(operand)} is a number, which has no transpose; for the vector of ones "
            "write ones(n)'",
            node.at,
        )
    if is_raised_e(check, operand) and not operand.args[0].bracketed:
        exponent = check.text(operand.args[0])
        check.fail(
            f"e^{exponent}' has two readings: (e^{exponent})' and e^({exponent}'…); put brackets",
            node.at,
        )
    if is_default(operand, "scalar"):
        name = check.text(operand)
        check.fail(
            f"{name} is a scalar, as Greek letters are, and has no transpose; declare {name}: (n) "
            "for a vector",
            node.at,
        )
    if operand.kind == "tensor":
        check.fail(f"' turns matrices and vectors; {check.what(operand)}", node.at)
    kind = {"vector": "row", "row": "vector"}.get(operand.kind, operand.kind)
    return kind, operand.size[::-1]


def binary(check: Checker, node: Syntax) -> Shape:
    return _BINARY[node.value](check, node)


_BINARY: dict[str, Callable[[Checker, Syntax], Shape]] = {
    "+": add,
    "-": add,
    ".*": hadamard,
    "./": hadamard,
    "": multiply,
    "*": multiply,
    "@": multiply,
    "·": multiply,
    "×": multiply,
    "/": divide,
    "\\": solve,
    "⊗": kron,
}

OPERATORS: dict[str, Callable[[Checker, Syntax], Shape]] = {
    "binary": binary,
    "negation": negate,
    "transpose": transpose,
    "inverse": inverse,
    "power": power,
    "absolute": absolute,
    "norm": norm,
    "inner": inner,
}
