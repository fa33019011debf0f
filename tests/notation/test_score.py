"""Every corpus formula prints as short as it ever did, and as short as its source."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.notation.score import (
    CORPUS,
    REPORT,
    assigned_names,
    count,
    count_print,
    read_report,
    score,
)

FORMULAS: list[dict[str, Any]] = json.loads((CORPUS / "formulas.json").read_text("utf-8"))
RECORDED = read_report()
SHORT = 0.97  # of the formulas are as short as their source
LONGEST = 1.5  # times its source, of any


@pytest.fixture(scope="module")
def rows() -> list[Any]:
    return score(FORMULAS)


def test_no_print_is_longer_than_the_report_says(rows: list[Any]) -> None:
    """`python -m tests.notation.score` writes the report anew once prints are shorter."""
    assert RECORDED.keys() == {case["id"] for case in FORMULAS}, (
        f"{REPORT.name} is of another corpus"
    )
    longer = [f"{row} (was {RECORDED[row.id]})" for row in rows if row.ours > RECORDED[row.id]]
    assert not longer, "\n".join(longer)


def test_prints_are_as_short_as_their_sources(rows: list[Any]) -> None:
    compared = [row for row in rows if row.theirs is not None]
    short = sum(row.ours <= row.theirs for row in compared)
    assert short >= SHORT * len(compared)
    assert sum(row.ours for row in compared) < sum(row.theirs for row in compared)
    assert [str(row) for row in compared if row.ours > LONGEST * row.theirs] == []


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("2 X' (X w - y)", 7),
        ("-X^-1 a b' X^-1", 8),
        ("||x||^2 ones(n)", 5),
        ("mean(X, axis=0)", 3),
        ("0.5 x.^-1", 5),
        ("A \\ (B .* C)", 5),
        (r"X^{\top} X + X^{-T}", 6),
        ("||W||_F^2", 4),
    ],
)
def test_count(text: str, length: int) -> None:
    assert count(text) == length


def test_names_may_be_written_together() -> None:
    assert count("2X'(Xw - y)", ["X", "w", "y"]) == 7
    assert count("Xw", ["X", "Xw"]) == 1


def test_made_up_lines_count_and_the_users_own_do_not() -> None:
    assert assigned_names("h = A x; δ = 2 h\ny = h[0]") == {"h", "δ", "delta", "y"}
    assert count_print("A h where h = A x", {"h"}) == 2
    assert count_print("A T_0 where T_0 = A x", {"h"}) == 6
    assert count_print("f'(x) where f: elementwise", set()) == 3
