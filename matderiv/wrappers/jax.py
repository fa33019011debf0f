"""A program as a function that JAX differentiates by our gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from matderiv.api import Source
from matderiv.wrappers.positional import Positional

__all__ = ["as_jax"]


def as_jax(source: Source, wrt: str | Sequence[str], **options: Any) -> Callable[..., Any]:
    """The value as a function of arrays, by name or in the order of `md.parse(source).inputs`.

    `jax.grad` and `jax.vjp` give our gradients by the names in `wrt`, and NaN by any
    other input, so that nobody takes a missing derivative for a zero.
    """
    import jax
    import jax.numpy as jnp

    program = Positional(source, wrt, "jax", **options)
    names, module = program.names, program.module

    @jax.custom_vjp
    def function(*arrays: Any) -> Any:
        return module.forward(*arrays)[0]

    def forward(*arrays: Any) -> tuple[Any, Any]:
        value, cache = module.forward(*arrays)
        return value, (cache, arrays)

    def backward(kept: Any, cotangent: Any) -> tuple[Any, ...]:
        cache, arrays = kept
        gradients = module.backward(list(cache), cotangent)
        return tuple(
            jnp.asarray(gradients[name], jnp.result_type(array))
            if name in gradients
            else jnp.full_like(jnp.asarray(array, float), jnp.nan)
            for name, array in zip(names, arrays, strict=True)
        )

    function.defvjp(forward, backward)
    return program.described(function)
