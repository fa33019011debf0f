"""Laws of simplification on random programs, and of attributes."""

from __future__ import annotations

import numpy as np
import pytest

import matderiv as md
from matderiv.calculus.derivative import forward, reverse
from matderiv.calculus.derive import derive
from matderiv.calculus.simplify import (
    _LARGEST,
    _READABLE,
    distribute,
    flatten,
    settle_names,
    simplify,
    substitute,
)
from matderiv.calculus.weight import Weights
from matderiv.tensor.arena import Arena
from matderiv.tensor.evaluate import evaluate
from matderiv.tensor.nodes import Factor, Name, Node, Product, Sum, Term
from matderiv.tensor.primitives import AbstractFunction
from matderiv.tensor.traverse import reachable, rebuild
from tests.numerics import Array
from tests.random_programs import random_program

SEEDS = range(40)


def assert_close(got: Array, want: Array, tolerance: float = 1e-9) -> None:
    scale = max(1.0, float(np.max(np.abs(want), initial=0.0)))
    assert np.allclose(got, want, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("names", [False, True], ids=["plain", "named"])
@pytest.mark.parametrize("seed", SEEDS)
def test_value_is_kept(seed: int, names: bool) -> None:
    program = random_program(seed, names=names)
    roots = [program.root, *reverse(program.root, program.variables, names=names)]
    for short in (True, False):
        for before, after in zip(roots, simplify(roots, short=short), strict=True):
            assert after.shape == before.shape
            assert_close(program.at(after), program.at(before))


@pytest.mark.parametrize("step", [flatten, distribute], ids=lambda step: str(step.__name__))
@pytest.mark.parametrize("seed", SEEDS)
def test_each_step_keeps_the_value(seed: int, step: object) -> None:
    program = random_program(seed)
    roots = [program.root, *forward(program.root, program.variables)]
    for before, after in zip(roots, step(roots), strict=True):  # type: ignore[operator]
        assert_close(program.at(after), program.at(before))


@pytest.mark.parametrize("seed", [*SEEDS, 83, 935, 11189, 11202, 50376])
def test_simplify_is_idempotent(seed: int) -> None:
    program = random_program(seed, names=seed % 2 == 1)
    once = simplify(reverse(program.root, program.variables, names=True))
    twice = simplify(once)
    assert [node.id for node in twice] == [node.id for node in once]


@pytest.mark.parametrize("seed", [*SEEDS, 83, 935, 11189, 11202, 50376])
def test_no_step_is_left_to_do(seed: int) -> None:
    """What shortening made, flattening and distributing leave as it is."""
    program = random_program(seed, names=seed % 2 == 1)
    short = simplify(reverse(program.root, program.variables))
    for step in (flatten, distribute):
        assert all(a is b for a, b in zip(step(short), short, strict=True))


@pytest.mark.parametrize("seed", SEEDS)
def test_both_modes_end_in_equal_values(seed: int) -> None:
    program = random_program(seed)
    backward = simplify(reverse(program.root, program.variables))
    ahead = simplify(forward(program.root, program.variables))
    for a, b in zip(backward, ahead, strict=True):
        assert_close(program.at(b), program.at(a))


@pytest.mark.parametrize("seed", SEEDS)
def test_order_of_arguments_does_not_matter(seed: int) -> None:
    """Factors and terms handed over in another order: the same nodes, so the same result."""
    program = random_program(seed)
    (gradient,) = reverse(program.root, program.variables[:1])
    random = np.random.default_rng(seed)

    def shuffle(node: Node) -> Node | None:
        arena = node.arena
        if isinstance(node, Product):
            factors = [node.factors[k] for k in random.permutation(len(node.factors))]
            return arena.product(node.coefficient, factors, node.out, dict(enumerate(node.sizes)))
        if isinstance(node, Sum):
            terms = [node.terms[k] for k in random.permutation(len(node.terms))]
            return arena.sum(terms, node.shape)
        return None

    assert rebuild([gradient], shuffle)[0] is gradient
    assert simplify(rebuild([gradient], shuffle))[0] is simplify([gradient])[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_shortening_never_lengthens(seed: int) -> None:
    program = random_program(seed)
    gradients = reverse(program.root, program.variables)
    weight = Weights()
    plain, short = simplify(gradients, short=False), simplify(gradients)
    for a, b in zip(plain, short, strict=True):
        assert weight(b) <= weight(a)


def test_flattening_leaves_shared_nodes_alone() -> None:
    """h ← (W h) ⊙ h has three factors a layer, not 2^layers."""
    arena = Arena()
    w, h = arena.variable("W", ("n", "n")), arena.variable("h", ("n",))
    state: Node = h
    for _ in range(8):
        state = arena.einsum("ij,j,i->i", w, state, state)
    (root,) = simplify([state])
    assert max(len(n.factors) for n in reachable([root]) if isinstance(n, Product)) <= 4


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("beside", [0, 2, _LARGEST])
def test_distribution_leaves_no_tall_sum_in_a_product(beside: int, twice: bool) -> None:
    """Whatever number of terms a sum of order 2 beside it has, which stays whole."""
    arena = Arena()
    t = arena.variable("T", ("n", "m", "k"))
    x, u = arena.variable("x", ("n",)), arena.variable("u", ("m", "k"))
    tall = arena.sum([Term(1, t), Term(1, arena.einsum("i,jk->ijk", x, u))], t.shape)
    factors = [Factor(tall, (0, 1, 2), 1), Factor(x, (0,), 1)]
    if twice:
        factors.append(Factor(tall, (3, 1, 2), 1))
    if beside:
        matrices = [arena.variable(f"A{k}", ("m", "k")) for k in range(beside)]
        total = arena.sum([Term(1, matrix) for matrix in matrices], ("m", "k"))
        factors.append(Factor(total, (1, 2), 1))
    (spread,) = distribute([arena.product(1, factors, (1, 2))])
    for made in reachable([spread]):
        if isinstance(made, Product):
            assert not any(isinstance(f.node, Sum) and f.node.order > 2 for f in made.factors)


@pytest.mark.parametrize("kind", ["sum", "product"])
@pytest.mark.parametrize("count", [2, 29, 30, 31, 32, 33, 64, 100])
def test_flattening_merges_what_is_used_once_up_to_a_bound(kind: str, count: int) -> None:
    """x_1 + (x_2 + (x_3 + …)), one by one: a node that is full is a child of the next."""
    arena = Arena()
    variables = [arena.variable(f"x{k}", ("n",)) for k in range(count)]
    chain: Node = variables[0]
    for variable in variables[1:]:
        if kind == "sum":
            chain = arena.sum([Term(1, variable), Term(1, chain)], ("n",))
        else:
            chain = arena.product(1, [Factor(variable, (0,), 1), Factor(chain, (0,), 1)], (0,))
    (flat,) = flatten([chain])
    most = 1 + _LARGEST
    made = [node for node in reachable([flat]) if node.children]
    lengths = sorted(len(node.children) for node in made)
    full, left = divmod(count - 1, most - 1)
    assert lengths == sorted([most] * full + [left + 1] * (left > 0))


@pytest.mark.parametrize("count", [1, 2, _LARGEST - 1, _LARGEST, _LARGEST + 1, 2 * _LARGEST])
def test_tall_sums_are_distributed_up_to_a_bound(count: int) -> None:
    arena = Arena()
    shape = ("n", "m", "k")
    x, u = arena.variable("x", ("n",)), arena.variable("u", ("m", "k"))
    # a sum of tensors alone stays whole: this has an outer product in it
    outer = Term(1, arena.einsum("i,jk->ijk", x, u))
    tensors = [Term(1, arena.variable(f"T{k}", shape)) for k in range(count)]
    tall = arena.sum([outer, *tensors], shape)
    node = arena.product(1, [Factor(tall, (0, 1, 2), 1), Factor(x, (0,), 1)], (1, 2))
    (spread,) = distribute([node])
    assert isinstance(spread, Sum) == (count + 1 <= _LARGEST)
    assert (spread is node) == (count + 1 > _LARGEST)


@pytest.mark.parametrize("exponent", [-1, 1, 2, 3])
def test_powers_of_tall_sums_keep_their_value(exponent: int) -> None:
    arena = Arena()
    t = arena.variable("T", ("n", "m", "k"))
    x, u = arena.variable("x", ("n",)), arena.variable("u", ("m", "k"))
    tall = arena.sum([Term(2, t), Term(1, arena.einsum("i,jk->ijk", x, u))], t.shape)
    factors = [Factor(tall, (0, 1, 2), exponent), Factor(x, (0,), 1)]
    (spread,) = distribute([arena.product(1, factors, (1, 2))])
    random = np.random.default_rng(0)
    sizes = {"n": 2, "m": 3, "k": 4}
    T, X, U = (random.normal(size=size) for size in ((2, 3, 4), (2,), (3, 4)))
    (got,) = evaluate([spread], {t: T, x: X, u: U}, sizes)
    power = (2 * T + np.einsum("i,jk->ijk", X, U)) ** float(exponent)
    assert_close(got, np.einsum("ijk,i->jk", power, X))


# ----- names --------------------------------------------------------------------------
def _names(roots: list[Node]) -> set[str]:
    return {node.name for node in reachable(roots) if isinstance(node, Name)}


@pytest.mark.parametrize("terms", [1, 10, 40])
def test_a_named_value_is_one_name_however_long_it_is(terms: int) -> None:
    """A formula on it stays readable, so it needs no line for its cotangent."""
    value = " + ".join(f"sin(a{k})" for k in range(terms))
    program = f"a0: (n)\nx: (n)\nr = {value}\ns = tanh(r .* x)\n||C s||^2"
    text = md.diff(program, "x").to("ascii")
    assert text == f"2 r .* C' C s .* (1 - s.^2) where r = {value}; s = tanh(r .* x)"


@pytest.mark.parametrize("keep_all", [False, True])
@pytest.mark.parametrize("uses", [1, 2])
@pytest.mark.parametrize("mentions", [*range(1, 6), *range(16, 26)])
def test_a_cotangent_used_once_is_named_in_long_formulas(
    mentions: int, uses: int, keep_all: bool
) -> None:
    """A formula of more than `_READABLE` names, where those used once count as what they name."""
    arena = Arena()
    shape = ("n",)
    values = [arena.variable(f"x{k}", shape) for k in range(mentions)]
    definition = arena.map("exp", arena.sum([Term(1, x) for x in values], shape))
    delta = arena.name("delta", definition, "cotangent")
    roots = [arena.map(name, delta) for name in ("sin", "cos")[:uses]]
    due = keep_all or uses > 1 or mentions > _READABLE
    kept = settle_names(roots, keep_all)
    assert _names(kept) == ({"delta"} if due else set())
    user = [arena.map(name, arena.name("h", definition, "user")) for name in ("sin", "cos")[:uses]]
    assert _names(settle_names(user, keep_all)) == {"h"}


@pytest.mark.parametrize("keep_all", [False, True])
def test_a_multiple_of_a_name_needs_no_name(keep_all: bool) -> None:
    """2 c and ∂f/∂c are as short as a name; 2 sin(c), c .* c, 1 ./ c and C' are not."""
    arena = Arena()
    c, C = arena.variable("c", ("n",)), arena.variable("C", ("n", "n"))
    h = arena.name("h", arena.map("exp", c))
    for definition, due in (
        (2 * c, False),
        (2 * h, False),
        (-c, False),
        (2 * arena.map("sin", c), True),
        (c * c, True),
        (c * h, True),
        (c * arena.map("sin", c), True),
        (arena.apply("softmax", c), True),
        (arena.apply(AbstractFunction("f", (0,)), c), False),
        (1 / c, True),
        (2 * arena.einsum("ij->ji", C), True),
        (2 * C, False),
        (2 * c + c * c, True),
    ):
        delta = arena.name("delta", definition, "cotangent")
        roots = [arena.map(name, delta) for name in ("sin", "cos")]
        assert ("delta" in _names(settle_names(roots, keep_all))) == due


def test_every_use_of_a_named_value_goes_through_its_name() -> None:
    """Values that stand beside their name, below it and in another root."""
    arena = Arena()
    x = arena.variable("x", ("n",))
    value = arena.map("exp", x)
    named = arena.name("h", value)
    beside = arena.map("sin", value) * named
    roots = settle_names([beside, arena.map("cos", value), value])
    for node in reachable(roots):
        if not isinstance(node, Name):
            assert value not in node.children
    assert roots[2] is named
    assert settle_names(roots) == roots


# ----- attributes ---------------------------------------------------------------------
def test_distribution_copies_no_sums_of_sums_that_are_shared() -> None:
    """s ← A s + B s, for each layer: expanded whole, layer k has 2^k terms."""
    arena = Arena()
    a, b = (arena.variable(name, ("n", "n")) for name in "AB")
    node = arena.variable("S", ("n", "n", "n")) + arena.variable("T", ("n", "n", "n"))
    lengths = []
    for _ in range(8):
        node = arena.einsum("ij,jkl->ikl", a, node) + arena.einsum("ij,jkl->ikl", b, node)
        lengths.append(len(reachable(distribute([node]))))
    assert lengths[7] - lengths[6] <= lengths[6] - lengths[5]


def _quadratic(arena: Arena, s: Node) -> Node:
    x, y = arena.variable("x", ("n",)), arena.variable("y", ("n",))
    return arena.einsum("i,ij,j->", x, s, y)


def _inverse_quadratic(arena: Arena, s: Node) -> Node:
    x = arena.variable("x", ("n",))
    return arena.einsum("i,ij,j->", x, arena.apply("inv", s), x)


def _logdet(arena: Arena, s: Node) -> Node:
    return arena.apply("logdet", s)


def _cubic(arena: Arena, s: Node) -> Node:
    a = arena.variable("A", ("n", "n"))
    return arena.einsum("ij,jk,kl,li->", s, a, s, s)


@pytest.mark.parametrize("attribute", ["symmetric", "posdef", "diagonal", "orthogonal", "lower"])
@pytest.mark.parametrize("build", [_quadratic, _inverse_quadratic, _logdet, _cubic])
@pytest.mark.parametrize("order", [1, 2])
def test_attributes_say_where_not_whereto(build: object, attribute: str, order: int) -> None:
    """The derivative by a structured variable is that by free entries, at a structured point."""
    arena = Arena()
    plain = arena.variable("S", ("n", "n"))
    root: Node = build(arena, plain)  # type: ignore[operator]
    (free,) = derive(root, [plain], then=[plain] * (order - 1))
    structured = arena.variable("S", ("n", "n"), [attribute])
    (short,) = simplify(substitute([free], {plain.id: structured}))
    random = np.random.default_rng(5)
    point = random.normal(size=(3, 3))
    point = {
        "symmetric": point + point.T,
        "posdef": point @ point.T + np.eye(3),
        "diagonal": np.diag(1 + np.abs(point[0])),
        "orthogonal": np.linalg.qr(point)[0],
        "lower": np.tril(point) + 3 * np.eye(3),
    }[attribute]
    arrays: dict[Node, Array] = {plain: point, structured: point}
    for node in reachable([root]):
        if node is not plain and not node.children and node.order:
            arrays[node] = random.normal(size=(3,) * node.order)
    want = evaluate([reverse(root, [plain])[0]], arrays, {"n": 3})[0]
    if order == 2:
        (second,) = reverse(reverse(root, [plain])[0], [plain])
        want = evaluate([second], arrays, {"n": 3})[0]
    assert_close(evaluate([short], arrays, {"n": 3})[0], want)


def test_the_gradient_of_a_quadratic_form_is_the_outer_product() -> None:
    """d(y'S x)/dS = y x' entry by entry, though S is symmetric: not x y', not their mean."""
    arena = Arena()
    plain = arena.variable("S", ("n", "n"))
    x, y = arena.variable("x", ("n",)), arena.variable("y", ("n",))
    (gradient,) = derive(arena.einsum("i,ij,j->", y, plain, x), [plain])
    assert gradient is arena.einsum("i,j->ij", y, x)


def test_names_are_opened_where_a_scalar_is_a_number() -> None:
    """Σ c = 0 for a centred c, and the name is kept."""
    arena = Arena()
    x = arena.variable("x", ("n",))
    mean = arena.einsum("i->", x) / arena.size("n")
    c = arena.name("c", x - arena.broadcast(mean, x.shape, ()))
    total = arena.einsum("i->", c)
    assert simplify([total]) == [arena.zero(())]
    square = arena.einsum("i,i->", c, c)
    assert simplify([square]) == [square]
    gradient = derive(square, [x])[0]
    assert gradient is 2 * c


def test_a_power_of_a_product_meets_its_factors() -> None:
    """V ⊙ (W H) / (W H)² is V / (W H), though W H is a product of its own."""
    arena = Arena()
    v, w, h = (arena.variable(name, ("n", "n")) for name in "VWH")
    product = arena.einsum("ij,jk->ik", w, h)
    value = arena.einsum("ij->", v * arena.map("log", v / product))
    (gradient,) = derive(value, [h])
    assert [gradient] == simplify([-arena.einsum("ji,jk->ik", w, v / product)])


@pytest.mark.parametrize("pattern", ["ij,jk->ik", "ij,kj->ik", "ji,jk->ik", "kj,ij->ki"])
def test_a_matrix_is_pulled_out_whichever_way_it_lies(pattern: str) -> None:
    """(h ⊙ (1 - h²)) W is (h - h³) W, and with W' or on the left it is as short."""
    arena = Arena()
    h, w = (arena.variable(name, ("n", "n")) for name in "hw")
    powers = h * (1 - h * h)
    (found,) = simplify([arena.einsum(pattern, powers, w)])
    (inner,) = [child for child in found.children if isinstance(child, Sum)]
    assert inner in simplify([powers])


@pytest.mark.parametrize(
    "program, wrt, printed",
    [
        (
            'T = einsum("ir,jr,kr->ijk", A, B, C); sum((T - X).^2)',
            *(
                "A",
                '2 einsum("kj,lj,ikl->ij", B, C, T - X) where T = einsum("il,jl,kl->ijk", A, B, C)',
            ),
        ),
        (
            'sum((einsum("ir,jr,kr->ijk", A, B, C) - X).^2)',
            *("B", '2 einsum("kj,lj,kil->ij", A, C, einsum("il,jl,kl->ijk", A, B, C) - X)'),
        ),
        ('x\' einsum("ijk,k->ij", X - Y, z) y', "x", 'einsum("j,ikj,k->i", z, X - Y, y)'),
    ],
)
def test_a_sum_with_a_tensor_in_it_stays_whole(program: str, wrt: str, printed: str) -> None:
    """T - X of three axes is one operand; a sum of products of matrices is written as matrices."""
    declared = "A: (i, r), B: (j, r), C: (k, r), X, Y: (i, j, k), x: (i), y: (j), z: (k)"
    derivative = md.diff(f"{program} where {declared}", wrt)
    assert derivative.to("ascii") == printed
    assert derivative.check()
