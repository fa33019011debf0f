"""Formulas as MathML, one `math` element a row."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from matderiv.errors import UnsupportedError
from matderiv.notation import JointPresentation, Presentation, present_entries
from matderiv.notation.dialects import Dialect, dialect
from matderiv.notation.names import mathml_name
from matderiv.notation.render import Equation, render, render_lines
from matderiv.results import Derivative, Form, together
from matderiv.source import Program, taken_names
from matderiv.steps import Step
from matderiv.steps.laws import Law
from matderiv.tensor.dims import shape_text

__all__ = ["Row", "copy", "derivatives", "head", "notes", "sections", "value"]
_SUBSCRIPT_RAISED = re.compile(
    "<msup><msub>(<mi>[^<]*</mi>)(<m[in]>[^<]*</m[in]>)</msub>(<m(?:o|row)>(?:(?!<m?sup).)*?)</msup>"
)

# "math" is the element; "where" says that it names a part of the rows before.
Row = dict[str, str | bool]

_DOCUMENT = "<math xmlns='http://www.w3.org/1998/Math/MathML' display='block'>{x}</math>"
_EQUALS, _MAPS_TO = "<mo>=</mo>", "<mo>↦</mo>"


def value(program: Program) -> list[Row]:
    """f = …, and below it the lines that name its parts."""
    return _rows(program.presentation.joint, ["<mi>f</mi>"])


def derivatives(found: Sequence[Derivative], form: str) -> list[Row]:
    """A row for each derivative, then the lines that they share."""
    if form == "index":
        return [row for d in found for row in _rows(_entries(d).joint, [head(d)])]
    if form != "formula":
        return [row for d in found for row in _map_rows(_map(d, form))]
    maps = [d.differential() for d in found if len(d.shape) > 2]
    rows = [row for each in maps for row in _map_rows(each)]
    used = {name for each in maps for name in each.presentation.joint.names.values()}
    for group, joint in together(found, head, used):
        rows += _rows(joint, [head(d) for d in group])
    return rows


def notes(found: Sequence[Derivative], form: str) -> list[str]:
    """What has to be said of a form besides its formula."""
    if form in ("formula", "index"):
        return []
    return list(dict.fromkeys(note for d in found if (note := _map(d, form).note.strip())))


def copy(derivative: Derivative, form: str, format: str) -> str:
    """The same as text to copy."""
    if form == "formula":
        return str(derivative.to(format))
    if form == "index":
        if format == "ascii":
            raise UnsupportedError("entries have no ascii form")
        return _entries(derivative).text(format)
    return str(_map(derivative, form).to(format))


def head(derivative: Derivative) -> str:
    """∂f/∂w, ∂²f/∂w², ∂²f/∂x ∂y, without a `math` element around it."""
    names = derivative.wrt if isinstance(derivative.wrt, tuple) else (derivative.wrt,)
    times = f"<mn>{len(names)}</mn>" if len(names) > 1 else ""
    above = f"<msup><mo>∂</mo>{times}</msup>" if times else "<mo>∂</mo>"
    if times and len(set(names)) == 1:
        below = f"<mo>∂</mo><msup>{mathml_name(names[0])}{times}</msup>"
    else:
        below = "".join(f"<mo>∂</mo>{mathml_name(name)}" for name in names)
    return f"<mfrac><mrow>{above}<mi>f</mi></mrow><mrow>{below}</mrow></mfrac>"


def sections(steps: Iterable[Step]) -> list[dict[str, Any]]:
    """The steps of a derivation by section; a law says its equation where it is new."""
    found: list[dict[str, Any]] = []
    cited: set[Law] = set()
    for step in steps:
        if not found or found[-1]["title"] != step.section:
            found.append({"title": step.section, "steps": []})
        equations = [step.statement("mathml")]
        if step.entries is not None:
            equations.append(step.by_entries("mathml"))
        laws = [
            {"name": law.title(), "math": _law(law) if law not in cited else ""}
            for law in step.laws
        ]
        cited.update(step.laws)
        found[-1]["steps"].append(
            {
                "math": [_element(text) for text in equations],
                "shape": shape_text(step.shape),
                "flops": step.flops_text(),
                "laws": laws,
            }
        )
    return found


def _law(law: Law) -> str:
    if law.left is None or law.right is None:
        return ""
    sides = (render(law.left, "mathml"), render(law.right, "mathml"))
    return _element(_EQUALS.join(sides))


def _element(text: str) -> str:
    return _raised(_DOCUMENT.format(x=text))


def _raised(text: str) -> str:
    """One element with both, or the superscript stands to the right of the subscript."""
    return _SUBSCRIPT_RAISED.sub(r"<msubsup>\1\2\3</msubsup>", text)


def _map(derivative: Derivative, form: str) -> Form:
    made: Form = getattr(derivative, form)()
    return made


def _map_rows(form: Form) -> list[Row]:
    name = form.head.removesuffix(" ↦")
    power = re.fullmatch("d([²³⁴⁵⁶])Y", name)
    if power:
        degree = unicodedata.digit(power[1])
        left = f'<msup><mi mathvariant="normal">d</mi><mn>{degree}</mn></msup><mi>Y</mi>'
    else:
        left = mathml_name(name) if name.isalnum() else f"<mtext>{name}</mtext>"
    return _rows(form.presentation.joint, [left], _MAPS_TO if "↦" in form.head else _EQUALS)


def _entries(derivative: Derivative) -> Presentation:
    return present_entries(derivative.node, taken=taken_names(derivative.program))


def _rows(joint: JointPresentation, heads: Sequence[str], link: str = _EQUALS) -> list[Row]:
    rows: list[Row] = []
    for left, line in zip(heads, joint.lines, strict=True):
        equation = line.equation(by_entries=True)._replace(name="")
        # Entries are those of the head: it takes the place that names have in other lines.
        unnamed = f"<mrow><mo>[</mo>{left}<mo>]</mo></mrow>"
        table = replace(_table(joint), unnamed=unnamed, equals=link)
        if not equation.indices:
            table = replace(table, document=_DOCUMENT.format(x=f"{left}{link}{{x}}"))
        rows.append(_row(joint, equation, table))
    where = [_row(joint, line.equation(by_entries=True), _table(joint)) for line in joint.where]
    return rows + [row | {"where": True} for row in where]


def _row(joint: JointPresentation, equation: Equation, table: Dialect) -> Row:
    text = render_lines([equation], [], table, joint.names, {})
    return {"math": _raised(text), "where": False}


def _table(joint: JointPresentation) -> Dialect:
    return replace(dialect("mathml", joint.taken), document=_DOCUMENT)
