"""The functions of the language by name: shapes in, shapes out.

Elementwise functions and primitives come from the tables of `matderiv.tensor` as they
are, so that one declaration there adds a function here.  This table holds the rest,
grouped by mathematics.  `lowering.py` says what each becomes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from matderiv.errors import ParseError
from matderiv.language.checker import SCALAR, Checker, Shape, kind_of_rank
from matderiv.language.literals import literal_value
from matderiv.language.operators import inner, kron, multiply, norm, power, solve
from matderiv.language.sizes import Size, fixed, product, unknown
from matderiv.language.syntax import Syntax, post_order
from matderiv.tensor.elementwise import ELEMENTWISE
from matderiv.tensor.primitives import PRIMITIVES, Primitive

__all__ = ["METHODS", "Function", "function_table", "spellings"]

Options = Mapping[str, Any]
Rule = Callable[[Checker, Syntax, Options], Shape]


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function: how many arguments it takes, which options, and its shape rule.

    The rule may replace `node.op`, `node.args` and `node.value`; where it leaves them,
    the node is an "apply" of this function with its options.
    """

    name: str
    rule: Rule
    least: int = 1
    most: int = 1
    aliases: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


_TABLE: list[Function] = []


def function(name: str, rule: Rule, **fields: Any) -> None:
    _TABLE.append(Function(name=name, rule=rule, **fields))


# ----- sums and other reductions ----------------------------------------------------
def _axis(check: Checker, node: Syntax, options: Options, rank: int) -> int | None:
    """The axis of a reduction, counted from the front; None is all of them."""
    axis = options.get("axis")
    if axis is None:
        return None
    if not isinstance(axis, int) or isinstance(axis, bool) or not -rank <= axis < rank:
        check.fail(f"axis={axis} is no axis of {check.shown(node.args[0])}", node.at)
    return axis % rank


def _reduced(check: Checker, node: Syntax, options: Options, axis: int | None) -> Shape:
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
    return _reduced(check, node, options, _axis(check, node, options, len(node.args[0].size)))


for _name in ("sum", "mean", "var"):
    function(_name, reduction, options=("axis", "keepdims"))


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


function("max", extremum, most=2, aliases=("maximum",), options=("axis", "keepdims"))
function("min", extremum, most=2, aliases=("minimum",), options=("axis", "keepdims"))


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
    return norm(check, node)


function("norm", norm_function, most=2)
for _name in ("norm1", "norm2"):

    def _fixed_norm(check: Checker, node: Syntax, options: Options) -> Shape:
        matrix = node.args[0].kind == "matrix"
        node.value = "F" if node.value == "norm2" and matrix else node.value[-1]
        return norm(check, node)

    function(_name, _fixed_norm)


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


function("mse", loss, least=2, most=2)
function("cross_entropy", loss, least=2, most=2)


# ----- entry by entry, as powers ----------------------------------------------------
def entrywise(check: Checker, node: Syntax, options: Options) -> Shape:
    (operand,) = node.args
    return operand.kind, operand.size


function("sqrt", entrywise)
function("square", entrywise)


def power_function(check: Checker, node: Syntax, options: Options) -> Shape:
    """x.pow(2), pow(x, 2): entry by entry."""
    node.value = ".^"
    return power(check, node)


function("pow", power_function, least=2, most=2, aliases=("power",))


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
    return "vector", (product(*operand.size),)


def outer(check: Checker, node: Syntax, options: Options) -> Shape:
    for operand in node.args:
        check.require_kind(operand, ("vector", "row"), "outer", node.at)
    left, right = node.args
    node.op = "outer"
    return "matrix", (left.size[0], right.size[0])


def transposed(check: Checker, node: Syntax, options: Options) -> Shape:
    from matderiv.language.operators import transpose

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


function("tr", trace, aliases=("trace", "Tr"))
function("diag", diag)
function("vec", vec)
function("adj", adjugate)
function("outer", outer, least=2, most=2)
function("transpose", transposed, aliases=("t",))
function("kron", operator(kron), least=2, most=2)
function("solve", operator(solve), least=2, most=2)
function("inner", operator(inner), least=2, most=2)
function("dot", dot, least=2, most=2, aliases=("matmul", "mm"))


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


function("eye", eye, aliases=("identity",))
function("ones", constant_array, most=8)
function("zeros", constant_array, most=8)
function("vector", filled)
function("matrix", filled)
function("commutation", commutation, least=2, most=2)
function("reshape", reshape, least=2, most=8)


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


function("einsum", einsum, most=32)


# ----- from the tensor tables -------------------------------------------------------
def mapped(check: Checker, node: Syntax, options: Options) -> Shape:
    """An elementwise function: one shape, scalars broadcast."""
    if len(node.args) == 1:
        return node.args[0].kind, node.args[0].size
    left, right = node.args
    return check.broadcast(left, right, node.value, node.at)


def _along_last(primitive: Primitive) -> Rule:
    """A primitive of vectors, along the last axis or another."""
    reduces = not primitive.cores[-1]

    def rule(check: Checker, node: Syntax, options: Options) -> Shape:
        (operand,) = node.args
        rank = len(operand.size)
        if not rank:
            check.fail(f"{node.value} needs a vector or a matrix; {check.what(operand)}", node.at)
        axis = _axis(check, node, options, rank)
        axis = rank - 1 if axis is None else axis
        if reduces:
            return _reduced(check, node, options, axis)
        node.value = (node.value, (("axis", axis),))
        return operand.kind, operand.size

    return rule


def _cores(signature: str) -> list[tuple[str, ...]]:
    """The names of the core axes of each argument, then of the value.

    >>> _cores("(m,n),(n)->(m)")
    [('m', 'n'), ('n',), ('m',)]
    """
    groups = re.findall(r"\(([^()]*)\)", signature)
    return [tuple(name.strip() for name in group.split(",") if name.strip()) for group in groups]


def _by_signature(signature: str) -> Rule:
    """A primitive whose signature says everything: "(m,n),(n)->(m)"."""

    def rule(check: Checker, node: Syntax, options: Options) -> Shape:
        *cores, output = _cores(signature)
        sizes: dict[str, Size] = {}
        lead: tuple[Size, ...] = ()
        square = len(cores) == 1 and len(cores[0]) == 2 == 1 + len(set(cores[0]))
        for core, arg in zip(cores, node.args, strict=True):
            extra = len(arg.size) - len(core)
            if extra < 0 or (extra and arg.kind != "tensor"):
                wanted = "a square matrix" if square else f"{len(core)} axes"
                check.fail(f"{node.value} needs {wanted}; {check.what(arg)}", node.at)
            lead = arg.size[:extra] if extra else lead
            for name, size in zip(core, arg.size[extra:], strict=True):
                if not check.equate(sizes.setdefault(name, size), size):
                    wanted = "a square matrix" if square else signature
                    check.fail(f"{node.value} needs {wanted}; {check.what(arg)}", node.at)
        shape = lead + tuple(sizes[name] for name in output)
        return kind_of_rank(len(shape)), shape

    return rule


_PLANNED = {
    "pinv": "(m,n)->(n,m)",
    "expm": "(n,n)->(n,n)",
    "sqrtm": "(n,n)->(n,n)",
    "chol": "(n,n)->(n,n)",
}


def _from_tables(own: frozenset[str]) -> list[Function]:
    made = []
    for entry in ELEMENTWISE.values():
        if entry.name not in own and entry.name not in PRIMITIVES:
            made.append(
                Function(
                    name=entry.name,
                    rule=mapped,
                    least=entry.arity,
                    most=entry.arity,
                    aliases=entry.aliases,
                )
            )
    for primitive in PRIMITIVES.values():
        if primitive.name in own or primitive.infer is not None:
            continue
        vector = [len(core) for core in primitive.cores[:-1]] == [1]
        reduces = vector and not primitive.cores[-1]
        options = ("axis", "keepdims") if reduces else ("axis",) if vector else ()
        rule = _along_last(primitive) if vector else _by_signature(primitive.signature)
        arity = len(primitive.cores) - 1
        made.append(
            Function(
                name=primitive.name,
                rule=rule,
                least=arity,
                most=arity,
                aliases=primitive.aliases,
                options=options,
            )
        )
    names = own | {entry.name for entry in made}
    made += [
        Function(name=name, rule=_by_signature(signature))
        for name, signature in _PLANNED.items()
        if name not in names
    ]
    return made


@cache
def function_table() -> dict[str, Function]:
    """Every function by its name."""
    own = frozenset(entry.name for entry in _TABLE)
    return {entry.name: entry for entry in [*_TABLE, *_from_tables(own)]}


@cache
def spellings() -> dict[str, str]:
    """Every spelling of a function -> its name; spellings are never one letter or π."""
    known: dict[str, str] = {}
    for entry in function_table().values():
        for spelling in (entry.name, *entry.aliases):
            if len(spelling) > 1:
                known[spelling] = entry.name
    return known


METHODS = frozenset(("t", "pow", "dot", "matmul", "mm"))
"""Spellings of functions that are methods only."""
