"""Names that are what their letter says, where nobody means that.

A name that is not declared is a vector, a matrix or a number by its letter.  Where the
formula as a whole says otherwise it is refused, with the declarations to choose from.
"""

from __future__ import annotations

from matderiv.errors import NameResolutionError
from matderiv.language.checker import Checker
from matderiv.language.syntax import Syntax, post_order

__all__ = [
    "function_hint",
    "is_default",
    "refuse_divisor",
    "refuse_greek_number",
    "refuse_number_by_letter",
]


def is_default(node: Syntax, *kinds: str) -> bool:
    """Whether a node is a name that its letter alone makes one of these kinds."""
    return node.op == "input" and node.value[1] == "default" and node.kind in kinds


def _is_literal(node: Syntax) -> bool:
    """Whether a value is made of numbers alone."""
    return all(
        part.op
        in ("number", "constant", "negate", "add", "subtract", "multiply", "divide", "power")
        for part in post_order(node)
    )


def refuse_number_by_letter(check: Checker, node: Syntax, other: Syntax) -> None:
    """x' x + b, ½ |w|² + C t: beside a scalar, b and C are numbers; x' x + H(P), a function.

    A matrix beside a number, X + λ, is no such case; nor is x - mean(x).
    """
    if node.kind == "scalar" or other.kind != "scalar" or _is_literal(other):
        return
    name = _unscaled(node)
    reduced = any(part.kind != "scalar" for part in post_order(other))
    if name.op == "product" and reduced and function_hint(check, _unscaled(name.args[0])):
        called = check.text(_unscaled(name.args[0]))
        check.fail(
            f"{called}(…) is a product, so {check.what(name)}, and {check.what(other)}; if "
            f"{called} is a function, declare {called}: scalar function",
            name.at,
        )
    if not is_default(name, "vector", "matrix") or not (
        reduced or (name is node and name.kind == "vector")
    ):
        return
    if any(part.op == "input" and part.value == name.value for part in post_order(other)):
        return
    text, shape = check.text(name), "m" if name.value[0] == "n" else "n"
    kind = "vector" if name.kind == "vector" else "matrix"
    check.fail(
        f"{text} is not declared, so it is a {kind}, and {check.text(other)} is a scalar: declare "
        f"{text}: (), or a shape with size {text}; a {kind} is declared {text}: "
        + (f"({shape})" if kind == "vector" else f"({shape}, {shape})"),
        name.at,
        error=NameResolutionError,
    )


def function_hint(check: Checker, left: Syntax) -> str:
    """What the note on f(x), read as a product, says of f."""
    note = f"{check.text(left)}(…) is a product"
    found = next((known for known in check.notes if known.startswith(note)), None)
    return f"; {found.partition('; ')[2]}" if found else ""


def _unscaled(node: Syntax) -> Syntax:
    """x of -x, x/2 and t x."""
    while True:
        if node.op in ("negate", "divide"):
            node = node.args[0]
        elif node.op == "multiply" and "scalar" in (kinds := [arg.kind for arg in node.args]):
            node = node.args[kinds[0] == "scalar"]
        else:
            return node


def refuse_divisor(check: Checker, right: Syntax) -> None:
    """a/n, a/sqrt(d), 1/N: what is below the line is a number."""
    names = {part.value: part for part in post_order(right) if is_default(part, "vector", "matrix")}
    if len(names) != 1 or any(part.op in ("product", "transpose") for part in post_order(right)):
        return
    ((name, part),) = ((check.text(part), part) for part in names.values())
    other = "; ./ divides entry by entry" + ", A \\ b solves" * (right.kind == "matrix")
    what = f"it is a {right.kind}" if part is right else check.what(right)
    check.fail(
        f"{name} is not declared, so {what} and cannot divide: declare {name}: (), "
        f"or a shape with the dimension {name}{other}",
        part.at,
        error=NameResolutionError,
    )


def refuse_greek_number(check: Checker, node: Syntax, other: Syntax | None = None) -> None:
    """X β beside a vector y, and x' β alone: as statisticians write, β is no number."""
    while node.op in ("negate", "divide"):
        node = node.args[0]
    alone = node.kind == "row" and (other is None or other.kind == "scalar")
    rows = node.kind == "matrix" and other is not None and other.kind in ("vector", "row")
    if (alone or rows) and node.op == "multiply" and is_default(node.args[1], "scalar"):
        name = check.text(node.args[1])
        beside = "" if other is None else f", and {check.what(other)}"
        check.fail(
            f"{name} is a scalar, as Greek letters are, so {check.what(node)}{beside}: declare "
            f"{name}: {check.shape_text(node.size[-1:])} for a vector, {name}: () for a scalar",
            node.args[1].at,
        )
