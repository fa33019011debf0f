"""A plan as a JAX module: pure functions for `jax.jit`, needing JAX alone.

Arithmetic is written with operators, a write into a view as an update.  Sizes are those
of the shapes, so that a jitted function is compiled once for each set of shapes; the
float type is that of the inputs.
"""

from __future__ import annotations

from collections.abc import Sequence

from matderiv.program.backend import Backend
from matderiv.program.plan import Plan
from matderiv.program.skeleton import Source, module_source

__all__ = ["JAX", "emit"]

_ARRAY_CHECK = '''
def _array(name, value, shape, sizes):
    """Return `value` as a float array of this shape; a Python number keeps its weak type."""
    if not shape and isinstance(value, (int, float)):
        return float(value)
    array = jnp.asarray(value)
    if jnp.iscomplexobj(array):
        raise TypeError(f"{name} is complex")
    if not jnp.issubdtype(array.dtype, jnp.floating):
        array = array.astype(float)
    _fit(name, array, shape, sizes)
    return array
'''

OPERATORS = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "negative": "-{0}",
    "reciprocal": "1.0 / {0}",
    "power": "{0} ** {1}",
    "greater": "{0} > {1}",
    "equal": "{0} == {1}",
    "matmul": "{0} @ {1}",
}
"""Arithmetic as Python writes it."""

_INVERSE_OF_LOWER = '''
def _inverse_of_lower(L):
    """Return the inverse of a lower triangular matrix."""
    from jax.scipy.linalg import solve_triangular

    identity = jnp.eye(L.shape[0], dtype=L.dtype)
    return solve_triangular(L, identity, lower=True)
'''

_EXPM_FRECHET = '''
def _expm_frechet(X, E):
    """Return the derivative of expm at X along E, the corner of expm [[X, E], [0, X]]."""
    from jax.scipy.linalg import expm

    X, E = jnp.broadcast_arrays(X, E)
    n = X.shape[-1]
    top = jnp.concatenate([X, E], axis=-1)
    bottom = jnp.concatenate([jnp.zeros_like(X), X], axis=-1)
    return expm(jnp.concatenate([top, bottom], axis=-2))[..., :n, n:]
'''

_ERFCX = '''
def _erfcx(x):
    """Return exp(x^2) erfc(x); beyond 9 by the asymptotic series, DLMF 7.12.1."""
    from jax.scipy.special import erfc

    low, high = jnp.minimum(x, 9.0), jnp.maximum(x, 9.0)
    series = jnp.ones_like(high)
    for k in range(16, 0, -1):
        series = 1 - (2 * k - 1) / (2 * high * high) * series
    near, far = jnp.exp(low * low) * erfc(low), series / (high * jnp.sqrt(jnp.pi))
    return jnp.where(x < 9.0, near, far)
'''

JAX = Backend(
    name="jax",
    module="jnp",
    imports="import jax.numpy as jnp",
    array_check=_ARRAY_CHECK,
    kind_of="{0}.dtype",
    kind="jnp.result_type(float)",
    spellings={
        **OPERATORS,
        "zeros": "jnp.zeros({0}, kind)",
        "full": "jnp.full({0}, {1}, kind)",
        "eye": "jnp.eye({call}, dtype=kind)",
        "take_indices": "jnp.take({0}, jnp.array({indices}), axis={axis})",
    },
    functions={"copy": "jnp.asarray"},
    helpers={
        "inverse_of_lower": _INVERSE_OF_LOWER,
        "scipy.linalg.expm_frechet": _EXPM_FRECHET,
        "scipy.special.erfcx": _ERFCX,
    },
    mutable=False,
    frees=False,
    arrays_alone=True,
    vector_first=True,  # XLA reads a transposed matrix column by column: five times the time
    scipy="jax.scipy",
    of_one_matrix=("scipy.linalg.sqrtm", "scipy.linalg.solve_sylvester"),
)


def emit(plan: Plan, *, title: str, equations: Sequence[str]) -> Source:
    """Return the source of a module of pure functions."""
    return module_source(plan, JAX, title=title, equations=equations)
