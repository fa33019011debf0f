"""Computation graphs for Graphviz and Mermaid, which place the vertices themselves."""

from __future__ import annotations

from matderiv.pictures.graph import ComputationGraph, Vertex

__all__ = ["to_dot", "to_mermaid"]


def to_dot(graph: ComputationGraph) -> str:
    """Graphviz: `dot -Tsvg`."""
    lines = ["digraph {", "  rankdir=LR;", "  node [fontname=Helvetica];"]
    for vertex in graph.vertices:
        style = [f"label={_quoted(_label(vertex))}", f"tooltip={_quoted(vertex.text)}"]
        style.append("shape=circle" if vertex.kind == "operator" else "shape=box")
        if vertex.known:
            style.append("style=dashed")
        elif vertex.wanted:
            style.append("style=bold")
        lines.append(f"  v{vertex.number} [{', '.join(style)}];")
    for edge in graph.edges:
        style_text = " [style=dashed, constraint=false]" if edge.back else ""
        lines.append(f"  v{edge.start} -> v{edge.end}{style_text};")
    return "\n".join([*lines, "}"])


def to_mermaid(graph: ComputationGraph) -> str:
    """Mermaid, which GitHub renders in a fenced block."""
    lines = ["flowchart LR"]
    for vertex in graph.vertices:
        text = _escaped(_label(vertex)).replace("\n", "<br>")
        opening, closing = ("((", "))") if vertex.kind == "operator" else ("[", "]")
        lines.append(f'  v{vertex.number}{opening}"{text}"{closing}')
    for edge in graph.edges:
        arrow = "-.->" if edge.back else "-->"
        lines.append(f"  v{edge.start} {arrow} v{edge.end}")
    lines += ["  classDef wanted stroke-width:3px", "  classDef known stroke-dasharray:4"]
    for name in ("wanted", "known"):
        found = [f"v{vertex.number}" for vertex in graph.vertices if getattr(vertex, name)]
        if found:
            lines.append(f"  class {','.join(found)} {name}")
    return "\n".join(lines)


def _label(vertex: Vertex) -> str:
    return f"{vertex.label}\n{vertex.shape}" if vertex.shape else vertex.label


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _escaped(text: str) -> str:
    """Mermaid takes entities, numbered in decimals, for what it would read itself."""
    return "".join(f"#{ord(letter)};" if letter in '"#<>`' else letter for letter in text)
