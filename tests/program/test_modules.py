"""Generated modules: what they keep, what they say, and that their self-check bites."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import pytest

import matderiv as md
from matderiv.program.compiled import CompiledFunction
from matderiv.program.module_text import docstring
from tests.program.counting import count

MLP = """
x: (B, M0);  w1: (M0, M1);  b1: (M1);  w2: (M1, M2);  y: (B, M2)
z1 = x w1 + b1
h1 = relu(z1)
||h1 w2 - y||^2
"""
PROGRAMS = {
    "least squares": ("||X w - y||^2", ["w"]),
    "mlp": (MLP, ["w1", "b1", "w2"]),
    "logistic": ("sum(log(1 + exp(-y .* (X w))))", ["w"]),
    "log det": ("S: (n, n) posdef; x: (n)\nlogdet(S) + x' S^-1 x", ["S", "x"]),
    "ridge": ("X: (n, d); y: (n); t: ()\nS = X' X + t I\ny' X S^-1 X' y", ["t", "X"]),
    "attention": (
        "Q: (n, d); K: (m, d); V: (m, v); T: (n, v)\nP = softmax(Q K' / sqrt(d))\n||P V - T||^2",
        ["Q", "K", "V"],
    ),
    "layer norm": (
        "x, g: (n)\nc = x - mean(x)\nv = mean(c .* c)\ng' (c / sqrt(v))",
        ["x", "g"],
    ),
    "softmax regression": ("X: (n, d); W: (d, k); Y: (n, k)\ncross_entropy(X W, Y)", ["W"]),
    "abstract": ("φ: elementwise; l: scalar function; x, y: (n)\nl(φ(x), y)", ["x", "y"]),
    "norm": ("norm(X w - y)", ["w"]),
    "vector": ("softmax(A x)", ["x"]),
    "matrix": ("X: (n, n)\nX^-1", ["X"]),
}


def _run(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("name", PROGRAMS)
def test_flops_predicted_are_flops_executed(name: str) -> None:
    source, wrt = PROGRAMS[name]
    function = md.compile(source, wrt)
    if function.plan.functions:
        return
    sizes = {dim: 3 + index for index, dim in enumerate(function.plan.sizes)}
    rng = np.random.default_rng(0)
    values = {}
    for variable in function.plan.inputs:
        if variable is not function.plan.cotangent:
            array = rng.uniform(0.5, 1.5, [sizes[str(dim)] for dim in variable.shape])
            square = array.ndim == 2 and array.shape[0] == array.shape[1]
            values[variable.name] = array @ array.T + np.eye(len(array)) if square else array
    value, cache = function.forward(values)
    numbers = function.cost.at(**sizes)
    forward, _ = count(function.module, "forward", *values.values())
    assert forward == pytest.approx(float(numbers.forward), abs=1e-6)
    cotangent = None if function.plan.cotangent is None else np.ones(np.shape(value))
    backward, _ = count(function.module, "backward", cache, cotangent)
    derived = [s for s in function.plan.derivative if s.value in _new(function)]
    extra = sum(float(step.flops.at(sizes)) for step in derived)
    assert backward == pytest.approx(float(numbers.backward) - extra, abs=1e-6)


def _new(function: CompiledFunction) -> set[int]:
    known = {s.value for s in (*function.plan.forward, *function.plan.backward)}
    return {s.value for s in function.plan.derivative} - known


@pytest.mark.parametrize("name", PROGRAMS)
def test_self_check_passes_and_notices_a_flipped_sign(name: str, tmp_path: Path) -> None:
    source, wrt = PROGRAMS[name]
    function = md.compile(source, wrt)
    path = function.save(tmp_path / "module.py")
    result = _run(path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.startswith("derivatives agree")
    # Negate the first result of backward.
    flipped = re.sub(r"(gradients = \{\s*'[^']*': )", r"\1-", function.source)
    assert flipped != function.source
    path.write_text(flipped, encoding="utf-8")
    result = _run(path)
    assert result.returncode == 1
    assert result.stdout.startswith("derivatives DISAGREE")


@pytest.mark.parametrize("backend", ["numpy", "jax", "torch"])
def test_a_loaded_module_is_what_its_source_says_line_by_line(backend: str) -> None:
    """What checks it is loaded when it is asked for, and stands in the lines where it is."""
    pytest.importorskip(backend, reason=f"{backend} is not installed")
    function = md.compile("||X w - y||^2", "w", backend=backend)
    written: dict[str, Any] = {}
    exec(compile(function.source, "written", "exec"), written)
    names = [name for name in written if isinstance(written[name], FunctionType)]
    assert ("self_check" in names) == (backend == "numpy")
    for name in names:
        loaded, file = getattr(function.module, name).__code__, written[name].__code__
        assert {line for *_, line in loaded.co_lines()} == {line for *_, line in file.co_lines()}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        function.module.nothing  # noqa: B018
    if backend == "numpy":
        assert function.module.self_check() == 0


def test_a_hessian_checks_itself(tmp_path: Path) -> None:
    function = md.compile("sum(log(1 + exp(-y .* (X w))))", "w", order=2)
    path = function.save(tmp_path / "module.py")
    assert _run(path).returncode == 0
    for wrong in ("2 * ", "np.nan * "):
        path.write_text(
            function.source.replace("derivatives = {'w': ", f"derivatives = {{'w': {wrong}")
        )
        result = _run(path)
        assert result.returncode == 1
        assert result.stdout.startswith("derivatives DISAGREE")


def test_a_module_without_a_finite_value_says_that_nothing_was_compared(tmp_path: Path) -> None:
    path = md.compile("sum(log(-x.^2))", "x").save(tmp_path / "module.py")
    command = [sys.executable, "-W", "ignore", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    assert result.stdout.startswith("derivatives not compared")


READ = [("S: (n, n) symmetric; x: (n)\n||S' x||^2", ["S"]), ("x: (n); A: (n, m)\nx' A", ["x"])]


@pytest.mark.parametrize("source, wrt", [*PROGRAMS.values(), *READ])
def test_a_module_is_titled_by_the_value_as_it_was_read(source: str, wrt: list[str]) -> None:
    text = ast.get_docstring(ast.parse(md.compile(source, wrt).source))
    assert text is not None
    value = str(md.parse(source)).splitlines()[0]
    assert text.splitlines()[0] == f"{value}, and its derivatives by {', '.join(wrt)}"


def test_relu_network_keeps_outputs_not_inputs() -> None:
    function = md.compile(MLP, ["w1", "b1", "w2"])
    kept = [function.plan.names.get(number) for number in function.plan.cache]
    assert "h1" in kept
    assert "z1" not in kept
    assert "np.greater(h1, 0.0)" in function.source


def test_temporaries_are_deleted_after_their_last_use() -> None:
    body = md.compile(MLP, ["w1", "w2"]).source.split("def value_and_grad")[0]
    made = re.findall(r"^    (\w+) = np\.", body, re.M)
    temporary = [name for name in made if re.fullmatch(r"t\d+", name)]
    dropped = re.findall(r"\w+", " ".join(re.findall(r"^    del (.*)$", body, re.M)))
    assert temporary
    lines = body.split("return ")
    for name in temporary:
        assert name in dropped or any(name in part.split("\n")[0] for part in lines)


def test_one_numpy_call_a_line() -> None:
    source = md.compile(PROGRAMS["attention"][0], PROGRAMS["attention"][1]).source
    body = source.split("import numpy as np")[1].split("def value_and_grad")[0]
    for line in body.splitlines():
        if re.match(r"    \w+ = np\.", line):
            assert line.count("np.") == 1, line


def test_keywords_and_reserved_names_are_written_with_an_underscore() -> None:
    source = "lambda * np' forward\nwhere np: (n), forward: (n)"
    function = md.compile("lambda * sum(x)", ["lambda", "x"])
    value, gradients = function.value_and_grad({"lambda": 2.0, "x": [1.0, 2.0]})
    assert value == 6.0
    assert sorted(gradients) == ["lambda", "x"]
    assert source  # a name of the module itself
    other = md.compile("np: (n); cache: (n)\nnp' cache", ["np"])
    assert "def forward(np_, cache_):" in other.source
    assert other.value_and_grad({"np": [1.0], "cache": [3.0]})[1]["np"] == [3.0]


def test_a_wrong_shape_is_named_with_the_sizes_known() -> None:
    function = md.compile("X: (n, d); w: (d); y: (n)\n||X w - y||^2", ["w"])
    values = {"X": np.ones((5, 3)), "w": np.ones(4), "y": np.ones(5)}
    with pytest.raises(md.MatderivError, match=r"w has shape \(4,\), expected \(d,\); d = 3"):
        function.forward(values)
    with pytest.raises(md.MatderivError, match="no value is given for w"):
        function.forward({"X": values["X"], "y": values["y"]})
    with pytest.raises(ValueError, match=r"X has shape \(5,\), expected \(n, d\)"):
        function.module.forward(np.ones(5), np.ones(3), np.ones(5))


def test_a_cotangent_scales_or_pulls_back() -> None:
    scalar = md.compile("x' x", ["x"])
    _, cache = scalar.forward({"x": [1.0, 2.0]})
    assert scalar.backward(cache, 3.0)["x"].tolist() == [6.0, 12.0]
    assert scalar.backward(cache)["x"].tolist() == [2.0, 4.0], "a cache may be used again"
    vector = md.compile("A x", ["x"])
    _, cache = vector.forward({"A": [[1.0, 2.0], [3.0, 4.0]], "x": [1.0, 1.0]})
    assert vector.backward(cache, [1.0, 0.0])["x"].tolist() == [1.0, 2.0]
    with pytest.raises(md.MatderivError, match="cotangent"):
        vector.backward(cache)


def test_save_refuses_to_replace_a_file(tmp_path: Path) -> None:
    function = md.compile("x' x", ["x"])
    path = function.save(tmp_path / "module.py")
    with pytest.raises(md.MatderivError, match="exists"):
        function.save(path)
    path.write_text("")
    assert function.save(path, force=True).read_text(encoding="utf-8") == function.source
    with pytest.raises(md.MatderivError, match="cannot be written"):
        function.save(tmp_path / "nowhere" / "module.py")
    assert [p.name for p in tmp_path.iterdir()] == ["module.py"]


def test_singular_matrices_are_a_domain_error() -> None:
    function = md.compile("b' X^-1 b", ["b"])
    with pytest.raises(md.MatderivError, match="ingular"):
        function.forward({"X": np.zeros((2, 2)), "b": np.ones(2)})


@pytest.mark.parametrize(
    "text", ['"""', "\\", '\\"""', "a\n\nb", '"', "\x00\x1b", "\\N{DASH}", "🙂"]
)
def test_text_stays_text(text: str) -> None:
    namespace: dict[str, object] = {}
    exec(docstring(text) + "\nfound = 1", namespace)
    assert namespace["found"] == 1
    assert str(namespace["__doc__"]).strip(" ") == text.strip(" ")


@pytest.mark.parametrize(
    "text, backend, library",
    [
        ("sum(erf(x) + 41)", "numpy", "scipy"),
        ("sum(exp(x) + 41)", "jax", "jax"),
        ("sum(exp(x) + 41)", "torch", "torch"),
        ("sum(exp(x) + 41)", "numba", "numba"),
    ],
)
def test_a_library_that_is_not_installed_is_named(
    text: str, backend: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [library, *(known for known in sys.modules if known.startswith(f"{library}."))]:
        monkeypatch.setitem(sys.modules, name, None)
    made = md.compile(text, "x", backend=backend)
    assert re.search(f"^(import|from) {library}", made.source, re.MULTILINE)
    with pytest.raises(md.UnsupportedError, match=f"{library}, which is not installed") as caught:
        made.value_and_grad({"x": np.array([0.5, 1.0])})
    assert f"pip install {library}" in str(caught.value)
