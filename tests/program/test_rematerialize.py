"""Keeping less and computing again: equal bits, the predicted peak, and proved optima."""

from __future__ import annotations

import heapq
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import matderiv as md
from matderiv.errors import MatderivError
from matderiv.program.compiled import CompiledFunction
from matderiv.program.memory import Memory
from matderiv.program.rematerialize import Point, Tradeoff
from matderiv.program.rematerialize.chain import Chain, binomial_bound
from matderiv.program.rematerialize.drop import cached, on_demand, sqrt_segments
from matderiv.program.rematerialize.evict import evict
from matderiv.program.rematerialize.exact import optimum
from matderiv.program.reuse import without_reuse
from matderiv.program.units import Schedule, Units
from matderiv.reports.quantities import read_bytes
from matderiv.reports.rematerialization import curve_picture, curve_table, summary
from tests.program.counting import count
from tests.program.measuring import (
    PROGRAMS,
    SECOND_ORDER,
    arguments,
    measure,
    sizes_from,
)


def network(layers: int, activation: str = "relu", residual: bool = False) -> tuple[str, list[str]]:
    weights = [f"W{k}" for k in range(1, layers + 1)]
    skip = "h{0} + " if residual else ""
    line = f"h{{1}} = {skip}{activation}(h{{0}} W{{1}})"
    lines = [line.format(k - 1, k) for k in range(1, layers + 1)]
    declared = f"h0, y: (B, M); {', '.join(weights)}: (M, M)"
    return "\n".join([declared, *lines, f"||h{layers} - y||^2"]), weights


ATTENTION = (
    "X, T: (n, d); A, C, V: (d, d); E, F, G: (d, d)\n"
    "P = softmax(X A (X C)')\nY = X + P X V\nQ = softmax(Y E (Y F)')\n||Y + Q Y G - T||^2",
    ["A", "C", "V", "E", "F", "G"],
)
NETWORKS = {
    "relu": (network(12), {"B": 256, "M": 32}),
    "tanh": (network(12, "tanh"), {"B": 256, "M": 32}),
    "gelu": (network(6, "gelu"), {"B": 256, "M": 32}),
    "residual": (network(8, "tanh", residual=True), {"B": 256, "M": 32}),
    "attention": (ATTENTION, {"n": 128, "d": 24}),
    "logistic": (("sum(log(1 + exp(-y .* (X w))))", ["w", "X"]), {"m": 300, "n": 200}),
    "gaussian": (
        ("S: (n, n) posdef; X: (n, m)\ntr(X' S^-1 X) + logdet(S)", ["S", "X"]),
        {"n": 90, "m": 100},
    ),
    "diagonals": (
        ("A: (n, n); x: (n)\nB = A + diag(x)\n||tanh(B B)||^2 + sum(exp(B))", ["A", "x"]),
        {"n": 90},
    ),
}


@cache
def _tradeoff(name: str) -> Tradeoff:
    (source, wrt), sizes = NETWORKS[name]
    return Tradeoff(md.compile(source, wrt).plan, sizes)


def _check(found: Tradeoff, point: Point) -> None:
    """The code of a point gives the same bits, takes the predicted peak, executes its FLOPs."""
    sizes = found.plan.sizes
    plain, code = CompiledFunction(found.plan), CompiledFunction(found.realised(point))
    given = arguments(code, dict(sizes))
    given = {k: v / np.sqrt(v.shape[-1]) if v.ndim == 2 else v for k, v in given.items()}
    value, gradients = plain.module.value_and_grad(**given)
    again, others = code.module.value_and_grad(**given)
    assert np.array_equal(value, again)
    for name, gradient in gradients.items():
        assert np.array_equal(gradient, others[name])
    _, memo = code.module.forward(**given)
    for name, gradient in code.module.backward(memo).items():
        assert np.array_equal(gradient, gradients[name])
    predicted = found.peak(point).bytes
    assert predicted == pytest.approx(measure(code.module.value_and_grad, **given), rel=0.005)
    executed, _ = count(code.module, "value_and_grad", **given)
    once, _ = count(plain.module, "value_and_grad", **given)
    assert executed - once == pytest.approx(float(found.extra(point).at(sizes)), abs=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_schedule_of_the_curve_is_realised(name: str) -> None:
    found = _tradeoff(name)
    curve = found.curve
    peaks, works = [p.peak for p in curve], [p.work for p in curve]
    assert peaks == sorted(set(peaks), reverse=True)
    assert works == sorted(set(works))
    assert found.least <= peaks[-1]
    for point in curve[:: max(1, len(curve) // 5)]:
        _check(found, point)


@pytest.mark.parametrize("name", NETWORKS)
def test_all_methods_make_valid_schedules(name: str) -> None:
    """Even of those off the curve, some of every method, at every order."""
    found = _tradeoff(name)
    methods: dict[str, Point] = {}
    for point in found.points:
        methods.setdefault(point.method.split()[-1], point)
        assert found.least <= point.peak
        assert point.work >= found.plain.work
    for point in methods.values():
        _check(found, point)


@pytest.mark.parametrize("start", [60, 90, 140])
@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_peaks_of_what_is_computed_again_are_measured(name: str, start: int) -> None:
    """Everything dropped that can be: bits stay equal, with results in operands and without."""
    source, wrt = PROGRAMS[name]
    plain = md.compile(source, wrt, order=2 if name in SECOND_ORDER else 1)
    found = Tradeoff(plain.plan, sizes_from(plain, start))
    base = found.plain.schedule
    gone = [unit for unit in cached(found.units, base) if unit not in found.units.results]
    point = found.point("all dropped", on_demand(found.units, base, gone))
    given = arguments(plain, dict(found.plan.sizes))
    value, gradients = plain.module.value_and_grad(**given)
    for made in (found.realised(point), without_reuse(found.realised(point))):
        code = CompiledFunction(made)
        same, others = code.module.value_and_grad(**given)
        assert np.array_equal(value, same)
        assert all(np.array_equal(others[key], gradients[key]) for key in gradients)
        measured = measure(code.module.value_and_grad, **given)
        if measured > 30_000:
            predicted = Memory(made).value_and_grad.bytes
            rel = 0.005 if measured > 100_000 else 0.01
            assert predicted == pytest.approx(measured, rel=rel)


def test_64_layers_by_the_square_root() -> None:
    """8 segments hold about 16 of 64 layers, for not quite one more forward."""
    (source, wrt), sizes = network(64), {"B": 256, "M": 16}
    function = md.compile(source, wrt)
    found = Tradeoff(function.plan, sizes)
    point = found.segments("sqrt")
    assert point.method == "8 segments"
    _check(found, point)
    forward = found.units.work(found.plain.schedule.forward)
    extra = (point.work - found.plain.work) / forward
    assert 0.7 < extra < 1
    assert found.peak(point).bytes < 0.3 * found.peak(found.plain).bytes
    best = next(p for p in found.curve if p.peak <= found.peak(point).bytes)
    assert best.work <= point.work


@pytest.mark.parametrize("budget", ["0.7MB", 600_000, "500 kB"])
def test_a_budget_is_kept(budget: str | int) -> None:
    (source, wrt), sizes = NETWORKS["tanh"]
    function = md.compile(source, wrt, sizes=sizes, budget=budget)
    given = {k: v / 32 for k, v in arguments(function, sizes).items()}
    assert measure(function.module.value_and_grad, **given) <= 1.005 * read_bytes(budget)
    plain = md.compile(source, wrt).module.value_and_grad(**given)[1]
    for name, gradient in function.module.value_and_grad(**given)[1].items():
        assert np.array_equal(gradient, plain[name])
    assert "_again" in function.source


def test_a_module_within_a_budget_checks_itself(tmp_path: Path) -> None:
    (source, wrt), sizes = NETWORKS["tanh"]
    path = md.compile(source, wrt, sizes=sizes, budget="0.5MB").save(tmp_path / "module.py")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_budget_that_nothing_meets_is_refused() -> None:
    (source, wrt), sizes = NETWORKS["tanh"]
    with pytest.raises(MatderivError, match="no schedule within 1,000 bytes was found"):
        md.compile(source, wrt, sizes=sizes, budget=1000)
    with pytest.raises(MatderivError, match="bytes depend on the size of M"):
        md.compile(source, wrt, sizes={"B": 10}, budget=1000)
    with pytest.raises(MatderivError, match="no number of bytes"):
        md.compile(source, wrt, sizes=sizes, budget="2 apples")
    with pytest.raises(MatderivError, match="numpy alone"):
        md.compile(source, wrt, sizes=sizes, budget="2MB", backend="jax")
    with pytest.raises(MatderivError, match="nothing is kept"):
        Tradeoff(md.compile("x' x").plan)
    with pytest.raises(MatderivError, match="no number of segments"):
        _tradeoff("tanh").segments("many")


def test_cheap_layers_are_dropped_first() -> None:
    """Of a residual network the sums of blocks cost next to nothing to compute again."""
    found = _tradeoff("residual")
    forward = found.units.work(found.plain.schedule.forward)
    second = found.curve[1]
    assert (second.work - found.plain.work) / forward < 0.01
    assert second.peak < 0.96 * found.plain.peak


def test_a_table_a_picture_and_words() -> None:
    found = _tradeoff("relu")
    rows = curve_table(found).rows
    assert rows[0][0] == "keep all"
    assert rows[0][3] == "0"
    assert 3 < len(rows) <= 14
    picture = curve_picture(found)
    assert picture.startswith("<svg")
    assert picture.count("<circle") == len(rows)
    text = "\n".join(summary(found, found.segments(3)))
    assert "schedule    3 segments" in text
    assert "kept        h4" in text


# ---- chains ------------------------------------------------------------------------------


@pytest.mark.parametrize("stages", range(1, 41))
def test_the_optimum_of_equal_stages_is_the_binomial_bound(stages: int) -> None:
    for slots in range(9):
        assert Chain([1] * stages, slots).least == binomial_bound(stages, slots)


def _advances(chain: Chain) -> int:
    """Follow the actions with states in hand; count the cost of advances."""
    stages, kept, cost, done = len(chain.costs), {0}, 0, []
    at = 0
    for action, number, to in chain.actions():
        if action == "advance":
            assert number in kept
            cost += sum(chain.costs[number:to])
            at = to
        elif action == "keep":
            assert at == number
            kept.add(number)
            assert len(kept) <= chain.slots + 1
        elif action == "forget":
            kept.remove(number)
        else:
            assert number in kept or at == number
            assert not chain.outputs or number + 1 in kept or at == number + 1
            done.append(number)
    assert done == list(range(stages))[::-1]
    return cost


@pytest.mark.parametrize("outputs", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_the_actions_cost_what_the_table_says(seed: int, outputs: bool) -> None:
    random = np.random.default_rng(seed)
    costs = [int(c) for c in random.integers(1, 9, size=random.integers(1, 30))]
    chain = Chain(costs, int(random.integers(1, 6)), outputs)
    assert _advances(chain) == chain.least


def _brute_force(costs: tuple[int, ...], slots: int, outputs: bool) -> float:
    """The least cost over all ways to keep states and to walk: search over configurations.

    A configuration is the states kept, where one stands, and how many stages are left.
    """
    best: dict[tuple[frozenset[int], int, int], int] = {}
    heap = [(0, 0, len(costs), frozenset({0}))]
    while heap:
        cost, at, left, kept = heapq.heappop(heap)
        if not left:
            return cost
        key = (kept, at, left)
        if best.get(key, cost + 1) <= cost:
            continue
        best[key] = cost
        there = kept | {at}
        ready = left - 1 in there and (not outputs or left in there)
        moves = [(0, at, left - 1, kept)] if ready else []
        if at < left - (not outputs):
            moves.append((costs[at], at + 1, left, kept))
        moves += [(0, state, left, kept) for state in kept]
        moves += [(0, at, left, kept - {state}) for state in kept - {0}]
        if at not in kept and len(kept) <= slots:
            moves.append((0, at, left, kept | {at}))
        for more, *rest in moves:
            heapq.heappush(heap, (cost + more, *rest))
    return np.inf


@pytest.mark.parametrize("outputs", [False, True])
@pytest.mark.parametrize("stages", range(1, 11))
def test_no_walk_over_a_chain_is_cheaper(stages: int, outputs: bool) -> None:
    random = np.random.default_rng(stages)
    costs = tuple(int(c) for c in random.integers(1, 9, size=stages))
    for slots in range(4):
        for case in (costs, (1,) * stages):
            assert Chain(case, slots, outputs).least == _brute_force(case, slots, outputs)


@pytest.mark.parametrize("stages", [4, 9, 16, 25, 36, 49, 64])
def test_the_optimum_is_never_worse_than_square_root_segments(stages: int) -> None:
    """√n segments keep √n - 1 borders, and within one segment √n - 1 states and its end."""
    root = round(stages**0.5)
    again = (root - 1) * (root - 1)
    assert Chain([1] * stages, 2 * root - 2, outputs=True).least - stages <= again


# ---- general graphs ----------------------------------------------------------------------


def _small(layers: int = 3, activation: str = "tanh") -> tuple[Units, Schedule]:
    (source, wrt), sizes = network(layers, activation), {"B": 200, "M": 10}
    found = Tradeoff(md.compile(source, wrt).plan, sizes)
    return found.units, found.plain.schedule


def _best_by_dropping(units: Units, base: Schedule, budget: int) -> int:
    """The least work over all sets of forward values that are computed again."""
    values = cached(units, base)
    best = -1
    for choice in range(1 << len(values)):
        dropped = {v for k, v in enumerate(values) if choice >> k & 1}
        schedule = on_demand(units, base, dropped)
        if units.peak(schedule.every) <= budget:
            work = units.work(schedule.every)
            best = work if best < 0 else min(best, work)
    return best


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.85, 1.0])
def test_the_search_is_never_worse_than_any_set_of_kept_values(share: float) -> None:
    units, base = _small()
    least = units.least(reuse=False)
    budget = least + int(share * (units.peak(base.every) - least))
    best = optimum(units, base, budget, seconds=20)
    other = _best_by_dropping(units, base, budget)
    if best is None:
        assert other < 0
        return
    assert units.peak(best.every) <= budget
    assert other < 0 or units.work(best.every) <= other
    evicted = evict(units, base, budget)
    if evicted is not None:
        assert units.peak(evicted.every) <= budget
        assert units.work(best.every) <= units.work(evicted.every)


def test_the_square_root_counts_cached_values() -> None:
    units, base = _small(9)
    assert sqrt_segments(units, base) == 3
