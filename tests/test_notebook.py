"""matderiv in a notebook: the cell magic, what objects show, and the tutorial.

After a change of the output, `python tests/test_notebook.py` runs the tutorial and stores
what its cells show; read the diff.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

import matderiv as md
from matderiv.commands import main
from matderiv.notebook import Answers, Shown, answer
from matderiv.pictures import computation_graph, timeline

TUTORIAL = Path(__file__).parents[1] / "examples" / "tutorial.ipynb"


def settled(text: str) -> str:
    """Rounding differs between machines."""
    return re.sub(r"relative error [0-9.e+-]+", "relative error …", text)


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def shown(cell: Any) -> list[str]:
    """The text and the mathematics below a cell."""
    found = []
    for output in cell["outputs"]:
        data = output.get("data", {})
        text = output.get("text") or data.get("text/latex") or data.get("text/markdown")
        text = text or data.get("text/plain", "")
        found.append(settled(text if isinstance(text, str) else "".join(text)))
    return found


# ---- the cell --------------------------------------------------------------------------


def test_a_cell_is_a_derivative_with_its_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer("wrt w", "||Xw - y||^2")
    assert isinstance(found, Answers)
    assert repr(found) == "2 Xᵀ(X w - y)"
    latex = r"\frac{\partial f}{\partial w} = 2 X^{\top} \left(X w - y\right)"
    assert found._repr_latex_() == rf"$\displaystyle {latex}$"
    printed = capsys.readouterr().out
    assert printed.startswith("Xw is read as X w\ninferred X: (n, m), w: (m), y: (n)\nchecked")


def test_a_cell_with_several_names_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    two = answer("wrt A B --layout numerator", "tr(A X B)")
    assert two._repr_latex_().count("&=") == 2
    assert [one.layout for one in two] == ["numerator", "numerator"]
    second = answer("diff wrt x then y", "x' A y")._repr_latex_()
    assert r"\frac{\partial^{2} f}{\partial x \, \partial y} = A" in second
    assert r"{\partial w^{2}}" in answer("wrt w --order 2", "||X w||^2")._repr_latex_()


def test_a_cell_without_a_line_is_a_program() -> None:
    assert isinstance(answer("", "h = relu(x W)\n||h||^2 where x: (b, n)"), md.Program)


@pytest.mark.parametrize(
    "line",
    [
        "check wrt w",
        "wrt w --form vjp",
        "wrt w --format ascii",
        "compile wrt w",
        "flops wrt w --format csv",
        "plan wrt w --segments 2 --at n=9,m=8",
        'verify wrt w equals "2 X\' X w"',
    ],
)
def test_a_cell_runs_other_commands(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(line, "||X w||^2") is None
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    "line, type, begins",
    [
        ("flops wrt w", "text/markdown", "| step"),
        ("flops wrt w --modes", "text/markdown", "| mode"),
        ("memory wrt w", "text/markdown", "| peak of"),
        ("plan wrt w --at n=9,m=8", "text/markdown", "| schedule"),
        ("wrt w --steps", "text/markdown", "### $"),
        ("graph wrt w", "image/svg+xml", "<svg"),
        ("memory wrt w --timeline", "image/svg+xml", "<svg"),
    ],
)
def test_a_cell_shows_tables_and_pictures(line: str, type: str, begins: str) -> None:
    found = answer(line, "||tanh(X w)||^2")
    assert isinstance(found, Shown)
    assert found._repr_mimebundle_()[type].startswith(begins)


def test_a_cell_that_fails_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer("flops wrt q", "||X w||^2") is None
    assert "NameResolutionError" in capsys.readouterr().err


class _Printer:
    """As IPython's: what it is told to write."""

    def __init__(self) -> None:
        self.written = ""

    def text(self, text: str) -> None:
        self.written += text


def test_reports_are_shown_as_they_print() -> None:
    for report in (md.check("x' x", "x"), md.verify("x' x", "x", "x")):
        printer = _Printer()
        report._repr_pretty_(printer, False)
        assert printer.written == str(report)


def test_objects_show_themselves() -> None:
    compiled = md.compile("||X w||^2", "w")
    assert compiled._repr_markdown_() == f"```python\n{compiled.source}```"
    graph = computation_graph(md.parse("||X w||^2"), ["w"])
    assert graph._repr_svg_().startswith("<svg")
    assert timeline(compiled.plan, {})._repr_svg_().startswith("<svg")
    derivative = md.diff("||X w||^2", "w")
    assert derivative._repr_latex_().startswith(r"$\displaystyle ")
    assert derivative.vjp()._repr_latex_().startswith(r"$\displaystyle ")
    assert derivative.steps()._repr_markdown_().startswith("###")
    assert "|" in derivative.cost()._repr_markdown_()
    assert derivative.program._repr_latex_().endswith("^{2}$")


def test_errors_in_a_notebook_are_short() -> None:
    testing = pytest.importorskip("IPython.testing.globalipapp", reason="IPython is not installed")
    shell = testing.start_ipython()
    shell.run_line_magic("load_ext", "matderiv")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        result = shell.run_cell("%%matderiv wrt x\ntr A B")
    assert isinstance(result.error_in_exec, md.ParseError)
    assert printed.getvalue().startswith("ParseError: tr A B has two readings")
    assert "Traceback" not in printed.getvalue()


# ---- the tutorial ----------------------------------------------------------------------


def test_the_tutorial_runs() -> None:
    """Without IPython: magics are called as functions, the rest is Python."""
    space: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in code_cells(json.loads(TUTORIAL.read_text("utf-8"))):
            source = "".join(cell["source"])
            if source.startswith("%%matderiv"):
                line, _, body = source.partition("\n")
                answer(line.removeprefix("%%matderiv"), body)
            else:
                exec(re.sub(r"^%.*$", "", source, flags=re.MULTILINE), space)
    assert space["gradient"].check()


def executed() -> Any:
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    notebook = nbformat.read(TUTORIAL, as_version=4)
    # A file of this name beside the notebook would be read in the place of a formula.
    nbclient.NotebookClient(notebook, timeout=300, resources={}, coalesce_streams=True).execute()
    for cell in notebook.cells:
        cell.metadata = {}
    notebook.metadata.language_info = {"name": "python"}
    return notebook


@pytest.mark.heavy
@pytest.mark.filterwarnings("ignore")  # Jupyter's own
def test_the_tutorial_shows_what_it_stores() -> None:
    stored = code_cells(json.loads(TUTORIAL.read_text("utf-8")))
    for before, after in zip(stored, code_cells(executed()), strict=True):
        assert shown(after) == shown(before), "run: python tests/test_notebook.py"


if __name__ == "__main__":
    import nbformat

    nbformat.write(executed(), TUTORIAL)


@pytest.mark.parametrize("line", ["wrt x", "wrt x --steps"])
def test_what_is_taken_at_a_kink_is_said(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In a cell as on the terminal, and under a derivation too."""
    source = "sum(relu(A x)) + ||x||_1"
    if line == "wrt x":
        answer(line, source)
        said = capsys.readouterr().out
    else:
        main(["diff", source, *line.split()])
        said = capsys.readouterr().out
        assert said.count("subdifferential") == 2
    for note in md.diff(source, "x").notes[-2:]:
        assert note in said
