"""autograd: NumPy calls on a tape."""

from __future__ import annotations

from typing import Any

import autograd
import autograd.numpy as anp

from benchmarks.suite.case import Call, Case, Values
from benchmarks.suite.contestants.vocabulary import Vocabulary

__all__ = ["WORDS", "traced"]


def _softmax(z: Any) -> Any:
    e = anp.exp(z - anp.max(z, axis=-1, keepdims=True))
    return e / anp.sum(e, axis=-1, keepdims=True)


def _log_softmax(z: Any) -> Any:
    z = z - anp.max(z, axis=-1, keepdims=True)
    return z - anp.log(anp.sum(anp.exp(z), axis=-1, keepdims=True))


WORDS = Vocabulary(
    sum=anp.sum,
    sqrt=anp.sqrt,
    tanh=anp.tanh,
    relu=lambda z: anp.maximum(z, 0.0),
    softplus=lambda z: anp.logaddexp(0.0, z),
    softmax=_softmax,
    log_softmax=_log_softmax,
    inv=anp.linalg.inv,
    logdet=lambda S: anp.linalg.slogdet(S)[1],
    solve=anp.linalg.solve,
    eye=lambda S: anp.eye(S.shape[0]),
)


def traced(case: Case, values: Values) -> Call:
    wrt, fixed, directions = case.split(values)

    def forward(arrays: Any) -> Any:
        return case.forward(WORDS, {**fixed, **dict(zip(case.wrt, arrays, strict=True))})

    if case.asked == "gradient":
        both = autograd.value_and_grad(forward)
        return lambda: both(tuple(wrt))
    (variable,) = wrt
    if case.asked == "product":
        product = autograd.hessian_vector_product(lambda a: forward((a,)))
        return lambda: product(variable, directions[0])
    dense = autograd.hessian if case.order == 2 else autograd.jacobian
    return lambda: dense(lambda a: forward((a,)))(variable)
