"""Arrays for inputs: checked against declared shapes, or drawn at random.

Binding finds a number for each dimension name; drawing gives every dimension a size of
its own and every attribute its due, so that no wrong transpose hides.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import cycle
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from matderiv.errors import NameResolutionError, ShapeError
from matderiv.tensor.dims import Composite, Shape, dim_text, dim_value, shape_text

__all__ = [
    "DOMAINS",
    "Array",
    "bind",
    "by_name",
    "draw",
    "draw_sizes",
    "is_sympy",
    "real_array",
    "superscript",
]

Array = NDArray[Any]

# How `draw` makes entries, in the order in which a check tries them.
DOMAINS = ("normal", "positive", "unit", "dominant", "large")


class Declared(Protocol):
    """What is known of an input: its shape and attributes."""

    @property
    def shape(self) -> Shape: ...
    @property
    def attributes(self) -> frozenset[str]: ...


def superscript(number: int) -> str:
    """A number as an exponent is printed.

    >>> superscript(12)
    '¹²'
    """
    return str(number).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def is_sympy(value: object) -> bool:
    """Whether a value is SymPy's; SymPy is not imported to find out."""
    return any(str(kind.__module__).startswith("sympy.") for kind in type(value).__mro__)


def bind(
    inputs: Mapping[str, Declared], values: Mapping[str, Any], dimensions: Iterable[str] = ()
) -> tuple[dict[str, Array], dict[str, int]]:
    """Return the arrays of the inputs and the size of each dimension name.

    A dimension name (`dimensions` lists those that no input carries) may stand among the
    values, with its number.  Raises NameResolutionError for a missing or unknown name,
    ShapeError where an array does not fit its declared shape or the others.
    """
    dims = set(dimensions) | {
        part
        for declared in inputs.values()
        for dim in declared.shape
        for part in (dim.names if isinstance(dim, Composite) else (dim,))
    }
    unknown = [name for name in values if name not in inputs and name not in dims]
    if unknown:
        raise NameResolutionError(
            f"no input is called {unknown[0]!r}; the inputs are {', '.join(inputs)}"
        )
    missing = [name for name in inputs if name not in values]
    if missing:
        raise NameResolutionError(f"no value is given for {', '.join(missing)}")
    arrays: dict[str, Array] = {}
    sizes = {name: _size(name, values[name]) for name in values if name not in inputs}
    composites: list[tuple[str, Composite, int]] = []
    for name, declared in inputs.items():
        array = real_array(name, values[name])
        expected = shape_text(declared.shape)
        if array.ndim != len(declared.shape):
            raise ShapeError(f"{name} must have shape {expected}, not {array.shape}")
        for dim, length in zip(declared.shape, array.shape, strict=True):
            known = dim if isinstance(dim, int) else None
            if isinstance(dim, str):
                known = sizes.setdefault(dim, length)
            elif isinstance(dim, Composite):
                composites.append((name, dim, length))
                continue
            if known != length:
                bound = "".join(f", {k} = {v}" for k, v in sizes.items())
                raise ShapeError(
                    f"{name} must have shape {expected}, not {array.shape}{bound and ' with'}"
                    f"{bound[1:]}"
                )
        arrays[name] = array
    for name, composite, length in composites:
        free = [k for k in composite.names if k not in sizes]
        if len(set(free)) == 1 and len(free) == 1:
            rest = math.prod(sizes[k] for k in composite.names if k != free[0])
            sizes[free[0]] = length // (rest * composite.coefficient)
        if (free and free[0] not in sizes) or dim_value(composite, sizes) != length:
            raise ShapeError(f"{name} has an axis of length {length}, not {dim_text(composite)}")
    return arrays, sizes


def _size(name: str, value: Any) -> int:
    if isinstance(value, int | np.integer) and value > 0:
        return int(value)
    raise ShapeError(f"the size {name} is a positive integer, not {value!r}")


def by_name(values: Any) -> Mapping[str, Any]:
    """Values that are a mapping from names, or ShapeError."""
    if not isinstance(values, Mapping):
        raise ShapeError(f"values are a mapping from names to arrays, not {type(values).__name__}")
    other = next((name for name in values if not isinstance(name, str)), None)
    if other is not None or None in values:
        raise NameResolutionError(f"a name is text, not {type(other).__name__}")
    return values


def real_array(name: str, value: Any) -> Array:
    try:
        array = np.asarray(value)
        if array.dtype.kind in "biuf":
            return array.astype(float)
    except (TypeError, ValueError):
        pass
    raise ShapeError(f"the value of {name} is not an array of real numbers")


def draw_sizes(
    shapes: Iterable[Shape],
    smallest: int = 2,
    *,
    order: int = 0,
    least: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """A size for each dimension name: distinct, and not one of the literal sizes.

    Sizes rise from name to name in order 0 and fall in order 1: X'X has an inverse for a
    tall X alone, X X' for a wide one.  The next two orders are these from the second name
    on, and so forth: for three names, all there are.  `least` are sizes that slices need.
    Past a dozen names the sizes repeat: a program of a thousand layers must stay small.
    """
    names: list[str] = []
    taken: set[int] = set()
    for shape in shapes:
        for dim in shape:
            if isinstance(dim, int):
                taken.add(dim)
                continue
            for name in (dim,) if isinstance(dim, str) else dim.names:
                if name not in names:
                    names.append(name)
    free = [size for size in range(smallest, smallest + 12 + len(taken)) if size not in taken]
    turn = order // 2 % max(len(names), 1)
    names = names[turn:] + names[:turn]
    if order % 2:
        names.reverse()
    sizes = dict(zip(names, cycle(free), strict=False))
    return {name: max(size, (least or {}).get(name, 0)) for name, size in sizes.items()}


def draw(
    inputs: Mapping[str, Declared],
    sizes: Mapping[str, int],
    random: np.random.Generator,
    domain: str = "normal",
) -> dict[str, Array]:
    """Random arrays of the declared shapes and attributes."""
    return {
        name: _draw_one(
            tuple(dim_value(dim, sizes) for dim in declared.shape),
            declared.attributes,
            random,
            domain,
        )
        for name, declared in inputs.items()
    }


def _draw_one(
    shape: tuple[int, ...], attributes: frozenset[str], random: np.random.Generator, domain: str
) -> Array:
    array = np.asarray(random.normal(size=shape))
    if domain in ("positive", "large") or "positive" in attributes:
        array = np.abs(array) + (2.0 if domain == "large" else 0.3)
    elif domain == "unit":
        array = np.asarray(random.uniform(0.05, 0.95, size=shape))
    if "integer" in attributes:
        array = np.rint(3 * array)
    square = len(shape) == 2 and shape[0] == shape[1]
    if domain in ("dominant", "large") and square and not attributes:
        array = array + 2.0 * shape[0] * np.eye(shape[0])
    if "stochastic" in attributes:
        array = np.abs(array) + 0.1
        array = array / array.sum(axis=-1, keepdims=True)
    if "orthogonal" in attributes:
        # Householder's Q of order 2 is always a reflection, of trace 0: any signs instead.
        array = np.linalg.qr(array)[0]
        array = array * random.choice([-1.0, 1.0], size=array.shape[1])
    if "posdef" in attributes:
        array = array @ array.T / shape[0] + np.eye(shape[0])
    elif "symmetric" in attributes:
        array = (array + array.T) / 2
    if "diagonal" in attributes:
        array = np.diag(np.diag(array))
    if "lower" in attributes:
        array = np.tril(array)
    if "upper" in attributes:
        array = np.triu(array)
    return array
