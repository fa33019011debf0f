"""How far the goals are met; where a row misses one, why, and the floor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import geometric_mean

from benchmarks.suite.cases import CASES
from benchmarks.suite.contestants import OURS
from benchmarks.suite.race import CHECKS, MODULE, Row

__all__ = ["PEERS", "misses", "summary"]

PEERS = ("jax", "torch", "torch.compile", "autograd", "pytensor")
_LIMITS = {"small": 1.2, "medium": 1.05, "large": 1.05}
_TIE = 0.01  # 1 % is below what two runs differ by

_WINS: Mapping[str, str] = {
    "hand": "the same operations; `t *= x` is 0.03 µs sooner than `np.multiply(t, x, out=t)`",
    "jax": "XLA makes elementwise operations one pass, and has matrix products of its own",
    "torch": "products by MKL, and elementwise functions of its own",
    "torch.compile": "elementwise operations and sums in one pass, products by MKL",
    "autograd": "the same calls",
    "pytensor": "elementwise operations in one compiled pass, written in place",
}
"""What a contestant has that our code lacks, where a case does not know better."""


def summary(rows: Sequence[Row]) -> list[str]:
    """How far the goals are met."""
    known = [row for row in rows if "ours" in row.seconds]
    ours = [row.ratio("ours") for row in known]
    best = [_behind(row)[2] for row in rows]
    lines = []
    if ours:
        within = sum(row.ratio("ours") <= _LIMITS[row.size] for row in known)
        lines.append(
            f"ours / hand: geometric mean {geometric_mean(ours):.2f}, worst {max(ours):.2f}; "
            f"≤ 1.2 at small sizes and ≤ 1.05 at others in {within} of {len(ours)} rows"
        )
    lines.append(
        f"the best of ours / the fastest of all others: ≤ 1.0 in {_count(best, 1.0)}, "
        f"≤ 1.15 in {_count(best, 1.15)} of {len(rows)} rows, worst {max(best):.2f}"
    )
    for name, what in ((MODULE, "derivation, code and import"), ("ours", "first answer")):
        starts = [r.first["jax"] / r.first[name] for r in rows if {"jax", name} <= r.first.keys()]
        if starts:
            lines.append(
                f"{what} against JAX's first call: {geometric_mean(starts):.0f} × sooner "
                f"(geometric mean), ≥ 10 × in {sum(s >= 10 for s in starts)} of {len(starts)} "
                f"rows, least {min(starts):.1f} ×"
            )
    return lines


def misses(rows: Sequence[Row]) -> list[str]:
    """A line for each row that misses a goal: by how much, why, and what checks leave."""
    return [
        f"**{row.case}**, {row.size}: {'; '.join(text)}" for row in rows if (text := _miss(row))
    ]


def _miss(row: Row) -> list[str]:
    best, other, ratio = _behind(row)
    above = "ours" in row.seconds and row.ratio("ours") > _LIMITS[row.size]
    behind = ratio > 1.0 + _TIE
    if not (above or behind):
        return []
    found = []
    if above:
        found.append(f"{row.ratio('ours'):.2f} of hand where {_LIMITS[row.size]} is asked")
    if behind:
        found.append(f"{best or 'none of ours'} takes {ratio:.2f} of {other}")
    return [*found, *_reasons(row, other if behind else "hand")]


def _reasons(row: Row, other: str) -> Iterator[str]:
    """What the case says, or what the faster one has; and the floor that checks of inputs set."""
    (case,) = (case for case in CASES if case.name == row.case)
    checks = row.seconds.get(CHECKS, 0.0)
    floor = (row.hand + checks) / row.hand
    explained = floor > 1.0 + _TIE and row.seconds.get("ours", 0.0) <= (floor + 0.03) * row.hand
    if row.size in case.why:
        yield case.why[row.size]
    elif other != "hand" or not explained:
        yield f"{other}: {_WINS[other]}"
    if floor > 1.0 + _TIE:
        yield f"checks of {len(case.shapes)} inputs take {1e6 * checks:.2f} µs, floor {floor:.2f}"


def _behind(row: Row) -> tuple[str, str, float]:
    """Our fastest, the fastest of the others, and the ratio of their times."""
    (best, ours), (other, theirs) = row.best(OURS), row.best(("hand", *PEERS))
    return best, other, ours / theirs


def _count(ratios: Iterable[float], limit: float) -> int:
    return sum(ratio <= limit + _TIE for ratio in ratios)
