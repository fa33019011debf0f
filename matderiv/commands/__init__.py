"""The command line: `matderiv diff "||Xw - y||^2" wrt w`.

    command.py    what a command is; usage.py: errors of one line
    options.py    options that several commands share
    words.py      what the words mean: a program, names, sizes
    terminal.py   colour and progress
    derivatives.py, code.py, costs.py, pictures.py, explain.py, … the commands

Exit status: 0, or 1 for a failed check, or 2 for bad input or usage.  Errors are one
short message on standard error.  The engine is imported by the command that needs it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from matderiv.commands.code import bench, compile
from matderiv.commands.command import BAD, Command, Namespace
from matderiv.commands.completion import completion
from matderiv.commands.costs import flops, memory, plan
from matderiv.commands.derivatives import check, diff, verify
from matderiv.commands.explain import explain
from matderiv.commands.pictures import graph, serve
from matderiv.commands.repl import repl
from matderiv.commands.terminal import show
from matderiv.commands.usage import Parser
from matderiv.errors import MatderivError
from matderiv.limits import limits

__all__ = ["COMMANDS", "main", "overview", "read_options"]

COMMANDS: dict[str, Command] = {
    each.name: each
    for each in (
        diff,
        check,
        verify,
        compile,
        flops,
        memory,
        plan,
        bench,
        graph,
        serve,
        repl,
        explain,
        completion,
    )
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    sys.stdout.reconfigure(errors="replace") if hasattr(sys.stdout, "reconfigure") else None
    words = sys.argv[1:] if arguments is None else arguments
    if not words:
        print(overview().format_help(), end="", file=sys.stderr)
        return BAD
    options = read_options(words)
    try:
        run: Callable[[Namespace], int] = options.run
        with limits(seconds=getattr(options, "seconds", None)):
            return run(options)
    except MatderivError as error:
        show(error, "error", error=True)
        return BAD
    except BrokenPipeError:
        return 0


def read_options(words: Sequence[str]) -> Namespace:
    """The words of a command line; a fault in them ends the program with status 2."""
    command = COMMANDS.get(words[0])
    if command is None:
        parser = overview()
        if words[0].startswith("-") and words[0] not in parser._option_string_actions:
            parser.error("a command comes before its options")
        return parser.parse_args(words)
    options = command.parser().parse_intermixed_args(_guarded(words[1:]))
    options.run = command.run
    return options


def _guarded(words: Sequence[str]) -> list[str]:
    """A formula may begin with a minus: argparse takes a word with a space for no option."""
    return [
        f" {word}"
        if word.startswith("-")
        and word not in ("-", "-o", "-h")
        and not word.startswith("--")
        and last in ("", "equals")
        else word
        for last, word in zip(["", *words], words, strict=False)
    ]


def overview() -> argparse.ArgumentParser:
    """The parser of `matderiv --help`: every command, with an example of each."""
    from matderiv import __version__

    examples = "\n".join(f"  matderiv {command.examples[0]}" for command in COMMANDS.values())
    parser = Parser(
        prog="matderiv",
        usage="matderiv COMMAND EXPR wrt NAME … [OPTION …]",
        description="Symbolic matrix derivatives: formula, costs and code, checked.",
        epilog=f"examples:\n{examples}\n\n{_CLOSE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"matderiv {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS.values():
        command.fill(commands.add_parser(command.name, help=command.summary, **command.help))
    return parser


_CLOSE = """\
EXPR is a formula, a file, or - for standard input.  `matderiv COMMAND --help` has the
options of a command.  Exit status: 0, 1 for a failed check, 2 for bad input.
"""
