"""Graphs rebuilt on other leaves are the same graphs: values, names and loops stay."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

import matderiv as md
from matderiv.calculus.derivative import reverse
from matderiv.errors import UnsupportedError
from matderiv.language import canonical_name
from matderiv.tensor.arena import Arena
from matderiv.tensor.elementwise import AbstractElementwise
from matderiv.tensor.evaluate import evaluate
from matderiv.tensor.nodes import (
    Apply,
    Loop,
    Map,
    Name,
    Node,
    Product,
    Size,
    Stack,
    Variable,
)
from matderiv.tensor.traverse import everything, reachable, remake, substitute, use_counts
from tests.fuzz.grow import grow
from tests.loops.programs import PROGRAMS
from tests.numerics import value
from tests.random_programs import random_program

SEEDS = [seed for seed in range(400) if grow(seed).statements and grow(seed).inputs][:25]

_WORD = re.compile(r"\w+")


def _marks(root: Node) -> set[object]:
    """What a node has of its own, apart from its children."""
    found: set[object] = set()
    for node in everything([root]):
        if isinstance(node, Name):
            found.add(("name", node.name, node.role))
        elif isinstance(node, Map):
            found.add(("map", node.function.key))
        elif isinstance(node, Apply):
            found.add(("apply", node.primitive.key, node.parameters))
        elif isinstance(node, Loop):
            found.add(("loop", node.count, node.direction, len(node.carries)))
    return found


@pytest.mark.parametrize("seed", range(40))
def test_every_use_is_counted(seed: int) -> None:
    """An edge of the graph is a use, and so is a root; a power but 1 needs its base twice."""
    program = random_program(seed, names=seed % 2 == 1)
    roots = [program.root, *program.root.children, program.root]
    uses = Counter(root.id for root in roots)
    for node in reachable(roots):
        uses.update(child.id for child in node.children)
        powers = node.factors if isinstance(node, Product) else ()
        uses.update(factor.node.id for factor in powers if factor.exponent != 1)
    assert use_counts(roots) == uses


@pytest.mark.parametrize("seed", range(40))
def test_a_node_depends_on_the_variables_below_it(seed: int) -> None:
    """A bit for each: derivatives go no further where none of theirs is set."""
    root = random_program(seed).root
    for node in [*reachable([root]), root.arena.size("n"), root.arena.ones("n")]:
        bits = [below.depends for below in reachable([node]) if isinstance(below, Variable)]
        assert node.depends == sum(bits)
        assert all(bit.bit_count() == 1 for bit in bits)


@pytest.mark.parametrize("seed", range(40))
def test_a_graph_made_anew_elsewhere_has_the_same_value(seed: int) -> None:
    """In another arena, node by node; in its own it is the graph itself."""
    program = random_program(seed, names=seed % 2 == 1)
    elsewhere = Arena()
    new: dict[int, Node] = {}
    for node in reachable([program.root]):
        assert remake(node, {}) is node
        if isinstance(node, Variable):
            new[node.id] = elsewhere.variable(node.name, node.shape, node.attributes)
        elif isinstance(node, Size):
            new[node.id] = elsewhere.size(node.dim)
        else:
            new[node.id] = remake(node, new, arena=elsewhere)
    root = new[program.root.id]
    assert {node.arena for node in reachable([root])} == {elsewhere}
    arrays = {new[leaf.id]: array for leaf, array in program.arrays.items() if leaf.id in new}
    got = evaluate([root], arrays, program.sizes)[0]
    np.testing.assert_allclose(got, program.at(program.root), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", PROGRAMS)
def test_everything_is_what_any_layer_computes(name: str) -> None:
    """Of the gradients: the next values of all carries, and what is stacked, with all below."""
    lowered = PROGRAMS[name].program().lowered(Arena())
    roots = reverse(lowered.root, [lowered.variables[key] for key in PROGRAMS[name].wrt.split()])
    found = list(everything(roots))
    assert len(set(found)) == len(found)
    for node in found:
        bodies = [carry.next for carry in node.carries] if isinstance(node, Loop) else []
        bodies += [node.body] if isinstance(node, Stack) else []
        assert set(reachable([node, *bodies])) <= set(found)


def test_an_abstract_function_without_an_implementation_is_refused() -> None:
    arena = Arena()
    x = arena.variable("x", ("n",))
    with pytest.raises(UnsupportedError, match="phi"):
        value(arena.map(AbstractElementwise("phi", (0,)), x), {x: np.ones(2)}, {"n": 2})


@pytest.mark.parametrize("seed", SEEDS)
def test_a_graph_on_other_leaves_is_the_same_graph(seed: int) -> None:
    program = grow(seed)
    arena = Arena()
    lowered = md.parse(program.text()).lowered(arena)
    old = lowered.variables
    new = {
        name: arena.variable(f"{name}_other", node.shape, node.attributes)
        for name, node in old.items()
    }
    (moved,) = substitute([lowered.root], {old[name].id: node for name, node in new.items()})
    assert not {id(node) for node in old.values()} & {id(n) for n in everything([moved])}
    assert _marks(moved) == _marks(lowered.root)
    if program.functions.keys() & set(_WORD.findall(program.body())):
        return  # abstract functions have no value
    given = {canonical_name(name): array for name, array in program.values().items()}
    arrays = {node: given[name] for known in (old, new) for name, node in known.items()}
    got, want = (value(node, arrays, program.sizes) for node in (moved, lowered.root))
    np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-9)
