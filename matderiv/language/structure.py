"""Matrices and their parts, constant arrays, einsum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from matderiv.errors import ParseError
from matderiv.language.checker import SCALAR, Checker, Shape, kind_of_rank
from matderiv.language.declaring import Function, Options, Rule
from matderiv.language.operators import inner, kron, multiply, solve, transpose
from matderiv.language.sizes import Size, fixed, product, unknown
from matderiv.language.syntax import Syntax, post_order

__all__ = ["FUNCTIONS"]

_TABLE: list[Function] = []


def _function(name: str, rule: Rule, **fields: Any) -> None:
    _TABLE.append(Function(name=name, rule=rule, **fields))


# ----- matrices ---------------------------------------------------------------------
def trace(check: Checker, node: Syntax, options: Options) -> Shape:
    check.require_square(node.args[0], node.value, node.at)
    return SCALAR


def diag(check: Checker, node: Syntax, options: Options) -> Shape:
    """(n,) -> (n, n); (n, n) -> (n,)."""
    (operand,) = node.args
    if operand.kind in ("vector", "row"):
        return "matrix", (operand.size[0], operand.size[0])
    return "vector", (check.require_square(operand, "diag", node.at),)


def vec(check: Checker, node: Syntax, options: Options) -> Shape:
    (operand,) = node.args
    check.require_kind(operand, ("vector", "row", "matrix"), "vec", node.at)
    # Columns are stacked: the axis of columns is the outer one, as the left factor's of ⊗.
    return "vector", (product(*operand.size[::-1]),)


def outer(check: Checker, node: Syntax, options: Options) -> Shape:
    for operand in node.args:
        check.require_kind(operand, ("vector", "row"), "outer", node.at)
    left, right = node.args
    node.op = "outer"
    return "matrix", (left.size[0], right.size[0])


def transposed(check: Checker, node: Syntax, options: Options) -> Shape:
    node.op = "transpose"
    return transpose(check, node)


def adjugate(check: Checker, node: Syntax, options: Options) -> Shape:
    size = check.require_square(node.args[0], node.value, node.at)
    return "matrix", (size, size)


def dot(check: Checker, node: Syntax, options: Options) -> Shape:
    """Columns: their inner product; matrices: the product."""
    node.value = "·"
    return multiply(check, node)


def operator(rule: Callable[[Checker, Syntax], Shape]) -> Rule:
    return lambda check, node, options: rule(check, node)


_function("tr", trace, aliases=("trace", "Tr"))
_function("diag", diag)
_function("vec", vec)
_function("adj", adjugate)
_function("outer", outer, least=2, most=2)
_function("transpose", transposed, aliases=("t",))
_function("kron", operator(kron), least=2, most=2)
_function("solve", operator(solve), least=2, most=2)
_function("inner", operator(inner), least=2, most=2)
_function("dot", dot, least=2, most=2, aliases=("matmul", "mm"))


# ----- constants and shapes ---------------------------------------------------------
def size_of(check: Checker, node: Syntax) -> Size:
    """A size written as an argument: 3, n, m n."""
    sizes: dict[int, Size] = {}
    for part in post_order(node):
        integer = part.op == "number" and isinstance(part.value, int)
        if part.op == "dimension" or (integer and 0 < part.value < 10**18):
            sizes[id(part)] = fixed(part.value)
        elif part.op == "multiply" and all(id(arg) in sizes for arg in part.args):
            sizes[id(part)] = product(*(sizes[id(arg)] for arg in part.args))
        else:
            check.fail(
                f"{check.text(node)} is no size; a size is a name or a positive integer", node.span
            )
    return sizes[id(node)]


def constant_array(check: Checker, node: Syntax, options: Options) -> Shape:
    """ones(n), zeros(m, n): one size is a vector, two a matrix."""
    sizes = tuple(size_of(check, arg) for arg in node.args)
    value = 1 if node.value == "ones" else 0
    number = Syntax("number", (), node.at, value=value)
    number.kind, number.size = SCALAR
    node.op, node.args, node.value = "fill", (number,), None
    return kind_of_rank(len(sizes)), sizes


def eye(check: Checker, node: Syntax, options: Options) -> Shape:
    size = size_of(check, node.args[0])
    node.op, node.args, node.value = "identity", (), None
    return "matrix", (size, size)


def filled(check: Checker, node: Syntax, options: Options) -> Shape:
    """vector(c), matrix(c): c in every entry, of the size the context asks for."""
    check.require_kind(node.args[0], ("scalar",), node.value, node.at)
    rank = 1 if node.value == "vector" else 2
    node.op, node.value = "fill", None
    return kind_of_rank(rank), tuple(unknown() for _ in range(rank))


def commutation(check: Checker, node: Syntax, options: Options) -> Shape:
    """K with K vec(A) = vec(A') for A of shape (m, n)."""
    m, n = (size_of(check, arg) for arg in node.args)
    node.args, node.value = (), (node.value, (("m", m), ("n", n)))
    size = product(m, n)
    return "matrix", (size, size)


def reshape(check: Checker, node: Syntax, options: Options) -> Shape:
    """reshape(M, m, n): entries in the order of rows, as in NumPy."""
    operand, *dims = node.args
    sizes = tuple(size_of(check, arg) for arg in dims)
    if not check.equate(product(*operand.size), product(*sizes)):
        check.fail(
            f"{check.shown(operand)} does not have as many entries as the new shape", node.at
        )
    node.args = (operand,)
    return kind_of_rank(len(sizes)), sizes


_function("eye", eye, aliases=("identity",))
_function("ones", constant_array, most=8)
_function("zeros", constant_array, most=8)
_function("vector", filled)
_function("matrix", filled)
_function("commutation", commutation, least=2, most=2)
_function("reshape", reshape, least=2, most=8)


# ----- einsum -----------------------------------------------------------------------
def einsum(check: Checker, node: Syntax, options: Options) -> Shape:
    """einsum("ij,jk->ik", A, B), with every output letter written out."""
    spec_node, *operands = node.args
    if spec_node.op != "string":
        check.fail(
            'einsum begins with its subscripts: einsum("ij,jk->ik", A, B)',
            spec_node.span,
            error=ParseError,
        )
    spec = str(spec_node.value).replace(" ", "")
    inputs, arrow, output = spec.partition("->")
    terms = inputs.split(",")
    letters = inputs.replace(",", "") + output
    if not arrow or not all("a" <= c.lower() <= "z" for c in letters):
        check.fail(
            'subscripts are letters with an arrow: "ij,jk->ik"', spec_node.span, error=ParseError
        )
    if len(terms) != len(operands):
        check.fail(
            f"einsum has subscripts for {len(terms)} operands and {len(operands)} operands", node.at
        )
    sizes: dict[str, Size] = {}
    for term, operand in zip(terms, operands, strict=True):
        if len(term) != len(operand.size):
            check.fail(f"the subscripts {term!r} do not fit {check.shown(operand)}", node.at)
        for letter, size in zip(term, operand.size, strict=True):
            if not check.equate(sizes.setdefault(letter, size), size):
                check.fail(
                    f"einsum: the sizes of {letter!r} differ at {check.shown(operand)}", node.at
                )
    if not all(letter in sizes for letter in output):
        check.fail("an output letter stands in no operand", spec_node.span, error=ParseError)
    node.args, node.value = tuple(operands), (node.value, (("spec", f"{inputs}->{output}"),))
    return kind_of_rank(len(output)), tuple(sizes[letter] for letter in output)


_function("einsum", einsum, most=32)


FUNCTIONS = tuple(_TABLE)
