"""FLOPs of a three-layer network, operation by operation, forward and backward.

No gradient of the input x is computed unless it is asked for: the first layer then
costs backward what it costs forward, every other layer twice that.
"""

import matderiv as md

NETWORK = """
x: (B, M0);  y: (B, M3)
w1: (M0, M1);  w2: (M1, M2);  w3: (M2, M3)
z1 = relu(x w1)
z2 = relu(z1 w2)
yhat = z2 w3
||yhat - y||^2
"""
WEIGHTS = ["w1", "w2", "w3"]

cost = md.cost(NETWORK, WEIGHTS)
with_input = md.cost(NETWORK, [*WEIGHTS, "x"])

if __name__ == "__main__":
    for row in cost.table():
        print(f"{row.phase:9} {row.name:9} {row.formula:34} {row.exact!s:20} {row.leading}")
    print(f"forward, leading    {cost.leading.forward}")
    print(f"backward            {cost.leading.backward}")
    print(f"backward, x too     {with_input.leading.backward}")
