"""Programs on which every backend must agree with NumPy's, and values for them."""

from __future__ import annotations

from typing import Any

import numpy as np

from matderiv.program.compiled import CompiledFunction
from matderiv.tensor.dims import dim_value
from tests.program.measuring import PROGRAMS as MEASURED
from tests.program.measuring import SECOND_ORDER

MLP = """
x: (B, M0); w1: (M0, M1); b1: (M1); w2: (M1, M2); b2: (M2); y: (B, M2)
h = relu(x w1 + b1)
mse(h w2 + b2, y)
"""

Case = tuple[str, list[str], int]

PROGRAMS: dict[str, Case] = {
    **{name: (*program, 2 if name in SECOND_ORDER else 1) for name, program in MEASURED.items()},
    "quadratic Hessian": ("x' A x", ["x"], 2),
    "logistic Hessian": ("sum(log(1 + exp(-y .* (X w))))", ["w"], 2),
    "factorisation Hessian": (
        "||T - U V'||_F^2 where U: (n, k), V: (m, k), T: (n, m)",
        ["U"],
        2,
    ),
    "ridge solution": ("X: (n, d); y: (n); t: ()\n(X' X + t I)^-1 X' y", ["t", "X"], 1),
    "layer norm": ("x: (n)\nc = x - mean(x)\nc / sqrt(mean(c .* c) + 1e-5)", ["x"], 1),
    "mlp": (MLP, ["w1", "b1", "w2", "b2"], 1),
    "padding": ("x: (6)\nsum(x[1:4] .* x[1:4] .* x[2:5])", ["x"], 2),
    "singular values": ("||X||_op^2 + ||X||_*", ["X"], 1),
    "exponential": ("sum(expm(X/10))", ["X"], 1),
    "largest": ("max(A x)", ["x"], 1),
}


def values_for(
    function: CompiledFunction, seed: int = 0, start: int = 4
) -> tuple[dict[str, Any], Any]:
    """Random values of the inputs, and of the cotangent where there is one."""
    rng = np.random.default_rng(seed)
    sizes = {name: start + k for k, name in enumerate(function.plan.sizes)}
    values: dict[str, Any] = {name: sizes[name] for name in function.plan.free_sizes}
    cotangent = None
    for variable in function.plan.inputs:
        array = rng.uniform(0.5, 1.5, [dim_value(dim, sizes) for dim in variable.shape])
        if array.ndim == 2 and array.shape[0] == array.shape[1]:
            array = array @ array.T + np.eye(len(array))
        if variable is function.plan.cotangent:
            cotangent = array
        else:
            values[variable.name] = array
    return values, cotangent


def results(function: CompiledFunction, values: dict[str, Any], cotangent: Any) -> dict[str, Any]:
    """The value, the gradients and the derivatives of a compiled function."""
    value, gradients = function.value_and_grad(values, cotangent)
    found = {"value": value, **{f"gradient {k}": g for k, g in gradients.items()}}
    if function.plan.derivatives:
        derivatives = function.derivative(values)
        found |= {f"derivative {k}": d for k, d in derivatives.items()}
    return found
