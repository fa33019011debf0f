"""A network of N layers, N a symbol: its gradient, its costs, and the law C ≈ 6 · N · D.

The layers are one loop.  So are their gradients, which run back through it: formulas, code
and costs are as long for a thousand layers as for two.  With the states between √N blocks
of layers kept, and those of one block at a time computed again, backward costs one more
forward and the cache grows with √N.
"""

import numpy as np

import matderiv as md

LINEAR = """
x: (B, M); y: (B, C); W: (N, M, M); V: (M, C)
z = x
repeat l in N { z = z W[l] }
||z V - y||^2
"""
NETWORK = LINEAR.replace("z W[l]", "relu(z W[l] + b[l])").replace("V:", "b: (N, M); V:")


def gradient_of_the_layers(layers: int) -> float:
    """The largest difference between the loop and the same layers written one by one."""
    random = np.random.default_rng(0)
    sizes = {"B": 6, "M": 4, "C": 3, "N": layers}
    inputs = md.parse(NETWORK).inputs
    values = {
        name: random.normal(size=[sizes[dim] for dim in entry.shape]) / 2
        for name, entry in inputs.items()
    }
    _, gradients = md.compile(NETWORK, ["W", "b", "V"]).value_and_grad(values)
    written_out = md.diff(NETWORK.replace("N", str(layers)), "W").evaluate(values)
    return float(np.max(np.abs(gradients["W"] - written_out)))


if __name__ == "__main__":
    print(f"∂L/∂W{md.diff(NETWORK, 'W')}")
    print(f"# it is that of 5 layers written out: {gradient_of_the_layers(5) < 1e-12}")

    cost = md.cost(LINEAR, ["W", "V"])
    print(f"forward  {cost.polynomials.forward}")
    print(f"backward {cost.polynomials.backward}")
    print(f"backward / forward → {cost.leading.ratio}")
    print(f"cache    {cost.polynomials.cache} bytes")
    small = md.compile(LINEAR, ["W", "V"], segments="sqrt").cost
    print("# with states kept between √N blocks of layers, the others computed again")
    print(f"backward {small.polynomials.backward}")
    print(f"cache    {small.polynomials.cache} bytes")

    parameters = "N M² + M C"
    print(f"# parameters: {parameters}; tokens: B")
    for sizes in ({"B": 64, "M": 64, "C": 10, "N": 4}, {"B": 512, "M": 1024, "C": 1024, "N": 48}):
        numbers = cost.at(**sizes)
        held = sizes["N"] * sizes["M"] ** 2 + sizes["M"] * sizes["C"]
        share = float(numbers.forward + numbers.backward) / (6 * held * sizes["B"])
        print(f"{sizes}: FLOPs = {share:.3f} · 6 · parameters · tokens")
