"""Laws of derivatives on random programs: the modes agree, with each other and with numbers."""

from __future__ import annotations

import re
from itertools import permutations

import numpy as np
import pytest

import matderiv as md
from matderiv.calculus.derivative import forward, pull_back, push_forward, reverse
from matderiv.calculus.derive import checked_order, derive
from matderiv.calculus.maps import adjoint, differential, hessian_map
from matderiv.calculus.maps import seed as seed_variable
from matderiv.calculus.simplify import simplify
from matderiv.tensor.arena import Arena
from matderiv.tensor.nodes import Name, Node
from matderiv.tensor.traverse import reachable
from tests.numerics import Array, directional
from tests.random_programs import RandomProgram, random_program

SEEDS = range(45)


def assert_close(got: Array, want: Array, tolerance: float = 1e-7) -> None:
    scale = max(1.0, float(np.max(np.abs(want), initial=0.0)))
    assert got.shape == want.shape
    assert np.allclose(got, want, rtol=0, atol=tolerance * scale)


def random_like(program: RandomProgram, node: Node, seed: int) -> Array:
    shape = np.shape(program.at(node))
    return np.random.default_rng([31, seed]).normal(size=shape)


@pytest.mark.parametrize("names", [False, True], ids=["plain", "named"])
@pytest.mark.parametrize("seed", SEEDS)
def test_reverse_is_forward_is_differences(seed: int, names: bool) -> None:
    program = random_program(seed, names=names)
    root, variables = program.root, program.variables
    backward, ahead = reverse(root, variables), forward(root, variables)
    for x, a, b in zip(variables, backward, ahead, strict=True):
        assert a.shape == b.shape == root.shape + x.shape
        jacobian = program.at(a)
        assert_close(jacobian, program.at(b), 1e-9)
        v = random_like(program, x, seed)
        slope = directional(lambda p, x=x: program.at(root, {x: p}), program.arrays[x], v)
        assert_close(np.tensordot(jacobian, v, axes=v.ndim), slope)


@pytest.mark.parametrize("seed", SEEDS)
def test_products_with_vectors_are_those_of_the_jacobian(seed: int) -> None:
    """pull_back(G) = G J and push_forward(v) = J v, with seeds that are variables."""
    program = random_program(seed)
    root, x = program.root, program.variables[0]
    jacobian = program.at(reverse(root, [x])[0])
    g = program.arena.variable("g", root.shape, role="seed")
    v = program.arena.variable("v", x.shape, role="seed")
    at_g, at_v = random_like(program, root, 1), random_like(program, x, 2)
    (cotangent,) = pull_back(root, [x], g)
    assert_close(
        program.at(cotangent, {g: at_g}), np.tensordot(at_g, jacobian, axes=at_g.ndim), 1e-9
    )
    (tangent,) = push_forward([root], {x: v})
    assert_close(program.at(tangent, {v: at_v}), np.tensordot(jacobian, at_v, axes=at_v.ndim), 1e-9)


@pytest.mark.parametrize("seed", range(35))
def test_second_order(seed: int) -> None:
    """All four pairs of modes give one Hessian, the derivative of the gradient."""
    program = random_program(seed, steps=6)
    root, x = program.root, program.variables[0]
    z = program.variables[-1]
    v = random_like(program, z, seed)
    first = reverse(root, [x])[0]
    pairs = [outer(inner(root, [x])[0], [z])[0] for outer in (reverse, forward) for inner in (
        reverse, forward
    )]  # fmt: skip
    want = program.at(pairs[0])
    for node in pairs[1:]:
        assert_close(program.at(node), want, 1e-8)
    slope = directional(lambda p: program.at(first, {z: p}), program.arrays[z], v)
    assert_close(np.tensordot(want, v, axes=v.ndim), slope, 1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_third_order(seed: int) -> None:
    program = random_program(seed, scalar=True, steps=4)
    x = program.variables[0]
    second = reverse(reverse(program.root, [x])[0], [x])[0]
    third, other = reverse(second, [x])[0], forward(second, [x])[0]
    got = program.at(third)
    assert_close(program.at(other), got, 1e-8)
    v = random_like(program, x, seed)
    slope = directional(lambda p: program.at(second, {x: p}), program.arrays[x], v)
    assert_close(np.tensordot(got, v, axes=v.ndim), slope, 1e-5)
    # Symmetric in its three pairs of axes.
    order = x.order
    blocks = [tuple(range(k * order, (k + 1) * order)) for k in range(3)]
    assert_close(got.transpose(blocks[1] + blocks[2] + blocks[0]), got, 1e-9)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_derive_keeps_the_value(seed: int, mode: str) -> None:
    program = random_program(seed, names=True, steps=6)
    raw = reverse(program.root, program.variables)
    short = derive(program.root, program.variables, mode=mode)
    for a, b in zip(raw, short, strict=True):
        assert_close(program.at(b), program.at(a), 1e-9)
    x = program.variables[0]
    (hessian,) = derive(program.root, [x], then=[x], mode=mode)
    assert_close(program.at(hessian), program.at(reverse(raw[0], [x])[0]), 1e-8)


@pytest.mark.parametrize("seed", range(25))
def test_linear_maps_are_those_of_the_derivatives(seed: int) -> None:
    """differential = J v, adjoint = G J, hessian_map = H v, d²Y = v H v."""
    program = random_program(seed, scalar=True, steps=5)
    root, x = program.root, program.variables[0]
    v, g = seed_variable(x, "dx"), seed_variable(root, "G")
    arrays: dict[Node, Array] = {
        v: random_like(program, x, seed),
        g: random_like(program, root, seed + 1),
    }
    (gradient,) = reverse(root, [x])
    slope, hessian = program.at(gradient), program.at(reverse(gradient, [x])[0])
    along = np.tensordot(hessian, arrays[v], axes=x.order)
    assert_close(program.at(hessian_map(root, x, v), arrays), along, 1e-9)
    assert_close(program.at(differential(root, [(x, v)]), arrays), np.sum(slope * arrays[v]), 1e-9)
    assert_close(
        program.at(differential(root, [(x, v), (x, v)]), arrays), np.sum(along * arrays[v]), 1e-8
    )
    assert_close(program.at(adjoint(root, x, g), arrays), slope * arrays[g], 1e-9)


def test_differentials_of_matrix_functions_are_short() -> None:
    """No identity of order four is formed: d expm(X) = frechet(X, dX), dX⁻¹ = -X⁻¹ dX X⁻¹."""
    arena = Arena()
    x, e = arena.variable("X", ("n", "n")), arena.variable("E", ("n", "n"))
    dx = seed_variable(x, "dX")
    inverse = arena.apply("inv", x)
    product = arena.einsum("ij,jk,kl->il", inverse, dx, inverse)
    assert differential(inverse, [(x, dx)]) is simplify([-product])[0]
    expm, sqrtm = arena.apply("expm", x), arena.apply("sqrtm", x)
    assert differential(expm, [(x, dx)]) is arena.apply("frechet", x, dx)
    assert differential(sqrtm, [(x, dx)]) is arena.apply("sylvester", sqrtm, sqrtm, dx)
    vec = arena.reshape(arena.transpose(x), 2, (arena.total_size(x.shape),))
    moved = arena.reshape(arena.transpose(dx), 2, vec.shape)
    assert differential(vec, [(x, dx)]) is moved
    directed = arena.apply("frechet", x, e)
    assert differential(directed, [(e, seed_variable(e, "dE"))]) is arena.apply(
        "frechet", x, seed_variable(e, "dE")
    )


def test_kronecker_products_and_selections() -> None:
    """d‖A ⊗ X‖² = 2 ‖A‖² <X, dX>; d tr(A ⊗ X) = tr(A) tr(dX); d(S x) = S dx."""
    arena = Arena()
    a, x = arena.variable("A", ("m", "k")), arena.variable("X", ("n", "m"))
    kron = arena.reshape(
        arena.einsum("ij,kl->ikjl", a, x),
        4,
        (arena.total_size(("m", "n")), arena.total_size(("k", "m"))),
    )
    (gradient,) = derive(arena.einsum("ij,ij->", kron, kron), [x])
    assert gradient is 2 * arena.einsum("ij,ij->", a, a) * x
    b, y = arena.variable("B", ("m", "m")), arena.variable("Y", ("n", "n"))
    size = arena.total_size(("m", "n"))
    square = arena.reshape(arena.einsum("ij,kl->ikjl", b, y), 4, (size, size))
    (gradient,) = derive(arena.einsum("ii->", square), [y])
    assert gradient is arena.einsum("ii,jk->jk", b, arena.identity("n"))
    z, s = arena.variable("z", ("n",)), arena.select("n", 1, 3)
    (jacobian,) = derive(arena.einsum("ij,j->i", s, z), [z])
    assert jacobian is s


def test_a_variable_that_does_not_occur_has_derivative_zero() -> None:
    program = random_program(0)
    other = program.arena.variable("other", ("n", "m"))
    for node in (*reverse(program.root, [other]), *forward(program.root, [other])):
        assert node is program.arena.zero(program.root.shape + other.shape)


def test_cotangents_take_the_names_of_values() -> None:
    arena = Arena()
    w, x = arena.variable("W", ("m", "n")), arena.variable("x", ("n",))
    z = arena.name("z", arena.einsum("ij,j->i", w, x))
    loss = arena.einsum("i->", arena.map("tanh", z))
    nodes = reachable(reverse(loss, [w, x], names=True))
    assert {n.name for n in nodes if isinstance(n, Name) and n.role == "cotangent"} == {"δz"}


@pytest.mark.parametrize("of", ["i->", "ii->", "ij->"])
def test_a_cotangent_that_is_a_constant_has_no_name(of: str) -> None:
    """𝟏, I or 2 𝟏 𝟏': a line for it would say less than the name."""
    arena = Arena()
    x = arena.variable("x", ("n",) * (len(of) - 2))
    z = arena.name("z", arena.map("exp", x))
    for number in (1, 2):
        nodes = reachable(reverse(number * arena.einsum(of, z), [x], names=True))
        assert not any(isinstance(n, Name) and n.role == "cotangent" for n in nodes)


@pytest.mark.parametrize("first, second", [*permutations("abcd", 2)])
def test_the_product_rule_stands_as_it_is_written(first: str, second: str) -> None:
    """(a'x)² (b'x)³ has the slope of its first factor first, whatever they are called."""
    shapes = dict.fromkeys("abcdx", ("n",))
    text = md.diff(f"({first}' x)^2 ({second}' x)^3", "x", shapes=shapes).to("ascii")
    assert re.findall(r"\) ([abcd])\b(?!')", text) == [first, second]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_cotangents_of_a_scalar_have_names_where_they_are_asked_for(seed: int) -> None:
    """δy for each named value y that holds the variables; none of a value of several entries."""
    for scalar in (True, False):
        program = random_program(seed, scalar=scalar, names=True)
        for names in (True, False):
            gradients = reverse(program.root, program.variables, names=names)
            made = {
                n.name for n in reachable(gradients) if isinstance(n, Name) if n.role != "value"
            }
            known = {f"δ{n.name}" for n in reachable([program.root]) if isinstance(n, Name)}
            assert made <= (known if names and not program.root.order else set())
        tangents = forward(program.root, program.variables)
        assert all(n.role == "value" for n in reachable(tangents) if isinstance(n, Name))
        for variable, plain in zip(program.variables, tangents, strict=True):
            whole = {variable: program.arena.delta(variable.shape)}
            (named,) = push_forward([program.root], whole, names=True)
            made = {n.name for n in reachable([named]) if isinstance(n, Name) if n.role != "value"}
            assert made <= {f"d{n.name}" for n in reachable([program.root]) if isinstance(n, Name)}
            assert_close(program.at(named), program.at(plain))


@pytest.mark.parametrize("order", [0, -1, True, False, 2.0, 1.5, "2", None, [1], 65, 10**30])
def test_an_order_is_a_positive_integer_of_reasonable_size(order: object) -> None:
    with pytest.raises(md.UnsupportedError, match="order"):
        checked_order(order)


def test_orders_up_to_the_largest_are_taken() -> None:
    assert [checked_order(order) for order in (1, 2, 64)] == [1, 2, 64]
