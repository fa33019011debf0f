"""Every place that refuses a text is reached by a text here or in `test_messages`."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

import matderiv as md
from matderiv.errors import MatderivError
from matderiv.language import alphabet, lower, read
from matderiv.language.elsewhere import ELSEWHERE
from matderiv.tensor.arena import Arena
from tests.language import test_limits, test_messages

LANGUAGE = Path(read.__code__.co_filename).parent
BAD = Path(__file__).parents[1] / "corpus" / "bad_inputs.json"

# text, words of the message
REFUSED = [
    ("inv(X) where X: (n, 3, 4)", "needs"),
    ("diag(T) where T: (n, n, n)", "diag needs"),
    ("tr(x)", "tr needs a square matrix"),
    ("outer(A, x)", "outer needs"),
    ("(x", "'(' is never closed"),
    ("\\lVert (x \\rVert )", "'(' is never closed"),
    ("(x; y)", "'(' is never closed"),
    ("x . + y", "a '.' stands alone"),
    ("A^{H}", "conjugate transpose"),
    ("y = x; x = y; y", "is an input already"),
    ("z = x; " + "repeat l in 2 { " * 9 + "z = z" + " }" * 9 + "; z", ""),
    (
        "z = x; " + "".join(f"repeat l{k} in 2 {{ " for k in range(9)) + "z = z" + " }" * 9 + "; z",
        "nested more than 8 deep",
    ),
    ("vec(P) + z where z: (7)", "the sizes do not fit here"),
    ("y = vec(P) + z; P + Q where Q: (2, 4), z: (7)", "the sizes do not fit"),
    ("l: scalar function; l + x", "needs its arguments in brackets"),
    ("_ x", "a subscript stands directly after"),
    ("x + ∞", "∞ stands in ‖x‖_∞ alone"),
    ("é", "é is unknown"),
    ("x + y ∈ A", "'∈' declares names"),
    ("x + y = 2", "'=' assigns to one name"),
    ("(x)_1", "a subscript stands directly after"),
    ("x.foo", "is nothing known"),
    ("sin.T", "is a function"),
    ("x⁺", "this superscript is no power"),
    ("A^H", "conjugate"),
    ("phi: elementwise; phi(axis=0)", "takes expressions"),
    ("l: scalar function; l(x) + l(x, y)", "is called with 1 and 2 arguments"),
    ("phi: elementwise; phi(x, y, x)", "elementwise, of one or two"),
    ("l: scalar function; D(l)", "a derivative is written D(l(o, y), o)"),
    ("l: scalar function; D(q, x)", "D(l(o, y), o)"),
    ("l: scalar function; l(x) + D(l, x, y)", "D(l(o, y), o)"),
    ("l: scalar function; l'(x)", "is written D(l, o)"),
    ("softmax(t)", "softmax needs a vector or a matrix"),
    ("inv(x)", "inv needs a square matrix"),
    ("p x where p: () stochastic", "stochastic is for rows"),
    ("gamma(x)", "gamma(…) is a function in most books: there is no gamma function"),
    ("\\log \\Gamma(x)", "Γ(…) is a function in most books"),
    ("log(Φ(X b))", "the normal distribution function is normcdf(x)"),
    ("phi(X b)", "a name is declared, phi: elementwise, and the product has a space"),
    ("ψ(x)", "there is no digamma function"),
    ("logm(A)", "expm, sqrtm, inv and powers"),
    ("median(x)", "depends on the order of entries"),
    ("layer_norm(x)", "write (x - mean(x)) / sqrt(var(x) + 1e-5)"),
    ("conv2d(X)", "declare the matrix T"),
    ("A x where A: psd", "posdef says positive definite"),
    ("A x where A: SPD (n, n)", "is declared posdef"),
    ("A x where A: (n, n) definite", "is declared posdef"),
    ("A x where A: (n, n) triangular", "say lower or upper"),
    ("A x where A: (n, n) hermitian", "real; say symmetric"),
    ("A x where A: (n, n) unitary", "real; say orthogonal"),
    ("A x where A: (n, n) skew", "B - B'"),
    ("A x where A: (n, n) nonnegative", "positive says that no entry is 0"),
    ("A x where A: (n, n) invertible", "taken to have an inverse"),
    ("A x where A: (n, n) square", "the shape says it"),
    ("A x where A: (n, n) constant", "after wrt"),
    ("A x where A: (n, n) real", "all numbers are real"),
    ("A x where A: symmetric elementwise", "elementwise is no attribute"),
    ("x + eps", "put spaces for a product, e p s, or declare eps: ()"),
    ("tr(oo')", "put spaces for a product, o o, or declare oo: ()"),
    ("repeat l in N { x = S[l] x }; x where S: (N, n, n)", ""),
    ("z = x; repeat l in N { z = W[l, 0] z }; z where W: (N, n, n)", "declared stack"),
    ("z = x; repeat l in 3 { z = S[l] z }; z where S: (4, n, n)", "another number of slices"),
    ("x[1:]", "this slice needs its end"),
    ("x[3:2]", "this slice is empty"),
    ("t = t + 1; t", ""),
    ("z = x; repeat l in 3 { z = A }; z", "another shape"),
    ("z = x; repeat l in 2 { repeat l in 2 { z = z + x } }; z", "index of a loop around"),
    ("repeat l in 2 { x }", "a loop holds assignments"),
    ("x where y", "the value stands before it"),
    ("y' p; p = softmax(x)", "behind where"),
    ("t = y' p; p = softmax(x); t", "behind where the order is free"),
    ("det(A + r B)", "a number is declared, r: ()"),
    ("relu'(x)' x", "the function relu is written out"),
    ("\\mathbf{x}_{t+1}^\\top x", "a subscript is letters or digits, x_1 or x_next"),
    ("Σ_{i=1}^n x_i", "Σ_i=1 is not read: write sum(…)"),
    ("\\Pi_{i=1} x_i", "Π_i=1 is not read: a product over an index"),
    ('||einsum("i,j,k->ijk", x, y, z) - 1||^2', "the sum of its squares is sum((einsum"),
    ("sum(where(x > 0, x, 0))", "comparisons are not read"),
    ("where(x > 0, x, 0)", "comparisons are not read"),
    ("x if x > 0 else 0", "comparisons are not read"),
    ("𝔼[x' A x]", "an expectation is not read"),
    ("\\mathbb{E}_{q}[x^T A x]", "an expectation is not read"),
    ("2 Σ_i log(a_i' x)", "Σ_i before a factor has two readings"),
    ("Π_{k} x_k", "a product over k"),
    ("\\alpha \\boldsymbol{\\alpha}^T x", "α stands here in bold, as a vector, and not in bold"),
    ("\\frac{}{2}", "in braces is empty"),
    ("\\hat{x y}", "an accent stands over one letter"),
    ("\\left. x", "pair with nothing"),
    ("cross_entropy(t, t)", "cross_entropy is of vectors and matrices"),
    ("||A||_5", "entry by entry it is ||vec(A)||_5"),
    ("T x where T: (n, n, n)", "written with einsum"),
    ("A \\ w", "A \\ b needs equal sizes"),
    ("A \\ z where z: (m)", "needs equal sizes"),
    ("<x, A>", "an inner product needs two of one shape"),
    ("<u, v> where u: (3), v: (4)", "an inner product needs equal sizes"),
    ("T' where T: (n, n, n)", "' turns matrices and vectors"),
    ("t^x", "an exponent is a scalar"),
    ("A^5000", "beyond 4096"),
    ("||x||_foo", "there is no norm with the suffix"),
    ("||x||_12345678901", "there is no norm with the suffix"),
    ("norm(x, 0.5)", "is a norm for p ≥ 1; here p is 0.5"),
    ("t/ab where a, b: ()", "t/(a b) and t/a b, which is (t/a) b"),
    ("x'x/||x||||A x||", "has two readings: x'x/(||x|| ||A x||)"),
    ("x'x/|t| |s| where s: ()", "has two readings: x'x/(|t| |s|)"),
    ("e^-x'x", "(e^-x)' and e^(-x'…)"),
    ("e^-||x||^2", "a power of a power has two readings"),
    ("||x||2", "readings: ||…||_2, ||…||^2 and 2 ||…||"),
    ("‖A x - x‖22", "readings: ||…||_2^2 and 22 ||…||"),
    ("(x'x)2", "readings: (…)^2 and 2 (…)"),
    ("(A' A)−1A'x", "the inverse ^-1 of the first"),
    ("W^{(2)} x", "an index, as of layers and samples, written _2"),
    ("x2.5", "reads as the end of one number, 2.5"),
    ("||x||₂.5", "reads as the end of one number"),
    ("t^-T", "inverse transpose of a matrix"),
    ("||x||_op", "is a norm of matrices"),
    ("||T|| where T: (n, n, n)", "a norm is of a vector or a matrix"),
    ("max(x, y, axis=0)", "takes no options"),
    ("mse(x, A)", "needs two of one shape"),
    ("X: (n, ); X: (n, +)", "a size is a name"),
    ("X ∈ R^{n + d}; X", "sizes are separated by"),
    ("reshape(x, 2, 3) where x: (5)", "as many entries"),
    ("einsum(x)", "einsum begins with its subscripts"),
    ('einsum("i1", x)', "subscripts are letters with an arrow"),
    ('einsum("i,j->ij", x)', "subscripts for 2 operands and 1"),
    ('einsum("i->k", x)', "stands in no operand"),
    ('einsum("ij->i", x)', "do not fit"),
    ('einsum("ii->i", M) where M: (2, 3)', "the sizes of 'i' differ"),
    ("ones(x)", "is no size"),
    ("x + where", "missing"),
    ("x where where", ""),
    ("x in", "a space is written"),
    ("x: (n", ""),
    ("x: 3; x", ""),
    ("repeat in N { x = x }", ""),
    ("repeat l of N { x = x }", ""),
    ("repeat l in x + 1 { x = x }", ""),
    ("repeat l in 3 x = x", ""),
    ("x: elementwise symmetric foo; x", ""),
    ("x ∈ R^; x", ""),
    ("x + repeat", "is a keyword"),
    ("xqzt()", ""),
    ("A, B C: (n, n); A", ""),
    ("A + quux B", ""),
    ("x.zz()", "there is no method"),
    ("2½ x", "has two readings: a sum and a product"),
    ("f(x)", "if f is a function, declare f: elementwise"),
    ("np.sum(x)", "np is a module of Python: write its functions without it"),
    ("x[:-1]", "an index is an integer from 0, or a slice a:b"),
    ("\\frac{1}{q} ||x||", "declare q: ()"),
    ("x: (n) (m); x", ""),
    ("z: (n), (m); z", ""),
    ("x ∈ Q^n; x", "R^n"),
    ("x: ; x", ""),
    ("1 = x", "="),
    ("x y = 2", "="),
    ("z = ", "needs an expression"),
    ("; = x", ""),
    ("f(t) = t^2; f(x)", "ends with its kind, f(t) = t^2: elementwise"),
    ("f(t) = t^2: scalar function; f(x)", "is written f(t) = t^2 sin(t): elementwise"),
    ("f(s, t) = s t: elementwise; f(x, y)", "f is of several arguments"),
    ("f(tt) = tt^2: elementwise; f(x)", "tt is no letter for the argument of f"),
    ("f(e) = e^2: elementwise; f(x)", "e is no letter for the argument of f"),
    ("f(t) = t: elementwise positive; f(x)", "is written f(t) ="),
    ("f(t) = t: elementwise; f(t) = 2 t: elementwise; f(x)", "f is declared twice"),
    ("f(t) = g(t): elementwise; g(t) = t: elementwise; f(x)", "g is used before it is defined"),
    ("f(t) = t^2: elementwise; f'(x)", "define the function that is its derivative"),
    ("f(t) = t^2: elementwise; f(x, y)", "f takes 1 argument, got 2"),
    ("f(t) = t^2: elementwise; f(axis=0)", "f takes one expression"),
    ("f(t) = sum(t): elementwise; f(x)", "sum(t) is no function of numbers"),
    ("f(t) = max(t): elementwise; f(x)", "max(t) is no function of numbers"),
    ("f(t) = ||t||: elementwise; f(x)", "||t|| is no function of numbers"),
    ("f(t) = t' t: elementwise; f(x)", "t' is no function of numbers"),
    ("f(t) = <t, t>: elementwise; f(x)", "<t, t> is no function of numbers"),
    ("f(s) = c s: elementwise; f(x)", "declare c: ()"),
    ("f(s) = tr(s A): elementwise; f(x)", "A is a matrix"),
    ("f(s) = x: elementwise; f(x)", "x is a vector"),
    (
        "z = x; s = sum(x); f(t) = s t: elementwise; repeat l in N { s = s + 1; z = f(z) }; z",
        "s has another value in each turn, and f is defined with it",
    ),
]

# Asked from outside the text.
_GIVEN: list[dict[str, Any]] = [
    {"shapes": {"x": ("n", "-")}},
    {"shapes": {"x": 1.5}},
    {"shapes": {"": ("n",)}},
    {"attributes": {"x": "round"}},
    {"attributes": {"x": 3}},
    {"shapes": {"x": ("n", "m")}, "text": "x: (n); x"},
]


@pytest.mark.parametrize(("text", "words"), REFUSED, ids=[text for text, _ in REFUSED])
def test_refused(text: str, words: str) -> None:
    with pytest.raises(MatderivError) as caught:
        lower(read(text, shapes=_shapes(text)), Arena())
    error = caught.value
    assert words in f"{error.message} {error.hint or ''}"
    assert error.span is not None


def _shapes(text: str) -> dict[str, Any]:
    return {name: s for name, s in test_messages.SHAPES.items() if f"{name}:" not in text}


def _sites() -> dict[tuple[str, int, int], str]:
    """Where errors are raised in the language: file and lines, with the call as it stands."""
    found = {}
    for path in sorted(LANGUAGE.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            call = node.exc if isinstance(node, ast.Raise) else node
            if not isinstance(call, ast.Call) or not call.args:
                continue
            called = getattr(call.func, "attr", None) or getattr(call.func, "id", "")
            if isinstance(node, ast.Raise) or called in ("fail", "fail_name"):
                found[path.name, node.lineno, node.end_lineno or 0] = ast.unparse(call)
    return found


def _reached(text: Any, **given: Any) -> set[tuple[str, int]]:
    """The lines of the language through which the error of a text passes."""
    try:
        lower(read(text, **given), Arena())
    except MatderivError as error:
        lines, trace = set(), error.__traceback__
        while trace is not None:
            path = Path(trace.tb_frame.f_code.co_filename)
            lines.add((path.name, trace.tb_lineno))
            trace = trace.tb_next
        return lines
    return set()


# Raised only if two parts of the engine disagree, or for what the tables do not hold today.
_UNREACHED = ("is not computed yet", "'_' needs a subscript")


def test_every_place_that_refuses_is_reached() -> None:
    reached: set[tuple[str, int]] = set()
    for text, *_ in [*test_messages.REFUSED, *REFUSED]:
        reached |= _reached(text, shapes=_shapes(text))
    for case in json.loads(BAD.read_text("utf-8")):
        reached |= _reached(case.get("expr") or "", shapes=case["shapes"])
    for odd in (*test_limits.REFUSED.values(), "x" * 1_000_001, None):
        reached |= _reached(odd)
    for given in _GIVEN:
        reached |= _reached(**{"text": "x' x", **given})
    missing = {
        f"{name}:{first}: {text:.90}"
        for (name, first, last), text in _sites().items()
        if not any(file == name and first <= line <= last for file, line in reached)
        and not any(part in text for part in _UNREACHED)
    }
    assert not missing, "\n".join(sorted(missing))


SHAPES: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("a", "b", "c", "s"), ()),
    **dict.fromkeys(("x", "y", "z", "m", "p", "q", "yhat"), ("n",)),
    **dict.fromkeys(("X", "Y", "Z"), ("n", "k")),
    "A": ("n", "n"),
}
OTHER_SHAPES: dict[str, dict[str, tuple[Any, ...]]] = {
    "bmm": {"A": ("b", "i", "j"), "B": ("b", "j", "k")},
    "cross": {"E": (3, 3, 3), "x": (3,), "y": (3,)},
    "lstsq": {"A": ("n", "k"), "b": ("n",)},
}


@pytest.mark.parametrize("name", [k for k, text in ELSEWHERE.items() if text.startswith("write ")])
def test_what_is_to_be_written_instead_is_read(name: str) -> None:
    text = ELSEWHERE[name].removeprefix("write ")
    for end in (" for ", " with ", " where x is", ", or ask", ", log("):
        text = text.partition(end)[0]
    shapes = OTHER_SHAPES.get(name, SHAPES)
    used = {key: shape for key, shape in shapes.items() if re.search(rf"\b{key}\b", text)}
    assert read(text, shapes=used).output.shape is not None


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("Σ_k x_k where Σ_k: (m, n)", ("m",)),
        ("logdet(Σ_k) + (x - μ_k)' Σ_k^-1 (x - μ_k) where μ_k: (n)", ()),
        ("Σ_k^-1 x_k", ("n",)),
        ("Σ_x x", ("n",)),
        ("x_k' Σ_k", ("m",)),
    ],
)
def test_a_matrix_named_as_a_sum_is_read_where_nobody_takes_it_for_one(
    text: str, shape: tuple[str, ...]
) -> None:
    assert md.parse(text).shape == shape


GREEK = sorted(set(alphabet.BOLD_GREEK) & set(alphabet.GREEK.values()))


@pytest.mark.parametrize("letter", GREEK)
def test_bold_greek_is_a_vector(letter: str) -> None:
    """\\boldsymbol{θ}, \\bm θ, \\vec{θ} and 𝛉 are vectors; θ is a number, and so is 𝜃."""
    bold, name = alphabet.BOLD_GREEK[letter], alphabet.canonical_name(letter)
    own = alphabet.canonical_name(bold)
    assert own == name
    for text in (rf"\boldsymbol{{{letter}}}", rf"\bm {letter}", rf"\vec{{{letter}}}", bold):
        program = md.parse(f"||X {text} - y||^2")
        assert program.inputs[name].shape == program.inputs["X"].shape[1:]
        assert md.parse(rf"{text}_k^\top x").inputs[f"{name}_k"].shape == ("n",)
        assert md.parse(f"{text}' x where {name}: (d)").inputs[name].shape == ("d",)
    if letter != "π":
        assert md.parse(f"{letter} x").inputs[name].shape == ()
        with pytest.raises(MatderivError, match="in bold"):
            md.parse(rf"{letter} \boldsymbol{{{letter}}}^T x")
