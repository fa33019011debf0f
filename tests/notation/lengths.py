"""The lengths of the prints of many derivatives, of which none may grow.

`lengths.txt` has a line for each: tokens, order, input, program and print.  Its programs
are those of the corpus differentiated twice, formulas of many fields, and programs with
lines and loops that were grown at random.

    python -m tests.notation.lengths          writes lengths.txt anew, and prints what changed
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import matderiv as md
from tests.notation.score import assigned_names, count_print

REPORT = Path(__file__).with_name("lengths.txt")
HEAD = "tokens\torder\tinput\tprogram\tprint"


class Line(NamedTuple):
    tokens: int
    order: int
    wrt: str
    program: str
    text: str

    def __str__(self) -> str:
        return "\t".join(map(str, self))


def measured(program: str, wrt: str, order: int) -> Line:
    """The print of a derivative and its length, without the user's own lines."""
    text = md.diff(program, wrt, order=order).to("ascii").partition("\n")[0]
    return Line(count_print(text, assigned_names(program)), order, wrt, program, text)


def recorded() -> list[Line]:
    lines = REPORT.read_text("utf-8").splitlines()[1:]
    fields = [line.split("\t") for line in lines]
    return [Line(int(n), int(order), *rest) for n, order, *rest in fields]


def main() -> None:
    old = recorded()
    new = [measured(line.program, line.wrt, line.order) for line in old]
    REPORT.write_text("\n".join([HEAD, *map(str, new), ""]), "utf-8")
    for before, after in zip(old, new, strict=True):
        if before.tokens != after.tokens:
            print(f"{before.tokens} -> {after.tokens}: {after.program}\n  {after.text}")
    print(f"{sum(line.tokens for line in new)} tokens, {sum(line.tokens for line in old)} before")


if __name__ == "__main__":
    sys.exit(main())
