"""Shorter forms of one value: factor, expand, cancel, whatever prints with less.

A candidate replaces a node only if (weight in print, number of names, whether it is a
sum) falls, lexicographically.  These are natural numbers, so rewriting ends, whatever
the rules and in whatever order they fire.  A candidate that may cancel more than the node is never
taken; see `accuracy.py`.

Candidates for a Sum: pull a factor out of several terms; pull out a power that only
some terms have (a common denominator); collect diagonals into one.  For both kinds:
expand everything and merge like terms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from matderiv.calculus.accuracy import Degrees
from matderiv.calculus.divide import quotients
from matderiv.calculus.expand import as_product, expand, may_merge
from matderiv.calculus.weight import Weights
from matderiv.tensor.cancel import without_square
from matderiv.tensor.nodes import Apply, Factor, Map, Name, Node, Number, Product, Sum, Term
from matderiv.tensor.properties import is_nonnegative
from matderiv.tensor.rules import COMPLEMENTS, number_of
from matderiv.tensor.traverse import reachable, remake

__all__ = ["Shortener"]

Ports = tuple[int | None, ...]

_HEAVIEST = 300  # heavier nodes are left alone
_DEEPEST = 2  # candidates within candidates


class Shortener:
    """Shortens nodes of one arena, each once."""

    def __init__(self) -> None:
        self.weight = Weights()
        self.degrees = Degrees()
        self._done: dict[int, tuple[int, Node]] = {}  # by the depth at which it was found
        self._depth = 0

    def shorten_all(self, roots: Sequence[Node]) -> list[Node]:
        new: dict[int, Node] = {}
        for node in reachable(roots):
            new[node.id] = self.shorten(remake(node, new))
        return [new[root.id] for root in roots]

    def shorten(self, node: Node) -> Node:
        """The shortest form found; its children are taken to be short already."""
        if not isinstance(node, Sum | Product) or self.weight(node) > _HEAVIEST:
            return node
        depth, known = self._done.get(node.id, (_DEEPEST, node))
        if depth <= self._depth:
            return known
        self._done[node.id] = (self._depth, node)  # while candidates are under construction
        self._depth += 1
        best: Node = node
        for candidate in self._candidates(node):
            shorter = self.weight.cost(candidate) < self.weight.cost(best)
            if shorter and self.degrees(candidate)[1] <= self.degrees(node)[1]:
                best = candidate
        self._depth -= 1
        if best is not node:
            best = self.shorten(best)
        self._done[node.id] = (self._depth, best)
        return best

    def _candidates(self, node: Node) -> Iterator[Node]:
        if isinstance(node, Sum):
            if node.order <= 2:  # a product over a taller sum would be distributed again
                yield from self._pulled(node)
                yield from self._common_denominator(node)
                yield from _collected_diagonals(node)
            yield from self._complemented(node)
            yield from self._raised(node)
        elif isinstance(node, Product):
            yield from self._through_names(node)
            yield from self._multiplied_in(node)
            yield from without_square(node)
            yield from quotients(node, self.weight)
        expanded = expand(node, self.weight) if may_merge(node, self.weight) else node
        if expanded is not node:
            yield (
                self._inside(expanded) if isinstance(expanded, Product) else self.shorten(expanded)
            )

    def _through_names(self, node: Product) -> Iterator[Node]:
        """Σ c = 0 for c = x - mean(x): a scalar that is a number once its names are opened."""
        if node.order:
            return
        sums = {child.id: child.definition for child in node.children if isinstance(child, Name)}
        if sums:
            opened = expand(remake(node, sums), self.weight)
            if not opened.children:
                yield opened

    def _inside(self, node: Product) -> Node:
        """A Product on the short forms of its Sums."""
        new = {c.id: self.shorten(c) for c in node.children if isinstance(c, Sum)}
        return remake(node, new)

    def _complemented(self, node: Sum) -> Iterator[Node]:
        """f(-x) = 1 - f(x), where a sum has both, as sigmoid."""
        arena = node.arena
        found = {
            factor.node.id: factor.node
            for term in node.terms
            for factor in as_product(term.node).factors
            if isinstance(factor.node, Map) and factor.node.function.key in COMPLEMENTS
        }
        for one in found.values():
            other = arena.map(one.function, -one.arguments[0])
            if other.id in found and self.weight(one) <= self.weight(other):
                new = {t.node.id: remake(t.node, {other.id: 1 - one}) for t in node.terms}
                new[other.id] = 1 - one
                replaced = remake(node, new)
                yield self.shorten(expand(replaced, self.weight))
                return

    def _raised(self, node: Sum) -> Iterator[Node]:
        """x^p + c x^(p + k) = x^p (1 + c x^k) for exponents p that are no numbers."""
        arena = node.arena
        axes = tuple(range(node.order))
        powers: list[Map] = []
        for child in node.children:
            found = [
                factor.node
                for factor, ports in _on_outputs(as_product(child))
                if isinstance(factor.node, Map)
                and (factor.node.function.key, factor.exponent, ports) == ("pow", 1, axes)
            ]
            if len(found) != 1 or found[0].arguments[0] is not (powers or found)[0].arguments[0]:
                return
            powers += found
        if not powers:
            return
        base, first = powers[0].arguments
        apart = [number_of(expand(p.arguments[1] - first, self.weight)) for p in powers]
        if not all(isinstance(k, int) for k in apart):
            return
        least = min(k for k in apart if k is not None)
        lowest = powers[apart.index(least)]
        terms = []
        for (coefficient, term), power, k in zip(node.terms, powers, apart, strict=True):
            assert k is not None
            whole = as_product(term)
            factors = [f for f in whole.factors if f.node is not power]
            factors.append(Factor(base, whole.out, k - least))
            sizes = dict(enumerate(whole.sizes))
            terms.append(
                Term(coefficient, arena.product(whole.coefficient, factors, whole.out, sizes))
            )
        inner = self.shorten(arena.sum(terms, node.shape))
        yield arena.product(1, [Factor(lowest, axes, 1), Factor(inner, axes, 1)], axes)

    # ---- factors of several terms -------------------------------------------------

    def _pulled(self, node: Sum) -> Iterator[Node]:
        for group, factor, ports in _common_factors(node):
            yield from self._pull(node, group, factor, ports)

    def _pull(
        self, node: Sum, group: dict[int, int], factor: Factor, ports: Ports
    ) -> Iterator[Node]:
        """Σ terms with `factor` taken out of those in `group` (term → place of the factor).

        `ports` gives the output axis that each axis of the factor stands on in every
        term of the group, or None where it is contracted (or differs).
        """
        arena = node.arena
        order = node.order
        free = [k for k, port in enumerate(ports) if port is None]  # one axis at most
        owned = {port for port in ports if port is not None} if free else set()
        for place, at in group.items():
            term = as_product(node.terms[place].node)
            others = term.factors[:at] + term.factors[at + 1 :]
            if any(term.out[port] in f.labels for f in others for port in owned):
                return
        axes = [k for k in range(order) if k not in owned]
        leads = _leads(ports, as_product(node.terms[min(group)].node), group[min(group)], axes)
        inner_terms = []
        for place in sorted(group):
            coefficient, original = node.terms[place]
            term = as_product(original)
            at = group[place]
            labels = term.factors[at].labels
            rest_of_power = term.factors[at].exponent - factor.exponent
            others = (
                *term.factors[:at],
                *[Factor(factor.node, labels, rest_of_power)] * (rest_of_power != 0),
                *term.factors[at + 1 :],
            )
            outer, summed = [term.out[k] for k in axes], [labels[k] for k in free]
            out = summed + outer if leads else outer + summed
            part = arena.product(term.coefficient, others, out, dict(enumerate(term.sizes)))
            inner_terms.append(Term(coefficient, part))
        inner = self.shorten(arena.sum(inner_terms, inner_terms[0].node.shape))
        labels = tuple(order if port is None else port for port in ports)
        summed = [order] * len(free)
        inner_labels = (*summed, *axes) if leads else (*axes, *summed)
        pulled = arena.product(
            1,
            [Factor(factor.node, labels, factor.exponent), Factor(inner, inner_labels, 1)],
            range(order),
            dict(enumerate(node.shape)),
            frozenset({inner.id}),
        )
        rest = [term for place, term in enumerate(node.terms) if place not in group]
        if rest:
            yield self.shorten(arena.sum([*rest, Term(1, pulled)], node.shape))
        else:
            yield pulled

    # ---- powers that some terms lack ----------------------------------------------

    def _common_denominator(self, node: Sum) -> Iterator[Node]:
        """Σ t = s^e Σ t s^(-e) for the extreme power s^e of any term, then expand inside."""
        if len(node.terms) > 12:
            return
        cleared = _cleared(node)
        if not isinstance(cleared, Sum):
            yield cleared
        for (below, ports), uses in _divisors(node).items():
            lowest = min(exponent for exponent, _ in uses)
            inverse = Factor(below, ports, -lowest)
            if len(uses) > 1 or _is_part(below, uses[0][1]):  # or nothing meets above the line
                yield self._divided(node, inverse, lambda term: expand(term, self.weight))
            if lowest.denominator != 1:  # a √n + b/√n = √n (a + b/n), a mean
                yield self._divided(node, inverse._replace(exponent=lowest), lambda term: term)

    def _divided(self, node: Sum, factor: Factor, opened: Callable[[Node], Node]) -> Node:
        """Σ t = Σ (t f)/f for a factor on axes of the sum."""
        arena, axes = node.arena, tuple(range(node.order))
        terms = []
        for coefficient, term in node.terms:
            made = arena.product(
                1, [Factor(term, axes, 1), factor], axes, inline=frozenset({term.id})
            )
            terms.append(Term(coefficient, opened(made)))
        inline = frozenset(t.node.id for t in terms if isinstance(t.node, Sum))
        inner = self.shorten(arena.sum(terms, node.shape, inline))
        factors = [factor._replace(exponent=-factor.exponent), Factor(inner, axes, 1)]
        return arena.product(1, factors, axes, inline=frozenset({inner.id}))

    def _multiplied_in(self, node: Product) -> Iterator[Node]:
        """f^p S^e = f^(p - k e) (f^k S)^e where f^k divides a term of the Sum S.

        f has axes of S alone; beside the inverse of a matrix S it is a scalar.
        """
        arena = node.arena
        for factor in node.factors:
            total, power = factor.node, factor.exponent
            inverse = isinstance(total, Apply) and total.primitive.is_inverse
            if inverse:
                total, power = total.children[0], -power
            if not isinstance(total, Sum):
                continue
            for (below, ports), uses in _divisors(total).items():
                labels = tuple(factor.labels[port] for port in ports)
                other = next((f for f in node.factors if f[:2] == (below, labels)), None)
                if other is None or other.exponent * power < 0 or (ports and inverse):
                    continue
                if power.denominator != 1 and not is_nonnegative(below):
                    continue  # the root of f^2 is not f
                lowest = min(exponent for exponent, _ in uses)
                made = _times(total, Factor(below, ports, -lowest))
                factors = [f for f in node.factors if f is not factor and f is not other]
                factors += [
                    other._replace(exponent=other.exponent + lowest * power),
                    factor._replace(node=arena.apply("inv", made) if inverse else made),
                ]
                multiplied = arena.product(
                    node.coefficient, factors, node.out, dict(enumerate(node.sizes))
                )
                self.degrees.equate(multiplied, node)  # each term of S is multiplied alike
                yield multiplied


def _times(total: Sum, factor: Factor) -> Node:
    """Σ t f, the factor on axes of the sum."""
    arena, whole = total.arena, tuple(range(total.order))
    terms = []
    for coefficient, term in total.terms:
        factors = [Factor(term, whole, 1), factor]
        made = arena.product(1, factors, whole, inline=frozenset({term.id}))
        terms.append(Term(coefficient, made))
    return arena.sum(terms, total.shape)


def _cleared(node: Sum) -> Node:
    """The sum with a/(b/c + d) as a c/(b + c d) in all its terms, so that divisors meet."""
    arena = node.arena
    products = [as_product(child) for child in node.children]
    if not any(isinstance(f.node, Sum) and f.exponent < 0 for p in products for f in p.factors):
        return node
    terms = []
    for (coefficient, _), term in zip(node.terms, products, strict=True):
        factors: list[Factor] = []
        for factor in term.factors:
            total, exponent = factor.node, factor.exponent
            while isinstance(total, Sum) and exponent < 0:
                found = next(iter(_divisors(total).items()), None)
                if found is None or not (exponent.denominator == 1 or is_nonnegative(found[0][0])):
                    break
                (below, ports), uses = found
                lowest = min(power for power, _ in uses)
                axes = tuple(factor.labels[port] for port in ports)
                factors.append(Factor(below, axes, lowest * exponent))
                total = _times(total, Factor(below, ports, -lowest))
            factors.append(Factor(total, factor.labels, exponent))
        made = arena.product(term.coefficient, factors, term.out, dict(enumerate(term.sizes)))
        terms.append(Term(coefficient, made))
    return arena.sum(terms, node.shape)


def _divisors(total: Sum) -> dict[tuple[Node, tuple[int, ...]], list[tuple[Number, Product]]]:
    """What stands below the line in a sum, and on which axes: its powers, with their terms."""
    found: dict[tuple[Node, tuple[int, ...]], list[tuple[Number, Product]]] = {}
    for term in map(as_product, total.children):
        for factor, ports in _on_outputs(term):
            if factor.exponent < 0:
                found.setdefault((factor.node, ports), []).append((factor.exponent, term))
    return found


def _is_part(total: Node, term: Product) -> bool:
    """Whether a term has a factor that is a term of a sum below the line: t/(1 + t)."""
    parts = {child.id for child in total.children} if isinstance(total, Sum) else set()
    return any(factor.node.id in parts for factor in term.factors)


def _on_outputs(term: Product) -> Iterator[tuple[Factor, tuple[int, ...]]]:
    """The factors all of whose axes are output axes, with those axes."""
    for factor in term.factors:
        if all(term.out.count(label) == 1 for label in factor.labels):
            yield factor, tuple(term.out.index(label) for label in factor.labels)


def _common_factors(
    node: Sum,
) -> Iterator[tuple[dict[int, int], Factor, Ports]]:
    """Factors that at least two terms share, with the output axes on which they agree.

    Of a factor that stands in different powers the one nearest to 0 is shared.
    """
    meets: dict[tuple[int, bool, Ports], dict[int, int]] = {}
    found: dict[tuple[int, bool, Ports], Factor] = {}
    for place, (_, original) in enumerate(node.terms):
        term = as_product(original)
        for at, factor in enumerate(term.factors):
            for ports in _port_patterns(term, factor):
                key = (factor.node.id, factor.exponent > 0, ports)
                nearest = min if factor.exponent > 0 else max
                least = found.setdefault(key, factor)
                found[key] = nearest(least, factor, key=lambda f: f.exponent)
                meets.setdefault(key, {}).setdefault(place, at)
    for key, group in meets.items():
        factor = found[key]
        if len(group) > 1 and (factor.exponent < 0 or _same_diagonal_use(node, group)):
            yield group, factor, key[2]


def _port_patterns(term: Product, factor: Factor) -> Iterator[Ports]:
    """The ways to hold on to a factor: which of its axes are output axes, which are free."""
    labels = factor.labels
    exact = tuple(term.out.index(label) if term.out.count(label) == 1 else None for label in labels)
    if None not in exact:
        yield exact
    if factor.exponent != 1 or len(set(labels)) != len(labels):
        return
    if len(labels) == 1:
        alone = isinstance(factor.node, Sum) and sum(bool(f.labels) for f in term.factors) == 1
        if term.order < 2 and (alone or labels[0] not in term.out):
            yield (None,)  # t v beside A v is (A + t I) v, shorter where v has several terms
    elif len(labels) == 2:
        for held in (0, 1):
            if exact[held] is not None:
                yield (exact[0], None) if held == 0 else (None, exact[1])


def _leads(ports: Ports, term: Product, at: int, axes: Sequence[int]) -> bool:
    """Whether the summed axis of what is left comes first: A (B + C), not A (B' + C')'."""
    if len(axes) == 1 and None in ports:
        summed, outer = term.factors[at].labels[ports.index(None)], term.out[axes[0]]
        for factor in term.factors:
            if set(factor.labels) == {summed, outer}:
                return factor.labels[0] == summed
    return 0 in ports


def _same_diagonal_use(node: Sum, group: Iterable[int]) -> bool:
    """Whether all or none of the terms have a repeated output axis: keeps t I + (x + t y) y'."""
    kinds = {
        len(set(out)) == len(out)
        for out in (as_product(node.terms[place].node).out for place in group)
    }
    return len(kinds) == 1


def _collected_diagonals(node: Sum) -> Iterator[Node]:
    """diag(u) + diag(v) = diag(u + v)."""
    places = [
        place
        for place, (_, term) in enumerate(node.terms)
        if isinstance(term, Product) and len(set(term.out)) < term.order
    ]
    if len(places) < 2:
        return
    arena = node.arena
    diagonals = [
        Term(node.terms[place].coefficient, arena.einsum("ii->i", node.terms[place].node))
        for place in places
    ]
    inner = arena.sum(diagonals, node.shape[:1])
    rest = [term for place, term in enumerate(node.terms) if place not in places]
    collected = arena.einsum("i->ii", inner)
    yield arena.sum([*rest, Term(1, collected)], node.shape)
