"""The laws that a derivation cites, each declared once.

A law of differentiation for a kind of node is two texts in the language, a value and its
differential; that of a function or primitive is made from its own declaration.  The rest
are identities of products and traces, and the rules of the derivation itself.

>>> print(PRODUCT_RULE.text())
product rule, d(U V) = dU V + U dV
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from matderiv.calculus.derivative import push_forward
from matderiv.calculus.simplify import simplify
from matderiv.calculus.structure import project
from matderiv.language import lower, read
from matderiv.notation import present, render
from matderiv.notation.dialects import DIALECTS
from matderiv.notation.terms import Call, Hadamard, Juxtaposed, Mark, Partial, Postfix, Symbol, Term
from matderiv.tensor.arena import Arena
from matderiv.tensor.nodes import Apply, Map, Node, Product, Sum, Variable
from matderiv.tensor.traverse import reachable

__all__ = ["Law", "laws_of"]


@dataclass(frozen=True)
class Law:
    """A name, and the equation where the name alone does not say it.

    `names` are names of the page that belong to it: "substitution of da and db".
    """

    name: str
    left: Term | None = None
    right: Term | None = None
    names: tuple[str, ...] = ()

    def title(self, dialect: str = "unicode") -> str:
        symbols = [DIALECTS[dialect].symbol(name) for name in self.names]
        if dialect == "latex":
            symbols = [f"${symbol}$" for symbol in symbols]
        return f"{self.name} {' and '.join(symbols)}" if symbols else self.name

    def equation(self, dialect: str = "unicode") -> str:
        if self.left is None or self.right is None:
            return ""
        return f"{render(self.left, dialect)} = {render(self.right, dialect)}"

    def text(self, dialect: str = "unicode") -> str:
        equation = self.equation(dialect)
        if dialect == "latex" and equation:
            equation = f"${equation}$"
        return f"{self.title(dialect)}, {equation}" if equation else self.title(dialect)


def differential_of(term: Term) -> Term:
    return Call("d", (term,), order=term.order, latex=r"\mathrm{{d}}({x})")


# ----- differentials, by kind of node ------------------------------------------------
@cache
def _stated(name: str, value: str, differential: str, shapes: str) -> Law:
    """A law from the texts of a value and of its differential."""
    sides = []
    for text in (value, differential):
        lowered = lower(read(f"{text} where {shapes}"), Arena())
        sides.append(present(lowered.root, row=lowered.row).headline)
    return Law(name, differential_of(sides[0]), sides[1])


STATED = {
    "sum": ("sum rule", "U + V", "dU + dV", "U, V, dU, dV: (m, n)"),
    "linear": ("linearity", "A U B", "A dU B", "A: (k, m); U, dU: (m, n); B: (n, l)"),
    "product": ("product rule", "U V", "dU V + U dV", "U, dU: (m, k); V, dV: (k, n)"),
    "entrywise": (
        "entrywise product rule", "u .* v", "v .* du + u .* dv", "u, v, du, dv: (n)",
    ),
    "square": ("squared norm", "||U||^2", "2 tr(U' dU)", "U, dU: (m, n)"),
    "power": ("power rule", "t^p", "p t^(p-1) dt", "t, p, dt: ()"),
    "entrywise power": (
        "entrywise power rule", "u.^p", "p u.^(p-1) .* du", "u, du: (n); p: ()",
    ),
}  # fmt: skip
"""Kind -> name, value, differential, shapes."""

PRODUCT_RULE = _stated(*STATED["product"])


def laws_of(definition: Node, moving: Iterable[Variable]) -> tuple[Law, ...]:
    """The laws that give the differential of a definition in which some symbols move."""
    mask = 0
    for symbol in moving:
        mask |= symbol.depends
    found = [
        law
        for node in reversed(reachable([definition]))
        if node.depends & mask and (law := _law(node, mask)) is not None
    ]
    return tuple({(law.name, law.names): law for law in found}.values())


def _law(node: Node, mask: int) -> Law | None:
    if isinstance(node, Sum):
        return _stated(*STATED["sum"])
    if isinstance(node, Product):
        return _stated(*STATED[_product_kind(node, mask)])
    if isinstance(node, Map | Apply):
        return _function_law(node, mask)
    return None


def _product_kind(node: Product, mask: int) -> str:
    factors = [factor for factor in node.factors if factor.node.depends & mask]
    power = factors[0].exponent
    if len(factors) > 1:
        summed = len(node.sizes) > len(set(node.out))
        return "product" if summed or not node.order else "entrywise"
    if power == 1:
        return "linear"
    if power == 2 and factors[0].labels and not node.out:
        return "square"
    return "entrywise power" if node.order else "power"


def _function_law(node: Map | Apply, mask: int) -> Law:
    """d f(x) from the declaration of f."""
    arena = Arena()
    new: dict[int, Variable] = {}
    tangents: dict[Variable, Node] = {}
    for name, argument in zip("xzwv", node.children, strict=False):
        name = name.upper() if argument.order > 1 else name
        new[argument.id] = x = arena.variable(name, argument.shape)
        if argument.depends & mask:
            tangents[x] = arena.variable(f"d{name}", argument.shape)
    arguments = [new[argument.id] for argument in node.children]
    if isinstance(node, Map):
        value, name = arena.map(node.function, *arguments), node.function.name
    else:
        value = arena.apply(node.primitive, *arguments, parameters=node.parameters)
        name = node.primitive.name
    differential = simplify(push_forward([value], tangents))[0]
    left, right = (present(side) for side in (value, differential))
    if not right.is_matrix_form or right.where:
        return Law("derivative of", names=(name,))
    return Law("derivative of", differential_of(left.headline), right.headline, (name,))


# ----- identities --------------------------------------------------------------------
def _trace(*factors: Term) -> Term:
    return Call("tr", (Juxtaposed(factors, order=2),), order=0, latex=r"\operatorname{{tr}}({x})")


def turned(term: Term) -> Term:
    return Postfix(term, Mark.TRANSPOSE, order=term.order)


_u, _v = Symbol("u", order=1), Symbol("v", order=1)
_U, _V, _W = (Symbol(name, order=2) for name in "UVW")

CYCLIC = Law("the trace is cyclic", _trace(_U, _V), _trace(_V, _U))
TURNED = Law(
    "a scalar is its own transpose",
    Juxtaposed((turned(_u), _v), order=0),
    Juxtaposed((turned(_v), _u), order=0),
)
ACROSS = Law(
    "an entrywise factor moves across an inner product",
    _trace(turned(_U), Hadamard((_V, _W), order=2)),
    _trace(turned(Hadamard((_U, _V), order=2)), _W),
)


def partial(value: str, by: str | Sequence[str], order: int) -> Term:
    """∂value/∂by, or ∂²value/∂x∂y for several names."""
    names = (by,) if isinstance(by, str) else tuple(by)
    slots = tuple(names.index(name) for name in names)
    return Partial(value, tuple(Symbol(n, order=1) for n in names), slots, "", order=order)


# ----- the derivation itself ---------------------------------------------------------
def _chain(left: Term, *factors: Term) -> Law:
    return Law("chain rule", left, Juxtaposed(factors, order=1))


_da, _db = Symbol("δa", order=1), Symbol("δb", order=1)
CHAIN = {
    "rows": _chain(partial("f", "a", 1), partial("f", "b", 1), partial("b", "a", 2)),
    "mixed": _chain(_da, turned(partial("b", "a", 2)), _db),
    "numerator": _chain(_da, turned(partial("b", "a", 2)), _db),
    "denominator": _chain(_da, partial("b", "a", 2), _db),
}
"""As a product of rows, or for cotangents in the shape of their values, by layout."""

SUBSTITUTION = Law("substitution")
OPENED = Law("brackets opened, like terms merged")
COLLECTED = Law("terms collected, common factors pulled out")


def substitution_of(name: str) -> Law:
    return Law("substitution of", names=(name,))


def factor_of(name: str) -> Law:
    return Law("the derivative is the factor of", names=(name,))


def for_every(name: str) -> Law:
    return Law("this holds for every", names=(name,))


def chain_over(names: tuple[str, ...]) -> Law:
    return Law("chain rule, summed over the entries of", names=names)


def attribute(name: str, marks: Iterable[str]) -> Law:
    return Law(f"{', '.join(marks)}:", names=(name,))


def repeated(layout: str) -> Law:
    if layout == "mixed":
        return Law("the derivative of the derivative")
    return Law(f"the derivative of the derivative, its axes in {layout} layout")


def projected(term: Term) -> Term:
    return Call("P", (term,), order=term.order, latex=r"\mathrm{{P}}({x})")


def projection(structure: str) -> Law:
    """What P does in the space of a structure, as `calculus.structure` does it."""
    arena = Arena()
    point, gradient = (arena.variable(name, ("n", "n")) for name in "XG")
    right = present(project(gradient, 0, point, frozenset({structure}))).headline
    return Law(f"P projects onto the {structure} matrices", projected(Symbol("G", order=2)), right)


def simplifications(node: Node) -> Iterator[tuple[Law, Node]]:
    """Shorter forms of a value, each with the law that gave it."""
    opened = simplify([node], short=False)[0]
    yield OPENED, opened
    yield COLLECTED, simplify([opened])[0]
