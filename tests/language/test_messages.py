"""What is refused, with which words, and where the caret stands."""

from __future__ import annotations

from typing import Any

import pytest

from matderiv.errors import (
    MatderivError,
    NameResolutionError,
    ParseError,
    ShapeError,
)
from matderiv.language import read
from matderiv.language.latex_commands import FONTS, SYMBOLS

SHAPES: dict[str, tuple[Any, ...]] = {
    "A": ("n", "n"),
    "B": ("n", "n"),
    "X": ("n", "m"),
    "x": ("n",),
    "y": ("n",),
    "w": ("m",),
    "t": (),
}

# text, class, words of the message or hint, the characters under the caret
REFUSED = [
    # two readings, both spelled out
    ("x y", ShapeError, ["x' y", "x y'", "x .* y"], " "),
    ("x × y", ShapeError, ["x' y"], "×"),
    ("A**2", ShapeError, ["A^", "A.^"], "**"),
    ("y .* X * w", ParseError, ["(y) .* (X * w)", "(y .* X) * w"], ".*"),
    ("A * B .* A", ParseError, ["(A * B) .* (A)", "A * (B .* A)"], ".*"),
    ("A .* B \\ A", ParseError, ["two readings"], ".*"),
    ("tr A B", ParseError, ["tr(A) B", "tr(A B)"], " "),
    ("log 2 t", ParseError, ["log(2) t", "log(2 t)"], " "),
    ("log t / 2", ParseError, ["log(t) / 2", "log(t / 2)"], "/"),
    ("t^2^3", ParseError, ["two readings"], "^"),
    ("|A|", ShapeError, ["det(A)", "abs(A)"], "|"),
    ("||X||_2", ShapeError, ["_F", "_op"], "_2"),
    ("||x ||y|| x||", ParseError, ["||x|| y ||x||", "||x ||y|| x||"], "||x ||y|| x||"),
    ("e^A", ShapeError, ["exp(X)", "expm(X)"], "^"),
    ("X^T x where T: ()", ParseError, ["transpose", "T"], "T"),
    ("A^-1/2", ParseError, ["^(-1/2)", "(…^-1) / 2"], "/"),
    ("t^1/2", ParseError, ["^(1/2)", "(…^1) / 2"], "/"),
    ("x' x/2t", ShapeError, ["x' x/(2 t)", "(x' x/2) t"], "/"),
    ("t/2t^2", ShapeError, ["t/(2 t^2)", "(t/2) t^2"], "/"),
    ("X 1", ShapeError, ["X ones(n)", "the number 1"], " "),
    ("x' 1", ShapeError, ["x' ones(n)", "the number 1"], " "),
    ("||X||F^2", ParseError, ["||…||_F", "||…|| F"], "F"),
    ("||x||p", ParseError, ["||…||_p", "||…|| p"], "p"),
    ("XTX", NameResolutionError, ["X^T X", "X T X"], "XTX"),
    ("w' x + wTx", NameResolutionError, ["w^T x", "w T x"], "wTx"),
    ("A - t Id", NameResolutionError, ["I, the identity", "I d"], "Id"),
    ("x(1)", ParseError, ["an entry", "counted from 0", "1 x"], "("),
    ("X(1, 2)", ParseError, ["an entry", "[ ]"], "("),
    ("f'(x)", ParseError, ["f: elementwise", "f' x"], "f'"),
    ("A^(2) x", ParseError, ["A_2", "^2"], "^"),
    ("A^1 x", ParseError, ["A_1", "which is A"], "^"),
    ("x^(1)' x", ParseError, ["x_1"], "^"),
    ("x' A x/x' x", ShapeError, ["x' A x/(x' …)"], "/"),
    ("√2 t", ParseError, ["√(2) t", "√(2 t)"], " "),
    ("√x' x", ParseError, ["√(x') x", "√(x' x)"], " "),
    # operators
    ("A^t B", ShapeError, ["A' for the transpose"], "^"),
    ("x^t y", ShapeError, ["x' for the transpose"], "^"),
    ("exp^x", ParseError, ["e^x or exp(x)"], "exp"),
    ("tanh^x + y", ParseError, ["tanh(x)"], "tanh"),
    ("A_ij B_jk", NameResolutionError, ["A_ij", "B_jk", "A .* B", "declare"], "A_ij"),
    ("A_{ij} x_i", NameResolutionError, ["A_ij", "x_i"], "A_{ij}"),
    ("x^(i)", ShapeError, ["an index is written x_i"], "^"),
    ("A^0.3", ShapeError, ["integer", "half"], "^"),
    ("X^0.5", ShapeError, [".^"], "^"),
    ("||y - X β||^2", ShapeError, ["β: (m)", "β: ()"], "β"),
    ("y + X β/σ", ShapeError, ["X β is a matrix", "β: (m)", "β: ()"], "β"),
    ("t - x' β", ShapeError, ["x' β is a row", "β: (n)", "β: ()"], "β"),
    ("x' β", ShapeError, ["β: (n)", "β: ()"], "β"),
    ("(1 - θ)^q", ShapeError, ["q: ()"], "^"),
    ("||x||^2/2 + C sum(relu(x))", NameResolutionError, ["C: ()", "matrix", "(n, n)"], "C"),
    ("x' x - 2 q/3", NameResolutionError, ["q: ()", "vector"], "q"),
    ("tr(A) - ε H(A)", ShapeError, ["H(A) is a matrix", "declare H: scalar function"], None),
    ("vec(F)' vec(H) where F: (2, 3), H: (3, 3)", ShapeError, ["6", "9"], None),
    ("x' x + Q", NameResolutionError, ["Q: ()"], "Q"),
    ("x/N", NameResolutionError, ["N: ()", "A \\ b"], "N"),
    ("x' μ/sqrt(x' A x)", ShapeError, ["x' μ is a row", "μ: (n)"], "μ"),
    ("y .* (X β)", ShapeError, ["β: (m)", "β: ()"], "β"),
    ("w' w - λ μ' w", ShapeError, ["no transpose", "μ: (n)"], "'"),
    ("|A x - b|^2", ShapeError, [".^", "||A x - b||"], "^"),
    ("softmax(A B'/sqrt(d))", NameResolutionError, ["d: ()", "dimension d"], "d"),
    ("x/(2 q)", NameResolutionError, ["q: ()", "dimension q"], "q"),
    ("norm(x, 1, ord=2)", ParseError, ["1 to 2 arguments"], None),
    ("A^+", ParseError, ["pinv(A)"], "^"),
    ("A^†", ParseError, ["pinv(A)"], "^†"),
    ("x > 0", ParseError, ["comparisons", "step(x)"], ">"),
    ("max(t > 0, t)", ParseError, ["comparisons", "step(x)"], ">"),
    ("t < 0", ParseError, ["comparisons", "step(x)"], None),
    ("d/dx x' A x", ParseError, ["wrt"], "d"),
    ("x^2", ShapeError, [".^"], "^"),
    ("X^2", ShapeError, [".^", "square", "(n, m)"], "^"),
    ("A^2.25", ShapeError, ["integer"], "^"),
    ("x^-1", ShapeError, [".^-1"], "^-1"),
    ("A^H", ParseError, ["conjugate", "'"], "^H"),
    ("A^*", ParseError, ["conjugate"], "^*"),
    ("A†", ParseError, ["conjugate"], "†"),
    ("1' x", ShapeError, ["ones(n)'"], "'"),
    ("x A", ShapeError, ["x' A"], " "),
    ("A x'", ShapeError, ["a row"], " "),
    ("x' y'", ShapeError, ["a row"], " "),
    ("X w + w", ShapeError, ["(n)", "(m)"], "+"),
    ("x + y'", ShapeError, ["a column and a row", "y in place of y'"], "+"),
    ("X + X'", ShapeError, ["(n, m)", "(m, n)"], "+"),
    ("X A", ShapeError, ["inner sizes", "got m and n"], " "),
    ("x / y", ShapeError, ["./", "scalar"], "/"),
    ("x / A", ShapeError, ["./", "A \\ b"], "/"),
    ("X \\ x", ShapeError, ["square"], "\\"),
    # undeclared names
    ("x' y + b", NameResolutionError, ["declare b: ()"], "b"),
    ("sum(x) - k", NameResolutionError, ["declare k: ()", "size k"], "k"),
    ("1/k ||x||", NameResolutionError, ["declare k: ()", "dimension"], "k"),
    ("I", ShapeError, ["eye(n)"], "I"),
    ("tr(I)", ShapeError, ["eye(n)"], "I"),
    ("weights", NameResolutionError, ["weights", "w"], None),
    ("nan x' x", NameResolutionError, ["nan"], "nan"),
    ("logdetX", NameResolutionError, ["logdet X"], "logdetX"),
    ("Xw(a)", NameResolutionError, ["Xw", "declare"], "Xw"),
    ("sofmax(x)", NameResolutionError, ["did you mean softmax"], "sofmax"),
    ("x.foo()", NameResolutionError, ["foo"], "foo"),
    ("b = x; b = y; b", NameResolutionError, ["twice"], "b"),
    ("b' x; b = x", ParseError, ["only the last"], "b' x"),
    ("c = b' x; b = x; c", NameResolutionError, ["before it is assigned"], "b"),
    ("b = b + x", NameResolutionError, ["before it is assigned"], "b"),
    ("sin = x", NameResolutionError, ["function"], "sin"),
    ("phi: elementwise; phi = x", NameResolutionError, ["function"], "phi"),
    ("m: (m); m", NameResolutionError, ["dimension and a variable"], None),
    ("X: (n, d); X: (n, d); X", NameResolutionError, ["twice"], "X"),
    ("d X where d: ()\ntr(dX)", MatderivError, [], None),
    # brackets
    ("(x' y", ParseError, ["'(' is never closed"], "("),
    ("x' y)", ParseError, ["never opened"], ")"),
    ("(x]", ParseError, ["never closed"], "("),
    ("x[0", ParseError, ["never closed"], "["),
    ("||x", ParseError, ["norm", "never closed"], "||"),
    ("|x", ParseError, ["absolute value", "never closed"], "|"),
    ("<x, y", ParseError, ["inner product", "never closed"], None),
    ("\\left( x", ParseError, ["never closed"], None),
    ("\\left[ x^\\top x \\right)", ParseError, ["'[' is never closed"], "["),
    ("\\left[ x: y \\right]", ParseError, ["':' declares"], ":"),
    ("x \\left[ y^\\top x \\right]", ParseError, ["an index is an integer"], None),
    ("()", ParseError, ["missing"], ")"),
    ("[1, 2]", ParseError, ["indices"], "["),
    # operands
    ("x +", ParseError, ["missing after '+'"], None),
    ("A .* * B", ParseError, ["two operators"], ".*"),
    ("* x", ParseError, ["missing before '*'"], "*"),
    ("sin", ParseError, ["argument"], "sin"),
    ("sin()", ParseError, ["sin takes 1 argument"], ")"),
    ("sin(x, y)", ParseError, ["sin takes 1 argument, got 2"], "y"),
    ("sum(axis=0)", ParseError, ["argument"], None),
    ("sum(X, foo=1)", ParseError, ["axis, keepdims"], "foo"),
    ("sum(X, axis=2)", ShapeError, ["axis=2"], "sum"),
    ("sin^-1 t", ParseError, ["two readings"], "^-1"),
    ("x, y", ParseError, ["','"], ","),
    # subscripts of functions, and what a minimum is of
    ("log_2 t", NameResolutionError, ["log(x)/log(b)"], "log_2"),
    ("log10(t)", NameResolutionError, ["log(x)/log(10)"], "log10"),
    ("sum_i x", NameResolutionError, ["sum(…)", "x' y"], "sum_i"),
    ("min_x x' x", NameResolutionError, ["the objective alone"], "min_x"),
    ("argmin x' x", NameResolutionError, ["the objective alone"], "argmin"),
    ("tanh_i(x)", NameResolutionError, ["no subscripts"], "tanh_i"),
    ("lgamma(t)", NameResolutionError, ["no gamma function"], "lgamma"),
    # norms and signs of papers
    ("|x|_1", ParseError, ["absolute value", "||x||_1"], "_1"),
    ("||x||_1 + |A|_F", ParseError, ["absolute value", "||x||_1"], "_F"),
    ("||x - y||_A^2", ParseError, ["sqrt((x - y)' A (x - y))"], "_A"),
    ("||X||_{2,1}", ParseError, ["sum(sqrt(sum(X.^2, axis=0)))"], "_{2,1}"),
    ("||X||_{max}", ParseError, ["||X||_inf"], "_{max}"),
    ("(x)_+", ParseError, ["relu(x)"], "_"),
    ("x ± y", ParseError, ["+ or -"], "±"),
    ("A ⊕ B", ParseError, ["A ⊗ I + I ⊗ B"], "⊕"),
    ("x • y", ParseError, ["x' y"], "•"),
    ("Aᵗ x", ParseError, ["A'"], "ᵗ"),
    ("A:B", ParseError, ["<A, B>"], "B"),
    ("1_n' x", ParseError, ["ones(n)"], "_n"),
    # numbers
    ("0,5 t", ParseError, ["no comma"], ","),
    ("2 3", ParseError, ["two numbers"], "3"),
    ("1.2.3", ParseError, ["two numbers"], ".3"),
    ("0x1F", ParseError, ["hexadecimal"], "0x1F"),
    ("1e999", ParseError, ["float64"], "1e999"),
    ("1e-999", ParseError, ["float64"], "1e-999"),
    # indices
    ("X[0]", ShapeError, ["X[i, :]", "X[0, :]"], "["),
    ("x[-1]", ParseError, ["integer from 0"], "-"),
    ("x[i]", NameResolutionError, ["integer from 0"], "i"),
    ("sum(log(u + t))", NameResolutionError, ["u: ()", "u: (n)"], "u"),
    ("X[:, k]", NameResolutionError, ["k is none"], "k"),
    ("lamda t", NameResolutionError, ["lambda"], "lamda"),
    ("x' A x where A symmetric", NameResolutionError, ["A: (n, n) symmetric"], "symmetric"),
    ("x' B x where B = B'", NameResolutionError, ["B: (n, n) symmetric"], "B"),
    ("Z ∈ R^n×n; tr(Z)", ParseError, ["R^{n×d}"], "×"),
    ("Z ∈ R^nxn; tr(Z)", ParseError, ["R^{n×d}"], "nxn"),
    # what other tools and papers write
    ("x >= 0", ParseError, ["comparisons", "step(x)"], "="),
    ("x == y", ParseError, ["comparisons", "step(x)"], "="),
    ("x ≤ y", ParseError, ["comparisons", "step(x)"], "≤"),
    ("A %*% b", ParseError, ["A b", "A @ b"], "%"),
    ("λ_max(A)", NameResolutionError, ["||A||_op"], "λ_max"),
    ("sigma_min(A' A)", NameResolutionError, ["||A||_op"], "sigma_min"),
    ("eig(A)", NameResolutionError, ["||A||_op"], "eig"),
    ("prod(x)", NameResolutionError, ["exp(sum(log(x)))"], "prod"),
    ("clip(x, 0, 1)", NameResolutionError, ["min(max(x, a), b)"], "clip"),
    ("mean_squared_error(x, y)", NameResolutionError, ["mse(yhat, y)"], "mean_squared_error"),
    ("x' A x for A: (n, n)", NameResolutionError, ["where A: (n, n)"], "for"),
    ("x' A x where A is symmetric", NameResolutionError, ["A: (n, n) symmetric"], "is"),
    ("a' b where b = c, c = b", NameResolutionError, ["before it is assigned"], "b"),
    ("u[5] where u: (5)", MatderivError, ["out of range", "5"], "5"),
    ("t[0]", ShapeError, ["scalar"], "["),
    ("x[1.5]", ParseError, ["integer"], "1.5"),
    ("sum(X, axis=x)", ParseError, ["literal"], "x"),
    # functions of a module, as PyTorch and NumPy have them
    ("F.softmax(x)", ParseError, ["F is an array", "one too many", "softmax(x)"], "F"),
    ("F.softmax(X, dim=0)", ParseError, ["softmax(X, dim=0)"], "F"),
    ("F.softmax(X, 0)", ParseError, ["F is an array"], "F"),
    ("F.mse(x, y)", ParseError, ["mse(x, y)"], "F"),
    ("F.softmax(x) where F: (n, n)", ParseError, ["literal"], "x"),
    ("torch.softmax(x)", NameResolutionError, ["module of Python"], "torch"),
    ("norm(x, y)", MatderivError, ["number"], "y"),
    ("sum(inf)", NameResolutionError, ["inf"], "inf"),
    ("max(x, inf)", ParseError, ["no value"], "inf"),
    ("A * B / t .* A", ParseError, ["two readings"], ".*"),
    # declarations
    ("x: (n, 0); x", ParseError, ["positive integer"], "0"),
    ("x: (n + 1); x", ParseError, ["a shape is a list"], "+"),
    ("C: (n, n) symetric; C", ParseError, ["did you mean symmetric"], "symetric"),
    ("c: foo; c", ParseError, ["a declaration is written"], "foo"),
    ("C: (n, d) symmetric; C", ShapeError, ["square"], "C"),
    ("x ∈ S; x", ParseError, ["R^n"], "S"),
    ("where c: (n)", ParseError, ["missing"], "where"),
    ("c: (n)", ParseError, ["no expression"], None),
    ("x' y where", ParseError, ["missing after 'where'"], None),
    ("x; y", ParseError, ["only the last"], "x"),
    # odd characters
    ("х", ParseError, ["U+0445", "cyrillic"], "х"),
    ("ｘ", ParseError, ["U+FF58"], "ｘ"),
    ("x & y", ParseError, ["LaTeX"], "&"),
    ("x ∑ y", ParseError, ["sum(…)"], "∑"),
    # LaTeX
    ("\\sum_i x_i", ParseError, ["\\sum", "sum(…)"], "\\sum"),
    ("\\partial x", ParseError, ["wrt"], "\\partial"),
    ("\\min_w \\|w\\|", ParseError, ["objective"], "\\min"),
    ("\\begin{align} x", ParseError, ["environment"], "\\begin"),
    ("x \\\\ y", ParseError, ["line break"], "\\\\"),
    ("J(\\theta) = \\theta^2", ParseError, ["right-hand side", "J = "], "="),
    ("\\foo x", ParseError, ["\\foo"], "\\foo"),
    ("\\sqrt[3]{t}", MatderivError, ["^(1/3)"], "\\sqrt"),
    ("\\frac{1}", ParseError, ["missing"], None),
    # loops
    ("repeat l in 3 { u = x }", ParseError, ["carries nothing"], "repeat"),
    ("u = x; repeat l in N { u = W[l] u }; u", MatderivError, ["declared"], "W"),
    ("u = x; repeat l in N { u = u + l x }; u", NameResolutionError, ["[ ]"], "l"),
    ("u = x; repeat l in N { u = u + x", ParseError, ["never closed"], "{"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "kind", "words", "under"), REFUSED, ids=[text for text, *_ in REFUSED]
)
def test_refused(text: str, kind: type[MatderivError], words: list[str], under: str | None) -> None:
    with pytest.raises(kind) as caught:
        read(text, shapes=SHAPES)
    error = caught.value
    said = f"{error.message} {error.hint or ''}"
    assert all(word in said for word in words), said
    assert "\0" not in said
    assert error.span is not None
    if under is not None:
        assert text[slice(*error.span)] == under


def test_a_message_shows_the_line_and_the_hint() -> None:
    with pytest.raises(ShapeError) as caught:
        read("z = w\nA z where A: (m, n), w: (m)")
    assert str(caught.value).splitlines() == [
        "ShapeError: the product needs equal inner sizes, got n and m: A: (m, n) and z: (m)",
        "  A z where A: (m, n), w: (m)",
        "   ^",
        "  try: A' z",
    ]


@pytest.mark.parametrize("font", ["", *FONTS])
def test_messages_show_latex_as_it_is_written(font: str) -> None:
    """A command is one piece of text, with its braces, whatever it becomes."""
    letter = f"\\{font}{{u}}" if font else "u"
    for name, (_, token) in SYMBOLS.items():
        if token not in ("⊤", "'"):
            continue
        for turn in (f"^\\{name}", f"^{{\\{name}}}", "^\\mathsf{T}", "^{\\mathsf T}", "^T"):
            with pytest.raises(ShapeError) as caught:
                read(f"{letter}{turn} + v")
            assert f"{letter}{turn}: a row (n) and v: (n)" in caught.value.message
            assert caught.value.hint == f"{letter} in place of {letter}{turn}"


def test_carets_count_columns_of_wide_and_combining_letters() -> None:
    lines = str(ParseError("here", span=(4, 5), source="x̂ + ｙ")).splitlines()
    assert lines[2] == "      ^^" if len("x̂") == 1 else lines[2].strip() == "^"


def test_long_lines_are_cut_around_the_place() -> None:
    source = "x + " * 1000 + "* y"
    lines = str(ParseError("here", span=(4000, 4001), source=source)).splitlines()
    assert len(lines[1]) < 120
    assert lines[1][len(lines[2]) - 1] == "*"


HINTS = [
    ("x^2", "x.^2"),
    ("x^-2", "x.^(-2)"),
    ("(x + y)²", "(x + y).^2"),
    ("sin^2 x", "sin(x).^2"),
    ("sin²(x + y)", "sin(x + y).^2"),
    ("x A", "x' A"),
    ("A z where A: (m, n), z: (m)", "A' z"),
    ("X[0]", "X[0, :]"),
]


@pytest.mark.parametrize(("text", "hint"), HINTS)
def test_hints_are_true(text: str, hint: str) -> None:
    shapes = {name: shape for name, shape in SHAPES.items() if f"{name}:" not in text}
    with pytest.raises(MatderivError) as caught:
        read(text, shapes=shapes)
    assert caught.value.hint == hint
    read(f"{hint} where {text.partition(' where ')[2]}" if "where" in text else hint, shapes=shapes)


@pytest.mark.parametrize("source", [None, 3, b"x"])
def test_only_texts_are_read(source: Any) -> None:
    with pytest.raises(ParseError):
        read(source)


@pytest.mark.parametrize("shapes", [{"x": (0,)}, {"x": ("n", None)}, {"": ()}, {"x": (1.5,)}])
def test_given_shapes_are_checked(shapes: Any) -> None:
    with pytest.raises(MatderivError):
        read("x", shapes=shapes)


def test_given_attributes_are_checked() -> None:
    with pytest.raises(NameResolutionError, match="did you mean symmetric"):
        read("A", attributes={"A": "symetric"})
