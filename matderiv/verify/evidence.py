"""Points at which a derivative and a claim are both finite, and their values there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from matderiv.calculus.layout import layout_axes
from matderiv.check import stand_ins
from matderiv.errors import DomainError
from matderiv.values import DOMAINS, Array, draw, draw_sizes

if TYPE_CHECKING:
    from matderiv.results import Derivative
    from matderiv.verify.claims import Claim

__all__ = ["Evidence", "array_text", "gather"]

_ATTEMPTS = 4
_SHAKE, _SETTLED = 1e-14, 1e-9
_LONGEST = 12  # entries of an array that is printed whole


@dataclass(frozen=True)
class Evidence:
    """A point; the derivative there in mixed layout, the claim and the program's value."""

    arrays: Mapping[str, Array]
    sizes: Mapping[str, int]
    derivative: Array
    claim: Array
    value: Array


def gather(
    derivative: Derivative,
    claim: Claim,
    conditions: Mapping[str, str] | None = None,
    *,
    count: int = 4,
    readable: bool = False,
) -> list[Evidence]:
    """Values at random points whose inputs meet conditions, as {"A": "symmetric"}.

    `readable` points have small integers or short decimals.  Raises DomainError where no
    point is found at which all is finite.
    """
    program = derivative.program
    # One at a time: ids are of one arena, and each of these has its own.
    functions: dict[object, Callable[..., Any]] = {}
    for root in (program.output, derivative.node, claim.program.output):
        functions |= stand_ins([root])
    axes = layout_axes(derivative.layout, len(program.shape), len(derivative.shape))
    found: list[Evidence] = []
    with np.errstate(all="ignore"):
        for arrays, sizes in _points(derivative, conditions or {}, readable):
            try:
                arranged = derivative.evaluate(arrays, functions)
                mixed = np.transpose(arranged, np.argsort(axes))
                claimed = claim.evaluate(arrays, sizes, functions)
                value = program.evaluate(arrays, functions)
                shaken = _shaken(arrays)
                again = derivative.evaluate(shaken, functions)
                reclaimed = claim.evaluate(shaken, sizes, functions)
            except (DomainError, np.linalg.LinAlgError):
                continue
            finite = all(np.all(np.isfinite(array)) for array in (mixed, claimed, value))
            if finite and _settles(arranged, again) and _settles(claimed, reclaimed):
                found.append(Evidence(arrays, sizes, mixed, claimed, value))
            if len(found) == count:
                return found
    if not found:
        raise DomainError("no point was found at which the derivative and the claim are finite")
    return found


def _shaken(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays with entries changed in their last digits."""
    random = np.random.default_rng(11)
    return {
        name: array * (1 + _SHAKE * random.normal(size=array.shape))
        for name, array in arrays.items()
    }


def _settles(value: Array, again: Array) -> bool:
    """Whether the last digits of the inputs leave a value what it is.

    Near a singular matrix, or where all that is left of a difference is rounding, a
    derivative says nothing of a claim, nor a claim of a derivative.
    """
    scale = np.max(np.abs(value), initial=0.0)
    return bool(np.max(np.abs(again - value), initial=0.0) <= _SETTLED * scale)


def _points(
    derivative: Derivative, conditions: Mapping[str, str], readable: bool
) -> Iterator[tuple[dict[str, Array], dict[str, int]]]:
    inputs = {
        name: replace(entry, attributes=entry.attributes | {conditions[name]})
        if name in conditions
        else entry
        for name, entry in derivative.program.inputs.items()
    }
    shapes = [entry.shape for entry in inputs.values()]
    for number, domain in enumerate(DOMAINS):
        for attempt in range(_ATTEMPTS):
            # Sizes change from point to point: a factor of n is no number.
            sizes = draw_sizes(shapes, 2 + attempt // 2, order=attempt)
            random = np.random.default_rng([7, number, attempt])
            arrays = draw(inputs, sizes, random, domain)
            if not readable:
                yield arrays, sizes
                continue
            if not any(inputs[name].attributes for name in arrays):
                yield {name: np.rint(2 * array) for name, array in arrays.items()}, sizes
            yield {name: np.round(array, 1) for name, array in arrays.items()}, sizes


def array_text(array: Array) -> str:
    """An array as a person types it, to four digits; its largest entries if it is large.

    >>> array_text(np.array([[1.0, -2.0], [0.5, 1 / 3]]))
    '[[1, -2], [0.5, 0.3333]]'
    """
    if array.size <= _LONGEST:
        return _nested(array)
    at = np.unravel_index(int(np.argmax(np.abs(array))), array.shape)
    index = ", ".join(str(int(k)) for k in at)
    return f"an array of shape {array.shape} with {_number(float(array[at]))} at [{index}]"


def _nested(array: Array) -> str:
    if array.ndim == 0:
        return _number(float(array))
    return f"[{', '.join(_nested(part) for part in array)}]"


def _number(value: float) -> str:
    text = f"{value:.4g}"
    return "0" if text == "-0" else text
