"""Colour and progress on a terminal; plain text in a file, in a pipe, and where NO_COLOR asks.

The library that draws them is loaded only for a terminal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["STYLES", "is_coloured", "progress", "show", "show_code"]

STYLES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "formula": {
            r"(?m)^.*$": "bold",
            r"(?m)^(  shape|∂.*: shape).*$": "not bold dim",
        },
        "note": {r"(?s).*": "yellow"},
        "cost": {r"^FLOPs|\b(forward|backward|ratio)\b|·": "dim"},
        "check": {r"^.*checked.*": "green", r"(?s).*(WRONG|not shown|no check).*": "bold red"},
        "verdict": {
            r"\Aright\b.*": "bold green",
            r"\Aright (only|up|in|as|where)\b.*": "bold yellow",
            r"\Aright, .*": "bold green",
            r"\A(off|wrong)\b.*": "bold red",
        },
        "table": {r"(?m)(?:\A|(?<=\n\n)).*  .*$": "bold", r"(?m)^ +[├└│].*$": "dim"},
        "steps": {
            r"\A.*": "bold underline",
            r"(?m)(?<=\n\n)\S.*$": "bold cyan",
            r"(?m)^ *\d+\. ": "dim",
            r"(?m)^ {7}.*$": "dim italic",
            r"every step checked.*": "green",
        },
        "error": {
            r"\A[\w ]+:": "bold red",
            r"(?m)^ *\^+$": "bold red",
            r"(?m)^  try: ": "bold green",
        },
    }
)
"""What a text is -> a pattern -> how its matches look."""


def is_coloured(stream: IO[str]) -> bool:
    """Whether a stream is a terminal that wants colour (https://no-color.org)."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not plain


def show(text: object, kind: str = "", *, error: bool = False) -> None:
    """Print a text of a kind; an error goes to standard error."""
    stream = sys.stderr if error else sys.stdout
    if not is_coloured(stream):
        print(text, file=stream)
        return
    from rich.text import Text

    shown = Text(str(text))
    for pattern, style in STYLES.get(kind, {}).items():
        shown.highlight_regex(pattern, style)
    _console(stream).print(shown, soft_wrap=True, highlight=False)


def show_code(source: str) -> None:
    """Print a Python module."""
    if not is_coloured(sys.stdout):
        print(source, end="")
        return
    from rich.syntax import Syntax

    made = Syntax(source, "python", background_color="default", theme="ansi_dark")
    _console(sys.stdout).print(made.highlight(source), soft_wrap=True, end="")


@contextmanager
def progress(what: str) -> Iterator[Callable[[str], None]]:
    """A bar on standard error for as long as it lasts; the function says what is done now."""
    if not is_coloured(sys.stderr):
        yield lambda line: None
        return
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(20))
    count = TextColumn("{task.completed} {task.fields[what]}")
    console = _console(sys.stderr)
    with Progress(*columns, count, TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task("", total=None, what=what)
        yield lambda line: bar.update(task, description=line, advance=1)


def _console(stream: IO[str]) -> Console:
    from rich.console import Console

    return Console(file=stream, markup=False, emoji=False)
