"""On random graphs generated code gives the evaluator's values, and costs what is predicted."""

from __future__ import annotations

import random

import numpy as np
import pytest

from matderiv.program import plan
from matderiv.program.compiled import CompiledFunction
from matderiv.program.plan import Graph, Problem
from matderiv.tensor.arena import Arena
from matderiv.tensor.evaluate import evaluate
from matderiv.tensor.nodes import Node, Variable
from tests.program.counting import count
from tests.program.graphs import SIZES, random_graph, random_values

SEEDS = range(150)


def _compiled(inputs: list[Variable], roots: list[Node]) -> CompiledFunction:
    names = [f"r{i}" for i in range(len(roots))]
    made = plan(
        roots[-1],
        {},
        dict(zip(names, roots, strict=True)),
        inputs=inputs,
        wrt=dict.fromkeys(names, ()),
    )
    return CompiledFunction(made)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_code_equals_the_evaluator_and_costs_what_is_predicted(seed: int) -> None:
    inputs, roots = random_graph(seed)
    if not roots:
        return
    values = random_values(seed, inputs)
    expected = evaluate(roots, values, SIZES)
    if not all(np.isfinite(array).all() for array in expected):
        return
    function = _compiled(inputs, roots)
    given = {v.name: array for v, array in values.items()}
    given |= {dim: SIZES[dim] for dim in function.plan.free_sizes}
    before = {name: np.array(value) for name, value in given.items()}
    found = function.derivative(given)
    for index, array in enumerate(expected):
        part = np.asarray(found[f"r{index}"])
        assert part.shape == array.shape
        assert part.dtype == float
        scale = np.abs(array).max(initial=1.0)
        np.testing.assert_allclose(part, array, rtol=1e-9, atol=1e-11 * scale)
    value, cache = function.forward(given)
    np.testing.assert_allclose(value, expected[-1], rtol=1e-9)
    assert cache == []
    assert all(np.array_equal(before[name], given[name]) for name in given), "an input changed"

    known = {name: SIZES[name] for name in function.cost.sizes}
    numbers = function.cost.at(**known)
    counted, evaluations = count(function.module, "derivative", **given)
    assert counted == pytest.approx(float(numbers.derivative), abs=1e-6)
    steps = function.plan.derivative
    assert evaluations == sum(int(step.evaluations.at(SIZES)) for step in steps)


def _likelihood() -> tuple[list[Variable], list[Node]]:
    """S⁻¹X X'S⁻¹, (B X + C X)/t and log det S: halves, scalars and Cholesky factors."""
    arena = Arena()
    S = arena.variable("S", ("n", "n"), ["posdef"])
    X, t = arena.variable("X", ("n", "k")), arena.variable("t", ())
    B, C = arena.variable("B", ("m", "n")), arena.variable("C", ("m", "n"))
    inverse = arena.apply("inv", S)
    sandwich = arena.einsum("ij,jk,lk,lm->im", inverse, X, X, inverse)
    spread = arena.einsum("ij,jk->ik", B + 2 * C, X) / t
    return [S, X, t, B, C], [sandwich, spread, arena.apply("logdet", S)]


@pytest.mark.parametrize("seed", [None, *SEEDS])
def test_what_was_planned_for_other_sizes_changes_no_plan(seed: int | None) -> None:
    """Sizes at which every decision is the same share their steps: only those."""
    inputs, roots = _likelihood() if seed is None else random_graph(seed)
    if not roots:
        return
    graph = Graph(roots[-1], derivatives={str(k): root for k, root in enumerate(roots)})
    shared = Problem.of([graph], inputs)
    draw = random.Random(seed or 0)
    for _ in range(6 if seed else 40):
        sizes = {name: draw.choice([4, 30, 900]) + k for k, name in enumerate(SIZES)}
        alone = Problem(shared.graphs, inputs, None)
        plans = shared.cheapest(sizes), alone.cheapest(sizes)
        one, other = (repr((p.steps, p.sizes)) for p in plans)  # as NaN is not itself
        assert one == other


def test_results_share_no_memory() -> None:
    """Results are the caller's: no two of them, and no input, are one buffer."""
    for seed in range(60):
        inputs, roots = random_graph(seed)
        if not roots:
            continue
        function = _compiled(inputs, roots)
        given = {v.name: array for v, array in random_values(seed, inputs).items()}
        given |= {dim: SIZES[dim] for dim in function.plan.free_sizes}
        with np.errstate(all="ignore"):
            found = [np.asarray(array) for array in function.derivative(given).values()]
        held = [np.asarray(array) for array in given.values()]
        for index, array in enumerate(found):
            others = found[index + 1 :] + held
            assert not any(np.shares_memory(array, other) for other in others), seed
            array[...] = 0.0  # and all can be written into
