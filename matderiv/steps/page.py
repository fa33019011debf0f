"""What a derivation is written in: a symbol for each intermediate value, and numbers.

A page has one arena.  Its symbols are variables there, in the reading order of the text:

    v    an input, or an intermediate value defined by earlier symbols
    dv   its differential
    δv   the derivative of the value f by v in the shape of v; where f is no scalar, that
         of <G, f> for a constant G
    G    also the factor of dv in df = <G, dv>

`Page.numbers` gives every symbol what it means, from the program alone: values by
evaluation, differentials and derivatives by forward accumulation through the rest of the
program.  An equation of the derivation is checked by evaluating both of its sides there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeGuard

import numpy as np

from matderiv.calculus.derivative import forward, push_forward
from matderiv.check import stand_ins
from matderiv.language import lower
from matderiv.steps.decompose import decompose, fresh_name
from matderiv.tensor.arena import Arena
from matderiv.tensor.evaluate import evaluate
from matderiv.tensor.nodes import Name, Node, Size, Variable
from matderiv.tensor.traverse import reachable, remake, substitute
from matderiv.values import DOMAINS, Array, draw, draw_sizes

if TYPE_CHECKING:
    from matderiv.language import Lowered
    from matderiv.results import Program

__all__ = ["Numbers", "Page", "Part"]

_ATTEMPTS = 4


@dataclass(frozen=True)
class Part:
    """A value with its symbols, and its definition over earlier ones; of a variable, itself."""

    name: str
    symbol: Variable
    change: Variable
    cotangent: Variable
    definition: Node
    made_up: bool


class Page:
    """The parts of a program in order, the value last.

    >>> from matderiv.results import Program
    >>> page = Page(Program.read("||X w - y||^2"), ["w"])
    >>> [part.name for part in page.parts], page.root.name
    (['a', 'b', 'f'], 'f')
    """

    def __init__(self, program: Program, wrt: Sequence[str], *, before: Page | None = None) -> None:
        """`before` is the page whose names this one goes on with; its value is made up."""
        self.program = program
        self.arena = arena = Arena()
        made = decompose(program.typed, wrt)
        inputs = {
            name: replace(entry, attributes=frozenset()) if name in wrt else entry
            for name, entry in program.inputs.items()
        }
        lowered = lower(replace(made.program, inputs=inputs), Arena())
        named = _moving(lowered, wrt, made.value)
        nodes = {**lowered.variables, **named}
        self.taken = {*program.typed.functions, *nodes, *lowered.names}
        made_up = made.made_up
        self.earlier: frozenset[str] = frozenset()
        if before is not None:
            self.taken |= before.taken
            self.earlier = before.earlier | before.names
            made_up |= {made.value, *(part.name for part in before.parts if part.made_up)}
        self.names: frozenset[str] = frozenset(lowered.names)
        self.taken |= {str(dim) for entry in inputs.values() for dim in entry.shape}
        seed = fresh_name("GKQ", self.taken)

        order = sorted(nodes, key=lambda name: (made.places.get(name, 0), name in named))
        moving = [name for name in order if name in named or name in wrt]

        def symbols(prefix: str, role: str) -> dict[str, Variable]:
            return {n: arena.variable(prefix + n, nodes[n].shape, role=role) for n in moving}

        # In this order they stand in a product: δa first, da last.
        self.seed = arena.variable(seed, named[made.value].shape, role="cotangent")
        self.factors = {n: arena.variable(seed, nodes[n].shape, role="factor") for n in wrt}
        cotangents = symbols("δ", "cotangent")
        values = {
            name: arena.variable(
                name,
                nodes[name].shape,
                inputs[name].attributes if name in inputs else (),
                role="input" if name in inputs else "part",
            )
            for name in order
        }
        changes = symbols("d", "change")
        definitions = _transferred(named, values, arena)
        self.inputs = {name: values[name] for name in inputs}
        every = [
            Part(
                name,
                values[name],
                changes[name],
                cotangents[name],
                definitions.get(name, values[name]),
                name in made_up,
            )
            for name in (*wrt, *named)
        ]
        self.wrt: list[Part] = every[: len(wrt)]
        self.parts: list[Part] = every[len(wrt) :]
        self.root = self.parts[-1]

    @cached_property
    def _arguments(self) -> dict[Part, tuple[Part, ...]]:
        found = {}
        for part in self.parts:
            below = set(reachable([part.definition]))
            every = (*self.wrt, *self.parts)
            found[part] = tuple(other for other in every if other.symbol in below)
        return found

    def arguments(self, part: Part) -> tuple[Part, ...]:
        """The variables and parts that a definition names."""
        return self._arguments[part]

    def users(self, part: Part) -> list[Part]:
        """The parts whose definitions name this one."""
        return [other for other in self.parts if part in self._arguments[other]]

    def composed(self, kept: Part) -> Node:
        """The value as a function of one symbol, what comes before it held fixed."""
        new: dict[int, Node] = {}
        for part in self.parts:
            if part is not kept:
                new[part.symbol.id] = substitute([part.definition], new)[0]
                if kept.symbol not in reachable([new[part.symbol.id]]):
                    del new[part.symbol.id]
        return new.get(self.root.symbol.id, self.root.symbol)

    @cached_property
    def full(self) -> dict[Part, Node]:
        """Each part over the inputs alone."""
        new: dict[int, Node] = {}
        for part in self.parts:
            new[part.symbol.id] = substitute([part.definition], new)[0]
        return {part: new[part.symbol.id] for part in self.parts}

    def derivative(self, part: Part) -> Node:
        """∂f/∂v in mixed layout by forward accumulation: what the derivation must find."""
        return forward(self.composed(part), [part.symbol])[0]

    # ---- numbers -------------------------------------------------------------------

    def numbers(self, seed: int = 0) -> Iterator[Numbers]:
        """What every symbol is, at random points at which all of them are finite."""
        inputs = self.program.inputs
        shapes = [entry.shape for entry in inputs.values()]
        for number, domain in enumerate(DOMAINS):
            for attempt in range(_ATTEMPTS):
                sizes = draw_sizes(shapes, order=attempt)
                random = np.random.default_rng([11, seed, number, attempt])
                arrays = draw(inputs, sizes, random, domain)
                try:
                    with np.errstate(all="ignore"):
                        found = self._numbers_at(arrays, sizes, random)
                except np.linalg.LinAlgError:
                    continue
                if all(np.all(np.isfinite(array)) for array in found.values.values()):
                    yield found

    def _numbers_at(
        self,
        arrays: Mapping[str, Array],
        sizes: Mapping[str, int],
        random: np.random.Generator,
    ) -> Numbers:
        numbers = Numbers({self.inputs[name]: arrays[name] for name in arrays}, sizes)
        values = numbers.values
        for part in self.wrt:
            values[part.change] = np.asarray(random.normal(size=arrays[part.name].shape))
        tangents = {part.symbol: part.change for part in self.wrt}
        for part in self.parts:
            values[part.symbol] = numbers.of(self.full[part])
            values[part.change] = numbers.of(push_forward([self.full[part]], tangents)[0])
        value = values[self.root.symbol]
        values[self.seed] = np.asarray(random.normal(size=value.shape) if value.ndim else 1.0)
        for part in (*self.parts, *self.wrt):
            by = numbers.of(self.derivative(part))
            values[part.cotangent] = np.tensordot(values[self.seed], by, axes=value.ndim)
        return numbers


@dataclass
class Numbers:
    """An array for each symbol of a page."""

    values: dict[Variable, Array]
    sizes: Mapping[str, int]

    def of(self, node: Node) -> Array:
        """The value of a node of the page, or of another arena in the inputs' names."""
        named = {symbol.name: array for symbol, array in self.values.items()}
        leaves = [leaf for leaf in reachable([node]) if isinstance(leaf, Variable)]
        values: dict[Node, Array] = {
            leaf: self.values[leaf] if leaf in self.values else named[leaf.name] for leaf in leaves
        }
        with np.errstate(all="ignore"):
            return evaluate([node], values, self.sizes, stand_ins([node]))[0]


def _moving(lowered: Lowered, wrt: Sequence[str], value: str) -> dict[str, Node]:
    """The named values between the variables and the value, which is the last."""
    mask = 0
    for name in wrt:
        mask |= lowered.variables[name].depends
    below = set(reachable([lowered.names[value]]))
    found = {
        name: node
        for name, node in lowered.names.items()
        if node.depends & mask and node in below and name != value and _names(node, name)
    }
    return {**found, value: lowered.names[value]}


def _transferred(
    parts: Mapping[str, Node], symbols: Mapping[str, Variable], arena: Arena
) -> dict[str, Node]:
    """The definitions of the parts on the page, each part in them a symbol."""
    symbol_of = {node.id: symbols[name] for name, node in parts.items() if _names(node, name)}
    definitions = {
        name: node.definition if _names(node, name) else node for name, node in parts.items()
    }
    new: dict[int, Node] = {}
    for node in reachable(definitions.values()):
        if isinstance(node, Variable):
            new[node.id] = symbols[node.name]
        elif isinstance(node, Size):
            new[node.id] = arena.size(node.dim)
        else:
            new[node.id] = symbol_of.get(node.id) or remake(node, new, arena=arena)
    return {name: new[node.id] for name, node in definitions.items()}


def _names(node: Node, name: str) -> TypeGuard[Name]:
    """Whether a node is that name; `y = x` makes no name of its own."""
    return isinstance(node, Name) and node.name == name
