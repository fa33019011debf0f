"""Forward and reverse accumulation over one graph, and what the planner makes of both.

    reverse   one sweep from the value to the variables; each step carries a cotangent,
              value × intermediate
    forward   one sweep from each variable to the value; each step carries a tangent,
              intermediate × variable
    auto      whichever costs fewer FLOPs of these two and of their flattened forms, in
              which all factors of a product are ordered together

In the pure modes nothing is associated anew, so their costs are those of the textbook:
for n steps and k variables O(n k) forward and O(n) reverse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from matderiv.calculus.derivative import forward, pull_back, push_forward, reverse
from matderiv.calculus.simplify import simplify
from matderiv.errors import MatderivError
from matderiv.program import Plan, plan
from matderiv.program.cost import Cost
from matderiv.program.memory import Memory
from matderiv.program.plan import weight
from matderiv.program.sizes import checked_sizes
from matderiv.reports.tables import Cell, Table, render
from matderiv.tensor.arena import Arena
from matderiv.tensor.nodes import Loop, Name, Node, Variable
from matderiv.tensor.traverse import rebuild

if TYPE_CHECKING:
    from matderiv.source import Program

__all__ = ["MODE_FORMATS", "compare", "mode_costs"]

MODE_FORMATS = ("text", "markdown", "latex", "csv")
_SWEEPS = ("reverse", "forward")


def mode_costs(
    program: Program, wrt: Sequence[str], sizes: Mapping[str, int] | None = None
) -> dict[str, Cost]:
    """The cost of the first derivatives in each mode; `Cost.derivative` is their FLOPs.

    Chains of matrices have a best order of their own, from neither end:

    >>> from matderiv.source import Program
    >>> widths = {"a": 400, "b": 20, "c": 400, "d": 20, "e": 400}
    >>> text = "W4 tanh(W3 tanh(W2 tanh(W1 x)))"
    >>> shapes = {"W1": ("b", "a"), "W2": ("c", "b"), "W3": ("d", "c"), "W4": ("e", "d")}
    >>> costs = mode_costs(Program.read(text, shapes | {"x": ("a",)}), ["x"], widths)
    >>> {mode: f"{float(cost.at(**widths).derivative):.1e}" for mode, cost in costs.items()}
    {'reverse': '1.9e+07', 'forward': '1.9e+07', 'auto': '6.9e+06'}
    """
    pure = {mode: _plan(program, wrt, mode, sizes, associate=False) for mode in _SWEEPS}
    planned = [_plan(program, wrt, mode, sizes, associate=True) for mode in _SWEEPS]
    best = min([*planned, *pure.values()], key=weight)
    checked_sizes(sizes or {}, best.size_names)
    return {mode: Cost(made) for mode, made in {**pure, "auto": best}.items()}


def _plan(
    program: Program,
    wrt: Sequence[str],
    mode: str,
    sizes: Mapping[str, int] | None,
    associate: bool,
) -> Plan:
    lowered = program.lowered(Arena(), wrt)
    missing = [name for name in wrt if name not in lowered.variables]
    if missing:
        raise MatderivError(f"modes are compared for inputs, and {missing[0]} is none")
    variables = [lowered.variables[name] for name in wrt]
    if associate:
        nodes = (reverse if mode == "reverse" else forward)(lowered.root, variables)
        roots = simplify([lowered.root, *nodes], short=False)
    else:
        root = _stepwise(lowered.root)
        if mode == "reverse":
            nodes = pull_back(root, variables, root.arena.delta(root.shape), names=True)
        else:
            seeds = [{v: root.arena.delta(v.shape)} for v in variables]
            nodes = [push_forward([root], seed, names=True)[0] for seed in seeds]
        roots = [root, *nodes]
    return plan(
        roots[0],
        {},
        dict(zip(wrt, roots[1:], strict=True)),
        inputs=list(lowered.variables.values()),
        sizes=sizes,
        reuse=False,
        associate=associate,
    )


def _stepwise(root: Node) -> Node:
    """The root with a name for every intermediate, across which nothing is associated."""

    def named(node: Node) -> Node | None:
        if isinstance(node, Variable | Name | Loop) or not node.depends:
            return None
        return node.arena.name(f"v{node.id}", node)

    return rebuild([root], named)[0]


def compare(
    costs: Mapping[str, Cost], format: str = "text", sizes: Mapping[str, int] | None = None
) -> str:
    """The modes side by side: FLOPs of the derivatives, and the bytes alive at most."""
    if format not in MODE_FORMATS:
        raise MatderivError(
            f"this table has no format {format!r}; the formats are {', '.join(MODE_FORMATS)}"
        )
    sizes = sizes or {}
    at = f"at {', '.join(f'{name}={size}' for name, size in sizes.items())}"
    rows: list[list[Cell]] = []
    for mode, cost in costs.items():
        flops = cost.polynomials.derivative
        peak = Memory(cost.plan, sizes).derivative.polynomial
        rows.append([mode, flops, flops.leading, *([flops.bind(sizes)] if sizes else []), peak])
    head = ("mode", "FLOPs", "leading", *([at] if sizes else []), "peak bytes")
    return render(Table(head, rows, frozenset({at})), format)
