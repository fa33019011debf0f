"""What a wrapped program is: a function of arrays, in the order of its inputs or by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matderiv.api import Source, compile
from matderiv.errors import NameResolutionError, UnsupportedError
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
        """The function with the module's docstring, of arrays in order or by name."""

        def value(*arrays: Any, **named: Any) -> Any:
            if named or len(arrays) != len(self.names):
                arrays = self._in_order(arrays, named)
            return function(*arrays)

        value.__doc__ = self.compiled.source.split('"""')[1]
        return value

    def _in_order(self, arrays: Sequence[Any], named: Mapping[str, Any]) -> tuple[Any, ...]:
        given = {**dict(zip(self.names, arrays, strict=False)), **named}
        if not len(arrays) + len(named) == len(given) == len(self.names):
            raise NameResolutionError(
                f"{len(arrays) + len(named)} arrays are given for the inputs "
                f"{', '.join(self.names)}, each once: in this order, or by name",
                hint="f(**values)" if any(isinstance(a, Mapping) for a in arrays) else None,
            )
        return tuple(self.compiled.arguments(given, ()).values())
