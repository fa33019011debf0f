"""Two linear layers: gradients, FLOPs of each, and the factor 2 of backward propagation.

Each δ is what PyTorch calls .grad: δh1 is h1.grad.
"""

import matderiv as md

NETWORK = """
x: (B, D);  w1: (D, D);  w2: (D, K)
h1 = x @ w1
h2 = h1 @ w2
h2.pow(2).mean()
"""

gradients = md.diff(NETWORK, ["w2", "w1", "x"])
weights_only = md.cost(NETWORK, ["w1", "w2"])
everything = md.cost(NETWORK, ["w1", "w2", "x"])

if __name__ == "__main__":
    for name, gradient in gradients.items():
        print(f"∂L/∂{name} = {gradient}")
        print("by entries:", gradient.to("index").split("\n")[0])
    for row in everything.table():
        if "matmul" in row.formula:
            print(f"{row.phase:9} {row.formula:24} {row.leading}")
    print(f"forward                          {everything.polynomials.forward.leading}")
    print(f"backward, weights only           {weights_only.polynomials.backward.leading}")
    print(f"backward, input as well          {everything.polynomials.backward.leading}")
    print(f"backward / forward               {everything.leading.ratio}")
