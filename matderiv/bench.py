"""How fast generated code is on this machine, next to what the machine could do at best.

The floor of a function is the larger of two times: its FLOPs at the rate of a large
matrix product, and the bytes of its inputs and results, each moved once, at the rate of a
large copy.  Both rates are measured in the same process just before.
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
from matderiv.values import draw

if TYPE_CHECKING:
    from matderiv.source import Program

__all__ = ["Rates", "Timing", "bench", "measure_rates"]

_SECONDS = 0.5  # for each function
_MOST_BYTES = 4 << 30


@dataclass(frozen=True)
class Rates:
    """What the machine does at best: FLOPs a second in a product, bytes a second in a copy."""

    flops: float
    bytes: float


@dataclass(frozen=True)
class Timing:
    """One function: seconds of a call (median), FLOPs executed, bytes in and out."""

    function: str
    seconds: float
    flops: float
    bytes: float
    rates: Rates

    @property
    def floor(self) -> float:
        """The time at the machine's rates; arrays that stay in a cache may move faster."""
        return max(self.flops / self.rates.flops, self.bytes / self.rates.bytes)

    def __str__(self) -> str:
        bound = "FLOPs" if self.flops / self.rates.flops == self.floor else "memory"
        times = f"{_time(self.seconds):>10}   floor {_time(self.floor):>10} ({bound})"
        return f"{self.function:15} {times}   {self.flops / self.seconds / 1e9:8.2f} GFLOP/s"


def measure_rates(size: int = 600, megabytes: int = 64) -> Rates:
    """Measure both rates: an n³ product and a copy beyond the caches."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, size, size))
    product = _median(lambda: np.dot(a, b), 0.2)
    source = np.zeros(megabytes << 17)
    target = np.empty_like(source)
    copy = _median(lambda: np.copyto(target, source), 0.2)
    return Rates(2.0 * size**3 / product, 2.0 * source.nbytes / copy)


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
            f"no size is given for {', '.join(missing)}", hint=f"--at {missing[0]}=1000"
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
        seconds = _median(call, _SECONDS)
        found.append(Timing(name, seconds, flops, _bytes(function, (), sizes, name), rates))
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
    calls: list[tuple[str, Callable[[], Any], Sequence[Any]]] = [
        ("forward", lambda: function.forward(values), plan.forward)
    ]
    if plan.gradients:
        both = [*plan.forward, *plan.backward]
        calls.append(("value_and_grad", lambda: function.value_and_grad(values, cotangent), both))
    if plan.derivatives:
        calls.append(("derivative", lambda: function.derivative(values), plan.derivative))
    return calls


def _bytes(
    function: CompiledFunction, steps: Sequence[Any], sizes: Mapping[str, int], name: str = ""
) -> float:
    """Bytes of inputs and of the results of a function, or of all steps."""
    plan = function.plan
    results = {"value_and_grad": plan.gradients, "derivative": plan.derivatives}.get(name, {})
    shapes = [variable.shape for variable in plan.inputs]
    shapes += [plan.shape(ref) for ref in results.values()] + [step.shape for step in steps]
    return float(sum(Polynomial.of(8, *shape).at(sizes) for shape in shapes))


def _median(call: Callable[[], Any], seconds: float) -> float:
    call()
    samples: list[float] = []
    end = perf_counter() + seconds
    while len(samples) < 5 or (perf_counter() < end and len(samples) < 2000):
        start = perf_counter()
        call()
        samples.append(perf_counter() - start)
    return median(samples)


def _time(seconds: float) -> str:
    return f"{1e6 * seconds:.1f} µs" if seconds < 1e-3 else f"{1e3 * seconds:.2f} ms"
