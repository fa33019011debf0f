"""Print a value, read the print, evaluate it: the round trip that every test here uses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from matderiv.language import lower, read
from matderiv.notation import present
from matderiv.tensor.arena import Arena
from matderiv.tensor.dims import dim_value
from matderiv.tensor.evaluate import Array, evaluate
from matderiv.tensor.nodes import Node, Variable
from matderiv.tensor.traverse import reachable

SIZES = {"m": 2, "n": 3, "p": 4, "q": 5}


def variables(node: Node) -> list[Variable]:
    return [below for below in reachable([node]) if isinstance(below, Variable)]


def draw(
    inputs: Iterable[Variable], seed: int = 0, sizes: Mapping[str, int] = SIZES
) -> dict[Node, Array]:
    """Positive entries, so that roots and logarithms exist; symmetric where it is declared."""
    generator = np.random.default_rng(seed)
    values: dict[Node, Array] = {}
    for variable in inputs:
        shape = [dim_value(dim, sizes) for dim in variable.shape]
        value = generator.uniform(0.5, 1.5, shape)
        values[variable] = value + value.T if "symmetric" in variable.attributes else value
    return values


def read_back(text: str, values: Mapping[Node, Array], sizes: Mapping[str, int] = SIZES) -> Array:
    """The value of a text in the language at the values of variables of the same names."""
    leaves = [node for node in values if isinstance(node, Variable)]
    shapes: dict[str, Any] = {leaf.name: leaf.shape for leaf in leaves}
    shapes["Zz"] = tuple(sizes)  # in no formula; it says which names are sizes
    program = read(
        text,
        shapes=shapes,
        attributes={leaf.name: leaf.attributes for leaf in leaves if leaf.attributes},
    )
    lowered = lower(program, Arena())
    known = {leaf.name: value for leaf, value in zip(leaves, values.values(), strict=True)}
    inputs: dict[Node, Array] = {v: known[name] for name, v in lowered.variables.items()}
    return evaluate([lowered.root], inputs, sizes)[0]


def assert_reads_back(node: Node, *, row: bool = False, seed: int = 0) -> str:
    """The ascii print, once it is known to evaluate to the value of the node."""
    values = draw(variables(node), seed)
    text = present(node, row=row).text("ascii")
    expected = evaluate([node], values, SIZES)[0]
    found = read_back(text, values)
    assert found.shape == expected.shape, text
    assert np.allclose(found, expected, rtol=1e-9, atol=1e-9), text
    return text
