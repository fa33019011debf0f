"""What a loop carries: nothing that stays as it starts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from matderiv.tensor.arena import Arena
from matderiv.tensor.loops import build_loop
from matderiv.tensor.nodes import Carry, Last, Node

# What a and b become in a layer, and whether they stay the zeros that they start as.
STEPS: dict[str, tuple[Callable[[Node, Node, Node], tuple[Node, Node]], tuple[bool, bool]]] = {
    "both handed on": (lambda a, b, x: (a, b), (True, True)),
    "exchanged": (lambda a, b, x: (b, a), (True, True)),
    "one of the other": (lambda a, b, x: (3 * a * x, a + b), (True, True)),
    "one handed on, the other of it": (lambda a, b, x: (a, b + a * x), (True, True)),
    "one handed on, the other with it": (lambda a, b, x: (a, x + b + a), (True, False)),
    "one of an input": (lambda a, b, x: (a + x, b * a), (False, True)),
    "both of an input": (lambda a, b, x: (x - b, a + b), (False, False)),
    "a division by one": (lambda a, b, x: (b, a / b), (False, False)),
}


@pytest.mark.parametrize("name", STEPS)
def test_what_stays_as_it_starts_is_not_carried(name: str) -> None:
    step, stays = STEPS[name]
    arena = Arena()
    x, shape = arena.variable("x", ("n",)), ("n",)
    a, b, c = (arena.placeholder(shape, letter) for letter in "abc")
    zero = arena.zero(shape)
    carries = [Carry(p, zero, made) for p, made in zip((a, b), step(a, b, x), strict=True)]
    carries.append(Carry(c, 2 * x, c))
    made = build_loop(arena, "N", 1, carries, [], [a, b, c], [a * c, b * c])
    assert made[2] is 2 * x
    for last, stack, stay in zip(made[:2], made[3:], stays, strict=True):
        assert (last is zero) == stay
        assert (stack is arena.zero(("N", "n"))) == stay
        if isinstance(last, Last):
            assert len(last.loop.carries) == len(stays) - sum(stays)
