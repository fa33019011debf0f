"""How far the planners of rematerialization are from the optimum, and from a lower bound.

    python benchmarks/rematerialization.py [SECONDS]

For small networks and budgets between the least peak and that of keeping all, each method
makes its best schedule; shown is its work over that of keeping all, beside the optimum by
search (in the given order of first computations, within SECONDS) and the lower bound of a
linear program.  The program has a variable for each (time, unit): resident, computed
(Jain et al. 2020, "Checkmate"), relaxed to [0, 1] and solved by SciPy's HiGHS.  Every
schedule is checked to stay within its budget.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from time import perf_counter

import numpy as np

import matderiv as md
from matderiv.program.rematerialize import Point, Tradeoff
from matderiv.program.rematerialize.exact import optimum
from matderiv.program.units import Schedule, Units

SHARES = (0.2, 0.4, 0.6, 0.8)
METHODS = ("segments", "cheapest first", "chain", "eviction")


def layers(count: int, activation: str, skip: str = "") -> tuple[str, list[str]]:
    weights = [f"W{k}" for k in range(1, count + 1)]
    lines = [
        f"h{k} = {skip and f'h{k - 1} + '}{activation}(h{k - 1} W{k})" for k in range(1, count + 1)
    ]
    head = f"h0, y: (B, M); {', '.join(weights)}: (M, M)"
    return "\n".join([head, *lines, f"||h{count} - y||^2"]), weights


CASES = {
    "relu, 5 layers": (layers(5, "relu"), {"B": 512, "M": 32}),
    "tanh, 8 layers": (layers(8, "tanh"), {"B": 512, "M": 32}),
    "relu, 16 layers": (layers(16, "relu"), {"B": 512, "M": 32}),
    "residual, 5 layers": (layers(5, "tanh", "skip"), {"B": 512, "M": 32}),
    "attention": (
        (
            "X, T: (n, d); A, C, V: (d, d)\nP = softmax(X A (X C)')\n||X + P X V - T||^2",
            ["A", "C", "V"],
        ),
        {"n": 256, "d": 32},
    ),
    "attention twice": (
        (
            "X, T: (n, d); A, C, V, E, F, G: (d, d)\nP = softmax(X A (X C)')\nY = X + P X V\n"
            "Q = softmax(Y E (Y F)')\n||Y + Q Y G - T||^2",
            ["A", "C", "V", "E", "F", "G"],
        ),
        {"n": 256, "d": 32},
    ),
}


def lower_bound(units: Units, base: Schedule, budget: int) -> float:
    """The least work of the relaxed program; infinite where even that does not fit.

    At time t the t-th unit is computed for the first time.  R[t, u] is how much of u is
    computed at t, S[t, u] how much is resident when t begins.
    """
    from scipy.optimize import linprog
    from scipy.sparse import coo_matrix

    every = base.every
    count = len(every)
    place = {unit: k for k, unit in enumerate(every)}
    reads = [[place[k] for k in units.reads[unit]] for unit in every]
    kept = np.array([units.kept[unit] for unit in every], dtype=float)

    def computed(t: int, k: int) -> int:
        return t * count + k

    def resident(t: int, k: int) -> int:
        return count * count + t * count + k

    rows: list[tuple[dict[int, float], float]] = []
    for t in range(count):
        for k in range(t + 1):
            rows += [
                ({computed(t, k): 1, computed(t, j): -1, resident(t, j): -1}, 0) for j in reads[k]
            ]
            if t + 1 < count:
                rows.append(({resident(t + 1, k): 1, resident(t, k): -1, computed(t, k): -1}, 0))
        memory = {resident(t, k): kept[k] for k in range(t)}
        memory[computed(t, t)] = kept[t]
        rows.append((memory, budget - units.hidden[every[t]]))
    shape = (len(rows), 2 * count * count)
    entries = [(i, j, c) for i, (row, _) in enumerate(rows) for j, c in row.items()]
    i, j, c = zip(*entries, strict=True)
    matrix = coo_matrix((c, (i, j)), shape=shape)
    low, high = np.zeros(shape[1]), np.ones(shape[1])
    for t in range(count):
        low[computed(t, t)] = 1
        for k in range(t + 1, count):
            high[computed(t, k)] = high[resident(t, k)] = 0
        high[resident(t, t)] = 0
    cost = np.zeros(shape[1])
    for t in range(count):
        cost[[computed(t, k) for k in range(count)]] = [units.flops[unit] for unit in every]
    found = linprog(
        cost / cost.max(), matrix.tocsr(), [limit for _, limit in rows],
        bounds=np.stack([low, high], axis=1), method="highs",
    )  # fmt: skip
    return float(found.fun) * cost.max() if found.status == 0 else np.inf


def best(points: Iterable[Point], method: str, budget: int) -> float:
    works = [p.work for p in points if method in p.method and p.peak <= budget]
    return min(works, default=np.inf)


def main(seconds: float = 20.0) -> None:
    head = ("network", "budget", *METHODS, "optimum", "bound", "search")
    print("".join(f"{name:>{20 if k == 0 else 15}}" for k, name in enumerate(head)))
    for name, ((source, wrt), sizes) in CASES.items():
        found = Tradeoff(md.compile(source, wrt).plan, sizes)
        units, base = found.units, found.plain
        least = units.least(reuse=False)
        for share in SHARES:
            budget = least + int(share * (base.peak - least))
            start = perf_counter()
            schedule = optimum(units, base.schedule, budget, seconds)
            time = perf_counter() - start
            exact = np.inf
            if schedule is not None:
                assert units.peak(schedule.every) <= budget
                exact = units.work(schedule.every)
            bound = lower_bound(units, base.schedule, budget)
            assert not bound > exact * (1 + 1e-6), "the bound is above a schedule"
            values = [*(best(found.points, m, budget) for m in METHODS), exact, bound]
            cells = [f"{v / base.work:.3f}" if np.isfinite(v) else "-" for v in values]
            row = "".join(f"{cell:>15}" for cell in (f"{share:.0%}", *cells, f"{time:.2f} s"))
            print(f"{name:>20}{row}")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
