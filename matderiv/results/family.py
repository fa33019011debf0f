"""Derivatives by several variables, computed together, before any layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matderiv.calculus.derive import derive
from matderiv.calculus.simplify import simplify, substitute
from matderiv.calculus.structure import project
from matderiv.calculus.weight import Weights
from matderiv.source import Program, structured_variables
from matderiv.tensor.arena import Arena
from matderiv.tensor.nodes import Node, Variable

__all__ = ["Family", "family_of"]

_FAR = 1.5  # times the FLOPs of the other: more than a difference of how sums are nested


@dataclass(frozen=True)
class Family:
    """Derivatives that share an arena and their intermediates.

    value   the value as it was read, with plain variables
    plain   the variables without their attributes, by name
    nodes   the derivatives in mixed layout, by their first variable
    row     whether the value is a row
    """

    program: Program
    value: Node
    plain: Mapping[str, Variable]
    nodes: Mapping[str, Node]
    row: bool


def family_of(
    program: Program, wrt: Sequence[tuple[str, ...]], mode: str, structured: bool
) -> Family:
    """The derivatives by several variables, each a tuple of names, one per order."""
    arena = Arena()
    plain_names = {name for names in wrt for name in names}
    lowered = program.lowered(arena, sorted(plain_names))
    variables = lowered.variables
    first = [names[0] for names in wrt]
    then = wrt[0][1:] if wrt else ()
    nodes = derive(
        lowered.root,
        [variables[name] for name in first],
        then=[variables[name] for name in then],
        mode=mode,
        choose=lambda one, other: _better(one, other, list(variables.values())),
    )
    if structured:
        nodes = simplify(
            [
                _projected(program, node, lowered.root.order, names, variables)
                for node, names in zip(nodes, wrt, strict=True)
            ]
        )
    attributed = structured_variables(program, variables, arena)
    if attributed:
        nodes = simplify(substitute(nodes, attributed))
    return Family(
        program, lowered.root, variables, dict(zip(first, nodes, strict=True)), lowered.row
    )


def _better(one: Node, other: Node, inputs: Sequence[Variable]) -> Node:
    """Of equal values the one that costs far less, else the one that prints shorter.

    Costs are those of planned code, in which the factors of a flattened product are joined
    in the cheapest order, from neither end of a chain if need be.
    """
    from matderiv.program import plan
    from matderiv.program.plan import weight

    costs = [weight(plan(node, {}, inputs=inputs)) for node in (one, other)]
    if max(costs) > _FAR * min(costs):
        return one if costs[0] < costs[1] else other
    lengths = Weights()
    return one if lengths.cost(one) <= lengths.cost(other) else other


def _projected(
    program: Program,
    node: Node,
    first: int,
    names: Sequence[str],
    variables: Mapping[str, Variable],
) -> Node:
    for name in names:
        node = project(node, first, variables[name], program.inputs[name].attributes)
        first += variables[name].order
    return node
