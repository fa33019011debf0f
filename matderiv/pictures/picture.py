"""The computation graph drawn: input at the lower left, output at the upper right.

Layers and crossings are the business of `grandalf`; here its layers are turned to the
right and tilted upwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import hypot

from matderiv.errors import UnsupportedError
from matderiv.pictures.graph import ComputationGraph, Edge, Vertex
from matderiv.pictures.svg import Drawing, text_width

__all__ = ["place", "size_of", "to_svg"]

Point = tuple[float, float]

_MARGIN = 24.0
_SQUARE = 34.0  # least side of a square
_ACROSS, _BETWEEN = 40.0, 22.0  # from layer to layer, and within one
_ROUNDS = 8  # of crossing reduction
_LEAST_SLOPE, _MOST_SLOPE = 0.2, 1.0


def to_svg(graph: ComputationGraph) -> str:
    """The graph as one SVG page."""
    centres, bends = place(graph)
    sizes = {vertex.number: size_of(vertex) for vertex in graph.vertices}
    corners = [point for points in bends.values() for point in points]
    for number, (x, y) in centres.items():
        width, height = sizes[number]
        corners += [(x - width / 2, y - height / 2), (x + width / 2, y + height / 2)]
    left, right = min(x for x, _ in corners), max(x for x, _ in corners)
    top, bottom = min(y for _, y in corners), max(y for _, y in corners)

    def moved(point: Point) -> Point:
        return (point[0] - left + _MARGIN, point[1] - top + _MARGIN)

    width, height = right - left + 2 * _MARGIN, bottom - top + 2 * _MARGIN
    drawing = Drawing(width, height, f"The computation graph of {graph.vertices[-1].label}")
    drawing.arrowheads()
    by_number = {vertex.number: vertex for vertex in graph.vertices}
    for edge in graph.edges:
        points = [moved(point) for point in (centres[edge.start], *bends[edge], centres[edge.end])]
        points[0] = _border(points[0], points[1], by_number[edge.start])
        points[-1] = _border(points[-1], points[-2], by_number[edge.end])
        drawing.line(points, "edge back" if edge.back else "edge", arrow=True)
    for vertex in graph.vertices:
        _draw(drawing, vertex, *moved(centres[vertex.number]))
    return drawing.to_text()


def place(graph: ComputationGraph) -> tuple[dict[int, Point], dict[Edge, list[Point]]]:
    """The centre of each vertex and the bends of each edge; y grows downwards."""
    try:
        from grandalf.graphs import Edge as Arc
        from grandalf.graphs import Vertex as Knot
        from grandalf.graphs import graph_core
        from grandalf.layouts import SugiyamaLayout
    except ImportError:
        raise UnsupportedError(
            "an SVG of a graph is laid out by grandalf, which is not installed",
            hint='pip install "matderiv[pictures]", or write FILE.dot or FILE.mmd',
        ) from None

    knots = {vertex.number: Knot(vertex.number) for vertex in graph.vertices}
    for vertex in graph.vertices:
        width, height = size_of(vertex)
        knots[vertex.number].view = _Place(height, width)
    # Layers are counted from the output, so that an input stands where it is first used.
    arcs = {edge: Arc(knots[edge.end], knots[edge.start]) for edge in graph.edges if not edge.back}
    for arc in arcs.values():
        arc.view = _Path()
    # All is connected: everything leads to the value.
    layout = SugiyamaLayout(graph_core(list(knots.values()), list(arcs.values())))
    layout.xspace, layout.yspace = _BETWEEN, _ACROSS
    layout.init_all(roots=[knots[graph.vertices[-1].number]])
    layout.draw(_ROUNDS)
    turn = _turn(graph, {number: knot.view.xy for number, knot in knots.items()})
    centres = {number: turn(knot.view.xy) for number, knot in knots.items()}
    bends = {edge: [turn(point) for point in arc.view.inner] for edge, arc in arcs.items()}
    for edge in graph.edges:
        if edge.back:
            bends[edge] = _under(centres, centres[edge.start], centres[edge.end])
    return centres, bends


def _under(centres: Mapping[int, Point], start: Point, end: Point) -> list[Point]:
    """The way back from start to end, below all that stands between them."""
    between = [y for x, y in centres.values() if end[0] <= x <= start[0]]
    level = max(between) + _SQUARE + _BETWEEN
    return [(start[0], level), (end[0], level)]


def _turn(graph: ComputationGraph, points: dict[int, Point]) -> Callable[[Point], Point]:
    """Layers from left to right, the leftmost input below, everything tilted upwards.

    The tilt is as steep as it takes for the output to stand above everything else, within
    bounds; it keeps lines straight and apart.
    """
    last = graph.vertices[-1].number
    leftmost = max(points, key=lambda number: points[number][1])
    below = points[leftmost][0] >= sum(x for x, _ in points.values()) / len(points)
    mirror = 1 if below else -1

    def flat(point: Point) -> Point:
        return -point[1], mirror * point[0]

    end = flat(points[last])
    slopes = [
        (end[1] - y) / (end[0] - x) for x, y in map(flat, points.values()) if x < end[0] - 1.0
    ]
    slope = min(max([_LEAST_SLOPE, *slopes]), _MOST_SLOPE)

    def turn(point: Point) -> Point:
        x, y = flat(point)
        return x, y - slope * x

    return turn


class _Place:
    """What grandalf wants to know of a vertex: its size, and where it is put."""

    def __init__(self, width: float, height: float) -> None:
        self.w, self.h = width, height
        self.xy = (0.0, 0.0)


class _Path:
    """The points of an edge from operator to operand, the bends of long ones included."""

    inner: Sequence[Point] = ()

    def setpath(self, points: Sequence[Point]) -> None:
        self.inner = points[-2:0:-1]


# ---- vertices ------------------------------------------------------------------------


def size_of(vertex: Vertex) -> tuple[float, float]:
    """Width and height in pixels."""
    if vertex.kind == "operator":
        side = max(_SQUARE, text_width(vertex.label, 10 if _is_long(vertex) else 13) + 14)
        return side, side
    text = max(text_width(vertex.label), text_width(vertex.shape, 10))
    return max(_SQUARE, text + 14), _SQUARE + (10 if vertex.shape else 0)


def _is_long(vertex: Vertex) -> bool:
    return len(vertex.label) > 4


def _draw(drawing: Drawing, vertex: Vertex, x: float, y: float) -> None:
    width, height = size_of(vertex)
    marks = "".join(f" {name}" for name in ("wanted", "known") if getattr(vertex, name))
    if vertex.kind == "operator":
        drawing.circle(x, y, width / 2, f"shape operator{marks}", vertex.text)
        drawing.text(x, y, vertex.label, "long" if _is_long(vertex) else "")
        return
    drawing.rectangle(x, y, width, height, f"shape{marks}", vertex.text)
    drawing.text(x, y - 7 if vertex.shape else y, vertex.label)
    if vertex.shape:
        drawing.text(x, y + 10, vertex.shape, "small")


def _border(point: Point, towards: Point, vertex: Vertex) -> Point:
    """Where a line from the centre leaves the shape."""
    dx, dy = towards[0] - point[0], towards[1] - point[1]
    length = hypot(dx, dy)
    if not length:
        return point
    width, height = size_of(vertex)
    if vertex.kind == "operator":
        part = width / 2 / length
    else:
        part = min(width / 2 / abs(dx) if dx else 1.0, height / 2 / abs(dy) if dy else 1.0)
    return point[0] + part * dx, point[1] + part * dy
