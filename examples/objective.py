"""A hidden layer, any loss and a ridge penalty: the gradients of both weight matrices.

φ and l stay abstract, as on a blackboard; code takes them and their derivatives as
arguments.
"""

import matderiv as md

PROGRAM = """
x: (d);  W1: (p, d);  W2: (q, p);  y: (q);  λ: ()
φ: elementwise;  l: scalar function
z = W1 x
h = φ(z)
o = W2 h
L = l(o, y)
s = λ/2 (||W1||_F^2 + ||W2||_F^2)
J = L + s
J
"""

gradients = {name: md.diff(PROGRAM, name) for name in ("W2", "W1")}

if __name__ == "__main__":
    for name, gradient in gradients.items():
        print(f"∂J/∂{name} = {gradient}")
