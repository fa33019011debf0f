"""Every call on operands that lie in every order: what it takes, and how its result lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, permutations, product
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.special

from matderiv.program import footprint, inside
from matderiv.program.counting import REDUCTIONS, UFUNCS
from matderiv.program.emit_numpy import NUMPY
from matderiv.program.footprint import Footprints
from matderiv.program.memory import _GUARDED, _STATE
from matderiv.program.names import Names
from matderiv.program.pieces import seen
from matderiv.program.programs import _SHAPES
from matderiv.program.steps import Dims, Ref
from matderiv.program.strides import Layout, by_rows
from matderiv.program.tape import Tape
from matderiv.program.writer import Writer
from matderiv.tensor.dims import Shape
from tests.program.measuring import measure

Way = Callable[[Tape, tuple[int, ...]], Ref]


# ----- how an operand may lie ---------------------------------------------------------------
def stored(axes: Sequence[int]) -> Way:
    """Its axes in this order, from slowest to fastest."""

    def operand(tape: Tape, shape: tuple[int, ...]) -> Ref:
        value = Ref(tape.input(tuple(shape[axis] for axis in axes)))
        return seen(value, [axes.index(axis) for axis in range(len(shape))])

    return operand


def stretched(kept: Sequence[int]) -> Way:
    """Broadcast from an array of some of the axes."""

    def operand(tape: Tape, shape: tuple[int, ...]) -> Ref:
        value = Ref(tape.input(tuple(shape[axis] for axis in kept)))
        axes = [kept.index(axis) if axis in kept else None for axis in range(len(shape))]
        ref = seen(value, axes)
        return tape.view("broadcast_to", ref, Dims(shape), base=ref, shape=shape)

    return operand


def left_to_numpy(kept: Sequence[int]) -> Way:
    """The same, broadcast by the call itself."""

    def operand(tape: Tape, shape: tuple[int, ...]) -> Ref:
        value = Ref(tape.input(tuple(shape[axis] for axis in kept)))
        return seen(
            value, [kept.index(axis) if axis in kept else None for axis in range(len(shape))]
        )

    return operand


def sliced(axis: int) -> Way:
    """Out of an array that is longer along one axis."""

    def operand(tape: Tape, shape: tuple[int, ...]) -> Ref:
        longer = tuple(n + 7 * (k == axis) for k, n in enumerate(shape))
        index = tuple((3, 3 + n) if k == axis else None for k, n in enumerate(shape))
        return tape.slice(Ref(tape.input(longer)), index, shape)

    return operand


def diagonal(tape: Tape, shape: tuple[int, ...]) -> Ref:
    value = Ref(tape.input((shape[0], *shape)))
    axes = tuple(range(len(shape)))
    return tape.diagonal(value, (0, *axes), axes)


def turned(way: Way) -> Way:
    def operand(tape: Tape, shape: tuple[int, ...]) -> Ref:
        return seen(way(tape, shape[::-1]), range(len(shape))[::-1])

    return operand


def ways(order: int, broadcast: bool = False) -> list[Way]:
    """All of these; with `broadcast` those that leave it to an elementwise call."""
    some = [kept for k in range(order) for kept in combinations(range(order), k)]
    found = [stored(axes) for axes in permutations(range(order))]
    found += [stretched(kept) for kept in some]
    found += [turned(stretched(kept)) for kept in some if kept and order > 1]
    found += [sliced(axis) for axis in range(order)]
    found += [left_to_numpy(kept) for kept in some if kept and broadcast]
    return [*found, diagonal]


# ----- calls ----------------------------------------------------------------------------------
class Case(NamedTuple):
    """A call and the shapes of its operands, of which those of `fixed` lie by rows."""

    record: Callable[..., Ref]
    shapes: Sequence[tuple[int, ...]]
    fixed: Sequence[int] = ()
    broadcast: bool = False

    def operands(self) -> Iterator[tuple[Way, ...]]:
        """Each order of the first operands with each of the last; a share of those of many axes."""
        rows = [stored(range(len(shape))) for shape in self.shapes]
        every = [
            rows[k : k + 1] if k in self.fixed else ways(len(shape), self.broadcast)
            for k, shape in enumerate(self.shapes)
        ]
        found = list(product(*every))
        return iter(found[:: max(1, len(found) // 80)])


FLAT, SQUARE, DEEP, STACK = (90, 101), (90, 90), (20, 23, 31), (3, 4, 20, 20)


def of_shape(name: str, shape: Shape | None = None, *more: Any, **options: Any) -> Any:
    return lambda tape, *refs: tape.call(name, *refs, *more, shape=shape, **options)


def contracting(name: str, shape: Shape, spec: str, **options: Any) -> Any:
    """A sum of products; an einsum has the spec as its first operand."""

    def record(tape: Tape, *refs: Ref) -> Ref:
        given = (spec, *refs) if name == "einsum" else refs
        return tape.contract(name, *given, shape=shape, contracted=(), spec=spec, **options)

    return record


def reductions(name: str) -> Iterator[Case]:
    for shape in (FLAT, DEEP):
        order = range(len(shape))
        some = [axes for k in order for axes in combinations(order, k + 1)]
        for axes in some if name == "sum" else some[: len(shape)]:
            left = tuple(n for k, n in enumerate(shape) if k not in axes)
            axis = axes[0] if len(axes) == 1 else axes
            yield Case(of_shape(name, left, axis=axis), [shape])
        if name != "argmax":
            kept = (*shape[:-1], 1)
            yield Case(of_shape(name, kept, axis=-1, keepdims=True), [shape])
    if name == "sum":
        yield Case(of_shape(name, ()), [DEEP])


def cases() -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {name: list(reductions(name)) for name in REDUCTIONS}
    two = {
        "add",
        "subtract",
        "divide",
        "maximum",
        "minimum",
        "heaviside",
        "power",
        "equal",
        "logaddexp",
    }
    for name in UFUNCS:
        operands = 2 if name in two | {"multiply", "greater"} else 1
        found[name] = [Case(of_shape(name), [FLAT] * operands, [0] if name in two else ())]
    found["multiply"] += [
        Case(of_shape("multiply", None, 2.0), [FLAT]),
        Case(of_shape("multiply"), [DEEP, DEEP], broadcast=True),
        Case(of_shape("multiply"), [FLAT, FLAT], broadcast=True),
        Case(lambda tape, x, y: tape.call("multiply", tape.call("greater", x, 1.0), y), [FLAT] * 2),
    ]
    found["copy"] = [
        Case(lambda tape, x: tape.fresh("copy", x, shape=tape.shape(x)), [s]) for s in (FLAT, DEEP)
    ]
    found["full"] = [
        Case(lambda tape, x: tape.fresh("full", Dims(FLAT), x, shape=FLAT), [FLAT], broadcast=True)
    ]
    found["matmul"] = [
        Case(contracting("matmul", (90, 95), "ab,bc->ac"), [FLAT, (101, 95)]),
        Case(contracting("matmul", (90,), "ab,b->a"), [FLAT, (101,)]),
        Case(contracting("matmul", (90,), "b,ba->a"), [(101,), (101, 90)]),
        Case(contracting("matmul", (20, 23, 95), "dab,bc->dac"), [DEEP, (31, 95)]),
        Case(contracting("matmul", (3, 4, 20, 30), "deab,debc->deac"), [STACK, (3, 4, 20, 30)]),
    ]
    found["vecdot"] = [
        Case(contracting("vecdot", shape[:-1], "ab,ab->a"), [shape] * 2)
        for shape in (FLAT, DEEP, STACK)
    ]
    found["vdot"] = [Case(contracting("vdot", (), "ab,ab->"), [s] * 2) for s in (FLAT, DEEP)]
    found["tensordot"] = [
        Case(contracting("tensordot", (23, 31, 17), "", axes=((0,), (0,))), [DEEP, (20, 17)]),
        Case(contracting("tensordot", (23, 17), "", axes=((0, 2), (0, 1))), [DEEP, (20, 31, 17)]),
        Case(contracting("tensordot", (23, 17), "", axes=((0, 2), (1, 2))), [DEEP, (17, 20, 31)]),
    ]
    found["einsum"] = [
        Case(contracting("einsum", (31, 20), "abc,b->ca"), [DEEP, (23,)]),
        Case(contracting("einsum", (23, 20), "abc,ac->ba"), [DEEP, (20, 31)]),
    ]
    found["take"] = [
        Case(of_shape("take", (3, 101), axis=0, indices=(4, 0, 7)), [FLAT]),
        Case(of_shape("take", (90, 3), axis=1, indices=(4, 0, 7)), [FLAT]),
    ]
    found["kron"] = [Case(of_shape("kron", (189, 253)), [(9, 11), (21, 23)])]
    for name in ("tril", "triu"):
        found[name] = [Case(of_shape(name, shape), [shape]) for shape in (SQUARE, STACK)]
    for name in ("inv", "det", "slogdet", "svdvals", "cholesky", "pinv", "svd"):
        name = f"linalg.{name}"
        stacks = [SQUARE, STACK] if name not in ("linalg.pinv", "linalg.svd") else [SQUARE]
        options = {"full_matrices": False} if name == "linalg.svd" else {}
        more = (1e-15,) if name == "linalg.pinv" else ()
        found[name] = [
            Case(of_shape(name, _SHAPES[name]([shape], {"item": 0}), *more, **options), [shape])
            for shape in stacks
        ]
    found["linalg.solve"] = [Case(of_shape("linalg.solve", (90, 40)), [SQUARE, (90, 40)])]
    found["inverse_of_lower"] = [Case(of_shape("inverse_of_lower", SQUARE), [SQUARE], [0])]
    return found


CASES = cases()
# What SciPy takes inside depends on the argument; an identity is made of no operand.
ESTIMATED = {name for name in inside._CALLS if name.startswith("scipy.linalg.")} | {"eye"}


# ----- measured -------------------------------------------------------------------------------
def values(tape: Tape, functions: str) -> Iterator[tuple[str, Any]]:
    """An array for each input: if a Cholesky factor is asked for, positive definite matrices."""
    random = np.random.default_rng(0)
    for number in sorted(tape._inputs):
        array = random.uniform(0.5, 1.5, tape.shapes[number])
        if functions == "linalg.cholesky" and array.ndim > 1 and len({*array.shape[-2:]}) == 1:
            array = array @ np.swapaxes(array, -1, -2) + np.eye(array.shape[-1])
        yield f"v{number}", array


def says(case: Case, ways: Sequence[Way]) -> bool:
    """Holds a call to what is predicted; False if it has no value at these operands."""
    tape = Tape({})
    refs = [way(tape, shape) for way, shape in zip(ways, case.shapes, strict=True)]
    case.record(tape, *refs)
    *before, step = tape.steps
    names = {number: f"v{number}" for number in range(len(tape.shapes))}
    writer = Writer(Names({}, names, {}, {}, shapes=tape.shapes), NUMPY, tape.steps)
    scope = {"np": np, "scipy": scipy, "kind": np.dtype(float)}
    exec(NUMPY.helpers["inverse_of_lower"], scope)
    scope.update(values(tape, step.function))
    for made in before:
        exec(writer.statement(made), scope)
    read = sorted({names[ref.value] for ref in step.refs})
    text = writer.statement(step).partition(" = ")[2]
    exec(f"def call({', '.join(read)}):\n    return {text}", scope)
    call, given = scope["call"], [scope[name] for name in read]
    with np.errstate(all="ignore"):
        try:
            result = call(*given)
        except np.linalg.LinAlgError:  # a matrix that repeats a row
            return False
        taken = measure(call, *given) - measure(lambda *_: None, *given)
    footprints = Footprints(tape.steps, {k: tape.shapes[k] for k in tape._inputs}, {})
    own, layout = footprints[step.value], footprints.layouts[step.value]
    predicted = own.kept + own.hidden + _STATE * (step.function in _GUARDED)
    # An iterator takes some more for each axis and each operand.
    assert predicted == pytest.approx(
        taken, rel=0.001, abs=410 if step.function in UFUNCS else 250
    ), text
    if isinstance(result, np.ndarray):
        axes = zip(layout.shape, layout.strides, result.strides, strict=True)
        assert all(n == 1 or real == result.itemsize * own for n, own, real in axes), text
    return True


def law(name: str) -> None:
    for case in CASES[name]:
        assert sum([says(case, ways) for ways in case.operands()])


def test_every_call_is_held_to_the_law() -> None:
    hidden = {
        *UFUNCS,
        *inside._CALLS,
        *inside._WORKSPACES,
        *footprint._BY_ROWS,
        *footprint._STACKED,
    }
    made = {name for name in hidden if not name.startswith("scipy.linalg.")}
    assert made - {"zeros", "eye"} <= set(CASES)


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_call_takes_and_lies_as_predicted(name: str) -> None:
    """Within 250 bytes or a thousandth, 410 where NumPy's iterator is used; the strides exactly."""
    law(name)


def rows(layout: Layout) -> Layout:
    return by_rows(layout.shape, layout.item)


# Where a rule is read from, and a call that notices what is wrong in it.
AMOUNTS = [
    (inside, "buffer_bytes", "multiply"),
    (inside, "dot_copies", "matmul"),
    (footprint, "dot_copies", "tensordot"),
    (inside, "_reduced_buffers", "sum"),
    (inside, "_made_whole", "argmax"),
    (inside, "_made_whole", "take"),
    (inside, "_masked_buffers", "tril"),
    (inside, "_kron_buffers", "kron"),
    (inside, "_pseudo_inverse", "linalg.pinv"),
]
ORDERS = [
    (footprint, "copied", "copy"),
    (footprint, "elementwise", "multiply"),
    (footprint, "contracted", "einsum"),
    (footprint, "stacked", "vecdot"),
    (footprint, "stacked", "matmul"),
    (footprint, "reduced", "amax"),
    (footprint, "masked", "triu"),
]


@pytest.mark.parametrize("where, rule, name", AMOUNTS)
def test_a_wrong_amount_breaks_the_law(
    monkeypatch: pytest.MonkeyPatch, where: Any, rule: str, name: str
) -> None:
    right = getattr(where, rule)
    for times in (0, 2):
        monkeypatch.setattr(where, rule, lambda *given, k=times: k * right(*given))
        with pytest.raises(AssertionError):
            law(name)


@pytest.mark.parametrize("where, rule, name", ORDERS)
def test_a_wrong_order_breaks_the_law(
    monkeypatch: pytest.MonkeyPatch, where: Any, rule: str, name: str
) -> None:
    """Results by rows, whatever the operands are."""
    right = getattr(where, rule)
    monkeypatch.setattr(where, rule, lambda *given: rows(right(*given)))
    with pytest.raises(AssertionError):
        law(name)


@pytest.mark.parametrize("name", sorted(footprint._BY_ROWS - {"vdot", "zeros", "eye"}))
def test_what_lies_by_rows_is_said_to(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Left out of the table, a result is said to lie as the operands do."""
    monkeypatch.setattr(footprint, "_BY_ROWS", footprint._BY_ROWS - {name})
    with pytest.raises((AssertionError, IndexError, ValueError)):
        law(name)


def test_a_product_of_a_slice_of_columns_copies_nothing() -> None:
    """`np.dot` copies what has gaps; the code calls it for arrays without."""
    tape = Tape({})
    x, w = sliced(1)(tape, FLAT), Ref(tape.input((101,)))
    tape.contract("matmul", x, w, shape=(90,), contracted=(101,), spec="ab,b->a")
    names = {number: f"v{number}" for number in range(len(tape.shapes))}
    writer = Writer(Names({}, names, {}, {}, shapes=tape.shapes), NUMPY, tape.steps)
    assert writer.statement(tape.steps[-1]).startswith("v3 = np.matmul(v1, v2)")
