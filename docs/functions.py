"""Write docs/functions.md from the tables: `python docs/functions.py`.

Derivatives in the page are what the engine prints for them.
"""

from __future__ import annotations

from pathlib import Path

import matderiv as md
from matderiv.language.functions import function_table
from matderiv.tensor.elementwise import ELEMENTWISE
from matderiv.tensor.primitives import PRIMITIVES

TARGET = Path(__file__).with_suffix(".md")

# What the functions do that are not entries of the tables of `matderiv.tensor`.
OTHERS = {
    "sum": "the sum of all entries, or along `axis=0` or `axis=1`; `keepdims=True` keeps the axis",
    "mean": "the mean, in the same forms",
    "var": "the mean of the squared deviations from the mean, in the same forms",
    "std": "sqrt(var(x)), with `axis` and `keepdims` too",
    "norm": "`norm(x)` is ‖x‖, Frobenius' of a matrix; `norm(x, p)` is (Σ\\|x\\|^p)^(1/p)",
    "norm1": "the sum of absolute values",
    "norm2": "the 2-norm of a vector, Frobenius' norm of a matrix",
    "mse": "`mse(a, y)`: the mean of the squared differences",
    "cross_entropy": "`cross_entropy(Z, Y)`: logits Z, rows of Y that sum to 1; mean over rows",
    "sqrt": "the square root, entry by entry",
    "square": "the square, entry by entry",
    "tr": "the trace",
    "diag": "a vector on the diagonal of a matrix; the diagonal of a matrix",
    "vec": "the columns of a matrix, stacked",
    "adj": "the adjugate, det(A) A⁻¹",
    "outer": "`outer(x, y)` is x y'",
    "transpose": "the transpose",
    "kron": "the Kronecker product",
    "solve": "`solve(A, b)` is A⁻¹ b",
    "inner": "the inner product; tr(A'B) of matrices",
    "dot": "the inner product of two columns, the product of matrices",
    "eye": "`eye(n)`: the identity; so is `I`, of the size the context asks for",
    "ones": "`ones(n)`, `ones(m, n)`: 1 in every entry",
    "zeros": "`zeros(n)`, `zeros(m, n)`: 0 in every entry",
    "vector": "`vector(c)`: c in every entry, of the size the context asks for",
    "matrix": "`matrix(c)`: the same of a matrix",
    "commutation": "`commutation(m, n)`: K with K vec(A) = vec(A') for A of shape (m, n)",
    "reshape": "`reshape(M, m, n)`: the same entries by rows, as in NumPy",
    "einsum": '`einsum("ij,jk->ik", A, B)`, every output letter written out',
}


def spelled(name: str, aliases: tuple[str, ...]) -> str:
    return ", ".join(f"`{text}`" for text in (name, *aliases))


def elementwise_rows() -> list[str]:
    rows = []
    for name, entry in ELEMENTWISE.items():
        letters = ["α", "β"][: entry.arity]
        call = f"{name}({', '.join(letters)})"
        derivatives = [f"`{md.diff(call, letter)}`" for letter in letters]
        aliases = tuple(a for a in function_table()[name].aliases if a != name)
        rows.append(f"| {spelled(name, aliases)} | {', '.join(derivatives)} | {entry.kink} |")
    return rows


def primitive_rows() -> list[str]:
    table = function_table()
    rows = []
    for name, entry in PRIMITIVES.items():
        if name in table and name not in OTHERS and name not in ELEMENTWISE:
            names = spelled(name, entry.aliases)
            rows.append(f"| {names} | `{entry.signature}` | {entry.kink} | {entry.source} |")
    return rows


def other_rows() -> list[str]:
    table = function_table()
    known = {*ELEMENTWISE, *PRIMITIVES} - set(OTHERS)
    names = [name for name in table if name not in known]
    return [f"| {spelled(name, table[name].aliases)} | {OTHERS[name]} |" for name in names]


def page() -> str:
    """The text of docs/functions.md."""
    return "\n".join(
        [
            "# Functions",
            "",
            "Written by `docs/functions.py` from the tables of `matderiv/tensor/`; the"
            " derivatives are what `matderiv diff` prints. An entry of these tables is all"
            " that a function takes: see [CONTRIBUTING.md](../CONTRIBUTING.md).",
            "",
            "## Entry by entry",
            "",
            "Of scalars, vectors and matrices; functions of two arguments broadcast.",
            "",
            "| function | derivative by α (and β) | where there is none |",
            "|---|---|---|",
            *elementwise_rows(),
            "",
            "`max(x)` and `min(x)` of one argument are the largest and the smallest entry; their"
            " gradient goes to the first one.",
            "",
            "## Of vectors and matrices",
            "",
            "The signature names the axes of arguments and value, as NumPy's do; functions"
            " of one vector work along the last axis, or along `axis=…`.",
            "",
            "| function | signature | where there is no derivative | source of the derivative |",
            "|---|---|---|---|",
            *primitive_rows(),
            "",
            "## Structure, sums, losses",
            "",
            "| function | |",
            "|---|---|",
            *other_rows(),
            "",
        ]
    )


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
