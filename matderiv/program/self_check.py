"""The self-check of a generated module: `python module.py`.

It compares what the module returns with central differences of its own `forward` along
random directions, at points of general shape, and ends with exit status 0 or 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from matderiv.calculus.layout import layout_axes
from matderiv.program.names import Names
from matderiv.program.plan import Plan
from matderiv.program.sizes import least_sizes
from matderiv.program.steps import Callee, Step
from matderiv.tensor.dims import Composite, Dim
from matderiv.tensor.elementwise import AbstractElementwise
from matderiv.tensor.nodes import Variable

__all__ = ["self_check"]

# What a random array becomes under an attribute; `a` is square where it must be.
_ATTRIBUTES = {
    "posdef": "a @ a.T / len(a) + np.eye(len(a))",
    "symmetric": "a + a.T",
    "diagonal": "np.diag(np.diag(a))",
    "orthogonal": "np.linalg.qr(a)[0]",
    "lower": "np.tril(a)",
    "upper": "np.triu(a)",
    "stochastic": "np.abs(a) / np.sum(np.abs(a), axis=-1, keepdims=True)",
    "positive": "np.abs(a) + 0.1",
}
# A direction along which a point keeps its attribute.
_DIRECTIONS = {
    "posdef": "v + v.T",
    "symmetric": "v + v.T",
    "diagonal": "np.diag(np.diag(v))",
    "orthogonal": "x @ (v - v.T)",
    "lower": "np.tril(v)",
    "upper": "np.triu(v)",
    "stochastic": "v - np.mean(v, axis=-1, keepdims=True)",
}

_WITHOUT_ENTRIES = frozenset(("orthogonal", "stochastic"))

# What the code is given for an abstract function: sin(Σ k a_k), differentiated.
_TEMPLATES = {
    "elementwise": "lambda *a: {factor} * np.sin(_weighted(a, np.asarray) + {phase})",
    "scalar": "lambda *a: {factor} * np.sin(_weighted(a, np.sum) + {phase}) * np.ones({shape})",
}

_RANDOM = '''
def _random(rng, normal, *shape):
    """Return a random array, normal or uniform in (0.1, 0.9)."""
    return rng.normal(size=shape) if normal else rng.uniform(0.1, 0.9, shape)
'''

_REGULAR = '''
def _is_regular(rng, inputs):
    """Tell whether all results are finite, more than rounding, and nearly the same close by."""
    near = {
        name: x if isinstance(x, int) else x + 1e-8 * _direction(rng, name, x)
        for name, x in inputs.items()
    }
    try:
        with np.errstate(all="ignore"):
            pairs = list(zip(_results(inputs), _results(near)))
    except np.linalg.LinAlgError:
        return False
    for a, b in pairs:
        size = np.max(np.abs(a))
        moved = np.max(np.abs(a - b))
        if not np.isfinite(size) or 0 < size < 1e-6 or not moved <= 1e-4 * size + 1e-9:
            return False
    return True
'''

_DIFFERENCE = '''
def _difference(inputs, directions, seed, step):
    """Return the nested central difference of <seed, forward>, each time along some inputs."""
    if not directions:
        value, _ = forward(**inputs{functions})
        return float(np.sum(seed * value))
    v, *rest = directions
    ends = [
        _difference({**inputs, **{k: inputs[k] + h * v[k] for k in v}}, rest, seed, step)
        for h in (step, -step)
    ]
    return (ends[0] - ends[1]) / (2 * step)


def _error(predicted, inputs, directions, seed):
    """Return the relative error of a predicted derivative along directions."""
    step = 2.2e-16 ** (1 / (len(directions) + 2))
    measured = _difference(inputs, directions, seed, step)
    size = abs(_difference(inputs, [], seed, step))
    scale = abs(predicted) + abs(measured) + 1e-3 * size + 1e-9
    error = abs(predicted - measured) / scale
    return np.inf if np.isnan(error) and np.isfinite(measured) else error
'''


_DENSE = '''
def _dense(terms, shape):
    """Return the array that compressed terms stand for."""
    result = np.zeros(shape)
    for spec, *arrays in terms:
        inputs, out = spec.split("->")
        letters = "".join(dict.fromkeys(out))
        entries = np.einsum(f"{out}->{letters}", result) if out else result
        own = "".join(letter for letter in letters if letter in inputs)
        places = tuple(slice(None) if letter in own else None for letter in letters)
        entries += np.einsum(f"{inputs}->{own}", *arrays)[places]
    return result
'''


def self_check(plan: Plan, names: Names) -> str:
    """Source of the functions that check a module, and of its last lines."""
    inputs, functions = names.inputs, names.functions
    known = [v for v in inputs if v is not plan.cotangent]
    parts = [_RANDOM, _draw(plan, {v: inputs[v] for v in known}), _results(plan, functions)]
    parts += [_REGULAR, _direction(inputs, known)]
    given = _given(plan.forward, functions)
    parts.append(_DIFFERENCE.replace("{functions}", given))
    if plan.terms:
        parts.append(_DENSE)
    parts.append(_main(plan, inputs, functions))  # ends in what a script executes
    if functions:
        parts.insert(0, _samples(functions))
    return "\n\n\n".join(part.strip("\n") for part in parts)


def _samples(functions: Mapping[Callee, str]) -> str:
    lines = [
        "def _weighted(arguments, part):",
        '    """Return the sum of k times the k-th argument."""',
        "    return sum(k * part(x) for k, x in enumerate(arguments, 1))",
        "",
        "",
        "# Functions to check with: sin of a weighted sum, and its derivatives.",
        "_SAMPLES = {",
    ]
    for function, name in functions.items():
        if isinstance(function, AbstractElementwise):
            orders, kind = sum(function.orders), "elementwise"
            factor = 1.0
            for weight, order in enumerate(function.orders, 1):
                factor *= float(weight) ** order
            shape = ""
        else:
            orders, kind, factor = len(function.slots), "scalar", 1.0
            for slot in function.slots:
                factor *= slot + 1.0
            shape = " + ".join([f"np.shape(a[{slot}])" for slot in function.slots] or ["()"])
        body = _TEMPLATES[kind].format(factor=factor, phase=f"{orders} * np.pi / 2", shape=shape)
        lines.append(f"    {name!r}: {body},")
    return "\n".join([*lines, "}"])


def _given(steps: Iterable[Step], functions: Mapping[Callee, str]) -> str:
    """Further arguments of a call: the sample functions that it needs."""
    called = {step.callee for step in steps}
    names = [name for function, name in functions.items() if function in called]
    return "".join(f", {name}=_SAMPLES[{name!r}]" for name in names)


def _draw(plan: Plan, inputs: Mapping[Variable, str]) -> str:
    least, names = least_sizes(plan.steps, plan.shapes), list(plan.sizes)
    # A tall matrix has X'X regular, a wide one X X': one of both orders of sizes fits.  Of
    # three sizes each may have to be the middle one.
    inverts = any(step.function in ("linalg.inv", "linalg.solve") for step in plan.steps)
    choices: list[dict[str, int]] = []
    for turn in range(min(len(names), 3) if inverts and names else 1):
        turned = names[turn:] + names[:turn]
        for ordered in (turned, turned[::-1]):
            sizes = {name: 3 + index % 5 for index, name in enumerate(ordered)}
            chosen = {name: max(sizes[name], least.get(name, 0)) for name in names}
            choices += [chosen] * (chosen not in choices)
    lines = [
        "def _draw(rng):",
        '    """Return random inputs at which all results are finite and change little nearby."""',
        f"    for sizes in ({', '.join(map(repr, choices))},):",
        "        for normal in (True, False):",
        "            inputs = {}",
    ]
    lines += [f"            inputs[{name!r}] = sizes[{name!r}]" for name in plan.free_sizes]
    for variable, name in inputs.items():
        size = [_number(dim) for dim in variable.shape]
        arguments = ", ".join(["rng", "normal", *size])
        lines += [
            f"            a = _random({arguments})",
            f"            inputs[{name!r}] = {_point(variable, size)}",
        ]
    lines += [
        "            if _is_regular(rng, inputs):",
        "                return inputs",
        "    return inputs",
    ]
    return "\n".join(lines)


def _results(plan: Plan, functions: Mapping[Callee, str]) -> str:
    lines = [
        "def _results(inputs):",
        '    """Return the value and every derivative."""',
        f"    value, cache = forward(**inputs{_given(plan.forward, functions)})",
        "    found = [value]",
    ]
    if plan.gradients:
        given = f"np.ones(np.shape(value)){_given(plan.backward, functions)}"
        lines.append(f"    found += backward(cache, {given}).values()")
    if plan.is_derived:
        given = _given(plan.derivative, functions)
        if plan.terms:
            lines += [
                f"    for terms in derivative(**inputs{given}).values():",
                "        found += [array for _, *arrays in terms for array in arrays]",
            ]
        else:
            lines.append(f"    found += derivative(**inputs{given}).values()")
    return "\n".join([*lines, "    return found"])


def _point(variable: Variable, size: Sequence[str]) -> str:
    for attribute, expression in _ATTRIBUTES.items():
        if attribute in variable.attributes:
            return expression
    if len(size) == 2 and size[0] == size[1]:
        return "a + len(a) ** 0.5 * np.eye(len(a))"  # general, and well away from singular
    return "a"


def _direction(inputs: Mapping[Variable, str], known: Sequence[Variable]) -> str:
    lines = [
        "def _direction(rng, name, x):",
        '    """Return a random direction in which x keeps its structure."""',
        "    v = rng.normal(size=np.shape(x))",
    ]
    for variable in known:
        for attribute, expression in _DIRECTIONS.items():
            if attribute in variable.attributes:
                lines += [
                    f"    if name == {inputs[variable]!r}:",
                    f"        return {expression}",
                ]
                break
    return "\n".join([*lines, "    return v"])


def _main(plan: Plan, inputs: Mapping[Variable, str], functions: Mapping[Callee, str]) -> str:
    identifiers = {variable.name: name for variable, name in inputs.items()}
    lines = [
        "def self_check():",
        '    """Print one line; return 0 if all derivatives agree with central differences."""',
        "    rng = np.random.default_rng(0)",
        "    worst = 0.0",
        "    for _ in range(3):",
        "        inputs = _draw(rng)",
        f"        value, cache = forward(**inputs{_given(plan.forward, functions)})",
        "        seed = rng.normal(size=np.shape(value))",
    ]
    if plan.gradients:
        pairs = ", ".join(
            f"{name!r}: {identifiers[name]!r}" for name in plan.gradients if name in identifiers
        )
        lines += [
            f"        found = backward(cache, seed{_given(plan.backward, functions)})",
            f"        for name, argument in {{{pairs}}}.items():",
            "            v = _direction(rng, argument, inputs[argument])",
            "            predicted = float(np.sum(found[name] * v))",
            "            error = _error(predicted, inputs, [{argument: v}], seed)",
            "            worst = np.maximum(worst, error)",
        ]
    if plan.along:
        directions = {identifiers[k]: identifiers[d] for k, d in plan.along.items()}
        lines += [
            f"        directions = {directions!r}",
            "        for k, d in directions.items():",
            "            inputs[d] = _direction(rng, k, inputs[k])",
        ]
    if plan.is_derived:
        lines.append(f"        found = derivative(**inputs{_given(plan.derivative, functions)})")
    dense = {name: terms.shape for name, terms in plan.terms.items()}
    for name, shape in (dense or {k: plan.shape(r) for k, r in plan.derivatives.items()}).items():
        if plan.along:
            argument = identifiers[name]
            lines += [
                f"        v = _direction(rng, {argument!r}, inputs[{argument!r}])",
                "        both = {k: inputs[d] for k, d in directions.items()}",
                f"        along = [both, {{{argument!r}: v}}]",
                f"        predicted = float(np.sum(seed * found[{name!r}] * v))",
                "        worst = np.maximum(worst, _error(predicted, inputs, along, seed))",
            ]
            continue
        arguments = [identifiers[variable] for variable in plan.wrt.get(name, (name,))]
        if plan.diagonal:
            variable = next(v for v in inputs if identifiers[v.name] == arguments[0])
            lines += _diagonal(plan, name, variable, arguments)
            continue
        order = len(shape)
        axes = layout_axes(plan.layout, len(plan.value_shape), order)
        inverse = tuple(sorted(range(order), key=axes.__getitem__))
        part = f"found[{name!r}]"
        if plan.terms:
            lengths = ["value", *(f"inputs[{argument!r}]" for argument in arguments)]
            found = " + ".join(f"np.shape({array})" for array in lengths)
            lines += [
                f"        shape = {found}",
                f"        dense = _dense({part}, [shape[k] for k in {axes}])",
            ]
            part = "dense"
        if inverse != tuple(range(order)):
            part = f"np.transpose({part}, {inverse})"
        lines += [
            f"        along = [{{k: _direction(rng, k, inputs[k])}} for k in {arguments!r}]",
            f"        part = {part}",
            "        for v in reversed(along):",
            "            (v,) = v.values()",
            "            part = np.tensordot(part, v, axes=np.ndim(v))",
            "        error = _error(float(np.sum(seed * part)), inputs, along, seed)",
            "        worst = np.maximum(worst, error)",
        ]
    lines += [
        "    if np.isnan(worst):",
        '        print("derivatives not compared: the value is not finite at random inputs")',
        "        return 1",
        "    passed = bool(worst < 1e-4)",
        '    verdict = "agree" if passed else "DISAGREE"',
        '    print(f"derivatives {verdict} with central differences: relative error {worst:.1e}")',
        "    return 0 if passed else 1",
        "",
        "",
        'if __name__ == "__main__":',
        "    raise SystemExit(self_check())",
    ]
    return "\n".join(lines)


def _diagonal(plan: Plan, name: str, variable: Variable, arguments: Sequence[str]) -> list[str]:
    """Lines that compare entries of a diagonal with differences along the same entry."""
    if variable.attributes & _WITHOUT_ENTRIES:
        return []  # no entry of it moves alone
    argument = arguments[0]
    draw = "tuple(int(rng.integers(n)) for n in np.shape(v))"
    if variable.attributes & _DIRECTIONS.keys():
        draw = "(int(rng.integers(len(v))),) * 2"  # entries that move alone
    entry = "[index[::-1]]" if plan.layout == "numerator" else "[index]"
    seed = "v" if plan.value_shape else "seed"
    predicted = f"found[{name!r}]{entry}"
    return [
        "        for _ in range(4):",
        f"            v = np.zeros(np.shape(inputs[{argument!r}]))",
        f"            index = {draw}",
        "            v[index] = 1.0",
        f"            along = [{{{argument!r}: v}}] * {len(arguments)}",
        f"            predicted = float({'' if plan.value_shape else 'seed * '}{predicted})",
        f"            worst = np.maximum(worst, _error(predicted, inputs, along, {seed}))",
    ]


def _number(dim: Dim) -> str:
    """A size as an expression of the mapping `sizes`."""
    if isinstance(dim, int):
        return str(dim)
    if isinstance(dim, Composite):
        factors = [f"sizes[{name!r}]" for name in dim.names]
        return " * ".join([*([] if dim.coefficient == 1 else [str(dim.coefficient)]), *factors])
    return f"sizes[{dim!r}]"
