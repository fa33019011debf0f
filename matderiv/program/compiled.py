"""A generated module, loaded: call it, read it, save it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matderiv.errors import (
    DomainError,
    MatderivError,
    NameResolutionError,
    ShapeError,
    UnsupportedError,
    one_of,
)
from matderiv.files import write_file
from matderiv.program.cost import Cost
from matderiv.program.emitters import emitter
from matderiv.program.memory import FLOATS, Memory
from matderiv.program.names import Names, name_all
from matderiv.program.naming import function_name, identifier
from matderiv.program.plan import Plan
from matderiv.program.sizes import checked_sizes
from matderiv.program.steps import Step
from matderiv.values import by_name

__all__ = ["CompiledFunction"]

Array = NDArray[Any]
Values = Mapping[str, Any]


class CompiledFunction:
    """The functions of a generated module, called with a mapping name -> array.

    backend    the library that the module is written for, and the only one that it needs
               (SciPy too where NumPy lacks a function)
    source     the module
    cost       FLOPs and memory of what it executes

    Abstract functions are values too: "phi", "phi_prime" for its derivative, "dl_0" for
    the gradient of l by its first argument; so are sizes that no input shows.
    `canonical` maps a key of `values` to the name that the plan knows, `spelled` a name of
    the plan to the key of the results.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        backend: str = "numpy",
        title: str = "A value and its derivatives",
        equations: Sequence[str] = (),
        canonical: Callable[[str], str] = str,
        spelled: Mapping[str, str] | None = None,
    ) -> None:
        self.plan = plan
        self.backend = backend
        self._source = emitter(backend)(plan, title=title, equations=list(equations))
        self.source = self._source.text
        self._canonical = canonical
        self._spelled = dict(spelled or {})

    @cached_property
    def cost(self) -> Cost:
        """FLOPs and memory of the code."""
        return Cost(self.plan)

    @cached_property
    def _names(self) -> Names:
        return name_all(self.plan)

    @cached_property
    def module(self) -> ModuleType:
        """The loaded module.  Only text made by `emit` is ever executed.

        The functions that check it, two fifths of most modules, are loaded when one is asked for.
        Raises UnsupportedError where a library that it imports is not installed.
        """
        module, (functions, check) = ModuleType("generated"), self._source
        try:
            exec(compile(functions, "<generated>", "exec"), module.__dict__)
        except ModuleNotFoundError as error:
            library = str(error.name).partition(".")[0]
            raise UnsupportedError(
                f"the module imports {library}, which is not installed",
                hint=f"pip install {library}",
            ) from None
        below = "\n" * functions.count("\n") + check  # in the lines where it stands

        def load(name: str) -> Any:
            if "self_check" not in module.__dict__:
                exec(compile(below, "<generated>", "exec"), module.__dict__)
            if name not in module.__dict__:
                raise AttributeError(f"module 'generated' has no attribute {name!r}")
            return module.__dict__[name]

        module.__dict__["__getattr__"] = load
        return module

    def memory(self, dtype: str = "float64", **sizes: int) -> Memory:
        """Peaks of the module's functions at these sizes; others are those planned for.

        `dtype` is that of the inputs, float64 or float32.
        """
        one_of(dtype, tuple(FLOATS), "float type")
        known = checked_sizes(sizes, self.plan.sizes)
        return Memory(replace(self.plan, item=FLOATS[dtype]), known)

    # ---- calls -----------------------------------------------------------------------

    def forward(self, values: Values) -> tuple[Array, list[Any]]:
        """Return the value and the cache that `backward` reads."""
        found: tuple[Array, list[Any]] = self._call("forward", values, self.plan.forward)
        return found

    def backward(
        self, cache: Sequence[Any], cotangent: Any = None, values: Values | None = None
    ) -> dict[str, Array]:
        """Return the gradients; `values` need only hold abstract functions, if any."""
        self._need(bool(self.plan.gradients), "gradients")
        if not isinstance(cache, list):
            raise ShapeError(f"a cache is what forward returns, no {type(cache).__name__}")
        given = self._functions(by_name(values or {}), self.plan.backward)
        if self.plan.cotangent is not None and cotangent is None:
            raise ShapeError("the value is no scalar: give a cotangent of its shape")
        return self._named(self._run("backward", list(cache), cotangent, **given))

    def value_and_grad(
        self, values: Values, cotangent: Any = None
    ) -> tuple[Array, dict[str, Array]]:
        """Return the value and the gradients by input."""
        self._need(bool(self.plan.gradients), "gradients")
        extra = {}
        if self.plan.cotangent is not None:
            if cotangent is None:
                raise ShapeError("the value is no scalar: give a cotangent of its shape")
            extra["cotangent"] = cotangent
        steps = [*self.plan.forward, *self.plan.backward]
        value, gradients = self._call("value_and_grad", values, steps, **extra)
        if cotangent is not None and not extra:
            scale = self._run("_array", "cotangent", cotangent, (), {})
            gradients = {name: g * scale for name, g in gradients.items()}
        return value, self._named(gradients)

    def derivative(self, values: Values) -> dict[str, Any]:
        """Return the derivatives of higher order, or of a value that is no scalar.

        Arrays, or `Compressed` ones where the function was compiled so.
        """
        self._need(self.plan.is_derived, "derivatives")
        found: dict[str, Any] = self._named(self._call("derivative", values, self.plan.derivative))
        if not self.plan.terms:
            return found
        spelled = {self._spelled.get(name, name): terms for name, terms in self.plan.terms.items()}
        sizes = self._sizes(values)
        return {name: spelled[name].filled(parts, sizes) for name, parts in found.items()}

    def _sizes(self, values: Values) -> dict[str, int]:
        """The numbers of the dimension names that the inputs show or are given as."""
        arguments = self._inputs(values)
        sizes: dict[str, int] = {}
        for variable, name in self._names.inputs.items():
            if variable is not self.plan.cotangent:
                shape = np.shape(arguments[name])
                sizes |= {
                    d: n for d, n in zip(variable.shape, shape, strict=True) if isinstance(d, str)
                }
        for dim, name in zip(self.plan.free_sizes, self._names.free_sizes, strict=True):
            sizes[dim] = arguments[name]
        return sizes

    def _named(self, found: Mapping[str, Array]) -> dict[str, Array]:
        """Results by the names that were asked for."""
        return {self._spelled.get(name, name): array for name, array in found.items()}

    def _call(self, function: str, values: Values, steps: Iterable[Step], **extra: Any) -> Any:
        return self._run(function, **self.arguments(values, steps), **extra)

    def arguments(self, values: Values, steps: Iterable[Step]) -> dict[str, Any]:
        """What a function of the module that runs these steps is called with, by name."""
        return {**self._inputs(values), **self._functions(values, steps)}

    def _run(self, function: str, *arguments: Any, **named: Any) -> Any:
        try:
            return getattr(self.module, function)(*arguments, **named)
        except (TypeError, ValueError, OverflowError, RuntimeError) as error:
            if type(error).__name__.endswith("LinAlgError"):  # NumPy's and PyTorch's
                raise DomainError(f"at these values: {error}") from error
            if isinstance(error, RuntimeError) and type(error) is not RuntimeError:
                raise  # out of memory, and the like
            raise ShapeError(str(error)) from error

    def _inputs(self, values: Values) -> dict[str, Any]:
        values = by_name(values)
        given = {self._canonical(name): value for name, value in values.items()}
        known = {**given, **{identifier(name): value for name, value in values.items()}}
        arguments = {}
        for variable, name in self._names.inputs.items():
            if variable is not self.plan.cotangent:
                arguments[name] = self._find(known, variable.name, name)
        for dim, name in zip(self.plan.free_sizes, self._names.free_sizes, strict=True):
            arguments[name] = self._find(known, dim, name)
        return arguments

    def _functions(self, values: Values, steps: Iterable[Step]) -> dict[str, Any]:
        called = {step.callee for step in steps}
        return {
            name: self._find(values, function_name(function), name)
            for function, name in self._names.functions.items()
            if function in called
        }

    @staticmethod
    def _find(values: Values, *names: str) -> Any:
        for name in names:
            if name in values:
                return values[name]
        raise NameResolutionError(f"no value is given for {names[0]}")

    def _need(self, has: bool, what: str) -> None:
        if not has:
            raise MatderivError(f"this function was compiled without {what}")

    def __repr__(self) -> str:
        inputs = ", ".join(v.name for v in self.plan.inputs if v is not self.plan.cotangent)
        return f"<CompiledFunction of {inputs}, for {self.backend}>"

    def _repr_markdown_(self) -> str:
        return f"```python\n{self.source}```"

    # ---- the file --------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Write the module to a file, whole or not at all; keep an existing one.

        Raises MatderivError if the file exists, unless `force`, or cannot be written.
        """
        return write_file(path, self.source, force=force)
