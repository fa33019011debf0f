"""The functions of the language by name.

Elementwise functions and primitives come from the tables of `matderiv.tensor` as they
are, so that one declaration there adds a function here.  `reductions.py` and
`structure.py` hold the rest; `meanings.py` says what those become.
"""

from __future__ import annotations

import re
from functools import cache

from matderiv.language import reductions, structure
from matderiv.language.checker import Checker, Shape, kind_of_rank
from matderiv.language.declaring import Function, Options, Rule
from matderiv.language.reductions import axis_of, reduced
from matderiv.language.sizes import Size
from matderiv.language.syntax import Syntax
from matderiv.tensor.elementwise import ELEMENTWISE
from matderiv.tensor.primitives import PRIMITIVES, Primitive

__all__ = ["METHODS", "function_table", "spellings"]

_OWN = (*reductions.FUNCTIONS, *structure.FUNCTIONS)


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
        axis = axis_of(check, node, options, rank)
        axis = rank - 1 if axis is None else axis
        if reduces:
            return reduced(check, node, options, axis)
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
        constant = len(primitive.cores) == 1
        if primitive.name in own or primitive.infer is not None or constant:
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
    own = frozenset(entry.name for entry in _OWN)
    return {entry.name: entry for entry in [*_OWN, *_from_tables(own)]}


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
