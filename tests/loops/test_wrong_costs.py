"""Costs of loops broken on purpose: how often a step runs, and what a loop holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest

import matderiv as md
from matderiv.program import loop_memory
from matderiv.program.compiled import CompiledFunction
from matderiv.program.cost import Cost
from matderiv.program.loop_memory import Bytes
from matderiv.program.memory import Memory
from matderiv.program.polynomial import ZERO, Polynomial
from matderiv.program.steps import Body, Step
from tests.loops.programs import PROGRAMS, SIZES, values
from tests.loops.test_blocks import HARDER
from tests.program.counting import count
from tests.program.measuring import measure

NAMES = ["network", "tanh", "residual", "accumulated", "read twice", "nested"]
LAYERS = 5
LARGE = {**SIZES, "B": 96, "M": 48, "K": 24, "N": 21}  # a block starts with the last layer


@cache
def compiled() -> dict[str, CompiledFunction]:
    """Programs as they are, and with their loops in blocks."""
    found = {}
    for name in NAMES:
        deep = PROGRAMS[name]
        found[name] = md.compile(deep.program(), deep.wrt.split())
    for name in ("network", "residual"):
        deep = PROGRAMS[name]
        found[f"{name} in blocks"] = md.compile(deep.program(), deep.wrt.split(), segments="sqrt")
    for name in ("before and after", "gates"):
        program = md.parse(f"x: (B, M); {HARDER[name]}")
        wrt = [key for key in program.inputs if key != "x"]
        found[name] = md.compile(program, wrt, segments=4)
    return found


# ----- FLOPs --------------------------------------------------------------------------------
@cache
def counted(name: str) -> tuple[float, int]:
    function, deep = compiled()[name], PROGRAMS[name.removesuffix(" in blocks")]
    given = values(deep.program(), LAYERS)
    arguments = [given[variable.name] for variable in function.plan.inputs]
    return count(function.module, "value_and_grad", *arguments)


def costs_are_counted() -> None:
    sizes = {**SIZES, "N": LAYERS}
    for name in [name for name in compiled() if name.removesuffix(" in blocks") in PROGRAMS]:
        counts = Cost(compiled()[name].plan).polynomials
        flops, evaluations = counted(name)
        assert flops == float((counts.forward + counts.backward).at(sizes))
        assert evaluations == sum(p.at(sizes) for p in counts.evaluations.values())


Turns = Callable[[Body], Iterator[tuple[Step, Polynomial]]]
RIGHT: Turns = Body.turns


def _times(change: Callable[[Polynomial, Polynomial], Polynomial]) -> Turns:
    def turns(body: Body) -> Iterator[tuple[Step, Polynomial]]:
        layers = Polynomial.of(body.count)
        return ((step, change(times, layers)) for step, times in RIGHT(body))

    return turns


def _without_again(body: Body) -> Iterator[tuple[Step, Polynomial]]:
    again = body.again.body.steps if body.again else ()
    return (pair for pair in RIGHT(body) if pair[0] not in again)


WRONG_TURNS: dict[str, Turns] = {
    "once": _times(lambda times, layers: Polynomial.of()),
    "never": _times(lambda times, layers: ZERO),
    "the last layer like the others": _times(lambda times, layers: layers),
    "all steps are dead in the last layer": _times(lambda times, layers: layers - 1),
    "a layer more": _times(lambda times, layers: times + 1),
    "nothing is computed again": _without_again,
}


def test_costs_of_loops_are_counted() -> None:
    costs_are_counted()


@pytest.mark.parametrize("wrong", WRONG_TURNS)
def test_a_wrong_number_of_turns_breaks_the_law(
    monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    compiled(), [counted(name) for name in NAMES]
    monkeypatch.setattr(Body, "turns", WRONG_TURNS[wrong])
    with pytest.raises(AssertionError):
        costs_are_counted()


# ----- memory -------------------------------------------------------------------------------
@cache
def measured(name: str) -> tuple[int, int]:
    function, random = compiled()[name], np.random.default_rng(0)
    memory = Memory(function.plan, LARGE)
    given = [
        random.normal(size=memory.footprints.numbers(v.shape)) / 8 for v in function.plan.inputs
    ]
    given += [LARGE[dim] for dim in function.plan.free_sizes]
    module = function.module
    return measure(module.forward, *given), measure(module.value_and_grad, *given)


def peaks_are_measured() -> None:
    for name, function in compiled().items():
        memory = Memory(function.plan, LARGE)
        predicted = memory.forward.bytes, memory.value_and_grad.bytes
        assert predicted == pytest.approx(measured(name), rel=0.005)


def test_peaks_of_loops_are_measured() -> None:
    peaks_are_measured()


def _changed(rule: Callable[..., Any], change: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda *given: change(rule(*given))


WRONG_RULES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "no layer": ("_layers", lambda found: (0, ZERO)),
    "a layer more": ("_layers", lambda found: (found[0] + 1, found[1])),
    "a layer less": ("_layers", lambda found: (found[0] - 1, found[1])),
    "no element": ("_element", lambda found: ZERO),
    "elements twice": ("_element", lambda found: 2 * found),
    "no layer at work": ("_layer", lambda found: Bytes(0, ZERO)),
    "two layers at work": ("_layer", lambda found: Bytes(2 * found.number, 2 * found.symbols)),
    "nothing carried": ("_carried", lambda found: ZERO),
    "carried twice": ("_carried", lambda found: 2 * found),
    "nothing stored": ("_stored", lambda found: set()),
    "nothing kept": ("_just_kept", lambda found: set()),
    "no start in a list": ("_is_argument", lambda found: False),
    "a start in each list": ("_is_argument", lambda found: True),
}


@pytest.mark.parametrize("wrong", WRONG_RULES)
def test_a_wrong_rule_breaks_the_law(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    for name in compiled():
        measured(name)
    rule, change = WRONG_RULES[wrong]
    monkeypatch.setattr(loop_memory, rule, _changed(getattr(loop_memory, rule), change))
    with pytest.raises(AssertionError):
        peaks_are_measured()


def test_every_rule_of_the_memory_of_loops_is_broken() -> None:
    rules = {name for name, value in vars(loop_memory).items() if _is_rule(name, value)}
    assert rules == {rule for rule, _ in WRONG_RULES.values()}


def _is_rule(name: str, value: object) -> bool:
    own = getattr(value, "__module__", "") == loop_memory.__name__
    return own and name.startswith("_") and callable(value)
