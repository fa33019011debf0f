"""What was multiplied out is found again, and nothing is left that expands to less."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction

import pytest

from matderiv.calculus.accuracy import Degrees
from matderiv.calculus.derivative import reverse
from matderiv.calculus.expand import _MOST_TERMS, _OPAQUE, expand, may_merge
from matderiv.calculus.simplify import simplify
from matderiv.calculus.weight import Weights
from matderiv.tensor.arena import Arena
from matderiv.tensor.nodes import Factor, Node, Product, Sum, Term
from matderiv.tensor.traverse import reachable
from tests.random_programs import random_program


class Parts:
    """v, M and r are sums of vectors, matrices and scalars; x, y, A, B and t stand beside them."""

    def __init__(self, seed: int) -> None:
        draw = random.Random(seed)
        self.arena = arena = Arena()
        shapes = {"v": ("n",), "M": ("n", "n"), "r": ()}
        sums = {}
        for name, shape in shapes.items():
            terms = [arena.variable(f"{name}_{k}", shape) for k in range(draw.randint(2, 3))]
            terms += [arena.constant(1, shape)] * (name == "r")
            sums[name] = arena.sum([(draw.choice([1, 1, -1, 2]), term) for term in terms], shape)
        self.v, self.M, self.r = sums["v"], sums["M"], sums["r"]
        self.x, self.y = arena.variable("x", ("n",)), arena.variable("y", ("n",))
        self.A, self.B = arena.variable("A", ("n", "n")), arena.variable("B", ("n", "n"))
        self.t = arena.variable("t", ())

    def e(self, spec: str, *nodes: Node) -> Node:
        return self.arena.einsum(spec, *nodes)


# What a constructor does not put back at once.
FACTORED: dict[str, Callable[[Parts], Node]] = {
    "A v": lambda k: k.e("ij,j->i", k.A, k.v),
    "A' v": lambda k: k.e("ji,j->i", k.A, k.v),
    "M x": lambda k: k.e("ij,j->i", k.M, k.x),
    "M' x": lambda k: k.e("ji,j->i", k.M, k.x),
    "A M": lambda k: k.e("ij,jk->ik", k.A, k.M),
    "M A": lambda k: k.e("ij,jk->ik", k.M, k.A),
    "M A'": lambda k: k.e("ij,kj->ik", k.M, k.A),
    "A' M": lambda k: k.e("ji,jk->ik", k.A, k.M),
    "A M B": lambda k: k.e("ij,jk,kl->il", k.A, k.M, k.B),
    "x .* v": lambda k: k.x * k.v,
    "x.^2 .* v": lambda k: k.x**2 * k.v,
    "v ./ x": lambda k: k.v / k.x,
    "v ./ x.^2": lambda k: k.v / k.x**2,
    "sqrt(x) .* v": lambda k: k.x ** Fraction(1, 2) * k.v,
    "A .* M": lambda k: k.A * k.M,
    "M ./ A": lambda k: k.M / k.A,
    "x v'": lambda k: k.e("i,j->ij", k.x, k.v),
    "v x'": lambda k: k.e("i,j->ij", k.v, k.x),
    "diag(x) M": lambda k: k.e("i,ij->ij", k.x, k.M),
    "M diag(x)": lambda k: k.e("ij,j->ij", k.M, k.x),
    "M diag(1 ./ x)": lambda k: k.e("ij,j->ij", k.M, k.x**-1),
    "diag(v)": lambda k: k.e("i->ii", k.v),
    "diag(x .* v)": lambda k: k.e("i->ii", k.x * k.v),
    "r x": lambda k: k.r * k.x,
    "r A": lambda k: k.r * k.A,
    "r/t x": lambda k: k.r / k.t * k.x,
    "x' v": lambda k: k.e("i,i->", k.x, k.v),
    "x' M y": lambda k: k.e("i,ij,j->", k.x, k.M, k.y),
    "A (x .* v)": lambda k: k.e("ij,j,j->i", k.A, k.x, k.v),
    "x .* (A v)": lambda k: k.e("i,ij,j->i", k.x, k.A, k.v),
    "x .* v/t": lambda k: k.x * k.v / k.t,
    "diag(x) M diag(y)": lambda k: k.e("ij,i,j->ij", k.M, k.x, k.y),
    "x' v y": lambda k: k.e("i,i,j->j", k.x, k.v, k.y),
    "exp(x) .* v": lambda k: k.arena.map("exp", k.x) * k.v,
    # of scalars the constructor finds what all terms share, not what some do
    "t r + cos(t)": lambda k: k.t * k.r + k.arena.map("cos", k.t),
    "cos(t) r + t (x' y + 3)": lambda k: (
        k.arena.map("cos", k.t) * k.r + k.t * (k.e("i,i->", k.x, k.y) + 3)
    ),
}


@pytest.mark.parametrize("name", FACTORED)
def test_what_was_multiplied_out_is_found_again(name: str) -> None:
    for seed in range(4):
        (short,) = simplify([FACTORED[name](Parts(seed))])
        weight = Weights()
        opened = expand(short, weight)
        assert opened is not short
        (found,) = simplify([opened])
        assert found is short, (weight.cost(short), weight.cost(found))


# The last of these had a diagonal of a sum, or of a product, that was left as it is.
@pytest.mark.parametrize("seed", [*range(60), 167, 319, 481])
def test_no_part_of_a_short_form_expands_to_less(seed: int) -> None:
    program = random_program(seed, names=seed % 2 == 1)
    weight, degrees = Weights(), Degrees()
    for node in reachable(simplify([program.root, *reverse(program.root, program.variables)])):
        if isinstance(node, Sum | Product):
            opened = expand(node, weight)
            shorter = weight.cost(opened) < weight.cost(node)
            assert not shorter or degrees(opened)[1] > degrees(node)[1]


def _variables(arena: Arena, count: int, name: str) -> list[Node]:
    return [arena.variable(f"{name}{k}", ("n",)) for k in range(count)]


def _sum(terms: list[Node]) -> Node:
    return terms[0].arena.sum([Term(1, term) for term in terms], ("n",))


def _product(*factors: Node) -> Node:
    return factors[0].arena.product(1, [Factor(f, (0,), 1) for f in factors], (0,))


@pytest.mark.parametrize("second", [1, 2, 6, 7])
@pytest.mark.parametrize("first", [2, 6, 7, 20, 21, 40])
def test_products_of_sums_are_expanded_up_to_a_number_of_terms(first: int, second: int) -> None:
    """(a + b + …) (c + d + …), and x (a + b + …): each by each."""
    arena = Arena()
    one, other = (_variables(arena, n, name) for n, name in ((first, "a"), (second, "b")))
    node = _product(_sum(one), _sum(other) if second > 1 else other[0])
    opened = expand(node, Weights())
    due = first * second <= _MOST_TERMS
    assert opened is (_sum([a * b for a in one for b in other]) if due else node)


@pytest.mark.parametrize("count", range(2, 7))
def test_the_square_of_a_sum_is_that_of_each_two_terms(count: int) -> None:
    arena = Arena()
    parts = _variables(arena, count, "a")
    opened = expand(_sum(parts) ** 2, Weights())
    assert opened is _sum([a * b for a in parts for b in parts])


@pytest.mark.parametrize("kind", ["sum", "product"])
@pytest.mark.parametrize("count", [2, 26, 27, 28, 30])
def test_what_is_heavy_is_opened_itself_and_not_inside(kind: str, count: int) -> None:
    """sin(a) + sin(b) + …, which weighs 3 k - 1, and the product, which does too."""
    arena, weight = Arena(), Weights()
    parts = [arena.map("sin", a) for a in _variables(arena, count, "a")]
    x, y = arena.variable("x", ("n",)), arena.variable("y", ("n",))
    inner = _sum(parts) if kind == "sum" else _product(*parts)
    assert weight(inner) == 3 * count - 1
    node = _product(inner, x + y)
    due = weight(inner) <= _OPAQUE
    spread = _sum([part * z for part in parts for z in (x, y)])
    whole = {"sum": spread, "product": _sum([_product(*parts, x), _product(*parts, y)])}[kind]
    apart = _sum([_product(inner, x), _product(inner, y)])
    wanted = whole if due else apart
    assert expand(node, weight) is (wanted if len(wanted.children) <= _MOST_TERMS else node)


class Pairs(Parts):
    """Values that may meet, and a product of values on given labels as it is."""

    def __init__(self) -> None:
        super().__init__(0)
        self.z, self.C = self.arena.variable("z", ("n",)), self.arena.variable("C", ("n", "n"))
        self.S = self.arena.variable("S", ("n", "n"), ["symmetric"])
        self.Q = self.arena.variable("Q", ("n", "n"), ["orthogonal"])

    def p(self, labels: str, *nodes: Node | tuple[Node, int]) -> Node:
        """As `einsum`, with exponents: "i,ij->ij" of x and (A, -1)."""
        operands, out = labels.split("->")
        pairs = [node if isinstance(node, tuple) else (node, 1) for node in nodes]
        factors = [
            Factor(node, tuple(map(ord, text)), exponent)
            for text, (node, exponent) in zip(operands.split(","), pairs, strict=True)
        ]
        return self.arena.product(1, factors, tuple(map(ord, out)))

    def inv(self, node: Node) -> Node:
        return self.arena.apply("inv", node)

    def exp(self, node: Node) -> Node:
        return self.arena.map("exp", node)


# What is multiplied out, and a factor that meets another there, or none.
MEET: dict[str, Callable[[Pairs], Node]] = {
    "x .* (x + y)": lambda k: k.p("i,i->i", k.x, k.x + k.y),
    "y .* (A x + y)": lambda k: k.p("i,i->i", k.y, k.p("ij,j->i", k.A, k.x) + k.y),
    "A .* (A + B)": lambda k: k.p("ij,ij->ij", k.A, k.A + k.B),
    "S .* (S + A)'": lambda k: k.p("ij,ji->ij", k.S, k.S + k.A),
    "Q' (Q + A)": lambda k: k.p("ji,jk->ik", k.Q, k.Q + k.A),
    "A^-1 (A + B)": lambda k: k.p("ij,jk->ik", k.inv(k.A), k.A + k.B),
    "A (A^-1 + B)": lambda k: k.p("ij,jk->ik", k.A, k.inv(k.A) + k.B),
    "(A + B)^-1 (A + C)": lambda k: k.p("ij,jk->ik", k.inv(k.A + k.B), k.A + k.C),
    "A ((A + B)^-1 + C)": lambda k: k.p("ij,jk->ik", k.A, k.inv(k.A + k.B) + k.C),
    "exp(x) .* (exp(-x) + y)": lambda k: k.p("i,i->i", k.exp(k.x), k.exp(-k.x) + k.y),
    "exp(x) .* (sin(x) + y)": lambda k: k.p("i,i->i", k.exp(k.x), k.arena.map("sin", k.x) + k.y),
    "(x + y) .* (y + z)": lambda k: k.p("i,i->i", k.x + k.y, k.y + k.z),
    "(x + y) .* (A x + z)": lambda k: k.p("i,i->i", k.x + k.y, k.p("ij,j->i", k.A, k.x) + k.z),
    "z .* (x + y).^2": lambda k: k.p("i,i->i", k.z, (k.x + k.y, 2)),
    "sum(x + y)": lambda k: k.p("i->", k.x + k.y),
    "C (t I + A)": lambda k: k.p("ij,jk->ik", k.C, k.arena.einsum(",ii->ii", k.t, k.C) + k.A),
    "z .* diag(A - B)": lambda k: k.p("i,ii->i", k.z, k.A - k.B),
    "x .* (x .* y)": lambda k: k.p("i,i->i", k.x, k.x * k.y),
    "(x .* y) ./ x": lambda k: k.p("i,i->i", k.x * k.y, (k.x, -1)),
    "z ./ (x ./ y)": lambda k: k.p("i,i->i", k.z, (k.x / k.y, -1)),
}
APART: dict[str, Callable[[Pairs], Node]] = {
    "z .* (x + y)": lambda k: k.p("i,i->i", k.z, k.x + k.y),
    "x (x + y)'": lambda k: k.p("i,j->ij", k.x, k.x + k.y),
    "A .* (A + B)'": lambda k: k.p("ij,ji->ij", k.A, k.A + k.B),
    "A (A + B)": lambda k: k.p("ij,jk->ik", k.A, k.A + k.B),
    "S (S + A)": lambda k: k.p("ij,jk->ik", k.S, k.S + k.A),
    "x .* (A x + y)": lambda k: k.p("i,i->i", k.x, k.p("ij,j->i", k.A, k.x) + k.y),
    "A^-1 (B + C)": lambda k: k.p("ij,jk->ik", k.inv(k.A), k.B + k.C),
    "(A + B)^-1 (C + S)": lambda k: k.p("ij,jk->ik", k.inv(k.A + k.B), k.C + k.S),
    "expm(A) .* (A + C)": lambda k: k.p("ij,ij->ij", k.arena.apply("expm", k.A), k.A + k.C),
    "exp(x) .* (x + y)": lambda k: k.p("i,i->i", k.exp(k.x), k.x + k.y),
    "exp(x) .* (sin(y) + z)": lambda k: k.p("i,i->i", k.exp(k.x), k.arena.map("sin", k.y) + k.z),
    "z .* (x .* y)": lambda k: k.p("i,i->i", k.z, k.x * k.y),
    "x + y": lambda k: k.x + k.y,
    "exp(x) ./ (y + z)": lambda k: k.p("i,i->i", k.exp(k.x), (k.y + k.z, -1)),
}


@pytest.mark.parametrize("name", MEET)
def test_what_may_meet_is_multiplied_out(name: str) -> None:
    assert may_merge(MEET[name](Pairs()), Weights())


@pytest.mark.parametrize("name", APART)
def test_what_stays_apart_is_not(name: str) -> None:
    assert not may_merge(APART[name](Pairs()), Weights())
