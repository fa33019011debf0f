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

from matderiv.program.counting import WEIGHTS
from matderiv.program.pieces import seen
from matderiv.program.steps import Dims, Length, Operand, Ref
from matderiv.program.tape import Tape
from matderiv.tensor.dims import Dim, Shape, divide_dims, least_dim, multiply_dims

__all__ = ["Call", "calls_on", "constant", "cost", "parse", "record", "sharing"]

_BEYOND_NUMPY = {
    **{name: f"scipy.special.{name}" for name in ("erf", "erfc", "erfcx", "log_ndtr")},
    **{
        name: f"scipy.linalg.{name}"
        for name in ("expm", "expm_frechet", "sqrtm", "solve_sylvester")
    },
}


@dataclass(frozen=True, slots=True)
class Call:
    """target = function(arguments, options)[item]; arguments are names or numbers."""

    target: str
    function: str
    arguments: tuple[str | float, ...]
    options: tuple[tuple[str, Any], ...]
    item: int | None


# Calls that another one makes superfluous: its result holds theirs.
_HELD = {"linalg.svdvals(x)": ("linalg.svd", "linalg.svd(x, full_matrices=False)[1]")}


def calls_on(program: str) -> frozenset[str]:
    """The functions that a program calls on its first argument.

    >>> sorted(calls_on("a = linalg.svdvals(x); sum(a, axis=-1)"))
    ['linalg.svdvals']
    """
    return frozenset(call.function for call in parse(program) if call.arguments[:1] == ("x",))


def sharing(program: str, others: frozenset[str]) -> str:
    """The program with results that calls of `others` on the same argument hold anyway.

    >>> sharing("a = linalg.svdvals(x); sum(a, axis=-1)", frozenset({"linalg.svd"}))
    'a = linalg.svd(x, full_matrices=False)[1]; sum(a, axis=-1)'
    """
    for call, (function, instead) in _HELD.items():
        if function in others:
            program = program.replace(call, instead)
    return program


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
        shapes = [_size_of(tape, operand) for operand in operands]
        options = dict(call.options)
        if call.item is not None:
            result = _parts(tape, call, operands, shapes)
        elif call.function == "diagonal":
            result = _diagonal(tape, operands[0])
        elif call.function == "matrix_transpose" and len(shapes[0]) == 2:
            (matrix,) = operands
            assert isinstance(matrix, Ref)
            result = seen(matrix, (1, 0))
        elif call.function == "matmul":
            result = tape.contract(
                "matmul",
                *operands,
                shape=_SHAPES["matmul"](shapes, options),
                contracted=shapes[0][-1:],
                spec="ab,bc->ac",
            )
        else:
            rule = _SHAPES.get(call.function)
            # Entry by entry a length is a number; to other functions it is a size.
            made = None if rule is None else rule(shapes, options)
            result = tape.call(call.function, *operands, shape=made, **options)
        known[call.target] = result
    assert result is not None
    return result


def _diagonal(tape: Tape, operand: Operand) -> Ref:
    """The diagonals of matrices, a view."""
    assert isinstance(operand, Ref)
    batch = tuple(range(len(tape.shape(operand)) - 2))
    core = len(batch)
    return tape.diagonal(operand, (*batch, core, core), (*batch, core))


def cost(program: str, shape: Shape, sizes: Mapping[str, int]) -> float:
    """FLOPs of a program on one array of this shape, values of functions by weight.

    >>> cost("linalg.inv(x)", ("n", "n"), {"n": 10})
    2000.0
    """
    tape = Tape(sizes)
    record(tape, program, {"x": Ref(tape.input(shape))})
    flops = sum(float(step.flops.at(sizes)) for step in tape.steps)
    values = ((step.function, step.evaluations.at(sizes)) for step in tape.steps)
    return flops + sum(WEIGHTS.get(name, 0) * float(count) for name, count in values)


def _parts(tape: Tape, call: Call, operands: list[Operand], shapes: list[Shape]) -> Ref:
    """One part of a tuple result; the call itself is recorded once for all parts."""
    options = dict(call.options)
    rule = _SHAPES[call.function]
    whole = tape.call(
        call.function, *operands, shape=rule(shapes, {**options, "item": 0}), **options
    )
    assert call.item is not None
    return tape.part(whole, call.item, rule(shapes, {**options, "item": call.item}))


def _size_of(tape: Tape, operand: Operand) -> Shape:
    if isinstance(operand, Dims):
        return operand.shape
    return (operand.dim,) if isinstance(operand, Length) else tape.shape(operand)


# ---- shapes --------------------------------------------------------------------------

Shapes = list[Shape]
Options = dict[str, Any]


def _reduced(shapes: Shapes, options: Options) -> Shape:
    shape, axis = shapes[0], options["axis"] % len(shapes[0])
    middle: Shape = (1,) if options.get("keepdims") else ()
    return shape[:axis] + middle + shape[axis + 1 :]


def _expanded(shapes: Shapes, options: Options) -> Shape:
    axis = options["axis"] % (len(shapes[0]) + 1)
    return (*shapes[0][:axis], 1, *shapes[0][axis:])


def _eye(shapes: Shapes, options: Options) -> Shape:
    side: Dim = shapes[0][0] if shapes else options["N"]
    return (side, side)


def _taken(shapes: Shapes, options: Options) -> Shape:
    axis = options["axis"] % len(shapes[0])
    chosen = shapes[1] if len(shapes) > 1 else (len(options["indices"]),)
    return shapes[0][:axis] + chosen + shapes[0][axis + 1 :]


def _split(shapes: Shapes, options: Options) -> Shape:
    axis = options["axis"] % len(shapes[0])
    part = divide_dims(shapes[0][axis], options["indices_or_sections"])
    assert part is not None
    return (*shapes[0][:axis], part, *shapes[0][axis + 1 :])


def _singular(shapes: Shapes, options: Options) -> Shape:
    """U (m, r), s (r), V' (r, n) of an (m, n) matrix, r the smaller of m and n."""
    *batch, m, n = shapes[0]
    r = least_dim(m, n)
    parts: dict[int, Shape] = {0: (*batch, m, r), 1: (*batch, r), 2: (*batch, r, n)}
    return parts[options["item"]]


def _first(shapes: Shapes, options: Options) -> Shape:
    return shapes[0]


def _last(shapes: Shapes, options: Options) -> Shape:
    return shapes[-1]


def _kron(shapes: Shapes, options: Options) -> Shape:
    order = max(map(len, shapes))
    full = [(1,) * (order - len(shape)) + shape for shape in shapes]
    return tuple(map(multiply_dims, *full))


def _swapped(shapes: Shapes, options: Options) -> Shape:
    return (*shapes[0][:-2], shapes[0][-1], shapes[0][-2])


# What is elementwise needs no rule.
_SHAPES: dict[str, Callable[[Shapes, Options], Shape]] = {
    **dict.fromkeys(("sum", "amax", "amin", "argmax", "squeeze"), _reduced),
    **dict.fromkeys(("linalg.inv", "linalg.cholesky", "inverse_of_lower"), _first),
    **dict.fromkeys(("tril", "triu"), _first),
    **dict.fromkeys(("scipy.linalg.expm", "scipy.linalg.sqrtm"), _first),
    **dict.fromkeys(("scipy.linalg.expm_frechet", "scipy.linalg.solve_sylvester"), _last),
    **dict.fromkeys(("linalg.det", "linalg.slogdet"), lambda shapes, options: shapes[0][:-2]),
    **dict.fromkeys(("linalg.pinv", "matrix_transpose"), _swapped),
    "linalg.solve": lambda shapes, options: shapes[1],
    "linalg.svdvals": lambda shapes, options: (*shapes[0][:-2], least_dim(*shapes[0][-2:])),
    "linalg.svd": _singular,
    "matmul": lambda shapes, options: (*shapes[0][:-1], shapes[1][-1]),
    "kron": _kron,
    "reshape": lambda shapes, options: shapes[1],
    "expand_dims": _expanded,
    "eye": _eye,
    "take": _taken,
    "split": _split,
}
