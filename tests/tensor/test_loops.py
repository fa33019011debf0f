"""What a loop carries: nothing that stays as it starts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from matderiv.calculus.derivative import reverse
from matderiv.calculus.simplify import simplify
from matderiv.tensor.arena import Arena
from matderiv.tensor.loops import build_loop, in_order
from matderiv.tensor.nodes import Carry, Last, Node, Stack, Variable
from matderiv.tensor.traverse import reachable
from tests.loops.programs import PROGRAMS
from tests.numerics import Array, value

SIZES = {"n": 3, "N": 2}


@pytest.mark.parametrize("depth", range(1, 6))
def test_a_loop_in_loops_has_their_value(depth: int) -> None:
    """z ← the loop inside of z, then cos(z) + (depth) x: each with a state of its own."""
    arena = Arena()
    x = arena.variable("x", ("n",))
    array = np.array([0.3, -0.7, 1.1])

    def nested(start: Node, level: int) -> Node:
        if not level:
            return start
        z, u = arena.placeholder(("n",), "z"), arena.placeholder(("n",), "u")
        inner = nested(z + u, level - 1)
        carries = [Carry(z, start, arena.map("cos", inner) + level * x), Carry(u, x, u + z)]
        return build_loop(arena, "N", 1, carries, [], [z], [])[0]

    def by_numpy(z: Array, level: int) -> Array:
        u = array
        for _ in range(2 if level else 0):
            z, u = np.cos(by_numpy(z + u, level - 1)) + level * array, u + z
        return z

    got = value(nested(x, depth), {x: array}, SIZES)
    assert np.allclose(got, by_numpy(array, depth), rtol=1e-12)


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


def _stacks_of_later_values(arena: Arena) -> list[Node]:
    """The stack of z ⊙ exp(y) for a y that was made after the loop, twice, one in the other."""
    start = arena.variable("x", ("n",))
    roots: list[Node] = []
    for k in range(2):
        z = arena.placeholder(("n",), "z")
        carries = [Carry(z, start, arena.map("sin", z))]
        last = build_loop(arena, "N", 1, carries, [], [z], [])[0]
        assert isinstance(last, Last)
        late = arena.map("exp", arena.variable(f"y{k}", ("n",)))
        stack = arena.stack(last.loop, last.loop.carries[0].argument * late)
        roots = [*roots, last, stack]
        start = arena.einsum("ij->j", stack)
    return roots


def test_a_loop_comes_after_all_that_is_captured_for_it() -> None:
    """And each node once, after its children: so a loop is run once for all that is asked."""
    graphs = [_stacks_of_later_values(Arena()), []]
    for deep in PROGRAMS.values():
        lowered = deep.program().lowered(Arena())
        inputs = [lowered.variables[name] for name in deep.wrt.split()]
        graphs.append([lowered.root, *reverse(lowered.root, inputs)])
    for roots in graphs:
        order = in_order(roots)
        place = {node: k for k, node in enumerate(order)}
        assert sorted(place, key=lambda node: node.id) == reachable(roots)
        assert len(place) == len(order)
        for node in order:
            assert all(place[child] < place[node] for child in node.children)
            if isinstance(node, Stack):
                assert all(place[child] < place[node.loop] for child in node.captured)


def test_values_made_after_a_loop_can_be_stacked_in_it() -> None:
    arena = Arena()
    roots = _stacks_of_later_values(arena)
    random = np.random.default_rng(0)
    inputs = [node for node in reachable(roots) if isinstance(node, Variable)]
    arrays = {node: random.normal(size=3) for node in inputs}
    x, *late = arrays.values()
    want = []
    for y in late:
        stack = np.stack([x, np.sin(x)]) * np.exp(y)
        want += [np.sin(np.sin(x)), stack]
        x = stack.sum(0)
    for made in (roots, simplify(roots)):
        for node, array in zip(made, want, strict=True):
            np.testing.assert_allclose(value(node, arrays, SIZES), array, rtol=1e-12)
