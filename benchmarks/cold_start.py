"""How long the first answer takes: a new process each time, from nothing to the printed line.

    python benchmarks/cold_start.py [RUNS]

Compared with `import sympy`, which this field's tools begin with, and with starting
Python at all.  The answer is read before any time is printed.
"""

from __future__ import annotations

import subprocess
import sys
from statistics import median
from time import perf_counter

FORMULA = "||Xw - y||^2"
COMMANDS = {
    "python": [sys.executable, "-c", "pass"],
    "import numpy": [sys.executable, "-c", "import numpy"],
    "import sympy": [sys.executable, "-c", "import sympy"],
    "matderiv diff": [sys.executable, "-m", "matderiv", "diff", FORMULA, "wrt", "w"],
    "  without check": [
        sys.executable,
        "-m",
        "matderiv",
        "diff",
        FORMULA,
        "wrt",
        "w",
        "--no-check",
    ],
}


def once(command: list[str]) -> float:
    start = perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return 1e3 * (perf_counter() - start)


def main(runs: int = 7) -> None:
    answer = subprocess.run(COMMANDS["matderiv diff"], check=True, capture_output=True)
    assert "2 Xᵀ(X w - y)" in answer.stdout.decode(), answer.stdout.decode()

    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(runs):  # in turn, so that a slow moment of the machine meets all of them
        for name, command in COMMANDS.items():
            times[name].append(once(command))
    reference = median(times["import sympy"])
    print(f"{'':16} {'median ms':>9} {'least':>7}   of import sympy")
    for name, found in times.items():
        print(f"{name:16} {median(found):9.0f} {min(found):7.0f}   {median(found) / reference:.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
