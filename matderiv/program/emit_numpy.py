"""A plan as a NumPy module that needs nothing else of matderiv.

One call a line, results named as the user named them, `del` after the last use.  Only
calls `np.f(…)` and views are written on arrays, no operators and no other methods, so
that a stand-in for `np` sees every operation.  `np.dot` and `np.add.reduce` take half the time
of `np.matmul` and `np.sum` on small arrays, and the same on large ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from matderiv.program.backend import Backend
from matderiv.program.names import Names
from matderiv.program.plan import Plan
from matderiv.program.self_check import self_check
from matderiv.program.skeleton import Source, module_source
from matderiv.program.steps import LEAST_ROWS, MOST_ENTRIES, Step
from matderiv.program.writer import Writer

__all__ = ["NUMPY", "emit", "statement"]

_ARRAY_CHECK = '''
def _array(name, value, shape, sizes):
    """Return `value` as a float array of this shape, a scalar as a number."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} is an array of {array.dtype}, not of real numbers")
    if array.dtype != np.float32:
        array = array.astype(float, copy=False)
    _fit(name, array, shape, sizes)
    return array if shape else float(array)


def _alike(*arrays):
    """Return the arrays in the type that holds them all."""
    return [np.asarray(array, dtype=np.result_type(*arrays)) for array in arrays]
'''

_INVERSE_OF_LOWER = '''
def _inverse_of_lower(L):
    """Return the inverse of a lower triangular matrix, computed by blocks of rows."""
    if len(L) <= 64:
        return np.linalg.inv(L)
    inverse = np.zeros_like(L)
    for start in range(0, len(L), 64):
        rows = slice(start, start + 64)
        block = np.linalg.inv(L[rows, rows])
        inverse[rows, rows] = block
        before = np.matmul(L[rows, :start], inverse[:start, :start])
        np.matmul(-block, before, out=inverse[rows, :start])
    return inverse
'''

_STRIPS = f'''
def _strips(length, width):
    """Yield slices that cut rows of this width into blocks which stay in the cache."""
    rows = max({LEAST_ROWS}, {MOST_ENTRIES} // width)
    for first in range(0, length, rows):
        yield slice(first, first + rows)
'''

_SPELLINGS = {
    "dot": "np.dot({call})",
    "total": "np.add.reduce({0}, axis=None)",
    "sum": "np.add.reduce({0}{options})",
    "amax": "np.maximum.reduce({0}{options})",
    "amin": "np.minimum.reduce({0}{options})",
    "empty": "np.empty({0}, kind)",
    "zeros": "np.zeros({0}, kind)",
    "full": "np.full({0}, {1}, kind)",
    "eye": "np.eye({call}, dtype=kind)",
    "transpose": "{0}.transpose{1}",
    "written_diagonal": '{1}.ravel("K")[:: len({1}) + 1]',
    "scipy.linalg.expm_frechet": "scipy.linalg.expm_frechet({call}).astype({0}.dtype, copy=False)",
}

NUMPY = Backend(
    name="numpy",
    module="np",
    imports="import numpy as np",
    array_check=_ARRAY_CHECK,
    kind_of="{0}.dtype",
    kind="_FLOAT",
    fast_check=True,
    reuses=True,
    folds=True,
    spellings=_SPELLINGS,
    helpers={"inverse_of_lower": _INVERSE_OF_LOWER, "strips": _STRIPS},
)
_BY_NAME = Backend("numpy", "np", "", "", "", "", reuses=True)


def emit(plan: Plan, *, title: str, equations: Sequence[str]) -> Source:
    """Return the source of a module that checks itself when it is run.

    `title` and `equations` are text for its docstring; they are escaped.
    """
    return module_source(plan, NUMPY, title=title, equations=equations, check=self_check)


def statement(step: Step, names: Names) -> str:
    """One operation by the name that NumPy gives it: what reports show."""
    return Writer(names, _BY_NAME).statement(step)
