"""The peak predicted is the one that Python's accounting measures."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import matderiv as md
from matderiv.errors import MatderivError
from matderiv.program.buffers import buffer_bytes
from matderiv.program.compiled import CompiledFunction
from matderiv.program.strides import Layout, contracted, elementwise
from tests.program.measuring import PROGRAMS, SECOND_ORDER, arguments, measure, sizes_from


@cache
def _compiled(name: str) -> CompiledFunction:
    source, wrt = PROGRAMS[name]
    return md.compile(source, wrt, order=2 if name in SECOND_ORDER else 1)


def _agree(predicted: int, measured: int) -> None:
    """0.5 % above 100 kB, 1 % above 32 kB; below, a few objects of Python decide."""
    if measured > 32_000:
        assert predicted == pytest.approx(measured, rel=0.005 if measured > 100_000 else 0.01)


@pytest.mark.parametrize("start", [50, 90, 170])
@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_predicted_peaks_are_measured(name: str, start: int) -> None:
    function = _compiled(name)
    sizes = sizes_from(function, start)
    given = arguments(function, sizes)
    memory = function.memory(**sizes)
    inputs = {k: v for k, v in given.items() if k != "cotangent"}
    _agree(memory.forward.bytes, measure(function.module.forward, **inputs))
    _agree(memory.value_and_grad.bytes, measure(function.module.value_and_grad, **given))
    if function.plan.derivatives:
        _agree(memory.derivative.bytes, measure(function.module.derivative, **inputs))


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_float32_takes_half_and_what_is_computed_in_double(name: str) -> None:
    """NumPy's linear algebra converts float32 and back; the rest stays as small as it is."""
    function = _compiled(name)
    sizes = sizes_from(function, 170)
    given = {
        key: np.asarray(value, np.float32) if np.ndim(value) else value
        for key, value in arguments(function, sizes).items()
    }
    small, large = function.memory("float32", **sizes), function.memory(**sizes)
    predicted = small.value_and_grad.bytes
    assert small.cache_bytes <= 0.51 * large.cache_bytes
    is_large = large.value_and_grad.bytes > 100_000
    if is_large and not any("linalg" in step.function for step in function.plan.steps):
        assert predicted < 0.7 * large.value_and_grad.bytes
    measured = measure(function.module.value_and_grad, **given)
    if measured > 60_000:
        assert predicted == pytest.approx(measured, rel=0.005 if measured > 150_000 else 0.01)


def test_a_float_type_is_one_of_two() -> None:
    with pytest.raises(MatderivError, match="no float type 'int8'"):
        _compiled("linear").memory("int8")


def test_the_programs_are_many_and_large_enough() -> None:
    """30 programs, each with a peak above 30 kB at the larger sizes."""
    assert len(PROGRAMS) >= 30
    for name in PROGRAMS:
        function = _compiled(name)
        assert function.memory(**sizes_from(function, 170)).peak.bytes > 30_000, name


@pytest.mark.parametrize("seed", range(60))
def test_buffers_and_strides_are_those_of_numpy(seed: int) -> None:
    """An elementwise call on operands permuted and broadcast at random."""
    random = np.random.default_rng(seed)
    order = int(random.integers(1, 4))
    shape = [int(random.choice([1, 2, 7, 30, 60, 200, 3000])) for _ in range(order)]
    if not 4000 < np.prod(shape) < 400_000:
        return
    operands, layouts = [], []
    for _ in range(2):
        axes = random.permutation(order)
        own = [1 if random.random() < 0.25 else length for length in shape]
        array = random.normal(size=[own[k] for k in axes]).transpose(np.argsort(axes))
        operands.append(array)
        layouts.append(Layout(array.shape, tuple(s // 8 for s in array.strides)))
    result = np.add(*operands)
    found = elementwise(layouts, result.shape, 8)
    for length, real, stride in zip(result.shape, result.strides, found.strides, strict=True):
        assert length == 1 or real == 8 * stride
    hidden = measure(np.add, *operands) - result.nbytes
    assert hidden == pytest.approx(buffer_bytes(layouts, found), abs=1600)


@pytest.mark.parametrize("seed", range(100))
def test_an_einsum_lies_as_numpy_lays_it_out(seed: int) -> None:
    """Up to three operands with letters and axes at random."""
    random = np.random.default_rng(seed)
    sizes = dict(zip("ijkl", random.permutation([2, 3, 5, 7]), strict=True))
    terms = [
        "".join(random.permutation(list("ijkl"))[: random.integers(1, 5)])
        for _ in range(random.integers(2, 4))
    ]
    present = sorted(set("".join(terms)))
    output = "".join(random.permutation(present)[: random.integers(1, len(present) + 1)])
    arrays = []
    for term in terms:
        axes = random.permutation(len(term))
        arrays.append(np.ones([sizes[term[k]] for k in axes]).transpose(np.argsort(axes)))
    spec = f"{','.join(terms)}->{output}"
    result = np.einsum(spec, *arrays)
    layouts = [Layout(a.shape, tuple(stride // 8 for stride in a.strides)) for a in arrays]
    found = contracted(spec, layouts, result.shape)
    assert tuple(8 * stride for stride in found.strides) == result.strides


def test_the_live_set_at_the_peak() -> None:
    """Gradients made already are alive while the gradient of the loss by h is masked."""
    function = _compiled("relu")
    memory = function.memory(B=100, M0=3, M1=200, M2=4)
    names = {function._names.values[k] for k in memory.value_and_grad.alive}
    assert {"d_w2", "d_b2"} <= names
    polynomial = memory.value_and_grad.polynomial
    data = polynomial.at({"B": 100, "M0": 3, "M1": 200, "M2": 4})
    assert data <= memory.value_and_grad.bytes <= data + 70_000


def test_symbols_count_the_arrays_and_the_number_counts_all() -> None:
    function = _compiled("relu")
    cost = function.cost
    sizes = {"B": 100, "M0": 90, "M1": 80, "M2": 70}
    assert cost.at(**sizes).peak_memory >= cost.at(**sizes).cache_memory
    assert str(cost.polynomials.cache) == "8 B M1 + 8 B M2"


def test_a_mask_takes_a_byte() -> None:
    """x / ‖x‖ row by row guards against zero by a mask of one byte an entry."""
    function = md.compile("X: (n, d)\nnorm(X)", ["X"])
    masks = [s for s in function.plan.forward + function.plan.backward if s.function == "equal"]
    memory = function.memory(n=10, d=10)
    assert all(memory.footprints[s.value].data == 1 for s in masks)


def test_lapack_workspaces_stand_apart() -> None:
    """inv copies its argument twice where tracemalloc does not look."""
    function = _compiled("determinant")
    memory = function.memory(n=100)
    assert memory.workspace == 2 * 8 * 100**2
    assert memory.peak.bytes < 3 * 8 * 100**2
