"""SymPy matrix expressions, out and in.

    to_sympy.py     a typed program as a SymPy expression: parts.py, reductions.py
    from_sympy.py   a SymPy expression as text: reader.py, scalars.py, matrices.py
    functions.py    the elementwise functions that both sides know

Here alone `sympy` stands for expressions, and only who asks for them imports it.  Vectors
are (n, 1), rows (1, n), and what is 1 × 1 is a scalar.

>>> import sympy
>>> from matderiv.language import read
>>> to_sympy(read("||X w||^2"))
Trace(w.T*X.T*X*w)
>>> x = sympy.MatrixSymbol("x", 3, 1)
>>> from_sympy(sympy.sin(x[0, 0]) * x).text
'sin(x[0]) * x'
"""

from __future__ import annotations

from matderiv.sympy_bridge.from_sympy import Source, from_sympy
from matderiv.sympy_bridge.to_sympy import to_sympy

__all__ = ["Source", "from_sympy", "to_sympy"]
