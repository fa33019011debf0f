"""What one library calls things: the table that a backend is.

Templates stand over the operands of a call, by the name of the NumPy function; what the
table lacks is called by that name.  Some calls have a name of their own, which a table may
spell or leave alone:

    dot          a product of vectors and matrices, no axes in front
    total        a sum of all entries
    f_number     f of an array and a number, the array first: add_number, maximum_number
    number_f     the same, the number first
    write_f      f written into a view of an array, the view first, and write_copyto
    written_diagonal  that of a square array without gaps, to be written into
    f_keepdims   f with the option keepdims, and tril_k, eye_k, eye_N, take_indices
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Backend"]


@dataclass(frozen=True)
class Backend:
    """How one library spells a plan.

    name         "numpy"; what users call it
    module       the name that the library has in the code: "np"
    imports      the lines at the top of a module
    array_check  the source of `_array`, which converts an input, and of `_alike`, if any
    kind_of      the type of the arrays that the code makes, from an array {0}
    kind         the same where all inputs are scalars; none if the code needs no such type
    fast_check   inputs that are float64 arrays of NumPy need no conversion
    by_rows      they must lie row by row
    spellings    templates over the operands {0}, {1} …, the options by name or all of them
                 {options}, or everything between the brackets of the call, {call}
    functions    where a template is one call: its function by the NumPy name
    mutable      arrays can be written into through views
    lifted       a number as an array, where functions take no number of Python's
    reuses       results are written into operands that nobody reads again: `out=`
    frees        memory is freed at `del`
    arrays_alone a cache holds arrays alone, and no sizes or types, which `jit` cannot return
    vector_first X' v is written v X, where a transposed matrix is slow to read
    folds        a sum over any axes is written as a product of two matrices
    helpers      functions that the library lacks, by the name of a step's function: their
                 source, under that name after an underscore
    scipy        what stands for "scipy" in the names of functions that NumPy lacks
    lacking      beginnings of the names of functions that the library has not at all
    of_one_matrix  … and not for stacks of matrices
    """

    name: str
    module: str
    imports: str
    array_check: str
    kind_of: str
    kind: str
    fast_check: bool = False
    by_rows: bool = False
    spellings: Mapping[str, str] = field(default_factory=dict)
    functions: Mapping[str, str] = field(default_factory=dict)
    mutable: bool = True
    lifted: str = ""
    reuses: bool = False
    frees: bool = True
    arrays_alone: bool = False
    vector_first: bool = False
    folds: bool = False
    helpers: Mapping[str, str] = field(default_factory=dict)
    scipy: str = "scipy"
    lacking: tuple[str, ...] = ()
    of_one_matrix: tuple[str, ...] = ()

    def function(self, name: str) -> str:
        """The path of a function that NumPy or SciPy calls by this name."""
        if name in self.functions:
            return self.functions[name]
        if name.startswith("scipy."):
            return self.scipy + name.removeprefix("scipy")
        return f"{self.module}.{name}"
