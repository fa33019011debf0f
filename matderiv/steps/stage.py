"""The stages of a derivation: one for each order, each with a page of its own.

A second derivative is the derivative of the first: the first is found, called g, and
differentiated again.  A gradient inside a structured space is the free-entry one, projected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from matderiv.calculus.derivative import forward
from matderiv.calculus.layout import arrange
from matderiv.calculus.simplify import simplify
from matderiv.calculus.structure import project, structure_of
from matderiv.errors import UnsupportedError
from matderiv.notation import present, render
from matderiv.notation.terms import Symbol, Term
from matderiv.steps import laws
from matderiv.steps.backpropagation import backpropagation
from matderiv.steps.decompose import fresh_name
from matderiv.steps.derivation import Derivation
from matderiv.steps.differentials import differential
from matderiv.steps.laws import partial
from matderiv.steps.page import Page
from matderiv.steps.step import Step

if TYPE_CHECKING:
    from matderiv.results import Derivative, Program

__all__ = ["STYLES", "TOLERANCE", "Stage", "stages"]

STYLES = {"backpropagation": backpropagation, "differential": differential}
"""The style -> the steps of a derivation in it."""

_ORDINALS = ("First", "Second", "Third", "Fourth", "Fifth", "Sixth")
TOLERANCE = 1e-8
_POINTS = 6


@dataclass
class Stage:
    """A derivation and the steps that close it; `heading` where there are several."""

    page: Page
    derivation: Derivation
    labels: Sequence[Term]
    heading: str = ""
    closing: list[Step] = field(default_factory=list)
    made: dict[str, tuple[Step, ...]] = field(default_factory=dict)

    def of(self, style: str) -> tuple[Step, ...]:
        if style not in self.made:
            found = [*STYLES[style](self.derivation), *self.closing]
            if self.heading:
                found = [replace(s, section=f"{self.heading}: {_lower(s.section)}") for s in found]
            self.made[style] = tuple(found)
        return self.made[style]

    def error(self, seed: int) -> float | None:
        """The largest error of all equations of both styles, at the best of a few points.

        Where both sides do not agree at a point, a matrix there may be all but singular: a
        step that is wrong is wrong at the next points too.  None where no point is finite.
        """
        steps = [step for style in STYLES for step in self.of(style)]
        best: float | None = None
        for numbers in islice(self.page.numbers(seed), _POINTS):
            error = max(step.error(numbers) for step in steps)
            best = error if best is None else min(best, error)
            if best <= TOLERANCE:
                break
        return best


def _lower(section: str) -> str:
    return section[0].lower() + section[1:]


def stages(derivatives: Iterable[Derivative]) -> list[Stage]:
    """The derivations of derivatives of one order; those of one program share a page."""
    groups: dict[int, list[Derivative]] = {}
    found = []
    for derivative in derivatives:
        if derivative.order > 1:
            found += _repeated(derivative)
        else:
            groups.setdefault(id(derivative.program), []).append(derivative)
    return found + [_single(group) for group in groups.values()]


# ---- order 1 ---------------------------------------------------------------------------
def _single(derivatives: Sequence[Derivative]) -> Stage:
    program, layout = derivatives[0].program, derivatives[0].layout
    names = [str(derivative.wrt) for derivative in derivatives]
    page = Page(program, names)
    # Derivatives found together name what they share; here each stands for itself.
    alone = len(derivatives) == 1 and not derivatives[0].structured
    free = {n: derivatives[0] if alone else _first(program, n, layout) for n in names}
    derivation = Derivation(page, free)
    closing = [_projected(d, derivation) for d in derivatives if d.structured]
    return Stage(page, derivation, [partial(page.root.name, n, 1) for n in names], closing=closing)


def _first(program: Program, name: str, layout: str) -> Derivative:
    from matderiv.results import differentiate

    return differentiate(program, [(name,)], layout, "auto")[name]


def _projected(derivative: Derivative, d: Derivation) -> Step:
    """The free-entry gradient projected onto the space that the attribute declares."""
    part = next(part for part in d.page.wrt if part.name == derivative.wrt)
    attributes = derivative.program.inputs[part.name].attributes
    structure = structure_of(attributes) or ""
    order = d.page.root.symbol.order
    left = project(d.page.derivative(part), order, part.symbol, attributes)
    return d.step(
        f"Inside the space of {structure} matrices",
        laws.projected(partial(d.page.root.name, part.name, derivative.node.order)),
        arrange(left, derivative.layout, order),
        derivative.node,
        laws.projection(structure),
        row=derivative.is_row,
        shown=derivative.presentation,
    )


# ---- higher orders ---------------------------------------------------------------------
def _repeated(derivative: Derivative) -> list[Stage]:
    """A stage for each variable: the derivative by the first is the value of the next."""
    if derivative.structured:
        raise UnsupportedError("a derivation of higher order is of the free-entry derivative")
    names = derivative.wrt
    program = derivative.program
    page = original = Page(program, names[:1])
    meaning, order = page.full[page.root], page.root.symbol.order
    found: list[Stage] = []
    for place, name in enumerate(names):
        label = partial(original.root.name, names[: place + 1], 2)
        if name in program.inputs:  # else the derivative before does not depend on it
            first = _first(program, name, "mixed")
            meant = (found[-1].labels[0], meaning) if found else None
            if found:
                page = Page(program, [name], before=page)
            derivation = Derivation(page, {name: first}, meant)
            found.append(Stage(page, derivation, [label], f"{_ORDINALS[place]} derivative"))
            if place + 1 < len(names):
                program = _as_program(first, derivation)
        meaning = simplify(forward(meaning, [original.inputs[name]]), short=False)[0]
    closing = found[-1].derivation.step(
        "Result",
        label,
        arrange(meaning, derivative.layout, order),
        derivative.node,
        laws.repeated(derivative.layout),
        row=derivative.is_row,
        shown=derivative.presentation,
    )
    found[-1].closing.append(closing)
    return found


def _as_program(derivative: Derivative, d: Derivation) -> Program:
    """The program whose value is a derivative, in the names of the page before it."""
    page = d.page
    if len(derivative.shape) > 2:
        raise UnsupportedError(
            f"steps to the next derivative would begin at ∂{page.root.name}/∂{derivative.wrt}, "
            f"which has {len(derivative.shape)} axes"
        )
    named = {name.name: present(name.definition, taken=page.taken) for name in d.constants}
    named |= {part.name: present(part.definition, taken=page.taken) for part in page.parts[:-1]}
    letters = "gGhH" if len(derivative.shape) < 2 else "GHJK"
    named[fresh_name(letters, page.taken)] = derivative.presentation
    lines = [f"{function}: {kind}" for function, kind in _kinds(derivative.program).items()]
    for name, shown in named.items():
        names = dict(shown.joint.names)
        for line in shown.joint.where:
            if names.get(line.name, line.name) not in named:  # the engine's, for this formula
                names[line.name] = fresh_name("CDMP" if line.term.order > 1 else "cpqr", page.taken)
                lines.append(_definition(names[line.name], line.term, names))
        lines.append(_definition(name, shown.line.term, names))
    return derivative.program.reread("\n".join(lines))


def _definition(name: str, term: Term, names: Mapping[str, str]) -> str:
    return f"{render(Symbol(name, order=term.order), 'ascii')} = {render(term, 'ascii', names)}"


def _kinds(program: Program) -> dict[str, str]:
    return {
        name: "scalar function" if kind == "scalar" else kind
        for name, kind in program.typed.functions.items()
    }
