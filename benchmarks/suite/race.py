"""Run the contestants of each case in turns and print the table."""

from __future__ import annotations

import gc
import resource
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np

from benchmarks.suite.case import SIZES, Call, Case, flat
from benchmarks.suite.cases import CASES
from benchmarks.suite.contestants import OURS, Contestant, installed
from benchmarks.suite.contestants.ours import checks, loading

__all__ = ["CHECKS", "LOADING", "MODULE", "Row", "race"]

_SLOW = 0.3  # seconds; who needs more for one call is not timed, nor asked at larger sizes
_LONG = 0.03  # seconds; such a call brings its own data into the caches
_HAND = "hand"
CHECKS = "checks"
"""The time of what a generated NumPy function does before it computes."""
LOADING = "loading"
"""The time in which Python loads the text of a generated NumPy module: no derivation is in it."""
MODULE = "our module"
"""The time until our NumPy module is loaded: derivation, code and import, without a call."""


@dataclass(frozen=True)
class Row:
    """One case at one size: for each contestant the seconds of a call and before the first.

    `failed` says of the others why they do not run.
    """

    case: str
    size: str
    seconds: Mapping[str, float]
    first: Mapping[str, float]
    failed: Mapping[str, str]

    @property
    def hand(self) -> float:
        return self.seconds[_HAND]

    def ratio(self, name: str) -> float:
        return self.seconds[name] / self.hand

    def best(self, names: Sequence[str]) -> tuple[str, float]:
        """The fastest of these, and its seconds."""
        timed = {name: self.seconds[name] for name in names if name in self.seconds}
        name = min(timed, key=timed.__getitem__, default="")
        return name, timed.get(name, float("inf"))


def race(
    sizes: Sequence[str],
    only: str,
    seconds: float,
    contestants: Sequence[str] = (),
    report: Callable[[Row], None] = lambda row: None,
) -> list[Row]:
    """Time the cases whose name holds `only`; `report` hears of each row when it is done."""
    names = installed()
    running = {k: make for k, make in names.items() if not contestants or k in contestants}
    for make in running.values():
        make(CASES[0], CASES[0].values(CASES[0].sizes[0]))()  # what a process pays once
    rows = []
    for case in CASES:
        slow: dict[str, str] = {}
        for size in SIZES:
            if only in case.name and size in sizes:
                row = _row(case, size, running, slow, seconds)
                report(row)
                rows.append(row)
    return rows


def _row(
    case: Case, size: str, running: Mapping[str, Contestant], slow: dict[str, str], seconds: float
) -> Row:
    values = case.values(case.sizes[SIZES.index(size)])
    calls: dict[str, Call] = {_HAND: case.by_hand(values)}
    expected = calls[_HAND]()
    first: dict[str, float] = {}
    failed: dict[str, str] = {}
    for name, make in running.items():
        if case.asked == "compressed" and name not in OURS:
            continue  # no framework has such a result
        if name in slow:
            failed[name] = slow[name]
            continue
        try:
            start = _clocks()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                call = make(case, values)
                if name == "ours":
                    first[MODULE] = _since(start)
                answer = call()
            first[name] = _since(start)
        except Exception as error:
            if name in OURS:
                raise
            failed[name] = f"{type(error).__name__}: {error}".partition("\n")[0]
            continue
        _check(case, name, flat(answer, case.wrt), expected)
        del answer
        again = _timed(call, 1)
        if again > _SLOW:
            failed[name] = slow[name] = f"{again:.1f} s a call"
        else:
            calls[name] = call
    if "ours" in calls:
        calls |= {CHECKS: checks(case, values), LOADING: loading(case, values)}
    return Row(case.name, size, _medians(calls, seconds), first, failed)


def _check(case: Case, name: str, answer: Sequence[Any], expected: Sequence[Any]) -> None:
    for a, b in zip(answer, expected, strict=True):
        scale = np.max(np.abs(b)) or 1.0
        error = np.max(np.abs(np.asarray(a) - b)) / scale
        if not error < 1e-9:
            raise SystemExit(f"{name} is wrong on {case.name}: relative error {error:.1e}")


# ----- clocks ---------------------------------------------------------------------------
def _clocks() -> tuple[float, float]:
    """Wall time, and the processor time of this process and of those that it ran."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return perf_counter(), process_time() + children.ru_utime + children.ru_stime


def _since(start: tuple[float, float]) -> float:
    """The lesser: other people's load lengthens the one, parallel work the other."""
    return min(now - then for now, then in zip(_clocks(), start, strict=True))


def _timed(call: Call, repeats: int) -> float:
    wall, busy = perf_counter(), process_time()
    for _ in range(repeats):
        call()
    busy, wall = process_time() - busy, perf_counter() - wall
    return min(busy, wall) / repeats


def _medians(calls: Mapping[str, Call], seconds: float) -> dict[str, float]:
    """Medians of calls taken in turns, in an order that chance draws for each turn.

    Short ones are repeated within a turn.  A call that is not timed goes before, so that
    nobody pays for the caches that another one left.
    """
    once = {name: min(_timed(call, 1) for _ in range(2)) for name, call in calls.items()}
    repeats = {name: max(1, int(1e-3 / once[name])) for name in calls}
    total = sum(once[name] * repeats[name] for name in calls)
    turns = min(201, max(7, int(seconds * len(calls) / total)))
    samples: dict[str, list[float]] = {name: [] for name in calls}
    names, order = list(calls), np.random.default_rng(0)
    gc.collect()
    gc.disable()
    for _ in range(turns):
        for index in order.permutation(len(names)):
            name = names[index]
            if once[name] < _LONG:
                calls[name]()
            samples[name].append(_timed(calls[name], repeats[name]))
    gc.enable()
    return {name: median(times) for name, times in samples.items()}
