"""What must hold of every program: one function per law, each with its own witness.

A law raises `Disagreement`, or lets through what the package raises.  The dear ones are
applied to a sample, by the seed.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from unittest.mock import patch

import numpy as np

import matderiv as md
from matderiv.calculus.layout import layout_axes
from matderiv.language import canonical_name
from matderiv.program.naming import function_name
from matderiv.program.steps import NUMBER_FUNCTIONS, executed
from matderiv.tensor.arena import Arena
from matderiv.tensor.elementwise import AbstractElementwise
from matderiv.tensor.nodes import Apply, Map, Node
from matderiv.tensor.primitives import AbstractFunction
from matderiv.tensor.traverse import reachable
from tests.backends.test_emitters import uncompiled
from tests.fuzz.trees import Program
from tests.program.counting import count
from tests.program.measuring import arguments, measure, sizes_from

__all__ = ["LAWS", "Case", "Disagreement"]

Array = Any
TOLERANCE = 1e-7


class Disagreement(AssertionError):
    """Two ways to one number that differ."""


@dataclass
class Case:
    """A program with what several laws need."""

    program: Program
    wrt: str | None = None
    skipped: list[str] = field(default_factory=list)

    @cached_property
    def parsed(self) -> md.Program:
        return md.parse(self.program.text())

    @cached_property
    def values(self) -> dict[str, Array]:
        return self.program.values() | {
            dim: size for dim, size in self.program.sizes.items() if dim in self.parsed.dimensions
        }

    @cached_property
    def value(self) -> Array:
        return self.program.value(self.program.values())

    @cached_property
    def derivative(self) -> md.Derivative:
        assert self.wrt is not None
        return md.diff(self.parsed, self.wrt, mode="reverse")

    @cached_property
    def jacobian(self) -> Array:
        return self.evaluated(self.derivative)

    def evaluated(self, derivative: md.Derivative) -> Array:
        return derivative.evaluate(self.values, _functions([derivative.node]))

    @property
    def small(self) -> bool:
        return self.jacobian.size <= 600


def _functions(roots: list[Node]) -> dict[object, Callable[..., Any]]:
    """phi is sin; l and loss are sin of the sum of everything."""
    found: dict[object, Callable[..., Any]] = {}
    for node in reachable(roots):
        if isinstance(node, Map) and isinstance(node.function, AbstractElementwise):
            found[node.function.key] = _wave(sum(node.function.orders))
        if isinstance(node, Apply) and isinstance(node.primitive, AbstractFunction):
            found[node.primitive.key] = _total_wave(node.primitive.slots)
    return found


def _wave(order: int) -> Callable[..., Array]:
    return lambda x: np.sin(np.asarray(x) + order * math.pi / 2)


def _total_wave(slots: tuple[int, ...]) -> Callable[..., Array]:
    def value(*arguments: Array) -> Array:
        total = _wave(len(slots))(sum(np.sum(x) for x in arguments))
        for slot in slots:
            total = np.multiply.outer(total, np.ones(np.shape(arguments[slot])))
        return total

    return value


def agree(what: str, got: Array, want: Array, tolerance: float = TOLERANCE) -> None:
    got, want = np.asarray(got, float), np.asarray(want, float)
    if got.shape != want.shape:
        raise Disagreement(f"{what}: shapes {got.shape} and {want.shape}")
    if not np.all(np.isfinite(got)) and np.all(np.isfinite(want)):
        raise Disagreement(f"{what}: {got} is not finite")
    scale = max(np.max(np.abs(want), initial=0.0), np.max(np.abs(got), initial=0.0), 1e-5)
    error = np.max(np.abs(got - want), initial=0.0) / scale
    if not error <= tolerance:
        raise Disagreement(f"{what}: relative error {error:.1e}\n{got}\n{want}")


# ----- laws -------------------------------------------------------------------------------
def value_is_the_meaning(case: Case) -> None:
    """read, lower and evaluate == what the text means."""
    functions = _functions([case.parsed.output])
    agree("value", case.parsed.evaluate(case.values, functions), case.value)


def shapes_are_as_declared(case: Case) -> None:
    found = {name: entry.shape for name, entry in case.parsed.inputs.items()}
    declared = {canonical_name(name): shape for name, shape in case.program.shapes().items()}
    if any(tuple(found[name]) != declared[name] for name in found):
        raise Disagreement(f"shapes: {found} and {declared}")


def forward_is_reverse(case: Case) -> None:
    forward = md.diff(case.parsed, case.wrt or "", mode="forward")
    agree("forward and reverse", case.evaluated(forward), case.jacobian)


def automatic_is_reverse(case: Case) -> None:
    automatic = md.diff(case.parsed, case.wrt or "")
    agree("auto and reverse", case.evaluated(automatic), case.jacobian)


def derivative_is_the_slope(case: Case) -> None:
    """J v == the central difference of what the text means, along a random direction."""
    assert case.wrt is not None
    point = case.program.inputs[case.wrt].value
    direction = np.random.default_rng(point.size).normal(size=point.shape)
    want = slope(
        lambda x: case.program.value(case.program.values() | {case.wrt: x}), point, direction
    )
    if want is None:
        case.skipped.append("slope")
        return
    got = np.tensordot(case.jacobian, direction, axes=point.ndim)
    noise = 1e-9 * np.max(np.abs(case.value), initial=0.0)
    if np.max(np.abs(got - want), initial=0.0) > noise:
        agree("derivative and slope", got, want, 2e-5)


def slope(function: Callable[[Array], Array], point: Array, direction: Array) -> Array | None:
    """The derivative along a direction by differences; None at a kink or near a pole."""
    with np.errstate(all="ignore"):
        try:
            middle = function(point)
            sides = {h: function(point + h * direction) for h in _STEPS}
        except np.linalg.LinAlgError:
            return None
    slopes = [(sides[h] - sides[-h]) / (2 * h) for h in _STEPS if h > 0]
    coarse, fine = (4 * slopes[1] - slopes[0]) / 3, (4 * slopes[2] - slopes[1]) / 3
    best = (16 * fine - coarse) / 15
    h = min(abs(h) for h in _STEPS)
    bend = np.abs(sides[h] + sides[-h] - 2 * middle) / h  # O(h) where smooth
    scale = max(np.max(np.abs(best), initial=0.0), 1e-6)
    settled = np.max(np.abs(best - fine), initial=0.0) <= 1e-6 * scale
    if not np.all(np.isfinite(best)) or not settled or np.max(bend, initial=0.0) > 0.05 * scale:
        return None
    return np.asarray(best)


_STEPS = (1e-3, 5e-4, 2.5e-4, -1e-3, -5e-4, -2.5e-4)


def generated_code_is_the_evaluator(case: Case) -> None:
    assert case.wrt is not None
    compiled = md.compile(case.parsed, case.wrt)
    given = case.values | {function_name(f): _called(f) for f in compiled._names.functions}
    if case.value.ndim == 0:
        value, gradients = compiled.value_and_grad(given)
        agree("generated gradient", gradients[case.wrt], case.jacobian)
        agree("generated value", value, case.value)
        return
    value, cache = compiled.forward(given)
    agree("generated value", value, case.value)
    agree("generated derivative", compiled.derivative(given)[case.wrt], case.jacobian)
    cotangent = np.cos(np.arange(case.value.size)).reshape(case.value.shape)
    pulled = np.tensordot(cotangent, case.jacobian, axes=cotangent.ndim)
    agree("backward", compiled.backward(cache, cotangent, given)[case.wrt], pulled)


def blocks_of_rows_change_no_value(case: Case) -> None:
    """`blocked=True` with blocks of two rows."""
    assert case.wrt is not None
    blocked = md.compile(case.parsed, case.wrt, blocked=True)
    given = case.values | {function_name(f): _called(f) for f in blocked._names.functions}
    with patch.dict(blocked.module.__dict__, _strips=_two_rows):
        if case.value.ndim == 0:
            value, gradients = blocked.value_and_grad(given)
            agree("gradient in blocks", gradients[case.wrt], case.jacobian)
            agree("value in blocks", value, case.value)
        else:
            agree("derivative in blocks", blocked.derivative(given)[case.wrt], case.jacobian)


def _two_rows(length: int, width: int) -> Iterator[slice]:
    return (slice(first, first + 2) for first in range(0, length, 2))


def _called(function: Any) -> Callable[..., Array]:
    if isinstance(function, AbstractElementwise):
        return _wave(sum(function.orders))
    return _total_wave(function.slots)


def ascii_reads_back(case: Case) -> None:
    by_layer = not {"N", "L"}.isdisjoint(case.program.sizes)  # a recurrence, which is no input
    if case.jacobian.ndim > 2 or by_layer:
        str(case.derivative.to("ascii"))
        return
    text = str(case.derivative.to("ascii"))
    if "D(loss" in text:  # the other argument of the call is not written
        return
    names = {line.split(" =")[0] for line in text.splitlines()[:-1] if " = " in line}
    shapes = {n: s for n, s in case.program.shapes().items() if n not in names}
    marks = {n: list(e.attributes) for n, e in case.program.inputs.items() if n in shapes}
    sizes = dict.fromkeys(["spare"], tuple(case.program.sizes))  # makes sizes of all names
    again = md.parse(text, shapes=shapes | sizes, attributes=marks)
    values = {name: value for name, value in case.values.items() if name in shapes}
    values |= {n: case.program.sizes[n] for n in again.dimensions if n in case.program.sizes}
    try:
        got = again.evaluate(values, _functions([again.output]))
    except md.MatderivError as error:
        raise Disagreement(f"ascii: {text}\n{error}") from error
    agree(f"ascii {text!r}", got, case.jacobian)


def layouts_are_transposes(case: Case) -> None:
    for layout in ("numerator", "denominator"):
        derivative = md.diff(case.parsed, case.wrt or "", layout=layout)
        axes = layout_axes(layout, case.value.ndim, case.jacobian.ndim)
        agree(layout, case.evaluated(derivative), case.jacobian.transpose(axes))


def every_format_is_printed(case: Case) -> None:
    for form in ("unicode", "latex", "mathml", "index", "json"):
        if not str(case.derivative.to(form)):
            raise Disagreement(f"{form} is empty")


def maps_are_the_jacobian(case: Case) -> None:
    """Differential and pullback, evaluated, == the Jacobian applied."""
    assert case.wrt is not None
    point = case.program.inputs[case.wrt].value
    direction = np.cos(np.arange(point.size)).reshape(point.shape)
    form = case.derivative.differential()
    (seed,) = form.seeds
    got = form.evaluate(case.values | {seed: direction}, _functions([form.node]))
    agree("differential", got, np.tensordot(case.jacobian, direction, axes=point.ndim))
    form = case.derivative.vjp()
    (seed,) = form.seeds
    cotangent = np.sin(1 + np.arange(case.value.size)).reshape(case.value.shape)
    got = form.evaluate(case.values | {seed: cotangent}, _functions([form.node]))
    agree("vjp", got, np.tensordot(cotangent, case.jacobian, axes=cotangent.ndim))


def costs_are_counts(case: Case) -> None:
    cost = md.cost(case.parsed, case.wrt or ())
    at: Mapping[str, int] = dict(case.program.sizes.items())
    for formula in (cost.forward, cost.backward, cost.peak_memory, cost.cache_memory):
        number = formula.subs({s: at[str(s)] for s in formula.free_symbols if str(s) in at})
        if number.free_symbols or number < 0:
            raise Disagreement(f"cost {formula} at {at} is {number}")


def own_check_passes(case: Case) -> None:
    try:
        report = case.derivative.check()
    except md.DomainError:
        case.skipped.append("check")
        return
    if not report:
        raise Disagreement(f"check: {report}")


def hessian_is_the_slope_of_the_gradient(case: Case) -> None:
    assert case.wrt is not None
    point = case.program.inputs[case.wrt].value
    if case.jacobian.size * point.size > 300:
        return
    second = md.diff(case.parsed, case.wrt, order=2)
    # A gradient shortened by what is declared of its variable holds at such points alone.
    gradient = md.diff(case.program.unmarked(case.wrt).text(), case.wrt)
    functions = _functions([gradient.node])
    got = case.evaluated(second)
    direction = np.random.default_rng(point.size).normal(size=point.shape)
    moved = lambda x: gradient.evaluate(case.values | {case.wrt: x}, functions)  # noqa: E731
    want = slope(moved, point, direction)
    if want is None or np.max(np.abs(got), initial=0.0) > 1e4:
        case.skipped.append("hessian")
        return
    hvp = np.tensordot(got, direction, axes=point.ndim)
    if np.max(np.abs(hvp - want), initial=0.0) > 1e-8 * np.max(np.abs(case.jacobian), initial=0.0):
        agree("Hessian and slope of the gradient", hvp, want, 1e-4)
    compiled = md.compile(case.parsed, case.wrt, order=2)
    given = case.values | {function_name(f): _called(f) for f in compiled._names.functions}
    agree("generated Hessian", compiled.derivative(given)[case.wrt], got, 1e-6)


def jax_agrees(case: Case) -> None:
    import jax

    from tests.jax_interpreter import as_function

    if _functions([case.parsed.output]) or case.wrt is None:
        return
    # What is declared of a variable holds at the point, not along a direction.
    lowered = case.parsed.lowered(Arena(), list(case.parsed.inputs))
    variables = [lowered.variables[name] for name in case.parsed.inputs]
    try:
        function = as_function(lowered.root, variables, case.program.sizes)
        place = list(case.parsed.inputs).index(canonical_name(case.wrt))
        given = {canonical_name(n): e.value for n, e in case.program.inputs.items()}
        arrays = [given[name] for name in case.parsed.inputs]
        want = jax.jacfwd(function, argnums=place)(*arrays)
    except (KeyError, AttributeError, AssertionError):  # a node that only this package has
        case.skipped.append("jax")
        return
    if np.all(np.isfinite(np.asarray(want))) and "slope" not in case.skipped:
        agree("JAX", case.jacobian, want)


def diagonal_is_of_the_dense(case: Case) -> None:
    """diagonal=True == the diagonal of the Jacobian, or of a scalar's Hessian."""
    assert case.wrt is not None
    shape = tuple(case.parsed.inputs[canonical_name(case.wrt)].shape)
    if not shape or case.parsed.shape not in ((), shape):
        return
    order = 1 if case.parsed.shape else 2
    whole = case.jacobian
    if order == 2:
        if case.jacobian.size**2 > 300:
            return
        whole = case.evaluated(md.diff(case.parsed, case.wrt, order=2))
    letters = "abcdefgh"[: len(shape)]
    want = np.einsum(f"{letters}{letters}->{letters}", whole)
    derivative = md.diff(case.parsed, case.wrt, order=order, diagonal=True)
    agree("diagonal", case.evaluated(derivative), want)
    compiled = md.compile(case.parsed, case.wrt, order=order, diagonal=True)
    given = case.values | {function_name(f): _called(f) for f in compiled._names.functions}
    agree("generated diagonal", compiled.derivative(given)[case.wrt], want)


def third_derivative_is_the_slope_of_the_second(case: Case) -> None:
    assert case.wrt is not None
    point = case.program.inputs[case.wrt].value
    if case.value.size * point.size**3 > 600:
        return
    # A derivative shortened by what is declared of its variable holds at such points alone.
    text = case.program.unmarked(case.wrt).text()
    try:
        second, third = (md.diff(text, case.wrt, order=order) for order in (2, 3))
    except md.LimitError:
        case.skipped.append("third")
        return
    functions = _functions([second.node])
    direction = np.random.default_rng(point.size).normal(size=point.shape)
    moved = lambda x: second.evaluate(case.values | {case.wrt: x}, functions)  # noqa: E731
    want = slope(moved, point, direction)
    got = case.evaluated(third)
    if want is None or np.max(np.abs(got), initial=0.0) > 1e4:
        case.skipped.append("third")
        return
    got = np.tensordot(got, direction, axes=point.ndim)
    if np.max(np.abs(got - want), initial=0.0) > 1e-8 * max(1.0, np.max(np.abs(moved(point)))):
        agree("third derivative and slope of the second", got, want, 1e-4)


def counted_is_predicted(case: Case) -> None:
    """FLOPs that a stand-in for NumPy counts == the formulas at these sizes."""
    compiled = md.compile(case.parsed, case.wrt)
    if compiled.plan.functions:
        return
    steps = (*compiled.plan.forward, *compiled.plan.backward)
    if any(s.function in NUMBER_FUNCTIONS and not s.shape and not s.flops for s in steps):
        return  # arithmetic of sizes alone, which the stand-in cannot tell from other numbers
    given = compiled.arguments(case.values, compiled.plan.forward)
    sizes = {name: case.program.sizes[name] for name in compiled.cost.sizes}
    predicted = compiled.cost.at(**sizes)
    value, cache = compiled.forward(case.values)
    forward, _ = count(compiled.module, "forward", **given)
    if abs(forward - float(predicted.forward)) > 1e-6 * max(1.0, forward):
        raise Disagreement(f"forward: counted {forward}, predicted {predicted.forward}")
    cotangent = None if compiled.plan.cotangent is None else np.ones(np.shape(value))
    backward, _ = count(compiled.module, "backward", cache, cotangent)
    known = {s.value for s in steps}
    derived = [s for s in compiled.plan.derivative if s.value not in known]
    want = float(predicted.backward) - sum(float(s.flops.at(sizes)) for s in executed(derived))
    if abs(backward - want) > 1e-6 * max(1.0, backward):
        raise Disagreement(f"backward: counted {backward}, predicted {want}")


def peaks_are_measured(case: Case) -> None:
    """The bytes of forward and of value_and_grad, at larger sizes, as tracemalloc sees them."""
    compiled = md.compile(case.parsed, case.wrt)
    steps = (*compiled.plan.forward, *compiled.plan.backward)
    estimated = any("scipy.linalg" in s.function for s in steps)
    if compiled.plan.functions or estimated:
        return  # what an exponential takes inside depends on its argument
    sizes = sizes_from(compiled, 100)
    memory = compiled.memory(**sizes)
    if not 200_000 < memory.value_and_grad.bytes < 100_000_000:
        return
    given = arguments(compiled, sizes)
    inputs = {name: array for name, array in given.items() if name != "cotangent"}
    module = compiled.module
    try:
        measured = measure(module.forward, **inputs), measure(module.value_and_grad, **given)
    except np.linalg.LinAlgError:
        case.skipped.append("peak")
        return
    for predicted, found in zip((memory.forward, memory.value_and_grad), measured, strict=True):
        if found > 200_000 and abs(predicted.bytes - found) > 0.01 * found:
            raise Disagreement(f"peak: predicted {predicted.bytes}, measured {found}")


def a_budget_keeps_the_bits(case: Case) -> None:
    """What is computed again is bit for bit what it was, and the peak stays below."""
    if case.parsed.shape or _functions([case.parsed.output]):
        return
    sizes = sizes_from(md.compile(case.parsed, case.wrt), 100)
    free = md.compile(case.parsed, case.wrt, sizes=sizes)
    peak = free.memory(**sizes).value_and_grad.bytes
    if not 200_000 < peak < 100_000_000:
        return
    budget = int(0.85 * peak)
    try:
        kept = md.compile(case.parsed, case.wrt, sizes=sizes, budget=budget)
    except md.MatderivError:  # no plan takes so little
        case.skipped.append("budget")
        return
    value, gradients = free.value_and_grad(case.values)
    again, others = kept.value_and_grad(case.values)
    if not np.array_equal(value, again) or any(
        not np.array_equal(gradients[name], others[name]) for name in gradients
    ):
        raise Disagreement(f"budget: {gradients} and {others}")
    try:
        found = measure(kept.module.value_and_grad, **arguments(kept, sizes))
    except np.linalg.LinAlgError:
        case.skipped.append("budget")
        return
    if found > 1.01 * budget:
        raise Disagreement(f"peak under a budget: {budget} asked, measured {found}")


def numba_text_is_the_evaluator(case: Case) -> None:
    """The module for Numba, run as Python."""
    with patch.dict(sys.modules, numba=uncompiled()):
        _backend_agrees(case, "numba", np.asarray)


def torch_agrees(case: Case) -> None:
    try:
        import torch
    except ImportError:
        case.skipped.append("torch")
        return
    _backend_agrees(case, "torch", torch.as_tensor)


def _backend_agrees(case: Case, backend: str, array: Callable[[Array], Array]) -> None:
    if _functions([case.parsed.output]):
        return
    try:
        compiled = md.compile(case.parsed, case.wrt, backend=backend)
    except md.UnsupportedError:  # what a backend has not
        case.skipped.append(backend)
        return
    given = {k: v if isinstance(v, int) else array(v) for k, v in case.values.items()}
    if case.value.ndim:
        value, derivatives = compiled.forward(given)[0], compiled.derivative(given)
    else:
        value, derivatives = compiled.value_and_grad(given)
    agree(f"value of {backend}", value, case.value)
    agree(f"derivative of {backend}", derivatives[case.wrt], case.jacobian)


# law -> one of how many programs it is applied to
LAWS: dict[Callable[[Case], None], int] = {
    value_is_the_meaning: 1,
    shapes_are_as_declared: 1,
    derivative_is_the_slope: 1,
    automatic_is_reverse: 2,
    forward_is_reverse: 3,
    generated_code_is_the_evaluator: 3,
    blocks_of_rows_change_no_value: 5,
    ascii_reads_back: 3,
    layouts_are_transposes: 10,
    maps_are_the_jacobian: 10,
    own_check_passes: 10,
    every_format_is_printed: 20,
    costs_are_counts: 20,
    hessian_is_the_slope_of_the_gradient: 20,
    jax_agrees: 50,
    diagonal_is_of_the_dense: 5,
    counted_is_predicted: 10,
    peaks_are_measured: 20,
    a_budget_keeps_the_bits: 50,
    numba_text_is_the_evaluator: 20,
    torch_agrees: 50,
    third_derivative_is_the_slope_of_the_second: 50,
}
