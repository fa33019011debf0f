"""Draws the pictures of docs/pictures.md and docs/memory.md: python docs/pictures.py."""

from __future__ import annotations

from pathlib import Path

import matderiv as md
from matderiv.pictures import computation_graph, timeline
from matderiv.program.rematerialize import Tradeoff
from matderiv.reports.rematerialization import curve_picture

HERE = Path(__file__).parent
OBJECTIVE = """
x: (d); W1: (p, d); W2: (q, p); y: (q); λ: ()
φ: elementwise; l: scalar function
z = W1 x
h = φ(z)
o = W2 h
L = l(o, y)
s = λ/2 (||W1||_F^2 + ||W2||_F^2)
J = L + s
J
"""
NETWORK = """
x: (B, D);  w1: (D, M);  w2: (M, M);  w3: (M, K);  y: (B, K)
h1 = relu(x w1)
h2 = relu(h1 w2)
yhat = h2 w3
||yhat - y||^2
"""


def pictures() -> dict[str, str]:
    """The text of each file."""
    plan = md.compile(NETWORK, ["w1", "w2", "w3"]).plan
    sizes = {"B": 64, "D": 32, "M": 128, "K": 10}
    deep = (HERE.parent / "examples" / "deep.txt").read_text(encoding="utf-8")
    widths = {"B": 512, "M": 64}
    weights = [f"W{k}" for k in range(1, 10)]
    tradeoff = Tradeoff(md.compile(deep, weights, sizes=widths).plan, widths)
    return {
        "curve.svg": curve_picture(tradeoff),
        "graph.svg": computation_graph(md.parse(OBJECTIVE)).to("svg"),
        "timeline.svg": timeline(plan, sizes).to("svg"),
    }


if __name__ == "__main__":
    for name, text in pictures().items():
        (HERE / name).write_text(text, encoding="utf-8")
