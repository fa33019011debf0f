"""SVG, built as a tree of elements so that no text can break out of it."""

from __future__ import annotations

from xml.etree import ElementTree

__all__ = ["Drawing", "text_width"]

_STYLE = """
text { font: 13px sans-serif; fill: #222; text-anchor: middle; dominant-baseline: central }
text.small { font-size: 10px; fill: #666 }
text.long { font-size: 10px }
text.left { text-anchor: start }
text.right { text-anchor: end }
.shape { fill: #fff; stroke: #444; stroke-width: 1.2 }
.known { stroke: #999; stroke-dasharray: 4 3 }
.wanted { fill: #fde9d0; stroke: #b35900; stroke-width: 2 }
.operator { fill: #e8f0fa }
.edge { fill: none; stroke: #666; stroke-width: 1.2 }
.back { stroke-dasharray: 4 3 }
.grid { stroke: #ddd; stroke-width: 1 }
.life { fill: #9ec1e6; stroke: #3c6ea5 }
.ready { fill: #b58bd6; stroke: #6b3fa0 }
.turn { stroke: #b35900; stroke-width: 1.5; stroke-dasharray: 5 3 }
"""


def text_width(text: str, size: float = 13) -> float:
    """About how wide a text is set, in pixels."""
    return 0.62 * size * len(text)


class Drawing:
    """A page of SVG in pixels; y grows downwards."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self.root = ElementTree.Element(
            "svg",
            xmlns="http://www.w3.org/2000/svg",
            width=_number(width),
            height=_number(height),
            viewBox=f"0 0 {_number(width)} {_number(height)}",
            role="img",
        )
        ElementTree.SubElement(self.root, "title").text = title
        ElementTree.SubElement(self.root, "style").text = _STYLE
        background = {"width": "100%", "height": "100%", "fill": "#fff"}
        ElementTree.SubElement(self.root, "rect", background)

    def arrowheads(self) -> None:
        """Define the marker that `line(…, arrow=True)` ends in."""
        definitions = ElementTree.SubElement(self.root, "defs")
        marker = ElementTree.SubElement(
            definitions,
            "marker",
            id="arrow",
            viewBox="0 0 8 8",
            refX="8",
            refY="4",
            markerWidth="7",
            markerHeight="7",
            orient="auto",
        )
        ElementTree.SubElement(marker, "path", d="M0 0.8 L8 4 L0 7.2 z", fill="#666")

    def rectangle(
        self, x: float, y: float, width: float, height: float, kind: str, title: str = ""
    ) -> None:
        """A rectangle around the point (x, y)."""
        element = self._add(
            "rect",
            kind,
            x=x - width / 2,
            y=y - height / 2,
            width=width,
            height=height,
            rx=2.0,
        )
        _titled(element, title)

    def circle(self, x: float, y: float, radius: float, kind: str, title: str = "") -> None:
        _titled(self._add("circle", kind, cx=x, cy=y, r=radius), title)

    def line(self, points: list[tuple[float, float]], kind: str, arrow: bool = False) -> None:
        path = " ".join(f"{_number(x)},{_number(y)}" for x, y in points)
        element = self._add("polyline", kind)
        element.set("points", path)
        if arrow:
            element.set("marker-end", "url(#arrow)")

    def text(self, x: float, y: float, text: str, kind: str = "", turn: float = 0) -> None:
        """Text around (x, y), or from or up to it; `turn` degrees clockwise."""
        element = self._add("text", kind, x=x, y=y)
        element.text = text
        if turn:
            element.set("transform", f"rotate({_number(turn)} {_number(x)} {_number(y)})")

    def to_text(self) -> str:
        ElementTree.indent(self.root)
        return ElementTree.tostring(self.root, encoding="unicode") + "\n"

    def _add(self, tag: str, kind: str, **numbers: float) -> ElementTree.Element:
        element = ElementTree.SubElement(self.root, tag)
        if kind:
            element.set("class", kind)
        for name, number in numbers.items():
            element.set(name, _number(number))
        return element


def _titled(element: ElementTree.Element, title: str) -> None:
    if title:
        ElementTree.SubElement(element, "title").text = title


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
