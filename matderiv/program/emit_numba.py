"""A plan as a module that Numba compiles, needing Numba, NumPy and SciPy (its BLAS).

Each function checks its inputs in Python and hands them to one compiled function, which
computes everything: no call of NumPy is dispatched in between, and elementwise chains are
loops without arrays in between.  What Numba lacks is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from matderiv.errors import UnsupportedError
from matderiv.program.backend import Backend
from matderiv.program.liveness import deaths
from matderiv.program.naming import function_name
from matderiv.program.numba_lines import NumbaWriter
from matderiv.program.plan import Plan
from matderiv.program.self_check import self_check
from matderiv.program.skeleton import Functions, Source, module_source
from matderiv.program.steps import Step, operands_of
from matderiv.program.writer import wrapped
from matderiv.tensor.dims import Shape

__all__ = ["NUMBA", "emit"]

_IMPORTS = """
import math

import numpy as np
from numba import njit

# Machine code is kept beside the module where it is a file.
_compiled = njit(error_model="numpy", cache="__file__" in globals())
""".strip()

_TOTAL = '''
@njit(fastmath={"reassoc", "nsz"})
def _total(array):
    """Return the sum of all entries, several partial sums at a time."""
    total = 0.0
    for entry in array.ravel():
        total += entry
    return total
'''

_INVERSE_OF_LOWER = '''
@_compiled
def _inverse_of_lower(L):
    """Return the inverse of a lower triangular matrix, computed by blocks of rows."""
    inverse = np.zeros_like(L)
    for start in range(0, len(L), 64):
        stop = min(start + 64, len(L))
        block = np.linalg.inv(np.ascontiguousarray(L[start:stop, start:stop]))
        inverse[start:stop, start:stop] = block
        if start:
            above = np.ascontiguousarray(inverse[:start, :start])
            before = np.dot(np.ascontiguousarray(L[start:stop, :start]), above)
            inverse[start:stop, :start] = -np.dot(block, before)
    return inverse
'''

_ARRAY_CHECK = '''
def _array(name, value, shape, sizes):
    """Return `value` as a float array of this shape, laid out by rows; a scalar as a number."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} is an array of {array.dtype}, not of real numbers")
    if array.dtype != np.float32:
        array = array.astype(float, copy=False)
    _fit(name, array, shape, sizes)
    return np.ascontiguousarray(array) if shape else float(array)


def _alike(*arrays):
    """Return the arrays in the type that holds them all."""
    return [np.asarray(array, dtype=np.result_type(*arrays)) for array in arrays]
'''

NUMBA = Backend(
    name="numba",
    module="np",
    imports=_IMPORTS,
    array_check=_ARRAY_CHECK,
    kind_of="",
    kind="",
    fast_check=True,
    by_rows=True,
    frees=False,
    helpers={"inverse_of_lower": _INVERSE_OF_LOWER},
    lacking=(
        "scipy.linalg.",
        "scipy.special.erfcx",
        "scipy.special.log_ndtr",
        "linalg.svd",
        "split",
    ),
    of_one_matrix=("linalg.", "kron", "tril", "triu"),
)


def emit(plan: Plan, *, title: str, equations: Sequence[str]) -> Source:
    """Return the source of a module that checks itself when it is run."""
    for function in plan.functions:
        raise UnsupportedError(
            f"numba compiles no call of {function_name(function)}, which is given by the caller",
            hint='backend="numpy"',
        )
    return module_source(
        plan, NUMBA, title=title, equations=equations, check=self_check, functions=_Compiled
    )


class _Compiled(Functions):
    """Functions whose bodies are compiled apart: arrays in, a tuple of results out."""

    def body(
        self, function: str, steps: Sequence[Step], kept: Iterable[int], given: Iterable[int] = ()
    ) -> list[str]:
        """The line that calls the compiled function, which is written after this one."""
        kept, values, sizes = set(kept), self.names.values, self.names.sizes
        made = {step.value for step in steps}
        results = dict.fromkeys(values[step.value] for step in steps if step.value in kept)
        if not results:
            return []
        read = dict.fromkeys(k for step in steps for k in operands_of(step) if k not in made)
        arrays = [k for k in read if self.plan.shapes[k]]
        shown = {
            dim: f"{text}.shape[{axis}]"
            for text, shape in reversed(self._arrays(read))
            for axis, dim in enumerate(shape)
            if isinstance(dim, str)
        }
        writer = NumbaWriter(self.names, self.backend, steps)
        lines = list(writer.lines(steps, kept, deaths(steps, kept, given)))
        words = set(re.findall(r"\w+", "\n".join(lines)))
        used = [dim for dim, name in sizes.items() if name in words]
        lines = [
            *(f"{sizes[dim]} = {shown[dim]}" for dim in used if dim in shown),
            *([f"kind = {_kind(arrays, values)}"] if "kind" in words else []),
            *lines,
        ]
        carried = [sizes[dim] for dim in used if dim not in shown]
        parameters = [*(values[k] for k in read), *carried]
        comma = "," if len(results) == 1 else ""
        kernel = [
            f"@_compiled\ndef _{function}({', '.join(parameters)}):",
            *lines,
            f"return ({', '.join(results)}{comma})",
        ]
        self.kernels.append("\n    ".join(kernel))
        if "_total" in words and _TOTAL not in self.kernels:
            self.kernels.append(_TOTAL)
        call = [f"{', '.join(results)}{comma} = _{function}({', '.join(parameters)})"]
        if len(call[0]) <= 84:
            return [f"    {call[0]}"]
        names = [f"{name}{comma}" for name in results]
        return [
            *wrapped(f"found = _{function}(", parameters, ")"),
            *wrapped("[", names, "] = found"),
        ]

    def _arrays(self, numbers: Iterable[int]) -> list[tuple[str, Shape]]:
        """The arrays among values, those in the tuple of a loop too, as text with their shapes."""
        loops = {step.value: step.body for step in self.plan.steps if step.body is not None}
        found: list[tuple[str, Shape]] = []
        for number in numbers:
            name = self.names.values[number]
            if number not in loops:
                found.append((name, self.plan.shapes[number]))
                continue
            for place, output in enumerate(loops[number].outputs):
                longer = output.kind == "trail"  # by one than there are layers
                shape = (1, *output.shape[1:]) if longer else output.shape
                found.append((f"{name}[{place}]", shape))
        return found


def _kind(arrays: Sequence[int], values: Mapping[int, str]) -> str:
    """The type of the arrays that the code makes."""
    return f"{values[arrays[0]]}.dtype" if arrays else "np.float64"
