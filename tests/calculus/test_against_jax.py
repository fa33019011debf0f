"""Derivatives of random programs against JAX's, in double precision."""

from __future__ import annotations

import numpy as np
import pytest

from matderiv.calculus.derive import derive
from matderiv.tensor.arena import Arena
from matderiv.tensor.nodes import Node, Variable
from tests.numerics import Array
from tests.random_programs import RandomProgram, random_program

jax = pytest.importorskip("jax")

from tests.jax_interpreter import as_function  # noqa: E402


def assert_as_jax(program: RandomProgram, x: Variable) -> None:
    """The value, the derivative by x, and the derivative of that, as JAX computes them."""
    place = program.variables.index(x)
    function = as_function(program.root, program.variables, program.sizes)
    arrays = [program.arrays[v] for v in program.variables]

    @jax.jit
    def all_orders(*arrays: Array) -> tuple[Array, Array, Array]:
        jacobian = jax.jacrev(function, place)
        return function(*arrays), jacobian(*arrays), jax.jacfwd(jacobian, place)(*arrays)

    value, first, second = all_orders(*arrays)
    (gradient,) = derive(program.root, [x])
    (hessian,) = derive(program.root, [x], then=[x])
    for node, want in ((program.root, value), (gradient, first), (hessian, second)):
        got, want = program.at(node), np.asarray(want)
        assert got.shape == want.shape
        scale = max(1.0, float(np.max(np.abs(want), initial=0.0)))
        assert np.allclose(got, want, rtol=0, atol=1e-9 * scale)


@pytest.mark.parametrize("seed", range(100, 114))
def test_random_program(seed: int) -> None:
    program = random_program(seed, names=seed % 2 == 0)
    assert_as_jax(program, program.variables[seed % len(program.variables)])


@pytest.mark.parametrize(
    "name", ["inv", "logdet", "pinv", "sqrtm", "expm", "chol", "norm_nuclear", "norm_op"]
)
def test_function_of_a_matrix(name: str) -> None:
    arena = Arena()
    x, a = arena.variable("X", ("n", "n")), arena.variable("A", ("n", "n"))
    y = arena.apply(name, arena.einsum("ij,jk->ik", a, x))
    weighted = arena.map("sin", y)
    root = arena.einsum("ij->", weighted) if y.order else weighted
    random = np.random.default_rng(1)
    arrays: dict[Node, Array] = {
        v: 0.3 * random.normal(size=(3, 3)) + 1.5 * np.eye(3) for v in (x, a)
    }
    assert_as_jax(RandomProgram(arena, root, [x, a], arrays, {"n": 3}), x)
