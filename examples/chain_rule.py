"""The chain rule in matrix form: Yhat = A X + B, L = Σ f(Yhat, Y), for any f.

∂L/∂X is A' times the derivative of L by Yhat, whatever f is.
"""

import matderiv as md

PROGRAM = """
A: (M, N);  X: (N, P);  B, Y: (M, P)
f: elementwise
Yhat = A X + B
L = sum(f(Yhat, Y))
L
"""

gradient = md.diff(PROGRAM, "X")

if __name__ == "__main__":
    print(f"∂L/∂X = {gradient}")
