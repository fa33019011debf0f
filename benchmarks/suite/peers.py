"""The frameworks: the same value in their vocabulary, differentiated by their own means.

A contestant makes, for a case and values, a call without arguments that returns what the
case asks for, flat.  Making it may compile; `finish` waits for asynchronous results.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks.suite.cases import Case

__all__ = ["installed"]

Call = Callable[[], tuple[Any, ...]]
Contestant = Callable[[Case, Mapping[str, Any]], Call]


def installed() -> dict[str, Contestant]:
    """The contestants whose library is here."""
    peers = {
        "JAX jit": ("jax", _jax),
        "torch eager": ("torch", _torch),
        "autograd": ("autograd", _autograd),
    }
    return {name: make for name, (module, make) in peers.items() if find_spec(module)}


class _Vocabulary:
    """What forward programs call, from the functions of one library."""

    def __init__(self, **functions: Any) -> None:
        self.__dict__.update(functions)


def _split(case: Case, values: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    wrt = [values[name] for name in case.wrt]
    fixed = {k: v for k, v in values.items() if k not in case.wrt and not k.startswith("d")}
    return wrt, fixed


def _jax(case: Case, values: Mapping[str, Any]) -> Call:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    xp = _Vocabulary(
        sum=jnp.sum,
        sqrt=jnp.sqrt,
        tanh=jnp.tanh,
        relu=jax.nn.relu,
        softplus=jax.nn.softplus,
        softmax=jax.nn.softmax,
        log_softmax=jax.nn.log_softmax,
        inv=jnp.linalg.inv,
        logdet=lambda S: jnp.linalg.slogdet(S)[1],
        ridge=lambda X, y, t: y @ X @ jnp.linalg.solve(X.T @ X + t * jnp.eye(X.shape[1]), X.T @ y),
    )
    wrt, fixed = _split(case, values)
    directions = [values[f"d{name}"] for name in case.wrt if f"d{name}" in values]
    arguments = tuple(range(len(wrt)))

    def forward(*arrays: Any, fixed: Mapping[str, Any]) -> Any:
        return case.forward(xp, {**fixed, **dict(zip(case.wrt, arrays, strict=True))})

    def product(*arrays: Any, fixed: Mapping[str, Any], directions: Any) -> Any:
        gradient = jax.grad(lambda *a: forward(*a, fixed=fixed), argnums=arguments)
        return jax.jvp(gradient, arrays, tuple(directions))[1]

    if case.asked == "gradient":
        function = jax.jit(jax.value_and_grad(forward, argnums=arguments))
    elif case.asked == "product":
        function = jax.jit(product)
    else:
        function = jax.jit(jax.hessian(forward) if case.order == 2 else jax.jacrev(forward))
    extra = {"directions": directions} if case.asked == "product" else {}
    placed, fixed, extra = jax.device_put((wrt, fixed, extra))

    def call() -> tuple[Any, ...]:
        found = jax.block_until_ready(function(*placed, fixed=fixed, **extra))
        return _flat(case, found)

    return call


def _flat(case: Case, found: Any) -> tuple[Any, ...]:
    if case.asked == "gradient":
        value, gradients = found
        return (value, *gradients)
    return tuple(found) if case.asked == "product" else (found,)


def _torch(case: Case, values: Mapping[str, Any]) -> Call:
    import torch
    from torch.func import grad_and_value, hessian, jacrev, jvp

    torch.set_num_threads(1)
    functional = torch.nn.functional
    xp = _Vocabulary(
        sum=torch.sum,
        sqrt=torch.sqrt,
        tanh=torch.tanh,
        relu=torch.relu,
        softplus=lambda z: functional.softplus(z, threshold=60.0),
        softmax=lambda z: torch.softmax(z, -1),
        log_softmax=lambda z: torch.log_softmax(z, -1),
        inv=torch.linalg.inv,
        logdet=torch.logdet,
        ridge=lambda X, y, t: (
            y @ X @ torch.linalg.solve(X.T @ X + t * torch.eye(X.shape[1], dtype=X.dtype), X.T @ y)
        ),
    )
    tensors = {k: torch.as_tensor(v, dtype=torch.float64) for k, v in values.items()}
    wrt, fixed = _split(case, tensors)
    directions = tuple(tensors[f"d{name}"] for name in case.wrt if f"d{name}" in tensors)
    arguments = tuple(range(len(wrt)))

    def forward(*arrays: Any) -> Any:
        return case.forward(xp, {**fixed, **dict(zip(case.wrt, arrays, strict=True))})

    if case.asked == "gradient":
        leaves = [tensor.clone().requires_grad_() for tensor in wrt]

        def call() -> tuple[Any, ...]:
            value = forward(*leaves)
            return (value.detach(), *torch.autograd.grad(value, leaves))

        return call
    if case.asked == "product":
        gradient = grad_and_value(forward, argnums=arguments)
        return lambda: jvp(lambda *a: gradient(*a)[0], tuple(wrt), directions)[1]
    dense = hessian(forward) if case.order == 2 else jacrev(forward)
    return lambda: (dense(*wrt),)


def _autograd(case: Case, values: Mapping[str, Any]) -> Call:
    import autograd
    import autograd.numpy as anp

    def softmax(z: Any) -> Any:
        e = anp.exp(z - anp.max(z, axis=-1, keepdims=True))
        return e / anp.sum(e, axis=-1, keepdims=True)

    def log_softmax(z: Any) -> Any:
        z = z - anp.max(z, axis=-1, keepdims=True)
        return z - anp.log(anp.sum(anp.exp(z), axis=-1, keepdims=True))

    xp = _Vocabulary(
        sum=anp.sum,
        sqrt=anp.sqrt,
        tanh=anp.tanh,
        relu=lambda z: anp.maximum(z, 0.0),
        softplus=lambda z: anp.logaddexp(0.0, z),
        softmax=softmax,
        log_softmax=log_softmax,
        inv=anp.linalg.inv,
        logdet=lambda S: anp.linalg.slogdet(S)[1],
        ridge=lambda X, y, t: y @ X @ anp.linalg.solve(X.T @ X + t * np.eye(X.shape[1]), X.T @ y),
    )
    wrt, fixed = _split(case, values)

    def forward(arrays: Any) -> Any:
        return case.forward(xp, {**fixed, **dict(zip(case.wrt, arrays, strict=True))})

    if case.asked == "gradient":
        both = autograd.value_and_grad(forward)
        return lambda: _flat(case, both(tuple(wrt)))
    if case.asked == "product":
        product = autograd.hessian_vector_product(lambda a: forward((a,)))
        return lambda: (product(wrt[0], values[f"d{case.wrt[0]}"]),)
    dense = autograd.hessian if case.order == 2 else autograd.jacobian
    return lambda: (dense(lambda a: forward((a,)))(wrt[0]),)
