"""Cost reports: what is in them, in each format, and that the parts make up the whole."""

from __future__ import annotations

import csv
import io
import json

import pytest

import matderiv as md
from matderiv.commands import main
from matderiv.program.polynomial import Polynomial
from matderiv.reports.flops import REPORT_FORMATS, Report

LAYERS = """
x: (B, D);  w1: (D, D);  w2: (D, K)
h1 = x @ w1
h2 = h1 @ w2
L = h2.pow(2).mean()
L
"""
NETWORK = """
x: (B, M0);  y: (B, M2)
w1: (M0, M1);  w2: (M1, M2);  b1: (M1)
h = tanh(x w1 + b1)
yhat = h w2
||yhat - y||^2
"""


def report(source: str, wrt: list[str], **options: dict[str, int]) -> Report:
    return md.cost(source, wrt).report(**options)


def test_values_and_gradients_have_their_names() -> None:
    found = report(LAYERS, ["w2", "w1"])
    groups: dict[str, list[str]] = {"forward": [], "backward": []}
    for group in found.groups:
        groups[group.phase].append(group.name)
    assert groups["forward"] == ["h1", "h2", "L"]
    assert sorted(groups["backward"]) == ["h1.grad", "h2.grad", "w1.grad", "w2.grad"]
    assert groups["backward"][0] == "h2.grad"
    formulas = {row.name: row.formula for row in found.rows}
    assert formulas["w2.grad"] == "matmul(h1.T, h2.grad)"
    assert formulas["h1.grad"] == "matmul(h2.grad, w2.T)"
    assert formulas["w1.grad"] == "matmul(x.T, h1.grad)"


def test_the_gradient_of_an_input_is_counted_only_when_it_is_asked_for() -> None:
    assert "x.grad" not in report(LAYERS, ["w1", "w2"]).to()
    assert "x.grad" in report(LAYERS, ["w1", "w2", "x"]).to()


@pytest.mark.parametrize("source, wrt", [(LAYERS, ["w1", "x"]), (NETWORK, ["w1", "w2", "b1"])])
def test_groups_add_up_to_the_totals(source: str, wrt: list[str]) -> None:
    found = report(source, wrt)
    for phase in ("forward", "backward"):
        parts = [group.exact for group in found.groups if group.phase == phase]
        assert Polynomial.total(parts) == found.totals[phase]
    assert found.totals["total"] == found.totals["forward"] + found.totals["backward"]


def test_sizes_fill_a_column_and_may_be_given_in_part() -> None:
    text = report(LAYERS, ["w2"], sizes={"B": 64, "D": 512, "K": 10}).to()
    assert "at B=64, D=512, K=10" in text
    assert "33,521,664" in text  # (2 · 512 - 1) 64 · 512
    partial = report(LAYERS, ["w2"], sizes={"B": 64}).to()
    assert "128 D^2 - 64 D" in partial
    with pytest.raises(md.MatderivError, match="no size is called 'N'"):
        report(LAYERS, ["w2"], sizes={"N": 3})


def test_functions_are_counted_apart_by_weights_of_the_users() -> None:
    light, heavy = (report(NETWORK, ["w1"], weights=w) for w in ({"tanh": 1}, {"tanh": 100}))
    rows = [row for row in light.rows if row.evaluations]
    assert [(row.function, str(row.evaluations)) for row in rows] == [("tanh", "B M1")]
    assert light.totals == heavy.totals
    difference = heavy.weighted(heavy.rows) - light.weighted(light.rows)
    assert difference == 99 * Polynomial.of("B", "M1")
    with pytest.raises(md.MatderivError, match="no function with a weight is called 'tanq'"):
        report(NETWORK, ["w1"], weights={"tanq": 1})


def test_shares_add_up_to_one() -> None:
    found = json.loads(report(NETWORK, ["w1", "w2", "b1"]).to("json"))
    assert sum(row["share"] for row in found["operations"]) == pytest.approx(1)


@pytest.mark.parametrize("format", REPORT_FORMATS)
def test_every_format_has_every_operation(format: str) -> None:
    found = report(NETWORK, ["w1", "w2"], sizes={"B": 8})
    text = found.to(format)
    for row in found.rows:
        assert row.formula.replace("_", r"\_" if format == "latex" else "_") in text


def test_csv_and_json_are_read_by_machines() -> None:
    sizes = {"B": 64, "D": 512, "K": 10}
    found = report(LAYERS, ["w1", "w2"], sizes=sizes)
    rows = list(csv.DictReader(io.StringIO(found.to("csv"))))
    at = "at B=64, D=512, K=10"
    totals = json.loads(found.to("json"))["totals"]
    for phase in ("forward", "backward"):
        total = sum(int(row[at]) for row in rows if row["step"] == phase)
        assert total == totals[phase]["at"]


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(md.MatderivError, match="the formats are text, markdown"):
        report(LAYERS, ["w1"]).to("html")


def test_the_command_prints_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["flops", LAYERS, "wrt", "w1", "w2", "x", "--at", "B=64,D=512,K=10"]
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "backward/forward → 2 (1.992 at B=64, D=512, K=10)" in text
    assert main([*words, "--format", "markdown", "--weights", "exp=20"]) == 0
    assert "| `matmul(x, w1)`" in capsys.readouterr().out
    assert main([*words, "--weights", "exp"]) == 2
    assert "--weights wants NAME=NUMBER" in capsys.readouterr().err
