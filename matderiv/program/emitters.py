"""The libraries that code is generated for, each in a module of its own."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, cast

from matderiv.program.plan import Plan
from matderiv.program.skeleton import Source

__all__ = ["BACKENDS", "Emitter", "emitter"]

BACKENDS = ("numpy", "numba", "jax", "torch")


class Emitter(Protocol):
    """Writes a plan as a module; `title` and `equations` are text for its docstring."""

    def __call__(self, plan: Plan, *, title: str, equations: list[str]) -> Source: ...


def emitter(backend: str) -> Emitter:
    """The emitter of a backend; none is loaded before it is asked for."""
    return cast(Emitter, import_module(f"matderiv.program.emit_{backend}").emit)
