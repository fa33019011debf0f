"""Formulas that overflow, recognised as the functions that do not.

    log Σ exp z        logsumexp(z)        exp(z) / Σ exp z       softmax(z)
    log(1 + eᵗ)        softplus(t)         1/(1 + e⁻ᵗ)            sigmoid(t)
    log softmax(z)     z - logsumexp(z)    log sigmoid(t)         -softplus(-t)
    log det X          logdet(X)           log(1 - sigmoid(t))    -softplus(t)
    log cosh t         logcosh(t)         sigmoid(t) e⁻ᵗ         sigmoid(-t)
    log Φ(t)           lognormcdf(t)      sinh(t)/cosh(t)        tanh(t)
    log(1 - Φ(t))      lognormcdf(-t)     log(eˢ + e⁻ˢ)          log 2 + logcosh(s)
    log(eˢ + eᵗ)       logaddexp(s, t)    eˢ/(eˢ + eᵗ)           sigmoid(s - t)
    log(1 + Σ exp z)   softplus(logsumexp(z))

Recognition happens in the constructors, so a user's formula and a derivative meet the
same rules, and each leaves fewer exponentials, logarithms or determinants.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from matderiv.tensor.nodes import Apply, Factor, Map, Node, Product, Sum

if TYPE_CHECKING:
    from matderiv.tensor.arena import Arena

__all__ = ["inside", "one_plus", "stable_factors", "stable_log"]


def inside(node: Node, name: str) -> Node | None:
    """x where node is the table's function of this name, of x alone."""
    if isinstance(node, Map) and node.function.key == name:
        return node.arguments[0]
    if isinstance(node, Apply) and node.primitive.key == name:
        return node.arguments[0]
    return None


def _is_one(node: Node) -> bool:
    return (
        isinstance(node, Product)
        and node.coefficient == 1
        and not node.factors
        and len(set(node.out)) == len(node.out)
    )


def one_plus(node: Node) -> tuple[int, Node] | None:
    """(±1, f) where node is 1 ± f."""
    sign = 1
    if isinstance(node, Product) and node.coefficient == -1 and len(node.factors) == 1:
        # A sum begins with a positive term: 1 - f may stand as -(f - 1).
        factor = node.factors[0]
        if factor.exponent == 1 and factor.labels == node.out:
            sign, node = -1, factor.node
    if not isinstance(node, Sum) or len(node.terms) != 2:
        return None
    for one, other in (node.terms, node.terms[::-1]):
        if one.coefficient == sign and _is_one(one.node) and other.coefficient in (1, -1):
            return sign * int(other.coefficient), other.node
    return None


def _summed_exponentials(node: Node) -> tuple[Node, int] | None:
    """(z, k) where node is Σ exp(z) over axis k alone."""
    if not isinstance(node, Product) or node.coefficient != 1 or len(node.factors) != 1:
        return None
    summand, labels, exponent = node.factors[0]
    z = inside(summand, "exp")
    if z is None or exponent != 1 or len(set(labels)) != len(labels):
        return None
    summed = [axis for axis, label in enumerate(labels) if label not in node.out]
    if len(summed) != 1 or node.out != tuple(label for label in labels if label in node.out):
        return None
    return z, summed[0]


def _two_exponentials(node: Node) -> tuple[Node, Node] | None:
    """(s, t) where node is eˢ + eᵗ."""
    if not isinstance(node, Sum) or len(node.terms) != 2:
        return None
    first, second = (inside(term.node, "exp") for term in node.terms)
    if first is None or second is None or any(term.coefficient != 1 for term in node.terms):
        return None
    return first, second


def _along_last(arena: Arena, name: str, z: Node, axis: int) -> Node:
    """A primitive of the last axis, applied along another; the axis stays where it was."""
    order = [k for k in range(z.order) if k != axis] + [axis]
    result = arena.apply(name, arena.transpose(z, order))
    return result if result.order < z.order else arena.transpose(result, _inverse(order))


def _merge_exponential(
    arena: Arena, factors: list[Factor], index: int, t: Node
) -> list[Factor] | None:
    """σ(t) e⁻ᵗ = σ(-t), where e⁻ᵗ is among the factors: the product of 0 and ∞ is no number."""
    sigmoid = factors[index]
    for place, other in enumerate(factors):
        u = inside(other.node, "exp")
        if u is None or other.labels != sigmoid.labels or other.exponent != 1:
            continue
        if u is -t:
            rest = [f for k, f in enumerate(factors) if k not in (index, place)]
            left = sigmoid._replace(exponent=sigmoid.exponent - 1)
            return [*rest, left, Factor(arena.map("sigmoid", u), other.labels, 1)]
    return None


def _merge_cosh(arena: Arena, factors: list[Factor], index: int, t: Node) -> list[Factor] | None:
    """sinh(t)/cosh(t) = tanh(t): the quotient of ∞ by ∞ is no number."""
    cosh = factors[index]
    for place, other in enumerate(factors):
        if inside(other.node, "sinh") is t and other.labels == cosh.labels and other.exponent == 1:
            rest = [f for k, f in enumerate(factors) if k not in (index, place)]
            left = cosh._replace(exponent=cosh.exponent + 1)
            tanh = Factor(arena.map("tanh", t), cosh.labels, 1)
            return [*rest, left, tanh]
    return None


def _merge_share(
    arena: Arena, factors: list[Factor], index: int, pair: tuple[Node, Node]
) -> list[Factor] | None:
    """eˢ/(eˢ + eᵗ) = σ(s - t), which a numerator that overflows does not spoil."""
    total = factors[index]
    for place, other in enumerate(factors):
        if other.labels == total.labels and other.exponent == 1:
            for s, t in (pair, pair[::-1]):
                if inside(other.node, "exp") is s:
                    rest = [f for k, f in enumerate(factors) if k not in (index, place)]
                    left = total._replace(exponent=total.exponent + 1)
                    return [*rest, left, Factor(arena.map("sigmoid", s - t), total.labels, 1)]
    return None


def _inverse(order: list[int]) -> list[int]:
    return sorted(range(len(order)), key=order.__getitem__)


def stable_log(arena: Arena, x: Node) -> Node | None:
    """The stable form of log(x), where x is one of the patterns above."""
    if (inner := inside(x, "det")) is not None:
        return arena.apply("logdet", inner)
    if (inner := inside(x, "sigmoid")) is not None:
        return -arena.map("softplus", -inner)
    if (inner := inside(x, "cosh")) is not None:
        return arena.map("logcosh", inner)
    if (inner := inside(x, "normcdf")) is not None:
        return arena.map("lognormcdf", inner)
    if (inner := inside(x, "softmax")) is not None:
        total = arena.apply("logsumexp", inner)
        return inner - arena.broadcast(total, inner.shape, range(inner.order - 1))
    if (found := one_plus(x)) is not None:
        sign, other = found
        if sign > 0 and (inner := inside(other, "exp")) is not None:
            return arena.map("softplus", inner)
        if sign > 0 and (log := _log_of_exponentials(arena, other)) is not None:
            return arena.map("softplus", log)
        if sign < 0 and (inner := inside(other, "sigmoid")) is not None:
            return -arena.map("softplus", inner)
        if sign < 0 and (inner := inside(other, "normcdf")) is not None:
            return arena.map("lognormcdf", -inner)
    return _log_of_exponentials(arena, x)


def _log_of_exponentials(arena: Arena, x: Node) -> Node | None:
    """log(eˢ + eᵗ), log Σ eᶻ."""
    if (pair := _two_exponentials(x)) is not None:
        first, second = pair
        if first is -second:
            return arena.map("logcosh", first) + arena.map("log", arena.constant(2, x.shape))
        return arena.map("logaddexp", first, second)
    if (sums := _summed_exponentials(x)) is not None:
        return _along_last(arena, "logsumexp", *sums)
    return None


def stable_factors(arena: Arena, factors: list[Factor]) -> list[Factor]:
    """Replace quotients of exponentials among the factors; the same list if none."""
    for index, (node, labels, exponent) in enumerate(factors):
        if not isinstance(exponent, int):
            continue
        if exponent > 0:
            if (t := inside(node, "sigmoid")) is not None:
                merged = _merge_exponential(arena, factors, index, t)
                if merged is not None:
                    return merged
            continue
        if (t := inside(node, "cosh")) is not None:
            merged = _merge_cosh(arena, factors, index, t)
            if merged is not None:
                return merged
            continue
        rest = factors[:index] + factors[index + 1 :]
        found = one_plus(node)
        if found is not None and found[0] > 0 and (t := inside(found[1], "exp")) is not None:
            # 1/(1 + e^t) = σ(-t), which an e^t beside it makes σ(t).
            return [*rest, Factor(arena.map("sigmoid", -t), labels, -exponent)]
        if (pair := _two_exponentials(node)) is not None:
            merged = _merge_share(arena, factors, index, pair)
            if merged is not None:
                return merged
        sums = _summed_exponentials(node)
        if sums is not None:
            z, axis = sums
            for other in rest:
                kept = other.labels[:axis] + other.labels[axis + 1 :]
                if (
                    (other.exponent, exponent) == (1, -1)
                    and kept == labels
                    and inside(other.node, "exp") is z
                ):
                    rest.remove(other)
                    soft = _along_last(arena, "softmax", z, axis)
                    return [*rest, Factor(soft, other.labels, 1)]
    return factors
