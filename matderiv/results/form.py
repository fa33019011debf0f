"""A derivative as a map: a formula in the inputs and in seeds, which stand for directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from matderiv.errors import NameResolutionError, ShapeError, one_of
from matderiv.limits import limited
from matderiv.source import Program, bind_values, evaluated, taken_names
from matderiv.tensor.dims import Shape, dim_value, shape_text
from matderiv.tensor.nodes import Node
from matderiv.values import Array, by_name, real_array

if TYPE_CHECKING:
    from matderiv.notation import Presentation

__all__ = ["DIALECTS", "Form"]

DIALECTS = ("unicode", "ascii", "latex", "mathml")


class Form:
    """A derivative as a linear (or higher) map: a formula in the inputs and in seeds.

    `seeds` gives the names and shapes of the seeds; `evaluate` takes their values along
    with those of the inputs.
    """

    def __init__(
        self,
        program: Program,
        node: Node,
        seeds: Mapping[str, Shape],
        head: str,
        presentation: Presentation | None = None,
        note: str = "",
    ) -> None:
        self.program = program
        self.node = node
        self.seeds = dict(seeds)
        self.head = head
        self.shape = node.shape
        self.note = note
        self._presentation = presentation

    @property
    def presentation(self) -> Presentation:
        from matderiv.notation import present

        taken = taken_names(self.program) | set(self.seeds)
        return self._presentation or present(self.node, taken=taken)

    @limited
    def to(self, format: str = "unicode") -> Any:
        """As "unicode", "ascii", "latex", "mathml", or a "sympy" expression."""
        one_of(format, (*DIALECTS, "sympy"), "format")
        if format == "sympy":
            return self.program.reread(self.to("ascii"), self.seeds).to_sympy()
        return self.presentation.text(format)

    @limited
    def evaluate(
        self,
        values: Mapping[str, Any],
        functions: Mapping[object, Callable[..., Any]] | None = None,
    ) -> Array:
        """A dense array for values of the inputs and of the seeds."""
        values = by_name(values)
        inner = {name: value for name, value in values.items() if name not in self.seeds}
        arrays, sizes = bind_values(self.program, inner)
        for name, shape in self.seeds.items():
            if name not in values:
                raise NameResolutionError(f"no value is given for the seed {name}")
            arrays[name] = real_array(name, values[name])
            expected = tuple(dim_value(dim, sizes) for dim in shape)
            if arrays[name].shape != expected:
                raise ShapeError(f"{name} must have shape {expected}, not {arrays[name].shape}")
        return evaluated(self.node, arrays, sizes, functions)

    def __str__(self) -> str:
        link = " " if self.head.endswith("↦") else " = "
        return f"{self.head}{link}{self.to('unicode')}{self.note and chr(10)}{self.note}"

    def __repr__(self) -> str:
        return f"<Form {self.head.removesuffix(' ↦')} of shape {shape_text(self.shape)}>"

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.to('latex')}$"
