r"""Tables of costs as text, Markdown, LaTeX, CSV.

A cell is text, code, a count or a fraction; each format writes it in its own way.

>>> from matderiv.program.polynomial import Polynomial
>>> table = Table(("step", "FLOPs"), [(Code("matmul(x, w1)"), 2 * Polynomial.of("B", "D", "D"))])
>>> print(render(table, "text"))
step           FLOPs
matmul(x, w1)  2 B D^2
>>> print(render(table, "csv"))
step,FLOPs
"matmul(x, w1)",2 B D^2
>>> "\\texttt{matmul(x, w1)} & $2 B D^{2}$" in " ".join(render(table, "latex").split())
True
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from matderiv.program.polynomial import Polynomial, monomials
from matderiv.tensor.dims import smaller_of

__all__ = [
    "TABLE_FORMATS",
    "Cell",
    "Code",
    "Share",
    "Table",
    "count_latex",
    "count_text",
    "render",
]

TABLE_FORMATS = ("text", "markdown", "latex", "csv")


class Code(str):
    """Text to be set as code."""

    __slots__ = ()


class Share(float):
    """A fraction of a whole."""

    __slots__ = ()


Cell = Code | Share | Polynomial | str | None


@dataclass(frozen=True)
class Table:
    """Rows under a head; `right` are the columns of numbers."""

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    right: frozenset[str] = frozenset()


def render(table: Table, format: str) -> str:
    """A table in one of `TABLE_FORMATS`."""
    if format == "csv":
        page = io.StringIO()
        writer = csv.writer(page, lineterminator="\n")
        writer.writerows([table.head, *([_plain(cell) for cell in row] for row in table.rows)])
        return page.getvalue().rstrip("\n")
    from tabulate import tabulate

    write = _WRITERS[format]
    styles = {"text": "plain", "markdown": "github", "latex": "latex_raw"}
    text = tabulate(
        [[write(cell) for cell in row] for row in table.rows],
        headers=list(table.head),
        tablefmt=styles[format],
        disable_numparse=True,
        colalign=["right" if name in table.right else "left" for name in table.head],
    )
    return "\n".join(line.rstrip() for line in text.splitlines())


def count_text(count: Polynomial) -> str:
    """A count as text; a number in groups of three digits.

    >>> count_text(Polynomial.of(64, 512)), count_text(Polynomial.of(64, "D"))
    ('32,768', '64 D')
    """
    constant = count.terms.get((), 0)
    if count.terms.keys() <= {()} and constant == int(constant):
        return f"{int(constant):,}"
    return str(count)


def _text(cell: Cell) -> str:
    if isinstance(cell, Share):
        return f"{float(cell):.1%}".replace("%", " %")
    return count_text(cell) if isinstance(cell, Polynomial) else cell or ""


def _plain(cell: Cell) -> str:
    """For machines: no groups of digits."""
    return f"{float(cell):.6g}" if isinstance(cell, Share) else str("" if cell is None else cell)


def _markdown(cell: Cell) -> str:
    text = _text(cell)
    return f"`{text}`" if isinstance(cell, Code) and text else text.replace("|", r"\|")


def _latex(cell: Cell) -> str:
    if isinstance(cell, Polynomial):
        return f"${count_latex(cell)}$"
    text = "".join(_ESCAPED.get(letter, letter) for letter in _text(cell))
    return rf"\texttt{{{text}}}" if isinstance(cell, Code) and text else text


_ESCAPED = {
    **{letter: f"\\{letter}" for letter in "#$%&_{}"},
    "\\": r"\textbackslash{}",
    "^": r"\^{}",
    "~": r"\~{}",
    "├": "--",
    "└": "--",
}
_WRITERS: dict[str, Callable[[Cell], str]] = {
    "text": _text,
    "markdown": _markdown,
    "latex": _latex,
}


def count_latex(count: Polynomial) -> str:
    """A count as LaTeX, for mathematics.

    >>> count_latex(2 * Polynomial.of("B", "D", "D"))
    '2 B D^{2}'
    >>> count_latex(Polynomial.of("n", "min(m, n)"))
    'n \\\\min(m, n)'
    """
    text = ""
    for coefficient, powers in monomials(count):
        sign = "-" if coefficient < 0 else "+" if text else ""
        size = abs(Fraction(coefficient))
        number = str(size)
        if size.denominator != 1:
            number = rf"\tfrac{{{size.numerator}}}{{{size.denominator}}}"
        names = [
            _size_latex(name) + (f"^{{{power}}}" if power > 1 else "")
            for name, power in powers.items()
        ]
        factors = names if names and size == 1 else [number, *names]
        text += f" {sign} " if text else sign
        text += " ".join(factors)
    return text or "0"


def _size_latex(name: str) -> str:
    from matderiv.notation.names import latex_name

    sides = smaller_of(name)
    if sides is None:
        return latex_name(name)
    return rf"\min({', '.join(count_latex(Polynomial.of(side)) for side in sides)})"
