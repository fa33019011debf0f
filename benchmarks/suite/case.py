"""What a row of the table is: a program, what is asked of it, sizes, the code to beat."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import numpy as np

__all__ = ["SIZES", "Array", "Call", "Case", "Values", "flat", "sizes"]

Array = Any
Values = Mapping[str, Any]
Sizes = Mapping[str, int]
Call = Callable[[], Any]

SIZES = ("small", "medium", "large")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row of the table.

    source   the program in our language
    forward  its value in the vocabulary that `contestants/` gives each framework
    hand     the best NumPy that we could write for what is asked, its results flat; where
             several ways were tried, the one that won
    asked    "gradient": the value and its gradients; "dense": the derivative as an array;
             "compressed": the same without the entries that are zero or repeat others;
             "product": the Hessian times the directions that are given as d-names
    draw     how an input is drawn, if not from the normal law: "sign", "mask", "posdef",
             "symmetric", "rows" with one 1 in each, "weights" of a layer, or "positive"
    why      by size, why our code is behind there if it is, where no measure says it
    """

    name: str
    source: str
    wrt: tuple[str, ...]
    asked: str
    sizes: tuple[Sizes, Sizes, Sizes]
    shapes: Mapping[str, tuple[str, ...]]
    hand: Callable[..., tuple[Any, ...]]
    forward: Callable[[Any, Values], Any]
    draw: Mapping[str, str] = field(default_factory=dict)
    order: int = 1
    why: Mapping[str, str] = field(default_factory=dict)

    def values(self, sizes: Sizes, seed: int = 0) -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        return {
            name: _drawn(rng, self.draw.get(name, "normal"), [sizes[d] for d in shape])
            for name, shape in self.shapes.items()
        }

    def by_hand(self, values: Values) -> Call:
        """The code by hand, called by position as everybody else is, if its inputs have names."""
        names = signature(self.hand).parameters
        if set(names) != set(values):
            return lambda: self.hand(**values)
        arguments = [values[name] for name in names]
        return lambda: self.hand(*arguments)

    def split(self, values: Values) -> tuple[list[Any], dict[str, Any], list[Any]]:
        """The variables, everything else that the value reads, the directions."""
        directions = [f"d{name}" for name in self.wrt if f"d{name}" in values]
        fixed = {k: v for k, v in values.items() if k not in (*self.wrt, *directions)}
        return [values[k] for k in self.wrt], fixed, [values[k] for k in directions]


def flat(answer: Any, wrt: Sequence[str]) -> list[Any]:
    """The arrays of an answer: of tuples in order, of mappings by `wrt`, and no text."""
    if isinstance(answer, Mapping):
        answer = [answer[name] for name in wrt]
    if isinstance(answer, (tuple, list)):
        return [array for part in answer for array in flat(part, wrt)]
    return [] if isinstance(answer, str) else [answer]


def sizes(small: str, medium: str, large: str) -> tuple[Sizes, Sizes, Sizes]:
    def read(text: str) -> Sizes:
        pairs = (part.split("=") for part in text.split())
        return {name: int(number) for name, number in pairs}

    return read(small), read(medium), read(large)


def _drawn(rng: np.random.Generator, kind: str, shape: list[int]) -> Any:
    array = rng.normal(size=shape)
    if kind == "sign":
        return np.sign(array)
    if kind == "mask":
        return (array > 0).astype(float)
    if kind == "posdef":
        return array @ array.T / len(array) + np.eye(len(array))
    if kind == "symmetric":
        return array + array.T
    if kind == "rows":
        return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[0])]
    if kind == "weights":  # keeps the norm of what passes through
        return array * (2.0 / shape[0]) ** 0.5
    if kind == "positive":
        return float(np.abs(array) + 0.5)
    return array
