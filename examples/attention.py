"""Attention as a PyTorch function whose backward pass is generated, next to PyTorch's own."""

import matderiv as md
from matderiv.wrappers import as_torch

ATTENTION = """
Q: (n, d); K: (m, d); V: (m, p)
A = softmax(Q K' / sqrt(d))
A V
"""
print(f"by the scores S: {md.diff('softmax(S) V', 'S').vjp()}")

try:
    import torch
except ImportError:
    print("PyTorch is not installed: there is nothing to compare with")
else:
    torch.manual_seed(0)
    shapes = {"Q": (6, 4), "K": (5, 4), "V": (5, 3)}
    tensors = [torch.randn(*shape, dtype=torch.float64) for shape in shapes.values()]
    ours = [tensor.clone().requires_grad_() for tensor in tensors]
    theirs = [tensor.clone().requires_grad_() for tensor in tensors]
    generated = as_torch(ATTENTION, list(shapes))(*ours)
    builtin = torch.nn.functional.scaled_dot_product_attention(*theirs)
    incoming = torch.randn_like(builtin)
    generated.backward(incoming)
    builtin.backward(incoming)
    print(f"value   {(generated - builtin).abs().max():.0e} apart")
    for name, one, other in zip(shapes, ours, theirs, strict=True):
        print(f"{name}.grad  {(one.grad - other.grad).abs().max():.0e} apart")
