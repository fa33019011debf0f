"""PyTensor: gradients of its graph, compiled by its default linker."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt

from benchmarks.suite.case import Call, Case, Values
from benchmarks.suite.contestants.vocabulary import Vocabulary

__all__ = ["WORDS", "compiled"]

WORDS = Vocabulary(
    sum=pt.sum,
    sqrt=pt.sqrt,
    tanh=pt.tanh,
    relu=lambda z: pt.switch(z > 0.0, z, 0.0),
    softplus=pt.softplus,
    softmax=lambda z: pt.special.softmax(z, axis=-1),
    log_softmax=lambda z: pt.special.log_softmax(z, axis=-1),
    inv=pt.linalg.inv,
    logdet=lambda S: pt.linalg.slogdet(S)[1],
    solve=pt.linalg.solve,
    eye=lambda S: pt.eye(S.shape[0]),
)


def _symbol(name: str, value: Any) -> Any:
    return pt.tensor(name, dtype="float64", shape=np.shape(value))


def compiled(case: Case, values: Values) -> Call:
    # A dense derivative is by a vector there, which is shaped as the variable inside.
    flat = case.asked == "dense"
    given = {k: np.ravel(v) if flat and k in case.wrt else np.asarray(v) for k, v in values.items()}
    symbols = {name: _symbol(name, value) for name, value in given.items()}
    seen = {name: symbols[name].reshape(np.shape(v)) for name, v in values.items()}
    seen = {k: v if flat and k in case.wrt else symbols[k] for k, v in seen.items()}
    value = case.forward(WORDS, seen)
    wrt, _, directions = case.split(symbols)
    if case.asked == "gradient":
        results = [value, *pytensor.grad(value, wrt)]
    elif case.asked == "product":
        results = list(pytensor.gradient.hessian_vector_product(value, wrt, directions))
    else:
        dense = pytensor.gradient.hessian if case.order == 2 else pytensor.gradient.jacobian
        results = [dense(value, wrt[0])]
    function = pytensor.function(list(symbols.values()), results, on_unused_input="ignore")
    function.trust_input = True
    shape = np.shape(values[case.wrt[0]])
    arguments = list(given.values())
    if not flat or len(shape) == 1:
        return lambda: function(*arguments)
    return lambda: function(*arguments)[0].reshape(shape * case.order)
