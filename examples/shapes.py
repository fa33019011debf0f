"""The shape of every derivative: scalar, vector, matrix by scalar, vector, matrix.

Numerator layout is the shape of Y followed by the reversed shape of X; denominator
layout is its mirror.
"""

import matderiv as md

DECLARATIONS = (
    "α: (), x: (n), X: (n, k), v: (m), V: (m, l), A: (m, n), C: (n, k), b: (k), c: (l), D: (k, l)"
)
CELLS = [
    ("α^2", "sum(x)", "<C, X>"),  # y: ()
    ("α v", "A x", "A X b"),  # y: (m,)
    ("α V", "A x c'", "A X D"),  # Y: (m, l)
]


def shape(value: str, wrt: str, layout: str) -> tuple[object, ...]:
    return md.diff(f"{value} where {DECLARATIONS}", wrt, layout=layout).shape


if __name__ == "__main__":
    for layout in ("numerator", "denominator"):
        print(f"{layout:13}{'α ()':14}{'x (n)':14}X (n, k)")
        for kind, row in zip(("y ()", "y (m)", "Y (m, l)"), CELLS, strict=True):
            shapes = [shape(value, wrt, layout) for value, wrt in zip(row, "αxX", strict=True)]
            cells = [f"({', '.join(map(str, cell))})" for cell in shapes]
            print(f"  {kind:11}{cells[0]:14}{cells[1]:14}{cells[2]}")
