"""From nodes to a plan: the cheapest of the ways to compute the same roots.

Which inverses are computed and which are solved with, and which of several equal
graphs is used, is decided by FLOPs at the sizes assumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

from matderiv.errors import DomainError
from matderiv.program.assemble import Plan, assemble
from matderiv.program.counting import WEIGHTS
from matderiv.program.distribute import distributed
from matderiv.program.flatten import flatten
from matderiv.program.lower import Lowering
from matderiv.program.memory import Memory
from matderiv.program.reuse import reusing
from matderiv.program.schedules import ordered
from matderiv.program.sizes import sample_sizes
from matderiv.program.steps import executed
from matderiv.program.strips import in_strips
from matderiv.tensor.nodes import Node, Variable
from matderiv.tensor.traverse import reachable
from matderiv.tensor.vanishing import silenced

__all__ = ["Graph", "Plan", "Problem", "plan", "weight"]

_MOST_INVERSES = 6  # each decided on its own; beyond that all alike
_GROWTH = (6, 64)  # factors of a product: as many as are ordered exhaustively, or a chain's
# Regimes of sizes: how they differ, of how many names, and for graphs of how many nodes.
_SMALL, _FACTOR = 30, 1000
_MOST_NAMES, _LARGEST = 6, 200


@dataclass(frozen=True)
class Graph:
    """Roots that are computed together."""

    value: Node
    gradients: Mapping[str, Node] = field(default_factory=dict)
    derivatives: Mapping[str, Node] = field(default_factory=dict)

    @property
    def roots(self) -> list[Node]:
        return [self.value, *self.gradients.values(), *self.derivatives.values()]

    def flattened(self, most: int) -> Graph:
        return self._on(flatten(self.roots, most))

    def distributed(self) -> Graph | None:
        """The graph with products distributed over thin sums; None if there are none."""
        roots = distributed(self.roots)
        changed = any(new is not old for new, old in zip(roots, self.roots, strict=True))
        return self._on(roots) if changed else None

    def silenced(self) -> Graph:
        """The graph with 0 log 0 = 0."""
        return self._on(silenced(self.roots))

    def _on(self, roots: Sequence[Node]) -> Graph:
        value, *rest = roots
        count = len(self.gradients)
        return Graph(
            value,
            dict(zip(self.gradients, rest[:count], strict=True)),
            dict(zip(self.derivatives, rest[count:], strict=True)),
        )


def plan(
    value: Node,
    gradients: Mapping[str, Node],
    derivatives: Mapping[str, Node] | None = None,
    *,
    inputs: Sequence[Variable],
    sizes: Mapping[str, int] | None = None,
    cotangent: Variable | None = None,
    alternatives: Iterable[Graph] = (),
    wrt: Mapping[str, Sequence[str]] | None = None,
    layout: str = "mixed",
    diagonal: bool = False,
    reuse: bool = True,
    associate: bool = True,
    blocked: bool = False,
) -> Plan:
    """Plan a value with its gradients and derivatives.

    For a value that is no scalar the gradients are written with the seed `cotangent`,
    of the value's shape.  `sizes` are the numbers of dimension names for which the
    order of operations is chosen.  `alternatives` are graphs equal to the first in
    value; the one of fewest FLOPs is taken.  `wrt` gives for each of `derivatives` the
    variables it is by, one for each order, where that is not its name alone; `layout` is
    that of the derivatives, `diagonal` whether they are diagonals.  `reuse` lets
    elementwise results be written into operands that die.  Without `associate` a product
    stays a product of the nodes it is made of: the order in which derivatives were
    accumulated is kept.  `blocked` plans `value_and_grad` and `derivative` in blocks of rows.
    """
    graphs = [Graph(value, gradients, derivatives or {}), *alternatives]
    problem = Problem.of(graphs, inputs, cotangent, associate)
    best = problem.best_at(sizes or {})
    best = replace(best, wrt=wrt or {}, layout=layout, diagonal=diagonal)
    footprints = Memory(best).footprints
    best = ordered(best, footprints)
    if blocked:
        best = in_strips(best)
        footprints.measure(best.every)
    return reusing(best, footprints) if reuse else best


@dataclass(frozen=True)
class Problem:
    """Graphs equal in value, of which the cheapest is taken, and their leaves."""

    graphs: Sequence[Graph]
    inputs: Sequence[Variable]
    cotangent: Variable | None

    @staticmethod
    def of(
        graphs: Sequence[Graph],
        inputs: Sequence[Variable],
        cotangent: Variable | None = None,
        associate: bool = True,
    ) -> Problem:
        if associate:
            graphs = _distinct(graphs)
            thin = [spread for graph in graphs if (spread := graph.distributed()) is not None]
            graphs = _distinct(g.flattened(most) for g in (*graphs, *thin) for most in _GROWTH)
        return Problem([graph.silenced() for graph in graphs], inputs, cotangent)

    def sizes(self, given: Mapping[str, int]) -> dict[str, int]:
        """A number for every dimension name."""
        first = self.graphs[0]
        names = first.gradients.keys() | first.derivatives.keys()
        depends = [variable for variable in self.inputs if variable.name in names]
        return sample_sizes(first.roots, self.inputs, depends, given)

    def best_at(self, given: Mapping[str, int]) -> Plan:
        """The plan of fewest FLOPs where these sizes are known.

        What products share is not foreseen when each is ordered by itself, so that the
        order best for other sizes may be the better one: those for all names of one
        magnitude compete, and of the best graph those of all regimes.
        """
        sizes = self.sizes(given)
        if not given:
            return self.cheapest(sizes)
        found: dict[int, tuple[_Attempts, Plan]] = {}
        for assumed in (sizes, self.sizes({})):
            for attempts in self._attempts:
                made = _best(attempts, assumed)
                found.setdefault(id(made), (attempts, made))
        attempts, best = min(found.values(), key=lambda pair: _weight(pair[1], sizes))
        others = [_best(attempts, regime) for regime in self.regimes(list(sizes))]
        distinct = {id(made): made for made in (best, *others)}
        best = min(distinct.values(), key=lambda made: _weight(made, sizes))
        return replace(best, sizes=sizes)

    def regimes(self, free: Sequence[str]) -> list[dict[str, int]]:
        """Sizes that differ widely: each name large among small ones, and small among large."""
        if not 1 < len(free) <= _MOST_NAMES or len(reachable(self.graphs[0].roots)) > _LARGEST:
            return []
        return [
            {
                other: (_SMALL + place) * (own if other == name else others)
                for place, other in enumerate(free)
            }
            for name in free
            for own, others in ((_FACTOR, 1), (1, _FACTOR))
        ]

    def cheapest(self, sizes: Mapping[str, int]) -> Plan:
        """The plan of fewest FLOPs, its steps as they were recorded."""
        found = (_best(attempts, sizes) for attempts in self._attempts)
        return replace(min(found, key=lambda made: _weight(made, sizes)), sizes=dict(sizes))

    @cached_property
    def _attempts(self) -> list[_Attempts]:
        return [_Attempts(graph, self.inputs, self.cotangent) for graph in self.graphs]


def _distinct(graphs: Iterable[Graph]) -> list[Graph]:
    """The graphs without repetitions: reading forms of short formulas often coincide."""
    found: dict[tuple[int, ...], Graph] = {}
    for graph in graphs:
        found.setdefault(tuple(root.id for root in graph.roots), graph)
    return list(found.values())


def weight(made: Plan) -> float:
    """FLOPs at the sizes assumed, function evaluations included."""
    return _weight(made, made.sizes)


def _weight(made: Plan, sizes: Mapping[str, int]) -> float:
    total = 0.0
    for step in executed(made.steps):
        total += float(step.flops.at(sizes))
        if step.evaluations:
            total += WEIGHTS[step.function] * float(step.evaluations.at(sizes))
    return total


class _Attempt(NamedTuple):
    """A graph lowered with some inverses computed, and its plan, which other sizes may share."""

    lowering: Lowering
    plan: Plan


class _Attempts:
    """The ways to lower one graph, each once: most sizes lead to the same few."""

    def __init__(
        self, graph: Graph, inputs: Sequence[Variable], cotangent: Variable | None
    ) -> None:
        self._graph, self._cotangent = graph, cotangent
        self._leaves = (*inputs, cotangent) if cotangent is not None else tuple(inputs)
        self._made: dict[tuple[frozenset[int], ...], list[_Attempt]] = {}

    def at(
        self, sizes: Mapping[str, int], computed: frozenset[int], factored: frozenset[int]
    ) -> _Attempt:
        known = self._made.setdefault((computed, factored), [])
        agreed, alike = 0, None
        for attempt in known:
            tape = attempt.lowering.tape
            decisions = tape.agreed(sizes)
            if decisions == tape.decisions:
                return attempt
            if decisions >= agreed:
                agreed, alike = decisions, attempt.lowering
        if alike is None:
            lowering = Lowering(self._graph.roots, self._leaves, sizes, computed, factored)
        else:
            lowering = alike.again(sizes, agreed)
        known.append(_Attempt(lowering, self._planned(lowering)))
        return known[-1]

    def _planned(self, lowering: Lowering) -> Plan:
        graph = self._graph
        try:
            lowering.run()
        except OverflowError:
            raise DomainError(
                "a number of this formula is beyond float64, as code has it"
            ) from None
        return assemble(lowering, graph.value, graph.gradients, graph.derivatives, self._cotangent)


def _best(attempts: _Attempts, sizes: Mapping[str, int]) -> Plan:
    """Solve with every inverse, then compute those that thereby cost fewer FLOPs.

    So without Cholesky factors, and with those of all matrices known to be positive definite.
    """

    def weight(attempt: _Attempt) -> float:
        return _weight(attempt.plan, sizes)

    def cheapest(factored: frozenset[int]) -> _Attempt:
        best = attempts.at(sizes, frozenset(), factored)
        solvable = sorted(best.lowering.solvable)
        trials = [[k] for k in solvable] if len(solvable) <= _MOST_INVERSES else [solvable]
        for trial in trials:
            other = attempts.at(sizes, best.lowering.computed | frozenset(trial), factored)
            best = min(best, other, key=weight)
        return best

    best = cheapest(frozenset())
    if best.lowering.factorable:
        best = min(best, cheapest(best.lowering.factorable), key=weight)
    return best.plan
