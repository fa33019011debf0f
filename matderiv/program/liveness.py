"""When each value dies, and what is alive: the memory of a sequence of steps.

A step allocates its result unless it is a view or writes in place, and hides buffers
while it runs (`footprint.py`); a buffer is freed after the last use of the last value
that shares it.  The peak is the largest sum of what is alive, the result and what is
hidden.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matderiv.program.footprint import Footprints
from matderiv.program.polynomial import Polynomial
from matderiv.program.steps import Step, operands_of

__all__ = ["Peak", "deaths", "homes", "peak"]


@dataclass(frozen=True)
class Peak:
    """The most bytes alive at once, as a number and in symbols.

    bytes        everything: elements, array objects, what NumPy hides in the call
    polynomial   the elements of the arrays that are alive at that step
    alive        these arrays, by the value that is in each
    step         the value whose computation it is; None if it is the state before
    """

    bytes: int
    polynomial: Polynomial
    alive: tuple[int, ...]
    step: int | None = None


def homes(steps: Iterable[Step]) -> dict[int, int]:
    """For each value, the value that made its buffer; the parts of a tuple own theirs."""
    home: dict[int, int] = {}
    for step in steps:
        home[step.value] = step.value
        if step.alias is not None and step.item is None:
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
    footprints: Footprints,
    given: Iterable[int] = (),
    start: int = 0,
) -> Peak:
    """The peak of these steps.

    `given` are arrays alive before them, which may die; `start` counts bytes that stay
    from before to after.
    """
    home = homes(steps)
    given = set(given)
    sharers: dict[int, int] = {}
    for number in [*given, *(step.value for step in steps)]:
        owner = home.get(number, number)
        sharers[owner] = sharers.get(owner, 0) + 1
    moved: dict[int, int] = {}  # out of a tuple, by its parts
    alive = {number: number for number in given}  # a buffer, and the value now in it
    made = {step.value for step in steps}
    own = {k: footprints[k] if k in made else footprints.whole(k) for k in made | given}
    total = most = start + sum(own[number].kept for number in given)
    found, at = dict(alive), None
    for step, dying in zip(steps, deaths(steps, kept, given), strict=True):
        taken = own[step.value]
        total += taken.kept
        if not step.is_view or home[step.value] == step.value:
            alive[home[step.value]] = step.value
        if step.item is not None and step.alias is not None:
            moved[step.alias] = moved.get(step.alias, 0) + taken.data
            total -= taken.data
        if total + taken.hidden > most:
            most, found, at = total + taken.hidden, dict(alive), step.value
        written = [step.alias] if step.writes and step.alias is not None else []
        for number in (*dying, *written):
            owner = home.get(number, number)
            sharers[owner] -= 1
            total -= own[number].header if number in dying else 0
            if not sharers[owner] and owner in alive:
                del alive[owner]
                total -= own[owner].data - moved.get(owner, 0)
    polynomial = Polynomial.total(own[number].polynomial for number in found)
    return Peak(most, polynomial, tuple(sorted(found.values())), at)
