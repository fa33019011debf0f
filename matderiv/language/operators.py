"""Shape rules of the operators, one function each.

A rule gets a node whose operands are inferred; it sets the meaning (`node.op`, and
`args`, `value` where they change) and returns kind and sizes.
"""

from __future__ import annotations

from collections.abc import Callable

from matderiv.errors import NameResolutionError, ParseError
from matderiv.language.checker import SCALAR, Checker, Shape
from matderiv.language.literals import literal_value
from matderiv.language.sizes import Size, fixed, product, resolve
from matderiv.language.syntax import Syntax, post_order

__all__ = ["OPERATORS", "is_literal", "norm", "power"]


def is_literal(node: Syntax) -> bool:
    """Whether a value is made of numbers alone."""
    return all(
        part.op
        in ("number", "constant", "negate", "add", "subtract", "multiply", "divide", "power")
        for part in post_order(node)
    )


def _is_stranger(node: Syntax) -> bool:
    """An undeclared name that is a vector only because it is lower-case."""
    return node.op == "input" and node.kind == "vector" and node.value[1] == "default"


def add(check: Checker, node: Syntax) -> Shape:
    left, right = node.args
    who = node.value
    node.op = "add" if who == "+" else "subtract"
    for name, other in ((left, right), (right, left)):
        if _is_stranger(name) and other.kind == "scalar" and not is_literal(other):
            text = check.text(name)
            check.fail(
                f"{text} is not declared, so it is a vector, and {check.text(other)} is a scalar: "
                f"declare {text}: (), or a shape with size {text}",
                name.at,
                error=NameResolutionError,
            )
    return check.broadcast(left, right, who, node.at)


def hadamard(check: Checker, node: Syntax) -> Shape:
    node.op = "multiply" if node.value == ".*" else "divide"
    left, right = node.args
    return check.broadcast(left, right, node.value, node.at)


def multiply(check: Checker, node: Syntax) -> Shape:
    left, right = node.args
    if left.kind == "scalar" or right.kind == "scalar":
        node.op = "multiply"
        return check.broadcast(left, right, node.value or "product", node.at)
    kinds = left.kind, right.kind
    if kinds == ("vector", "vector"):
        if node.value == "·":
            return inner(check, node)
        a, b = check.text(left), check.text(right)
        a, b = (f"({t})" if " " in t and not n.bracketed else t for t, n in ((a, left), (b, right)))
        check.fail(
            f"{check.text(left)} and {check.text(right)} are both columns; their product is "
            f"{a}' {b} (a scalar), {a} {b}' (a matrix) or {a} .* {b} (entry by entry)",
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


def _refuse_orientation(check: Checker, node: Syntax) -> None:
    left, right = node.args
    operand = right if left.kind == "matrix" else left
    turned = "a column" if operand.kind == "vector" else "a row"
    hint = None
    name = operand.op in ("input", "name") and not operand.bracketed
    if left.kind == "vector" and name and check.equate(left.size[0], right.size[0]):
        hint = f"{check.text(left)}' {check.text(right)}"
    check.fail(
        f"the product of {check.shown(left)} and {check.shown(right)} has no meaning: "
        f"{check.text(operand)} is {turned}",
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
    if right.kind != "scalar":
        text = check.text(right)
        if _is_stranger(right):
            check.fail(
                f"{text} is not declared, so it is a vector and cannot divide: declare {text}: (), "
                f"or a shape with the dimension {text}",
                right.at,
                error=NameResolutionError,
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
    if operand.kind == "tensor":
        check.fail(f"' turns matrices and vectors; {check.what(operand)}", node.at)
    kind = {"vector": "row", "row": "vector"}.get(operand.kind, operand.kind)
    return kind, operand.size[::-1]


def inverse(check: Checker, node: Syntax) -> Shape:
    (operand,) = node.args
    if operand.kind == "scalar":
        if node.value == "-T":
            check.fail("^-T is the inverse transpose of a matrix", node.at)
        exponent = Syntax("number", (), node.at, value=-1)
        exponent.kind, exponent.size = SCALAR
        node.op, node.args, node.value = "power", (operand, exponent), ".^"
        return SCALAR
    if operand.kind in ("vector", "row"):
        check.fail(
            f"^-1 inverts a square matrix; {check.what(operand)}: .^-1 is entry by entry", node.at
        )
    size = check.require_square(operand, "the inverse", node.at)
    return "matrix", (size, size)


def power(check: Checker, node: Syntax) -> Shape:
    base, exponent = node.args
    sign = node.value
    if base.op == "constant" and base.value == "e" and sign == "^":
        return _exponential(check, node)
    if base.op in ("power", "matrix_power") and not base.bracketed:
        check.fail(
            f"a power of a power has two readings: ({check.text(base)})^… and …^(…); put brackets",
            node.at,
            error=ParseError,
        )
    if exponent.kind != "scalar" and sign == "^":
        check.fail(f"an exponent is a scalar; {check.what(exponent)}", node.at)
    node.op, node.value = "power", ".^"
    if base.kind == "scalar" and exponent.kind == "scalar":
        return SCALAR
    if sign == "^":
        return _matrix_power(check, node)
    if sign == "**" and base.kind == "matrix" and resolve(base.size[0]) == resolve(base.size[1]):
        check.fail(
            f"** on a square matrix has two readings: {check.text(base)}^… is the matrix power, "
            f"{check.text(base)}.^… is entry by entry",
            node.at,
        )
    return check.broadcast(base, exponent, sign, node.at)


def _matrix_power(check: Checker, node: Syntax) -> Shape:
    base, exponent = node.args
    if base.kind != "matrix":
        check.fail(
            f"^ is the power of a scalar or a square matrix; {check.what(base)}: "
            "write .^ for the elementwise power",
            node.at,
        )
    if not check.equate(*base.size):
        check.fail(
            f"^ needs a square matrix; {check.what(base)}: write .^ for the elementwise power",
            node.at,
        )
    value = literal_value(exponent)
    if not isinstance(value, int):
        check.fail(
            "the power of a matrix is an integer; write .^ for the elementwise power", node.at
        )
    if abs(value) > 4096:
        check.fail("this power of a matrix is beyond 4096", node.at, error=ParseError)
    node.op, node.value, node.args = "matrix_power", value, (base,)
    return base.kind, base.size


def _exponential(check: Checker, node: Syntax) -> Shape:
    _, exponent = node.args
    if exponent.kind == "matrix":
        check.fail(
            "e^X of a matrix has two readings: exp(X) is entry by entry, expm(X) the matrix "
            "exponential",
            node.at,
        )
    node.op, node.args, node.value = "apply", (exponent,), ("exp", ())
    return exponent.kind, exponent.size


def absolute(check: Checker, node: Syntax) -> Shape:
    (operand,) = node.args
    if operand.kind in ("matrix", "tensor"):
        text = check.text(operand)
        check.fail(f"|{text}| of a matrix has two readings: det({text}) or abs({text})", node.at)
    node.op, node.value = "apply", ("abs", ())
    return operand.kind, operand.size


NORMS = ("1", "2", "F", "op", "*", "inf")


def norm(check: Checker, node: Syntax) -> Shape:
    (operand,) = node.args
    which = str(node.value)
    which = {"∞": "inf", "fro": "F", "Fro": "F", "f": "F", "nuc": "*", "": ""}.get(which, which)
    text = check.text(operand)
    if which.isdigit():
        which = str(int(which[:9]))
    if which and which not in NORMS and not (which.isdigit() and int(which) >= 1):
        check.fail(
            f"there is no norm with the suffix _{node.value}; there are _1 _2 _F _op _* _inf",
            node.at,
            error=ParseError,
        )
    node.op = "norm"
    if operand.kind == "scalar":
        check.note(f"||{text}|| of a scalar is |{text}|")
        node.op, node.value = "apply", ("abs", ())
    elif operand.kind in ("vector", "row"):
        if which in ("op", "*"):
            check.fail(f"_{which} is a norm of matrices; {check.what(operand)}", node.at)
        node.value = "2" if which in ("", "F") else which
    elif operand.kind == "matrix":
        if which.isdigit() and which != "1":
            check.fail(
                f"the {which}-norm of a matrix has two readings: ||{text}||_F (entrywise) and "
                f"||{text}||_op (largest singular value)",
                node.at,
            )
        node.value = which or "F"
    else:
        check.fail(f"a norm is of a vector or a matrix; {check.what(operand)}", node.at)
    return SCALAR


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
