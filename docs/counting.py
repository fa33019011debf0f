"""Writes the generated tables of docs/counting.md: python docs/counting.py.

A table stands between `<!-- name -->` and `<!-- end -->`.
"""

from __future__ import annotations

import re
from pathlib import Path

import matderiv as md
from matderiv.program.counting import ARITHMETIC, LINEAR_ALGEBRA, REDUCTIONS, WEIGHTS
from matderiv.reports.flops import ratio_text
from matderiv.reports.tables import Code, Table, render

TARGET = Path(__file__).with_suffix(".md")

# The shapes of the operands with which a row of the table is counted.
SQUARE, ANY = ("n", "n"), ("m", "n")
OPERANDS = {
    "linalg.solve": (SQUARE, ("n", "r")),
    "scipy.linalg.solve_sylvester": (("m", "m"), ("m", "n")),
    **dict.fromkeys(("linalg.svd", "linalg.svdvals", "linalg.pinv"), (ANY, ANY)),
}

NETWORKS = {
    "linear layers": ("x: (B, D); w1: (D, D); w2: (D, K); ||x w1 w2||^2", ["w1", "w2", "x"]),
    "MLP": (
        "x: (B, D); w1: (D, D); b: (D); w2: (D, D); h = relu(x w1 + b); ||h w2||^2",
        ["w1", "b", "w2"],
    ),
    "MLP, its input too": (
        "x: (B, D); w1: (D, D); b: (D); w2: (D, D); h = relu(x w1 + b); ||h w2||^2",
        ["w1", "b", "w2", "x"],
    ),
    "attention": (
        "Q: (n, d); K: (n, d); V: (n, d); T: (n, d); P = softmax(Q K' / sqrt(d)); ||P V - T||^2",
        ["Q", "K", "V"],
    ),
    "layer norm": (
        "x, g, b, t: (n); c = x - mean(x); v = mean(c .* c); ||g .* c / sqrt(v) + b - t||^2",
        ["x", "g", "b"],
    ),
    "logistic regression": ("sum(log(1 + exp(-y .* (X w))))", ["w"]),
    "Gaussian likelihood": (
        "S: (n, n) posdef; x, m: (n); logdet(S) + (x - m)' S^-1 (x - m)",
        ["S", "m"],
    ),
}


def arithmetic() -> str:
    names = ", ".join(f"`{name}`" for name in sorted(ARITHMETIC))
    reductions = ", ".join(f"`{name}`" for name in sorted(REDUCTIONS))
    rows = [
        (names, "1 for each entry of the result"),
        (reductions, "entries in - entries out"),
        ("products, any contraction over K", "2 K - 1 for each entry of the result"),
    ]
    return render(Table(("NumPy", "FLOPs"), rows), "markdown")


def factorisations() -> str:
    rows = [
        (Code(name), count(*OPERANDS.get(name, (SQUARE, SQUARE))))
        for name, count in LINEAR_ALGEBRA.items()
    ]
    return render(Table(("NumPy or SciPy", "FLOPs"), rows), "markdown")


def weights() -> str:
    by_weight: dict[int, list[str]] = {}
    for name, weight in WEIGHTS.items():
        by_weight.setdefault(weight, []).append(f"`{name.rpartition('.')[2]}`")
    rows = [(", ".join(names), str(weight)) for weight, names in sorted(by_weight.items())]
    return render(Table(("function", "FLOPs for one value"), rows), "markdown")


def ratios() -> str:
    rows = []
    for name, (source, wrt) in NETWORKS.items():
        counts = md.cost(source, wrt).polynomials
        ratio = ratio_text(counts.backward, counts.forward).removeprefix("→ ")
        rows.append((name, counts.forward.leading, counts.backward.leading, ratio))
    return render(Table(("value", "forward", "backward", "backward/forward"), rows), "markdown")


TABLES = {
    "arithmetic": arithmetic,
    "factorisations": factorisations,
    "weights": weights,
    "ratios": ratios,
}


def page(text: str) -> str:
    """The page with its tables made anew."""

    def fresh(match: re.Match[str]) -> str:
        return f"<!-- {match[1]} -->\n\n{TABLES[match[1]]()}\n\n<!-- end -->"

    return re.sub(r"<!-- (\w+) -->\n.*?<!-- end -->", fresh, text, flags=re.DOTALL)


if __name__ == "__main__":
    TARGET.write_text(page(TARGET.read_text("utf-8")), encoding="utf-8")
