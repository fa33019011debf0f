"""What the public functions return: programs and their derivatives."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from matderiv.calculus.derive import MODES, derive, derive_raw
from matderiv.calculus.diagonal import diagonal_labels, tied
from matderiv.calculus.layout import (
    LAYOUTS,
    arrange,
    diagonal_rule,
    index_rule,
    is_row,
    layout_axes,
)
from matderiv.calculus.maps import adjoint, differential, hessian_map, seed
from matderiv.calculus.simplify import simplify, substitute
from matderiv.calculus.structure import project, structure_of
from matderiv.check import CheckReport, check_nodes
from matderiv.errors import (
    MatderivError,
    NameResolutionError,
    ShapeError,
    UnsupportedError,
    one_of,
)
from matderiv.limits import limited
from matderiv.source import (
    Program,
    bind_values,
    evaluated,
    structured_variables,
    taken_names,
)
from matderiv.tensor.arena import Arena
from matderiv.tensor.dims import Shape, dim_value
from matderiv.tensor.elementwise import Elementwise
from matderiv.tensor.nodes import Apply, Map, Node, Variable
from matderiv.tensor.primitives import Primitive
from matderiv.tensor.traverse import reachable
from matderiv.values import Array, by_name, real_array, shape_text, superscript

if TYPE_CHECKING:
    from matderiv.notation import Presentation
    from matderiv.program.compiled import CompiledFunction
    from matderiv.program.cost import Cost
    from matderiv.steps import Steps

_DIALECTS = ("unicode", "ascii", "latex", "mathml")
_FORMATS = (*_DIALECTS, "index", "json", "numpy", "sympy")

__all__ = ["Derivative", "Form", "Program", "differentiate"]


@dataclass(frozen=True)
class _Family:
    """Derivatives computed together: they share an arena and their intermediates."""

    program: Program
    value: Node  # the value as it was read, with plain variables
    plain: dict[str, Variable]
    nodes: dict[str, Node]  # mixed layout
    row: bool


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
        one_of(format, (*_DIALECTS, "sympy"), "format")
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

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.to('latex')}$"


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
        family: _Family,
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
        self.shape = self.node.shape
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
            head = differential.head.replace("d", r"\mathrm{d}")
            first = f"{head} = {differential.to(format)}"
            return rf"\begin{{gathered}} {first} \\ {entries} \end{{gathered}}"
        return f"{differential.head} = {differential.to(format)}\n{entries}"

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
        self._refuse_diagonal("the differential")
        family = self._family
        seeds = {name: seed(family.plain[name], f"d{name}") for name in self._names}
        node = differential(
            family.value, [(family.plain[name], seeds[name]) for name in self._names]
        )
        head = "dY" if self.order == 1 else f"d{superscript(self.order)}Y"
        return self._form(node, [seeds[name] for name in dict.fromkeys(self._names)], head)

    jvp = differential

    @limited
    def vjp(self) -> Form:
        """X̄ in terms of a cotangent G of the value: <G, dY> = <X̄, dX>."""
        self._refuse_diagonal("a vector-Jacobian product")
        if self.order != 1:
            raise UnsupportedError("a vector-Jacobian product is of a derivative of order 1")
        family = self._family
        name = next(n for n in ("G", "Y_bar", "G_1") if n not in taken_names(self.program))
        cotangent = seed(family.value, name)
        node = adjoint(family.value, family.plain[self._names[0]], cotangent)
        return self._form(node, [cotangent], f"{name} ↦")

    @limited
    def hvp(self) -> Form:
        """H V for the Hessian H of a scalar value, without forming H."""
        self._refuse_diagonal("a Hessian-vector product")
        if self._family.value.order or len(set(self._names)) != 1:
            raise UnsupportedError("a Hessian-vector product is of a scalar by one variable")
        variable = self._family.plain[self._names[0]]
        candidates = ("v", "V", "v_1") if variable.order < 2 else ("V", "V_1")
        name = next(n for n in candidates if n not in taken_names(self.program))
        direction = seed(variable, name)
        node = hessian_map(self._family.value, variable, direction)
        return self._form(node, [direction], f"{name} ↦")

    @limited
    def vec(self) -> Form:
        """∂vec(Y)/∂vec(X)ᵀ, columns stacked, in Kronecker products; a matrix in any layout.

        For a higher order Y is the derivative by all variables but the last.

        >>> import matderiv as md
        >>> print(md.diff("A X B where A: (2, 3), B: (4, 5)", "X").vec())
        ∂vec(Y)/∂vec(X)ᵀ = Bᵀ ⊗ A
          columns stacked: entry [i + 2 j, k + 3 l] is ∂Y[i,j]/∂X[k,l]
        """
        from matderiv.notation.vec import stack_columns, vec_form

        self._refuse_diagonal("the vec form")
        rows = self._mixed.order - self._family.plain[self._names[-1]].order
        form = vec_form(self._mixed, rows, self._names, taken=taken_names(self.program))
        matrix = stack_columns(self._mixed, rows)
        return Form(self.program, matrix, {}, form.head, form.presentation, form.note)

    def _refuse_diagonal(self, what: str) -> None:
        if self.diagonal:
            raise UnsupportedError(f"{what} is of the whole derivative: leave out diagonal")

    def _form(self, node: Node, seeds: Sequence[Variable], head: str) -> Form:
        structured = structured_variables(self.program, self._family.plain, node.arena)
        if structured:
            node = simplify(substitute([node], structured))[0]
        return Form(self.program, node, {s.name: s.shape for s in seeds}, head)

    # ---- more ----------------------------------------------------------------------

    @limited
    def diff(self, wrt: str) -> Derivative:
        """The derivative of this derivative by a variable: a mixed partial."""
        self._refuse_diagonal("a further derivative")
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

        self._refuse_diagonal("a derivation in steps")
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
        raise MatderivError(f"structured is True or False, not a {type(structured).__name__}")
    if not isinstance(diagonal, bool):
        raise MatderivError(f"diagonal is True or False, not a {type(diagonal).__name__}")
    if structured and diagonal:
        raise UnsupportedError("the diagonal is that of the free-entry derivative")
    for name in {name for names in wrt for name in names}:
        if name not in program.inputs:
            return _by_named_value(program, name, wrt, layout, mode, structured, diagonal)
    arena = Arena()
    plain_names = {name for names in wrt for name in names}
    lowered = program.lowered(arena, sorted(plain_names))
    variables = lowered.variables
    first = [names[0] for names in wrt]
    then = wrt[0][1:] if wrt else ()
    nodes = derive(
        lowered.root,
        [variables[name] for name in first],
        then=[variables[name] for name in then],
        mode=mode,
    )
    if structured:
        nodes = simplify(
            [
                _projected(program, node, lowered.root.order, names, variables)
                for node, names in zip(nodes, wrt, strict=True)
            ]
        )
    attributed = structured_variables(program, variables, arena)
    if attributed:
        nodes = simplify(substitute(nodes, attributed))
    family = _Family(
        program, lowered.root, variables, dict(zip(first, nodes, strict=True)), lowered.row
    )
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


def _projected(
    program: Program,
    node: Node,
    first: int,
    names: Sequence[str],
    variables: Mapping[str, Variable],
) -> Node:
    for name in names:
        node = project(node, first, variables[name], program.inputs[name].attributes)
        first += variables[name].order
    return node
