"""How long `compile` takes in a process that has compiled before: the programs of the suite.

    python -m benchmarks.compilation [NAME …]

Milliseconds of processor time, the least of seven runs, with nothing remembered: reading
the text, differentiating and simplifying, planning, writing the module.  `any` is without
sizes, `sized` with the small sizes of the case, `answer` also loads the module and calls it
once.  Each answer is that of the code by hand before it is timed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from time import process_time
from typing import Any

import numpy as np

from benchmarks.suite.case import flat
from benchmarks.suite.cases import CASES
from benchmarks.suite.contestants.ours import compiled, numpy_code

_RUNS = 7
_GOAL = 20.0  # ms


def least(work: Callable[[], Any]) -> float:
    """Milliseconds of processor time."""
    times = []
    for _ in range(_RUNS):
        before = process_time()
        work()
        times.append(1e3 * (process_time() - before))
    return min(times)


def main(names: list[str]) -> None:
    cases = [case for case in CASES if not names or any(name in case.name for name in names)]
    rows = []
    print(f"{'ms':32}{'any':>8}{'sized':>8}{'answer':>8}")
    for case in cases:
        values = case.values(case.sizes[0])
        expected, found = case.hand(**values), flat(numpy_code(case, values)(), case.wrt)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * np.max(np.abs(b)))
        works: tuple[Callable[[], Any], ...] = (
            partial(compiled, case, values, "numpy", sized=False),
            partial(compiled, case, values, "numpy"),
            lambda case=case, values=values: numpy_code(case, values)(),
        )
        rows.append([least(work) for work in works])
        print(f"{case.name:32}" + "".join(f"{time:8.1f}" for time in rows[-1]), flush=True)
    below = [sum(time < _GOAL for time in column) for column in zip(*rows, strict=True)]
    print(f"{f'below {_GOAL:g} ms, of {len(rows)}':32}" + "".join(f"{n:8}" for n in below))


if __name__ == "__main__":
    main(sys.argv[1:])
