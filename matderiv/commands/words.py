"""What the words of a command line mean: a program, names, shapes, sizes, derivatives."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matderiv.errors import MatderivError, NameResolutionError, UnsupportedError

if TYPE_CHECKING:
    from matderiv.results import Derivative, Program

__all__ = ["asked_derivatives", "asked_program", "numbers", "sizes", "wanted", "write"]


def asked_program(options: Namespace) -> tuple[Program, list[str], list[str]]:
    """The program, the names after `wrt` and those after `then`."""
    from matderiv.api import parse

    words: list[str] = options.words
    if not words:
        raise MatderivError("no formula is given", hint='matderiv diff "x\' A x" wrt x')
    source, rest = words[0], words[1:]
    if rest and rest[0] != "wrt":
        raise MatderivError(
            f"after the formula comes wrt, not {rest[0]!r}",
            hint="put the formula in quotation marks",
        )
    names = [name for word in rest[1:] for name in word.split(",") if name]
    then: list[str] = []
    if "then" in names:
        at = names.index("then")
        names, then = names[:at], [name for name in names[at + 1 :] if name != "then"]
    if source == "-":
        source = sys.stdin.read()
    elif "\n" not in source and len(source) < 1024 and Path(source).is_file():
        source = Path(source).read_text(encoding="utf-8")
    return parse(source, shapes=_shapes(options.shape)), names, then


def _shapes(declared: Sequence[str]) -> dict[str, tuple[str | int, ...]]:
    shapes: dict[str, tuple[str | int, ...]] = {}
    for text in declared:
        name, equals, dims = text.partition("=")
        if not equals:
            raise MatderivError(f"--shape wants NAME=SIZES, not {text!r}", hint="--shape X=n,d")
        parts = [dim.strip() for dim in dims.strip("() ").split(",") if dim.strip()]
        shapes[name.strip()] = tuple(int(dim) if dim.isdecimal() else dim for dim in parts)
    return shapes


def numbers(text: str | None, example: str) -> dict[str, int]:
    """name=number, separated by commas, as in the example."""
    found: dict[str, int] = {}
    for part in (text or "").split(","):
        if part.strip():
            name, _, number = part.partition("=")
            if not number.strip().isdecimal() or int(number) < 1:
                option = example.partition(" ")[0]
                raise MatderivError(f"{option} wants NAME=NUMBER, not {part!r}", hint=example)
            found[name.strip()] = int(number)
    return found


def sizes(options: Namespace) -> dict[str, int]:
    """What --at says."""
    return numbers(options.at, "--at n=1000,d=20")


def wanted(program: Program, names: Sequence[str]) -> list[str]:
    """The names that are differentiated by, of which there must be some."""
    if not names:
        raise NameResolutionError(
            "differentiate by what?", hint=f"wrt {next(iter(program.inputs), 'x')}"
        )
    return [program.name_of(name) for name in names]


def asked_derivatives(options: Namespace) -> list[Derivative]:
    """The derivatives that the words after `wrt` ask for."""
    from matderiv.results import differentiate

    program, names, then = asked_program(options)
    resolved = wanted(program, names)
    order = options.order
    if order < 1:
        raise MatderivError(f"the order of a derivative is a positive integer, not {order}")
    if then:
        if len(names) > 1 or order > 1:
            raise UnsupportedError("wrt x then y takes one name before then, and no --order")
        chains = [(resolved[0], *(program.name_of(name) for name in then))]
    else:
        chains = [(name,) * order for name in resolved]
    groups = [chains] if order == 1 and not then else [[chain] for chain in chains]
    return [
        derivative
        for group in groups
        for derivative in differentiate(
            program,
            group,
            options.layout,
            options.mode,
            options.structured,
            getattr(options, "diagonal", False),
        ).values()
    ]


def write(options: Namespace, text: str) -> int:
    """Write to the file asked for, or print."""
    from matderiv.files import write_file

    if options.output is None:
        print(text, end="" if text.endswith("\n") else "\n")
    else:
        print(f"wrote {write_file(options.output, text, force=options.force, spelled='--force')}")
    return 0
