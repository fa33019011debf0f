"""When each value dies, and what is alive: the memory of a sequence of steps.

A step allocates its result unless it is a view or writes in place, and hides buffers
while it runs (`footprint.py`); a buffer is freed after the last use of the last value
that shares it.  The peak is the largest sum of what is alive, the result and what is
hidden.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from matderiv.program.footprint import Footprints
from matderiv.program.polynomial import ZERO, Polynomial
from matderiv.program.steps import Ref, Step, operands_of

__all__ = ["Peak", "deaths", "held_by_lists", "homes", "peak"]


@dataclass(frozen=True)
class Peak:
    """The most bytes alive at once, as a number and in symbols.

    bytes    everything: elements, array objects, what NumPy hides in the call
    alive    the elements of the arrays that are alive at that step, by the value in each
    inside   those of arrays inside that step: one layer of a loop, or one block
    step     the value whose computation it is; None if it is the state before
    """

    bytes: int
    alive: Mapping[int, Polynomial]
    inside: Polynomial
    step: int | None = None

    @property
    def polynomial(self) -> Polynomial:
        """All these elements together."""
        return Polynomial.total([self.inside, *self.alive.values()])


def homes(
    steps: Iterable[Step], outputs: bool = False, copies: Container[int] = ()
) -> dict[int, int]:
    """For each value, the value that made its buffer; the parts of a tuple own theirs.

    With `outputs` those of a loop do too; `copies` are reshapes that turn out to be no views.
    """
    home: dict[int, int] = {}
    for step in steps:
        home[step.value] = step.value
        if step.value in copies:
            continue
        if step.alias is not None and step.item is None and not (outputs and step.place >= 0):
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


def held_by_lists(steps: Sequence[Step]) -> dict[int, list[int]]:
    """The arrays from which loops start and that their lists hold, by the value of the list."""
    outputs = {(step.alias, step.place): step.value for step in steps if step.place >= 0}
    found: dict[int, list[int]] = {}
    for step in steps:
        if step.body is not None:
            body = step.body
            starts = zip(body.carries, body.parts(step.operands).starts, strict=True)
            operands = {argument: start for (argument, _), start in starts}
            for place, output in enumerate(body.outputs):
                argument = body.holds(output)
                start = None if argument is None else operands[argument]
                if isinstance(start, Ref):
                    owner = outputs.get((step.value, place), step.value)
                    found.setdefault(owner, []).append(start.value)
    return found


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
    copies = {step.value for step in steps if step.is_view and footprints[step.value].data}
    home = homes(steps, outputs=True, copies=copies)
    given = set(given)
    sharers: dict[int, int] = {}
    for number in [*given, *(step.value for step in steps)]:
        owner = home.get(number, number)
        sharers[owner] = sharers.get(owner, 0) + 1
    held = held_by_lists(steps)
    for number in (number for group in held.values() for number in group):
        owner = home.get(number, number)
        sharers[owner] = sharers.get(owner, 0) + 1
    made = {step.value for step in steps}
    own = {k: footprints[k] if k in made else footprints.whole(k) for k in made | given}
    moved: dict[int, int] = {}  # out of a tuple, by its parts
    # A buffer, the value now in it, and its elements in symbols.
    alive = {number: (number, own[number].polynomial) for number in given}
    total = most = start + sum(own[number].kept for number in given)
    found, at, inside = dict(alive), None, ZERO
    for step, dying in zip(steps, deaths(steps, kept, given), strict=True):
        taken = own[step.value]
        total += taken.kept
        owner = home[step.value]
        if not step.is_view or owner == step.value:
            symbols = taken.polynomial if owner == step.value else alive[owner][1]
            alive[owner] = step.value, symbols
        if step.alias is not None and (step.item is not None or step.place >= 0):
            part = taken.data if step.place < 0 else taken.kept
            moved[step.alias] = moved.get(step.alias, 0) + part
            total -= part
            if step.alias in alive:
                alive[step.alias] = step.alias, alive[step.alias][1] - taken.polynomial
        if total + taken.hidden > most:
            most, found, at = total + taken.hidden, dict(alive), step.value
            inside = taken.inside
        written = [step.alias] if step.writes and step.alias is not None else []
        released = [k for number in dying for k in held.get(number, ())]
        for number in (*dying, *written, *released):
            owner = home.get(number, number)
            sharers[owner] -= 1
            total -= own[number].header if number in dying else 0
            if not sharers[owner] and owner in alive:
                del alive[owner]
                total -= own[owner].data - moved.get(owner, 0)
    return Peak(most, dict(sorted(pair for pair in found.values() if pair[1])), inside, at)
