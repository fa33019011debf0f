"""JAX: value_and_grad, hessian, jacrev and forward over reverse, under jit."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.suite.case import Call, Case, Values
from benchmarks.suite.contestants.vocabulary import Vocabulary

__all__ = ["WORDS", "jitted"]

jax.config.update("jax_enable_x64", True)

WORDS = Vocabulary(
    sum=jnp.sum,
    sqrt=jnp.sqrt,
    tanh=jnp.tanh,
    relu=jax.nn.relu,
    softplus=jax.nn.softplus,
    softmax=jax.nn.softmax,
    log_softmax=jax.nn.log_softmax,
    inv=jnp.linalg.inv,
    logdet=lambda S: jnp.linalg.slogdet(S)[1],
    solve=jnp.linalg.solve,
    eye=lambda S: jnp.eye(S.shape[0], dtype=S.dtype),
)


def jitted(case: Case, values: Values) -> Call:
    wrt, fixed, directions = case.split(values)
    arguments = tuple(range(len(wrt)))

    def forward(*arrays: Any, fixed: Values) -> Any:
        return case.forward(WORDS, {**fixed, **dict(zip(case.wrt, arrays, strict=True))})

    def product(*arrays: Any, fixed: Values, directions: Any) -> Any:
        gradient = jax.grad(lambda *a: forward(*a, fixed=fixed), argnums=arguments)
        return jax.jvp(gradient, arrays, tuple(directions))[1]

    placed, fixed, directions = jax.device_put((wrt, fixed, directions))
    if case.asked == "gradient":
        both = jax.jit(jax.value_and_grad(forward, argnums=arguments))
        return lambda: jax.block_until_ready(both(*placed, fixed=fixed))
    if case.asked == "product":
        along = jax.jit(product)
        return lambda: jax.block_until_ready(along(*placed, fixed=fixed, directions=directions))
    dense = jax.jit(jax.hessian(forward) if case.order == 2 else jax.jacrev(forward))
    return lambda: jax.block_until_ready(dense(*placed, fixed=fixed))
