"""The code of every declared function: its value is the reference's, its cost is executed."""

from __future__ import annotations

import numpy as np
import pytest

from matderiv.program import plan
from matderiv.program.compiled import CompiledFunction
from matderiv.tensor.arena import Arena
from matderiv.tensor.elementwise import ELEMENTWISE
from matderiv.tensor.evaluate import evaluate
from matderiv.tensor.nodes import Node, Variable
from matderiv.tensor.primitives import PRIMITIVES
from tests.program.counting import count

SIZES = {"b": 3, "n": 4, "m": 5}
DOMAINS = {
    "real": (-2.0, 2.0),
    "nonzero": (-2.0, 2.0),
    "positive": (0.5, 2.0),
    "unit": (-0.9, 0.9),
    "above_one": (1.1, 2.0),
}


def _check(value: Node, arrays: dict[Variable, np.ndarray]) -> CompiledFunction:
    function = CompiledFunction(plan(value, {}, inputs=list(arrays), sizes=SIZES))
    given = {v.name: array for v, array in arrays.items()}
    given |= {dim: SIZES[dim] for dim in function.plan.free_sizes}
    (expected,) = evaluate([value], arrays, SIZES)
    found, _ = function.forward(given)
    assert np.shape(found) == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    counted, evaluations = count(function.module, "forward", **given)
    numbers = function.cost.at()
    assert counted == pytest.approx(float(numbers.forward), abs=1e-6)
    assert evaluations == numbers.evaluations
    return function


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise(name: str) -> None:
    declared = ELEMENTWISE[name]
    arena, rng = Arena(), np.random.default_rng(0)
    arrays = {}
    for position in range(declared.arity):
        variable = arena.variable("xz"[position], ("n", "m"))
        arrays[variable] = rng.uniform(*DOMAINS[declared.domain], (SIZES["n"], SIZES["m"]))
    function = _check(arena.map(declared, *arrays), arrays)
    beyond = any(name in function.source for name in ("erf", "log_ndtr"))
    assert ("import scipy" in function.source) == beyond


@pytest.mark.parametrize("batch", [(), ("b",)], ids=["one", "batch"])
@pytest.mark.parametrize("name", [n for n, p in PRIMITIVES.items() if p.infer is None and p.arity])
def test_primitive(name: str, batch: tuple[str, ...]) -> None:
    declared = PRIMITIVES[name]
    arena, rng = Arena(), np.random.default_rng(0)
    arrays = {}
    for position, core in enumerate(declared.cores[:-1]):
        shape = batch + core
        variable = arena.variable("xzw"[position], shape)
        array = rng.normal(size=[SIZES[k] for k in shape])
        if declared.domain != "real" and len(set(core)) == 1:
            array = array @ np.swapaxes(array, -1, -2) + np.eye(len(array[..., 0, :].T))
        arrays[variable] = array
    value = arena.apply(declared, *arrays)
    if value in arrays:
        pytest.skip("rewritten away")
    _check(value, arrays)


@pytest.mark.parametrize("name", [n for n, p in PRIMITIVES.items() if not p.arity and not p.infer])
def test_constant(name: str) -> None:
    arena = Arena()
    x = arena.variable("x", ("n",))
    value = arena.multiply(arena.apply(name), x)
    _check(value, {x: np.arange(4.0)})


def test_reshape() -> None:
    arena = Arena()
    x = arena.variable("x", ("n", "m"))
    value = arena.reshape(arena.transpose(x), 2, (arena.total_size(("n", "m")),))
    _check(value, {x: np.arange(20.0).reshape(4, 5)})


@pytest.mark.parametrize(
    "spec",
    ["ij,j->i", "ij,i->j", "ij,kj->ik", "ij,ij->", "ij,jk->ikj", "ij->ij"],
)
def test_select_is_a_slice_or_zeros_around(spec: str) -> None:
    """S x = x[1:3], S' y pads, S itself is rows of the identity."""
    arena, rng = Arena(), np.random.default_rng(0)
    selection = arena.select("n", 1, 3)
    known = {"i": 2, "j": "n", "k": "m"}
    numbers = {2: 2, **SIZES}
    arrays = {}
    operands: list[Node] = [selection]
    for term in spec.split("->")[0].split(",")[1:]:
        variable = arena.variable("x", tuple(known[letter] for letter in term))
        arrays[variable] = rng.normal(size=[numbers[known[letter]] for letter in term])
        operands.append(variable)
    function = _check(arena.einsum(spec, *operands), arrays) if arrays else None
    if function is not None and spec in ("ij,j->i", "ij,i->j", "ij,kj->ik", "ij,ij->"):
        assert "eye" not in function.source
