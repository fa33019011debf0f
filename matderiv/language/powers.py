"""Shape rules of powers, inverses, absolute values and norms."""

from __future__ import annotations

import re
from fractions import Fraction

from matderiv.errors import ParseError
from matderiv.language.checker import SCALAR, Checker, Shape
from matderiv.language.literals import literal_value
from matderiv.language.sizes import resolve
from matderiv.language.syntax import Syntax

__all__ = ["absolute", "inverse", "is_raised_e", "norm", "power"]


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
    called = check.source[slice(*base.at)].lstrip(".")[:1].isalpha()  # power(x, y), x.pow(2)
    enclosed = base.bracketed or called or node.at[0] == node.span[0]  # power(x.^y, z)
    if (base.op in ("power", "matrix_power") or is_raised_e(check, base)) and not enclosed:
        check.fail(
            f"a power of a power has two readings: ({check.text(base)})^… and …^(…); put brackets",
            node.at,
            error=ParseError,
        )
    if exponent.kind != "scalar" and sign == "^":
        stranger = exponent.op == "input" and exponent.value[1] == "default"
        index = stranger and base.op == "input"
        name = exponent.value[0] if stranger else ""
        check.fail(
            f"an exponent is a scalar; {check.what(exponent)}"
            + f"; a number is declared {name}: ()" * stranger
            + f"; an index is written {check.text(base)}_{name}" * index,
            node.at,
        )
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
    _refuse_raised_index(check, node)
    if base.kind != "matrix":
        turned = f", {check.text(base)}' for the transpose" * (check.text(exponent) == "t")
        if base.op == "apply" and base.value == ("abs", ()):
            turned = f", ||{check.text(base.args[0])}|| for the norm"
        check.fail(
            f"^ is the power of a scalar or a square matrix; {check.what(base)}: "
            f"write .^ for the elementwise power{turned}",
            node.at,
            None if turned else _entrywise(check, node),
        )
    if not check.equate(*base.size):
        check.fail(
            f"^ needs a square matrix; {check.what(base)}: write .^ for the elementwise power",
            node.at,
        )
    value = literal_value(exponent)
    if isinstance(value, Fraction) and value.denominator == 2:  # A^(-1/2) is sqrtm(A)^-1
        root = Syntax("apply", (base,), base.span, node.at, ("sqrtm", ()))
        root.kind, root.size = base.kind, base.size
        base, value = root, value.numerator
    if not isinstance(value, int):
        turned = "A' for the transpose, " if check.text(exponent) == "t" else ""
        check.fail(
            f"the power of a matrix is an integer, or half of one; write {turned}"
            ".^ for the elementwise power",
            node.at,
        )
    if abs(value) > 4096:
        check.fail("this power of a matrix is beyond 4096", node.at, error=ParseError)
    node.op, node.value, node.args = "matrix_power", value, (base,)
    return base.kind, base.size


def _entrywise(check: Checker, node: Syntax) -> str | None:
    """The same power entry by entry: x.^2 of x^2, sin(x).^2 of sin^2 x."""
    base, exponent = node.args
    value = literal_value(exponent)
    if value is None:
        raised = check.text(exponent)
    else:
        raised = str(value) if isinstance(value, int) and value >= 0 else f"({value})"
    if base.args and node.at[1] <= base.args[0].span[0]:
        argument = check.text(base.args[0])
        argument = argument if base.args[0].bracketed else f"({argument})"
        return f"{check.source[slice(*base.at)]}{argument}.^{raised}"
    if base.op in ("input", "name") or base.bracketed:
        return f"{check.text(base)}.^{raised}"
    return None


def _refuse_raised_index(check: Checker, node: Syntax) -> None:
    """W^(2) and W^1: of layers and samples, papers raise an index."""
    base, exponent = node.args
    text, value = check.text(exponent), literal_value(exponent)
    if base.op not in ("input", "name") or not isinstance(value, int) or value < 1:
        return
    if value == 1 or text == f"({value})":
        name = check.text(base)
        check.fail(
            f"{name}^{text} has two readings: an index, as of layers and samples, written "
            f"{name}_{value}, and the power ^{value}" + (f", which is {name}" * (value == 1)),
            node.at,
            error=ParseError,
        )


def is_raised_e(check: Checker, node: Syntax) -> bool:
    """Whether a node that is exp(x) is written e^x, without brackets around it."""
    is_exp = node.op == "apply" and node.value == ("exp", ())
    return is_exp and not node.bracketed and check.source[node.at[0]] == "^"


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


NORMS = ("", "F", "op", "*", "inf")
_ORDER = re.compile(r"\d{1,9}(\.\d{1,9}|/[1-9]\d{0,8})?")


def _written_out(which: str, operand: Syntax, text: str) -> str:
    """What other norms of papers are."""
    if which == "max":
        return f"; the largest entry is ||{text}||_inf"
    text = text if operand.bracketed or operand.op in ("input", "name") else f"({text})"
    if which == "2,1":
        return f"; the sum of the norms of columns is sum(sqrt(sum({text}.^2, axis=0)))"
    if which[:1].isupper() and operand.kind == "vector":
        return f"; with a matrix it is written out, sqrt({text}' {which} {text})"
    return ""


def norm(check: Checker, node: Syntax) -> Shape:
    (operand,) = node.args
    which = str(node.value)
    which = {"∞": "inf", "infty": "inf", "fro": "F", "Fro": "F", "f": "F", "nuc": "*", "": ""}.get(
        which, which
    )
    text = check.text(operand)
    p = Fraction(which) if _ORDER.fullmatch(which) else None
    if p is None and which not in NORMS:
        check.fail(
            f"there is no norm with the suffix _{node.value}; there are _1 _2 _F _op _* _inf, "
            "and _p for a number p ≥ 1" + _written_out(which, operand, text),
            node.at,
            error=ParseError,
        )
    if p is not None and p < 1:
        check.fail(
            f"(Σ |x|^p)^(1/p) is a norm for p ≥ 1; here p is {float(p):.9g}",
            node.at,
            error=ParseError,
        )
    node.op = "norm"
    if operand.kind == "scalar":
        check.note(f"||{text}|| of a scalar is |{text}|")
        node.op, node.value = "apply", ("abs", ())
        return SCALAR
    if operand.kind in ("vector", "row"):
        if which in ("op", "*"):
            check.fail(f"_{which} is a norm of matrices; {check.what(operand)}", node.at)
    elif operand.kind == "matrix":
        if p == 2:
            check.fail(
                f"the 2-norm of a matrix has two readings: ||{text}||_F (entrywise) and "
                f"||{text}||_op (largest singular value)",
                node.at,
            )
        if p is not None and p != 1:
            check.fail(
                f"the {float(p):.9g}-norm of a matrix has several meanings; entry by entry it is "
                f"||vec({text})||_{float(p):.9g}",
                node.at,
            )
    else:
        check.fail(
            f"a norm is of a vector or a matrix; {check.what(operand)}: the sum of its squares is "
            f"sum(({check.text(operand)}).^2)",
            node.at,
        )
    node.value = p or which or "F"
    return SCALAR
