"""A graph of nodes as a function of `jax.numpy` arrays, for derivatives from elsewhere.

It reads the definition of each kind of node, and shares nothing with the reference
evaluator or the tables' own references.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from matderiv.tensor.dims import dim_value
from matderiv.tensor.nodes import Apply, Map, Name, Node, Product, Size, Sum, Variable
from matderiv.tensor.traverse import reachable

__all__ = ["as_function"]

jax.config.update("jax_enable_x64", True)

_MAPS: dict[str, Callable[..., Any]] = {
    "erf": jax.scipy.special.erf,
    "normcdf": jax.scipy.stats.norm.cdf,
    "normpdf": jax.scipy.stats.norm.pdf,
    "lognormcdf": jax.scipy.stats.norm.logcdf,
    "inverse_mills": lambda x: jnp.exp(
        jax.scipy.stats.norm.logpdf(x) - jax.scipy.stats.norm.logcdf(x)
    ),
    "logcosh": lambda x: jnp.logaddexp(x, -x) - jnp.log(2.0),
    "sigmoid": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
    "relu": jax.nn.relu,
    "leaky_relu": jax.nn.leaky_relu,
    "elu": jax.nn.elu,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "silu": jax.nn.silu,
    "atan": jnp.arctan,
    "max": jnp.maximum,
    "min": jnp.minimum,
}


# Loops, so that little is compiled; for the small well-conditioned matrices of the tests.
def _sqrtm(x: Any) -> Any:
    def step(pair: Any, _: Any) -> Any:
        y, z = pair
        return ((y + jnp.linalg.inv(z)) / 2, (z + jnp.linalg.inv(y)) / 2), None

    return jax.lax.scan(step, (x, jnp.eye(x.shape[-1])), None, length=12)[0][0]


def _expm(x: Any) -> Any:
    def step(pair: Any, k: Any) -> Any:
        total, term = pair
        term = term @ x / k
        return (total + term, term), None

    one = jnp.eye(x.shape[-1])
    return jax.lax.scan(step, (one, one), jnp.arange(1.0, 40.0))[0][0]


_PRIMITIVES: dict[str, Callable[..., Any]] = {
    "inv": jnp.linalg.inv,
    "det": jnp.linalg.det,
    "logdet": lambda x: jnp.linalg.slogdet(x)[1],
    "softmax": jax.nn.softmax,
    "log_softmax": jax.nn.log_softmax,
    "logsumexp": lambda x: jax.scipy.special.logsumexp(x, axis=-1),
    "max": lambda x: jnp.max(x, axis=-1),
    "min": lambda x: jnp.min(x, axis=-1),
    "expm": _expm,
    "sqrtm": _sqrtm,
    "chol": jnp.linalg.cholesky,
    "pinv": jnp.linalg.pinv,
    "norm_nuclear": lambda x: jnp.sum(jnp.linalg.svd(x, compute_uv=False)),
    "norm_op": lambda x: jnp.linalg.svd(x, compute_uv=False)[0],
    "pi": lambda: jnp.pi,
}


def as_function(
    root: Node, variables: Sequence[Variable], sizes: dict[str, int]
) -> Callable[..., Any]:
    """The root as a function of the arrays of the variables."""
    order = reachable([root])

    def function(*arrays: Any) -> Any:
        known: dict[int, Any] = {v.id: a for v, a in zip(variables, arrays, strict=True)}
        for node in order:
            if node.id not in known:
                known[node.id] = _value(node, known, sizes)
        return known[root.id]

    return function


def _value(node: Node, known: dict[int, Any], sizes: dict[str, int]) -> Any:
    shape = tuple(dim_value(dim, sizes) for dim in node.shape)
    if isinstance(node, Product):
        return _product(node, known, sizes)
    if isinstance(node, Sum):
        return sum((float(c) * known[n.id] for c, n in node.terms), jnp.zeros(shape))
    if isinstance(node, Size):
        return jnp.asarray(float(dim_value(node.dim, sizes)))
    if isinstance(node, Name):
        return known[node.definition.id]
    arguments = [known[child.id] for child in node.children]
    if isinstance(node, Map):
        name = str(node.function.key)
        return (_MAPS.get(name) or getattr(jnp, name))(*arguments)
    assert isinstance(node, Apply)
    if node.primitive.key == "reshape":
        return jnp.reshape(arguments[0], shape)
    return _PRIMITIVES[str(node.primitive.key)](*arguments)


def _product(node: Product, known: dict[int, Any], sizes: dict[str, int]) -> Any:
    letters = string.ascii_letters
    operands, inputs, ends = [jnp.asarray(float(node.coefficient))], [""], list[str]()
    for factor in node.factors:
        operands.append(known[factor.node.id] ** float(factor.exponent))
        inputs.append("".join(letters[k] for k in factor.labels))
    for place, label in enumerate(node.out):
        length = dim_value(node.sizes[label], sizes)
        if label in node.out[:place]:  # a delta
            operands.append(jnp.eye(length))
            inputs.append(letters[label] + letters[-1 - place])
            ends.append(letters[-1 - place])
        else:
            operands.append(jnp.ones(length))
            inputs.append(letters[label])
            ends.append(letters[label])
    return jnp.einsum(",".join(inputs) + "->" + "".join(ends), *operands)
