"""A program as it was read: its inputs, its value, its nodes."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from matderiv.check import evaluate_named, slices
from matderiv.errors import (
    DomainError,
    MatderivError,
    NameResolutionError,
    ShapeError,
    UnsupportedError,
)
from matderiv.language import canonical_name, lower, read
from matderiv.language.hints import near
from matderiv.language.typed import Assignment, Input, Repeat
from matderiv.limits import limited
from matderiv.tensor.arena import Arena
from matderiv.tensor.dims import Composite, Shape, dim_text, dim_value, shape_text
from matderiv.tensor.nodes import Node, Variable
from matderiv.tensor.traverse import dimensions
from matderiv.values import Array, bind, by_name, is_sympy

if TYPE_CHECKING:
    from matderiv.language.lower import Lowered
    from matderiv.language.typed import TypedProgram
    from matderiv.notation import Presentation

__all__ = ["Program", "bind_values", "evaluated", "structured_variables", "taken_names"]


class Program:
    """A program as it was read, every size known by name.

    >>> program = Program.read("||Xw - y||^2")
    >>> {name: entry.shape for name, entry in program.inputs.items()}
    {'X': ('n', 'm'), 'w': ('m',), 'y': ('n',)}
    >>> float(program.evaluate({"X": [[1.0, 2.0]], "w": [1.0, 1.0], "y": [1.0]}))
    4.0
    """

    def __init__(
        self, typed: TypedProgram, declared: Mapping[str, Sequence[Any]] | None = None
    ) -> None:
        self.typed = typed
        # Declared from outside and not in the text: their values may still bind sizes.
        self.spare = {
            name: Spare(tuple(shape))
            for name, shape in (declared or {}).items()
            if name not in typed.inputs
        }
        # Named values that were made inputs, each with the program that computes it.
        self.computed: dict[str, Program] = {}

    @classmethod
    def read(
        cls,
        source: Any,
        shapes: Mapping[str, Any] | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> Program:
        for given, what in ((shapes, "shapes"), (attributes, "attributes")):
            if given is not None and not isinstance(given, Mapping):
                raise ShapeError(f"{what} are a mapping from names, not {reprlib.repr(given)}")
        if is_sympy(source):
            from matderiv.sympy_bridge import from_sympy

            found = from_sympy(source)
            source, shapes = found.text, {**found.shapes, **(shapes or {})}
            attributes = {**found.attributes, **(attributes or {})}
        typed = read(source, shapes=shapes, attributes=attributes)
        return cls(typed, {canonical_name(name): dims for name, dims in (shapes or {}).items()})

    def reread(self, text: str, seeds: Mapping[str, Shape] | None = None) -> Program:
        """A formula printed for this program as a program, on the same inputs and seeds."""
        shapes = {name: entry.shape for name, entry in self.inputs.items()} | dict(seeds or {})
        plain = {
            name: shape
            for name, shape in shapes.items()
            if not any(isinstance(dim, Composite) for dim in shape)
        }
        marks = {name: entry.attributes for name, entry in self.inputs.items() if entry.attributes}
        return Program.read(text, plain, marks)

    def to_sympy(self) -> Any:
        """The value as a SymPy expression; see `matderiv.sympy_bridge`.

        >>> Program.read("||X w||^2").to_sympy()
        Trace(w.T*X.T*X*w)
        """
        from matderiv.sympy_bridge import to_sympy

        return to_sympy(self.typed)

    @property
    def source(self) -> str:
        """The text that was read."""
        return self.typed.source

    @property
    def inputs(self) -> dict[str, Input]:
        """name -> shape and attributes, as declared or inferred."""
        return self.typed.inputs

    @property
    def notes(self) -> tuple[str, ...]:
        """What was inferred, split, broadcast."""
        return self.typed.notes

    @cached_property
    def dimensions(self) -> set[str]:
        """The names of all sizes that the value depends on."""
        return set(dimensions([self.output]))

    @cached_property
    def output(self) -> Node:
        return self._lowered.root

    @property
    def shape(self) -> Shape:
        return self.typed.output.shape

    @cached_property
    def _lowered(self) -> Lowered:
        return lower(self.typed, Arena())

    def lowered(self, arena: Arena, plain: Sequence[str] = ()) -> Lowered:
        """The program as nodes; of the variables in `plain`, what holds in all directions.

        Next to a positive definite matrix x'A x > 0 still holds, A' = A does not.
        """
        inputs = {
            name: replace(entry, attributes=_nearby(entry.attributes)) if name in plain else entry
            for name, entry in self.inputs.items()
        }
        return lower(replace(self.typed, inputs=inputs), arena)

    @limited
    def evaluate(
        self,
        values: Mapping[str, Any],
        functions: Mapping[object, Callable[..., Any]] | None = None,
    ) -> Array:
        """The value, by the reference evaluator.

        Raises NameResolutionError and ShapeError where the values do not fit the inputs.
        """
        arrays, sizes = bind_values(self, values)
        return evaluated(self.output, arrays, sizes, functions)

    def cut(self, name: str) -> Program:
        """The program with a named value in it taken for an input.

        Its value, where none is given, is still computed from the other inputs.
        """
        statements = self.typed.statements
        if any(isinstance(s, Repeat) and name in s.carried for s in statements):
            raise UnsupportedError(
                f"{name} has a value in each layer of a loop; differentiate by one outside it"
            )
        found = next(s for s in statements if isinstance(s, Assignment) and s.name == name)
        made = Input(found.expression.shape, frozenset(), True, None, name)
        rest = tuple(s for s in self.typed.statements if s is not found)
        output = self.typed.output
        if output is found.expression:  # the last statement gives the value this name
            output = replace(output, op="name", value=name, args=())
        inputs = {**self.inputs, name: made}
        typed = replace(self.typed, statements=rest, inputs=inputs, output=output)
        program = Program(typed)
        program.spare = self.spare
        at = self.typed.statements.index(found)
        before = self.typed.statements[:at]
        above = Program(replace(self.typed, statements=before, output=found.expression))
        program.computed = {**self.computed, name: above}
        return program

    def names_of(self, wrt: str | Sequence[str]) -> list[str]:
        """The inputs or named values that a user means by one name or several."""
        if isinstance(wrt, str) or is_sympy(wrt):
            return [self.name_of(str(wrt))]
        if not isinstance(wrt, Sequence):
            raise NameResolutionError(f"wrt is a name or a list of names, not {type(wrt).__name__}")
        return [self.name_of(str(name) if is_sympy(name) else name) for name in wrt]

    @cached_property
    def _assigned(self) -> frozenset[str]:
        """The names of the values that the program computes."""
        return frozenset(s.name for s in self.typed.statements if isinstance(s, Assignment))

    def name_of(self, text: str) -> str:
        """The input, or the named value, that a user means by `text`."""
        if not isinstance(text, str):
            raise NameResolutionError(f"a name is text, not {type(text).__name__}")
        name = canonical_name(text)
        if "\\" in text and name not in self.inputs:
            name = self._in_latex(text) or name
        if name not in self.inputs and name not in self._assigned:
            raise NameResolutionError(
                f"{text!r} does not occur in the program; its inputs are {', '.join(self.inputs)}"
                f"{near(text, self.inputs)}"
                if self.inputs
                else f"{text!r} does not occur in the program, which has no inputs"
            )
        return name

    @staticmethod
    def _in_latex(text: str) -> str | None:
        r"""The name that a text is in LaTeX: w of \mathbf{w}."""
        try:
            output = Program.read(text).typed.output
        except MatderivError:
            return None
        return output.value if output.op == "input" else None

    @cached_property
    def presentation(self) -> Presentation:
        """The value as it was read, and the lines below it."""
        from matderiv.notation import present

        return present(self.output, row=self._lowered.row)

    @limited
    def __str__(self) -> str:
        return self.presentation.text("unicode")

    def __repr__(self) -> str:
        return f"<Program of {', '.join(self.inputs)}, its value of shape {shape_text(self.shape)}>"

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.presentation.text('latex')}$"


def bind_values(
    program: Program, values: Mapping[str, Any]
) -> tuple[dict[str, Array], dict[str, int]]:
    """Arrays and sizes; a dimension name may be given a number as an input is."""
    named = {canonical_name(name): value for name, value in by_name(values).items()}
    for name, above in program.computed.items():
        if name not in named:
            named[name] = above.evaluate(named)
    spare = {name: entry for name, entry in program.spare.items() if name in named}
    arrays, sizes = bind({**program.inputs, **spare}, named, program.dimensions)
    missing = program.dimensions - sizes.keys()
    if missing:
        raise NameResolutionError(f"no value is given for the size {min(missing)}")
    return arrays, sizes


def evaluated(
    node: Node,
    arrays: Mapping[str, Array],
    sizes: Mapping[str, int],
    functions: Mapping[object, Callable[..., Any]] | None,
) -> Array:
    for dim, stop in slices([node]):
        if dim_value(dim, sizes) < stop:
            raise ShapeError(
                f"the index {stop - 1} is out of range: {dim_text(dim)} is {dim_value(dim, sizes)}"
            )
    try:
        return evaluate_named([node], arrays, sizes, functions)[0]
    except np.linalg.LinAlgError as error:
        raise DomainError(f"no value at this point: {error}".lower()) from None
    except (MemoryError, OverflowError) as error:
        raise DomainError(f"the arrays are too large: {error}".lower()) from None


@dataclass(frozen=True)
class Spare:
    """What is known of a name that was declared but does not occur."""

    shape: Shape
    attributes: frozenset[str] = frozenset()


def _nearby(attributes: frozenset[str]) -> frozenset[str]:
    return frozenset({"definite"} if "posdef" in attributes else ())


def taken_names(program: Program) -> set[str]:
    """The names that a printed formula must not give to something else."""
    names = set(program.inputs) | set(program.typed.functions)
    for entry in program.inputs.values():
        names |= {dim for dim in entry.shape if isinstance(dim, str)}
    return names


def structured_variables(
    program: Program, plain: Mapping[str, Variable], arena: Arena
) -> dict[int, Node]:
    """What stands in the place of the plain variables once all derivatives are taken."""
    return {
        variable.id: arena.variable(name, variable.shape, program.inputs[name].attributes)
        for name, variable in plain.items()
        if program.inputs[name].attributes
    }
