"""How fast generated code is on this machine, next to what the machine could do at best.

The floor of a function is the larger of two times: its FLOPs at the rate of a large
matrix product, and the bytes of its inputs and results, each moved once, at the rate of a
copy of as many bytes, in a cache if they fit there.  Both are measured in the same process
just before, at their best: no program that computes the same FLOPs is faster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from matderiv.api import compile
from matderiv.errors import MatderivError
from matderiv.program.compiled import CompiledFunction
from matderiv.program.polynomial import Polynomial
from matderiv.program.steps import nested
from matderiv.values import draw

if TYPE_CHECKING:
    from matderiv.source import Program

__all__ = ["Rates", "Timing", "bench", "measure_rates", "timing_table"]

_SECONDS = 0.5  # for each function
_MOST_BYTES = 4 << 30


@dataclass(frozen=True)
class Rates:
    """What the machine does at best.

    flops   a second, in the product of two large matrices
    bytes   a second, in a large copy, read and written
    call    seconds of a NumPy call on a single number
    """

    flops: float
    bytes: float
    call: float

    def __str__(self) -> str:
        return (
            f"this machine: {self.flops / 1e9:.1f} GFLOP/s in a product, "
            f"{self.bytes / 1e9:.1f} GB/s in a copy, {_time(self.call)} a NumPy call"
        )


@dataclass(frozen=True)
class Timing:
    """One function.

    seconds   of a call, the median
    flops     executed
    bytes     of inputs and results
    rate      of a copy of so many bytes, bytes a second
    calls     of NumPy in it, those in a loop once
    """

    function: str
    seconds: float
    flops: float
    bytes: float
    rate: float
    calls: int
    rates: Rates

    @property
    def floor(self) -> float:
        """Seconds at the machine's rates."""
        return max(self.flops / self.rates.flops, self.bytes / self.rate)

    @property
    def bound(self) -> str:
        """What the floor comes from, or "calls" where those alone take longer."""
        if self.calls * self.rates.call > self.floor:
            return "calls"
        return "FLOPs" if self.flops / self.rates.flops == self.floor else "memory"

    def cells(self) -> list[str]:
        """The row of `timing_table`."""
        return [
            self.function,
            _time(self.seconds),
            _time(self.floor),
            f"{self.seconds / self.floor:.1f}",
            self.bound,
            str(self.calls),
            f"{self.flops / self.seconds / 1e9:.2f}",
        ]


def timing_table(timings: Sequence[Timing]) -> str:
    """The timings as a table, the rates of the machine above."""
    from tabulate import tabulate

    head = ["function", "time", "floor", "× floor", "bound by", "calls", "GFLOP/s"]
    align = ("left", *["right"] * 3, "left", *["right"] * 2)
    rows = [timing.cells() for timing in timings]
    table = tabulate(rows, head, "simple", colalign=align, disable_numparse=True)
    return f"{timings[0].rates}\n\n{table}"


def measure_rates(megabytes: int = 64) -> Rates:
    """Measure products of matrices, a copy beyond the caches, and an addition."""
    rng = np.random.default_rng(0)
    flops = 0.0
    for size in (64, 600):  # on a busy machine a single thread is faster, which computes the small
        a, b = rng.normal(size=(2, size, size))
        product = min(_times(lambda a=a, b=b: np.dot(a, b), 0.2))  # type: ignore[misc]
        flops = max(flops, 2.0 * size**3 / product)
    number, result = np.ones(()), np.empty(())

    def thousand() -> None:
        for _ in range(1000):
            np.add(number, number, out=result)

    call = min(_times(thousand, 0.02)) / 1000
    return Rates(flops, _copy_rate(megabytes << 20, 0.2), call)


def _copy_rate(size: int, seconds: float) -> float:
    """Bytes a second, read and written, of a copy between two halves of so many bytes."""
    source = np.zeros(max(1, size >> 4))
    target = np.empty_like(source)
    repeats = max(1, 100_000 // source.nbytes)  # a call itself takes its time

    def copy() -> None:
        for _ in range(repeats):
            np.copyto(target, source)

    return 2.0 * source.nbytes * repeats / min(_times(copy, seconds))


def bench(
    program: Program,
    wrt: Sequence[str],
    sizes: Mapping[str, int],
    *,
    order: int = 1,
    report: Callable[[str], None] = lambda line: None,
) -> list[Timing]:
    """Time forward, value_and_grad and derivative at these sizes; `report` hears of progress."""
    report("measuring this machine")
    rates = measure_rates()
    report("generating code")
    function = compile(program, wrt, order=order, sizes=sizes)
    missing = [name for name in function.plan.sizes if name not in sizes]
    if missing:
        raise MatderivError(
            f"no size is given for {', '.join(missing)}",
            hint="--at " + ",".join(f"{name}=1000" for name in missing),
        )
    need = _bytes(function, function.plan.steps, sizes)
    if need > _MOST_BYTES:
        raise MatderivError(f"the arrays take {need / 2**30:.1f} GiB at these sizes")
    values, cotangent = _values(function, program, sizes)
    found = []
    for name, call, steps in _calls(function, values, cotangent):
        report(f"timing {name}")
        flops = float(Polynomial.total(step.flops for step in steps).at(sizes))
        flops += sum(float(step.evaluations.at(sizes)) for step in steps)
        seconds = median(_times(call, _SECONDS))
        moved = _bytes(function, (), sizes, name)
        # A copy of a few hundred bytes is a call and no copy.
        rate = _copy_rate(max(int(moved), 1 << 14), 0.05)
        calls = sum(not step.is_view for step in nested(steps))
        found.append(Timing(name, seconds, flops, moved, rate, calls, rates))
    return found


def _values(
    function: CompiledFunction, program: Program, sizes: Mapping[str, int]
) -> tuple[dict[str, Any], Any]:
    rng = np.random.default_rng(0)
    values: dict[str, Any] = dict(draw(program.inputs, sizes, rng))
    values |= {name: sizes[name] for name in function.plan.free_sizes}
    seed = function.plan.cotangent
    if seed is None:
        return values, None
    return values, rng.normal(size=[int(Polynomial.of(dim).at(sizes)) for dim in seed.shape])


def _calls(
    function: CompiledFunction, values: Mapping[str, Any], cotangent: Any
) -> list[tuple[str, Callable[[], Any], Sequence[Any]]]:
    plan = function.plan
    steps: dict[str, Sequence[Any]] = {"forward": plan.forward}
    if plan.gradients:
        steps["value_and_grad"] = plan.in_one_pass
    if plan.derivatives:
        steps["derivative"] = plan.derivative

    def called(name: str) -> Callable[[], Any]:
        made, arguments = getattr(function.module, name), function.arguments(values, steps[name])
        if name == "value_and_grad" and cotangent is not None:
            arguments["cotangent"] = cotangent
        return lambda: made(**arguments)

    return [(name, called(name), steps[name]) for name in steps]


def _bytes(
    function: CompiledFunction, steps: Sequence[Any], sizes: Mapping[str, int], name: str = ""
) -> float:
    """Bytes of inputs and of the results of a function, or of all steps."""
    plan = function.plan
    results = {"value_and_grad": plan.gradients, "derivative": plan.derivatives}.get(name, {})
    shapes = [variable.shape for variable in plan.inputs]
    shapes += [plan.shape(ref) for ref in results.values()] + [step.shape for step in steps]
    return float(sum(Polynomial.of(8, *shape).at(sizes) for shape in shapes))


def _times(call: Callable[[], Any], seconds: float) -> list[float]:
    """Seconds of each of several calls, the first left out."""
    call()
    samples: list[float] = []
    end = perf_counter() + seconds
    while len(samples) < 5 or (perf_counter() < end and len(samples) < 2000):
        start = perf_counter()
        call()
        samples.append(perf_counter() - start)
    return samples


def _time(seconds: float) -> str:
    return f"{1e6 * seconds:.1f} µs" if seconds < 1e-3 else f"{1e3 * seconds:.2f} ms"
