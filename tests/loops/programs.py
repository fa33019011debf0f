"""Programs with a symbolic number of layers, and the same with the layers written out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import matderiv as md

SIZES = {"B": 4, "M": 3, "K": 2, "H": 2}
SHAPES = (
    "x: (B, M); y: (B, K); C: (M, K); W: (N, M, M); b: (N, M); V: (M, M); "
    "U: (H, M, M); Q: (N, H, M, M); w: (N, M); t: (N)"
)


@dataclass(frozen=True)
class Deep:
    """`text` uses the number of layers N; `wrt` lists inputs worth a derivative."""

    text: str
    wrt: str

    def program(self, layers: str | int = "N") -> md.Program:
        """With N a symbol, or that many layers."""
        text = f"{SHAPES.replace('N', str(layers))}\n{self.text.replace('in N', f'in {layers}')}"
        return md.parse(text)


PROGRAMS = {
    "network": Deep("z = x; repeat l in N { z = relu(z W[l] + b[l]) }; ||z C - y||^2", "x W b C"),
    "tanh": Deep("z = x; repeat l in N { z = tanh(z W[l]) }; ||z C - y||^2", "W C"),
    "linear": Deep("z = x; repeat l in N { z = z W[l] }; ||z C - y||^2", "x W C"),
    "gelu": Deep("z = x; repeat l in N { z = gelu(z W[l]) }; ||z||^2", "W"),
    "shared weight": Deep("z = x; repeat l in N { z = tanh(z V + b[l]) }; ||z||^2", "V b x"),
    "residual": Deep("z = x; repeat l in N { z = z + tanh(z W[l]) V }; ||z||^2", "W V x"),
    "named inside": Deep(
        "z = x; repeat l in N { a = z W[l]; h = sigmoid(a); z = a .* h }; ||z||^2", "W x"
    ),
    "two carries": Deep(
        "z = x; u = x; repeat l in N { a = z W[l] + u; u = tanh(u V); z = sin(a) .* u }; "
        "sum(z) + ||u||^2",
        "W V x",
    ),
    "reassigned": Deep("z = x; repeat l in N { z = z W[l]; z = sin(z) }; sum(z)", "W"),
    "accumulated": Deep("s = 0; repeat l in N { s = s + ||W[l] V||^2 }; s", "W V"),
    "vector valued": Deep("z = x' ones(B); repeat l in N { z = tanh(w[l] .* z) }; z", "w x"),
    "scalars": Deep("s = 1; repeat l in N { s = sin(s + t[l]) }; s^2", "t"),
    "read twice": Deep(
        "z = x; repeat l in N { z = tanh(z W[l]) }; r = x; "
        "repeat l in N { r = r W[l] + z }; ||r||^2",
        "W x",
    ),
    "nested": Deep(
        "z = x; repeat l in N { z = tanh(z W[l]); repeat k in H { z = z + sin(z U[k]) } }; ||z||^2",
        "x W U",
    ),
    "outer state inside": Deep(
        "z = x; repeat l in N { u = z; repeat k in H { z = z + sin(u U[k]) } }; ||z||^2", "x U"
    ),
    "nested stacks": Deep(
        "z = x; repeat l in N { repeat k in H { z = sin(z Q[l][k] + b[l]) } }; ||z||^2", "x Q b"
    ),
    "only the last": Deep("u = V; repeat l in N { u = sin(V W[l]) }; ||x u||^2", "W V x"),
    "a start taken away": Deep("z = x; repeat l in N { z = z - x }; ||z||^2 + sum(z)", "x"),
    "inside captured": Deep(
        "z = x; repeat l in N { u = V; repeat k in H { u = tanh(u U[k]) }; z = z u + b[l] }; "
        "||z||^2",
        "V U b",
    ),
}


def values(program: md.Program, layers: int, seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    sizes = {**SIZES, "N": layers}
    return {
        name: random.normal(size=[sizes.get(dim, dim) for dim in entry.shape])
        for name, entry in program.inputs.items()
    }
