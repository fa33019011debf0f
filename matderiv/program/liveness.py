"""When each value dies, and what is alive: the memory of a sequence of steps.

A step allocates its result (8 bytes an element, 1 for a mask) unless it is a view or
writes in place; a buffer is freed after the last use of the last value that shares it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from matderiv.program.polynomial import ZERO, Polynomial
from matderiv.program.steps import Step, operands_of
from matderiv.tensor.dims import Shape

__all__ = ["Peak", "bytes_of", "deaths", "peak"]

_MASKS = frozenset({"equal", "greater", "less"})


@dataclass(frozen=True)
class Peak:
    """The most bytes alive at once at some sizes, as a number and as a polynomial.

    The polynomial is that of the values alive at the step where the number is largest.
    """

    bytes: int
    polynomial: Polynomial
    alive: tuple[int, ...]


def bytes_of(step: Step) -> Polynomial:
    if step.alias is not None:
        return ZERO
    return Polynomial.of(1 if step.function in _MASKS else 8, *step.shape)


def homes(steps: Iterable[Step]) -> dict[int, int]:
    """For each value, the value that owns its buffer."""
    home: dict[int, int] = {}
    for step in steps:
        home[step.value] = step.value
        if step.alias is not None:
            home[step.value] = home.get(step.alias, step.alias)
    return home


def deaths(
    steps: Sequence[Step], kept: Iterable[int], given: Iterable[int] = ()
) -> list[list[int]]:
    """For each step, the values that nobody reads after it.

    `kept` are results; `given` values that exist before the steps and may die too.  A
    value written into lives on as the array after the write.
    """
    kept = set(kept)
    last: dict[int, int] = {}
    known = set(given)
    written: dict[int, int] = {}
    for index, step in enumerate(steps):
        for number in operands_of(step):
            if number in known:
                last[number] = index
        known.add(step.value)
        last.setdefault(step.value, index)
        if step.writes and step.alias is not None:
            written[step.alias] = step.value
    result: list[list[int]] = [[] for _ in steps]
    for number, index in last.items():
        if number not in kept and number not in written:
            result[index].append(number)
    return [sorted(group) for group in result]


def peak(
    steps: Sequence[Step],
    kept: Iterable[int],
    sizes: Mapping[str, int],
    given: Mapping[int, Shape] | None = None,
) -> Peak:
    """The peak of these steps; `given` are arrays alive before them, which may die."""
    home = homes(steps)
    given = given or {}
    polynomials = {number: Polynomial.of(8, *shape) for number, shape in given.items()}
    polynomials.update({s.value: bytes_of(s) for s in steps if s.alias is None})
    numbers = {number: int(p.at(sizes)) for number, p in polynomials.items()}
    sharers: dict[int, int] = {}
    for number in [*given, *(step.value for step in steps)]:
        owner = home.get(number, number)
        sharers[owner] = sharers.get(owner, 0) + 1
    alive = set(given)
    total = most = sum(numbers[number] for number in alive)
    found = tuple(sorted(alive))
    for step, dying in zip(steps, deaths(steps, kept, given), strict=True):
        if step.alias is None:
            alive.add(step.value)
            total += numbers[step.value]
        if total > most:
            most, found = total, tuple(sorted(alive))
        written = [step.alias] if step.writes and step.alias is not None else []
        for number in (*dying, *written):
            owner = home.get(number, number)
            sharers[owner] -= 1
            if not sharers[owner] and owner in alive:
                alive.discard(owner)
                total -= numbers[owner]
    return Peak(most, Polynomial.total(polynomials[k] for k in found), found)
