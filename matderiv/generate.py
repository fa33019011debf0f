"""From a program and its derivatives to a plan, its code and its costs.

Three forms of the same graph go to the planner: backpropagation step by step, the form a
reader likes, and the one in which neither names nor reading stand in the way of the order
of operations.  It takes the one of fewest FLOPs, of equals the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from matderiv.calculus.compress import compressed as compressed_terms
from matderiv.calculus.derivative import pull_back
from matderiv.calculus.derive import checked_order, derive
from matderiv.calculus.diagonal import diagonal_labels, tied
from matderiv.calculus.layout import LAYOUTS, arrange, differential_quotient
from matderiv.calculus.maps import seed
from matderiv.calculus.simplify import simplify, substitute
from matderiv.errors import MatderivError, UnsupportedError, one_of
from matderiv.language import canonical_name
from matderiv.notation import present, present_joint
from matderiv.program import Graph, Plan, plan
from matderiv.program.choices import Choices, find_choices
from matderiv.program.compiled import CompiledFunction
from matderiv.program.compressed import Terms
from matderiv.program.cost import Cost
from matderiv.program.plan import Problem
from matderiv.program.sizes import checked_sizes
from matderiv.program.workspace import with_workspace
from matderiv.source import structured_variables, taken_names
from matderiv.tensor.arena import Arena
from matderiv.tensor.nodes import Name, Node, Variable

if TYPE_CHECKING:
    from matderiv.language.lower import Lowered
    from matderiv.program.rematerialize import Tradeoff
    from matderiv.source import Program

__all__ = [
    "Prepared",
    "compile_program",
    "program_choices",
    "program_cost",
    "program_plan",
    "tradeoff",
]


class Prepared(NamedTuple):
    """Graphs equal in value for the planner, their leaves, and the one for a reader.

    `lowered` is the program that they were made of, without the attributes of `wrt`.
    """

    graphs: Sequence[Graph]
    inputs: Sequence[Variable]
    cotangent: Variable | None
    read: Graph
    lowered: Lowered


class Planned(NamedTuple):
    """A plan, and what a reader sees of it."""

    plan: Plan
    read: Graph
    lowered: Lowered


def program_plan(
    program: Program,
    wrt: Sequence[str],
    order: int = 1,
    layout: str = "mixed",
    sizes: Mapping[str, int] | None = None,
    *,
    then: Sequence[str] = (),
    diagonal: bool = False,
    compressed: bool = False,
    blocked: bool = False,
) -> Planned:
    """The plan of a value with its derivatives, and both as a reader sees them.

    Order 1: gradients of a scalar, vector-Jacobian products of anything else, for
    `backward`.  Other orders and other values: also the dense derivative in the layout,
    or its diagonal alone, or, `compressed`, the arrays of its terms (`calculus.compress`).
    `then` gives the variables after the first, in the place of an order.  `blocked` is
    about `value_and_grad` and `derivative`: in blocks of rows.
    """
    then = tuple(then)
    prepared = _prepare(program, wrt, order, layout, then, diagonal)
    graphs, inputs, cotangent, read, lowered = prepared
    terms: dict[str, Terms] = {}
    by = {name: (name, *(then or (name,) * (order - 1))) for name in wrt}
    if compressed:
        graphs, terms = _in_terms(graphs)
        by |= {key: by[name] for name, found in terms.items() for key in found.keys}
    first, *others = graphs
    made = plan(
        first.value,
        first.gradients,
        first.derivatives,
        inputs=inputs,
        sizes=sizes,
        cotangent=cotangent,
        alternatives=others,
        wrt=by,
        layout=layout,
        diagonal=diagonal,
        blocked=blocked,
    )
    checked_sizes(sizes or {}, made.size_names)
    made = replace(made, terms=terms)
    return Planned(_with_output_name(made, program), read, lowered)


def _in_terms(graphs: Sequence[Graph]) -> tuple[list[Graph], dict[str, Terms]]:
    """The graphs with compressed derivatives, those that have the same terms as the first."""
    made: list[Graph] = []
    first: dict[str, Terms] = {}
    for graph in graphs:
        parts: dict[str, Node] = {}
        terms = {}
        for name, node in graph.derivatives.items():
            specs = []
            for term in compressed_terms(node):
                keys = [f"{name}_{len(parts) + k}" for k in range(len(term.parts))]
                parts |= dict(zip(keys, term.parts, strict=True))
                specs.append((term.spec, tuple(keys)))
            terms[name] = Terms(node.shape, tuple(specs))
        if not made:
            first = terms
        if terms == first:
            made.append(replace(graph, derivatives=parts))
    return made, first


def tradeoff(
    made: Plan, sizes: Mapping[str, int], report: Callable[[str], None] = lambda method: None
) -> Tradeoff:
    """Peak memory against FLOPs computed again, for a plan at sizes that must all be given.

    `report` hears of each method that is tried.
    """
    from matderiv.program.rematerialize import Tradeoff

    missing = [name for name in made.sizes if name not in sizes]
    if missing:
        raise MatderivError(
            f"bytes depend on the size of {', '.join(missing)}",
            hint=f"--at {','.join(f'{name}={made.sizes[name]}' for name in made.sizes)}",
        )
    return Tradeoff(made, sizes, report)


def program_choices(
    program: Program, wrt: Sequence[str], order: int = 1, sizes: Mapping[str, int] | None = None
) -> Choices:
    """Which order of operations is best for which sizes; `sizes` are those that are known."""
    graphs, inputs, cotangent, *_ = _prepare(program, wrt, order, "mixed")
    return find_choices(Problem.of(graphs, inputs, cotangent), sizes or {})


def _prepare(
    program: Program,
    wrt: Sequence[str],
    order: int,
    layout: str,
    then: Sequence[str] = (),
    diagonal: bool = False,
) -> Prepared:
    one_of(layout, LAYOUTS, "layout")
    checked_order(order)
    arena = Arena()
    lowered = program.lowered(arena, [*wrt, *then])
    root = lowered.root
    inputs_asked = [name for name in wrt if name in lowered.variables]
    variables = [lowered.variables[name] for name in inputs_asked]
    cotangent: Variable | None = None
    start = arena.delta(())
    if root.order:
        taken = taken_names(program)
        name = next(n for n in ("G", "Y_bar", "G_1", "G_2") if n not in taken)
        start = cotangent = seed(root, name)
    found = dict(
        zip(inputs_asked, pull_back(root, variables, start, names=root.order == 0), strict=True)
    )
    for name in wrt:
        if name not in found:
            # Alone: nothing moves below a named value that is asked for.
            value = lowered.names[name]
            is_root = root is value or (isinstance(value, Name) and root is value.definition)
            found[name] = start if is_root else pull_back(root, [value], start)[0]
    gradients = [found[name] for name in wrt]
    dense = bool(wrt) and (order > 1 or bool(then) or diagonal or root.order > 0)
    if len(variables) < len(wrt) and dense:
        raise UnsupportedError("by a named value there are gradients of scalars alone in code")
    ways: list[list[Node]] = [[]]
    if dense:
        # Which way is cheaper depends on the sizes: the planner decides.
        first_order = order == 1 and not then
        modes = ("reverse", "forward") if root.order and first_order else ("reverse",)
        chains = [
            [v, *([lowered.variables[name] for name in then] or [v] * (order - 1))]
            for v in variables
        ]
        ways = [
            [derive(root, chain[:1], then=chain[1:], mode=mode)[0] for chain in chains]
            for mode in modes
        ]
        if diagonal:
            labels = [diagonal_labels(root.shape, [v.shape for v in chain]) for chain in chains]
            ways = [[tied(*pair) for pair in zip(way, labels, strict=True)] for way in ways]
        value_order = 0 if diagonal else root.order
        ways = [[arrange(node, layout, value_order) for node in way] for way in ways]
    count = len(gradients)
    structured = structured_variables(program, lowered.variables, arena)

    def graph(short: bool, all_names: bool = False, way: int = 0) -> Graph:
        roots = [root, *gradients, *ways[way]]
        nodes = simplify(roots, short=short, all_names=all_names)
        if structured:
            nodes = substitute(nodes, structured)
            nodes = simplify(nodes, short=short, all_names=all_names)
        return Graph(
            nodes[0],
            dict(zip(wrt, nodes[1 : 1 + count], strict=True)),
            dict(zip(wrt, nodes[1 + count :], strict=False)),
        )

    read, plain, named = graph(True), graph(False), graph(False, all_names=True)
    inputs = [structured.get(v.id, v) for v in lowered.variables.values()]
    others = [graph(False, way=way) for way in range(1, len(ways))]
    return Prepared(
        [named, read, plain, *others],
        [v for v in inputs if isinstance(v, Variable)],
        cotangent,
        read,
        lowered,
    )


def _with_output_name(made: Plan, program: Program) -> Plan:
    """The value under the name that the program gives it, if it does."""
    output, number = program.typed.output, made.value.value
    if output.op != "name" or all(step.value != number for step in made.forward):
        return made
    return replace(made, names={number: str(output.value), **made.names})


def compile_program(
    program: Program,
    wrt: Sequence[str],
    order: int = 1,
    layout: str = "mixed",
    spelled: Mapping[str, str] | None = None,
    *,
    backend: str = "numpy",
    sizes: Mapping[str, int] | None = None,
    budget: int | None = None,
    segments: int | str | None = None,
    then: Sequence[str] = (),
    diagonal: bool = False,
    compressed: bool = False,
    workspace: bool = False,
    blocked: bool = False,
) -> CompiledFunction:
    """The generated module of a program and its derivatives; see `program_plan`.

    `spelled` gives the key of a variable among the results, where it is not its name;
    `sizes` are the numbers for which the order of operations is chosen; at these, value
    and gradients stay within `budget` bytes.  With `segments` the values between so many
    parts are kept, at any sizes.
    """
    made, read, lowered = program_plan(
        program,
        wrt,
        order,
        layout,
        sizes,
        then=then,
        diagonal=diagonal,
        compressed=compressed,
        blocked=blocked,
    )
    if budget is not None:
        found = tradeoff(made, sizes or {})
        made = found.realised(found.within(budget))
    elif segments is not None:
        found = tradeoff(made, {**made.sizes, **(sizes or {})})
        made = found.realised(found.segments(segments))
    if workspace:
        made = with_workspace(made)
    taken = taken_names(program)
    lines = {"value": read.value}
    for name, node in {**read.gradients, **read.derivatives}.items():
        names = (name, *then) if then else (name,) * order
        quotient = differential_quotient(names, "value")
        lines[f"{'diag ' if diagonal else ''}{quotient}"] = node
    equations = present_joint(lines, taken=taken).text("unicode").splitlines()
    value = _as_read(program, lowered, (*wrt, *then))
    title = f"{value}, and its derivatives by {', '.join(wrt)}" if wrt else value
    return CompiledFunction(
        made,
        backend=backend,
        title=title,
        equations=equations,
        canonical=canonical_name,
        spelled=spelled,
    )


def _as_read(program: Program, lowered: Lowered, plain: Sequence[str]) -> str:
    """The value as it was read, without the lines below it."""
    inputs = program.inputs
    if any(inputs[name].attributes for name in plain if name in inputs):
        shown = program.presentation  # of nodes with the attributes
    else:
        shown = present(lowered.root, row=lowered.row)
    return shown.text("unicode").partition("\n")[0]


def program_cost(
    program: Program,
    wrt: Sequence[str],
    order: int = 1,
    sizes: Mapping[str, int] | None = None,
    *,
    then: Sequence[str] = (),
    diagonal: bool = False,
) -> Cost:
    """FLOPs and memory of the code that `compile_program` generates for these sizes."""
    return Cost(program_plan(program, wrt, order, sizes=sizes, then=then, diagonal=diagonal).plan)
