"""Matrix products counted here and by PyTorch's FlopCounterMode, on five networks.

PyTorch counts products alone, 2 M N K each, so a row of K products and K - 1 sums counts
as 2 K.
"""

from __future__ import annotations

from typing import Any

import pytest

import matderiv as md
from matderiv.program.polynomial import Polynomial

SIZES = {"B": 6, "D": 5, "M": 4, "K": 3, "n": 7}
NETWORKS = {
    "linear": (
        "x: (B, D); w1: (D, M); w2: (M, K)\nh = x w1\n||h w2||^2",
        ["w1", "w2", "x"],
        lambda t, v: ((v["x"] @ v["w1"] @ v["w2"]) ** 2).sum(),
    ),
    "relu": (
        "x: (B, D); w1: (D, M); b: (M); w2: (M, K)\nh = relu(x w1 + b)\n||h w2||^2",
        ["w1", "b", "w2"],
        lambda t, v: ((t.relu(v["x"] @ v["w1"] + v["b"]) @ v["w2"]) ** 2).sum(),
    ),
    "autoencoder": (
        "x: (B, D); w1: (D, M); w2: (M, D)\nh = tanh(x w1)\nr = h w2 - x\n||r||^2",
        ["w1", "w2"],
        lambda t, v: ((t.tanh(v["x"] @ v["w1"]) @ v["w2"] - v["x"]) ** 2).sum(),
    ),
    "classifier": (
        "x: (B, D); w1: (D, M); w2: (M, K); y: (B, K)\nh = sigmoid(x w1)\ncross_entropy(h w2, y)",
        ["w1", "w2"],
        lambda t, v: -(v["y"] * t.log_softmax(t.sigmoid(v["x"] @ v["w1"]) @ v["w2"], -1)).sum(),
    ),
    "attention": (
        "Q: (n, D); K: (B, D); V: (B, M); T: (n, M)\n"
        "P = softmax(Q K' / sqrt(D))\nO = P V\n||O - T||^2",
        ["Q", "K", "V"],
        lambda t, v: (
            (t.softmax(v["Q"] @ v["K"].T / SIZES["D"] ** 0.5, -1) @ v["V"] - v["T"]) ** 2
        ).sum(),
    ),
}
PRODUCTS = {"matmul", "tensordot", "einsum"}


@pytest.mark.heavy
@pytest.mark.parametrize("name", NETWORKS)
def test_products_are_those_that_torch_counts(name: str) -> None:
    torch: Any = pytest.importorskip("torch", reason="PyTorch is not among the test requirements")
    from torch.utils.flop_counter import FlopCounterMode

    source, wrt, loss = NETWORKS[name]
    rows = [row for row in md.cost(source, wrt).table() if row.function in PRODUCTS]
    counted = Polynomial.total(row.exact + Polynomial.of(*row.shape) for row in rows)
    tensors = {
        key: torch.rand([SIZES[str(dim)] for dim in entry.shape], requires_grad=key in wrt)
        for key, entry in md.parse(source).inputs.items()
    }
    with FlopCounterMode(display=False) as counter:
        loss(torch, tensors).backward()
    assert counted.at(SIZES) == counter.get_total_flops()
