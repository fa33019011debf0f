"""How the time of a derivation grows: the gradients of an N-layer network for all weights.

    python benchmarks/chain.py [N ...]

z = tanh(z W_k) N times, then the squared norm.  Before anything is timed, the gradients
of three layers are compared with finite differences.  "derive" is the derivation alone;
reading the text, printing the last gradient and generating code stand beside it.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from statistics import median
from time import perf_counter

import matderiv as md

SIZES = (10, 100, 1000)
COLUMNS = ("read", "derive", "print", "compile")


def network(layers: int) -> tuple[str, list[str]]:
    """The text of the program, and its weights."""
    weights = [f"W_{k}" for k in range(layers)]
    lines = ["x: (B, M)", *(f"{name}: (M, M)" for name in weights), f"z_0 = tanh(x {weights[0]})"]
    lines += [f"z_{k} = tanh(z_{k - 1} W_{k})" for k in range(1, layers)]
    return "\n".join([*lines, f"||z_{layers - 1}||^2"]), weights


def measure(layers: int) -> list[float]:
    """Milliseconds for each of the columns."""
    text, weights = network(layers)
    times = [perf_counter()]
    program = md.parse(text)
    times.append(perf_counter())
    gradients = md.diff(program, weights)
    times.append(perf_counter())
    str(list(gradients.values())[-1])
    times.append(perf_counter())
    md.compile(program, weights)
    times.append(perf_counter())
    return [1e3 * (b - a) for a, b in pairwise(times)]


def main(sizes: tuple[int, ...] = SIZES) -> None:
    program, weights = network(3)
    for gradient in md.diff(program, weights).values():
        assert gradient.check(), "the gradients are wrong: no time is worth printing"
    measure(3)  # imports

    print(f"{'layers':>6}" + "".join(f"{name:>10}" for name in COLUMNS) + "   ms, medians")
    before: tuple[int, float] | None = None
    for layers in sizes:
        runs = [measure(layers) for _ in range(3 if layers < 1000 else 1)]
        times = [median(column) for column in zip(*runs, strict=True)]
        derive = times[COLUMNS.index("derive")]
        growth = ""
        if before is not None:
            growth = (
                f"   {layers / before[0]:.0f} × the layers: {derive / before[1]:.1f} × the time"
            )
        before = layers, derive
        print(f"{layers:6}" + "".join(f"{time:10.1f}" for time in times) + growth)


if __name__ == "__main__":
    main(tuple(int(argument) for argument in sys.argv[1:]) or SIZES)
