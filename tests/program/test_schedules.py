"""Orders of steps and results written into operands: the same bits, never more memory."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import matderiv as md
from matderiv.program.assemble import Plan
from matderiv.program.compiled import CompiledFunction
from matderiv.program.memory import Memory
from matderiv.program.reuse import reusing, without_reuse
from matderiv.program.schedules import ORDERS, ordered, orders
from matderiv.program.units import Schedule, Units, rescheduled
from tests.program.measuring import PROGRAMS, SECOND_ORDER, arguments, measure, sizes_from


@cache
def _plain(name: str) -> Plan:
    source, wrt = PROGRAMS[name]
    return without_reuse(md.compile(source, wrt, order=2 if name in SECOND_ORDER else 1).plan)


def _units(plan: Plan) -> Units:
    results = [plan.value.value, *(ref.value for ref in plan.gradients.values())]
    return Units([*plan.forward, *plan.backward], results, Memory(plan).footprints)


def _same_bits(plan: Plan, other: Plan) -> None:
    function, changed = CompiledFunction(plan), CompiledFunction(other)
    given = arguments(function, sizes_from(function, 12))
    for _ in range(2):  # nothing of the caller's is written into
        value, gradients = function.module.value_and_grad(**given)
        found, others = changed.module.value_and_grad(**given)
        assert np.array_equal(value, found)
        for name, gradient in gradients.items():
            assert np.array_equal(gradient, others[name]), name
        inputs = {k: v for k, v in given.items() if k != "cotangent"}
        value, memo = changed.module.forward(**inputs)
        for _ in range(2):  # a cache may be used again
            again = changed.module.backward(memo, given.get("cotangent"))
            for name, gradient in gradients.items():
                assert np.array_equal(gradient, again[name]), name
        if plan.derivatives:
            derived = function.module.derivative(**inputs)
            for name, array in changed.module.derivative(**inputs).items():
                assert np.array_equal(array, derived[name])


@pytest.mark.parametrize("name", PROGRAMS)
def test_orders_keep_bits_and_units_predict_the_peak(name: str) -> None:
    plan = _plain(name)
    units = _units(plan)
    for schedule in orders(units, Schedule.of(plan, units)):
        changed = rescheduled(plan, units, schedule)
        _same_bits(plan, changed)
        exact = Memory(changed).value_and_grad.bytes
        assert units.peak(schedule.every) == pytest.approx(exact, abs=3000, rel=0.001)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_order_taken_is_the_best(name: str) -> None:
    plan = _plain(name)
    units = _units(plan)
    best = min(units.peak(schedule.every) for schedule in orders(units, Schedule.of(plan, units)))
    assert Memory(ordered(plan, Memory(plan).footprints)).value_and_grad.bytes <= best + 3000
    assert len(orders(units, Schedule.of(plan, units))) == len(ORDERS)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_writing_into_operands_keeps_bits_and_lowers_the_peak(name: str) -> None:
    plan = _plain(name)
    changed = reusing(plan, Memory(plan).footprints)
    _same_bits(plan, changed)
    assert Memory(changed).peak.bytes <= Memory(plan).peak.bytes
    assert Memory(changed).forward.bytes <= Memory(plan).forward.bytes


@pytest.mark.parametrize("start", [50, 90, 170])
@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_without_reuse_the_peak_is_measured_too(name: str, start: int) -> None:
    function = CompiledFunction(_plain(name))
    sizes = sizes_from(function, start)
    given = arguments(function, sizes)
    predicted = function.memory(**sizes).value_and_grad.bytes
    measured = measure(function.module.value_and_grad, **given)
    if measured > 30_000:
        assert predicted == pytest.approx(measured, rel=0.005 if measured > 100_000 else 0.01)


def test_a_result_that_overwrites_an_operand_cannot_move() -> None:
    plan = _plain("sigmoid")
    plan = reusing(plan, Memory(plan).footprints)
    with pytest.raises(ValueError, match="ties the order"):
        _units(plan)


def test_a_schedule_that_reads_what_is_not_there_is_refused() -> None:
    plan = _plain("relu")
    units = _units(plan)
    with pytest.raises(ValueError, match="read before they are computed"):
        units.peak(Schedule.of(plan, units).backward)


def test_functions_of_the_caller_may_keep_what_they_saw() -> None:
    """φ may return its argument itself: nothing that it saw is written into."""
    function = md.compile("φ: elementwise; x: (n)\nsum(exp(φ(2 x)))", ["x"])
    assert not any(step.reuses for step in function.plan.steps)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_a_deep_network_is_not_hoisted(activation: str) -> None:
    """In the order of recording all 1 - h² stand first; in the order taken, each its layer."""
    layers = 8
    lines = [f"h{k} = {activation}(h{k - 1} W{k})" for k in range(1, layers + 1)]
    declared = ", ".join(f"W{k}" for k in range(1, layers + 1))
    source = f"h0: (B, M); {declared}: (M, M)\n" + "\n".join([*lines, f"||h{layers}||^2"])
    function = md.compile(source, [f"W{k}" for k in range(1, layers + 1)])
    memory = function.memory(B=500, M=50)
    assert memory.value_and_grad.bytes < 1.6 * memory.cache_bytes


@pytest.mark.parametrize(
    "text", ["tr(A X B)", "a' X b", "c' (A \\ b)", "sin(x)' y", "tr(X' B X C)"]
)
def test_what_dies_is_handed_on_and_what_is_cached_is_copied(text: str) -> None:
    """A gradient that is a value of the forward pass: nobody else may hold it."""
    function = md.compile(text, list(md.parse(text).inputs))
    plan = function.plan
    copies = [step for step in plan.in_one_pass if step.function == "copy"]
    assert copies
    assert all(step.reuses for step in copies)
    assert not any(step.reuses for step in plan.backward if step.function == "copy")
    given = arguments(function, dict(plan.sizes))
    _, cache = function.forward(given)
    first = function.backward(cache)
    kept = {name: np.array(array) for name, array in first.items()}
    for array in first.values():
        if isinstance(array, np.ndarray):
            array[...] = np.nan
    again = function.backward(cache)
    value, joint = function.value_and_grad(given)
    for name, array in kept.items():
        assert np.array_equal(again[name], array)
        assert np.array_equal(joint[name], array)
    results = [np.asarray(value), *map(np.asarray, joint.values())]
    for place, array in enumerate(results):
        others = [*results[:place], *given.values()]
        assert not any(np.shares_memory(array, np.asarray(other)) for other in others)
