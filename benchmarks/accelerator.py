"""The JAX and PyTorch rows of the suite on an accelerator, in float32 and bfloat16.

    python benchmarks/accelerator.py [--sizes medium,large] [--only TEXT] [--seconds 0.3]

Our modules for each framework against its own differentiation of the same value, both
compiled where the framework compiles.  Every answer is checked against hand-written NumPy
in float64 before it is timed.  Without an accelerator the small sizes run on the CPU, so
that the script is known to work; those times mean little.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.suite.case import SIZES, Call, Case, flat
from benchmarks.suite.cases import CASES
from benchmarks.suite.contestants import ours

__all__ = ["Timed", "device", "race"]

# The error allowed in float32 and bfloat16, in norms: many thousand terms are summed.
TOLERANCE = {"float32": 1e-3, "bfloat16": 2e-1}
_DECOMPOSITIONS = ("logdet", "^-1")  # what no framework has in bfloat16


@dataclass(frozen=True)
class Timed:
    """Seconds of a call and the relative error of its answer, by contestant."""

    case: str
    size: str
    kind: str
    seconds: Mapping[str, float]
    errors: Mapping[str, float]
    failed: Mapping[str, str]


def device(framework: str) -> str:
    """The accelerator that the framework sees, or "cpu"."""
    if framework == "jax":
        import jax

        return str(jax.devices()[0].platform)
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def race(
    sizes: Sequence[str],
    only: str = "",
    seconds: float = 0.3,
    report: Callable[[Timed], None] = lambda timed: None,
) -> list[Timed]:
    found = []
    for case in CASES:
        for size in sizes:
            for kind in TOLERANCE if only in case.name else ():
                unknown = any(word in case.source for word in _DECOMPOSITIONS)
                if kind == "bfloat16" and unknown:
                    continue
                found.append(_timed(case, size, kind, seconds))
                report(found[-1])
    return found


def _timed(case: Case, size: str, kind: str, seconds: float) -> Timed:
    values = case.values(case.sizes[SIZES.index(size)])
    expected = case.hand(**values)
    calls: dict[str, Call] = {}
    errors: dict[str, float] = {}
    failed: dict[str, str] = {}
    for name, call in _contestants(case, values, kind):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                made = call()
                errors[name] = _error(flat(made(), case.wrt), expected)
        except Exception as error:
            if name.startswith("ours"):
                raise
            failed[name] = f"{type(error).__name__}: {error}".partition("\n")[0]
            continue
        if not errors[name] < TOLERANCE[kind]:
            failed[name] = f"relative error {errors[name]:.1e}"
        else:
            calls[name] = made
    return Timed(case.name, size, kind, _medians(calls, seconds), errors, failed)


def _contestants(
    case: Case, values: Mapping[str, Any], kind: str
) -> list[tuple[str, Callable[[], Call]]]:
    """What makes the call of each contestant, its inputs on the device already."""
    found: list[tuple[str, Callable[[], Call]]] = []
    if find_spec("jax"):
        import jax.numpy as jnp

        from benchmarks.suite.contestants import with_jax

        arrays = {name: jnp.asarray(value, kind) for name, value in values.items()}
        found.append(("ours jax", lambda: ours.jax_code(case, arrays)))
        found.append(("jax", lambda: with_jax.jitted(case, arrays)))
    if find_spec("torch"):
        import torch

        from benchmarks.suite.contestants import with_torch

        place = {"dtype": getattr(torch, kind), "device": device("torch")}
        tensors = {name: torch.as_tensor(value, **place) for name, value in values.items()}
        for name, make in {
            "ours torch": ours.torch_code,
            "ours torch.compile": ours.torch_compiled_code,
            "torch": with_torch.eager,
            "torch.compile": with_torch.compiled,
        }.items():
            found.append((name, lambda make=make: _synchronised(make(case, tensors))))
    return found


def _synchronised(call: Call) -> Call:
    """A call that returns when the device has finished."""
    import torch

    if device("torch") == "cpu":
        return call

    def finished() -> Any:
        result = call()
        torch.cuda.synchronize()
        return result

    return finished


def _error(answer: Sequence[Any], expected: Sequence[Any]) -> float:
    """The greatest of ‖found - expected‖ / ‖expected‖ over the results."""
    return max(
        float(np.linalg.norm(_host(a) - b) / (np.linalg.norm(b) or 1.0))
        for a, b in zip(answer, expected, strict=True)
    )


def _host(array: Any) -> Any:
    if hasattr(array, "detach"):
        array = array.detach().double().cpu()
    return np.asarray(array).astype(float)


def _medians(calls: Mapping[str, Call], seconds: float) -> dict[str, float]:
    """Wall times of calls in turns."""
    samples: dict[str, list[float]] = {name: [] for name in calls}
    end = perf_counter() + seconds * len(calls)
    while calls and (perf_counter() < end or min(map(len, samples.values())) < 5):
        for name, call in calls.items():
            start = perf_counter()
            call()
            samples[name].append(perf_counter() - start)
    return {name: median(times) for name, times in samples.items()}


# ----- the table ------------------------------------------------------------------------
_COLUMNS = ("ours jax", "jax", "ours torch", "ours torch.compile", "torch", "torch.compile")


def _line(timed: Timed) -> str:
    cells = []
    for name in _COLUMNS:
        seconds = timed.seconds.get(name)
        cells.append("-" if seconds is None else f"{1e6 * seconds:.0f}")
    head = f"{timed.case:34}{timed.size:8}{timed.kind:10}"
    why = "".join(f"\n    {name}: {text}" for name, text in timed.failed.items())
    return head + "".join(f"{cell:>19}" for cell in cells) + why


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", help="small, medium, large; by commas")
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    parser.add_argument("--seconds", type=float, default=0.3, help="for each contestant and row")
    options = parser.parse_args()
    there = [name for name in ("jax", "torch") if find_spec(name)]
    places = {name: device(name) for name in there}
    print(", ".join(f"{name} on {place}" for name, place in places.items()) or "no framework")
    accelerated = any(place != "cpu" for place in places.values())
    if not accelerated:
        print("no accelerator is at hand: small sizes on the CPU, to show that the script runs")
    sizes = options.sizes or ("medium,large" if accelerated else "small")
    print(f"{'µs a call':34}{'size':8}{'':10}" + "".join(f"{name:>19}" for name in _COLUMNS))
    race(
        sizes.split(","),
        options.only,
        options.seconds,
        lambda timed: print(_line(timed), flush=True),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
