"""Scalings that meet along a chain of linear steps: one in place of two.

    -X' (y ⊙ (½ t))  is  -½ X' (y ⊙ t)

Powers of two scale floats exactly, so that results are equal bit by bit, and a pass over
an array is saved.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from math import frexp

from matderiv.program.pieces import seen
from matderiv.program.steps import Ref, Step, operands_of

__all__ = ["merged_scales"]

_BILINEAR = frozenset({"multiply", "matmul", "vdot", "vecdot", "tensordot", "einsum"})
_MOST = 4.0  # what is scaled later must not leave the range of floats in between


def merged_scales(steps: Sequence[Step], kept: Collection[int]) -> list[Step]:
    """The steps with scalings moved along to the next; values in `kept` stay as they are."""
    known = {step.value: step for step in steps}
    readers: dict[int, list[int]] = defaultdict(list)
    for step in steps:
        for number in operands_of(step):
            readers[number].append(step.value)
    for step in steps:
        step = known[step.value]
        factor = _factor(step)
        if factor is None or step.shape == () or not 1 / _MOST <= abs(factor) <= _MOST:
            continue
        end = _next_scaling(step.value, known, readers, kept)
        if end is None:
            continue
        total = factor * (_factor(known[end]) or 1.0)
        if total == 1.0:
            continue
        (source,) = step.refs
        (reader,) = readers[step.value]
        del known[step.value]
        known[reader] = _reading(known[reader], step.value, source)
        readers[source.value] = [reader if k == step.value else k for k in readers[source.value]]
        known[end] = _scaling(known[end], total)
    return list(known.values())


def _next_scaling(
    number: int,
    known: Mapping[int, Step],
    readers: Mapping[int, Sequence[int]],
    kept: Collection[int],
) -> int | None:
    """The scaling that a value ends in when nothing but linear steps reads it on the way."""
    while number not in kept and len(readers[number]) == 1:
        (reader,) = readers[number]
        step = known[reader]
        if _factor(step) is not None:
            return reader
        if step.alias is not None or step.function not in _BILINEAR or len(step.refs) != 2:
            return None
        number = reader
    return None


def _factor(step: Step) -> float | None:
    """The power of two by which a step scales; None if it does something else."""
    if step.alias is not None or len(step.refs) != 1:
        return None
    if step.function == "negative":
        return -1.0
    if step.function != "multiply":
        return None
    first, second = step.operands
    number = second if isinstance(first, Ref) else first
    exact = isinstance(number, float) and abs(frexp(number)[0]) == 0.5
    return number if exact and isinstance(number, float) else None


def _reading(step: Step, number: int, source: Ref) -> Step:
    """The step with `source` read in the place of a value."""
    operands = tuple(
        (source if o.axes is None else seen(source, o.axes))
        if isinstance(o, Ref) and o.value == number
        else o
        for o in step.operands
    )
    return replace(step, operands=operands)


def _scaling(step: Step, factor: float) -> Step:
    (source,) = step.refs
    if factor == -1.0:
        return replace(step, function="negative", operands=(source,))
    return replace(step, function="multiply", operands=(source, factor))
