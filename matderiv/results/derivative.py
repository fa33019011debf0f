"""One derivative in a layout: printed, evaluated, checked, differentiated again."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from matderiv.calculus.derive import MODES, derive_raw
from matderiv.calculus.diagonal import diagonal_labels, tied
from matderiv.calculus.layout import (
    LAYOUTS,
    arrange,
    diagonal_rule,
    index_rule,
    is_row,
    layout_axes,
)
from matderiv.calculus.simplify import simplify
from matderiv.calculus.structure import structure_of
from matderiv.check import CheckReport, check_nodes
from matderiv.errors import MatderivError, UnsupportedError, one_of
from matderiv.limits import limited
from matderiv.results.family import Family, family_of
from matderiv.results.form import DIALECTS, Form
from matderiv.results.maps import differential_of, hessian_product_of, pullback_of, vec_of
from matderiv.source import Program, bind_values, evaluated, taken_names
from matderiv.tensor.dims import shape_text
from matderiv.tensor.elementwise import Elementwise
from matderiv.tensor.nodes import Apply, Loop, Map
from matderiv.tensor.primitives import Primitive
from matderiv.tensor.traverse import reachable
from matderiv.values import Array

if TYPE_CHECKING:
    from matderiv.notation import Presentation
    from matderiv.program.compiled import CompiledFunction
    from matderiv.program.cost import Cost
    from matderiv.steps import Steps

__all__ = ["Derivative", "differentiate"]

_FORMATS = (*DIALECTS, "index", "json", "numpy", "sympy")


class Derivative:
    """∂Y/∂X in a layout: printed, evaluated, checked.

    shape    sizes of its axes in the layout
    layout   "mixed", "numerator" or "denominator"
    wrt      the variable, or the tuple of variables for a higher order
    order    how often the value was differentiated
    diagonal whether it is the diagonal alone, laid out as a gradient by its variable
    """

    def __init__(
        self,
        family: Family,
        wrt: tuple[str, ...],
        layout: str,
        mode: str,
        structured: bool = False,
        diagonal: bool = False,
    ) -> None:
        self._family = family
        self.diagonal = diagonal
        self.structured = structured
        self._names = wrt
        self.layout = layout
        self.mode = mode
        self.order = len(wrt)
        self.program = family.program
        self._mixed = family.nodes[wrt[0]]
        value_order, mixed = family.value.order, self._mixed
        if diagonal:
            value_order, mixed = 0, simplify([tied(mixed, self._labels)])[0]
        arranged = arrange(mixed, layout, value_order)
        self.node = mixed if arranged is mixed else simplify([arranged])[0]
        self.shape = tuple(dim if isinstance(dim, int) else str(dim) for dim in self.node.shape)
        self.is_row = is_row(layout, value_order, self.node.order, family.row and not diagonal)

    @property
    def wrt(self) -> str | tuple[str, ...]:
        return self._names[0] if self.order == 1 else self._names

    @property
    def _labels(self) -> tuple[int, ...]:
        """The labels of the axes of the whole derivative on its diagonal."""
        family = self._family
        return diagonal_labels(family.value.shape, [family.plain[n].shape for n in self._names])

    @property
    def index_rule(self) -> str:
        """Which entry stands where, for results with more than one axis."""
        inputs = self.program.inputs
        wrt = [(name, len(inputs[name].shape)) for name in self._names]
        if self.diagonal:
            return diagonal_rule(self.layout, len(self.program.shape), wrt)
        return index_rule(self.layout, len(self.program.shape), wrt)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know: how the text was read, what is taken at kinks, …"""
        found: dict[str, None] = dict.fromkeys(self.program.notes)
        moved = 0
        for name in self._names:
            moved |= self._family.plain[name].depends
        for node in reachable([self._family.value]):
            if isinstance(node, Map | Apply) and node.depends & moved:
                function = node.function if isinstance(node, Map) else node.primitive
                if isinstance(function, Elementwise | Primitive) and function.kink:
                    found[f"{function.name}: {function.kink}"] = None
        for name in dict.fromkeys(self._names):
            marks = self.program.inputs[name].attributes
            if structure_of(marks) and not self.structured:
                found[f"the entries of {name} are taken as free; --structured keeps them"] = None
        return tuple(found)

    # ---- numbers -------------------------------------------------------------------

    @limited
    def evaluate(
        self,
        values: Mapping[str, Any],
        functions: Mapping[object, Callable[..., Any]] | None = None,
    ) -> Array:
        """A dense array in the layout asked for."""
        arrays, sizes = bind_values(self.program, values)
        return evaluated(self.node, arrays, sizes, functions)

    @limited
    def check(self, seed: int = 0) -> CheckReport:
        """Compare with finite differences at random points; see `matderiv.check`.

        Raises DomainError where no point is found at which the derivative is finite.
        """
        if not isinstance(seed, int) or seed < 0:
            raise MatderivError(f"a seed is an integer from 0, not {seed!r}")
        lower_order = self._family.value
        for name in self._names[:-1]:
            lower_order = derive_raw(lower_order, [self._family.plain[name]])[0]
        value_order = 0 if self.diagonal else self._family.value.order
        axes = layout_axes(self.layout, value_order, self.node.order)
        inverse = sorted(range(len(axes)), key=axes.__getitem__)
        mixed = self.node.arena.transpose(self.node, inverse)
        return check_nodes(
            lower_order,
            self._names[-1],
            self._mixed if self.diagonal else mixed,
            self.program.inputs,
            seed=seed,
            structured=self.structured,
            diagonal=(mixed, self._labels) if self.diagonal else None,
        )

    # ---- text ----------------------------------------------------------------------

    @cached_property
    def presentation(self) -> Presentation:
        from matderiv.notation import present

        return present(self.node, row=self.is_row, taken=taken_names(self.program))

    @limited
    def to(self, format: str = "unicode") -> Any:
        """The derivative as "unicode", "ascii", "latex", "mathml", "index", "json", "numpy",
        or "sympy", a SymPy expression.

        Of a result of order ≤ 2 the ascii form is valid input again and evaluates to the
        same array.  A result of higher order is given by its differential, and below it
        by its entries ("index" gives these alone).
        """
        one_of(format, _FORMATS, "format")
        if format == "json":
            return json.dumps(self._json(), ensure_ascii=False)
        if format == "sympy":
            if self.node.order > 2:
                raise UnsupportedError(
                    f"SymPy holds no symbolic value of {self.node.order} axes",
                    hint='.vec().to("sympy"), or .differential().to("sympy")',
                )
            if any(isinstance(node, Loop) for node in reachable([self.node])):
                raise UnsupportedError("SymPy holds no value that is computed in a loop")
            return self.program.reread(self.to("ascii")).to_sympy()
        if format == "numpy":
            return self._compiled().source
        from matderiv.notation import present, present_entries

        if format == "index":
            return present_entries(self.node, taken=taken_names(self.program)).text()
        by_layer = bool(self.presentation.line.layer)
        if self.node.order <= 2 or self.diagonal or format == "mathml" or by_layer:
            return self.presentation.text(format)
        differential = self.differential()
        # Both have lines that name their parts: no name may stand for two values.
        used = {*taken_names(self.program), *differential.presentation.joint.names.values()}
        entries = present(self.node, row=self.is_row, taken=used).text(format)
        if format == "latex":
            raised = f"^{{{self.order}}}" if self.order > 1 else ""
            first = rf"\mathrm{{d}}{raised}Y = {differential.to(format)}"
            return rf"\begin{{gathered}} {first} \\ {entries} \end{{gathered}}"
        head = differential.head
        if format == "ascii" and self.order > 1:
            head = f"d{self.order}Y"
        return f"{head} = {differential.to(format)}\n{entries}"

    def _json(self) -> dict[str, Any]:
        return {
            "wrt": list(self._names),
            "order": self.order,
            "layout": self.layout,
            "diagonal": self.diagonal,
            "shape": [str(dim) for dim in self.shape],
            "inputs": {
                name: [str(dim) for dim in entry.shape]
                for name, entry in self.program.inputs.items()
            },
            "ascii": self.to("ascii"),
            "unicode": self.to("unicode"),
            "latex": self.to("latex"),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        return str(self.to("unicode"))

    def __repr__(self) -> str:
        return f"<Derivative by {' then '.join(self._names)} of shape {shape_text(self.shape)}>"

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.to('latex')}$"

    # ---- linear maps ---------------------------------------------------------------

    @limited
    def differential(self) -> Form:
        """dY in terms of dX (of order 2: d²Y, the same dX twice), in matrix notation.

        >>> import matderiv as md
        >>> print(md.diff("X^-1", "X").differential().to("ascii"))
        -X^-1 dX X^-1
        """
        return differential_of(self._whole("the differential"), self._names)

    jvp = differential

    @limited
    def vjp(self) -> Form:
        """X̄ in terms of a cotangent G of the value: <G, dY> = <X̄, dX>."""
        return pullback_of(self._whole("a vector-Jacobian product"), self._names)

    @limited
    def hvp(self) -> Form:
        """H V for the Hessian H of a scalar value, without forming H."""
        return hessian_product_of(self._whole("a Hessian-vector product"), self._names)

    @limited
    def vec(self) -> Form:
        """∂vec(Y)/∂vec(X)ᵀ, columns stacked, in Kronecker products; a matrix in any layout.

        For a higher order Y is the derivative by all variables but the last.

        >>> import matderiv as md
        >>> print(md.diff("A X B where A: (2, 3), B: (4, 5)", "X").vec())
        ∂vec(Y)/∂vec(X)ᵀ = Bᵀ ⊗ A
          columns stacked: entry [i + 2 j, k + 3 l] is ∂Y[i,j]/∂X[k,l]
        """
        return vec_of(self._whole("the vec form"), self._names)

    def _whole(self, what: str) -> Family:
        """The family, of which a map needs all entries."""
        if self.diagonal:
            raise UnsupportedError(f"{what} is of the whole derivative: leave out diagonal")
        return self._family

    # ---- more ----------------------------------------------------------------------

    @limited
    def diff(self, wrt: str) -> Derivative:
        """The derivative of this derivative by a variable: a mixed partial."""
        self._whole("a further derivative")
        names = (*self._names, self.program.name_of(wrt))
        made = differentiate(self.program, [names], self.layout, self.mode, self.structured)
        return made[names[0]]

    @limited
    def cost(self) -> Cost:
        """FLOPs and memory of the value and this derivative."""
        from matderiv.generate import program_cost

        first, *then = self._names
        return program_cost(self.program, [first], then=then, diagonal=self.diagonal)

    def _compiled(self) -> CompiledFunction:
        """The NumPy module of the value and this derivative."""
        from matderiv.generate import compile_program

        first, *then = self._names
        return compile_program(
            self.program, [first], layout=self.layout, then=then, diagonal=self.diagonal
        )

    @limited
    def steps(self) -> Steps:
        """How the derivative comes about: see `matderiv.steps`."""
        from matderiv.steps import Steps

        self._whole("a derivation in steps")
        return Steps([self])


def differentiate(
    program: Program,
    wrt: Sequence[tuple[str, ...]],
    layout: str,
    mode: str,
    structured: bool = False,
    diagonal: bool = False,
) -> dict[str, Derivative]:
    """Derivatives by several variables (each a tuple of names, one per order).

    `structured` projects onto the space of a variable's attribute (`calculus.structure`),
    `diagonal` gives the diagonals alone (`calculus.diagonal`).
    """
    one_of(layout, LAYOUTS, "layout")
    one_of(mode, MODES, "mode")
    if not isinstance(structured, bool):
        raise MatderivError(f"structured is True or False, not {reprlib.repr(structured)}")
    if not isinstance(diagonal, bool):
        raise MatderivError(f"diagonal is True or False, not {reprlib.repr(diagonal)}")
    if structured and diagonal:
        raise UnsupportedError("the diagonal is that of the free-entry derivative")
    for name in {name for names in wrt for name in names}:
        if name not in program.inputs:
            return _by_named_value(program, name, wrt, layout, mode, structured, diagonal)
    family = family_of(program, wrt, mode, structured)
    return {
        names[0]: Derivative(family, names, layout, mode, structured, diagonal) for names in wrt
    }


def _by_named_value(
    program: Program,
    name: str,
    wrt: Sequence[tuple[str, ...]],
    layout: str,
    mode: str,
    structured: bool,
    diagonal: bool,
) -> dict[str, Derivative]:
    """Derivatives by a value that the program computes: the program is cut there.

    Only the derivatives that ask for it see it as an input; the others go through it.
    """
    through = [names for names in wrt if name not in names]
    held = [names for names in wrt if name in names]
    made = differentiate(program.cut(name), held, layout, mode, structured, diagonal)
    if through:
        made |= differentiate(program, through, layout, mode, structured, diagonal)
    return {names[0]: made[names[0]] for names in wrt}
