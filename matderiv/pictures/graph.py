"""The computation graph of a program as it was written, and as backpropagation needs it.

Inputs and named values are squares, operators circles, an edge leads from an operand to
its operator.  A number beside an operator is part of its label.  Without names to
differentiate by the whole graph is shown; with them only what depends on one of them:
what does not is known before the backward pass and ends in a dashed square.

>>> import matderiv as md
>>> graph = computation_graph(md.parse("y: (); a = <x, w>; b = a - y; b^2"), ["w"])
>>> [vertex.label for vertex in graph.vertices if vertex.kind == "operator"]
['⟨·,·⟩', '−', '·²']
>>> [vertex.label for vertex in graph.vertices if vertex.known]
['x', 'y']
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from matderiv.errors import MatderivError
from matderiv.language.typed import Assignment, Repeat, Typed
from matderiv.tensor.dims import shape_text

if TYPE_CHECKING:
    from matderiv.source import Program

__all__ = ["GRAPH_FORMATS", "ComputationGraph", "Edge", "Vertex", "computation_graph"]

GRAPH_FORMATS = ("svg", "dot", "mermaid")
_SIGNS = {
    "add": "+",
    "subtract": "−",
    "multiply": "⊙",
    "divide": "/",
    "negate": "−",
    "power": "^",
    "product": "×",
    "outer": "u vᵀ",
    "inner": "⟨·,·⟩",
    "kron": "⊗",
    "solve": "\\",
    "transpose": "·ᵀ",
}
_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


@dataclass(frozen=True)
class Vertex:
    """A square ("variable" or "value") or a circle ("operator").

    shape   of the array, as text; empty for a scalar
    text    the part of the program that it stands for
    wanted  whether the gradient by it is asked for
    known   whether it is a leaf that does not depend on what the gradient is asked by
    """

    number: int
    kind: str
    label: str
    shape: str
    text: str
    wanted: bool = False
    known: bool = False


@dataclass(frozen=True)
class Edge:
    """From an operand to its operator; `back` leads to the next turn of a loop."""

    start: int
    end: int
    back: bool = False


@dataclass(frozen=True)
class ComputationGraph:
    """Vertices, operands before operators, and edges; the last vertex is the value."""

    vertices: tuple[Vertex, ...]
    edges: tuple[Edge, ...]

    def to(self, format: str) -> str:
        """The graph as "svg", "dot" or "mermaid"."""
        from matderiv.pictures import markup, picture

        writers: dict[str, Callable[[ComputationGraph], str]] = {
            "svg": picture.to_svg,
            "dot": markup.to_dot,
            "mermaid": markup.to_mermaid,
        }
        if format not in writers:
            raise MatderivError(
                f"a graph has no format {format!r}; the formats are {', '.join(writers)}"
            )
        return writers[format](self)

    def _repr_svg_(self) -> str:
        return self.to("svg")


def computation_graph(program: Program, wrt: Sequence[str] = ()) -> ComputationGraph:
    """The graph of a program, pruned to what depends on `wrt` if that is given."""
    names = [program.name_of(name) for name in wrt]
    reading = _Reading(program.source)
    for statement in program.typed.statements:
        reading.read(statement)
    output = program.typed.output
    end = reading.vertex(output)
    if output.op != "name":
        end = reading.square("value", "f", output, [end])
    graph = ComputationGraph(tuple(reading.vertices), tuple(reading.edges))
    return _pruned(_ancestors(graph, end), names)


class _Reading:
    """The vertices and edges of the statements read so far."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.vertices: list[Vertex] = []
        self.edges: list[Edge] = []
        self.named: dict[str, int] = {}
        self.known: dict[Hashable, int] = {}  # equal operators on equal operands

    def add(self, kind: str, label: str, shape: str, text: str, operands: Sequence[int]) -> int:
        number = len(self.vertices)
        self.vertices.append(Vertex(number, kind, label, shape, text))
        self.edges += [Edge(operand, number) for operand in dict.fromkeys(operands)]
        return number

    def square(self, kind: str, name: str, part: Typed, operands: Sequence[int]) -> int:
        shape = shape_text(part.shape) if part.shape else ""
        return self.add(kind, name, shape, self.text(part), operands)

    def text(self, part: Typed) -> str:
        return " ".join(self.source[slice(*part.span)].split())

    def read(self, statement: Assignment | Repeat) -> None:
        if isinstance(statement, Repeat):
            self.repeat(statement)
            return
        expression = statement.expression
        operand = self.vertex(expression)
        self.named[statement.name] = self.square("value", statement.name, expression, [operand])

    def repeat(self, statement: Repeat) -> None:
        """The body once; the names that it carries lead back to their first square."""
        before = {name: self.named.get(name) for name in statement.carried}
        for inner in statement.body:
            self.read(inner)
        turns = f"{statement.index} in {statement.count}"
        for name, start in before.items():
            end = self.named[name]
            vertex = self.vertices[end]
            self.vertices[end] = replace(vertex, shape=f"{vertex.shape} {turns}".strip())
            if start is not None:
                self.edges.append(Edge(end, start, back=True))

    def vertex(self, root: Typed) -> int:
        """The vertex of an expression; trees may be deep, so nothing recurses."""
        made: dict[int, int | None] = {}
        parts = list(root.post_order())
        # a + b + c is one sum.
        within = {id(part.args[0]) for part in parts if _is_sum(part) and _is_sum(part.args[0])}
        terms: dict[int, list[Typed]] = {}
        for part in parts:
            if part.op == "name" and part.value in self.named:
                made[id(part)] = self.named[part.value]
            elif part.op in ("input", "name"):
                made[id(part)] = self._input(part)
            elif _is_sum(part):
                first, last = part.args
                terms[id(part)] = [*terms.pop(id(first), [first]), last]
                if id(part) not in within:
                    made[id(part)] = self._operator(part, terms[id(part)], made, part is root)
            else:
                made[id(part)] = self._operator(part, part.args, made, part is root)
        number = made[id(root)]
        assert number is not None
        return number

    def _operator(
        self, part: Typed, args: Sequence[Typed], made: Mapping[int, int | None], last: bool
    ) -> int | None:
        """A circle; None for a constant, which becomes part of its operator's label."""
        operands = [made[id(arg)] for arg in args]
        arrays = [number for number in operands if number is not None]
        if not arrays and not last:
            return None
        texts = [
            self.text(arg) if number is None else None
            for arg, number in zip(args, operands, strict=True)
        ]
        label = operator_label(part, texts) if arrays else self.text(part)
        key = (part.op, label, tuple(operands))
        if key not in self.known:
            shape = shape_text(part.shape) if part.shape else ""
            self.known[key] = self.add("operator", label, shape, self.text(part), arrays)
        return self.known[key]

    def _input(self, part: Typed) -> int:
        name = str(part.value)
        if name not in self.named:
            self.named[name] = self.square("variable", name, part, [])
        return self.named[name]


def _is_sum(part: Typed) -> bool:
    return part.op == "add" and len(part.args) == 2


def operator_label(part: Typed, constants: Sequence[str | None]) -> str:
    """The sign of an operator, with the constants beside it: "2 ·", "· + 1", "·²"."""
    if part.op == "apply":
        return str(part.value[0])
    if part.op == "call":
        name, orders = part.value
        primes = sum(order for order in orders if isinstance(order, int))
        return str(name) + "'" * primes
    if part.op == "norm":
        return "‖·‖" if part.value in ("F", "2", 2, None) else f"‖·‖_{part.value}"
    if part.op == "inverse":
        return "·⁻¹" if part.value == "-1" else "·⁻ᵀ"
    if part.op == "matrix_power":
        return f"·{part.value}".translate(_SUPERSCRIPTS)
    if part.op == "index":
        return "[…]"
    sign = _SIGNS[part.op]
    if part.op == "multiply" and any(arg.kind == "scalar" for arg in part.args):
        sign = "·"
    if all(constant is None for constant in constants):
        return sign
    if part.op == "power" and constants[1] and constants[1].lstrip("-").isdecimal():
        return f"·{constants[1].translate(_SUPERSCRIPTS)}"
    shown = [constant or "·" for constant in constants]
    return " ".join(shown) if sign == "·" else f" {sign} ".join(shown)


# ---- pruning -------------------------------------------------------------------------


def _ancestors(graph: ComputationGraph, end: int) -> ComputationGraph:
    """What the value is computed from."""
    kept = {end}
    for edge in sorted(graph.edges, key=lambda edge: -edge.end):
        if edge.end in kept and not edge.back:
            kept.add(edge.start)
    return _kept(graph, kept)


def _pruned(graph: ComputationGraph, names: Sequence[str]) -> ComputationGraph:
    if not names:
        return graph
    # A name that is given anew stands for what it is last.
    squares = {v.label: v.number for v in graph.vertices if v.kind != "operator"}
    wanted = {squares[name] for name in names if name in squares}
    depending: set[int] = set()
    found = set(wanted)
    while found > depending:  # once more for each loop that leads back
        depending = set(found)
        for edge in sorted(graph.edges, key=lambda edge: edge.end):
            if edge.start in found:
                found.add(edge.end)
    # What a value is computed from plays no part in the gradient by it.
    edges = [
        edge
        for edge in graph.edges
        if edge.end in depending and (edge.start in depending or edge.end not in wanted)
    ]
    kept = depending | {edge.start for edge in edges}
    vertices = []
    for vertex in graph.vertices:
        known = vertex.number not in depending
        if known and vertex.kind == "operator":
            vertex = replace(vertex, kind="value", label=vertex.text)
        vertices.append(replace(vertex, wanted=vertex.number in wanted, known=known))
    return _kept(ComputationGraph(tuple(vertices), tuple(edges)), kept)


def _kept(graph: ComputationGraph, kept: set[int]) -> ComputationGraph:
    return ComputationGraph(
        tuple(vertex for vertex in graph.vertices if vertex.number in kept),
        tuple(edge for edge in graph.edges if edge.start in kept and edge.end in kept),
    )
