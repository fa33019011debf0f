"""The benchmarks run: cases agree, rows are kept and written, no accelerator is needed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import compilation
from benchmarks.suite.cases import CASES
from benchmarks.suite.contestants import ours
from benchmarks.suite.race import Row, race


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.name))
def test_our_answer_is_that_of_the_code_by_hand(case: object) -> None:
    values = case.values(case.sizes[0])  # type: ignore[attr-defined]
    expected = case.hand(**values)  # type: ignore[attr-defined]
    found = ours.numpy_code(case, values)()  # type: ignore[arg-type]
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * np.max(np.abs(b)))


def test_compilation_prints_a_row_for_each_case(capsys: pytest.CaptureFixture[str]) -> None:
    compilation.main(["quadratic form", "factorisation, H V"])
    head, *rows, last = capsys.readouterr().out.splitlines()
    assert head.split() == ["ms", "any", "sized", "answer"]
    assert [len(row[32:].split()) for row in rows] == [3] * 4
    assert last.startswith("below 20 ms, of 4")


def test_a_row_has_a_time_for_each_contestant() -> None:
    (row,) = race(["small"], "quadratic form, Hessian", 0.0, ["ours"])
    assert set(row.seconds) == {"hand", "ours"}
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


@pytest.mark.heavy
def test_rows_run_without_an_accelerator() -> None:
    pytest.importorskip("torch")
    from benchmarks import accelerator

    rows = accelerator.race(["small"], "softmax(A x)", 0.0)
    assert [row.kind for row in rows] == ["float32", "bfloat16"]
    for row in rows:
        assert {"ours jax", "jax", "ours torch", "torch"} <= row.seconds.keys()
        assert all(error < accelerator.TOLERANCE[row.kind] for error in row.errors.values())
