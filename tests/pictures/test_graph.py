"""Computation graphs: what is drawn, what is pruned, and where it stands."""

from __future__ import annotations

import itertools
import runpy
from pathlib import Path
from xml.etree import ElementTree

import pytest

import matderiv as md
from matderiv.commands import main
from matderiv.pictures import ComputationGraph, computation_graph

SQUARE = "y: (); a = <x, w>; b = a - y; z = b^2; z"
NETWORK = """
x: (B, D);  w1: (D, M);  w2: (M, K);  y: (B, K)
h = relu(x w1)
||h w2 - y||^2 + 1/2 ||w1||^2
"""
DEEP = "\n".join(["z = x0", *(f"z{k} = tanh(w{k} + x0 .* 2)" for k in range(12)), "sum(z3 + z11)"])
PROGRAMS = {
    "square": SQUARE,
    "network": NETWORK,
    "shared": "x, m: (n); S: (n, n)\n1/2 logdet(S) + 1/2 (x - m)' S^-1 (x - m)",
    "one input": "x: (n)\nx",
    "unused name": "x: (n); u = exp(x)\nsum(x)",
}


def graph(source: str, *wrt: str) -> ComputationGraph:
    return computation_graph(md.parse(source), wrt)


def labels(found: ComputationGraph, kind: str) -> list[str]:
    return [vertex.label for vertex in found.vertices if vertex.kind == kind]


def test_inputs_and_names_are_squares_and_operators_circles() -> None:
    found = graph(SQUARE)
    assert labels(found, "variable") == ["x", "w", "y"]
    assert labels(found, "value") == ["a", "b", "z"]
    assert labels(found, "operator") == ["⟨·,·⟩", "−", "·²"]
    assert len(found.edges) == 8


def test_edges_lead_from_operands_to_operators() -> None:
    for source in PROGRAMS.values():
        found = graph(source)
        places = {vertex.number: place for place, vertex in enumerate(found.vertices)}
        assert all(places[edge.start] < places[edge.end] for edge in found.edges)
        ends = {edge.start for edge in found.edges}
        assert [v.number for v in found.vertices if v.number not in ends] == [
            found.vertices[-1].number
        ]


def test_equal_parts_are_drawn_once_and_numbers_are_labels() -> None:
    found = labels(graph(PROGRAMS["shared"]), "operator")
    assert found.count("−") == 1
    assert "1/2 ·" in found


def test_what_needs_no_gradient_is_pruned() -> None:
    found = graph(NETWORK, "w2")
    assert [v.label for v in found.vertices if v.wanted] == ["w2"]
    assert {v.label for v in found.vertices if v.known} == {"h", "y", "1/2 ||w1||^2"}
    assert "x" not in labels(found, "variable")
    assert "relu" not in labels(found, "operator")
    whole = graph(NETWORK, "w1", "w2", "x", "y")
    assert not any(vertex.known for vertex in whole.vertices)


def test_by_a_named_value_nothing_below_it_is_drawn() -> None:
    found = graph("a = W x; h = tanh(a); o = V h; ||o - y||^2 + ||h||^2", "h")
    assert "W" not in {vertex.label for vertex in found.vertices}
    (wanted,) = [vertex for vertex in found.vertices if vertex.wanted]
    assert (wanted.label, wanted.kind, wanted.known) == ("h", "value", False)
    assert not any(edge.end == wanted.number for edge in found.edges)
    both = graph("a = W x; h = tanh(a); o = V h; ||o - y||^2 + ||h||^2", "h", "W")
    assert {vertex.label for vertex in both.vertices if vertex.wanted} == {"h", "W"}
    assert any(edge.end == wanted.number for edge in both.edges)


def test_a_sum_of_many_terms_is_one_operator() -> None:
    found = graph("x: (n); sum(sin(x) + 2 x + cos(x) + 3)")
    (plus,) = [vertex for vertex in found.vertices if "+" in vertex.label]
    assert plus.label == "· + · + · + 3"
    assert sum(edge.end == plus.number for edge in found.edges) == 3
    many = graph("x: (n); sum(" + " + ".join(f"sin({k} x)" for k in range(2, 300)) + ")")
    assert len(many.vertices) == 2 * 298 + 4


def test_a_loop_leads_back() -> None:
    found = graph("x: (n); W: (3, n, n); z = x; repeat l in 3 { z = tanh(W[l] z) }; sum(z)")
    (back,) = [edge for edge in found.edges if edge.back]
    turned = next(vertex for vertex in found.vertices if vertex.number == back.start)
    assert turned.label == "z"
    assert "l in 3" in turned.shape
    pruned = graph("x: (n); W: (3, n, n); z = x; repeat l in 3 { z = tanh(W[l] z) }; sum(z)", "W")
    assert any(edge.back for edge in pruned.edges)
    assert [vertex.label for vertex in pruned.vertices if vertex.known] == ["x"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_input_is_at_the_lower_left_and_the_output_at_the_upper_right(name: str) -> None:
    from matderiv.pictures.picture import place

    found = graph(PROGRAMS[name])
    centres, bends = place(found)
    end = centres.pop(found.vertices[-1].number)
    assert all(x < end[0] and y > end[1] - 0.01 for x, y in centres.values())
    left = min(x for x, _ in centres.values())
    lowest = max(y for x, y in centres.values() if x == left)
    assert lowest >= sum(y for _, y in centres.values()) / len(centres)
    assert set(bends) == set(found.edges)


@pytest.mark.parametrize("name", PROGRAMS)
def test_vertices_do_not_overlap(name: str) -> None:
    from matderiv.pictures.picture import place, size_of

    found = graph(PROGRAMS[name])
    centres, _ = place(found)
    for one, other in itertools.combinations(found.vertices, 2):
        (x, y), (u, v) = centres[one.number], centres[other.number]
        (width, height), (breadth, depth) = size_of(one), size_of(other)
        assert abs(x - u) >= (width + breadth) / 2 or abs(y - v) >= (height + depth) / 2


@pytest.mark.parametrize("name", PROGRAMS)
def test_svg_is_well_formed_and_inside_its_page(name: str) -> None:
    found = graph(PROGRAMS[name])
    root = ElementTree.fromstring(found.to("svg"))
    space = "{http://www.w3.org/2000/svg}"
    circles = root.findall(f"{space}circle")
    assert len(circles) == len(labels(found, "operator"))
    assert len(root.findall(f"{space}polyline")) == len(found.edges)
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    points = [tuple(map(float, (c.get("cx", -1), c.get("cy", -1)))) for c in circles]
    for line in root.findall(f"{space}polyline"):
        points += [tuple(map(float, p.split(","))) for p in line.get("points", "").split()]
    assert all(0 <= x <= width and 0 <= y <= height for x, y in points)


@pytest.mark.parametrize("format", ["svg", "mermaid"])
def test_text_is_escaped(format: str) -> None:
    text = graph("y: ()\n(<x, w> - y)^2", "w").to(format)
    assert "<x" not in text


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(md.MatderivError, match="the formats are svg, dot, mermaid"):
        graph(SQUARE).to("png")


def test_the_command_writes_what_the_suffix_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for suffix, start in ((".svg", "<svg"), (".dot", "digraph"), (".mmd", "flowchart")):
        path = tmp_path / f"graph{suffix}"
        assert main(["graph", SQUARE, "wrt", "w", "-o", str(path)]) == 0
        assert path.read_text("utf-8").startswith(start)
    assert main(["graph", SQUARE, "-o", str(path)]) == 2
    assert "exists" in capsys.readouterr().err
    assert main(["graph", SQUARE]) == 0
    assert capsys.readouterr().out.startswith("flowchart")


@pytest.mark.parametrize("name", ["graph.svg", "timeline.svg", "curve.svg"])
def test_the_pictures_of_the_documentation_are_fresh(name: str) -> None:
    docs = Path(__file__).parents[2] / "docs"
    drawn = runpy.run_path(str(docs / "pictures.py"))["pictures"]()
    assert drawn[name] == (docs / name).read_text("utf-8"), "run: python docs/pictures.py"
