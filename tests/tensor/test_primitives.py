"""Laws of the table of primitives, each over the whole table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from itertools import combinations_with_replacement

import numpy as np
import pytest

from matderiv.calculus.derivative import forward, pull_back, push_forward, reverse
from matderiv.errors import UnsupportedError
from matderiv.tensor.arena import Arena
from matderiv.tensor.dims import Shape, multiply_dims
from matderiv.tensor.evaluate import evaluate
from matderiv.tensor.nodes import Apply, Node, Sum, Variable
from matderiv.tensor.primitives import ARGUMENTS, PRIMITIVES, AbstractFunction, Primitive
from matderiv.tensor.primitives.base import Adjoint, transposed
from matderiv.tensor.primitives.functions import frechet
from tests.numerics import Array, directional, lengths, relative_error, run_program, value

TOLERANCE = 1e-8
DOMAINS = {"real", "well_conditioned", "posdef"}


# ----- instances ----------------------------------------------------------------------
@dataclass
class Instance:
    """A primitive applied to variables, with arrays for them."""

    primitive: Primitive
    node: Apply
    arguments: tuple[Variable, ...]
    arrays: dict[Node, Array]
    sizes: dict[str, int]

    @property
    def arena(self) -> Arena:
        return self.node.arena

    def random(self, shape: Shape, seed: int) -> Array:
        return np.random.default_rng([77, seed]).normal(size=lengths(shape, self.sizes))

    def at(self, node: Node, more: dict[Node, Array] | None = None) -> Array:
        return value(node, {**self.arrays, **(more or {})}, self.sizes)


RESHAPES: dict[str, tuple[Shape, tuple[int, Shape]]] = {
    "fuse": (("b", "m", "n"), (2, (multiply_dims("m", "n"),))),
    "split": (("b", multiply_dims("m", "n")), (1, ("n", "m"))),
}
# The batches of the arguments: none, one for all, one that only the last argument has.
BATCHES: dict[str, tuple[Shape, Shape]] = {
    "single": ((), ()),
    "batch": (("b",), ("b",)),
    "mixed": ((), ("b",)),
}
ORIENTATIONS = {"tall": {"m": 3, "n": 2}, "wide": {"m": 2, "n": 3}}


def _cases() -> Iterator[tuple[str, str, str]]:
    for name, primitive in PRIMITIVES.items():
        if name == "select":
            continue
        if name == "reshape":
            yield from ((name, kind, "tall") for kind in RESHAPES)
        elif not primitive.arity:
            yield (name, "single", "tall")
        else:
            square = len({axis for core in primitive.cores for axis in core}) == 1
            for batch in BATCHES:
                if batch != "mixed" or primitive.arity > 1:
                    yield from ((name, batch, k) for k in list(ORIENTATIONS)[square:])


CASES = [pytest.param(*case, id="-".join(case)) for case in _cases()]


def instance(primitive: Primitive, batch: str, orientation: str, seed: int = 0) -> Instance:
    arena = Arena()
    sizes = {**ORIENTATIONS[orientation], "b": 4, "r": 5, "t": 6}
    parameters: tuple[object, ...] = ()
    if primitive.name == "reshape":
        shape, parameters = RESHAPES[batch]
        shapes = [shape]
    else:
        head, last = BATCHES[batch]
        cores = primitive.cores[:-1]
        leads = [head] * (len(cores) - 1) + [last]
        shapes = [lead + core for lead, core in zip(leads, cores, strict=False)]
    random = np.random.default_rng([5, seed])
    arguments = tuple(arena.variable(f"x{k}", shape) for k, shape in enumerate(shapes))
    arrays: dict[Node, Array] = {}
    for variable, shape in zip(arguments, shapes, strict=True):
        array = random.normal(size=lengths(shape, sizes))
        if primitive.domain != "real" and shape[-2] == shape[-1]:
            # Invertible, with eigenvalues and symmetric part in the right half plane.
            array = 0.4 * array + 1.5 * np.eye(array.shape[-1])
        arrays[variable] = array
    node = arena.apply(primitive, *arguments, parameters=parameters)
    assert isinstance(node, Apply)
    return Instance(primitive, node, arguments, arrays, sizes)


# ----- values -------------------------------------------------------------------------
@pytest.mark.parametrize("name, batch, orientation", CASES)
def test_shape_is_that_of_numpy(name: str, batch: str, orientation: str) -> None:
    made = instance(PRIMITIVES[name], batch, orientation)
    assert made.at(made.node).shape == lengths(made.node.shape, made.sizes)


@pytest.mark.parametrize("name, batch, orientation", CASES)
def test_a_batch_is_its_elements(name: str, batch: str, orientation: str) -> None:
    made = instance(PRIMITIVES[name], batch, orientation)
    if "b" not in made.node.shape:
        return
    whole = made.at(made.node)
    for k in range(made.sizes["b"]):
        arrays = [
            made.arrays[x][k] if x.shape[0] == "b" else made.arrays[x] for x in made.arguments
        ]
        if made.primitive.infer is not None:
            one = made.primitive.reference(*arrays, shape=whole[k].shape)
        else:
            one = made.primitive.reference(*arrays)
        assert relative_error(whole[k], one) <= TOLERANCE


@pytest.mark.parametrize("name", [name for name, p in PRIMITIVES.items() if p.infer is None])
def test_a_batch_of_batches_is_its_elements(name: str) -> None:
    """The reference of a primitive, on arrays with two axes in front."""
    primitive = PRIMITIVES[name]
    single = [instance(primitive, "single", "wide", seed) for seed in range(8)]
    arrays = [[made.arrays[x] for x in made.arguments] for made in single]
    whole = [
        np.reshape(stack, (2, 4, *np.shape(stack)[1:]))
        for stack in map(np.stack, zip(*arrays, strict=True))
    ]
    together = np.asarray(primitive.reference(*whole))
    for k, (made, parts) in enumerate(zip(single, arrays, strict=True)):
        one = together[divmod(k, 4)] if parts else together
        assert relative_error(one, made.at(made.node)) <= TOLERANCE


@pytest.mark.parametrize("name, batch, orientation", CASES)
def test_program_computes_the_reference(name: str, batch: str, orientation: str) -> None:
    made = instance(PRIMITIVES[name], batch, orientation)
    names = dict(zip(ARGUMENTS, (made.arrays[x] for x in made.arguments), strict=False))
    names |= {axis: made.sizes[axis] for axis in ("m", "n")}
    names["shape"] = lengths(made.node.shape, made.sizes)
    want = made.at(made.node)
    assert relative_error(run_program(made.primitive.numpy, names), want) <= TOLERANCE


def test_selection_takes_entries() -> None:
    arena = Arena()
    x = arena.variable("x", ("k",))
    part = arena.einsum("ij,j->i", arena.select("k", 2, 5), x)
    array = np.random.default_rng(0).normal(size=7)
    assert np.array_equal(value(part, {x: array}), array[2:5])
    (gradient,) = reverse(part, [x])
    assert np.array_equal(value(gradient, {x: array}), np.eye(7)[2:5])


# ----- first derivatives --------------------------------------------------------------
def adjoint_error(made: Instance, index: int) -> float:
    """How far <G, J v> and <adjoint(G), v> are apart, for several G at once."""
    x = made.arguments[index]
    g = made.arena.variable("g", ("r", *made.node.shape))
    cotangent = made.primitive.pull_back(index, g, made.node)
    if cotangent is None:
        cotangent = made.arena.zero(("r", *x.shape))
    assert cotangent.shape == ("r", *x.shape)
    array, v = made.random(g.shape, 1), made.random(x.shape, 2)
    slope = directional(lambda p: made.at(made.node, {x: p}), made.arrays[x], v)
    left = np.tensordot(array, slope, axes=slope.ndim)
    right = np.tensordot(made.at(cotangent, {g: array}), v, axes=v.ndim)
    return relative_error(right, left)


@pytest.mark.parametrize("name, batch, orientation", CASES)
def test_adjoint_is_the_transpose_of_the_jvp(name: str, batch: str, orientation: str) -> None:
    made = instance(PRIMITIVES[name], batch, orientation)
    for index in range(made.primitive.arity):
        assert adjoint_error(made, index) <= TOLERANCE


def wrong_adjoints(node: Node) -> Iterator[Node]:
    """A cotangent with its sign turned, doubled, transposed where square, without each term."""
    yield from (-node, 2 * node)
    if node.order > 2 and node.shape[-1] == node.shape[-2]:
        yield transposed(node)
    if isinstance(node, Sum):
        for place in range(len(node.terms)):
            yield node.arena.sum(node.terms[:place] + node.terms[place + 1 :], node.shape)


@pytest.mark.parametrize("name, batch, orientation", CASES)
def test_a_wrong_adjoint_breaks_the_law(name: str, batch: str, orientation: str) -> None:
    """And so does none, which says that the derivative is 0."""
    primitive = PRIMITIVES[name]
    right = instance(primitive, batch, orientation)
    g = right.arena.variable("g", ("r", *right.node.shape))
    given: dict[Node, Array] = {g: right.random(g.shape, 1)}
    for index, rule in enumerate(primitive.adjoint):
        if rule is None:
            continue
        cotangent = rule(g, right.node, *right.arguments)
        wrong: list[Adjoint] = [None]
        for place, other in enumerate(wrong_adjoints(cotangent)):
            # The adjoint of chol is its own transpose.
            if relative_error(right.at(other, given), right.at(cotangent, given)) > 1e-9:
                wrong.append(lambda *nodes, k=place, f=rule: [*wrong_adjoints(f(*nodes))][k])
        assert len(wrong) > 2
        for other_rule in wrong:
            adjoint = (*primitive.adjoint[:index], other_rule, *primitive.adjoint[index + 1 :])
            made = instance(replace(primitive, adjoint=adjoint), batch, orientation)
            assert adjoint_error(made, index) > 1e-4


@pytest.mark.parametrize("name, batch, orientation", CASES)
def test_tangent_is_the_directional_derivative(name: str, batch: str, orientation: str) -> None:
    made = instance(PRIMITIVES[name], batch, orientation)
    for x in made.arguments:
        v = made.arena.variable("v", (*x.shape, "t"))
        (tangent,) = push_forward([made.node], {x: v})
        directions = made.random(v.shape, 3)
        got = made.at(tangent, {v: directions})
        for k in range(made.sizes["t"]):
            want = directional(
                lambda p, x=x: made.at(made.node, {x: p}), made.arrays[x], directions[..., k]
            )
            if made.primitive.adjoint[made.arguments.index(x)] is None:
                assert not got.any()
            else:
                assert relative_error(got[..., k], want) <= TOLERANCE


# ----- second derivatives -------------------------------------------------------------
@pytest.mark.parametrize("name, batch, orientation", CASES)
def test_second_derivatives_agree(name: str, batch: str, orientation: str) -> None:
    """Reverse over reverse = forward over reverse = differences of the gradient."""
    made = instance(PRIMITIVES[name], batch, orientation)
    arena, y = made.arena, made.node
    axes = tuple(range(y.order))
    weights = arena.variable("weights", y.shape)
    arrays: dict[Node, Array] = {weights: made.random(y.shape, 4)}
    loss = arena.product(1, [(weights, axes, 1), (y, axes, 1)], ())
    for x in made.arguments:
        (gradient,) = reverse(loss, [x])
        for z in made.arguments:
            v = made.random(z.shape, 5)
            (hessian,) = reverse(gradient, [z])
            got = np.tensordot(made.at(hessian, arrays), v, axes=v.ndim)
            want = directional(
                lambda p, z=z, g=gradient: made.at(g, {**arrays, z: p}), made.arrays[z], v
            )
            assert np.allclose(got, want, rtol=1e-7, atol=1e-7 * (1 + np.abs(want).max()))
            seed = arena.variable("v", z.shape)
            (product,) = push_forward([gradient], {z: seed})
            assert np.allclose(made.at(product, {**arrays, seed: v}), got, rtol=1e-9, atol=1e-9)


def test_both_modes_give_one_jacobian() -> None:
    for name in PRIMITIVES:
        if name not in ("select", "reshape") and PRIMITIVES[name].arity:
            made = instance(PRIMITIVES[name], "batch", "wide")
            for x in made.arguments:
                (a,), (b,) = reverse(made.node, [x]), forward(made.node, [x])
                assert relative_error(made.at(a), made.at(b)) <= 1e-9


# ----- kinks --------------------------------------------------------------------------
# For each primitive with a kink: points, and the gradient of the sum of its value there.
KINKS: dict[str, list[tuple[list[object], list[object]]]] = {
    "max": [([1.0, 3.0, 3.0], [0.0, 1.0, 0.0]), ([2.0, 2.0, 2.0], [1.0, 0.0, 0.0])],
    "min": [([3.0, 1.0, 1.0], [0.0, 1.0, 0.0]), ([2.0, 2.0, 2.0], [1.0, 0.0, 0.0])],
    "onehot_max": [([1.0, 3.0, 3.0], [0.0, 0.0, 0.0])],
    "norm_nuclear": [
        ([[0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]),
        ([[3.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 0.0]]),
    ],
    "norm_op": [([[0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]])],
    "pinv": [([[2.0, 0.0], [0.0, 0.0]], [[-0.25, 0.25], [0.25, 0.0]])],
}


def test_every_kink_is_listed() -> None:
    assert set(KINKS) == {name for name, entry in PRIMITIVES.items() if entry.kink}


@pytest.mark.parametrize("name", KINKS)
def test_kinks_take_the_stated_value(name: str) -> None:
    for point, slope in KINKS[name]:
        arena = Arena()
        array = np.array(point)
        x = arena.variable("x", ("p", "q")[: array.ndim])
        y = arena.apply(name, x)
        total = arena.sum_axes(y, range(y.order))
        sizes = dict(zip("pq", array.shape, strict=False))
        gradient = value(reverse(total, [x])[0], {x: array}, sizes)
        assert np.array_equal(gradient, np.array(slope)), name


def test_gradient_of_the_nuclear_norm_is_a_subgradient_at_low_rank() -> None:
    random = np.random.default_rng(1)
    low = random.normal(size=(5, 2)) @ random.normal(size=(2, 4))
    arena = Arena()
    x = arena.variable("x", ("p", "q"))
    (gradient,) = reverse(arena.apply("norm_nuclear", x), [x])
    z = value(gradient, {x: low}, {"p": 5, "q": 4})
    assert np.linalg.norm(z, 2) <= 1 + 1e-12
    assert np.isclose(np.sum(z * low), np.linalg.norm(low, "nuc"))


# ----- declarations -------------------------------------------------------------------
@pytest.mark.parametrize("name", PRIMITIVES)
def test_declaration_is_complete(name: str) -> None:
    entry = PRIMITIVES[name]
    assert entry.name == name
    assert entry.domain in DOMAINS
    assert entry.source
    assert entry.latex.count("{") == entry.latex.count("}")
    text = entry.latex.format(**{k: f"<{k}>" for k in ARGUMENTS})
    assert text.count("{") == text.count("}")
    assert [k for k in ARGUMENTS if f"<{k}>" in text] == [*ARGUMENTS[: entry.arity]]
    assert all(0 <= place < entry.arity for place in entry.linear_in)
    if entry.infer is None:
        assert len(entry.cores) == entry.arity + 1
        assert entry.arity <= len(ARGUMENTS)
    names = {axis for core in entry.cores for axis in core}
    for term in entry.flops.split(" + "):
        head, *powers = term.split()
        if head[0].isdigit():
            assert Fraction(head) >= 0
        else:
            powers = [head, *powers]
        assert {power.partition("^")[0] for power in powers} <= names
    assert not entry.keeps_symmetry or entry.arity == 1


@pytest.mark.parametrize("name", PRIMITIVES)
def test_a_wrong_shape_is_refused(name: str) -> None:
    entry = PRIMITIVES[name]
    if entry.infer is not None or not entry.arity:
        return
    arena = Arena()
    with pytest.raises(ValueError):
        arena.apply(name, *(arena.variable(f"x{k}", ()) for k in range(entry.arity)))
    core = entry.cores[0]
    if len(set(core)) < len(core):
        others = [arena.variable(f"y{k}", c) for k, c in enumerate(entry.cores[1:-1])]
        with pytest.raises(ValueError, match=name):
            arena.apply(name, arena.variable("x", ("m", "n")), *others)


def test_batches_must_fit() -> None:
    arena = Arena()
    a, e = arena.variable("a", ("b", "n", "n")), arena.variable("e", ("r", "n", "n"))
    with pytest.raises(ValueError, match="batches"):
        arena.apply("frechet", a, e)


# ----- marks --------------------------------------------------------------------------
@pytest.mark.parametrize("name", PRIMITIVES)
def test_marks_are_true(name: str) -> None:
    """Each mark holds where it is claimed."""
    entry = PRIMITIVES[name]
    if name in ("select", "reshape") or not entry.arity:
        return
    made = instance(entry, "single", "wide")
    if entry.nonnegative or entry.unit:
        assert np.all(made.at(made.node) >= 0)
    if entry.unit:
        assert np.all(made.at(made.node) <= 1)
    if entry.is_inverse:
        (x,) = made.arguments
        assert np.allclose(made.at(made.node) @ made.arrays[x], np.eye(made.sizes["n"]))
    if entry.sums_to_one:
        assert np.allclose(made.at(made.node).sum(axis=-1), 1)
    if entry.keeps_symmetry:
        array = np.random.default_rng(3).normal(size=(3, 3))
        array = array + array.T + (8 * np.eye(3) if entry.domain != "real" else 0)
        result = entry.reference(array)
        assert relative_error(result, result.T) <= 1e-12
    for place in entry.linear_in:
        x = made.arguments[place]
        first, second = made.random(x.shape, 6), made.random(x.shape, 7)
        both, one, two = (
            made.at(made.node, {x: array}) for array in (3 * first - 2 * second, first, second)
        )
        assert relative_error(both, 3 * one - 2 * two) <= 1e-9


# ----- functions that stay names ------------------------------------------------------
def test_abstract_function_keeps_track_of_its_arguments() -> None:
    """∂²l/∂o∂y of l(o, y) has the axes of o, then of y, in either order of differentiation."""
    arena = Arena()
    o, y = arena.variable("o", ("m", "n")), arena.variable("y", ("k",))
    loss = arena.apply(AbstractFunction("l"), o, y)
    (by_o,), (by_y,) = reverse(loss, [o]), reverse(loss, [y])
    (first,), (second,) = reverse(by_o, [y]), reverse(by_y, [o])
    assert first.shape == ("m", "n", "k")
    assert arena.einsum("kmn->mnk", second) is first
    (third,) = reverse(first, [o])
    assert third.shape == ("m", "n", "k", "m", "n")
    assert pull_back(loss, [o], arena.variable("g", ()))[0].shape == ("m", "n")


def _slope_of_sines(array: Array, order: int) -> Array:
    """The derivative of Σ sin(array) of this order, of `order` times the axes of the array."""
    slopes = np.sin(array + order * np.pi / 2)
    if not order:
        return np.asarray(slopes.sum())
    made = np.zeros(array.shape * order)
    for index in np.ndindex(array.shape):
        made[index * order] = slopes[index]
    return made


def test_derivatives_of_an_abstract_function_are_its_slopes() -> None:
    """Of l(W Z, y) = Σ sin(W Z) · Σ sin(y), by Z and by y, by one after the other, both ways."""
    arena = Arena()
    W, Z = arena.variable("W", ("m", "b")), arena.variable("Z", ("b", "n"))
    y = arena.variable("y", ("k",))
    sizes = {"m": 3, "n": 2, "b": 2, "k": 4}
    draw = np.random.default_rng(4)
    arrays: dict[Node, Array] = {x: draw.normal(size=lengths(x.shape, sizes)) for x in (W, Z, y)}
    functions = {
        AbstractFunction("l", slots).key: lambda o, y, slots=slots: np.multiply.outer(
            _slope_of_sines(o, slots.count(0)), _slope_of_sines(y, slots.count(1))
        )
        for count in range(4)
        for slots in combinations_with_replacement((0, 1), count)
    }

    def at(node: Node, more: dict[Node, Array]) -> Array:
        return evaluate([node], {**arrays, **more}, sizes, functions)[0]

    values = [arena.apply(AbstractFunction("l"), arena.einsum("ij,jk->ik", W, Z), y)]
    for order in (1, 2):
        derivatives = []
        for node in values:
            for x in (Z, y):
                for made in (reverse(node, [x])[0], forward(node, [x])[0]):
                    along = draw.normal(size=arrays[x].shape)
                    want = directional(lambda p, x=x, node=node: at(node, {x: p}), arrays[x], along)
                    got = np.tensordot(at(made, {}), along, axes=along.ndim)
                    assert relative_error(got, want) <= 1e-8, (order, x)
                derivatives.append(made)
        values = derivatives


@pytest.mark.parametrize("power", [-300, -100, -40, -20, -8, 8, 20, 100, 300])
def test_a_root_of_a_matrix_of_any_scale_is_one(power: int) -> None:
    """√(c² A²) = c A, of matrices of different scales at once, and of diagonal ones."""
    random = np.random.default_rng(8)
    root = random.normal(size=(3, 4, 4)) / 8 + np.eye(4)
    root[2] = np.diag([1.0, 1e-2, 2.0, 1e2])
    c = np.array([1.0, 10.0 ** (power / 2), 10.0 ** (power / 2)])[:, None, None]
    found = PRIMITIVES["sqrtm"].reference(c**2 * (root @ root))
    np.testing.assert_allclose(found / c, root, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("entries", ["-1 0; 0 -1", "-2 0; 0 3", "0 0; 0 0", "0 1; 0 0"])
def test_a_matrix_whose_root_is_not_found_has_none(entries: str) -> None:
    """No real one, or one that is singular."""
    matrix = np.array([row.split() for row in entries.split(";")], float)
    found = PRIMITIVES["sqrtm"].reference(matrix)
    assert found.shape == (2, 2)
    assert np.isnan(found).all()


@pytest.mark.parametrize("number", [-3.0, -0.99, -1e-3, 0.0, 0.24, 0.5, 0.99, 1.0, 1.9, 4.0])
def test_the_exponential_of_a_number_is_exact_to_rounding(number: float) -> None:
    want = np.exp(number)
    for order in (1, 2):
        found = PRIMITIVES["expm"].reference(number * np.eye(order))
        assert relative_error(found, want * np.eye(order)) <= 5e-15


@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivatives_of_the_exponential_are_alike(order: int) -> None:
    """Each order, made when it is asked for, obeys the laws of the table."""
    entry = frechet.__wrapped__(order)
    assert entry.arity == order + 1
    assert entry.linear_in == tuple(range(1, order + 1))
    text = entry.latex.format(**{k: f"<{k}>" for k in ARGUMENTS})
    assert [k for k in ARGUMENTS if f"<{k}>" in text] == [*ARGUMENTS[: order + 1]]
    assert ("^" in text) == (order > 1)
    made = instance(entry, "mixed", "wide")
    names = dict(zip(ARGUMENTS, (made.arrays[x] for x in made.arguments), strict=False))
    want = made.at(made.node)
    assert relative_error(run_program(entry.numpy, names), want) <= TOLERANCE
    for index in range(order + 1):
        assert adjoint_error(made, index) <= TOLERANCE
    first, *directions = made.arguments
    lower = (
        made.arena.apply(frechet.__wrapped__(order - 1), first, *directions[:-1])
        if order > 1
        else made.arena.apply("expm", first)
    )
    along = made.arrays[directions[-1]]
    for k in range(made.sizes["b"]):  # D^k is the slope of D^(k-1) along the last direction
        slope = directional(lambda p: made.at(lower, {first: p}), made.arrays[first], along[k])
        assert relative_error(want[k], slope) <= 1e-7


@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_derivative_of_the_exponential_is_declared_alike_each_time(order: int) -> None:
    made, name = frechet.__wrapped__(order), f"frechet{order if order > 1 else ''}"
    assert made.name == name
    kept = PRIMITIVES.get(name) or frechet(order)
    for field in fields(made):
        if field.name not in ("adjoint", "reference"):
            assert getattr(made, field.name) == getattr(kept, field.name)
    # It is expm of 2^order blocks; the first has an algorithm of thrice the cost of expm.
    (number, power), (whole, cube) = (entry.flops.split() for entry in (made, PRIMITIVES["expm"]))
    assert power == cube == "n^3"
    assert Fraction(number) == Fraction(whole) * (3 if order == 1 else 8**order)


def test_derivatives_of_the_exponential_end_with_a_message() -> None:
    with pytest.raises(UnsupportedError, match="expm"):
        frechet(len(ARGUMENTS))
