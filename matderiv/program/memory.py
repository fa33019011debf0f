"""The memory of a plan: forward, cache, backward, and both in one call.

Bytes are those that a call of the generated function adds to what its caller holds, so
inputs are not counted.  A number counts everything that Python's accounting sees; in
symbols the elements of the arrays are counted, as they are alive where the number is
largest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from matderiv.program.assemble import Plan
from matderiv.program.footprint import Footprints
from matderiv.program.liveness import Peak, held_by_lists, homes, peak
from matderiv.program.polynomial import Polynomial
from matderiv.program.steps import Step, nested

__all__ = ["FLOATS", "Memory"]

FLOATS = {"float64": 8, "float32": 4}
"""The types that a generated module computes in, and the bytes of one number."""

# Frames and dictionaries of results; for each input.  More, in all and for each input, where
# one of them must be converted or is not float64.
_CALL, _INPUT = 170, 60
_CONVERTED, _CONVERSION = 170, 210
# What setting how NumPy treats errors leaves behind, and the functions that set it.
_STATE = 345
_GUARDED = frozenset(
    f"linalg.{name}" for name in ("inv", "solve", "cholesky", "svd", "svdvals", "pinv")
)


class Memory:
    """Peaks of the functions of a module at some sizes; sizes left out are those planned for.

    forward          `forward`, its results among what is alive
    backward         `backward` with `release=True`, the cache among what is alive
    value_and_grad   both in one pass
    derivative       `derivative`
    """

    def __init__(self, plan: Plan, sizes: Mapping[str, int] | None = None) -> None:
        self.plan = plan
        self.sizes = {**plan.sizes, **(sizes or {})}

    def __repr__(self) -> str:
        return f"<Memory at {', '.join(f'{name}={size}' for name, size in self.sizes.items())}>"

    @cached_property
    def footprints(self) -> Footprints:
        return self._footprints(self.plan.every)

    def _footprints(self, steps: Sequence[Step]) -> Footprints:
        shapes = {value: variable.shape for variable, value in self.plan.inputs.items()}
        return Footprints(steps, shapes, self.sizes, self.plan.item)

    def _start(self, steps: Sequence[Step]) -> int:
        """What a call takes before its first array, and leaves behind in the interpreter."""
        inputs = self.plan.inputs
        converted = self.plan.item != FLOATS["float64"] or not all(v.shape for v in inputs)
        guarded = any(step.function in _GUARDED for step in nested(steps))
        each = _INPUT + _CONVERSION * converted
        return _CALL + _CONVERTED * converted + each * len(inputs) + _STATE * guarded

    @cached_property
    def forward(self) -> Peak:
        kept, steps = {self.plan.value.value, *self.plan.cache}, self.plan.forward
        return peak(steps, kept, self.footprints, start=self._start(steps))

    @cached_property
    def backward(self) -> Peak:
        kept, steps = {ref.value for ref in self.plan.gradients.values()}, self.plan.backward
        start = self._start(steps)
        return peak(steps, kept, self.footprints, self.plan.cache, start=start)

    @cached_property
    def value_and_grad(self) -> Peak:
        """Both in one pass: a forward value may be written into where it is read last."""
        kept = {self.plan.value.value, *(ref.value for ref in self.plan.gradients.values())}
        steps = self.plan.in_one_pass
        return peak(steps, kept, self._footprints(steps), start=self._start(steps))

    @cached_property
    def derivative(self) -> Peak:
        kept, steps = {ref.value for ref in self.plan.derivatives.values()}, self.plan.derivative
        return peak(steps, kept, self.footprints, start=self._start(steps))

    @property
    def peak(self) -> Peak:
        """The largest peak of any function that the plan has."""
        peaks = [self.value_and_grad if self.plan.gradients else self.forward]
        if self.plan.derivatives:
            peaks.append(self.derivative)
        return max(peaks, key=lambda p: p.bytes)

    @property
    def cache(self) -> Polynomial:
        """Bytes that `forward` keeps for `backward`, inputs not counted."""
        return Polynomial.total(self.footprints.whole(k).polynomial for k in self._kept)

    @property
    def cache_bytes(self) -> int:
        return sum(self.footprints.whole(k).data for k in self._kept)

    @cached_property
    def _kept(self) -> list[int]:
        """The cache, and the arrays that lists in it begin with."""
        forward, cache = self.plan.forward, set(self.plan.cache)
        home, base = homes(forward), {step.value: step.alias for step in forward}
        found = {home.get(number, number): number for number in self.plan.cache}
        for value, starts in held_by_lists(forward).items():
            if {value, base.get(value)} & cache:
                for start in starts:
                    found.setdefault(home.get(start, start), start)
        inputs = set(self.plan.inputs.values())
        return [number for owner, number in found.items() if owner not in inputs]

    @property
    def workspace(self) -> int:
        """The most that one call copies inside BLAS or LAPACK, beyond Python's accounting."""
        return max((self.footprints[step.value].workspace for step in self.plan.steps), default=0)
