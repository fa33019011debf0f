"""The benchmarks run: cases agree, rows are kept and written, no accelerator is needed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import compilation
from benchmarks.suite.case import Case, flat
from benchmarks.suite.cases import CASES
from benchmarks.suite.contestants import OURS, Contestant, ours
from benchmarks.suite.goals import PEERS, misses, summary
from benchmarks.suite.race import CHECKS, LOADING, Row, race


@pytest.mark.parametrize("make", [ours.numpy_code, ours.blocked_code], ids=["plain", "blocked"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.name))
def test_our_answer_is_that_of_the_code_by_hand(case: Case, make: Contestant) -> None:
    values = case.values(case.sizes[0])
    expected = case.by_hand(values)()
    found = flat(make(case, values)(), case.wrt)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * np.max(np.abs(b)))


def test_compilation_prints_a_row_for_each_case(capsys: pytest.CaptureFixture[str]) -> None:
    compilation.main(["quadratic form", "factorisation, H V"])
    head, *rows, last = capsys.readouterr().out.splitlines()
    assert head.split() == ["ms", "any", "sized", "answer"]
    assert [len(row[32:].split()) for row in rows] == [3] * 4
    assert last.startswith("below 20 ms, of 4")


def test_a_row_has_a_time_for_each_contestant() -> None:
    (row,) = race(["small"], "quadratic form, Hessian", 0.0, ["ours", "ours blocked"])
    assert set(row.seconds) == {"hand", "ours", "ours blocked", CHECKS, LOADING}
    assert all(time > 0 for time in [*row.seconds.values(), row.first["ours"]])


def test_kept_rows_are_joined_by_their_ratios_to_hand(tmp_path: Path) -> None:
    from benchmarks.suite import page

    path = tmp_path / "results.json"
    name = CASES[0].name
    page.keep(path, [Row(name, "small", {"hand": 1.0, "jax": 3.0}, {"jax": 0.1}, {})], 1)
    page.keep(path, [Row(name, "small", {"hand": 2.0, "ours": 2.0}, {"ours": 0.01}, {})], 1)
    (row,) = json.loads(path.read_text())["rows"]
    assert row["seconds"] == {"hand": 2.0, "ours": 2.0, "jax": 6.0}
    written = (tmp_path / "RESULTS.md").read_text("utf-8")
    assert "3.00" in written
    assert "10 × sooner" in written


def test_an_answer_is_flat_in_the_order_of_the_variables() -> None:
    terms = {"b": [("i->ii", 3.0)], "a": [("ij->ij", 1.0), ("i,j->ij", 2.0, 2.5)]}
    assert flat(terms, ["a", "b"]) == [1.0, 2.0, 2.5, 3.0]
    assert flat((0.0, {"b": 2.0, "a": 1.0}), ["a", "b"]) == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("size", ["small", "medium", "large"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.name))
def test_each_row_that_misses_a_goal_says_why(case: Case, size: str) -> None:
    for theirs in PEERS:
        met = {"hand": 1e-6, "ours": 1e-6, theirs: 1e-6}
        assert not misses([Row(case.name, size, met, {}, {})])
        (line,) = misses([Row(case.name, size, {**met, "ours": 2e-6, CHECKS: 4e-7}, {}, {})])
        assert "2.00 of hand" in line
        assert "0.40 µs, floor 1.40" in line
        (line,) = misses([Row(case.name, size, {**met, theirs: 5e-7}, {}, {})])
        how_much, *reasons = line.split("; ")
        assert how_much.endswith(f"ours takes 2.00 of {theirs}")
        assert reasons


def test_the_summary_counts_rows_and_takes_the_best_of_ours() -> None:
    rows = [
        Row("a", "small", {"hand": 1.0, "ours": 1.15, "ours torch.compile": 0.9}, {}, {}),
        Row("b", "large", {"hand": 1.0, "ours": 1.1, "ours blocked": 0.8, "jax": 0.7}, {}, {}),
    ]
    first, second = summary(rows)
    assert "in 1 of 2 rows" in first
    assert "≤ 1.0 in 1, ≤ 1.15 in 2 of 2 rows, worst 1.14" in second
    assert {"ours torch.compile", "ours blocked"} <= set(OURS)


@pytest.mark.heavy
def test_rows_run_without_an_accelerator() -> None:
    pytest.importorskip("torch")
    from benchmarks import accelerator

    rows = accelerator.race(["small"], "softmax(A x)", 0.0)
    assert [row.kind for row in rows] == ["float32", "bfloat16"]
    for row in rows:
        assert {"ours jax", "jax", "ours torch", "torch"} <= row.seconds.keys()
        assert all(error < accelerator.TOLERANCE[row.kind] for error in row.errors.values())
