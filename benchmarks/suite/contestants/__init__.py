"""Who runs: our generated code for each library, and the frameworks' own derivatives.

A contestant makes, for a case and values, a call without arguments that returns what the
case asks for as the library gives it: the value before the gradients, mappings or tuples.
Making it may compile; results that are computed asynchronously are waited for in the call.
Each framework differentiates the same value, `case.forward`, written in a vocabulary of its
functions, by its own means.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

from benchmarks.suite.case import Call, Case, Values

__all__ = ["OURS", "Contestant", "installed"]

Contestant = Callable[[Case, Values], Call]

OURS = ("ours", "ours blocked", "ours numba", "ours jax", "ours torch", "ours torch.compile")

# name: the library that must be there, our module, its function
_ALL = {
    "ours": ("numpy", "ours", "numpy_code"),
    "ours blocked": ("numpy", "ours", "blocked_code"),
    "ours numba": ("numba", "ours", "numba_code"),
    "ours jax": ("jax", "ours", "jax_code"),
    "ours torch": ("torch", "ours", "torch_code"),
    "ours torch.compile": ("torch", "ours", "torch_compiled_code"),
    "jax": ("jax", "with_jax", "jitted"),
    "torch": ("torch", "with_torch", "eager"),
    "torch.compile": ("torch", "with_torch", "compiled"),
    "autograd": ("autograd", "with_autograd", "traced"),
    "pytensor": ("pytensor", "with_pytensor", "compiled"),
}


def installed() -> dict[str, Contestant]:
    """The contestants whose library is here."""
    from matderiv.program.emitters import BACKENDS

    found = {}
    for name, (library, module, function) in _ALL.items():
        if find_spec(library) and (name != "ours numba" or "numba" in BACKENDS):
            made = import_module(f"benchmarks.suite.contestants.{module}")
            found[name] = getattr(made, function)
    return found
