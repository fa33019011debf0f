"""Options together, on programs of every kind: an answer, or a refusal in words.

What an option takes is read off its declaration; those that take free text have samples.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from matderiv.commands import COMMANDS, main
from matderiv.commands.command import Command, Option

LOOP = "z = x; repeat l in N { z = tanh(W[l] z) }; sum(z) where W: (N, n, n), x: (n)"
PROGRAMS = {
    "||X w - y||^2": "w",
    "X^-1": "X",
    LOOP: "x",
    "x[0]": "x",
    "l(φ(A x)) where φ: elementwise, l: scalar function": "A",
    "x: (B, D); w: (D, M); y: (B, M)\nh = relu(x w)\n||h - y||^2": "w x",
    "sin(τ)": "τ",
    "S^-1 where S: (n, n) posdef": "S",
    "x' A x + 1": "x then A",
    "3": "x",
}
SAMPLES: dict[str, list[str]] = {
    "--shape": ["x=n", "X=n,d", "b=", "x", "x=0"],
    "--order": ["2", "3", "0", "two"],
    "--at": ["n=64", "n=64,m=20", "q=3", "n=0", "n"],
    "--weights": ["exp=20", "exp", "gauss=3"],
    "--backend": ["numba", "jax", "torch", "cupy"],
    "--budget": ["2KB", "2GB", "much"],
    "--segments": ["sqrt", "2", "0"],
    "--timeline": ["", "life.svg", "life.txt"],
    "--output": ["out.svg", "out.txt", "missing/out.py"],
    "--seconds": ["5", "-1", "soon"],
}
DRAWS = 25


def _values(option: Option) -> list[list[str]]:
    """The ways to give an option."""
    flag = option.flags[-1]
    if option.settings.get("action") == "store_true":
        return [[flag]]
    choices = option.settings.get("choices") or SAMPLES[flag]
    return [[flag, choice] if choice else [flag] for choice in [*choices, "nothing"]]


def _run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = int(stop.code or 0)
    said = capsys.readouterr()
    assert status in (0, 1, 2), arguments
    if status == 0:
        assert said.out.strip(), arguments
    if status == 2:
        assert said.err.strip(), arguments
        assert "Traceback" not in said.err


COUNTING = [
    command
    for command in COMMANDS.values()
    if command.words.startswith("EXPR wrt") and command.name not in ("bench", "verify")
]


@pytest.mark.parametrize("command", COUNTING, ids=lambda command: command.name)
@pytest.mark.parametrize("program", PROGRAMS)
def test_every_option_is_answered_or_refused_in_words(
    command: Command,
    program: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = [command.name, program, "wrt", *PROGRAMS[program].split()]
    ways = [way for option in command.options for way in _values(option)]
    for way in ways:
        _run([*asked, *way], capsys)
    rng = random.Random(f"{command.name} {program}")
    for _ in range(DRAWS):
        _run([*asked, *(word for way in rng.sample(ways, 3) for word in way)], capsys)
