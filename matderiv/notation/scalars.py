"""Scalar factors: norms, means, roots, and which of them stand below the line.

>>> from matderiv.tensor.arena import Arena
>>> arena = Arena()
>>> x = arena.variable("x", ("n",))
>>> square = arena.einsum("i,i->", x, x)
>>> term = scalar_power(square, Fraction(1, 2), lambda node: Symbol("x", order=1))
>>> type(term).__name__, term.weight
('Bars', 2)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from matderiv.notation.forms import MEAN, chain, power, transpose
from matderiv.notation.numbers import number
from matderiv.notation.terms import Bars, Call, Symbol, Term
from matderiv.tensor.dims import Dim
from matderiv.tensor.nodes import Factor, Map, Node, Product, Size

__all__ = ["norm_power", "scalar_factors", "scalar_power"]

Lift = Callable[[Node], Term]


def scalar_factors(
    coefficient: Fraction, factors: Sequence[Factor], lift: Lift
) -> tuple[Fraction, list[Term], list[Term]]:
    """coefficient · Π factors as a number, numerators and denominators; Σx/n is mean(x)."""
    sizes: dict[Dim, Fraction] = {}
    for factor in factors:
        if isinstance(factor.node, Size):
            dim = factor.node.dim
            sizes[dim] = sizes.get(dim, Fraction(0)) + Fraction(factor.exponent)
    above: list[Term] = []
    below: list[Term] = []
    for node, _, exponent in factors:
        if isinstance(node, Size):
            continue
        summed = _summed(node) if exponent == 1 else None
        if summed is not None and all(sizes.get(d, Fraction(0)) <= -1 for d in set(summed[1])):
            inner, dims = summed
            if len(set(dims)) == len(dims) and all(isinstance(d, str) for d in dims):
                for dim in dims:
                    sizes[dim] += 1
                body = lift(inner)
                above.append(Call("mean", (body,), order=0, latex=MEAN, odd=True))
                continue
        term = scalar_power(node, abs(Fraction(exponent)), lift)
        (above if exponent > 0 else below).append(term)
    for dim, exponent in sizes.items():
        if exponent:
            term = power(Symbol(str(dim), order=0), abs(exponent))
            if exponent > 0:
                above.insert(0, term)
            else:
                below.insert(0, term)
    return coefficient, above, below


def _summed(node: Node) -> tuple[Node, tuple[Dim, ...]] | None:
    """v and its sizes where a scalar is the sum of the entries of v alone."""
    if not isinstance(node, Product) or node.out or node.coefficient != 1:
        return None
    if any(not factor.labels for factor in node.factors):
        return None
    labels = tuple(range(len(node.sizes)))
    if any(set(factor.labels) != set(labels) for factor in node.factors) or len(labels) > 2:
        return None
    if any(len(factor.labels) > len(labels) for factor in node.factors):
        return None  # a trace: tr(S)/n
    if len(node.factors) == 1 and node.factors[0].exponent == 2:
        return None  # a squared norm
    if len(node.factors) > 1 and all(factor.exponent > 0 for factor in node.factors):
        return None  # an inner product
    return node.arena.product(1, node.factors, labels), node.sizes


def scalar_power(node: Node, exponent: Fraction, lift: Lift) -> Term:
    """node^exponent, a sum of squares as a norm; the exponent is positive."""
    term = norm_power(node, exponent, lift)
    if term is not None:
        return term
    return power(lift(node), exponent)


def norm_power(node: Node, exponent: Fraction, lift: Lift) -> Term | None:
    """node^exponent where the node is a sum of squares, or of powers |x|^p; else None."""
    if not isinstance(node, Product) or node.out or node.coefficient != 1 or not node.factors:
        return None
    labels = tuple(range(len(node.sizes)))
    if not 1 <= len(labels) <= 2:
        return None
    halves = [Fraction(factor.exponent) / 2 for factor in node.factors]
    first = node.factors[0]
    degree = Fraction(first.exponent)
    if len(node.factors) == 1 and degree != 2 and len(first.labels) == 1:
        # (Σ |x|^p)^(k/p) = norm(x, p)^k
        base = first.node
        absolute = isinstance(base, Map) and base.function.key == "abs"
        if isinstance(base, Map) and absolute:
            base = base.arguments[0]
        times = exponent * degree
        plain = absolute or degree.numerator % 2 == 0
        whole = (times * degree.denominator).denominator == 1
        if plain and degree >= 1 and exponent.denominator != 1 and whole:
            return power(_p_norm(lift(base), degree), times)
    if any(half.denominator != 1 for half in halves):
        return None
    halved = [
        factor._replace(exponent=half.numerator)
        for factor, half in zip(node.factors, halves, strict=True)
    ]
    vector = node.arena.product(1, halved, labels)
    body = lift(vector)
    if exponent == 1 and body.weight == 1 and body.order == 1:
        return chain((transpose(body), body))
    return power(Bars(body), 2 * exponent)


def _p_norm(body: Term, order: Fraction) -> Term:
    """‖x‖_2.5; norm(x, 7/3) of an order that is no short decimal."""
    text = f"{float(order):g}"
    if "e" not in text and Fraction(text) == order:
        return Bars(body, text, order=0)
    return Call("norm", (body, number(order)), order=0, latex=_P_NORM)


_P_NORM = r"\left\lVert {x} \right\rVert_{{{z}}}"
