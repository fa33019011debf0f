"""Formulas as MathML, one `math` element a line."""

from __future__ import annotations

from collections.abc import Sequence

from matderiv.cli import index_rule
from matderiv.notation import JointPresentation, present, present_entries, present_joint
from matderiv.notation.dialects import dialect
from matderiv.notation.presentation import Line
from matderiv.notation.render import render_lines
from matderiv.results import Derivative, Form, Program, taken_names

__all__ = ["copy", "derivatives", "head", "index_rule", "value"]

Row = dict[str, str]


def value(program: Program) -> list[Row]:
    """The value as it was read, and below it the lines that it needs."""
    return _rows(present(program.output, row=program.is_row).joint, ["f"])


def derivatives(found: Sequence[Derivative], form: str) -> list[Row]:
    """One row for each derivative, then the lines that they share."""
    if form == "index":
        return [row for d in found for row in _rows(_entries(d), [head(d)])]
    if form != "formula":
        maps = [_map(d, form) for d in found]
        return [row for made in maps for row in _rows(made.presentation.joint, [_text(made.head)])]
    high = [d for d in found if len(d.shape) > 2]
    rows = [
        row
        for d in high
        for form in (d.differential(),)
        for row in _rows(form.presentation.joint, [_text(form.head)])
    ]
    joint = present_joint(
        {str(number): d.node for number, d in enumerate(found)},
        rows=[str(number) for number, d in enumerate(found) if d.is_row],
        taken=taken_names(found[0].program),
    )
    return rows + _rows(joint, [head(d) for d in found])


def copy(derivative: Derivative, form: str, format: str) -> str:
    """The same as text to copy."""
    if form == "formula":
        return str(derivative.to(format))
    if form == "index":
        return _entries(derivative).text("unicode" if format == "ascii" else format)
    return _map(derivative, form).to(format)


def head(derivative: Derivative) -> str:
    """∂f/∂w, ∂²f/∂w², ∂²f/∂x ∂y."""
    names = derivative.wrt if isinstance(derivative.wrt, tuple) else (derivative.wrt,)
    power = f"<mn>{len(names)}</mn>" if len(names) > 1 else ""
    above = f"<msup><mo>∂</mo>{power}</msup>" if power else "<mo>∂</mo>"
    symbol = dialect("mathml").symbol
    if len(names) > 1 and len(set(names)) == 1:
        below = f"<mo>∂</mo><msup>{symbol(names[0])}{power}</msup>"
    else:
        below = "".join(f"<mo>∂</mo>{symbol(name)}" for name in names)
    return f"<mfrac><mrow>{above}<mi>f</mi></mrow><mrow>{below}</mrow></mfrac>"


def _map(derivative: Derivative, form: str) -> Form:
    made: Form = getattr(derivative, form)()
    return made


def _entries(derivative: Derivative) -> JointPresentation:
    return present_entries(derivative.node, taken=taken_names(derivative.program)).joint


def _text(head: str) -> str:
    return f"<mtext>{head.removesuffix(' ↦')}</mtext>" + ("<mo>↦</mo>" if "↦" in head else "")


def _rows(joint: JointPresentation, heads: Sequence[str]) -> list[Row]:
    rows = [
        {"head": head, "math": _math(joint, line, named=False)}
        for head, line in zip(heads, joint.lines, strict=True)
    ]
    return rows + [{"head": "", "math": _math(joint, line)} for line in joint.where]


def _math(joint: JointPresentation, line: Line, named: bool = True) -> str:
    name, indices, term = line.equation(by_entries=True)
    equation = (name if named else "", indices, term)
    return render_lines([equation], [], dialect("mathml", joint.taken), joint.names, {})
