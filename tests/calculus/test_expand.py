"""What was multiplied out is found again, and nothing is left that expands to less."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction

import pytest

from matderiv.calculus.accuracy import Degrees
from matderiv.calculus.derivative import reverse
from matderiv.calculus.expand import expand
from matderiv.calculus.simplify import simplify
from matderiv.calculus.weight import Weights
from matderiv.tensor.arena import Arena
from matderiv.tensor.nodes import Node, Product, Sum
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
