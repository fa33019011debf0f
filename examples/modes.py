"""Forward and reverse accumulation over one graph: operations and memory of each.

A chain of n steps, by k variables.  Forward accumulation runs once for each variable and
keeps nothing, O(n k) operations; reverse accumulation runs once, O(n), and keeps a value
of each step.  A chain of matrices is cheapest from neither end.
"""

import matderiv as md
from matderiv.reports.modes import compare

SIZES = {"M": 1000}
WIDTHS = {"a": 400, "b": 20, "c": 400, "d": 20, "e": 400}
CHAIN = "W1: (b, a); W2: (c, b); W3: (d, c); W4: (e, d)\nW4 tanh(W3 tanh(W2 tanh(W1 x)))"


def steps(n, k):
    """n steps on M numbers that depend on k variables."""
    declared = [f"a{j}: (); c{j}: (M)" for j in range(k)]
    start = " + ".join(f"a{j} c{j}" for j in range(k))
    lines = [f"z0 = {start}", *(f"z{i + 1} = sin(z{i})" for i in range(n)), f"sum(z{n})"]
    return "\n".join([*declared, *lines])


def leading(n, k, mode):
    """FLOPs of the gradients by all k variables, in multiples of M."""
    costs = md.modes(steps(n, k), [f"a{j}" for j in range(k)], sizes=SIZES)
    return costs[mode].polynomials.derivative.leading


if __name__ == "__main__":
    for n, k in ((8, 1), (8, 4), (16, 4)):
        counts = {mode: str(leading(n, k, mode)) for mode in ("forward", "reverse")}
        print(f"n = {n:2}, k = {k}: {counts}")
    for n in (8, 16, 32):
        print(f"n = {n}, one variable:")
        print(compare(md.modes(steps(n, 1), ["a0"], sizes=SIZES), sizes=SIZES))
    print(compare(md.modes(CHAIN, ["x"], sizes=WIDTHS), sizes=WIDTHS))
