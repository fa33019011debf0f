"""Jacobians of vectors by a vector in numerator layout: ∂y_i/∂x_j in row i, column j.

a and A are constants, u and v any elementwise functions.
"""

import matderiv as md

DECLARATIONS = "x: (n), a: (m), A: (m, n), B: (n, m), α: (), u, v: elementwise"
VECTORS = ["a", "x", "A x", "x' B", "α u(x)", "A u(x)", "u(x) + v(x)"]

table = {y: md.diff(f"{y} where {DECLARATIONS}", "x", layout="numerator") for y in VECTORS}

if __name__ == "__main__":
    for y, jacobian in table.items():
        print(f"{y:12} {jacobian}")
