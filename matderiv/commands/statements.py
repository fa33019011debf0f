"""Derivatives as the terminal shows them: ∂/∂w f = …, shapes, and what was counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matderiv.calculus.layout import differential_quotient
from matderiv.tensor.dims import shape_text

if TYPE_CHECKING:
    from matderiv.results import Derivative, Program

__all__ = ["by", "diagonal_flops_line", "flops_line", "statements", "value_text"]


def by(derivative: Derivative) -> str:
    """The variables, as they stand after ∂."""
    wrt = derivative.wrt
    return wrt if isinstance(wrt, str) else "∂".join(wrt)


def statements(derivatives: Sequence[Derivative]) -> str:
    """∂/∂w f = formula for each, the lines that name their parts, shapes and index rules."""
    if len(derivatives) == 1 or any(len(d.shape) > 2 for d in derivatives):
        return "\n".join(f"{_statement(d)}\n{_shape_line(d)}" for d in derivatives)
    from matderiv.results import together

    texts = [joint.text("unicode") for _, joint in together(derivatives, _subject)]
    shapes = [f"{_head(d)}:{_shape_line(d)[1:]}" for d in derivatives]
    return "\n".join([*texts, *shapes])


def _statement(derivative: Derivative) -> str:
    by_entries = not derivative.presentation.is_matrix_form
    link = "\n" if len(derivative.shape) > 2 else "" if by_entries else " = "
    return f"{_subject(derivative)}{link}{derivative}"


def _subject(derivative: Derivative) -> str:
    """∂/∂w f, of which the entries may follow: (∂/∂w f)[i,j] = …"""
    text = f"{_head(derivative)} {value_text(derivative.program)}"
    by_entries = len(derivative.shape) < 3 and not derivative.presentation.is_matrix_form
    return f"({text})" if by_entries else text


def _shape_line(derivative: Derivative) -> str:
    return f"  shape {shape_text(derivative.shape)}{_index_rule(derivative)}"


def _head(derivative: Derivative) -> str:
    """∂/∂w, ∂²/∂w², ∂²/(∂x ∂y), diag ∂²/∂w²."""
    names = derivative.wrt if isinstance(derivative.wrt, tuple) else (derivative.wrt,)
    return f"{'diag ' if derivative.diagonal else ''}{differential_quotient(names)}"


def value_text(program: Program) -> str:
    """The value as the user wrote it where that is shorter, else as it is read; a sum in brackets.

    ∂/∂x (x' x + b' x) is the derivative of both terms.  A value that is read with parts of
    its own, T₀ = A X, has no lines here to say what they are: it is shown as it was written,
    and one in LaTeX as f.
    """
    from matderiv.notation.terms import Sum

    output, presentation = program.typed.output, program.presentation
    written = " ".join(program.source[slice(*output.span)].split())
    text, summed = str(program).partition("\n")[0], isinstance(presentation.headline, Sum)
    in_parts = any(line.name.startswith("#") for line in presentation.joint.where)
    if "\\" in program.source:
        return "f" if in_parts else f"({text})" if summed else text
    if in_parts or (written[0] != "(" and len(written) + 4 < len(text)):
        text, summed = written, output.op in ("add", "subtract") or written[0] == "-"
    return f"({text})" if summed else text


def _index_rule(derivative: Derivative) -> str:
    rule = derivative.index_rule
    return f", {derivative.layout} layout: {rule}" if rule else ""


def diagonal_flops_line(derivative: Derivative) -> str:
    from matderiv.generate import program_cost

    first, *then = derivative.wrt if isinstance(derivative.wrt, tuple) else (derivative.wrt,)
    alone, whole = (
        program_cost(derivative.program, [first], then=then, diagonal=diagonal).polynomials
        for diagonal in (True, False)
    )
    return f"FLOPs  diagonal {alone.derivative} · all entries {whole.derivative}"


def flops_line(program: Program, names: list[str]) -> str:
    from matderiv.generate import program_cost
    from matderiv.reports.flops import ratio_text

    counts = program_cost(program, names).polynomials
    ratio = ratio_text(counts.backward, counts.forward)
    return f"FLOPs  forward {counts.forward} · backward {counts.backward} · ratio {ratio}"
