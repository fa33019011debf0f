"""What one call may take: its time, the length of its text, the size of its arrays."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import matderiv as md
from matderiv.commands import COMMANDS, main
from matderiv.tensor.arena import Arena
from matderiv.tensor.evaluate import evaluate
from matderiv.tensor.nodes import Factor

_TEXT = "||X w - y||^2"


def _calls() -> dict[str, Callable[[], Any]]:
    """Every public function, and the methods that work; what they are called on is made before."""
    program, derivative = md.parse(_TEXT), md.diff(_TEXT, "w")
    values = {"X": [[1.0]], "w": [1.0], "y": [1.0]}
    form = derivative.differential()
    return {
        "parse": lambda: md.parse(_TEXT),
        "diff": lambda: md.diff(program, "w"),
        "check": lambda: md.check(program, "w"),
        "verify": lambda: md.verify(program, "w", "2 X' (X w - y)"),
        "compile": lambda: md.compile(program, "w"),
        "cost": lambda: md.cost(program, "w"),
        "modes": lambda: md.modes(program, "w"),
        "Program.evaluate": lambda: program.evaluate(values),
        "Derivative.evaluate": lambda: derivative.evaluate(values),
        "Derivative.check": lambda: derivative.check(),
        "Derivative.to": lambda: derivative.to("index"),
        "Derivative.differential": lambda: derivative.differential(),
        "Derivative.vjp": lambda: derivative.vjp(),
        "Derivative.hvp": lambda: derivative.hvp(),
        "Derivative.vec": lambda: derivative.vec(),
        "Derivative.diff": lambda: derivative.diff("w"),
        "Derivative.cost": lambda: derivative.cost(),
        "Derivative.steps": lambda: derivative.steps(),
        "Form.to": lambda: form.to("latex"),
    }


@pytest.mark.parametrize("name", _calls())
def test_every_call_has_a_limit_of_time(name: str) -> None:
    call = _calls()[name]
    with md.limits(seconds=0), pytest.raises(md.LimitError, match="more than 0 seconds"):
        call()
    call()  # refused before, and not spoilt


def test_limits_nest_and_end() -> None:
    with md.limits(seconds=0, characters=3):
        with md.limits(seconds=5), pytest.raises(md.LimitError, match="the limit is 3"):
            md.parse(_TEXT)
        with pytest.raises(md.LimitError):
            md.diff("x", "x")
    assert md.diff(_TEXT, "w").check()


def test_no_array_is_larger_than_the_limit() -> None:
    with pytest.raises(md.LimitError, match="100,000,000,000,000,000,000 entries"):
        md.parse("kron(eye(10000000000), 2 ones(1, 1))").evaluate({})
    with md.limits(entries=8), pytest.raises(md.LimitError, match="9 entries; the limit is 8"):
        md.parse("x x'").evaluate({"x": [1.0, 2.0, 3.0]})


@pytest.mark.parametrize("limit", [-1, float("nan"), "10", None])
def test_a_limit_is_a_number(limit: Any) -> None:
    if limit is None:
        with md.limits(seconds=limit):
            assert md.parse("x")
        return
    with (
        pytest.raises(md.MatderivError, match="a limit is a number from 0"),
        md.limits(seconds=limit),
    ):
        pass


def test_a_command_has_a_limit_of_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "A^64", "wrt", "A", "--order", "3", "--seconds", "0.01"]) == 2
    captured = capsys.readouterr()
    assert not captured.out
    assert captured.err.startswith("LimitError: this takes more than 0.01 seconds")
    untimed = {name for name, each in COMMANDS.items() if "--seconds" not in str(each.options)}
    assert untimed == {"bench", "serve", "repl", "explain", "completion"}


# text, variable, order: each would take minutes, or all memory
_HEAVY = [
    ("A^257", "A", 3),
    ("sin(" * 5000 + "t" + ")" * 5000 + " where t: ()", "t", 1),
    ("(x) .* " * 14_000 + "x", "x", 2),
    ("z = x; repeat l in 4097 { z = W[l] z }; z where W: (4097, n, n)", "W", 1),
    ("x + " * 240_000 + "x", "x", 1),
]


@pytest.mark.parametrize(("text", "wrt", "order"), _HEAVY, ids=[text[:30] for text, _, _ in _HEAVY])
def test_what_is_too_much_is_refused(text: str, wrt: str, order: int) -> None:
    with md.limits(seconds=0.3), pytest.raises(md.LimitError):
        md.check(text, wrt, order=order)


def test_the_clock_is_asked_at_every_step_of_long_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """For 16 nodes that are made, each that is evaluated, each pair that cancels in a product."""
    asked = 0
    clock = time.monotonic

    def counted() -> float:
        nonlocal asked
        asked += 1
        return clock()

    monkeypatch.setattr(time, "monotonic", counted)

    arena, steps = Arena(), 64
    x = root = arena.variable("x", ("n",))
    asked = 0
    for _ in range(16 * steps):
        root = arena.map("sin", root)
    assert asked >= steps
    asked = 0
    evaluate([root], {x: np.ones(2)}, {"n": 2})
    assert asked >= 16 * steps

    turns = [arena.variable(f"Q{k}", ("n", "n"), ["orthogonal"]) for k in range(steps)]
    chain = [Factor(q, (k, k + 1), 1) for k, q in enumerate(turns)]
    back = [Factor(q, (2 * steps - k, 2 * steps - k - 1), 1) for k, q in enumerate(turns)]
    assert not any(map(arena.is_symmetric, turns))  # found out now, not on the way
    asked = 0
    made = arena.product(
        1, [*chain, *back], (0, 2 * steps), dict.fromkeys(range(2 * steps + 1), "n")
    )
    assert made is arena.identity("n")
    assert asked >= steps
