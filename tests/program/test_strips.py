"""Blocks of rows: the same values and FLOPs, less memory, whatever the length of a block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

import matderiv as md
from matderiv.errors import UnsupportedError
from matderiv.program import plan
from matderiv.program.compiled import CompiledFunction
from matderiv.program.steps import LEAST_ROWS, MOST_ENTRIES, Ref, Step, executed, nested
from matderiv.program.tape import volume
from matderiv.tensor.evaluate import evaluate
from tests.backends.programs import PROGRAMS, Case, results, values_for
from tests.loops.programs import PROGRAMS as LAYERS
from tests.loops.programs import values as layer_values
from tests.program.counting import count
from tests.program.graphs import SIZES, random_graph, random_values
from tests.program.measuring import arguments, measure, sizes_from

LONG: dict[str, Case] = {"masked": ("sum((M .* (U V' - A)).^2)", ["U", "V"], 1)}
CASES = PROGRAMS | LONG


def _short(rows: int) -> Callable[[int, int], Iterator[slice]]:
    """Blocks of so many rows in the place of those that fill the cache."""

    def strips(length: int, width: int) -> Iterator[slice]:
        assert width > 0
        for first in range(0, length, rows):
            yield slice(first, first + rows)

    return strips


def _compiled(case: Case, blocked: bool = False) -> CompiledFunction:
    source, wrt, order = case
    return md.compile(source, wrt, order=order, blocked=blocked)


def _loops(function: CompiledFunction) -> list[Step]:
    return [step for step in function.plan.every if step.strips is not None]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("rows", [1, 3])
def test_values_do_not_depend_on_blocks(
    name: str, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, blocked = _compiled(CASES[name]), _compiled(CASES[name], blocked=True)
    monkeypatch.setitem(blocked.module.__dict__, "_strips", _short(rows))
    point = values_for(plain, start=5)
    before = {key: np.array(value) for key, value in point[0].items()}
    found = results(blocked, *point)
    for key, array in results(plain, *point).items():
        scale = np.abs(array).max(initial=1.0)
        np.testing.assert_allclose(found[key], array, rtol=1e-9, atol=1e-11 * scale, err_msg=key)
        assert np.shape(found[key]) == np.shape(array)
    for key, value in before.items():
        np.testing.assert_array_equal(point[0][key], value)


LARGE = ("kron", "factorisation Hessian")  # of order 4
LOOPS = [name for name, case in CASES.items() if _loops(_compiled(case, blocked=True))]


def test_what_has_rows_has_a_loop() -> None:
    """All but functions of matrices, and what sums over the axis before it goes on."""
    without = {"exponential", "determinant", "singular values", "layer norm", "largest", "jacobian"}
    assert set(CASES) - set(LOOPS) <= without


def test_a_gram_matrix_stays_one_symmetric_product() -> None:
    """X'X by columns would be computed twice over."""
    function = _compiled(CASES["ridge"], blocked=True)
    steps = list(nested(function.plan.every))
    whole = {step.value: step.alias for step in steps if step.function == "rows"}
    products = [[o.value for o in s.operands if isinstance(o, Ref)] for s in steps if s.spec]
    twice = [pair for pair in products if len({whole.get(k, k) for k in pair}) == 1]
    assert twice
    assert all(len(set(pair)) == 1 for pair in twice)


@pytest.mark.parametrize("name", LOOPS)
def test_flops_are_those_that_are_executed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sum over blocks costs an addition for each block: one more than without them."""
    blocked, plain = _compiled(CASES[name], blocked=True), _compiled(CASES[name])
    sizes = sizes_from(blocked, 2 * LEAST_ROWS // 3)
    given = arguments(blocked, sizes)
    monkeypatch.setitem(blocked.module.__dict__, "_strips", _short(50))
    inputs = {key: value for key, value in given.items() if key != "cotangent"}
    parts = [("value_and_grad", blocked.plan.in_one_pass, plain.plan.in_one_pass, given)]
    parts.append(("derivative", blocked.plan.derivative, plain.plan.derivative, inputs))
    for function, steps, before, values in parts:
        if not steps:
            continue
        predicted, evaluations = _flops(steps, sizes)
        counted = count(blocked.module, function, **values)
        assert counted == pytest.approx((predicted, evaluations), rel=1e-12)
        sums = [o for s in steps if s.strips for o in s.strips.outputs if o.summed]
        added = sum(volume(o.shape, sizes) for o in sums)
        assert predicted == pytest.approx(_flops(before, sizes)[0] + added, rel=1e-12)


def _flops(steps: Sequence[Step], sizes: dict[str, int]) -> tuple[float, float]:
    run = list(executed(steps))
    return (
        sum(float(step.flops.at(sizes)) for step in run),
        sum(float(step.evaluations.at(sizes)) for step in run),
    )


@pytest.mark.parametrize("start", [90, 300])
@pytest.mark.parametrize("name", [n for n in LOOPS if n not in LARGE])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_predicted_peaks_are_measured(name: str, start: int) -> None:
    blocked = _compiled(CASES[name], blocked=True)
    sizes = sizes_from(blocked, start)
    given = arguments(blocked, sizes)
    memory = blocked.memory(**sizes)
    measured = measure(blocked.module.value_and_grad, **given)
    assert memory.value_and_grad.bytes == pytest.approx(measured, rel=0.01, abs=1500)
    if blocked.plan.derivatives:
        inputs = {key: value for key, value in given.items() if key != "cotangent"}
        measured = measure(blocked.module.derivative, **inputs)
        assert memory.derivative.bytes == pytest.approx(measured, rel=0.01, abs=1500)


@pytest.mark.parametrize("name", ["masked", "attention", "mlp", "softmax regression"])
def test_temporaries_are_as_long_as_a_block(name: str) -> None:
    """The peak is that of the results and of some blocks, at any length of the batch."""
    blocked, plain = _compiled(CASES[name], blocked=True), _compiled(CASES[name])
    batch = next(s.strips.length for s in blocked.plan.joint if s.strips)
    sizes = {**sizes_from(blocked, 30), batch: 100_000}
    few, many = (f.memory(**sizes).value_and_grad.bytes for f in (blocked, plain))
    results = [volume(blocked.plan.shape(ref), sizes) for ref in blocked.plan.gradients.values()]
    assert few < 8 * (sum(results) + 5 * MOST_ENTRIES) < many


@pytest.mark.parametrize("seed", range(150))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_random_graphs(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, roots = random_graph(seed)
    if not roots:
        return
    names = [f"r{k}" for k in range(len(roots))]
    dense = dict(zip(names, roots, strict=True))
    of = dict.fromkeys(names, ())
    values = random_values(seed, inputs)
    expected = evaluate(roots, values, SIZES)
    if not all(np.isfinite(array).all() for array in expected):
        return
    made = plan(roots[-1], {}, dense, inputs=inputs, wrt=of, blocked=True)
    function = CompiledFunction(made)
    monkeypatch.setitem(function.module.__dict__, "_strips", _short(2))
    given = {v.name: array for v, array in values.items()}
    given |= {dim: SIZES[dim] for dim in made.free_sizes}
    found = function.derivative(given)
    for name, array in zip(names, expected, strict=True):
        scale = np.abs(array).max(initial=1.0)
        np.testing.assert_allclose(found[name], array, rtol=1e-9, atol=1e-11 * scale)


@pytest.mark.parametrize("name", ["network", "two carries", "nested stacks"])
def test_loops_over_layers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program, wrt = LAYERS[name].program(), LAYERS[name].wrt.split()
    values = layer_values(program, 3)
    blocked = md.compile(program, wrt, blocked=True)
    monkeypatch.setitem(blocked.module.__dict__, "_strips", _short(2))
    value, gradients = blocked.value_and_grad(values)
    expected, exact = md.compile(program, wrt).value_and_grad(values)
    assert value == pytest.approx(expected, rel=1e-12)
    for key, want in exact.items():
        np.testing.assert_allclose(gradients[key], want, rtol=1e-9, atol=1e-12)


def test_float32_stays_float32() -> None:
    blocked = _compiled(CASES["masked"], blocked=True)
    values, _ = values_for(blocked, start=200)
    small = {key: np.asarray(value, np.float32) for key, value in values.items()}
    value, gradients = blocked.value_and_grad(small)
    assert {np.asarray(part).dtype for part in (value, *gradients.values())} == {np.dtype("f4")}


def test_what_blocks_do_not_go_with() -> None:
    for options in ({"backend": "jax"}, {"segments": 2}, {"budget": "1MB"}):
        with pytest.raises(UnsupportedError, match="blocks of rows are of numpy's code"):
            md.compile("x' x", "x", blocked=True, sizes={"n": 9}, **options)
