"""Draws the pictures of docs/pictures.md: python docs/pictures.py."""

from __future__ import annotations

from pathlib import Path

import matderiv as md
from matderiv.pictures import computation_graph, timeline

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
    return {
        "graph.svg": computation_graph(md.parse(OBJECTIVE)).to("svg"),
        "timeline.svg": timeline(plan, sizes).to("svg"),
    }


if __name__ == "__main__":
    for name, text in pictures().items():
        (HERE / name).write_text(text, encoding="utf-8")
