"""Rows as lines of a terminal, as a file to keep, and as a page."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from importlib.util import find_spec
from math import isnan, nan
from pathlib import Path

from tabulate import tabulate

from benchmarks.suite.cases import CASES
from benchmarks.suite.contestants import OURS
from benchmarks.suite.goals import PEERS, misses, summary
from benchmarks.suite.race import LOADING, MODULE, Row

__all__ = ["Table", "keep"]

_LIBRARIES = ("numpy", "scipy", "numba", "jax", "torch", "autograd", "pytensor")
_SOONER = "jax / our module"
_FIRST = (MODULE, LOADING, _SOONER, "ours", "ours numba", "ours torch.compile")
_FIRST += ("jax", "torch.compile", "pytensor")
_WIDTH = 1 + max(len(name) for name in (*OURS, *PEERS))


class Table:
    """Prints a line for each row, the head before the first."""

    def __init__(self) -> None:
        self._begun = False

    def line(self, row: Row) -> None:
        columns = (*OURS, *PEERS)
        if not self._begun:
            head = "".join(f"{name:>{_WIDTH}}" for name in columns)
            print(f"{'case':41}{'size':7}{'hand':>10}{head}   first (ms)")
            self._begun = True
        cells = "".join(f"{_ratio(row, name):>{_WIDTH}}" for name in columns)
        first = "  ".join(f"{name} {1e3 * seconds:.0f}" for name, seconds in row.first.items())
        print(f"{row.case:41}{row.size:7}{_time(row.hand):>10}{cells}   {first}", flush=True)
        for name, why in row.failed.items():
            print(f"    {name}: {why}", flush=True)

    def end(self, rows: Sequence[Row]) -> str:
        return "\n" + "\n".join(summary(rows)) if rows else "no case has such a name"


# ----- the file and the page ------------------------------------------------------------
def keep(path: Path, rows: Sequence[Row], threads: int) -> None:
    """Write the rows over those of the same case and size, and the page."""
    kept = {}
    if path.exists():
        kept = {(row["case"], row["size"]): row for row in json.loads(path.read_text())["rows"]}
    for row in rows:
        before = kept.get((row.case, row.size))
        kept[row.case, row.size] = asdict(_joined(row, Row(**before)) if before else row)
    names = [case.name for case in CASES]
    sizes = ["small", "medium", "large"]
    known = [row for key, row in kept.items() if key[0] in names]
    known.sort(key=lambda row: (names.index(row["case"]), sizes.index(row["size"])))
    path.write_text(json.dumps({"threads": threads, "rows": known}, indent=1) + "\n")
    page = path.with_name("RESULTS.md")
    page.write_text(_page([Row(**row) for row in known], threads))


def _joined(row: Row, before: Row) -> Row:
    """A row with the contestants of an earlier run that it lacks, by their ratios to hand."""
    new = row.first.keys() | row.failed.keys()
    seconds = {k: before.ratio(k) * row.hand for k in before.seconds if k not in row.seconds}
    seconds = {k: time for k, time in seconds.items() if k not in new}
    first = {k: time for k, time in before.first.items() if k not in new}
    failed = {k: why for k, why in before.failed.items() if k not in new}
    return replace(
        row,
        seconds={**row.seconds, **seconds},
        first={**row.first, **first},
        failed={**row.failed, **failed},
    )


def _page(rows: Sequence[Row], threads: int) -> str:
    parts = [
        "# Results of the suite",
        "Written by `python -m benchmarks.suite --save benchmarks/results.json`; "
        "[README.md](README.md) says how. " + _machine(threads),
        "\n".join(f"- {line}" for line in summary(rows)),
        "## Time of a call",
        "Ratios of medians to the best hand-written NumPy in the same process, less is faster; "
        "hand in absolute time. Bold: the fastest of the row. A dash: it does not run, or needs "
        "more than 0.3 s a call, or took no part in the run.",
        _table(rows, (*OURS, *PEERS)),
        "## Time to the first answer",
        "Milliseconds from the text or the Python function to the first result; of our module "
        "until it is loaded, without a call, and beside it how often that goes into JAX's time "
        "and the floor, in which Python loads the finished text. Where our module is not ten "
        "times sooner, JAX's time is short, 50 to 100 ms for a program of a few operations, or "
        "the program is deep: our time grows with its nodes, of which each is derived, "
        "simplified, planned, printed and written by interpreted code, and no single one of "
        "these takes more than a third. By a profile of all cases: parsing 8 %, derivation 25, "
        "planning 36, the formulas of the docstring 13, writing 9, loading 6.",
        _firsts(rows),
        "## Where a row misses, and the floor",
        "Generated functions check type and shape of each input, and return a mapping; code by "
        "hand does not. The floor is the code by hand with those checks. A ratio within 0.03 "
        "of 1 is within what two runs differ by where the calls are the same.",
        "\n".join(f"- {line}" for line in misses(rows)),
        "## Who does not run",
        "\n".join(_failures(rows)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _machine(threads: int) -> str:
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES if find_spec(name))
    python = ".".join(platform.python_version_tuple()[:2])
    load = f", load {os.getloadavg()[2]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{platform.machine()}, {os.cpu_count()} cores{load} in the last quarter of an hour, "
        f"{threads} thread{'s' * (threads > 1)} for everybody, float64, Python {python}, "
        f"{libraries}."
    )


def _table(rows: Sequence[Row], columns: Sequence[str]) -> str:
    def cells(row: Row) -> list[str]:
        fastest = row.best(("hand", *columns))[0]
        found = [_bold(_time(row.hand), fastest == "hand")]
        return found + [_bold(_ratio(row, name), fastest == name) for name in columns]

    body = [[row.case, row.size, *cells(row)] for row in rows]
    return tabulate(body, ["case", "size", "hand", *columns], "pipe", disable_numparse=True)


def _firsts(rows: Sequence[Row]) -> str:
    body = []
    for row in rows:
        times = {**row.first, LOADING: row.seconds.get(LOADING, nan)}
        if {MODULE, "jax"} <= row.first.keys():
            times[_SOONER] = 1e-3 * row.first["jax"] / row.first[MODULE]
        body.append([row.case, row.size, *(_milliseconds(times.get(k, nan)) for k in _FIRST)])
    return tabulate(body, ["case", "size", *_FIRST], "pipe", disable_numparse=True)


def _milliseconds(seconds: float) -> str:
    return "-" if isnan(seconds) else f"{1e3 * seconds:.{0 if seconds > 0.01 else 1}f}"


def _failures(rows: Sequence[Row]) -> list[str]:
    return [
        f"- {row.case}, {row.size}: {name}: {why}"
        for row in rows
        for name, why in row.failed.items()
    ]


def _bold(text: str, is_fastest: bool) -> str:
    return f"**{text}**" if is_fastest else text


def _ratio(row: Row, name: str) -> str:
    if name not in row.seconds:
        return "-"
    ratio = row.ratio(name)
    return f"{ratio:.2f}" if ratio < 100 else f"{ratio:.0f}"


def _time(seconds: float) -> str:
    return f"{1e6 * seconds:.1f} µs" if seconds < 1e-3 else f"{1e3 * seconds:.2f} ms"
