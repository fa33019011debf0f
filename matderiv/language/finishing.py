"""The last step: syntax with kinds and sizes to the frozen typed program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from matderiv.language.expressions import Expressions
from matderiv.language.formulas import Substitution
from matderiv.language.sizes import Size, as_dim
from matderiv.language.syntax import Syntax
from matderiv.language.typed import VALUED, Assignment, Input, Repeat, Typed, TypedProgram

__all__ = ["Step", "typed_program"]


@dataclass
class Step:
    """A statement while sizes are being inferred."""

    name: str
    expression: Syntax | None
    body: list[Step] = field(default_factory=list)
    count: Size | None = None
    carried: tuple[str, ...] = ()


def typed_program(names: Expressions, steps: list[Step], output: Syntax) -> TypedProgram:
    """The program of inferred statements, every size resolved."""
    typed = _expressions(names)
    _mark_targets(names, typed.values())
    inputs = {
        name: Input(
            tuple(map(as_dim, variable.size)),
            frozenset(variable.attributes),
            variable.declared,
            variable.span,
            names.spelled(name),
        )
        for name, variable in names.variables.items()
        if name not in names.defined
    }
    return TypedProgram(
        names.check.source,
        inputs,
        {name: kind for name, kind in names.symbols.functions.items() if kind != "formula"},
        tuple(_statement(step, typed) for step in steps),
        typed[id(output)],
        tuple(map(names.check.finish, names.check.notes)),
    )


def _expressions(names: Expressions) -> dict[int, Typed]:
    """The typed expression of each node, by its id; arguments come first in `nodes`."""
    typed: dict[int, Typed] = {}
    substitution = Substitution(names.check)
    for node in names.nodes:
        for arg in node.args:
            if id(arg) not in typed:  # made by a shape rule
                typed[id(arg)] = _as_typed(arg, typed)
        if node.op == "formula":
            body, (argument,) = names.formulas[node.value].body, node.args
            typed[id(node)] = substitution.put(typed[id(body)], typed[id(argument)], node.span)
        elif node.op not in ("keyword", "option", "string"):
            typed[id(node)] = _as_typed(node, typed)
    return typed


def _as_typed(node: Syntax, typed: Mapping[int, Typed]) -> Typed:
    args = tuple(typed[id(arg)] for arg in node.args)
    return Typed(node.op, args, _value(node), node.kind, tuple(map(as_dim, node.size)), node.span)


def _value(node: Syntax) -> Any:
    if node.op == "input":
        return node.value[0]
    if node.op == "apply" and node.value[0] == "commutation":
        return node.value[0], tuple((key, as_dim(size)) for key, size in node.value[1])
    return node.value if node.op in VALUED else None


def _statement(step: Step, typed: dict[int, Typed]) -> Assignment | Repeat:
    if step.expression is not None:
        return Assignment(step.name, typed[id(step.expression)])
    assert step.count is not None
    body = tuple(_statement(inner, typed) for inner in step.body)
    return Repeat(step.name, as_dim(step.count), body, step.carried)


def _mark_targets(names: Expressions, expressions: Iterable[Typed]) -> None:
    """The targets of a cross entropy are probabilities: their rows sum to 1."""
    for expression in expressions:
        if expression.op != "apply" or expression.value[0] != "cross_entropy":
            continue
        target = expression.args[1]
        attributes = names.variables[target.value].attributes if target.op == "input" else None
        if attributes is not None and "stochastic" not in attributes:
            attributes.add("stochastic")
            names.check.note(f"the rows of {names.spelled(target.value)} sum to 1")
