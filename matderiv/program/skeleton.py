"""A plan as the source of a module, in the spelling of any backend.

    forward            the value, and the cache that backward reads
    backward           the gradients from the cache
    value_and_grad     both in one pass, nothing cached
    derivative         the dense derivatives of higher order, or of arrays

Each function receives its inputs, computes one operation a line, and deletes what nobody
reads again.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import NamedTuple

from matderiv.errors import UnsupportedError
from matderiv.program.backend import Backend
from matderiv.program.checks import KIND, given_inputs, input_check, makes_arrays, shape_pattern
from matderiv.program.liveness import deaths
from matderiv.program.module_text import docstring, module_docstring
from matderiv.program.names import Names, name_all
from matderiv.program.plan import Plan
from matderiv.program.sizes import names_in, sizes_read
from matderiv.program.steps import Dims, Ref, Step, nested, operands_of
from matderiv.program.workspace import buffers
from matderiv.program.writer import Writer, indented, wrapped
from matderiv.tensor.dims import Shape, shape_text

__all__ = ["Functions", "Source", "module_source"]


_UPDATE = '''
def update(inputs, gradients, rate):
    """Return the inputs after a step of gradient descent: x - rate * gradient for each."""
    return {k: np.subtract(inputs[k], np.multiply(g, rate)) for k, g in gradients.items()}
'''


_COMPRESSED = """Return the derivatives by input, compressed: a list of terms (spec, *arrays).

Each term is the outer product of its arrays, with letters for axes as in einsum; a letter
that repeats in the output is a delta, one that no array carries a vector of ones.
"""


_WORKSPACE = '''
_HELD = threading.local()


def _workspace(function, kind, *shapes):
    """Return this thread's arrays for the temporaries of a function, made anew for other sizes."""
    held = _HELD.__dict__
    if function not in held or held[function][0] != (kind, shapes):
        held[function] = (kind, shapes), [np.empty(shape, kind) for shape in shapes]
    return held[function][1]
'''


class Source(NamedTuple):
    """The text of a module: its functions, and what checks them where it is run as a script."""

    functions: str
    check: str = ""

    @property
    def text(self) -> str:
        return self.functions + self.check


class Functions:
    """The functions of one module."""

    def __init__(self, plan: Plan, names: Names, backend: Backend) -> None:
        self.plan, self.names, self.backend = plan, names, backend
        self.kernels: list[str] = []  # functions that those of the module call
        tuples = {step.alias for step in plan.steps if step.item is not None}
        kept = self._kept(tuples)
        self._shown = {
            d: f"{names.values[k]}.shape[{axis}]"
            for k in reversed([k for k in kept if k not in tuples])
            for axis, d in enumerate(plan.shapes[k])
            if isinstance(d, str)
        }
        self.carried = [s for s in self._backward_sizes() if s not in self._shown]
        self.cached = [*(names.values[k] for k in kept), *(names.sizes[d] for d in self.carried)]
        self._typed = ""  # the line of backward that says the type of arrays
        if backend.kind and makes_arrays(plan.backward):
            if backend.arrays_alone:
                arrays = [names.values[k] for k in kept if k in self._array_inputs()]
                kind = backend.kind_of.format(arrays[0]) if arrays else backend.kind
                self._typed = f"    {KIND} = {kind}"
            else:
                self.cached.append(KIND)

    def _array_inputs(self) -> list[int]:
        """The inputs that are no scalars."""
        inputs = self.plan.inputs.items()
        return [k for v, k in inputs if v is not self.plan.cotangent and v.shape]

    def _kept(self, tuples: Container[int | None]) -> list[int]:
        """What forward keeps; of arrays alone those inputs too that show a size or the type."""
        plan = self.plan
        kept = [*plan.cached_inputs, *plan.cache]
        if not self.backend.arrays_alone:
            return kept
        inputs = self._array_inputs()
        for dim in self._backward_sizes():
            if not any(dim in plan.shapes[k] for k in kept if k not in tuples):
                kept += [k for k in inputs if dim in plan.shapes[k]][:1]
        typed = not makes_arrays(plan.backward) or any(k in kept for k in inputs)
        return kept if typed else [*kept, *inputs[:1]]

    def _backward_sizes(self) -> list[str]:
        plan = self.plan
        dims = sizes_read(plan.backward, self.backend.folds)
        if plan.cotangent is not None and plan.gradients:
            dims = list(dict.fromkeys([*dims, *names_in(plan.cotangent.shape)]))
        return dims

    def forward(self) -> str:
        plan, names = self.plan, self.names
        value = Writer(names, self.backend).expression(plan.value)
        lines = [
            f"def forward({self._parameters(plan.forward)}):",
            indented(
                docstring(f"Return the value, {_described(plan.value_shape)}, and the cache.")
            ),
            *given_inputs(plan, names, self.backend),
            *self.body("forward", plan.forward, {plan.value.value, *plan.cache}),
            *wrapped(f"return {value}, [", self.cached, "]"),
        ]
        return "\n".join(lines)

    def backward(self) -> str:
        plan, names = self.plan, self.names
        scalar = plan.cotangent is None
        options = "".join(f", {name}" for name in self._called(plan.backward))
        seed = "cotangent=None" if scalar else "cotangent"
        what = "times `cotangent` if it is given" if scalar else "the cotangent pulled back"
        lines = [
            f"def backward(cache, {seed}, *{options}, release=False):",
            indented(
                docstring(
                    f"Return the gradients by input, {what}.\n\n"
                    "release: empty the cache, so that its arrays are freed as they are used.\n"
                )
            ),
            *(wrapped("[", self.cached, "] = cache") if self.cached else []),
            "    if release:",
            "        cache.clear()",
        ]
        lines += [
            f"    {names.sizes[dim]} = {self._shown[dim]}"
            for dim in self._backward_sizes()
            if dim in self._shown
        ]
        lines += [self._typed] if self._typed else []
        if plan.cotangent is not None:
            lines.append(self._seed())
        kept = {ref.value for ref in plan.gradients.values()}
        lines += self.body("backward", plan.backward, kept, plan.cache)
        lines += self._results("gradients", plan.gradients)
        if scalar:
            lines += [
                "    if cotangent is not None:",
                '        cotangent = _array("cotangent", cotangent, (), {})',
                "        gradients = {k: g * cotangent for k, g in gradients.items()}",
            ]
        return "\n".join([*lines, "    return gradients"])

    def value_and_grad(self) -> str:
        plan, names = self.plan, self.names
        value = plan.value.value
        seeded = plan.cotangent is not None
        kept = {value, *(ref.value for ref in plan.gradients.values())}
        parameters = self._parameters([*plan.forward, *plan.backward], seeded)
        result = Writer(names, self.backend).expression(plan.value)
        lines = [
            f"def value_and_grad({parameters}):",
            indented(docstring("Return the value and the gradients by input, in one pass.")),
            *given_inputs(plan, names, self.backend),
            *([self._seed()] if seeded else []),
            *self.body("value_and_grad", plan.in_one_pass, kept),
            *self._results("gradients", plan.gradients),
            f"    return {result}, gradients",
        ]
        return "\n".join(lines)

    def derivative(self) -> str:
        plan = self.plan
        lines = [
            f"def derivative({self._parameters(plan.derivative)}):",
            indented(docstring(_COMPRESSED if plan.terms else "Return the derivatives by input.")),
            *given_inputs(plan, self.names, self.backend),
            *self.body("derivative", plan.derivative, {r.value for r in plan.derivatives.values()}),
            *(self._terms() if plan.terms else self._results("derivatives", plan.derivatives)),
            "    return derivatives",
        ]
        return "\n".join(lines)

    # ---- parts -----------------------------------------------------------------------

    def _seed(self) -> str:
        """The line that receives the cotangent of a value that is no scalar."""
        assert self.plan.cotangent is not None
        shape = self.plan.cotangent.shape
        bound = ", ".join(f"{d!r}: {self.names.sizes[d]}" for d in names_in(shape))
        pattern = shape_pattern(shape)
        return f'    cotangent = _array("cotangent", cotangent, {pattern}, {{{bound}}})'

    def body(
        self, function: str, steps: Sequence[Step], kept: Iterable[int], given: Iterable[int] = ()
    ) -> list[str]:
        """The lines of a function that compute `kept` from values that are there."""
        writer = Writer(self.names, self.backend, steps)
        kept = set(kept)
        lines = writer.lines(steps, kept, deaths(steps, kept, given))
        return [*self._workspace(function, steps), *(f"    {line}" for line in lines)]

    def _workspace(self, function: str, steps: Sequence[Step]) -> list[str]:
        """The line that receives the buffers of a function."""
        shapes = buffers(steps)
        if not shapes:
            return []
        if _WORKSPACE not in self.kernels:
            self.kernels.append(_WORKSPACE)
        writer = Writer(self.names, self.backend)
        first = next(name for v, name in self.names.inputs.items() if v.shape)
        items = [repr(function), f"{first}.dtype", *(writer.expression(Dims(s)) for s in shapes)]
        return wrapped("held = _workspace(", items, ")")

    def _results(self, variable: str, results: Mapping[str, Ref]) -> list[str]:
        writer = Writer(self.names, self.backend)
        items = [f"{name!r}: {writer.expression(ref)}" for name, ref in results.items()]
        return wrapped(f"{variable} = {{", items, "}")

    def _terms(self) -> list[str]:
        """Compressed derivatives: for each a list of terms, their spec and their arrays."""
        writer, lines = Writer(self.names, self.backend), ["    derivatives = {"]
        for name, terms in self.plan.terms.items():
            lines.append(f"        {name!r}: [")
            for spec, keys in terms.parts:
                parts = [writer.expression(self.plan.derivatives[key]) for key in keys]
                lines.append(f"            ({', '.join([repr(spec), *parts])}),")
            lines.append("        ],")
        return [*lines, "    }"]

    def _inputs(self) -> list[str]:
        return [name for v, name in self.names.inputs.items() if v is not self.plan.cotangent]

    def _parameters(self, steps: Iterable[Step], cotangent: bool = False) -> str:
        rest = [*self._called(steps), *self.names.free_sizes]
        rest += ["cotangent"] if cotangent else []
        return ", ".join([*self._inputs(), *(["*", *rest] if rest else [])])

    def _called(self, steps: Iterable[Step]) -> list[str]:
        called = {step.callee for step in nested(steps)}
        return [name for function, name in self.names.functions.items() if function in called]


def module_source(
    plan: Plan,
    backend: Backend,
    *,
    title: str,
    equations: Sequence[str],
    check: Callable[[Plan, Names], str] | None = None,
    functions: type[Functions] = Functions,
) -> Source:
    """The source of a module; `title` and `equations` are text for its docstring.

    `check` writes the functions that check it, and what a script executes.
    """
    _refuse(plan, backend)
    names = name_all(plan)
    written = functions(plan, names, backend)
    parts = [
        module_docstring(plan, names.inputs, title, equations),
        _imports(plan, backend),
        written.forward(),
    ]
    if plan.gradients:
        parts += [written.backward(), written.value_and_grad()]
        if not plan.value_shape:
            parts.append(_UPDATE.replace("np.", f"{backend.module}."))
    if plan.is_derived:
        parts.append(written.derivative())
    parts += written.kernels
    called = dict.fromkeys(step.function for step in nested(plan.every))
    parts += [backend.helpers[name] for name in called if name in backend.helpers]
    parts.append(input_check(plan, names, backend))
    source = Source("\n\n\n".join(part.strip("\n") for part in parts if part) + "\n")
    return source if check is None else source._replace(check=f"\n\n{check(plan, names)}\n")


def _refuse(plan: Plan, backend: Backend) -> None:
    """Raise UnsupportedError for what the library has no code for."""
    for step in nested(plan.steps):
        name = step.function.rpartition(".")[2]
        stacks = any(len(plan.shapes[k]) > 2 for k in operands_of(step))
        message = f"{backend.name} has no {name}"
        if step.function.startswith(backend.lacking):
            raise UnsupportedError(message, hint='backend="numpy"')
        if stacks and step.function.startswith(backend.of_one_matrix):
            raise UnsupportedError(f"{message} of stacks of matrices", hint='backend="numpy"')


def _imports(plan: Plan, backend: Backend) -> str:
    blocks = [step.body.any_blocks for step in nested(plan.every) if step.body is not None]
    rooted = any(found is not None and found.takes_root for found in blocks)
    held = any(step.buffer is not None for step in plan.every)
    own = [*(["import math"] if rooted else []), *(["import threading"] if held else [])]
    lines = [*(["\n".join(own) + "\n"] if own else []), backend.imports]
    called = {step.function for step in nested(plan.steps)} - backend.helpers.keys()
    paths = {backend.functions.get(name, name).rpartition(".")[0] for name in called}
    paths = {backend.scipy + p.removeprefix("scipy") for p in paths if p.startswith("scipy.")}
    lines += [f"import {path}" for path in sorted(paths) if backend.scipy]
    return "\n".join(lines) + ("\n\n_FLOAT = np.dtype(float)" if backend.fast_check else "")


def _described(shape: Shape) -> str:
    return f"of shape {shape_text(shape)}" if shape else "a scalar"
