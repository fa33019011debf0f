"""What the command line says of itself is true: examples run, near misses are named."""

from __future__ import annotations

import re
import shlex

import pytest

from matderiv import errors
from matderiv.cli import COMMANDS, main
from matderiv.errors import MatderivError
from matderiv.explain import explain
from matderiv.usage import EXAMPLES

KINDS = [kind.__name__ for kind in MatderivError.__subclasses__()]
SHOWN = [line.strip() for line in EXAMPLES.splitlines() if line.startswith("  matderiv ")]


def run(command: str) -> int:
    try:
        return main(shlex.split(command)[1:])
    except SystemExit as stop:
        return int(stop.code or 0)


@pytest.mark.parametrize("command", [line for line in SHOWN if line != "matderiv serve"])
def test_an_example_of_the_help_runs(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command) == 0
    assert capsys.readouterr().out.strip()


def test_help_shows_the_examples_and_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("matderiv --help") == 0
    printed = capsys.readouterr().out
    assert EXAMPLES.strip() in printed
    for name in COMMANDS:
        assert name in printed


@pytest.mark.parametrize(
    "command, said",
    [
        ("matderiv dif x wrt x", "did you mean diff?"),
        ("matderiv diff x wrt x --layot mixed", "did you mean --layout?"),
        ("matderiv diff x wrt x --layout numerater", "did you mean numerator?"),
        ("matderiv diff x wrt x --zzz", "see matderiv --help"),
        ("matderiv diff x wrt x --order two", "--order: invalid int value: two"),
        ('matderiv diff "x\' yhat where yhat: (n)" wrt yhatt', "did you mean yhat?"),
        ('matderiv diff "sofmax(x)" wrt x', "did you mean softmax"),
        ("matderiv explain ShapErorr", "did you mean ShapeError?"),
    ],
)
def test_a_near_miss_is_named(command: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert not printed.out
    assert "usage:" not in printed.err


# ---- explain ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_an_error_is_explained_by_an_input_and_its_fix(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(f"matderiv explain {name.lower()}") == 0
    page = capsys.readouterr().out
    assert page.startswith(f"{name}: ")
    broken, fixed = (
        re.findall(rf"^ +{kind} +(matderiv .*)$", page, re.MULTILINE)
        for kind in ("broken", "fixed")
    )
    assert len(broken) == len(fixed) > 0
    for command in broken:
        assert run(command) == 2
        assert capsys.readouterr().err.startswith(f"{name}: ")
    for command in fixed:
        assert run(command) == 0
    capsys.readouterr()


def test_every_error_has_a_page() -> None:
    assert {*KINDS, "MatderivError"} <= set(errors.__all__)
    listed = explain().splitlines()
    assert [line.split()[0] for line in listed] == sorted(KINDS)
