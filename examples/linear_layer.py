"""A linear layer Y = X W + b, and its three gradients for any loss after it.

`l` stays abstract: ∂l/∂Y is the gradient that the layer receives.  As maps of that
incoming gradient, without any loss, the same formulas are vector-Jacobian products.
"""

import matderiv as md

SHAPES = "X: (n, d); W: (d, m); b: (m)"
NAMES = ["X", "W", "b"]

gradients = md.diff(f"{SHAPES}; l: scalar function; Y = X W + b; l(Y)", NAMES)
maps = {name: d.vjp() for name, d in md.diff(f"{SHAPES}; X W + b", NAMES).items()}

if __name__ == "__main__":
    for name, gradient in gradients.items():
        print(f"∂l/∂{name} = {gradient}")
    for name, adjoint in maps.items():
        print(f"{name}: {adjoint}")
