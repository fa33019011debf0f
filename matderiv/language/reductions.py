"""Sums, means, extrema, norms, losses; and powers under a name."""

from __future__ import annotations

from typing import Any

from matderiv.errors import ParseError
from matderiv.language.checker import SCALAR, Checker, Shape, kind_of_rank
from matderiv.language.declaring import Function, Options, Rule
from matderiv.language.literals import literal_value
from matderiv.language.powers import norm, power
from matderiv.language.sizes import fixed
from matderiv.language.syntax import Syntax

__all__ = ["FUNCTIONS", "axis_of", "reduced"]

_TABLE: list[Function] = []


def _function(name: str, rule: Rule, **fields: Any) -> None:
    _TABLE.append(Function(name=name, rule=rule, **fields))


# ----- sums and other reductions ----------------------------------------------------
def axis_of(check: Checker, node: Syntax, options: Options, rank: int) -> int | None:
    """The axis of a reduction, counted from the front; None is all of them."""
    axis = options.get("axis")
    if axis is None:
        return None
    if not isinstance(axis, int) or isinstance(axis, bool) or not -rank <= axis < rank:
        check.fail(f"axis={axis} is no axis of {check.shown(node.args[0])}", node.at)
    return axis % rank


def reduced(check: Checker, node: Syntax, options: Options, axis: int | None) -> Shape:
    (operand,) = node.args
    keep = bool(options.get("keepdims", False))
    rank = len(operand.size)
    gone = range(rank) if axis is None else (axis,)
    name = node.value
    node.value = (name, tuple(sorted({"axis": axis, "keepdims": keep}.items())))
    if keep:
        return operand.kind, tuple(
            fixed(1) if k in gone else size for k, size in enumerate(operand.size)
        )
    sizes = tuple(size for k, size in enumerate(operand.size) if k not in gone)
    return kind_of_rank(len(sizes)), sizes


def reduction(check: Checker, node: Syntax, options: Options) -> Shape:
    """All entries, or along an axis: (m, n) -> (), (n,), (m,)."""
    return reduced(check, node, options, axis_of(check, node, options, len(node.args[0].size)))


for _name in ("sum", "mean", "var", "std"):
    _function(_name, reduction, options=("axis", "keepdims"))


def extremum(check: Checker, node: Syntax, options: Options) -> Shape:
    """One argument: its largest entry; two: entry by entry."""
    name = node.value
    if len(node.args) == 1:
        return reduction(check, node, options)
    if options:
        check.fail(f"{name} of two arguments takes no options", node.at, error=ParseError)
    zero = [arg for arg in node.args if arg.op == "number" and arg.value == 0]
    left, right = node.args
    shape = check.broadcast(left, right, name, node.at)
    if name == "max" and len(zero) == 1:
        name = "relu"
        node.args = tuple(arg for arg in node.args if arg is not zero[0])
    node.value = (name, ())
    return shape


_function("max", extremum, most=2, aliases=("maximum",), options=("axis", "keepdims"))
_function("min", extremum, most=2, aliases=("minimum",), options=("axis", "keepdims"))


# ----- norms and losses -------------------------------------------------------------
def norm_function(check: Checker, node: Syntax, options: Options) -> Shape:
    """norm(x), norm(x, p)."""
    operand, *order = node.args
    which = ""
    if order:
        value = order[0].value if order[0].op in ("option", "string") else literal_value(order[0])
        which = str(value)
        if value is None:
            check.fail("the order of a norm is a number: norm(x, 3)", order[0].span)
    node.args, node.value = (operand,), which
    of_rows = {"1": "column", "inf": "row"}.get(which)
    if operand.kind == "matrix" and of_rows:
        entries = "the sum of its |entries|" if which == "1" else "its largest |entry|"
        name = check.text(operand)
        check.note(f"norm({name}, {which}) is {entries}, not the largest {of_rows} sum")
    return norm(check, node)


_function("norm", norm_function, most=2)
for _name in ("norm1", "norm2"):

    def _fixed_norm(check: Checker, node: Syntax, options: Options) -> Shape:
        matrix = node.args[0].kind == "matrix"
        node.value = "F" if node.value == "norm2" and matrix else node.value[-1]
        return norm(check, node)

    _function(_name, _fixed_norm)


def loss(check: Checker, node: Syntax, options: Options) -> Shape:
    left, right = node.args
    check.require_kind(left, ("scalar", "vector", "row", "matrix"), node.value, node.at)
    same = left.kind == right.kind and all(map(check.equate, left.size, right.size))
    if not same:
        check.fail(
            f"{node.value} needs two of one shape: {check.shown(left)} and {check.shown(right)}",
            node.at,
        )
    return SCALAR


_function("mse", loss, least=2, most=2)
_function("cross_entropy", loss, least=2, most=2)


# ----- entry by entry, as powers ----------------------------------------------------
def entrywise(check: Checker, node: Syntax, options: Options) -> Shape:
    (operand,) = node.args
    return operand.kind, operand.size


_function("sqrt", entrywise)
_function("square", entrywise)


def power_function(check: Checker, node: Syntax, options: Options) -> Shape:
    """x.pow(2), pow(x, 2): entry by entry."""
    node.value = ".^"
    return power(check, node)


_function("pow", power_function, least=2, most=2, aliases=("power",))


FUNCTIONS = tuple(_TABLE)
