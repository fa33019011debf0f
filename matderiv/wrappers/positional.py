"""What a wrapped program is: a function of arrays in the order of its inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from matderiv.api import Source, compile
from matderiv.errors import UnsupportedError
from matderiv.program.compiled import CompiledFunction

__all__ = ["Positional"]


class Positional:
    """A compiled program whose inputs are arrays alone, by the names in `names`."""

    def __init__(
        self, source: Source, wrt: str | Sequence[str], backend: str, **options: Any
    ) -> None:
        self.compiled: CompiledFunction = compile(source, wrt, backend=backend, **options)
        plan = self.compiled.plan
        if plan.functions or plan.free_sizes:
            raise UnsupportedError("a wrapped program has arrays for inputs, no functions or sizes")
        self.module = self.compiled.module
        self.names = [variable.name for variable in plan.inputs if variable is not plan.cotangent]

    def described(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with the module's docstring."""

        def value(*arrays: Any) -> Any:
            return function(*arrays)

        value.__doc__ = self.compiled.source.split('"""')[1]
        return value
