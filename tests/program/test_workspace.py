"""A workspace changes no bit of a result, and holds no result."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import matderiv as md
from matderiv.errors import UnsupportedError
from tests.backends.programs import PROGRAMS, results, values_for
from tests.loops.programs import PROGRAMS as LOOPS
from tests.loops.programs import values as loop_values
from tests.program.measuring import arguments, measure, sizes_from


@pytest.mark.parametrize("name", PROGRAMS)
def test_results_are_the_same_bits_and_stay(name: str) -> None:
    source, wrt, order = PROGRAMS[name]
    plain = md.compile(source, wrt, order=order)
    held = md.compile(source, wrt, order=order, workspace=True)
    first, later = values_for(plain, 0), values_for(plain, 1)
    smaller = values_for(plain, 2, start=3)
    found = results(held, *first)
    results(held, *later)
    if name not in ("nuclear", "padding", "kron"):  # of some sizes alone
        results(held, *smaller)
    for key, array in results(plain, *first).items():
        np.testing.assert_array_equal(found[key], array, err_msg=key)
    assert held.module.self_check() == 0


@pytest.mark.parametrize("name", ["network", "two carries", "nested stacks"])
def test_loops(name: str) -> None:
    program, wrt = LOOPS[name].program(), LOOPS[name].wrt.split()
    values = loop_values(program, 3)
    held = md.compile(program, wrt, workspace=True)
    value, gradients = held.value_and_grad(values)
    held.value_and_grad({name: 2 * array for name, array in values.items()})
    expected, exact = md.compile(program, wrt).value_and_grad(values)
    assert value == expected
    for key, want in exact.items():
        np.testing.assert_array_equal(gradients[key], want)


def test_threads_have_buffers_of_their_own() -> None:
    source, wrt, _ = PROGRAMS["mlp"]
    held = md.compile(source, wrt, workspace=True)
    points = [values_for(held, seed, start=30)[0] for seed in range(4)]
    expected = [md.compile(source, wrt).value_and_grad(point) for point in points]
    failed: list[int] = []

    def work(k: int) -> None:
        for _ in range(50):
            value, gradients = held.value_and_grad(points[k])
            same = all(np.array_equal(gradients[n], g) for n, g in expected[k][1].items())
            if value != expected[k][0] or not same:
                failed.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


@pytest.mark.parametrize("name", ["tanh", "factorisation", "attention", "two heads"])
def test_a_second_call_allocates_what_is_predicted(name: str) -> None:
    source, wrt, _ = PROGRAMS[name]
    held, plain = md.compile(source, wrt, workspace=True), md.compile(source, wrt)
    sizes = sizes_from(held, 120)
    given: dict[str, Any] = arguments(held, sizes)
    measured = measure(held.module.value_and_grad, **given)
    predicted = held.memory(**sizes).value_and_grad.bytes
    assert predicted == pytest.approx(measured, rel=0.01, abs=1500)
    assert measured < measure(plain.module.value_and_grad, **given)


def test_what_a_workspace_does_not_go_with() -> None:
    with pytest.raises(UnsupportedError, match="numpy's code"):
        md.compile("x' x", "x", workspace=True, backend="jax")
    with pytest.raises(UnsupportedError, match="may call back"):
        md.compile("sum(phi(x)) where phi: elementwise", "x", workspace=True)
