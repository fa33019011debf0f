"""A claimed formula, read in the names of the program that it is about.

Besides the inputs it may use the names that the program assigns, its abstract functions,
and `f` for the program's value where nothing else is called so.  Its sizes are the
program's.

A claim about a derivative by X that uses dX is a differential, df = tr(G' dX): a linear map
of dX, whose matrix is what is held against the derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from matderiv.errors import MatderivError, NameResolutionError, ParseError
from matderiv.language.typed import Assignment
from matderiv.results import Program
from matderiv.results.derivative import differentiate
from matderiv.tensor.nodes import Variable
from matderiv.tensor.traverse import reachable
from matderiv.values import Array
from matderiv.verify.views import views

if TYPE_CHECKING:
    from matderiv.results import Derivative
    from matderiv.tensor.dims import Dim

__all__ = ["Claim"]

_KINDS = {"elementwise": "elementwise", "scalar": "scalar function"}


@dataclass(frozen=True)
class Claim:
    """The formula as a program of its own; `identity` is the size of `I`, where given.

    `slope` is its derivative by the differential in it, arranged as the derivative that it
    is about.
    """

    program: Program
    identity: Dim | None = None
    slope: Derivative | None = None

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
        if not any(line.partition("#")[0].strip() for line in formula.splitlines()):
            raise ParseError("the claim is empty: there is no formula")
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
                claim = _read(derivative, preamble, formula, identity)
                return cls(claim, identity, _slope(derivative, claim, formula))
            except MatderivError as error:
                first = first or error
        assert first is not None
        raise first

    @property
    def row(self) -> bool:
        if self.slope is not None:
            return next(iter(views(self.slope))).row
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
        if self.slope is None:
            return self.program.evaluate(given, functions)
        name = str(self.slope.wrt)
        given[name] = np.zeros_like(values[name.removeprefix("d")])
        if np.any(self.program.evaluate(given, functions)):
            raise ParseError(f"the claim is not 0 where {name} is: it is no differential")
        return self.slope.evaluate(given, functions)


def _slope(derivative: Derivative, claim: Program, formula: str) -> Derivative | None:
    """The derivative of a claim by the differential in it, if there is one."""
    name = f"d{derivative.wrt}"
    if name not in claim.inputs or name in derivative.program.inputs:
        return None
    structured = derivative.structured
    slope = differentiate(claim, [(name,)], derivative.layout, "auto", structured)[name]
    moved = (node.name for node in reachable([slope.node]) if isinstance(node, Variable))
    if name in moved:
        raise ParseError(f"the claim is not linear in {name}", source=formula)
    return slope


def _read(derivative: Derivative, before: str, formula: str, identity: Dim | None) -> Program:
    program = derivative.program
    shapes: dict[str, Any] = {
        name: entry.shape
        for name, entry in program.inputs.items()
        if all(isinstance(dim, int | str) for dim in entry.shape)
    }
    if identity is not None:
        shapes["I"] = (identity, identity)
    attributes = {name: entry.attributes for name, entry in program.inputs.items()}
    if isinstance(derivative.wrt, str) and derivative.wrt in shapes:
        name = f"d{derivative.wrt}"
        shapes.setdefault(name, shapes[derivative.wrt])
        if derivative.structured:  # it moves within the space of matrices that X is in
            attributes.setdefault(name, program.inputs[derivative.wrt].attributes)
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
