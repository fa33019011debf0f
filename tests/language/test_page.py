"""The language page, sentence by sentence: what is read, and as what.

Two texts that mean the same have the same value at a random point; so a reading is
tested by writing it out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from matderiv.language import canonical_name, lower, read
from matderiv.tensor.arena import Arena
from matderiv.tensor.dims import dim_value, multiply_dims
from matderiv.tensor.evaluate import evaluate

SHAPES: dict[str, tuple[Any, ...]] = {
    "A": ("n", "n"),
    "B": ("n", "n"),
    "Q": (4, 3),
    "X": ("n", "m"),
    "Y": ("n", "m"),
    "W": ("m", "k"),
    "w": ("m",),
    "x": ("n",),
    "y": ("n",),
    "z": ("n",),
    "t": (),
}

# text, the same written out
SAME = [
    # names
    ("w_1' w₁", "w1' w1"),
    ("w_{12}' x", "w12' x"),
    ("tr(X' X + t I_m)", "tr(X' X + t eye(m))"),
    ("(I_n - 1/n 𝟏_n 𝟏_n') XI_m", "(eye(n) - 1/n ones(n) ones(n)') X"),
    (r"\mathbf{1}_n^\top X \mathbb{1}_{m} + \mathbf{1}_3^\top Q' \mathbf 1_4", "sum(X) + sum(Q)"),
    ("lambda x", "λ x"),
    ("Σ x", "Sigma x"),
    ("\\hat{y}' x", "y_hat' x"),
    ("ŷ' x", "y_hat' x"),
    ("𝐱' 𝐲", "x' y"),
    ("Xw", "X w"),
    ("XW1", "X W1"),
    ("tr(AB)^2", "tr(A B)^2"),
    ("X Wx_1", "X W x_1"),
    ("2x", "2 x"),
    ("nX", "n X"),
    # postfix operators
    ("xᵀ y", "x' y"),
    ("x^T y", "x' y"),
    ("x^⊤ y", "x' y"),
    ("x^{T} y", "x' y"),
    ("x.T y", "x' y"),
    ("x^Ty", "x' y"),
    ("x^TAy", "x' A y"),
    ("A^-1", "inv(A)"),
    ("A^{-1}", "inv(A)"),
    ("A⁻¹", "inv(A)"),
    ("A^(-1)", "inv(A)"),
    ("A^{-T}", "inv(A)'"),
    ("A⁻ᵀ", "inv(A)'"),
    ("A^-T", "inv(A)'"),
    ("t²", "t^2"),
    ("t^-1", "1 / t"),
    ("t⁻²", "t^(-2)"),
    ("A^3", "A A A"),
    ("A^-2", "inv(A) inv(A)"),
    ("A^0", "eye(n)"),
    ("x**2", "x.^2"),
    ("X**2", "X.^2"),
    ("t**2", "t^2"),
    # prefix, products
    ("-t^2", "-(t^2)"),
    ("-x.^2", "-(x.^2)"),
    ("A * -B", "-(A B)"),
    ("x · y", "x' y"),
    ("A @ B", "A B"),
    ("A × B", "A B"),
    ("A \\ x", "inv(A) x"),
    ("A\\x", "inv(A) x"),
    ("1/2 x' A x", "((1/2) (x' A x))"),
    ("1/2 t", "(1/2) t"),
    ("x x' x", "(x x') x"),
    ("x ⊗ y", "kron(x, y)"),
    # Hadamard operators are looser than juxtaposition
    ("x ⊙ A y", "x .* (A y)"),
    ("A x ∘ y", "(A x) .* y"),
    ("x ⊘ A y", "x ./ (A y)"),
    ("x .* y ./ z", "(x .* y) ./ z"),
    ("2 * x .* y", "(2 x) .* y"),
    # numbers
    ("1./x", "1 ./ x"),
    ("2.*x", "2 .* x"),
    (".5 x", "0.5 x"),
    ("2. x", "2 x"),
    ("1e-3 x", "0.001 x"),
    # brackets
    ("|x|", "abs(x)"),
    ("||x||", "(x' x)^(1/2)"),
    ("‖x‖²", "x' x"),
    ("||x||_1", "sum(|x|)"),
    ("||x||_2", "norm(x)"),
    ("||X||_F^2", "tr(X' X)"),
    ("||X||^2_F", "||X||_F^2"),
    ("||X||", "||X||_F"),
    ("||X||_1", "sum(abs(X))"),
    ("||x||_inf", "max(abs(x))"),
    ("||x||_∞", "||x||_inf"),
    ("||t||", "|t|"),
    ("<x, y>", "x' y"),
    ("⟨X, Y⟩", "tr(X' Y)"),
    ("|| ||x|| y ||", "norm(norm(x) y)"),
    ("||x|-|y||", "abs(abs(x) - abs(y))"),
    ("|||x|| - 1|", "abs(norm(x) - 1)"),
    ("|| A |x| ||_2^2", "norm(A abs(x))^2"),
    ("||x| - 1|", "abs(abs(x) - 1)"),
    ("||x||y||z||", "norm(x) y norm(z)"),
    # functions
    ("log det A", "log(det(A))"),
    ("tr A", "tr(A)"),
    ("sin t cos t", "sin(t) cos(t)"),
    ("2 log t", "2 log(t)"),
    ("sin^2 t", "sin(t)^2"),
    ("sin^2(t) t", "sin(t)^2 t"),
    ("log t^2", "log(t^2)"),
    ("e^t", "exp(t)"),
    ("e^{-x}", "exp(-x)"),
    ("ln(t)", "log(t)"),
    ("σ(x)", "sigmoid(x)"),
    ("swish(x)", "silu(x)"),
    ("ReLU(x)", "relu(x)"),
    ("Diag(x) y", "diag(x) y"),
    ("‖x‖₂²", "||x||^2"),
    ("‖x‖²₂", "||x||^2"),
    ("‖x‖₁", "||x||_1"),
    ("½ x' x", "x' x/2"),
    ("¾x", "0.75 x"),
    ("max(x, 0)", "relu(x)"),
    ("max(0, x)", "relu(x)"),
    ("mean(x)", "sum(x) / n"),
    ("mean(X, axis=0)", "X' ones(n) / n"),
    ("sum(X, axis=1)", "X ones(m)"),
    ("sum(X, axis=-1)", "X ones(m)"),
    ("var(x)", "mean((x - mean(x)).^2)"),
    ("x - mean(x)", "x - ones(n) mean(x)"),
    ("std(x)", "sqrt(mean((x - mean(x)).^2))"),
    ("std(X, axis=0)", "sqrt(var(X, axis=0))"),
    ("triu(X)", "tril(X')'"),
    ("norm(x, 3)", "||x||_3"),
    ("norm(x, 2.5)", "||x||_2.5"),
    ("norm(x, 7/2)", r"\|x\|_{3.5}"),
    ("||x||_1.5", "sum(abs(x).^1.5)^(2/3)"),
    ("norm(x, inf)", "||x||_inf"),
    ('norm(X, "fro")', "||X||_F"),
    ("norm(X, 'fro')", "||X||_F"),
    ("norm(X,'nuc')", "||X||_*"),
    ("norm(X', ord='fro')", "||X'||_F"),
    ("norm(x, ord=1)", "||x||_1"),
    ("norm(x, p=3)", "||x||_3"),
    ("sum(X, 0)", "sum(X, axis=0)"),
    ("X.sum(0)", "sum(X, axis=0)"),
    ("softmax(X, -1)", "softmax(X)"),
    ("softmax(X, axis=1)", "softmax(X)"),
    ("softmax(X, axis=0)", "softmax(X')'"),
    ("mse(x, y)", "mean((x - y).^2)"),
    ("cross_entropy(X, Y)", "-sum(Y .* log_softmax(X)) / n"),
    ("x.pow(2).mean()", "mean(x.^2)"),
    ("X.sum(axis=0)", "sum(X, axis=0)"),
    ("X.sum(dim=0, keepdim=True)", "sum(X, axis=0, keepdims=True)"),
    ("X.t()", "X'"),
    ("solve(A, x)", "A \\ x"),
    ("outer(x, y)", "x y'"),
    ("norm1(x)", "||x||_1"),
    ("norm2(x)", "||x||"),
    ("adj(A)", "det(A) inv(A)"),
    ("x + vector(1)", "x + 1"),
    ("A + λ I", "A + λ eye(n)"),
    ("𝟏' x", "ones(n)' x"),
    ('einsum("ij,jk->ik", A, B)', "A B"),
    ("einsum('ij->ji', X)", "X'"),
    ("vec(t A)", "t vec(A)"),
    ("X[:, :]", "X"),
    ("Q[1, :]'", "Q' eye(4)[:, 1]"),
    ("Q[1:3, :]", "eye(4)[1:3, :] Q"),
    ("Q[2, 1]", "eye(4)[2, :] Q eye(3)[:, 1]"),
    ("Q[2:, :2]", "Q[2:4, 0:2]"),
    # broadcasting
    ("A + x", "A + ones(n) x'"),
    ("A - x'", "A - ones(n) x'"),
    ("A .* x", "A diag(x)"),
    ("x + t", "x + t ones(n)"),
    ("X - mean(X, axis=0, keepdims=True)", "X - mean(X, axis=0)"),
    # programs
    ("u = A x; u' u", "(A x)' (A x)"),
    ("u' u where u = A x", "(A x)' (A x)"),
    ("u' u\nwhere u = A x", "(A x)' (A x)"),
    ("u = A x\nv' v where v = u - y", "‖A x - y‖²"),
    ("u = s x\nu' v where s = t + 1, v = 2 u", "2 (t + 1)^2 x' x"),
    ("x' A x +\nt", "x' A x + t"),
    ("(x' A\n x)", "x' A x"),
    ("# a comment\nx' x # another", "x' x"),
    ("r = x - y\nr' r", "‖x - y‖²"),
    # LaTeX
    ("\\|Xw - y\\|_2^2", "||X w - y||^2"),
    ("\\lVert x \\rVert", "||x||"),
    ("\\operatorname{tr}\\!\\left[ A^\\top B \\right]", "tr(A' B)"),
    ("\\frac{1}{2} \\left[ x^\\top A x + b^\\top x \\right]", "1/2 (x' A x + b' x)"),
    ("A + \\Bigl[ B - C \\Bigr]", "A + (B - C)"),
    ("2 \\left[ x' y \\right]^2", "2 (x' y)^2"),
    ("B\\left[0, :\\right] + A^{-1}\\left[0, :\\right]", "B[0, :] + (A^-1)[0, :]"),
    ("\\left\\| x \\right\\|", "||x||"),
    ("\\left| x \\right|", "|x|"),
    ("X^\\top y", "X' y"),
    ("A^{-1}x", "inv(A) x"),
    ("\\frac{1}{2}x", "(1/2) x"),
    ("\\frac12 x", "(1/2) x"),
    ("\\tfrac1t", "1/t"),
    ("\\frac{\\frac{t}{2}}{3}", "(t/2)/3"),
    ("\\frac\\lambda2", "λ/2"),
    ("\\sqrt{t}", "sqrt(t)"),
    ("\\sqrt t", "sqrt(t)"),
    ("\\lambda\\mathbf{w}", "λ w"),
    ("\\mathbf{w}_1", "w_1"),
    ("\\boldsymbol{\\Sigma} x", "Σ x"),
    ("\\bar x' \\tilde{x}", "x_bar' x_tilde"),
    ("\\vec{x}' y", "x' y"),
    ("\\operatorname{tr}(A)", "tr(A)"),
    ("\\mathrm{tr} A", "tr(A)"),
    ("\\log\\det A", "log(det(A))"),
    ("\\ln t", "log(t)"),
    ("x \\odot y", "x .* y"),
    ("x^\\top \\cdot y", "x' y"),
    ("\\langle x, y \\rangle", "x' y"),
    ("\\left( x + y \\right)", "x + y"),
    ("\\exp\\left\\{ t \\right\\}", "exp(t)"),
    ("\\max(0, x)", "relu(x)"),
    ("\\max\\{0, x\\}", "relu(x)"),
    ("$x^\\top y$", "x' y"),
    ("\\[ x^\\top y \\].", "x' y"),
    ("$$x^\\top y,$$", "x' y"),
    ("\\mathbf{1}^\\top x", "ones(n)' x"),
    ("\\mathcal{L}_{\\text{in}} x", "L_in x"),
    ("x_{\\mathrm{max}}' x", "x_max' x"),
    ("\\|X\\|^2_F", "||X||_F^2"),
    ("\\|x\\|_\\infty", "||x||_inf"),
]


SIZES = {"n": 4, "m": 3, "k": 2, "p": 5, "q": 6}


def value_of(source: str) -> tuple[str, Any]:
    """The kind and the value of a program at one point, the same for every program."""
    program = read(source, shapes=SHAPES)
    lowered = lower(program, Arena())
    values = {}
    for name, node in lowered.variables.items():
        draw = np.random.default_rng(sum(map(ord, name)))
        values[node] = draw.uniform(0.2, 1.0, [dim_value(dim, SIZES) for dim in node.shape])
    return program.output.kind, evaluate([lowered.root], values, SIZES)[0]


@pytest.mark.parametrize(("text", "meaning"), SAME, ids=[text for text, _ in SAME])
def test_reads_as(text: str, meaning: str) -> None:
    (kind, got), (meant, want) = value_of(text), value_of(meaning)
    assert kind == meant
    np.testing.assert_allclose(got, want, rtol=1e-10)


KINDS = [
    ("X[0, :]", "row", ("m",)),
    ("X[:, 1]", "vector", ("n",)),
    ("X[0, 1]", "scalar", ()),
    ("X[0:2, 1:3]", "matrix", (2, 2)),
    ("X[0:2, :]", "matrix", (2, "m")),
    ("x[2]", "scalar", ()),
    ("x[1:4]", "vector", (3,)),
    ("x'[1:4]", "row", (3,)),
    ("x'", "row", ("n",)),
    ("x' A", "row", ("n",)),
    ("X'", "matrix", ("m", "n")),
    ("x ⊗ y", "vector", (multiply_dims("n", "n"),)),
    ("x ⊗ X", "matrix", (multiply_dims("n", "n"), "m")),
    ("vec(X)", "vector", (multiply_dims("m", "n"),)),
    ("diag(x)", "matrix", ("n", "n")),
    ("diag(A)", "vector", ("n",)),
    ("sum(X, axis=0)", "vector", ("m",)),
    ("sum(X, axis=1, keepdims=True)", "matrix", ("n", 1)),
    ("sum(X, keepdims=True)", "matrix", (1, 1)),
    ("logsumexp(X)", "vector", ("n",)),
    ("logsumexp(X, axis=0, keepdims=True)", "matrix", (1, "m")),
    ("softmax(x')", "row", ("n",)),
    ("max(X)", "scalar", ()),
    ("max(X, axis=0)", "vector", ("m",)),
    ("ones(3)", "vector", (3,)),
    ("zeros(p, q)", "matrix", ("p", "q")),
    ("eye(p)", "matrix", ("p", "p")),
    ("eye(m n)", "matrix", (multiply_dims("m", "n"),) * 2),
    ("commutation(n, m) vec(X)", "vector", (multiply_dims("m", "n"),)),
    ("reshape(X, m, n)", "matrix", ("m", "n")),
    ("A.reshape(n n)", "vector", (multiply_dims("n", "n"),)),
    ("pinv(X)", "matrix", ("m", "n")),
    ("expm(A)", "matrix", ("n", "n")),
    ("T: (b, n, m)\neinsum(\"bij,j->bi\", T, w)", "matrix", ("b", "n")),
    ("T: (b, n, m)\n2 exp(T)", "tensor", ("b", "n", "m")),
    ("n", "scalar", ()),
    ("π t", "scalar", ()),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "shape"), KINDS, ids=[text for text, *_ in KINDS])
def test_kind_and_shape(text: str, kind: str, shape: tuple[Any, ...]) -> None:
    output = read(text, shapes=SHAPES).output
    assert (output.kind, output.shape) == (kind, shape)


DECLARED = [
    "X: (n, d), w: (d); X w",
    "X: (n, d), w: (d,); X w",
    "X w where X: (n, d), w: (d)",
    "X w\nwhere X: (n, d)\nw: (d)",
    "X ∈ R^{n×d}, w ∈ R^d\nX w",
    "X in R^(n x d); w in R^d; X w",
    "X \\in \\mathbb{R}^{n \\times d}, w \\in \\mathbb{R}^d; X w",
    "X: (n, d)\nX w",
]


@pytest.mark.parametrize("text", DECLARED)
def test_declaration(text: str) -> None:
    program = read(text)
    assert {name: entry.shape for name, entry in program.inputs.items()} == {
        "X": ("n", "d"),
        "w": ("d",),
    }


def test_lists_share_a_shape() -> None:
    inputs = read("A, B: (n, n); A B").inputs
    assert [entry.shape for entry in inputs.values()] == [("n", "n"), ("n", "n")]


def test_attributes() -> None:
    program = read("A: (n, n) symmetric lower; P: (n, n) posdef; A P", attributes={"A": "positive"})
    assert program.inputs["A"].attributes == {"symmetric", "lower", "positive"}
    assert program.inputs["P"].attributes == {"posdef", "symmetric"}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("A: symmetric (n, n)", {"symmetric"}),
        ("A: lower (n, n) positive", {"lower", "positive"}),
        ("A: (n, n) lower triangular", {"lower"}),
        ("A: upper triangular", {"upper"}),
        ("A: symmetric positive definite (n, n)", {"symmetric", "posdef"}),
        ("A: (n, n) positive definite positive", {"symmetric", "posdef", "positive"}),
    ],
)
def test_attributes_before_the_shape_and_in_two_words(said: str, meant: set[str]) -> None:
    assert read(f"A x where {said}").inputs["A"].attributes == meant
    words = said.partition(":")[2].replace("(n, n)", "")
    assert read("A x", attributes={"A": words}).inputs["A"].attributes == meant


def test_attributes_make_a_matrix_square() -> None:
    program = read("S x", attributes={"S": ["symmetric"]})
    assert program.inputs["S"].shape == ("n", "n")


INFERRED = [
    ("||X w - y||^2", "inferred X: (n, m), w: (m), y: (n)"),
    ("x' A x", "inferred x: (n), A: (n, n)"),
    ("X - mean(X, axis=1, keepdims=True)", "inferred X: (n, m)"),
    ("vec(X)' M vec(X)", "inferred X: (n, m), M: (m n, m n)"),
    ("vec(X)' vec(Y)", "inferred X: (n, m), Y: (n, m)"),
    ("vec(X') - vec(Y)", "inferred X: (n, m), Y: (m, n)"),
    ("(A ⊗ B) vec(X) - vec(Y)", "inferred A: (n, m), B: (k, p), X: (p, m), Y: (k, n)"),
    ("X w where X: (n, d)", "inferred w: (d)"),
    ("n' X", "inferred n: (m), X: (m, k)"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "note"), INFERRED, ids=[text for text, _ in INFERRED])
def test_inferred_shapes_are_noted(text: str, note: str) -> None:
    assert note in read(text).notes


NOTES = [
    ("norm(X, inf)", "its largest |entry|, not the largest row sum"),
    ("norm(X, 1)", "the sum of its |entries|, not the largest column sum"),
    ("norm(x, 1)", None),
    ("Xw", "Xw is read as X w"),
    ("f(x + y) where f: ()", None),
    ("C(x + y)", "C(…) is a product; if C is a function, declare C: elementwise"),
    ("C (x + y)", None),
    (
        "x' x + q(x' y) where q: scalar",
        "q(…) is a product; a function is declared q: scalar function",
    ),
    ("x' x + q(x' y) where q: ()", None),
    ("A(x + y)", None),
    ("σ(t) where σ: ()", "σ is the declared name"),
    ("||Y - X β||^2", "β is a scalar, as Greek letters are; declare β: (n) for a vector"),
    ("||x' β||^2", "β is a scalar, as Greek letters are; declare β: (n) for a vector"),
    ("β A - y", "y is subtracted from every row of β A"),
    ("X + b where X: (p, q)", "b: (q) is added to every row of X: (p, q)"),
    ("K + λ", None),
    ("2 Q - mean(Q)", None),
    ("A + x", "x is added to every row of A, not to every column"),
    ("||t||", "||t|| of a scalar is |t|"),
    ("𝐱", "𝐱 is read as x"),
    ("||x||y||z||", "the bars are read as ||x|| y ||z||"),
    ("tr(X' dX)", "dX is the differential of X, one name"),
    ("A\\mu", "to solve write A \\ mu"),
    ("X - mean(X, axis=1, keepdims=True)", "are broadcast by '-' to (n, m)"),
]


@pytest.mark.parametrize(("text", "note"), NOTES, ids=[text for text, _ in NOTES])
def test_notes(text: str, note: str | None) -> None:
    shapes = {"A": ("n", "n"), "x": ("n",), "y": ("n",), "t": (), "X": ("n", "m")}
    if "X:" in text:
        del shapes["X"]
    notes = [line for line in read(text, shapes=shapes).notes if not line.startswith("inferred")]
    if note is None:
        assert notes == []
    else:
        assert any(note in line for line in notes)


def test_inputs_keep_the_order_and_spelling_of_the_text() -> None:
    inputs = read("sigma_1 w₁' x + lambda").inputs
    assert list(inputs) == ["σ1", "w1", "x", "λ"]
    assert [entry.spelling for entry in inputs.values()] == ["sigma_1", "w₁", "x", "lambda"]


@pytest.mark.parametrize("key", ["λ", "lambda", "\\lambda"])
def test_shapes_take_any_spelling(key: str) -> None:
    assert read("λ' λ", shapes={key: ("n",)}).inputs["λ"].shape == ("n",)


def test_canonical_names() -> None:
    same = [["w1", "w_1", "w₁", "w_{1}"], ["λ", "lambda"], ["y_hat", "ŷ"], ["σ2", "sigma_2", "σ₂"]]
    for spellings in same:
        assert len({canonical_name(text) for text in spellings}) == 1


def test_differential_has_the_shape_of_its_variable() -> None:
    inputs = read("tr(G' dX)", shapes={"X": ("n", "d")}).inputs
    assert inputs["dX"].shape == inputs["G"].shape == ("n", "d")


def test_abstract_functions() -> None:
    program = read("phi: elementwise; l: scalar function\nz = W x\nl(phi(z), y) + sum(phi'(z))")
    assert program.functions == {"φ": "elementwise", "l": "scalar"}
    values = [node.value for node in program.output.post_order() if node.op == "call"]
    assert values == [("φ", (0,)), ("l", ()), ("φ", (1,))]


def test_derivative_of_an_abstract_function_is_input() -> None:
    program = read("l: scalar function; o = W x; l(o, y) D(l, o)")
    assert (program.output.kind, program.output.shape) == ("vector", ("n",))


def test_repeat() -> None:
    source = (
        "x: (B, M);  W: (N, M, M);  b: (N, M);  C: (M, K);  y: (B, K)\nz = x\n"
        "repeat l in N { z = relu(z W[l] + b[l]) }\n||z C - y||^2"
    )
    program = read(source)
    loop = program.statements[1]
    assert (loop.index, loop.count, loop.carried) == ("l", "N", ("z",))
    assert program.output.kind == "scalar"


def test_repeat_of_a_known_number_of_turns_is_its_turns() -> None:
    stack = {"W": (2, "n", "n"), "x": ("n",)}
    arena = Arena()
    loop = lower(read("z = x; repeat l in 2 { z = tanh(W[l] z) }; z' z", shapes=stack), arena)
    slices = 'U = einsum("lij->lij", W)\n'
    assert loop.root.shape == ()
    assert len(read(slices + "sum(U)", shapes=stack).statements) == 1


def test_names_assigned_by_the_user_are_kept() -> None:
    arena = Arena()
    lowered = lower(read("h = relu(W x)\no = V h\n||o - y||^2"), arena)
    assert list(lowered.names) == ["h", "o"]
    assert list(lowered.variables) == ["W", "x", "V", "y"]
    ids = [node.id for node in lowered.variables.values()]
    assert ids == sorted(ids)
