"""How long the print of every corpus formula is, beside the formula of its source.

Length is the number of names, numbers, functions and operators; brackets and commas are
free.  `A^-1`, `A'`, `||x||` and `ones(n)` add one each.  A line that was made up for the
formula counts as well, and 2 for its "T_0 ="; the user's own lines are the question, not
the answer, and count nothing.

    python -m tests.notation.score            writes tests/corpus/prints.txt
    python -m tests.notation.score FILE       prints the score of another corpus
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matderiv as md

CORPUS = Path(__file__).parents[1] / "corpus"
REPORT = CORPUS / "prints.txt"

_ONE_TOKEN = [  # spellings that stand for one symbol
    (r"\b(?:ones|zeros|eye)\([^()]*\)", " @ "),
    (r",\s*(?:axis|keepdims)\s*=\s*", " , "),
    (r"\^\{\\top\}|\^\\top", " ' "),
    (r"\^\{?-T\}?", " ~ "),
    (r"(?<!\.)\^\(?-1\)?(?![\d/])", " ~ "),
    (r"\|\|_[F2]\b", "||"),
]
_TOKEN = re.compile(
    r"[^\W\d]\w*|\d+(?:\.\d+)?(?:e-?\d+)?|@|~|\|\||\.\*|\./|\.\^|[-+*/^'=\\⊗⊙⊘∘]", re.UNICODE
)


class Row(NamedTuple):
    """One formula: `theirs` is None where the source gives no closed form."""

    id: str
    ours: int
    theirs: int | None
    text: str
    source: str

    def __str__(self) -> str:
        theirs = "-" if self.theirs is None else self.theirs
        return f"{self.id} | {self.ours} | {theirs} | {self.text} | {self.source}"


def count(text: str, names: Iterable[str] = ()) -> int:
    """The length of a formula; a word made of `names` alone is a product, as in 2Xw.

    >>> count("2 X' (X w - y)"), count("2X'(Xw - y)", "Xwy"), count("-X^-1 a b' X^-1")
    (7, 7, 8)
    >>> count("||x||^2 ones(n)"), count("mean(X, axis=0)"), count("0.5 x.^-1")
    (5, 3, 5)
    """
    for pattern, symbol in _ONE_TOKEN:
        text = re.sub(pattern, symbol, text)
    tokens = _TOKEN.findall(text)
    bars = tokens.count("||") // 2
    known = sorted(map(re.escape, names), key=len, reverse=True)
    products = re.compile("|".join(known)) if known else None
    total = bars
    for token in tokens:
        if token == "||":
            continue
        parts = products.findall(token) if products is not None else []
        total += len(parts) if "".join(parts) == token else 1
    return total


def count_print(text: str, assigned: Iterable[str]) -> int:
    """The length of an ascii print with its lines below, as the module says."""
    head, _, below = text.partition(" where ")
    total = count(head)
    for line in below.split("; "):
        name, equals, body = line.partition(" = ")
        if equals and name.partition("[")[0] not in assigned:
            total += 2 + count(body)
    return total


def assigned_names(source: str) -> set[str]:
    """The names that a program gives to values, as a print spells them."""
    found = re.findall(r"(?:^|[\n;{])\s*(\w+)\s*=(?!=)", source)
    return {*found, *map(md.notation.names.ascii_name, found)}


def score(cases: Sequence[dict[str, Any]]) -> list[Row]:
    rows = []
    for case in cases:
        derivative = md.diff(
            case["expr"],
            case["wrt"],
            order=case["order"],
            layout=case["closed_layout"] or "mixed",
            shapes=case["shapes"],
            attributes=case["attrs"] or None,
        )
        text = derivative.to("ascii").partition("\n")[0]
        source = case["closed_form"]
        names = {*case["shapes"], *case["dims"]}
        theirs = None if source is None else count(source.replace("\\lambda", "λ"), names)
        ours = count_print(text, assigned_names(case["expr"]))
        rows.append(Row(case["id"], ours, theirs, text, (source or "-").replace("\n", "; ")))
    return rows


def summary(rows: Sequence[Row]) -> str:
    compared = [(row.ours, row.theirs) for row in rows if row.theirs is not None]
    short = sum(ours <= theirs for ours, theirs in compared)
    ours, theirs = (sum(column) for column in zip(*compared, strict=True))
    worst = max(ours / theirs for ours, theirs in compared)
    return (
        f"{short} of {len(compared)} as short as their source; {ours} tokens against {theirs}; "
        f"at most {worst:.2f} times as long"
    )


def read_report(path: Path = REPORT) -> dict[str, int]:
    """The length of every print in the report, by id."""
    lines = [line.split(" | ") for line in path.read_text("utf-8").splitlines()]
    return {fields[0]: int(fields[1]) for fields in lines[1:] if len(fields) == 5}


def main(arguments: Sequence[str]) -> None:
    path = Path(arguments[0]) if arguments else CORPUS / "formulas.json"
    rows = score(json.loads(path.read_text("utf-8")))
    if not arguments:
        lines = ["id | tokens | tokens of the source | print | source", *map(str, rows)]
        REPORT.write_text("\n".join([*lines, "", summary(rows), ""]), "utf-8")
    for row in rows:
        if row.theirs is not None and row.ours > row.theirs:
            print(row)
    print(summary(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
