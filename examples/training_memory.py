"""What a step of training holds in memory: parameters, gradients, optimizer, activations.

The network has a symbolic number of layers, so the formulas are in N.  What forward
keeps for backward grows with the layers and with the batch; parameters, gradients and
the state of the optimizer with the layers alone.
"""

import matderiv as md
from matderiv.reports.memory import OPTIMIZERS, Training

NETWORK = """
x: (B, M);  y: (B, M);  W: (N, M, M)
z = x
repeat l in N { z = relu(z W[l]) }
||z - y||^2
"""
network = md.compile(NETWORK, "W")


def cached(layers: int, batch: int) -> int:
    """Bytes that forward keeps for backward, at width 64."""
    return network.memory(N=layers, B=batch, M=64).cache_bytes


def training(layers: int, batch: int, width: int) -> Training:
    return Training.of(network.memory(N=layers, B=batch, M=width))


if __name__ == "__main__":
    found = training(16, 128, 64)
    print(f"parameters   {found.parameters}")
    print(f"gradients    {found.parameters}")
    print(f"activations  {found.activations}")
    for optimizer in OPTIMIZERS:
        print(f"{optimizer:11}  {found.total(optimizer)}")
    print("\nkB cached, by layers and batch, at width 64")
    print("N       B=64    B=128    B=256")
    for layers in (8, 16, 32, 64):
        row = (f"{cached(layers, batch) / 1000:8,.0f}" for batch in (64, 128, 256))
        print(f"{layers:<3} {' '.join(row)}")
    print("\nMB held in training with Adam, by width, at 16 layers and a batch of 128")
    for width in (64, 128, 256, 512):
        found = training(16, 128, width)
        share = float(found.activations.at(found.sizes)) / found.total_bytes("Adam")
        print(f"{width:<3} {found.total_bytes('Adam') / 1e6:8.1f}   activations {share:.0%}")
