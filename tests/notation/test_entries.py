"""Index notation: its value at every index is the entry of the array."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from matderiv.notation import present, present_entries
from matderiv.notation.render import render
from matderiv.notation.terms import (
    Call,
    Delta,
    Entry,
    Juxtaposed,
    Number,
    Power,
    Quotient,
    Sigma,
    Sum,
    Term,
    walk,
)
from matderiv.tensor.arena import Arena
from matderiv.tensor.dims import dim_value
from matderiv.tensor.elementwise import ELEMENTWISE
from matderiv.tensor.evaluate import Array, evaluate
from matderiv.tensor.nodes import Node
from tests.notation.reading import SIZES, draw, read_back, variables


class Reader:
    """Evaluates a term of index notation at one place."""

    def __init__(self, values: dict[Node, Array], lengths: dict[str, int]) -> None:
        self.values = values
        self.lengths = lengths
        self.arrays: dict[Term, Array] = {}

    def matrix(self, term: Term) -> Array:
        if term not in self.arrays:
            self.arrays[term] = read_back(render(term, "ascii"), self.values)
        return self.arrays[term]

    def at(self, term: Term, place: dict[str, int]) -> float:
        match term:
            case Entry(body, indices):
                return float(self.matrix(body)[tuple(place[i] for i in indices)])
            case Delta((i, j)):
                return float(place[i] == place[j])
            case Juxtaposed(factors) if all(factor.order == 0 for factor in factors):
                return float(np.prod([self.at(factor, place) for factor in factors]))
            case Call(function, (argument,)) if not argument.order:
                return float(ELEMENTWISE[function].reference(self.at(argument, place)))
            case Quotient(top, bottom):
                return self.at(top, place) / self.at(bottom, place)
            case Power(body, Number(exponent), _):
                return float(self.at(body, place) ** float(exponent))
            case Sum(members):
                return sum(sign * self.at(part, place) for sign, part in members)
            case Sigma(indices, body):
                total = 0.0
                for at in product(*(range(self.lengths[i]) for i in indices)):
                    total += self.at(body, place | dict(zip(indices, at, strict=True)))
                return total
            case _:
                return float(self.matrix(term))


def lengths(term: Term, values: dict[Node, Array], known: dict[str, int]) -> dict[str, int]:
    """The length of each index, read off the arrays it stands on."""
    reader = Reader(values, {})
    for part in walk(term):
        if isinstance(part, Entry):
            known |= dict(zip(part.indices, reader.matrix(part.body).shape, strict=True))
    return known


def cases() -> dict[str, Node]:
    arena = Arena()
    A = arena.variable("A", ("m", "n"))
    B = arena.variable("B", ("n", "n"))
    C = arena.variable("C", ("n", "p"))
    x, y = arena.variable("x", ("n",)), arena.variable("y", ("m",))
    t = arena.variable("t", ())
    cube = arena.einsum("ij,ik,il->jkl", A, A, A)
    inverse = arena.apply("inv", B + 2 * arena.identity("n"))
    return {
        "inverse": -arena.einsum("ik,lj->ijkl", inverse, inverse),
        "square": arena.einsum("ik,lj->ijkl", arena.identity("n"), B)
        + arena.einsum("lj,ik->ijkl", arena.identity("n"), B),
        "diagonal": arena.einsum("i,ij->iij", y, A),
        "diagonal of a product": arena.einsum("ij,jk,k->iik", A, B, x),
        "three on a label": cube,
        "sum of cubes": cube - 2 * arena.einsum("jk,kl->jkl", B, B),
        "factor of order 3": arena.einsum("jkl,k->jl", cube - cube**2, x),
        "scalars": arena.einsum(",i,jk->ijk", t**-2, y, A) / 3,
        "function": arena.map("tanh", cube),
        "quotient": arena.product(2, [(cube, (0, 1, 2), 1), (A, (3, 1), -1)], (0, 1, 2, 3)),
        "ones": arena.broadcast(x, ("m", "n", "p"), (1,)),
        "one entry": arena.einsum("ij,jk->ik", A, C),
    }


@pytest.mark.parametrize("name", cases())
@pytest.mark.parametrize("explicit", [False, True])
def test_entries_are_those_of_the_array(name: str, explicit: bool) -> None:
    node = cases()[name]
    values = draw(variables(node))
    expected = evaluate([node], values, SIZES)[0]
    presentation = present_entries(node, explicit=explicit)
    if presentation.where:
        pytest.skip("a name stands for a part")
    indices, entry = presentation.line.indices, presentation.line.entry
    assert entry is not None
    shape = [dim_value(dim, SIZES) for dim in node.shape]
    reader = Reader(values, lengths(entry, values, dict(zip(indices, shape, strict=True))))
    for place in product(*map(range, shape)):
        found = reader.at(entry, dict(zip(indices, place, strict=True)))
        assert found == pytest.approx(expected[place], rel=1e-9), presentation.text()


def fused() -> dict[str, Node]:
    """The derivatives of A ⊗ X by X, of vec(A X C) by X, and one that is turned and scaled."""
    arena = Arena()
    A, C = arena.variable("A", ("m", "n")), arena.variable("C", ("p", "q"))
    X = arena.variable("X", ("n", "p"))
    rows, columns = arena.total_size(("m", "n")), arena.total_size(("n", "p"))
    delta = arena.delta(X.shape)
    kron = arena.reshape(arena.einsum("ik,jlab->abijkl", A, delta), 4, (rows, columns))
    flat = arena.reshape(arena.einsum("ia,bk->abik", A, C), 2, (arena.total_size(("m", "q")),))
    return {"kron": kron, "vec": flat, "turned": -2 * arena.einsum("abi->iba", flat)}


@pytest.mark.parametrize("name", fused())
def test_entries_along_a_fused_axis_stand_where_they_say(name: str) -> None:
    """[n i + j, k]: the place is computed from the letters of the entry."""
    node = fused()[name]
    values = draw(variables(node))
    expected = evaluate([node], values, SIZES)[0]
    line = present(node).line
    assert line.entry is not None
    known = lengths(line.entry, values, {})
    for at, dim in zip(line.indices, node.shape, strict=True):
        if " " not in at:
            known[at] = dim_value(dim, SIZES)
    for part in walk(line.entry):
        if isinstance(part, Delta):
            first, second = part.indices
            known[first] = known[second] = known.get(first) or known[second]
    reader = Reader(values, known)
    seen = np.zeros(expected.shape, bool)
    for numbers in product(*(range(length) for length in known.values())):
        place = dict(zip(known, numbers, strict=True))
        spelled = [at.replace(" + ", "+").replace(" ", "*") for at in line.indices]
        where = tuple(eval(at, {}, {**SIZES, **place}) for at in spelled)
        assert reader.at(line.entry, place) == pytest.approx(expected[where], rel=1e-9)
        seen[where] = True
    assert seen.all()


@pytest.mark.parametrize("name", cases())
def test_ascii_of_any_order_reads_back(name: str) -> None:
    node = cases()[name]
    values = draw(variables(node))
    found = read_back(present(node).text("ascii"), values)
    assert found == pytest.approx(evaluate([node], values, SIZES)[0], rel=1e-9)


def test_prints() -> None:
    printed = {name: present(node).text() for name, node in cases().items()}
    assert printed["square"] == "[i,j,k,l] = δ[i,k] B[l,j] + δ[j,l] B[i,k]"
    assert printed["diagonal of a product"] == "[i,j,k] = δ[i,j] (A B)[i,k] x[k]"
    assert printed["three on a label"] == "[i,j,k] = Σ_l A[l,i] A[l,j] A[l,k]"
    assert printed["ones"] == "[i,j,k] = x[j]"
    explicit = present_entries(cases()["one entry"]).text()
    assert explicit == "[i,j] = Σ_k A[i,k] C[k,j]"
    latex = present(cases()["square"]).text("latex")
    assert latex == r"[\,\cdot\,]_{ijkl} = \delta_{ik} B_{lj} + \delta_{jl} B_{ik}"
