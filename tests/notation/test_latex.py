"""LaTeX that an engine accepts, MathML that an XML reader accepts: every corpus formula.

KaTeX is run by node where MATDERIV_KATEX names a katex.min.js (`npm pack katex` has one);
.ci/run installs it.  It is strict: an unknown command, a brace too many or a character
without a font is an error.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from functools import cache
from typing import Any

import pytest

import matderiv as md
from matderiv.calculus.layout import LAYOUTS
from matderiv.notation import present
from tests.notation.score import CORPUS
from tests.notation.test_prints import PRINTS, lowered

KATEX = os.environ.get("MATDERIV_KATEX")
FORMULAS: list[dict[str, Any]] = json.loads((CORPUS / "formulas.json").read_text("utf-8"))
MORE = [  # what the corpus has not: orders, maps, entries, named values, layers, functions
    ("X^-1", "X", 2),
    ("||x||", "x", 3),
    ("logdet(X)", "X", 3),
    ("softmax(W x)", "W", 1),
    ("kron(A, X)", "X", 1),
    ("x_hat = x / ||x||; W_in x_hat", "x", 1),
    ("z = W1 x; h = phi(z); l(h, y) where phi: elementwise; l: scalar function", "W1", 1),
    ("X[1, 0:2] y where X: (3, 4), y: (2)", "X", 1),
    ("x' expm(t A) x where t: (), A: (n, n)", "t", 2),
]
SCRIPT = """
const katex = require(process.argv[1]);
const faults = [];
for (const text of JSON.parse(require("fs").readFileSync(0, "utf8"))) {
  try {
    katex.renderToString(text, {throwOnError: true, strict: "error", displayMode: true});
  } catch (error) {
    faults.push([text, String(error.message)]);
  }
}
console.log(JSON.stringify(faults));
"""


@cache
def derivatives() -> tuple[md.Derivative, ...]:
    made = [
        md.diff(
            case["expr"],
            case["wrt"],
            order=case["order"],
            layout=layout,
            shapes=case["shapes"],
            attributes=case["attrs"] or None,
        )
        for case in FORMULAS
        for layout in LAYOUTS
    ]
    return (*made, *(md.diff(text, wrt, order=order) for text, wrt, order in MORE))


def forms(derivative: md.Derivative) -> list[Any]:
    """A derivative, its differential and, where there is one, its Kronecker form."""
    found: list[Any] = [derivative, derivative.differential()]
    if derivative.order == 1:
        found.append(derivative.vjp())
    return found


def faults_of(texts: list[str]) -> list[list[str]]:
    node = shutil.which("node")
    assert node is not None
    assert KATEX is not None
    made = subprocess.run(
        [node, "-e", SCRIPT, os.path.abspath(KATEX)],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[list[str]] = json.loads(made.stdout)
    return found


@pytest.mark.heavy
@pytest.mark.skipif(
    not KATEX or not shutil.which("node"), reason="MATDERIV_KATEX names no katex.min.js for node"
)
def test_katex_renders_every_formula() -> None:
    texts = [form.to("latex") for derivative in derivatives() for form in forms(derivative)]
    texts += [present(lowered(source).root).text("latex") for source, _ in PRINTS]
    assert len(faults_of([r"\frac{1}{2", r"\nosuchcommand", "x"])) == 2
    assert faults_of(sorted(set(texts))) == []


def test_mathml_is_well_formed() -> None:
    for derivative in derivatives():
        ElementTree.fromstring(derivative.to("mathml"))
