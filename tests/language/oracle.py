"""A direct evaluator of typed programs in NumPy: an oracle that shares no code with lowering.

Rows and columns are both plain arrays of one axis; every operation is written out from
its meaning on the language page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from matderiv.language.typed import Assignment, Typed, TypedProgram
from matderiv.tensor.dims import dim_value

Array = Any


def evaluate(
    program: TypedProgram,
    values: Mapping[str, Array],
    sizes: Mapping[str, int],
    functions: Mapping[str, Callable[..., Array]] | None = None,
) -> Array:
    """The value of a program, given its inputs by canonical name."""
    names = {name: np.asarray(value, float) for name, value in values.items()}

    def value_of(root: Typed) -> Array:
        known: dict[int, Array] = {}
        for node in root.post_order():
            args = [known[id(arg)] for arg in node.args]
            if node.op in ("input", "name"):
                known[id(node)] = names[node.value]
            elif node.op == "call":
                known[id(node)] = (functions or {})[node.value[0]](*args)
            else:
                known[id(node)] = _value(node, args, sizes)
            assert np.shape(known[id(node)]) == tuple(dim_value(d, sizes) for d in node.shape)
        return known[id(root)]

    for statement in program.statements:
        assert isinstance(statement, Assignment)
        names[statement.name] = value_of(statement.expression)
    return value_of(program.output)


def _value(node: Typed, args: list[Array], sizes: Mapping[str, int]) -> Array:
    shape = tuple(dim_value(dim, sizes) for dim in node.shape)
    op, value = node.op, node.value
    if op == "number":
        return float(value)
    if op == "dimension":
        return float(dim_value(value, sizes))
    if op == "constant":
        return {"π": math.pi, "e": math.e}[value]
    if op == "identity":
        return np.eye(shape[0])
    if op == "fill":
        return np.full(shape, args[0])
    if op == "kron":
        a, b = args
        if a.ndim < b.ndim:
            a = a[:, None] if node.args[0].kind == "vector" else a[None, :]
        if b.ndim < a.ndim:
            b = b[:, None] if node.args[1].kind == "vector" else b[None, :]
        return np.kron(a, b)
    if op == "inverse":
        return np.linalg.inv(args[0]).T if value == "-T" else np.linalg.inv(args[0])
    if op == "matrix_power":
        return np.linalg.matrix_power(args[0], value)
    if op == "norm":
        return _norm(args[0], value)
    if op == "index":
        return args[0][value]
    if op == "apply":
        name, options = value
        return _function(name, args, dict(options), shape, sizes)
    return _OPERATORS[op](*args)


_OPERATORS: dict[str, Callable[..., Array]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "power": lambda a, b: a**b,
    "negate": lambda a: -a,
    "product": lambda a, b: a @ b,
    "outer": np.outer,
    "inner": lambda a, b: np.sum(a * b),
    "solve": np.linalg.solve,
    "transpose": np.transpose,
}


def _norm(x: Array, which: str) -> float:
    if which in ("op", "*"):
        values = np.linalg.svd(x, compute_uv=False)
        return float(values[0] if which == "op" else values.sum())
    if which == "inf":
        return float(np.abs(x).max())
    p = 2 if which == "F" else int(which)
    return float(np.sum(np.abs(x) ** p) ** (1 / p))


def _softmax(x: Array, axis: int) -> Array:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _logsumexp(x: Array, axis: int | None, keepdims: bool) -> Array:
    top = x.max(axis=axis, keepdims=True)
    value = top + np.log(np.exp(x - top).sum(axis=axis, keepdims=True))
    return value if keepdims else np.squeeze(value, axis)


def _erf(x: Array) -> Array:
    return np.vectorize(math.erf, otypes=[float])(x)


def _sqrtm(x: Array) -> Array:
    values, vectors = np.linalg.eig(x)
    return np.real(vectors * np.sqrt(values.astype(complex)) @ np.linalg.inv(vectors))


_SAME_IN_NUMPY = "exp log log1p expm1 sqrt square abs sign sin cos tan sinh cosh tanh"
_ENTRYWISE: dict[str, Callable[..., Array]] = {
    **{name: getattr(np, name) for name in _SAME_IN_NUMPY.split()},
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "erf": _erf,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.logaddexp(0, x),
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "elu": lambda x: np.where(x > 0, x, np.exp(x) - 1),
    "gelu": lambda x: x * (1 + _erf(x / math.sqrt(2))) / 2,
    "silu": lambda x: x / (1 + np.exp(-x)),
    "step": lambda x: np.where(x > 0, 1.0, 0.0),
    "normcdf": lambda x: (1 + _erf(x / math.sqrt(2))) / 2,
    "normpdf": lambda x: np.exp(-x * x / 2) / math.sqrt(2 * math.pi),
}
_STRUCTURE: dict[str, Callable[..., Array]] = {
    "tr": np.trace,
    "diag": np.diag,
    "vec": lambda x: x.reshape(-1, order="F"),
    "adj": lambda x: np.linalg.det(x) * np.linalg.inv(x),
    "inv": np.linalg.inv,
    "det": np.linalg.det,
    "logdet": lambda x: np.linalg.slogdet(x)[1],
    "pinv": np.linalg.pinv,
    "sqrtm": _sqrtm,
    "onehot_max": lambda x: np.eye(x.shape[-1])[x.argmax(-1)],
    "mse": lambda a, b: np.mean((a - b) ** 2),
}


def _function(
    name: str,
    args: list[Array],
    options: dict[str, Any],
    shape: tuple[int, ...],
    sizes: Mapping[str, int],
) -> Array:
    if name in ("max", "min") and len(args) == 2:
        return (np.maximum if name == "max" else np.minimum)(*args)
    if name in ("sum", "mean", "var", "std", "max", "min"):
        return getattr(np, name)(args[0], **options)
    if name == "softmax":
        return _softmax(args[0], options["axis"])
    if name == "log_softmax":
        return np.log(_softmax(args[0], options["axis"]))
    if name == "logsumexp":
        return _logsumexp(args[0], options["axis"], options["keepdims"])
    if name == "cross_entropy":
        logits, target = args
        rows = logits.shape[0] if logits.ndim == 2 else 1
        return -np.sum(target * np.log(_softmax(logits, -1))) / rows
    if name == "reshape":
        return args[0].reshape(shape)
    if name == "einsum":
        return np.einsum(options["spec"], *args)
    if name == "commutation":
        m, n = (dim_value(options[key], sizes) for key in "mn")
        place = np.arange(m * n).reshape(n, m).T  # of entry (i, j) in vec(A)
        return np.eye(m * n)[place.reshape(-1)]
    table = _ENTRYWISE if name in _ENTRYWISE else _STRUCTURE
    return table[name](*args)
