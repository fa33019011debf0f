"""The reference evaluator: slow, plain, and the oracle of every other path.

It computes each node from its definition with `numpy.einsum` and the reference
functions of the tables, and shares nothing with the code generator.
"""

from __future__ import annotations

import math
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matderiv.errors import UnsupportedError
from matderiv.limits import refuse_large, tick
from matderiv.tensor.dims import dim_value
from matderiv.tensor.elementwise import Elementwise
from matderiv.tensor.nodes import (
    Apply,
    Last,
    Loop,
    Map,
    Name,
    Node,
    Number,
    Product,
    Size,
    Stack,
    Sum,
    Variable,
)
from matderiv.tensor.primitives import Primitive
from matderiv.tensor.properties import is_sum_of_squares
from matderiv.tensor.traverse import reachable
from matderiv.tensor.vanishing import NONE, Zeros, factor_zeros, reaching, zeros_of_log

__all__ = ["Array", "evaluate", "guarded_power"]

Array = NDArray[Any]
Known = MutableMapping[int, Any]
"""The array of each node by id; of a Loop, the values of its body in each layer."""

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def evaluate(
    roots: Iterable[Node],
    values: Mapping[Node, Array],
    sizes: Mapping[str, int],
    functions: Mapping[object, Callable[..., Any]] | None = None,
) -> list[Array]:
    """Return the arrays of the roots.

    `values` gives an array for each variable, `sizes` a number for each dimension,
    `functions` an implementation for the key of each abstract function.
    """
    roots = list(roots)
    known: Known = {node.id: np.asarray(v, float) for node, v in values.items()}
    _compute(roots, known, sizes, functions or {})
    return [known[root.id] for root in roots]


def _compute(
    roots: Iterable[Node],
    known: Known,
    sizes: Mapping[str, int],
    functions: Mapping[object, Callable[..., Any]],
) -> None:
    """Add the values of the roots, and of all they need, to `known`."""
    for node in reachable(roots, lambda n: n.id in known):
        if node.id in known:
            continue
        tick()
        if isinstance(node, Loop):
            known[node.id] = _layers(node, known, sizes, functions)
        elif isinstance(node, Last):
            final = known[node.loop.id][-1 if node.loop.direction > 0 else 0]
            known[node.id] = final[node.loop.carries[node.index].next.id]
        elif isinstance(node, Stack):
            for layer in known[node.loop.id]:
                _compute([node.body], layer, sizes, functions)
            known[node.id] = np.stack([layer[node.body.id] for layer in known[node.loop.id]])
        else:
            known[node.id] = _value(node, known, sizes, functions)


def _layers(
    loop: Loop,
    known: Known,
    sizes: Mapping[str, int],
    functions: Mapping[object, Callable[..., Any]],
) -> list[Known]:
    """What is known in each layer of a loop, by layer: the outer values and its own."""
    layers: list[Known] = [ChainMap({}, known) for _ in range(dim_value(loop.count, sizes))]
    state = [known[carry.start.id] for carry in loop.carries]
    for place, layer in list(enumerate(layers))[:: loop.direction]:
        for carry, array in zip(loop.carries, state, strict=True):
            layer[carry.argument.id] = array
        for argument, stack in loop.slices:
            layer[argument.id] = known[stack.id][place]
        _compute([carry.next for carry in loop.carries], layer, sizes, functions)
        state = [layer[carry.next.id] for carry in loop.carries]
    return layers


def _value(
    node: Node,
    known: Mapping[int, Array],
    sizes: Mapping[str, int],
    functions: Mapping[object, Callable[..., Any]],
) -> Array:
    shape = tuple(dim_value(dim, sizes) for dim in node.shape)
    refuse_large(shape)
    if isinstance(node, Product):
        return _product(node, known, sizes)
    if isinstance(node, Sum):
        total = np.zeros(shape)
        for coefficient, term in node.terms:
            total = total + _float(coefficient) * known[term.id]
        return total
    if isinstance(node, Size):
        return np.asarray(float(dim_value(node.dim, sizes)))
    if isinstance(node, Name):
        return known[node.definition.id]
    arguments = [known[child.id] for child in node.children]
    if isinstance(node, Map):
        function = node.function
        if isinstance(function, Elementwise):
            return np.asarray(function.reference(*arguments))
        return np.asarray(_given(functions, function.key, function.name)(*arguments))
    if isinstance(node, Apply):
        primitive = node.primitive
        if not isinstance(primitive, Primitive):
            given = _given(functions, primitive.key, primitive.name)
            return np.asarray(given(*arguments)).reshape(shape)
        if primitive.infer is None:
            return np.asarray(primitive.reference(*arguments))
        if arguments:
            return np.asarray(primitive.reference(*arguments, shape=shape))
        return np.asarray(primitive.reference(parameters=node.parameters, sizes=sizes))
    assert isinstance(node, Variable)
    raise UnsupportedError(f"no value is given for {node.name}")


def _given(
    functions: Mapping[object, Callable[..., Any]], key: object, name: str
) -> Callable[..., Any]:
    if key not in functions:
        raise UnsupportedError(f"{name} is an abstract function: give it an implementation")
    return functions[key]


def _float(number: Number) -> float:
    """The nearest float64; infinite where the number is beyond it."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def guarded_power(base: Array, exponent: float) -> Array:
    """base^exponent for a sum of squares: a negative power is 0 where the base is 0."""
    if exponent >= 0:
        return np.asarray(np.power(base, exponent))
    nonzero = base != 0
    return np.where(nonzero, np.power(np.where(nonzero, base, 1.0), exponent), 0.0)


def _einsum(operands: Sequence[tuple[Array, tuple[int, ...]]], out: Sequence[int]) -> Array:
    """The sum over all labels not in `out`; NumPy has 52 letters, labels may be more."""
    if len({label for _, labels in operands for label in labels}) > len(_LETTERS):
        head, rest = operands[:2], operands[2:]
        needed = set(out).union(*(labels for _, labels in rest))
        kept = tuple(dict.fromkeys(k for _, labels in head for k in labels if k in needed))
        return _einsum([(_einsum(head, kept), kept), *rest], out)
    letters = dict(
        zip(sorted({k for _, labels in operands for k in labels}), _LETTERS, strict=False)
    )
    spec = ",".join("".join(letters[k] for k in labels) for _, labels in operands)
    spec += "->" + "".join(letters[k] for k in out)
    return np.asarray(np.einsum(spec, *(a for a, _ in operands), optimize=len(operands) > 2))


def _product(
    node: Product,
    known: Mapping[int, Array],
    sizes: Mapping[str, int],
    zeros: Zeros = NONE,
    silenced: dict[tuple[int, Zeros], Array] | None = None,
) -> Array:
    """The value of a product that stands beside these zeros."""
    silenced = {} if silenced is None else silenced
    lengths = [dim_value(dim, sizes) for dim in node.sizes]
    operands: list[tuple[Array, tuple[int, ...]]] = []
    for factor, beside in zip(node.factors, factor_zeros(node, zeros), strict=True):
        value = _beside(factor.node, beside, known, sizes, silenced)
        if factor.exponent != 1:
            if is_sum_of_squares(factor.node):
                value = guarded_power(value, float(factor.exponent))
            else:
                value = np.power(value, float(factor.exponent))
        operands.append((value, factor.labels))
    distinct = list(dict.fromkeys(node.out))
    carried = {label for factor in node.factors for label in factor.labels}
    dense = [label for label in distinct if label in carried]
    result = np.asarray(_float(node.coefficient))
    if operands:
        result = result * _einsum(operands, dense)
    # Axes that no factor carries are ones; axes that repeat are a diagonal.
    view = result.reshape([lengths[k] if k in carried else 1 for k in distinct])
    full = np.broadcast_to(view, [lengths[k] for k in distinct])
    if len(distinct) == len(node.out):
        return np.array(full)
    array = np.zeros([lengths[k] for k in node.out])
    spec = "".join(_LETTERS[k] for k in node.out)
    target = np.einsum(f"{spec}->{''.join(_LETTERS[k] for k in distinct)}", array)
    target[...] = full
    return array


def _beside(
    node: Node,
    zeros: Zeros,
    known: Mapping[int, Array],
    sizes: Mapping[str, int],
    silenced: dict[tuple[int, Zeros], Array],
) -> Array:
    """The value of a factor whose logarithms are 0 where what stands beside them is."""
    zeros = reaching(node, zeros)
    if not zeros:
        return known[node.id]
    if (node.id, zeros) in silenced:
        return silenced[node.id, zeros]
    if isinstance(node, Name):
        value = _beside(node.definition, zeros, known, sizes, silenced)
    elif isinstance(node, Product):
        value = _product(node, known, sizes, zeros, silenced)
    elif isinstance(node, Sum):
        value = np.zeros(known[node.id].shape)
        for coefficient, term in node.terms:
            value = value + _float(coefficient) * _beside(term, zeros, known, sizes, silenced)
    else:
        value = known[node.id]
        assert isinstance(node, Map)
        for zero, axes in chain(*zeros_of_log(node, zeros)):
            lying = _einsum([(known[zero.id], axes)], sorted(set(axes)))
            others = [axis for axis in range(node.order) if axis not in axes]
            value = np.where(np.expand_dims(lying, others) == 0, 0.0, value)
    silenced[node.id, zeros] = value
    return value
