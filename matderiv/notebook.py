"""matderiv in a notebook: formulas as mathematics, and a cell for a formula or a program.

    %load_ext matderiv

    %%matderiv wrt w
    ||X w - y||^2

The line is that of the command line without the formula: `wrt w --order 2` gives a
derivative, `flops wrt w` a table, `graph wrt w` a picture, and so on for every command.
Without a line the cell shows how the formula is read.
"""

from __future__ import annotations

import io
import shlex
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matderiv.errors import DomainError, MatderivError

if TYPE_CHECKING:
    from matderiv.results import Derivative

__all__ = ["Answers", "Shown", "answer", "load_ipython_extension"]

_TYPES = {"markdown": "text/markdown", "svg": "image/svg+xml"}


class Answers(tuple["Derivative", ...]):
    """The derivatives of a cell: displayed as equations, with the verdict of the check."""

    def _repr_latex_(self) -> str:
        rows = [rf"{_head(one)} &= {one.to('latex')}" for one in self]
        if len(rows) == 1:
            return rf"$\displaystyle {rows[0].replace(' &= ', ' = ', 1)}$"
        lines = r" \\[1ex] ".join(rows)
        return rf"$\begin{{aligned}} {lines} \end{{aligned}}$"

    def __repr__(self) -> str:
        return "\n".join(str(one) for one in self)


@dataclass(frozen=True)
class Shown:
    """What a command prints in a format that a notebook sets: markdown or svg."""

    text: str
    format: str

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        return {_TYPES[self.format]: self.text, "text/plain": self.text}


def _head(derivative: Derivative) -> str:
    from matderiv.notation.names import latex_name

    names = derivative.wrt if isinstance(derivative.wrt, tuple) else (derivative.wrt,)
    power = f"^{{{len(names)}}}" if len(names) > 1 else ""
    below = r" \, ".join(rf"\partial {latex_name(name)}" for name in names)
    if power and len(set(names)) == 1:
        below = rf"\partial {latex_name(names[0])}{power}"
    return rf"\frac{{\partial{power} f}}{{{below}}}"


def answer(line: str, cell: str) -> Any:
    """What a cell evaluates to: derivatives, a program, or nothing for a command that prints.

    >>> answer("wrt w", "||X w - y||^2")
    inferred X: (n, m), w: (m), y: (n)
    checked against finite differences at 3 random points: max relative error ...
    2 Xᵀ(X w - y)
    """
    from matderiv.api import parse
    from matderiv.commands import COMMANDS, read_options
    from matderiv.commands.words import asked_derivatives

    words = shlex.split(line)
    if not words:
        return parse(cell)
    if words[0] in COMMANDS and words[0] != "diff":
        return _command([words[0], cell, *words[1:]])
    words = ["diff", cell, *words[words[0] == "diff" :]]
    options = read_options(words)
    if options.steps or options.form or options.format != "unicode":
        return _command(words)
    found = asked_derivatives(options)
    reports = [one.check() for one in found]
    worst = max(reports, key=lambda report: (not report.passed, report.max_relative_error))
    if not worst:
        raise DomainError(f"{worst}: the derivative is not shown")
    notes = dict.fromkeys(note for one in found for note in one.notes)
    print("\n".join([*notes, str(worst)]))
    return Answers(found)


def _command(words: list[str]) -> Shown | None:
    """Run a command in the format that a notebook sets best, where it has one."""
    from matderiv.commands import main, read_options

    options = read_options(words)
    format = _best_format(words[0], options)
    if format is None:
        main(words)
        return None
    printed = io.StringIO()
    with redirect_stdout(printed):
        status = main([*words, "--format", format])
    return Shown(printed.getvalue(), format) if not status else None


def _best_format(command: str, options: Any) -> str | None:
    chosen = getattr(options, "format", "none") not in (None, "text", "unicode")
    if chosen or getattr(options, "output", None):
        return None
    if command == "graph" or (command == "memory" and options.timeline is not None):
        return "svg"
    in_words = command == "plan" and (options.budget or options.segments)
    return None if in_words or (command == "diff" and not options.steps) else "markdown"


def _cell_magic(line: str, cell: str | None = None) -> Any:
    try:
        return answer(line, cell or "")
    except MatderivError as error:
        # A notebook shows this in the place of a traceback through the engine.
        error._render_traceback_ = str(error).splitlines  # type: ignore[attr-defined]
        raise
    except SystemExit:
        return None  # the command line has said what is wrong


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext matderiv` makes `%%matderiv` a cell magic."""
    shell.register_magic_function(_cell_magic, magic_kind="cell", magic_name="matderiv")
