"""The tables hold every function that the language promises, under each of its spellings."""

from __future__ import annotations

import pytest

from matderiv.tensor.elementwise import ELEMENTWISE
from matderiv.tensor.primitives import PRIMITIVES

# As the language's page lists them.  Powers (sqrt, square, pow) and what einsum, reshape
# and sums say (tr, diag, vec, kron, outer, solve, sum, mean, var, commutation) need no entry.
ELEMENTWISE_NAMES = (
    "exp log ln log1p expm1 abs sign sin cos tan asin acos atan sinh cosh tanh erf sigmoid σ "
    "softplus relu leaky_relu elu gelu silu swish step max min normcdf normpdf"
)
PRIMITIVE_NAMES = (
    "inv det logdet pinv expm sqrtm chol softmax log_softmax logsumexp max min onehot_max "
    "norm_nuclear norm_op reshape select pi e"
)


@pytest.mark.parametrize("name", ELEMENTWISE_NAMES.split())
def test_elementwise_function_is_declared(name: str) -> None:
    assert any(name in (entry.name, *entry.aliases) for entry in ELEMENTWISE.values())


@pytest.mark.parametrize("name", PRIMITIVE_NAMES.split())
def test_primitive_is_declared(name: str) -> None:
    assert name in PRIMITIVES


def test_what_derivatives_name_is_declared() -> None:
    """Functions that only results use are in the table too, with words for the reader."""
    for name in ("frechet", "frechet2", "sylvester", "polar", "leading_dyad", "half_tril"):
        assert PRIMITIVES[name].meaning


def test_families_do_not_overlap() -> None:
    """max and min alone are both: of two arrays, and along an axis."""
    assert set(ELEMENTWISE) & set(PRIMITIVES) == {"max", "min"}
