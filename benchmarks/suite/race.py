"""Run the contestants of each case in turns and print the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from statistics import geometric_mean, median
from time import perf_counter
from typing import Any

import numpy as np

import matderiv as md
from benchmarks.suite.cases import CASES, Case, Sizes, Values
from benchmarks.suite.peers import installed
from matderiv.program.compiled import CompiledFunction
from matderiv.second_order import compile_hessian_product

__all__ = ["race"]

_SIZES = ("small", "medium", "large")
_SLOW = 3.0  # seconds; a contestant that needs more for one call is not timed
OURS = "generated"

Call = Callable[[], tuple[Any, ...]]


def race(sizes: Sequence[str], only: str, seconds: float) -> int:
    peers = installed()
    columns = [OURS, *peers]
    print(f"{'case':32}{'size':8}{'hand':>10}" + "".join(f"{c:>13}" for c in columns) + "   first")
    ratios: list[float] = []
    ahead: list[bool] = []
    for case in CASES:
        if only not in case.name:
            continue
        for size in sizes:
            found = _row(case, case.sizes[_SIZES.index(size)], peers, seconds)
            hand = found["hand"][1]
            cells = "".join(f"{_cell(found.get(c), hand):>13}" for c in columns)
            firsts = "  ".join(f"{c} {1e3 * found[c][0]:.0f} ms" for c in columns if c in found)
            print(f"{case.name:32}{size:8}{_time(hand):>10}{cells}   {firsts}", flush=True)
            ratios.append(found[OURS][1] / hand)
            rest = [found[c][1] for c in peers if c in found and np.isfinite(found[c][1])]
            ahead.append(found[OURS][1] <= min(rest, default=np.inf))
    print(
        f"\n{OURS} / hand: geometric mean {geometric_mean(ratios):.2f}, "
        f"worst {max(ratios):.2f}; ahead of every framework in {sum(ahead)} of {len(ahead)} rows"
    )
    return 0


def _row(
    case: Case, sizes: Sizes, peers: dict[str, Any], seconds: float
) -> dict[str, tuple[float, float]]:
    """For each contestant the seconds before its first answer, and the median of a call."""
    values = case.values(sizes)
    calls: dict[str, Call] = {"hand": lambda: case.hand(**values)}
    first = {"hand": 0.0}
    expected = calls["hand"]()
    ours = partial(_generated, sizes=sizes)
    for name, make in {OURS: ours, **peers}.items():
        start = perf_counter()
        call = make(case, values)
        answer = call()
        first[name] = perf_counter() - start
        _check(case, name, answer, expected)
        calls[name] = call
    return {name: (first[name], t) for name, t in _medians(calls, seconds).items()}


def _generated(case: Case, values: Values, sizes: Sizes) -> Call:
    md.api._compiled.cache_clear()  # a first answer, not a remembered one
    if case.asked == "product":
        product = compile_hessian_product(md.parse(case.source), list(case.wrt), sizes=sizes)
        return _derivatives(product, values)
    function = md.compile(case.source, list(case.wrt), order=case.order, sizes=sizes)
    if case.asked == "dense":
        return _derivatives(function, values)
    arguments = _arguments(function, values)
    call = function.module.value_and_grad

    def both() -> tuple[Any, ...]:
        value, gradients = call(*arguments)
        return (value, *gradients.values())

    return both


def _derivatives(function: CompiledFunction, values: Values) -> Call:
    arguments, call = _arguments(function, values), function.module.derivative
    return lambda: tuple(call(*arguments).values())


def _arguments(function: CompiledFunction, values: Values) -> list[Any]:
    plan = function.plan
    return [values[v.name] for v in plan.inputs if v is not plan.cotangent]


def _check(case: Case, name: str, answer: Sequence[Any], expected: Sequence[Any]) -> None:
    for a, b in zip(answer, expected, strict=True):
        scale = np.max(np.abs(b)) or 1.0
        error = np.max(np.abs(np.asarray(a) - b)) / scale
        assert error < 1e-9, f"{name} is wrong on {case.name}: relative error {error:.1e}"


def _medians(calls: dict[str, Call], seconds: float) -> dict[str, float]:
    """Medians of calls taken in turns; short ones are repeated within a turn."""
    once = {name: min(_timed(call, 1) for _ in range(2)) for name, call in calls.items()}
    calls = {name: call for name, call in calls.items() if once[name] < _SLOW}
    repeats = {name: max(1, int(1e-3 / once[name])) for name in calls}
    total = sum(once[name] * repeats[name] for name in calls)
    turns = min(201, max(7, int(seconds * len(calls) / total)))
    samples: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(turns):
        for name, call in calls.items():
            samples[name].append(_timed(call, repeats[name]))
    return {name: median(times) for name, times in samples.items()} | {
        name: float("nan") for name in once if name not in calls
    }


def _timed(call: Call, repeats: int) -> float:
    start = perf_counter()
    for _ in range(repeats):
        call()
    return (perf_counter() - start) / repeats


def _time(seconds: float) -> str:
    return f"{1e6 * seconds:.1f} µs" if seconds < 1e-3 else f"{1e3 * seconds:.2f} ms"


def _cell(found: tuple[float, float] | None, hand: float) -> str:
    if found is None or not np.isfinite(found[1]):
        return "-"
    return f"{found[1] / hand:.2f}"
