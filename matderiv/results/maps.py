"""Derivatives of a family as maps, without their tensors, and as one matrix."""

from __future__ import annotations

from collections.abc import Sequence

from matderiv.calculus.maps import adjoint, differential, hessian_map, seed
from matderiv.calculus.simplify import simplify, substitute
from matderiv.errors import UnsupportedError
from matderiv.results.family import Family
from matderiv.results.form import Form
from matderiv.source import structured_variables, taken_names
from matderiv.tensor.nodes import Node, Variable
from matderiv.values import superscript

__all__ = ["differential_of", "hessian_product_of", "pullback_of", "vec_of"]


def differential_of(family: Family, names: Sequence[str]) -> Form:
    """dY along d of each name in turn; d²Y for two."""
    seeds = {name: seed(family.plain[name], f"d{name}") for name in names}
    node = differential(family.value, [(family.plain[name], seeds[name]) for name in names])
    head = "dY" if len(names) == 1 else f"d{superscript(len(names))}Y"
    return _form(family, node, [seeds[name] for name in dict.fromkeys(names)], head)


def pullback_of(family: Family, names: Sequence[str]) -> Form:
    """G ↦ X̄ with <G, dY> = <X̄, dX>."""
    if len(names) != 1:
        raise UnsupportedError("a vector-Jacobian product is of a derivative of order 1")
    name = next(n for n in ("G", "Y_bar", "G_1") if n not in taken_names(family.program))
    cotangent = seed(family.value, name)
    node = adjoint(family.value, family.plain[names[0]], cotangent)
    return _form(family, node, [cotangent], f"{name} ↦")


def hessian_product_of(family: Family, names: Sequence[str]) -> Form:
    """V ↦ H V for the Hessian H of a scalar."""
    if family.value.order or len(set(names)) != 1:
        raise UnsupportedError("a Hessian-vector product is of a scalar by one variable")
    variable = family.plain[names[0]]
    candidates = ("v", "V", "v_1") if variable.order < 2 else ("V", "V_1")
    name = next(n for n in candidates if n not in taken_names(family.program))
    direction = seed(variable, name)
    node = hessian_map(family.value, variable, direction)
    return _form(family, node, [direction], f"{name} ↦")


def vec_of(family: Family, names: Sequence[str]) -> Form:
    """∂vec(Y)/∂vec(X)ᵀ, columns stacked."""
    from matderiv.notation.vec import stack_columns, vec_form

    mixed = family.nodes[names[0]]
    rows = mixed.order - family.plain[names[-1]].order
    form = vec_form(mixed, rows, names, taken=taken_names(family.program))
    matrix = stack_columns(mixed, rows)
    return Form(family.program, matrix, {}, form.head, form.presentation, form.note)


def _form(family: Family, node: Node, seeds: Sequence[Variable], head: str) -> Form:
    structured = structured_variables(family.program, family.plain, node.arena)
    if structured:
        node = simplify(substitute([node], structured))[0]
    return Form(family.program, node, {s.name: s.shape for s in seeds}, head)
