"""How the time of a derivation grows: the gradients of an N-layer network for all weights.

    python benchmarks/chain.py [N ...]

z = tanh(z W_k) N times, then the squared norm.  Before it is timed, the smallest network
is compared with finite differences.  "derive" is the derivation alone; reading the text,
printing the formulas and generating code are timed beside it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import TypeVar

import matderiv as md

SIZES = (10, 100, 1000)
T = TypeVar("T")


def network(layers: int) -> tuple[str, list[str]]:
    """The text of the program, and its weights."""
    weights = [f"W_{k}" for k in range(layers)]
    lines = ["x: (B, M)", *(f"{name}: (M, M)" for name in weights), f"z_0 = tanh(x {weights[0]})"]
    lines += [f"z_{k} = tanh(z_{k - 1} W_{k})" for k in range(1, layers)]
    return "\n".join([*lines, f"||z_{layers - 1}||^2"]), weights


def timed(work: Callable[[], T], repeats: int) -> tuple[float, T]:
    """The median time of a few runs, in ms, and the last result."""
    times = []
    for _ in range(repeats):
        start = perf_counter()
        result = work()
        times.append(1e3 * (perf_counter() - start))
    return median(times), result


def main(sizes: tuple[int, ...] = SIZES) -> None:
    program, weights = network(3)
    for gradient in md.diff(program, weights).values():
        assert gradient.check(), "the gradients are wrong: no time is worth printing"

    print(f"{'layers':>6} {'read':>9} {'derive':>9} {'print':>9} {'compile':>9}   ms, medians")
    before: tuple[int, float] | None = None
    for layers in sizes:
        text, weights = network(layers)
        repeats = 3 if layers < 1000 else 1
        read, parsed = timed(lambda text=text: md.parse(text), repeats)
        derive, found = timed(lambda p=parsed, w=weights: md.diff(p, w), repeats)
        last = list(found.values())[-1]
        written, _ = timed(lambda d=last: str(d), 1)
        compiled, _ = timed(lambda p=parsed, w=weights: md.compile(p, w), 1)
        growth = ""
        if before is not None:
            growth = (
                f"   {layers / before[0]:.0f} × the layers: {derive / before[1]:.1f} × the time"
            )
        before = layers, derive
        print(f"{layers:6} {read:9.1f} {derive:9.1f} {written:9.1f} {compiled:9.1f}{growth}")


if __name__ == "__main__":
    main(tuple(int(argument) for argument in sys.argv[1:]) or SIZES)
