"""A command is declared in one place: what it is for, its options, examples that run, its function.

    @command("check", "the numerical check alone", options=DERIVATIVE, examples=[…])
    def check(options: Namespace) -> int: ...

`--help`, shell completion and docs/commands.md are read off the declarations, and the
tests run every example.
"""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matderiv.commands.usage import Parser
from matderiv.limits import SECONDS as LIMIT
from matderiv.limits import limited

__all__ = ["BAD", "FAILED", "Command", "Namespace", "Option", "command", "option"]

FAILED, BAD = 1, 2
"""Exit status of a failed check, and of bad input or usage."""

FORMULA = "EXPR wrt NAME …"
_EXPR = "a formula, a file, or - for standard input; then what to differentiate by"


@dataclass(frozen=True)
class Option:
    """One option, with the words of argparse."""

    flags: tuple[str, ...]
    settings: Mapping[str, Any]


def option(*flags: str, **settings: Any) -> Option:
    return Option(flags, settings)


SECONDS = option(
    "--seconds",
    type=float,
    metavar="S",
    default=LIMIT,
    help=f"the processor time that the command may take (default {LIMIT:g}); inf for any",
)


@dataclass(frozen=True)
class Command:
    """A command and what its help says; `run` gives the exit status."""

    name: str
    summary: str
    run: Callable[[Namespace], int]
    options: tuple[Option, ...]
    examples: tuple[str, ...]
    words: str

    @property
    def help(self) -> dict[str, Any]:
        shown = "\n".join(f"  matderiv {example}" for example in self.examples)
        return {
            "description": f"{self.summary[0].upper()}{self.summary[1:]}.",
            "epilog": f"{'examples' if len(self.examples) > 1 else 'example'}:\n{shown}\n",
            "formatter_class": argparse.RawDescriptionHelpFormatter,
        }

    def fill(self, parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
        """Add the words and options to a parser."""
        parser.add_argument(
            "words", nargs="*", metavar=self.words, help=_EXPR if "EXPR" in self.words else None
        )
        for each in self.options:
            parser.add_argument(*each.flags, **each.settings)
        return parser

    def parser(self) -> argparse.ArgumentParser:
        usage = f"matderiv {self.name} {self.words} [OPTION …]"
        return self.fill(Parser(prog=f"matderiv {self.name}", usage=usage, **self.help))


def command(
    name: str,
    summary: str,
    *,
    options: Sequence[Option] = (),
    examples: Sequence[str],
    words: str = FORMULA,
    timed: bool = True,
) -> Callable[[Callable[[Namespace], int]], Command]:
    """Declare a command by its function; `timed`, its work must end in `--seconds`."""

    def declare(run: Callable[[Namespace], int]) -> Command:
        known = (*options, SECONDS) if timed else tuple(options)
        return Command(name, summary, limited(run) if timed else run, known, tuple(examples), words)

    return declare
