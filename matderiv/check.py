"""The numerical check that stands between a derivative and the user.

A derivative J of order k is compared with differences of the derivative of order k - 1
(of the value itself for k = 1), along random directions v at random points with general,
non-square, non-symmetric entries:

    J v  =  d/ds F(x + s v)  at s = 0

The right side is extrapolated from central differences at steps h, h/2, h/4; where those
do not settle (a kink, a pole) the point says nothing and another is drawn.  Everything
is computed by the reference evaluator from the text as it was read, so the check shares
no simplification with what it checks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from matderiv.calculus.structure import structured_direction
from matderiv.errors import DomainError
from matderiv.tensor.dims import Composite, Dim, Shape, dim_value
from matderiv.tensor.elementwise import AbstractElementwise
from matderiv.tensor.evaluate import evaluate
from matderiv.tensor.nodes import Apply, Loop, Map, Node, Variable
from matderiv.tensor.primitives import AbstractFunction
from matderiv.tensor.traverse import dimensions, everything, reachable
from matderiv.values import DOMAINS, Array, Declared, draw, draw_sizes

__all__ = ["CheckReport", "check_nodes", "evaluate_named", "slices", "stand_ins"]

TOLERANCE = 1e-6
_STEPS = (4e-3, 4e-3 / 16, 4e-3 / 256)
_ATTEMPTS = 24
_NEAR, _FRAGILE = 1e-10, 1e-4  # a derivative moves by no more than a million times its point
LARGEST = 5_000_000  # entries of an array


@dataclass(frozen=True)
class CheckReport:
    """The outcome of a check; truthy when passed."""

    passed: bool
    max_relative_error: float
    points: int

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        verdict = "checked" if self.passed else "CHECK FAILED"
        return (
            f"{verdict} against finite differences at {self.points} random points: "
            f"max relative error {self.max_relative_error:.0e}"
        )

    def _repr_pretty_(self, page: Any, cycle: bool) -> None:
        page.text(str(self))  # what a notebook shows


def stand_ins(roots: Sequence[Node], seed: int = 0) -> dict[object, Callable[..., Any]]:
    """Smooth functions with known derivatives for the abstract functions of a graph.

    An elementwise f is sin(a·x + c) + a·x/2, a scalar function l is sin(Σ <A_k, x_k>), with
    fixed random a and A_k: their derivatives of every order follow.  The roots are of one
    arena.
    """
    found: dict[object, Callable[..., Any]] = {}
    for node in everything(roots):
        if isinstance(node, Map) and isinstance(node.function, AbstractElementwise):
            found[node.function.key] = _elementwise_stand_in(node.function, seed)
        elif isinstance(node, Apply) and isinstance(node.primitive, AbstractFunction):
            found[node.primitive.key] = _scalar_stand_in(node.primitive, seed)
    return found


def _wave(order: int, x: Any) -> Any:
    """The derivative of sin of an order."""
    return np.sin(x + order * math.pi / 2)


def _weights(name: str, seed: int, index: int, shape: tuple[int, ...] = ()) -> Array:
    key = [seed, index, *name.encode()]
    return np.asarray(np.random.default_rng(key).uniform(0.5, 1.5, size=shape))


def _elementwise_stand_in(function: AbstractElementwise, seed: int) -> Callable[..., Any]:
    slopes = [float(_weights(function.name, seed, k)) for k in range(function.arity)]
    order = sum(function.orders)
    scale = math.prod(a**n for a, n in zip(slopes, function.orders, strict=True))

    def value(*x: Array) -> Any:
        inner = sum(a * z for a, z in zip(slopes, x, strict=True))
        bend = scale * _wave(order, inner + 0.3)
        if order == 0:
            return bend + 0.5 * inner
        return bend + (0.5 * scale if order == 1 else 0.0)

    return value


def _scalar_stand_in(function: AbstractFunction, seed: int) -> Callable[..., Any]:
    def value(*x: Array) -> Any:
        weights = [_weights(function.name, seed, k, np.shape(z)) for k, z in enumerate(x)]
        inner = sum(float(np.sum(a * z)) for a, z in zip(weights, x, strict=True))
        result: Any = _wave(len(function.slots), inner + 0.3)
        for slot in function.slots:
            result = np.multiply.outer(result, weights[slot])
        return result

    return value


def evaluate_named(
    roots: Sequence[Node],
    arrays: Mapping[str, Array],
    sizes: Mapping[str, int],
    functions: Mapping[object, Callable[..., Any]] | None = None,
) -> list[Array]:
    """Evaluate graphs with arrays given by the names of the variables."""
    values: dict[Node, Array] = {
        node: arrays[node.name] for node in reachable(roots) if isinstance(node, Variable)
    }
    return evaluate(roots, values, sizes, functions)


def check_nodes(
    lower: Node,
    wrt: str,
    derivative: Node,
    inputs: Mapping[str, Declared],
    *,
    seed: int = 0,
    points: int = 3,
    structured: bool = False,
    diagonal: tuple[Node, Sequence[int]] | None = None,
) -> CheckReport:
    """Check that `derivative` (shape: lower's, then wrt's) is that of `lower` by `wrt`.

    `structured` takes directions that keep the structure of `wrt`.  `diagonal` is a node
    that should be the entries of the derivative where axes of one label have one index,
    and these labels.  Raises DomainError where no point is found at which both are finite.
    """
    functions = stand_ins([lower, derivative, *(diagonal or ())[:1]], seed)
    worst, done = 0.0, 0
    with np.errstate(all="ignore"):
        for arrays, sizes, random in _points(inputs, seed, [lower, derivative]):
            try:
                (jacobian,) = evaluate_named([derivative], arrays, sizes, functions)
                if not np.all(np.isfinite(jacobian)):
                    continue
                near = _nearby(arrays, inputs, random)
                (moved,) = evaluate_named([derivative], near, sizes, functions)
                if not _largest(moved - jacobian) <= _FRAGILE * _largest(jacobian):
                    continue  # made of rounding: beside a pole, an inverse of too low a rank
                direction = np.asarray(random.normal(size=arrays[wrt].shape))
                if structured:
                    marks = inputs[wrt].attributes
                    direction = structured_direction(direction, arrays[wrt], marks)
                error = _directional_error(
                    lower, wrt, jacobian, direction, arrays, sizes, functions
                )
                if error is None and inputs[wrt].attributes:
                    # The zeros of a structure may lie at a kink: then along it.
                    along = structured_direction(direction, arrays[wrt], inputs[wrt].attributes)
                    error = _directional_error(
                        lower, wrt, jacobian, along, arrays, sizes, functions
                    )
            except np.linalg.LinAlgError:  # a singular matrix: the point says nothing
                continue
            except MemoryError as error:
                raise DomainError(f"an array is too large to check: {error}".lower()) from None
            if error is None:
                continue
            if diagonal is not None:
                (entries,) = evaluate_named([diagonal[0]], arrays, sizes, functions)
                error = max(error, _diagonal_error(entries, jacobian, diagonal[1]))
            worst, done = max(worst, error), done + 1
            if done == points:
                return CheckReport(worst <= TOLERANCE, worst, done)
    if done:
        return CheckReport(worst <= TOLERANCE, worst, done)
    raise DomainError("no point was found at which the value and the derivative are finite")


def _diagonal_error(entries: Array, dense: Array, labels: Sequence[int]) -> float:
    """The relative error of the entries of an array where axes of one label have one index."""
    exact = np.einsum(dense, list(labels), list(dict.fromkeys(labels)))
    scale = max(_largest(exact), 1e-9 * _largest(dense))
    return _largest(entries - exact) / scale if scale else _largest(entries)


def _nearby(
    arrays: Mapping[str, Array], inputs: Mapping[str, Declared], random: np.random.Generator
) -> dict[str, Array]:
    """A point beside a point: every real number changed by some 1e-10 of itself.

    A pole may lie in any input: 1 / tr(A / r) has one in A, whatever r is.
    """
    return {
        name: array
        if "integer" in inputs[name].attributes
        else array * (1 + _NEAR * random.normal(size=array.shape))
        for name, array in arrays.items()
    }


def slices(roots: Sequence[Node]) -> Iterator[tuple[Dim, int]]:
    """The dimensions that a graph takes slices of, and where each slice ends."""
    for node in everything(roots):
        if isinstance(node, Apply) and node.primitive.key == "select":
            dim, _, stop = node.parameters
            assert isinstance(dim, str | int | Composite)
            assert isinstance(stop, int)
            yield dim, stop


def _sliced(roots: Sequence[Node]) -> dict[str, int]:
    """The least size of each dimension that the slices of a graph reach into."""
    least: dict[str, int] = {}
    for dim, stop in slices(roots):
        for name in (dim,) if isinstance(dim, str) else getattr(dim, "names", ()):
            least[name] = max(least.get(name, 0), stop + 1)
    return least


def _entries(shapes: Iterable[Shape], sizes: Mapping[str, int]) -> int:
    """The entries of the largest array."""
    return max(math.prod(dim_value(dim, sizes) for dim in shape) for shape in shapes)


def _points(
    inputs: Mapping[str, Declared], seed: int, roots: Sequence[Node]
) -> Iterator[tuple[dict[str, Array], dict[str, int], np.random.Generator]]:
    # Some sizes no input shows: those of ones(n), the number of turns of a loop.
    shapes = [*(declared.shape for declared in inputs.values()), tuple(dimensions(roots))]
    least = _sliced(roots)
    arrays = [*shapes, *(root.shape for root in roots)]
    half = _ATTEMPTS // 2

    def sizes_of(attempt: int) -> dict[str, int]:
        """Small sizes that rise or fall, then larger ones in further orders.

        Of two entries, a standardised vector is always (-1, 1); and of k ≤ q ≤ n alone
        there may be an inverse.
        """
        if attempt >= half:
            sizes = draw_sizes(shapes, 4, order=attempt - half, least=least)
            if _entries(arrays, sizes) <= LARGEST:
                return sizes
        return draw_sizes(shapes, order=attempt % 2, least=least)

    choices = [sizes_of(attempt) for attempt in (0, 1)]
    entries = max(_entries(arrays, sizes) for sizes in choices)
    if entries > LARGEST:
        raise DomainError(f"an array of {entries:,} entries is too large to check")
    for number, domain in enumerate(DOMAINS):
        for attempt in range(_ATTEMPTS):
            sizes = choices[attempt % 2] if attempt < half else sizes_of(attempt)
            random = np.random.default_rng([seed, number, attempt])
            yield draw(inputs, sizes, random, domain), sizes, random


def _directional_error(
    lower: Node,
    wrt: str,
    jacobian: Array,
    direction: Array,
    arrays: Mapping[str, Array],
    sizes: Mapping[str, int],
    functions: Mapping[object, Callable[..., Any]],
) -> float | None:
    """The relative error along one direction, or None where differences do not settle."""
    point = arrays[wrt]
    exact = np.tensordot(jacobian, direction, axes=point.ndim)

    def value(s: float) -> Array:
        moved = {**arrays, wrt: point + s * direction}
        return evaluate_named([lower], moved, sizes, functions)[0]

    # The rounding of a value is that of what it is made of, which may be far larger.
    made_of = [node for node in reachable([lower]) if not isinstance(node, Loop)]
    rounding = 1e-15 * max(map(_largest_finite, evaluate_named(made_of, arrays, sizes, functions)))
    for step in _STEPS:
        slopes = []
        for h in (step, step / 2, step / 4):
            slopes.append((value(h) - value(-h)) / (2 * h))
        coarse, fine = ((4 * b - a) / 3 for a, b in pairwise(slopes))
        best = (16 * fine - coarse) / 15
        if not np.all(np.isfinite(best)):
            continue
        scale = max(_largest(best), _largest(exact))
        noise = max(1e-13 * _largest(value(0.0)), rounding) / step
        unsettled = _largest(best - fine)
        if _is_kink(value, step, 1e-3 * scale + noise):
            return None
        if unsettled <= 1e-7 * scale + noise:
            # Below the noise of the differences an error is none.
            return _largest(best - exact) / max(scale, noise / TOLERANCE) if scale else 0.0
        # Roughly settled, and elsewhere: wrong, whatever the last digits.
        if unsettled <= 1e-3 * _largest(best) + noise < 1e-2 * _largest(best - exact):
            return _largest(best - exact) / scale
    return None


def _is_kink(value: Callable[[float], Array], step: float, least: float) -> bool:
    """Whether the slopes of the two sides differ, however near the point they are taken.

    The central difference at a kink settles too, on the mean of the two.
    """

    def jump(h: float) -> Array:
        return np.asarray(np.abs(value(h) + value(-h) - 2 * value(0.0)) / h)

    far, near = jump(step), jump(step / 4)
    return bool(np.any((near > 0.7 * far) & (near > least)))


def _largest_finite(array: Array) -> float:
    return _largest(np.where(np.isfinite(array), array, 0.0))


def _largest(array: Array) -> float:
    return float(np.max(np.abs(array), initial=0.0))
