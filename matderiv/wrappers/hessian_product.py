"""Code for products with the Hessian, H V along directions that are given as values.

The direction of a variable `w` is the value `dw`; with several variables the product is
that of the whole Hessian, mixed blocks included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from matderiv.api import Source, parse
from matderiv.calculus.derivative import push_forward, reverse
from matderiv.calculus.maps import seed
from matderiv.calculus.simplify import simplify, substitute
from matderiv.errors import UnsupportedError
from matderiv.language import canonical_name
from matderiv.notation import present_joint
from matderiv.program import Graph, plan
from matderiv.program.compiled import CompiledFunction
from matderiv.source import structured_variables, taken_names
from matderiv.tensor.arena import Arena
from matderiv.tensor.nodes import Variable

__all__ = ["compile_hessian_product"]


def compile_hessian_product(
    source: Source,
    wrt: str | Sequence[str],
    *,
    backend: str = "numpy",
    sizes: Mapping[str, int] | None = None,
    blocked: bool = False,
) -> CompiledFunction:
    """The module whose `derivative` is H V, by variable: forward over reverse.

    `blocked` as in `compile`: in blocks of rows, for numpy alone.

    >>> f = compile_hessian_product("w' w w' w where w: (2)", "w")
    >>> f.derivative({"w": [1.0, 2.0], "dw": [1.0, 0.0]})["w"].tolist()
    [28.0, 16.0]
    """
    program, arena = parse(source), Arena()
    wrt = program.names_of(wrt)
    lowered = program.lowered(arena, wrt)
    root = lowered.root
    if root.order:
        raise UnsupportedError("a Hessian is that of a scalar")
    variables = [lowered.variables[name] for name in wrt]
    taken = taken_names(program)
    directions = {}
    for variable in variables:
        name = f"d{variable.name}"
        directions[variable] = seed(variable, name if name not in taken else f"{name}_")
    gradient = simplify(reverse(root, variables))
    products = push_forward(gradient, directions)
    structured = structured_variables(program, lowered.variables, arena)

    def graph(short: bool) -> Graph:
        nodes = simplify([root, *products], short=short)
        if structured:
            nodes = simplify(substitute(nodes, structured), short=short)
        return Graph(nodes[0], {}, dict(zip(wrt, nodes[1:], strict=True)))

    read, plain = graph(True), graph(False)
    inputs = [structured.get(v.id, v) for v in lowered.variables.values()]
    made = plan(
        read.value,
        {},
        read.derivatives,
        inputs=[*(v for v in inputs if isinstance(v, Variable)), *directions.values()],
        sizes=sizes,
        alternatives=[plain],
        wrt=dict.fromkeys(wrt, ()),
        blocked=blocked,
    )
    made = replace(made, along={v.name: direction.name for v, direction in directions.items()})
    lines = {f"∂²value/∂{name} [d]": node for name, node in read.derivatives.items()}
    equations = present_joint({"value": read.value, **lines}, taken=taken).text("unicode")
    return CompiledFunction(
        made,
        backend=backend,
        title=f"{str(program).partition(chr(10))[0]}, and products with its Hessian",
        equations=equations.splitlines(),
        canonical=canonical_name,
    )
