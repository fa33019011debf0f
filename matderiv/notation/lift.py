"""From nodes to terms: matrix notation for every node, names for the heavy shared ones.

Nodes are lifted children first, so depth costs nothing; a `Name` is a leaf, and a term
that grows too deep gets a name of its own.  Where no matrix notation fits, the term is
an `Einsum`, which the caller may write in indices.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from fractions import Fraction

from matderiv.errors import UnsupportedError
from matderiv.notation.functions import lift_apply, lift_map
from matderiv.notation.layers import Layers, split_name
from matderiv.notation.numbers import scale
from matderiv.notation.products import lift_product, operand
from matderiv.notation.scalars import norm_power, scalar_factors
from matderiv.notation.signs import negate
from matderiv.notation.sums import lift_sum
from matderiv.notation.terms import (
    Einsum,
    Identity,
    Layered,
    Ones,
    Sigma,
    Symbol,
    Term,
    as_symmetric,
    walk,
)
from matderiv.tensor.nodes import Apply, Factor, Map, Name, Node, Product, Size, Sum, Variable
from matderiv.tensor.properties import is_distributed
from matderiv.tensor.traverse import reachable

__all__ = ["Lifter", "lift_all"]

_DEEPEST = 40  # a term deeper than this is broken up by a name
_SAVING = 3  # a name must save more than this many tokens
_LETTERS = "ijklmnopqrstuvwxyzabcdefghABCDEFGHIJKLMNOPQRSTUVWXYZ"


def lift_all(roots: Iterable[Node], layers: Layers | None = None) -> Lifter:
    """Lift roots and all definitions below them; use counts settle in a second pass.

    Equal factors may be printed as one, (X A⁻¹ c).^2: what is printed once after all
    loses its name.

    `layers` are the lines of the loops that the roots have been freed of.
    """
    roots = [*roots, *(layers.below if layers is not None else ())]
    if len({root.arena for root in roots}) > 1:  # terms are known by the numbers of their nodes
        raise ValueError("values of several arenas share no lines")
    nodes = reachable(roots)
    starts = [*roots, *(node.definition for node in nodes if isinstance(node, Name))]
    first = Lifter(_uses(nodes, starts, None), starts, layers)
    first.lift(starts)
    uses = _uses(nodes, starts, first.shared)
    second = first.again(uses, starts, nodes)
    once = second.printed_once(starts)
    if not once:
        return second
    uses.update({number: 1 - uses[number] for number in once})
    return second.again(uses, starts, nodes)


def _uses(nodes: list[Node], starts: list[Node], shared: Mapping[int, Term] | None) -> Counter[int]:
    """How often each node is printed: by edges, or (given what is named) by occurrences."""
    uses: Counter[int] = Counter(start.id for start in starts)
    for node in reversed(nodes):
        if isinstance(node, Name):
            continue
        times = 1 if shared is None or node.id in shared else min(uses[node.id], 1000)
        for child, count in _occurrences(node).items():
            uses[child.id] = uses.get(child.id, 0) + count * times
    return uses


def _occurrences(node: Node) -> Counter[Node]:
    """How often each child is printed: equal neighbours in a chain once, as a power."""
    found = Counter(node.children)
    if not isinstance(node, Product) or max(found.values(), default=0) < 2:
        return found
    ends: dict[int, list[Factor]] = {}
    for factor in node.factors:
        for label in factor.labels:
            ends.setdefault(label, []).append(factor)
    for label, held in ends.items():
        if len(held) != 2 or label in node.out:
            continue
        (one, left, _), (other, right, _) = held
        if one is other and len(set(left)) == 2 == len(set(right)):
            along = left.index(label) != right.index(label)
            if found[one] > 1 and (along or node.arena.is_symmetric(one)):
                found[one] -= 1
    return found


class Lifter:
    """The terms of nodes; `shared` holds the full terms of those that got a name."""

    def __init__(
        self, uses: Counter[int], roots: Iterable[Node] = (), layers: Layers | None = None
    ) -> None:
        self.layers = layers
        self.indices: dict[str, tuple[str, ...]] = {}  # of the names of values in a layer
        self.uses = uses
        self.terms: dict[int, Term] = {}
        self.full: dict[int, Term] = {}
        self.shared: dict[int, Term] = {}
        self.nodes: dict[str, Node] = {}
        self._mentions: dict[int, float] = {}
        self._kept = {root.id for root in roots}

    def lift(self, roots: Iterable[Node]) -> None:
        for node in reachable(roots, stop=lambda n: n.id in self.terms or isinstance(n, Name)):
            if node.id not in self.terms:
                self.terms[node.id] = self._named(node, self._term(node))

    def __call__(self, node: Node) -> Term:
        known = self.terms.get(node.id)
        if known is None:
            self.lift([node])
            known = self.terms[node.id]
        return known

    def mention(self, node: Node) -> float:
        """The id of the first name in a value; infinite for a constant."""
        if node.id not in self._mentions:
            known = self._mentions
            for below in reachable([node], lambda n: n.id in known or isinstance(n, Name)):
                if isinstance(below, Variable | Name):
                    known.setdefault(below.id, below.id)
                else:
                    known.setdefault(
                        below.id, min((known[c.id] for c in below.children), default=math.inf)
                    )
        return self._mentions[node.id]

    def definition(self, node: Node) -> Term:
        """The term of a node in full, even where it is printed by name."""
        self(node)
        return self.full[node.id]

    def headline(self, node: Node) -> Term:
        """The term of one of several roots: its name, where others are made of it, or in full."""
        full = self.definition(node)
        return self(node) if full.weight - 1 > _SAVING else full

    def changed(self, uses: Counter[int], nodes: Iterable[Node]) -> set[int]:
        """The nodes, by id, whose terms are others where values are used so often."""
        found: set[int] = set()
        for node in nodes:
            number = node.id
            if isinstance(node, Name):
                continue
            due = self._is_due(node, uses[number], self.full[number])
            if due != (number in self.shared) or any(c.id in found for c in node.children):
                found.add(number)
        return found

    def again(self, uses: Counter[int], starts: Iterable[Node], nodes: Iterable[Node]) -> Lifter:
        """The terms of nodes that are used so often; these where that is no change."""
        nodes = list(nodes)
        changed = self.changed(uses, nodes)
        if not changed:
            return self
        other = Lifter(uses, starts, self.layers)
        if self.layers is None:  # a name in layers may stand for a sum over them, which may change
            other._adopt(self, (node for node in nodes if node.id not in changed))
        other.lift(starts)
        return other

    def printed_once(self, starts: Iterable[Node]) -> set[int]:
        """The nodes, by id, whose names stand in one place, where no name is needed."""
        if self.layers is not None or not self.shared:
            return set()
        terms = [self.full[start.id] for start in starts]
        found: Counter[str] = Counter()
        for term in (*terms, *self.shared.values()):
            for part in walk(term):
                if isinstance(part, Einsum):  # printed by its entries
                    return set()
                if isinstance(part, Symbol):
                    found[part.name] += 1
        return {
            number
            for number, term in self.shared.items()
            if found[f"#{number}"] == 1 and term.depth <= _DEEPEST
        }

    def _adopt(self, other: Lifter, nodes: Iterable[Node]) -> None:
        """Take over the terms of some nodes, and what names mean that are no nodes of their own."""
        for node in nodes:
            self.terms[node.id], self.full[node.id] = other.terms[node.id], other.full[node.id]
            if node.id in other.shared:
                self.shared[node.id] = other.shared[node.id]
        dropped = {f"#{number}" for number in other.shared.keys() - self.shared.keys()}
        self.nodes |= {name: n for name, n in other.nodes.items() if name not in dropped}
        self.indices |= {name: own for name, own in other.indices.items() if name not in dropped}

    def _is_due(self, node: Node, uses: int, term: Term) -> bool:
        """Whether a node that is used so often deserves a name."""
        if not node.children or isinstance(node, Name):
            return False
        if (uses - 1) * (term.weight - 1) <= _SAVING and term.depth <= _DEEPEST:
            return False
        return node.id not in self._kept or uses > 1

    def _named(self, node: Node, term: Term) -> Term:
        self.full[node.id] = term
        if not self._is_due(node, self.uses[node.id], term):
            return term
        name = f"#{node.id}"  # `names.py` gives the final one
        self.shared[node.id] = term
        self.nodes[name] = node
        indices = self.layers.indices(node) if self.layers is not None else ()
        return self._symbol(name, indices, node)

    def _symbol(self, name: str, indices: tuple[str, ...], node: Node) -> Term:
        symmetric = node.arena.is_symmetric(node)
        symbol = Symbol(name, order=node.order, symmetric=symmetric)
        if not indices:
            return symbol
        self.indices[name] = indices
        return Layered(symbol, indices, order=node.order, symmetric=symmetric)

    # ----- one node -------------------------------------------------------------------
    def _term(self, node: Node) -> Term:
        if isinstance(node, Variable | Name):
            if self.layers is not None and (total := self.layers.totals.get(node.id)) is not None:
                return Sigma((total.letter,), self(total.node), order=node.order)
            name, indices = split_name(node.name)
            if isinstance(node, Name):
                definition = node.definition
                if self.nodes.get(name, definition) is not definition:
                    name = f"{name}#{node.id}"
                self.nodes[name] = definition
            return self._symbol(name, indices, node)
        if isinstance(node, Size):
            return Symbol(str(node.dim), order=0)
        if isinstance(node, Sum):
            return lift_sum(node, self, self.mention)
        if isinstance(node, Map):
            return lift_map(node, self)
        if isinstance(node, Apply):
            return lift_apply(node, self)
        if not isinstance(node, Product):
            raise UnsupportedError("a value that is computed in a loop has no such form")
        term = self._product(node)
        if node.order == 2 and node.arena.is_symmetric(node):
            return as_symmetric(term)
        return term

    def _product(self, node: Product) -> Term:
        candidates: list[Term] = []
        if not node.order and (norm := norm_power(node, Fraction(1), self)) is not None:
            candidates.append(norm)
        if node.order <= 2:
            lifted = lift_product(node, self)
            if lifted is not None:
                sign, term = lifted
                candidates.append(term if sign > 0 else negate(term))
            elif (opened := _opened(node)) is not None:
                candidates.append(self(opened))
        if candidates:
            candidates += self._divided(node)
            return min(candidates, key=lambda term: term.weight)
        return self._einsum(node)

    def _divided(self, node: Product) -> list[Term]:
        """x/(2 a) + 1 of (x/a + 2)/2, which may be shorter."""
        scale = Fraction(node.coefficient)
        if scale.denominator == 1 or len(node.factors) != 1:
            return []
        total, labels, exponent = node.factors[0]
        if not isinstance(total, Sum) or exponent != 1 or labels != node.out:
            return []
        return [lift_sum(total, self, self.mention, scale)]

    def _einsum(self, node: Product) -> Term:
        """einsum("ik,kj->ij", …) of the factors; δ and 𝟏 become operands."""
        scalars = [factor for factor in node.factors if not factor.labels]
        tensors = [factor for factor in node.factors if factor.labels]
        coefficient = Fraction(node.coefficient)
        magnitude, above, below = scalar_factors(abs(coefficient), scalars, self)
        if len(node.sizes) > len(_LETTERS):
            raise UnsupportedError(
                f"einsum has letters for {len(_LETTERS)} indices; this needs {len(node.sizes)}"
            )
        letters = {label: _LETTERS[label] for label in range(len(node.sizes))}
        inputs = ["".join(letters[k] for k in factor.labels) for factor in tensors]
        operands = [operand(Factor(*factor), self) for factor in tensors]
        output, fresh = "", len(node.sizes)
        for label in node.out:
            letter = letters[label]
            if letter in output:
                letter = _LETTERS[fresh]
                fresh += 1
                inputs.append(letters[label] + letter)
                operands.append(Identity(node.sizes[label]))
            elif node.out.count(label) == 1 and not any(letter in axes for axes in inputs):
                inputs.append(letter)
                operands.append(Ones((node.sizes[label],), order=1))
            output += letter
        body: Term = Einsum(",".join(inputs) + "->" + output, tuple(operands), order=node.order)
        if inputs == [output]:
            body = operands[0]
        term = scale(magnitude, above, below, body)
        return negate(term) if coefficient < 0 else term


def _opened(node: Product) -> Node | None:
    """The Product with its factors of order > 2 merged into it, or distributed."""
    inline = frozenset(
        f.node.id
        for f in node.factors
        if f.node.order > 2 and isinstance(f.node, Product) and f.exponent == 1
    )
    sizes = dict(enumerate(node.sizes))
    if inline:
        opened = node.arena.product(node.coefficient, node.factors, node.out, sizes, inline)
        return opened if opened is not node else None
    for place, factor in enumerate(node.factors):
        child = factor.node
        if isinstance(child, Sum) and is_distributed(child) and factor.exponent == 1:
            terms = []
            for coefficient, part in child.terms:
                factors = list(node.factors)
                factors[place] = factor._replace(node=part)
                terms.append((coefficient, node.arena.product(1, factors, node.out, sizes)))
            total = node.arena.sum(terms, node.shape)
            return node.arena.scale(node.coefficient, total)
    return None
