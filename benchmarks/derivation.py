"""How long a derivation takes: every formula of the corpus, and some that are heavier.

    python benchmarks/derivation.py [CORPUS.json]

Milliseconds of processor time, the least of three runs: reading the text, differentiating
and simplifying, printing.  Each derivative is checked against finite differences before
it is timed.  The ten slowest are listed; of orders up to 3 none should need 100.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

import matderiv as md

CORPUS = Path(__file__).parents[1] / "tests" / "corpus" / "formulas.json"
HEAVIER = [  # name, text, variable, order
    ("Gaussian likelihood", "-1/2 (x - m)' S^-1 (x - m) - 1/2 logdet(S) where m: (n)", "S", 1),
    ("Gaussian likelihood", "-1/2 (x - m)' S^-1 (x - m) - 1/2 logdet(S) where m: (n)", "S", 2),
    ("layer norm", "x: (n)\n(x - mean(x)) / sqrt(var(x) + t) where t: ()", "x", 1),
    ("layer norm", "x: (n)\n(x - mean(x)) / sqrt(var(x) + t) where t: ()", "x", 2),
    ("attention", "||softmax(Q K' / sqrt(d)) V - T||^2 where Q: (n, d)", "Q", 1),
    ("attention", "||softmax(Q K' / sqrt(d)) V - T||^2 where Q: (n, d)", "K", 1),
    ("Rayleigh quotient", "x' A x / (x' x)", "x", 2),
    ("Rayleigh quotient", "x' A x / (x' x)", "x", 3),
    ("ridge", "(X' X + t I)^-1 X' y where t: ()", "X", 1),
    ("correlation", "(x - mean(x))' y / (||x - mean(x)|| ||y||) where x: (n)", "x", 2),
    ("Gaussian process", "y' (K + t I)^-1 y + logdet(K + t I) where t: ()", "t", 3),
    ("Sinkhorn step", "a ./ (K (b ./ (K' a)))", "a", 1),
]
COLUMNS = ("read", "derive", "print", "all")


class Case(NamedTuple):
    name: str
    text: str
    wrt: str
    order: int
    declared: dict[str, Any]


def cases(path: Path) -> list[Case]:
    corpus = [
        Case(
            case["id"],
            case["expr"],
            case["wrt"],
            case["order"],
            {"shapes": case["shapes"], "attributes": case["attrs"] or None},
        )
        for case in json.loads(path.read_text("utf-8"))
    ]
    return corpus + [Case(*fields, {}) for fields in HEAVIER]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    before = process_time()
    result = work()
    return 1e3 * (process_time() - before), result


def measure(case: Case) -> list[float]:
    """Milliseconds for each of the columns."""
    runs = []
    for _ in range(3):
        read, program = timed(lambda: md.parse(case.text, **case.declared))
        derive, derivative = timed(lambda p=program: md.diff(p, case.wrt, order=case.order))
        prints, _ = timed(lambda d=derivative: str(d))
        runs.append([read, derive, prints, read + derive + prints])
    return min(runs, key=lambda run: run[-1])


def main(path: Path = CORPUS) -> None:
    rows = []
    for case in cases(path):
        derivative = md.diff(case.text, case.wrt, order=case.order, **case.declared)
        assert derivative.check(), f"{case.name} is wrong: no time is worth printing"
        str(derivative)
        rows.append((measure(case), case))
    rows.sort(key=lambda row: -row[0][-1])

    print("".join(f"{name:>8}" for name in COLUMNS) + "   ms, the ten slowest")
    for times, case in rows[:10]:
        label = f"{case.name}, order {case.order} by {case.wrt}"
        print("".join(f"{time:8.1f}" for time in times) + f"   {label}")
    totals = [sum(column) for column in zip(*(times for times, _ in rows), strict=True)]
    print("".join(f"{time:8.1f}" for time in totals) + f"   all {len(rows)} derivatives")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
