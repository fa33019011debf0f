"""An array kept as a sum of outer products, deltas and ones: what it stands for is never filled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matderiv.tensor.dims import Shape, dim_value

__all__ = ["Compressed", "Terms"]

Array = NDArray[Any]


class Terms(NamedTuple):
    """What a plan computes of a compressed result: by spec, the keys of its parts."""

    shape: Shape
    parts: Sequence[tuple[str, Sequence[str]]]

    @property
    def keys(self) -> list[str]:
        """The names of all parts."""
        return [key for _, keys in self.parts for key in keys]

    def filled(self, found: Sequence[Sequence[Any]], sizes: Mapping[str, int]) -> Compressed:
        shape = tuple(dim_value(dim, sizes) for dim in self.shape)
        return Compressed(shape, tuple((str(spec), tuple(parts)) for spec, *parts in found))


@dataclass(frozen=True)
class Compressed:
    """A sum of terms (spec, arrays), each an outer product of its arrays.

    In `spec` letters stand for axes as in `numpy.einsum`; a letter that repeats in the
    output is a delta, one that no array carries a vector of ones:

    >>> identity_of_blocks = Compressed((2, 3, 2, 3), (("ab->iaib", (np.ones((3, 3)),)),))
    >>> identity_of_blocks.dense().shape, identity_of_blocks.size
    ((2, 3, 2, 3), 9)
    """

    shape: tuple[int, ...]
    terms: tuple[tuple[str, tuple[Any, ...]], ...]

    @property
    def size(self) -> int:
        """How many numbers are kept."""
        return sum(int(np.size(part)) for _, parts in self.terms for part in parts)

    def dense(self) -> Array:
        """The array itself."""
        result = np.zeros(self.shape)
        for spec, parts in self.terms:
            inputs, out = spec.split("->")
            letters = "".join(dict.fromkeys(out))
            entries = np.einsum(f"{out}->{letters}", result) if out else result
            own = "".join(letter for letter in letters if letter in inputs)
            places = tuple(slice(None) if k in own else None for k in letters)
            entries += np.einsum(f"{inputs}->{own}", *parts)[places]
        return result

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return self.dense().astype(dtype or float, copy=False)

    def apply(self, direction: Any) -> Array:
        """The sum over the last axes with an array of their shape: H V, J v.

        >>> ones_times_p = Compressed((2, 3), (("j->ij", (np.arange(3.0),)),))
        >>> ones_times_p.apply([1.0, 1.0, 2.0])
        array([5., 5.])
        """
        direction = np.asarray(direction, float)
        count = len(self.shape) - direction.ndim
        result = np.zeros(self.shape[:count])
        for spec, parts in self.terms:
            inputs, out = spec.split("->")
            left, right = out[:count], out[count:]
            if len(set(left)) < len(left):  # a delta among the axes that stay
                return np.asarray(np.tensordot(self.dense(), direction, axes=direction.ndim))
            own = "".join(k for k in left if k in inputs or k in right)
            places = tuple(slice(None) if k in own else None for k in left)
            result += np.einsum(f"{inputs},{right}->{own}", *parts, direction, optimize=True)[
                places
            ]
        return result
