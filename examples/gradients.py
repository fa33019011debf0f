"""Gradients of scalars by a vector in numerator layout: rows.

α is a constant, f and g are any scalar functions of x, u and v any elementwise ones.
"""

import matderiv as md

DECLARATIONS = "x: (n), α: (), f, g: scalar function, u, v: elementwise"
SCALARS = ["α", "α f(x)", "sum(x)", "||x||^2", "f(x) + g(x)", "f(x) g(x)", "<u(x), v(x)>"]

table = {y: md.diff(f"{y} where {DECLARATIONS}", "x", layout="numerator") for y in SCALARS}

if __name__ == "__main__":
    for y, gradient in table.items():
        print(f"{y:14} {gradient}")
