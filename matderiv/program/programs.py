"""The `numpy` programs of the function tables, recorded on a tape.

A program is a sequence of calls in three-address form, `a = exp(x); add(a, 1.0)`.  It
is parsed once by `ast`; shapes follow from a rule for each NumPy function it may use.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from matderiv.program.steps import Dims, Length, Operand, Ref
from matderiv.program.tape import Tape, broadcast
from matderiv.tensor.dims import Dim, Shape

__all__ = ["Call", "constant", "parse", "record"]

_BEYOND_NUMPY = {"erf": "special.erf"}


@dataclass(frozen=True, slots=True)
class Call:
    """target = function(arguments, options)[item]; arguments are names or numbers."""

    target: str
    function: str
    arguments: tuple[str | float, ...]
    options: tuple[tuple[str, Any], ...]
    item: int | None


@cache
def parse(program: str) -> tuple[Call, ...]:
    """Return the calls of a program.

    >>> [(call.target, call.function, call.arguments) for call in parse("a = exp(x); add(a, 1.0)")]
    [('a', 'exp', ('x',)), ('', 'add', ('a', 1.0))]
    """
    calls = []
    for statement in ast.parse(program).body:
        target, value = "", getattr(statement, "value", None)
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            target = statement.targets[0].id
        item = None
        if isinstance(value, ast.Subscript):
            item, value = ast.literal_eval(value.slice), value.value
        if not isinstance(value, ast.Call):
            raise ValueError(f"not a call in a program: {ast.unparse(statement)}")
        function = ast.unparse(value.func)
        arguments = tuple(
            argument.id if isinstance(argument, ast.Name) else float(ast.literal_eval(argument))
            for argument in value.args
        )
        options = tuple((str(k.arg), ast.literal_eval(k.value)) for k in value.keywords)
        function = _BEYOND_NUMPY.get(function, function)
        calls.append(Call(target, function, arguments, options, item))
    return tuple(calls)


@cache
def constant(program: str) -> float | None:
    """The number that a program without calls stands for.

    >>> constant("3.5"), constant("exp(x)")
    (3.5, None)
    """
    try:
        return float(ast.literal_eval(program))
    except (ValueError, TypeError, SyntaxError):
        return None


def record(tape: Tape, program: str, names: Mapping[str, Operand]) -> Ref:
    """Record a program; `names` are its arguments, sizes and shapes."""
    known = dict(names)
    result: Ref | None = None
    for call in parse(program):
        operands = [known[a] if isinstance(a, str) else a for a in call.arguments]
        options = dict(call.options)
        rule = _SHAPES.get(call.function)
        if rule is None:
            shape = broadcast([tape.shape(operand) for operand in operands])
        else:
            shape = rule([_size_of(tape, operand) for operand in operands], options)
        result = tape.call(call.function, *operands, shape=shape, item=call.item, **options)
        known[call.target] = result
    assert result is not None
    return result


def _size_of(tape: Tape, operand: Operand) -> Shape:
    if isinstance(operand, Dims):
        return operand.shape
    return (operand.dim,) if isinstance(operand, Length) else tape.shape(operand)


def _reduced(shapes: list[Shape], options: dict[str, Any]) -> Shape:
    shape, axis = shapes[0], options["axis"] % len(shapes[0])
    middle: Shape = (1,) if options.get("keepdims") else ()
    return shape[:axis] + middle + shape[axis + 1 :]


def _square(shapes: list[Shape], options: dict[str, Any]) -> Shape:
    side: Dim = shapes[0][0]
    return (side, side)


# What is elementwise needs no rule.
_SHAPES: dict[str, Callable[[list[Shape], dict[str, Any]], Shape]] = {
    **dict.fromkeys("sum amax amin argmax argmin squeeze".split(), _reduced),
    "linalg.inv": lambda shapes, options: shapes[0],
    "linalg.cholesky": lambda shapes, options: shapes[0],
    "linalg.det": lambda shapes, options: shapes[0][:-2],
    "linalg.slogdet": lambda shapes, options: shapes[0][:-2],
    "linalg.solve": lambda shapes, options: shapes[1],
    "reshape": lambda shapes, options: shapes[1],
    "eye": _square,
    "take": lambda shapes, options: shapes[1] + shapes[0][1:],
    "transpose": lambda shapes, options: shapes[0][::-1],
}
