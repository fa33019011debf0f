"""Loops in blocks of layers: the same bits from √N states, for one more run of the layers."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import matderiv as md
from matderiv.errors import MatderivError
from matderiv.program.compiled import CompiledFunction
from matderiv.program.memory import Memory
from matderiv.program.rematerialize import Tradeoff
from matderiv.program.rematerialize.blocks import in_blocks
from matderiv.program.reuse import reusing, without_reuse
from tests.loops.programs import PROGRAMS, SIZES, values
from tests.program.counting import count
from tests.program.measuring import measure

LINEAR = "a start taken away"  # its gradients read no state
CUT = [name for name, deep in PROGRAMS.items() if not deep.program().shape and name != LINEAR]
COUNTS = pytest.mark.parametrize("blocks", [None, 3], ids=["root", "three"])
NETWORK = "z = x; repeat l in N { z = tanh(z W[l] + b[l]) }; ||z C - y||^2"


@cache
def _functions(name: str, blocks: int | None) -> tuple[CompiledFunction, CompiledFunction]:
    """A program as it is, and with its loops in blocks."""
    deep = PROGRAMS[name]
    plain = md.compile(deep.program(), deep.wrt.split())
    cut = in_blocks(without_reuse(plain.plan), blocks)
    assert cut is not None
    return plain, CompiledFunction(reusing(cut, Memory(cut).footprints))


def test_where_no_state_is_read_nothing_is_cut() -> None:
    deep = PROGRAMS[LINEAR]
    plain = md.compile(deep.program(), deep.wrt.split())
    assert in_blocks(without_reuse(plain.plan), None) is None


@COUNTS
@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("layers", [1, 2, 3, 7, 9, 10, 17])
def test_gradients_are_the_same_bits(name: str, blocks: int | None, layers: int) -> None:
    plain, cut = _functions(name, blocks)
    given = values(PROGRAMS[name].program(), layers)
    value, gradients = plain.value_and_grad(given)
    same, others = cut.value_and_grad(given)
    assert np.array_equal(value, same)
    _, cache = cut.forward(given)
    for _ in range(2):  # a cache may be used again
        again = cut.backward(cache)
        for wrt, gradient in gradients.items():
            assert np.array_equal(gradient, others[wrt])
            assert np.array_equal(gradient, again[wrt])


@COUNTS
@pytest.mark.parametrize("name", [name for name in CUT if name != "scalars"])
@pytest.mark.parametrize("layers", [1, 5, 16])
def test_predicted_flops_are_those_executed(name: str, blocks: int | None, layers: int) -> None:
    """Entries of vectors, in "scalars", are numbers, whose operators nothing counts."""
    _, cut = _functions(name, blocks)
    sizes = {**SIZES, "N": layers}
    given = values(PROGRAMS[name].program(), layers)
    arguments = [given[variable.name] for variable in cut.plan.inputs]
    counts = cut.cost.polynomials
    flops, evaluated = count(cut.module, "value_and_grad", *arguments)
    assert flops == float((counts.forward + counts.backward).at(sizes))
    assert evaluated == sum(p.at(sizes) for p in counts.evaluations.values())


@COUNTS
@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("layers", [3, 17])
def test_predicted_peaks_are_measured(name: str, blocks: int | None, layers: int) -> None:
    sizes = {**SIZES, "B": 96, "M": 48, "K": 24, "N": layers}
    random = np.random.default_rng(0)
    for function in _functions(name, blocks):
        memory = function.memory(**sizes)
        shapes = [memory.footprints.numbers(v.shape) for v in function.plan.inputs]
        given = [random.normal(size=shape) / 8 for shape in shapes]
        for call, peak in {
            function.module.forward: memory.forward,
            function.module.value_and_grad: memory.value_and_grad,
        }.items():
            measured = measure(call, *given)
            if measured > 30_000:
                rel = 0.005 if measured > 100_000 else 0.01
                assert peak.bytes == pytest.approx(measured, rel=rel)


HARDER = {
    "captured and computed": "V: (M, M)\nU = tanh(V)\n"
    "z = x; repeat l in N { z = tanh(z U + z U') }; ||z||^2",
    "a penalty": "W: (N, M, M)\n"
    "z = x; s = 0; repeat l in N { z = tanh(z W[l]); s = s + ||W[l]||^2 }; ||z||^2 + s",
    "gates": "W, U: (N, M, M)\nh = x; c = x\nrepeat l in N { i = sigmoid(h W[l]); "
    "g = tanh(h U[l]); c = i .* c + (1 - i) .* g; h = tanh(c) }; ||h||^2 + sum(c)",
    "before and after": "W: (N, M, M); C, D: (M, M)\na = tanh(x C)\n"
    "z = a; repeat l in N { z = relu(z W[l] + a) }; ||tanh(z D) - a||^2",
    "a number": "W: (N, M, M); t: ()\nz = x; repeat l in N { z = z + t tanh(z W[l]) }; ||z||^2",
    "softmax": "W: (N, M, M)\nz = x; repeat l in N { z = z + tanh(softmax(z W[l]) .* z) }; ||z||^2",
}


@pytest.mark.parametrize("name", HARDER)
@pytest.mark.parametrize("layers", [5, 17])
def test_laws_where_more_is_alive(name: str, layers: int) -> None:
    """Starts held by lists, values between layers, several carries: bits, FLOPs and peaks."""
    program = md.parse(f"x: (B, M); {HARDER[name]}")
    wrt = [key for key in program.inputs if key != "x"]
    plain = md.compile(program, wrt)
    sizes = {"B": 64, "M": 40, "N": layers}
    random = np.random.default_rng(0)
    given = {
        key: random.normal(size=[sizes[str(dim)] for dim in entry.shape]) / 6
        for key, entry in program.inputs.items()
    } | {"N": layers}
    known = {key: size for key, size in sizes.items() if key in plain.plan.size_names}
    value, gradients = plain.value_and_grad(given)
    for function in (plain, *(md.compile(program, wrt, segments=s) for s in ("sqrt", 3))):
        same, others = function.value_and_grad(given)
        assert value == same
        assert all(np.array_equal(others[key], gradients[key]) for key in gradients)
        names = [*(v.name for v in function.plan.inputs), *function.plan.free_sizes]
        called = {key: given[key] for key in names}
        flops, _ = count(function.module, "value_and_grad", **called)
        counts = function.cost.polynomials
        assert flops == float((counts.forward + counts.backward).at(sizes))
        predicted = function.memory(**known).value_and_grad.bytes
        measured = measure(function.module.value_and_grad, **called)
        assert predicted == pytest.approx(measured, rel=0.005)


def _deep(**options: object) -> CompiledFunction:
    source = f"x: (B, M); y: (B, K); C: (M, K); W: (N, M, M); b: (N, M)\n{NETWORK}"
    return md.compile(source, ["W", "b", "C"], **options)  # type: ignore[arg-type]


def test_states_grow_with_the_root_of_the_layers() -> None:
    """All but the gradients, which are there whatever is kept: in symbols and as measured."""
    function = _deep(segments="sqrt")
    symbols = function.memory().value_and_grad.polynomial
    states = {names: c for names, c in symbols.terms.items() if {"B", "M"} <= set(names)}
    assert states.pop(("B", "M", "√N")) == 16
    assert states.keys() == {("B", "M")}
    sizes = {"B": 128, "M": 32, "K": 4}
    random = np.random.default_rng(0)
    left = {}
    for layers in (16, 64, 256):
        memory = function.memory(**sizes, N=layers)
        shapes = [memory.footprints.numbers(v.shape) for v in function.plan.inputs]
        given = [random.normal(size=shape) / 8 for shape in shapes]
        gradients = 8 * layers * (32 * 32 + 32)
        left[layers] = measure(function.module.value_and_grad, *given) - gradients
    state = 8 * 128 * 32
    for layers in (16, 64):
        # 2 √N more states where N is four times as large
        more = (left[4 * layers] - left[layers]) / state
        assert more == pytest.approx(2 * layers**0.5, rel=0.08)


def _arrays(part: object) -> list[np.ndarray]:
    """The arrays in a cache, those in lists and tuples among them."""
    if isinstance(part, list | tuple):
        return [array for item in part for array in _arrays(item)]
    return [part] if isinstance(part, np.ndarray) and part.ndim else []


@pytest.mark.parametrize("segments", [None, "sqrt", 3])
@pytest.mark.parametrize("name", HARDER)
def test_cached_bytes_are_those_of_the_arrays_in_the_cache(
    name: str, segments: int | str | None
) -> None:
    """What a loop starts from is held by its list."""
    program = md.parse(f"x: (B, M); F: (M, M); {HARDER[name].replace('= x;', '= x F;')}")
    function = md.compile(program, [key for key in program.inputs if key != "x"], segments=segments)
    sizes = {"B": 6, "M": 5, "N": 11}
    known = {key: size for key, size in sizes.items() if key in function.plan.size_names}
    random = np.random.default_rng(0)
    given = {
        key: random.normal(size=[sizes[str(dim)] for dim in entry.shape])
        for key, entry in program.inputs.items()
    } | {"N": 11}
    _, cache = function.forward(given)
    found = {id(array): array for array in _arrays(cache)}
    made = [a for a in found.values() if not any(a is value for value in given.values())]
    scalars = function.memory(**known).cache_bytes - sum(array.nbytes for array in made)
    assert scalars in range(25)


def test_one_more_run_of_the_layers() -> None:
    plain, small = (_deep(**o).cost.polynomials for o in ({}, {"segments": "sqrt"}))
    assert str(small.forward - plain.forward) == "0"
    assert str(small.backward - plain.backward) == "2 B M^2 N"
    assert str(small.evaluations["tanh"]) == "2 B M N"
    assert str(small.cache) == "8 B M √N + 8 B K"


def test_a_budget_takes_blocks_where_they_are_needed() -> None:
    sizes = {"B": 256, "M": 32, "K": 8, "N": 64}
    found = Tradeoff(_deep().plan, sizes)
    assert [point.method for point in found.curve] == ["keep all", "√N blocks"]
    for budget, blocks in (("6MB", False), ("2MB", True)):
        function = _deep(sizes=sizes, budget=budget)
        assert ("z_starts" in function.source) is blocks
        assert function.memory(**sizes).value_and_grad.bytes <= float(budget[0]) * 1e6
    with pytest.raises(MatderivError, match="no schedule within"):
        _deep(sizes=sizes, budget="1MB")


def test_states_smaller_than_what_a_layer_keeps_come_in_more_blocks() -> None:
    """Of √N blocks and some others the one of least peak: a layer here keeps much."""
    source = (
        "x: (B, M); U, V: (N, M, H); P: (N, H, M)\n"
        "z = x; repeat l in N { a = sin(z U[l]); c = cos(z V[l]); z = z + (a .* c) P[l] }; ||z||^2"
    )
    sizes = {"B": 256, "M": 8, "H": 64, "N": 64}
    found = Tradeoff(md.compile(source, ["U", "V", "P"]).plan, sizes)
    best = found.curve[-1]
    assert best.method == "64 blocks"
    assert best.peak < found.peak(found.segments("sqrt")).bytes


def test_a_number_of_layers_has_its_root_in_the_code() -> None:
    source = "x: (B, M); W: (900, M, M)\nz = x; repeat l in 900 { z = tanh(z W[l]) }; ||z||^2"
    function = md.compile(source, ["W"], segments="sqrt")
    assert "layers = 30\n" in function.source
    assert "import math" not in function.source
    assert str(function.cost.polynomials.cache) == "240 B M"
    random = np.random.default_rng(0)
    given = {"x": random.normal(size=(4, 3)), "W": random.normal(size=(900, 3, 3)) / 2}
    value, gradients = md.compile(source, ["W"]).value_and_grad(given)
    same, others = function.value_and_grad(given)
    assert value == same
    assert np.array_equal(gradients["W"], others["W"])


def test_two_loops_are_cut_one_by_one() -> None:
    _, cut = _functions("read twice", None)
    assert "r_starts" in cut.source
    assert "z_starts" in cut.source
    assert in_blocks(md.compile("x: (n); ||tanh(x)||^2", ["x"]).plan) is None


def test_the_module_checks_itself() -> None:
    scope: dict[str, object] = {"__name__": "generated"}
    exec(compile(_deep(segments=4).source, "<generated>", "exec"), scope)
    check = scope["self_check"]
    assert callable(check)
    assert check() == 0


def test_one_plan_at_a_time() -> None:
    with pytest.raises(MatderivError, match="two plans"):
        _deep(segments="sqrt", budget="2MB", sizes={"B": 9, "M": 9, "K": 9, "N": 9})
    with pytest.raises(MatderivError, match="numpy alone"):
        _deep(segments="sqrt", backend="jax")
    with pytest.raises(MatderivError, match="no number of segments"):
        _deep(segments="many")
