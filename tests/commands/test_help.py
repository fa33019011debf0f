"""What the command line says of itself is true: examples run, near misses are named."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from matderiv import errors
from matderiv.commands import COMMANDS, main
from matderiv.commands.explain import explanation
from matderiv.errors import MatderivError

KINDS = [kind.__name__ for kind in MatderivError.__subclasses__()]
SHOWN = [
    example
    for command in COMMANDS.values()
    for example in command.examples
    if command.name not in ("serve", "repl")  # which go on until told to end
]


def run(command: str) -> int:
    try:
        return main(shlex.split(command)[1:])
    except SystemExit as stop:
        return int(stop.code or 0)


@pytest.mark.parametrize("example", SHOWN)
def test_an_example_of_the_help_runs(example: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f"matderiv {example}") == 0
    assert capsys.readouterr().out.strip()


def test_help_names_every_command_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("matderiv --help") == 0
    printed = capsys.readouterr().out
    for name, command in COMMANDS.items():
        assert re.search(rf"^    {name}\s+{command.summary.split()[0]}", printed, re.MULTILINE)
        assert f"matderiv {command.examples[0]}\n" in printed


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_has_its_options_and_examples(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(f"matderiv {name} --help") == 0
    printed = capsys.readouterr().out
    for option in COMMANDS[name].options:
        assert option.flags[-1] in printed
        assert option.settings["help"].split()[0] in printed
    for example in COMMANDS[name].examples:
        assert example.split()[0] == name
        assert f"matderiv {example}\n" in printed


@pytest.mark.parametrize("name", [name for name in COMMANDS if "EXPR wrt" in COMMANDS[name].words])
def test_a_name_is_looked_up_by_every_command(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    claim = " equals x" if name == "verify" else ""
    assert run(f'matderiv {name} "||W_1 x||^2" wrt q{claim}') == 2
    assert "NameResolutionError: 'q' does not occur" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["diff", "check", "compile", "flops", "memory", "graph"])
def test_every_spelling_of_a_name_is_taken(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f'matderiv {name} "||W_1 x||^2" wrt W₁') == 0
    capsys.readouterr()


def test_without_a_command_the_overview_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("matderiv") == 2
    printed = capsys.readouterr()
    assert "commands:" in printed.err
    assert not printed.out


@pytest.mark.parametrize(
    "command, said",
    [
        ("matderiv dif x wrt x", "matderiv: no command: dif (choose from diff, check,"),
        ("matderiv dif x wrt x", "did you mean diff?"),
        ("matderiv --layout mixed diff x wrt x", "matderiv: a command comes before its options"),
        ("matderiv diff x wrt x --layot mixed", "did you mean --layout?"),
        ("matderiv diff x wrt x --layout numerater", "did you mean numerator?"),
        ("matderiv diff x wrt x --zzz", "there is no option --zzz; see matderiv diff --help"),
        (
            "matderiv diff x wrt x --budget=2GB",
            "no option --budget=2GB; it is one of compile, plan",
        ),
        ("matderiv diff x wrt x --s", "more than one option begins so: --s could match --shape,"),
        ("matderiv diff x wrt x --order two", "--order: invalid int value: two"),
        ("matderiv diff x wrt x --at", "there is no option --at; it is one of compile, flops"),
        ("matderiv flops x wrt x --at", "--at: expected one argument; see matderiv flops --help"),
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


def test_a_file_is_kept_unless_forced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in ('compile "x\' x" wrt x -o out.py', 'graph "x\' x" wrt x -o out.dot'):
        assert run(f"matderiv {command}") == 0
        assert run(f"matderiv {command}") == 2
        error = capsys.readouterr().err
        assert error.splitlines()[1:] == ["  try: --force to replace it"]
        assert run(f"matderiv {command} --force") == 0


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
    listed = explanation().splitlines()
    assert [line.split()[0] for line in listed] == sorted(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_is_found_by_its_short_name(kind: str) -> None:
    for name in (kind.lower(), kind.removesuffix("Error"), kind.removesuffix("Error").lower()):
        assert explanation(name) == explanation(kind)
