"""FLOPs for people: one row for each operation, grouped by what it computes, and totals.

A group is a value of the user's or a gradient: `h1`, `w2.grad`.  Functions such as exp
are counted apart, in values computed; shares count each by its weight.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from matderiv.errors import MatderivError
from matderiv.program.cost import Cost, Row
from matderiv.program.counting import WEIGHTS
from matderiv.program.polynomial import ONE, Polynomial, quotient
from matderiv.reports.tables import TABLE_FORMATS, Cell, Code, Share, Table, render
from matderiv.tensor.dims import shape_text

__all__ = ["REPORT_FORMATS", "Group", "Report", "ratio_text", "weights_from"]

REPORT_FORMATS = (*TABLE_FORMATS, "json")


def ratio_text(above: Polynomial, below: Polynomial) -> str:
    """The limit of a ratio for large sizes, from its leading terms.

    >>> B, D, K = (Polynomial.of(name) for name in "BDK")
    >>> ratio_text(4 * B * D, 2 * B * D + 7), ratio_text(2 * B * D, 2 * B * D + 4 * B * K)
    ('→ 2', '→ D/(D + 2 K)')
    """
    above, below = above.leading, below.leading
    if not below:
        return "→ ∞" if above else "→ 1"
    over, under = quotient(above, below)
    if under == ONE:
        return f"→ {over}"
    return f"→ {_bracketed(over)}/{_bracketed(under)}"


def _bracketed(count: Polynomial) -> str:
    text = str(count)
    return f"({text})" if " " in text else text


def weights_from(given: Mapping[str, int]) -> dict[str, int]:
    """The weight table with some weights changed.

    >>> weights_from({"exp": 20, "erf": 30})["scipy.special.erf"]
    30
    """
    weights = dict(WEIGHTS)
    for name, weight in given.items():
        full = next((known for known in weights if known.rpartition(".")[2] == name), name)
        if full not in weights:
            known = ", ".join(name.rpartition(".")[2] for name in weights)
            raise MatderivError(f"no function with a weight is called {name!r}", hint=known)
        weights[full] = weight
    return weights


@dataclass(frozen=True)
class Group:
    """The operations that compute one named value, and their sums."""

    phase: str
    name: str
    rows: Sequence[Row]

    @property
    def exact(self) -> Polynomial:
        return Polynomial.total(row.exact for row in self.rows)


class Report:
    """The costs of a plan as tables.

    sizes     numbers for some or all dimension names: they fill a column of their own
    weights   what one value of a function counts in shares and in the weighted total

    >>> import matderiv as md
    >>> report = md.cost("x: (B, D); w: (D, K); h = x w; sum(h)", "w").report()
    >>> [(group.name, str(group.exact)) for group in report.groups]
    [('h', '2 B D K - B K'), ('value', 'B K - 1'), ('w.grad', 'B D - D')]
    >>> report.ratio
    '→ 1/(2 K)'
    """

    def __init__(
        self,
        cost: Cost,
        sizes: Mapping[str, int] | None = None,
        weights: Mapping[str, int] | None = None,
    ) -> None:
        self.cost = cost
        self.sizes = dict(sizes or {})
        self.weights = weights_from(weights or {})
        known = cost.sizes
        for name in self.sizes:
            if name not in known:
                names = ", ".join(known) or "no names of sizes"
                raise MatderivError(f"no size is called {name!r}; there are {names}")

    # ---- counts ----------------------------------------------------------------------

    @cached_property
    def rows(self) -> list[Row]:
        return self.cost.table()

    @cached_property
    def groups(self) -> list[Group]:
        """In order of first use; the rows of a group in order of execution."""
        found: dict[tuple[str, str], list[Row]] = {}
        for row in self.rows:
            found.setdefault((row.phase, row.group), []).append(row)
        phases = list(dict.fromkeys(phase for phase, _ in found))
        return [
            Group(phase, name, rows)
            for wanted in phases
            for (phase, name), rows in found.items()
            if phase == wanted
        ]

    @cached_property
    def totals(self) -> dict[str, Polynomial]:
        counts = self.cost.polynomials
        totals = {"forward": counts.forward}
        if any(row.phase != "forward" for row in self.rows):
            totals |= {"backward": counts.backward, "total": counts.forward + counts.backward}
        return totals

    def weighted(self, rows: Sequence[Row]) -> Polynomial:
        """FLOPs with every function value counted by its weight."""
        return Polynomial.total(
            row.exact + self.weights.get(row.function, 0) * row.evaluations for row in rows
        )

    @property
    def ratio(self) -> str:
        """backward / forward for large sizes."""
        counts = self.cost.polynomials
        return ratio_text(counts.backward, counts.forward)

    # ---- formats ---------------------------------------------------------------------

    def to(self, format: str = "text") -> str:
        """The report as "text", "markdown", "latex", "csv" or "json"."""
        if format not in REPORT_FORMATS:
            raise MatderivError(
                f"a table has no format {format!r}; the formats are {', '.join(REPORT_FORMATS)}"
            )
        if format == "json":
            return json.dumps(self._json(), ensure_ascii=False, indent=2)
        if format == "csv":
            return render(self._flat(), format)
        parts = [render(self._operations(), format), render(self._totals(), format)]
        notes = self._notes()
        if format == "text":
            return "\n\n".join([*parts, "\n".join(notes)])
        if format == "latex":
            notes = [f"% {note}" for note in notes]
            return "\n".join([*parts, *notes])
        return "\n\n".join([*parts, "\n".join(f"- {note}" for note in notes)])

    def _share(self, rows: Sequence[Row]) -> Share:
        whole = float(self.weighted(self.rows).at(self._numbers))
        return Share(float(self.weighted(rows).at(self._numbers)) / whole if whole else 0.0)

    @property
    def _numbers(self) -> dict[str, int]:
        return {**self.cost.sizes, **self.sizes}

    @property
    def _at(self) -> str:
        return ", ".join(f"{name}={size}" for name, size in self.sizes.items())

    def _counted(self, count: Polynomial) -> list[Cell]:
        """exact, leading and, where sizes are given, the number."""
        cells: list[Cell] = [count, count.leading]
        return [*cells, count.bind(self.sizes)] if self.sizes else cells

    def _head(self, *first: str) -> tuple[str, ...]:
        return (*first, "exact", "leading", *([f"at {self._at}"] if self.sizes else []))

    def _operations(self) -> Table:
        head = (*self._head("step", "value", "shape", "operation"), "share")
        rows: list[list[Cell]] = []
        previous = ""
        for group in self.groups:
            phase = group.phase if group.phase != previous else ""
            previous = group.phase
            if len(group.rows) == 1:
                rows.append([phase, group.name, *self._row(group.rows[0])])
                continue
            counted = self._counted(group.exact)
            rows.append([phase, group.name, None, None, *counted, self._share(group.rows)])
            for row in group.rows:
                mark = "└" if row is group.rows[-1] else "├"
                rows.append(["", f"{mark} {row.name}", *self._row(row)])
        return Table(head, rows, frozenset({"share", f"at {self._at}"}))

    def _row(self, row: Row) -> list[Cell]:
        counted = self._counted(row.exact)
        if row.evaluations:
            name = row.function.rpartition(".")[2]
            counted = [f"{row.evaluations} {name}", *[None for _ in counted[1:]]]
        return [shape_text(row.shape), Code(row.formula), *counted, self._share([row])]

    def _totals(self) -> Table:
        rows = [[name, *self._counted(count)] for name, count in self.totals.items()]
        if self.cost.polynomials.evaluations:
            rows.append(["weighted", *self._counted(self.weighted(self.rows))])
        return Table(self._head("FLOPs"), rows, frozenset({f"at {self._at}"}))

    def _notes(self) -> list[str]:
        notes = []
        if "backward" in self.totals:
            notes.append(f"backward/forward {self.ratio}")
            if self.sizes and self.cost.sizes.keys() <= self.sizes.keys():
                notes[-1] += f" ({self.cost.at(**self.sizes).ratio:.4g} at {self._at})"
        for name, count in self.cost.polynomials.evaluations.items():
            short = name.rpartition(".")[2]
            notes.append(
                f"{short}: {count} values, counted apart; weighted, {self.weights[name]} FLOPs each"
            )
        assumed = [f"{k}={v}" for k, v in self.cost.sizes.items() if k not in self.sizes]
        if assumed:
            notes.append(f"shares are those at {', '.join(assumed)}")
        return notes

    def _flat(self) -> Table:
        head = ("step", "value", "name", "shape", "operation", "exact", "leading", "values")
        numbers = (f"at {self._at}",) if self.sizes else ()
        rows: list[list[Cell]] = [
            [
                group.phase,
                group.name,
                row.name,
                shape_text(row.shape),
                row.formula,
                row.exact,
                row.leading,
                row.evaluations,
                *([row.exact.bind(self.sizes)] if self.sizes else []),
                self._share([row]),
            ]
            for group in self.groups
            for row in group.rows
        ]
        return Table((*head, *numbers, "share"), rows)

    def _json(self) -> dict[str, Any]:
        return {
            "sizes": self.sizes,
            "weights": {name: self.weights[name] for name in self.cost.polynomials.evaluations},
            "operations": [
                {
                    "step": row.phase,
                    "value": row.group,
                    "name": row.name,
                    "shape": [str(dim) for dim in row.shape],
                    "operation": row.formula,
                    **self._counts(row.exact),
                    "values": str(row.evaluations),
                    "share": self._share([row]),
                }
                for group in self.groups
                for row in group.rows
            ],
            "groups": [
                {"step": group.phase, "value": group.name, **self._counts(group.exact)}
                for group in self.groups
            ],
            "totals": {name: self._counts(count) for name, count in self.totals.items()},
            "values": {
                name: str(count) for name, count in self.cost.polynomials.evaluations.items()
            },
            "ratio": self.ratio.removeprefix("→ "),
        }

    def _counts(self, count: Polynomial) -> dict[str, Any]:
        counts: dict[str, Any] = {"exact": str(count), "leading": str(count.leading)}
        bound = count.bind(self.sizes)
        if self.sizes:
            number = bound.terms.get((), 0)
            counts["at"] = str(bound) if bound.names else float(Fraction(number))
        return counts
