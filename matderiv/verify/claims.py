"""A claimed formula, read in the names of the program that it is about.

Besides the inputs it may use the names that the program assigns, its abstract functions,
and `f` for the program's value where nothing else is called so.  Its sizes are the
program's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from matderiv.errors import MatderivError, NameResolutionError, ParseError
from matderiv.language.typed import Assignment
from matderiv.results import Program
from matderiv.values import Array

if TYPE_CHECKING:
    from matderiv.results import Derivative
    from matderiv.tensor.dims import Dim

__all__ = ["Claim"]

_KINDS = {"elementwise": "elementwise", "scalar": "scalar function"}


@dataclass(frozen=True)
class Claim:
    """The formula as a program of its own; `identity` is the size of `I`, where given."""

    program: Program
    identity: Dim | None = None

    @classmethod
    def read(cls, derivative: Derivative, formula: str) -> Claim:
        """Raises what `md.parse` raises, with the place in the formula.

        >>> import matderiv as md
        >>> r = md.diff("r = X w - y; ||r||^2", "w")
        >>> print(Claim.read(r, "2 X' r").program.shape)
        ('m',)
        """
        if not isinstance(formula, str):
            raise ParseError(f"the claim is a text, not {type(formula).__name__}")
        program, shape = derivative.program, derivative.shape
        attempts: list[tuple[str, Dim | None]] = [
            (_preamble(program), None),
            ("", None),  # a claim that says itself what its names are
        ]
        if "I" not in program.inputs and len(shape) == 2 and shape[0] == shape[1]:
            # I takes its size from its context, which may be the derivative's shape.
            attempts.append((_preamble(program), shape[0]))
        first: MatderivError | None = None
        for preamble, identity in attempts:
            try:
                return cls(_read(program, preamble, formula, identity), identity)
            except MatderivError as error:
                first = first or error
        assert first is not None
        raise first

    @property
    def row(self) -> bool:
        return self.program.typed.output.kind == "row"

    def evaluate(
        self,
        values: Mapping[str, Array],
        sizes: Mapping[str, int],
        functions: Mapping[object, Callable[..., Any]],
    ) -> Array:
        known = {*self.program.inputs, *self.program.spare}
        given = {name: value for name, value in values.items() if name in known}
        if isinstance(self.identity, str):
            given["I"] = np.eye(sizes[self.identity])
        elif isinstance(self.identity, int):
            given["I"] = np.eye(self.identity)
        return self.program.evaluate(given, functions)


def _read(program: Program, before: str, formula: str, identity: Dim | None) -> Program:
    shapes: dict[str, Any] = {
        name: entry.shape
        for name, entry in program.inputs.items()
        if all(isinstance(dim, int | str) for dim in entry.shape)
    }
    if identity is not None:
        shapes["I"] = (identity, identity)
    attributes = {name: entry.attributes for name, entry in program.inputs.items()}
    attributes = {name: marks for name, marks in attributes.items() if marks}
    try:
        claim = Program.read(before + formula, shapes, attributes)
    except MatderivError as error:
        inside = error.span is not None and error.span[0] >= len(before)
        error.span = _shifted(error.span, -len(before)) if inside else None
        error.source = formula
        raise
    for name, entry in claim.inputs.items():
        if name not in program.inputs and name not in shapes:
            raise NameResolutionError(
                f"{entry.spelling} does not occur in the program; its names are "
                f"{', '.join([*program.inputs, *_assigned(program)])}",
                span=_shifted(entry.span, -len(before)),
                source=formula,
            )
    return claim


def _shifted(span: tuple[int, int] | None, by: int) -> tuple[int, int] | None:
    return span and (span[0] + by, span[1] + by)


def _assigned(program: Program) -> dict[str, str]:
    """Each assigned name with its text; none where a loop assigns names."""
    typed = program.typed
    names: dict[str, str] = {}
    for statement in typed.statements:
        if not isinstance(statement, Assignment):
            return {}
        names[statement.name] = program.source[slice(*statement.expression.span)]
    taken = {*program.inputs, *typed.functions, *names}
    taken |= {str(dim) for entry in program.inputs.values() for dim in entry.shape}
    if "f" not in taken:
        names["f"] = program.source[slice(*typed.output.span)]
    return names


def _preamble(program: Program) -> str:
    """The program's own lines, without those of its inputs."""
    lines = [f"{name}: {_KINDS[kind]}" for name, kind in program.typed.functions.items()]
    lines += [f"{name} = {text}" for name, text in _assigned(program).items()]
    return "".join(f"{line}\n" for line in lines)
