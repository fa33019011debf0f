"""Orders of operations that are best for some sizes, and where one gives way to another.

The problem is planned for sizes that differ widely in every direction: each name large
among small ones, and small among large ones.  Orders whose leading FLOPs differ are
choices; the difference of their leading terms, divided by what its terms share, is the
condition: (A B) C costs less than A (B C) where n < k.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matderiv.program.operations import display_names
from matderiv.program.plan import Plan, Problem
from matderiv.program.polynomial import Polynomial, without_content
from matderiv.program.steps import Operand, Ref

__all__ = ["Choice", "Choices", "condition", "find_choices", "formulas"]

_MOST_CHOICES = 4
_WIDEST = 70


@dataclass(frozen=True)
class Choice:
    """An order of operations, its FLOPs in leading terms, and sizes for which it is best."""

    plan: Plan
    leading: Polynomial
    sizes: Mapping[str, int]


class Choices(tuple[Choice, ...]):
    """The orders that are best for some sizes: one, where sizes do not matter."""

    __slots__ = ()

    def lines(self) -> list[str]:
        """For a reader: what is computed how, under which condition."""
        if len(self) < 2:
            return []
        if len(self) > _MOST_CHOICES:
            return [f"{len(self)} orders of operations are each best for some sizes: --at"]
        texts = [formulas(choice.plan) for choice in self]
        names = [
            name for name in texts[0] if len({text.get(name) for text in texts}) == len(self)
        ] or [name for name in texts[0] if len({text.get(name) for text in texts}) > 1]
        whats = ["; ".join(f"{name} = {text.get(name, '…')}" for name in names) for text in texts]
        if len(self) == 2:
            one, other = self
            when = condition(one.leading, other.leading)
            what = "; ".join(
                f"{name} = {texts[0].get(name, '…')} if {when}, else {texts[1].get(name, '…')}"
                for name in names
            )
            return [f"{what} ({one.leading} against {other.leading} FLOPs)"]
        return [
            f"{what} if {_least(choice, self)} ({choice.leading} FLOPs)"
            for what, choice in zip(whats, self, strict=True)
        ]


def _least(choice: Choice, choices: Sequence[Choice]) -> str:
    others = [other for other in choices if other is not choice]
    return " and ".join(condition(choice.leading, other.leading) for other in others)


def find_choices(problem: Problem, given: Mapping[str, int]) -> Choices:
    """The choices that are left once the sizes in `given` are known."""
    base = problem.sizes(given)
    free = [name for name in base if name not in given]
    found: dict[Polynomial, Choice] = {}
    for sizes in [base, *({**base, **regime} for regime in problem.regimes(free))]:
        plan = problem.cheapest(sizes)
        flops = Polynomial.total(step.flops for step in plan.steps).bind(given)
        leading = flops.leading
        found.setdefault(leading, Choice(plan, leading, sizes))
    return Choices(choice for choice in found.values() if _is_best(choice, found))


def _is_best(choice: Choice, others: Mapping[Polynomial, Choice]) -> bool:
    """Whether no other order costs less, in leading terms, where this one was found."""
    cost = choice.leading.at(choice.sizes)
    return all(cost <= other.leading.at(choice.sizes) for other in others.values())


def condition(one: Polynomial, other: Polynomial) -> str:
    """When the first count is the smaller.

    >>> n, k = Polynomial.of("n"), Polynomial.of("k")
    >>> condition(2 * n * n * n + 2 * k * n * n, 4 * k * n * n)
    'n < k'
    """
    (difference,) = without_content(one - other)
    less = Polynomial({m: c for m, c in difference.terms.items() if c > 0})
    more = Polynomial({m: -c for m, c in difference.terms.items() if c < 0})
    return f"{less} < {more}"


# ---- the order in words --------------------------------------------------------------


def formulas(plan: Plan) -> dict[str, str]:
    """How named values and results are computed, every bracket written.

    >>> import matderiv as md
    >>> formulas(md.cost("A B x").plan)
    {'value': 'A (B x)'}
    """
    names = display_names(plan).values
    results = [plan.value, *plan.gradients.values(), *plan.derivatives.values()]
    shown = {*plan.names, *(ref.value for ref in results)}
    texts = {number: names[number] for number in plan.inputs.values()}
    found: dict[str, str] = {}
    for step in plan.steps:
        operands = [_text(operand, texts) for operand in step.operands]
        text = _call(step.function, [part for part in operands if part])
        if step.value in shown:
            found.setdefault(names[step.value], text if len(text) <= _WIDEST else "…")
            text = names[step.value]
        texts.setdefault(step.value, text)
    return found


_INFIX = {
    **dict.fromkeys(("matmul", "vdot", "tensordot", "einsum", "vecdot"), " "),
    "multiply": " ⊙ ",
    "add": " + ",
    "subtract": " - ",
    "divide": " / ",
}


def _call(function: str, operands: list[str]) -> str:
    if function in _INFIX and len(operands) == 2:
        return _INFIX[function].join(map(_bracketed, operands))
    return f"{function.rpartition('.')[2]}({', '.join(operands)})"


def _bracketed(text: str) -> str:
    depth = 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == " " and not depth:
            return f"({text})"
    return text


def _text(operand: Operand, texts: Mapping[int, str]) -> str:
    if not isinstance(operand, Ref):
        return f"{operand:g}" if isinstance(operand, float) else ""
    text = texts.get(operand.value, "…")
    order = tuple(axis for axis in operand.axes or () if axis is not None)
    if len(order) == 2 and order == (1, 0):
        return f"{_bracketed(text)}'"
    return text
