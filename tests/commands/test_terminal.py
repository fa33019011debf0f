"""On a terminal colour and progress; elsewhere plain text, and nothing loaded for it."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.commands.screen import ESCAPE, ROOT, run

LEAST_SQUARES = ("||X w - y||^2", "wrt", "w")
SHOWN = {
    "diff": ("diff", *LEAST_SQUARES),
    "steps": ("diff", *LEAST_SQUARES, "--steps"),
    "check": ("check", *LEAST_SQUARES),
    "verify": ("verify", *LEAST_SQUARES, "equals", "X' (X w - y)"),
    "compile": ("compile", *LEAST_SQUARES),
    "flops": ("flops", *LEAST_SQUARES),
    "error": ("diff", "x y", "wrt", "x"),
}


def plain(text: str) -> str:
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    return re.sub(r"relative error \S+", "", text).rstrip()


def piped(*arguments: str) -> tuple[str, int]:
    made = subprocess.run(
        [sys.executable, "-m", "matderiv", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return made.stdout + made.stderr, made.returncode


@pytest.mark.parametrize("name", SHOWN)
def test_colour_adds_nothing_but_colour(name: str) -> None:
    shown, status = run(*SHOWN[name])
    printed, expected = piped(*SHOWN[name])
    assert ESCAPE in shown
    assert ESCAPE not in printed
    assert plain(shown) == plain(printed)
    assert status == expected


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colour_where_none_is_wanted(environment: dict[str, str]) -> None:
    shown, status = run(*SHOWN["diff"], **environment)
    assert ESCAPE not in shown
    assert "2 Xᵀ(X w - y)" in shown
    assert status == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("bench", *LEAST_SQUARES, "--at", "n=50,m=20"),
        ("plan", "||tanh(tanh(X A) B)||^2", "wrt", "A", "--at", "n=100,m=20,k=30,p=40"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_long_work_shows_progress(arguments: tuple[str, ...]) -> None:
    shown, status = run(*arguments)
    assert status == 0
    assert "━" in shown
    assert "━" not in piped(*arguments)[0]


def test_a_pipe_does_not_load_the_library_of_colours() -> None:
    script = (
        "import sys; from matderiv.commands import main; "
        "main(['diff', \"x' x\", 'wrt', 'x']); main(['flops', \"x' x\", 'wrt', 'x']); "
        "print([name for name in sys.modules if name.split('.')[0] in ('rich', 'shtab', 'sympy')])"
    )
    made = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True
    )
    assert made.stdout.splitlines()[-1] == "[]"
