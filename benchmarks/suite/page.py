"""Rows as lines of a terminal, as a file to keep, and as a page."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import geometric_mean

from tabulate import tabulate

from benchmarks.suite.cases import CASES
from benchmarks.suite.contestants import OURS
from benchmarks.suite.race import Row

__all__ = ["Table", "keep"]

PEERS = ("jax", "torch", "torch.compile", "autograd", "pytensor")
_LIBRARIES = ("numpy", "scipy", "numba", "jax", "torch", "autograd", "pytensor")
_FIRST = ("ours", "ours numba", "jax", "torch.compile", "pytensor")


class Table:
    """Prints a line for each row, the head before the first."""

    def __init__(self) -> None:
        self._begun = False

    def line(self, row: Row) -> None:
        columns = (*OURS, *PEERS)
        if not self._begun:
            head = "".join(f"{name:>14}" for name in columns)
            print(f"{'case':34}{'size':7}{'hand':>10}{head}   first (ms)")
            self._begun = True
        cells = "".join(f"{_ratio(row, name):>14}" for name in columns)
        first = "  ".join(f"{name} {1e3 * seconds:.0f}" for name, seconds in row.first.items())
        print(f"{row.case:34}{row.size:7}{_time(row.hand):>10}{cells}   {first}", flush=True)
        for name, why in row.failed.items():
            print(f"    {name}: {why}", flush=True)

    def end(self, rows: Sequence[Row]) -> str:
        return "\n" + "\n".join(_summary(rows)) if rows else "no case has such a name"


def _summary(rows: Sequence[Row]) -> list[str]:
    """How far the goals are met."""
    others = ("hand", *PEERS)
    ours = [row.ratio("ours") for row in rows if "ours" in row.seconds]
    limits = {"small": 1.2, "medium": 1.05, "large": 1.05}
    within = [row for row in rows if "ours" in row.seconds]
    within = [row for row in within if row.ratio("ours") <= limits[row.size]]
    best = [row.best(OURS)[1] / row.best(others)[1] for row in rows]
    lines = []
    if ours:
        lines.append(
            f"ours / hand: geometric mean {geometric_mean(ours):.2f}, worst {max(ours):.2f}; "
            f"≤ 1.2 at small sizes and ≤ 1.05 at others in {len(within)} of {len(ours)} rows"
        )
    lines.append(
        f"the best of ours / the fastest of all others: ≤ 1.0 in {_count(best, 1.0)}, "
        f"≤ 1.15 in {_count(best, 1.15)} of {len(rows)} rows, worst {max(best):.2f}"
    )
    starts = [r.first["jax"] / r.first["ours"] for r in rows if {"jax", "ours"} <= r.first.keys()]
    if starts:
        lines.append(
            f"first answer against JAX's: {geometric_mean(starts):.0f} × sooner (geometric "
            f"mean), ≥ 10 × in {sum(s >= 10 for s in starts)} of {len(starts)} rows, "
            f"least {min(starts):.1f} ×"
        )
    return lines


def _count(ratios: Iterable[float], limit: float) -> int:
    # A tie is no loss: 1 % is below what two runs differ by.
    return sum(ratio <= limit + 0.01 for ratio in ratios)


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
    notes = {case.name: case.note for case in CASES if case.note}
    parts = [
        "# Results of the suite",
        "Written by `python -m benchmarks.suite --save benchmarks/results.json`; "
        "[README.md](README.md) says how. " + _machine(threads),
        "\n".join(f"- {line}" for line in _summary(rows)),
        "## Time of a call",
        "Ratios of medians to the best hand-written NumPy in the same process, less is faster; "
        "hand in absolute time. Bold: the fastest of the row. A dash: it does not run, or needs "
        "more than 0.3 s a call, or took no part in the run.",
        _table(rows, (*OURS, *PEERS)),
        "## Time to the first answer",
        "Milliseconds from the text or the Python function to the first result.",
        _firsts(rows),
        "## Where a row misses, and the floor",
        "In every small row a generated function checks types and shapes of its inputs, 0.1 µs "
        "for each, and returns a mapping. Ratios within 0.03 of 1 are ties: the same BLAS calls.",
        "\n".join(f"- **{name}**: {note}" for name, note in notes.items()),
        "## Who does not run",
        "\n".join(_failures(rows)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _machine(threads: int) -> str:
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES if find_spec(name))
    python = ".".join(platform.python_version_tuple()[:2])
    return (
        f"{platform.machine()}, 2 cores, shared with other work while this ran, "
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
        cells = [f"{1e3 * row.first[k]:.0f}" if k in row.first else "-" for k in _FIRST]
        body.append([row.case, row.size, *cells])
    return tabulate(body, ["case", "size", *_FIRST], "pipe", disable_numparse=True)


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
