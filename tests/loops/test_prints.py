"""What derivatives of loops look like."""

from __future__ import annotations

import pytest

import matderiv as md
from matderiv.notation import present_joint
from tests.loops.programs import PROGRAMS

NETWORK = """\
where z[0] = x
      z[l+1] = relu(z[l] W[l] + b[l]ᵀ)   (l = 0 … N-1)
      δz[N] = 2 (z[N] C - y) Cᵀ
"""
TWO_RECURRENCES = f"""{NETWORK}\
      T₀[l] = δz[l+1] ⊙ step(z[l+1])
      δz[l] = T₀[l] W[l]ᵀ   (l = N-1 … 0)
"""

GOLDENS = {
    ("network", "W"): f"[l] = z[l]ᵀ T₀[l]   (l = 0 … N-1)\n{TWO_RECURRENCES}",
    ("network", "b"): f"[l] = T₀[l]ᵀ 𝟏   (l = 0 … N-1)\n{TWO_RECURRENCES}",
    ("network", "x"): f"""\
δz[0]
{NETWORK}\
      δz[l] = (δz[l+1] ⊙ step(z[l+1])) W[l]ᵀ   (l = N-1 … 0)
""",
    ("network", "C"): """\
2 z[N]ᵀ(z[N] C - y)
where z[0] = x
      z[l+1] = relu(z[l] W[l] + b[l]ᵀ)   (l = 0 … N-1)
""",
    ("linear", "W"): """\
[l] = z[l]ᵀ δz[l+1]   (l = 0 … N-1)
where z[0] = x
      z[l+1] = z[l] W[l]   (l = 0 … N-1)
      δz[N] = 2 (z[N] C - y) Cᵀ
      δz[l] = δz[l+1] W[l]ᵀ   (l = N-1 … 0)
""",
    ("shared weight", "V"): """\
Σ_l z[l]ᵀ T₀[l]
where z[0] = x
      z[l+1] = tanh(z[l] V + b[l]ᵀ)   (l = 0 … N-1)
      δz[N] = 2 z[N]
      T₀[l] = δz[l+1] ⊙ (1 - z[l+1].^2)
      δz[l] = T₀[l] Vᵀ   (l = N-1 … 0)
""",
    ("reassigned", "W"): """\
[l] = z[l]ᵀ δz_2[l]   (l = 0 … N-1)
where z[0] = x
      z_2[l] = z[l] W[l]
      z[l+1] = sin(z_2[l])   (l = 0 … N-1)
      δz[N] = 𝟏 𝟏ᵀ
      δz_2[l] = δz[l+1] ⊙ cos(z_2[l])
      δz[l] = δz_2[l] W[l]ᵀ   (l = N-1 … 0)
""",
    ("accumulated", "W"): "[l] = 2 W[l] V Vᵀ   (l = 0 … N-1)\n",
}


@pytest.mark.parametrize(("name", "wrt"), GOLDENS, ids=map("-".join, GOLDENS))
def test_prints(name: str, wrt: str) -> None:
    derivative = md.diff(PROGRAMS[name].program(), wrt)
    assert f"{derivative}\n" == GOLDENS[name, wrt]


@pytest.mark.parametrize("name", ["network", "linear"])
def test_what_stays_zero_is_not_carried(name: str) -> None:
    """The second derivative of a piecewise linear state is 0 in each layer."""
    for mode in ("reverse", "forward"):
        text = md.diff(PROGRAMS[name].program(), "x", order=2, mode=mode).to("unicode")
        assert "ddz" not in text
        assert "[0] = 0" not in text


@pytest.mark.parametrize("name", ["network", "linear", "two carries", "residual"])
def test_tangents_have_the_names_of_what_they_are_tangents_of(name: str) -> None:
    program = PROGRAMS[name].program()
    for made in (md.diff(program, "x", mode="forward"), md.diff(program, "x").differential()):
        text = made.to("unicode")
        assert "\n      dz[0" in text or "where dz[0" in text
        assert ("du[0" in text) == ("u[0" in text.replace("du[0", ""))


@pytest.mark.parametrize(
    "body, short",
    [
        ("Q' (Q z + x)", "Q' x + z[l]"),
        ("sigmoid(z) .* x + sigmoid(-z) .* x + A z", "x + A z[l]"),
        ("(A z .* x - A x .* x) ./ x", "A z[l] - A x"),
    ],
)
def test_a_layer_is_as_short_as_a_formula_outside(body: str, short: str) -> None:
    program = (
        f"Q: (n, n) orthogonal; A: (n, n)\nz = x; repeat l in N {{ z = tanh({body}) }}; sum(z)"
    )
    text = md.diff(program, "x", shapes={"x": ("n",)}).to("ascii")
    assert f"z[l+1] = tanh({short}) " in text


def test_gradients_share_their_recurrences() -> None:
    derivatives = md.diff(PROGRAMS["network"].program(), ["x", "W", "b"])
    joint = present_joint({f"∂L/∂{name}": d.node for name, d in derivatives.items()})
    assert f"{joint.text()}\n" == (
        "∂L/∂x = δz[0]\n"
        "∂L/∂W[l] = z[l]ᵀ T₀[l]   (l = 0 … N-1)\n"
        f"∂L/∂b[l] = T₀[l]ᵀ 𝟏   (l = 0 … N-1)\n{TWO_RECURRENCES}"
    )


def test_a_loop_in_a_loop_has_two_indices() -> None:
    text = str(md.diff(PROGRAMS["nested"].program(), "W"))
    assert "[l,k+1] = " in text
    assert "(k = 0 … H-1)" in text
    assert "(k = H-1 … 0)" in text


@pytest.mark.parametrize("format", ["ascii", "latex", "mathml", "index"])
def test_every_dialect_writes_loops(format: str) -> None:
    for name, deep in PROGRAMS.items():
        for wrt in deep.wrt.split():
            text = md.diff(PROGRAMS[name].program(), wrt).to(format)
            assert "#" not in text.replace("&#", "")


def test_latex_has_one_subscript_to_a_name() -> None:
    text = md.diff(PROGRAMS["network"].program(), "W").to("latex")
    assert r"{\delta_{z}}_{l+1}" in text
    assert r"{T_{0}}_{l}" in text


def test_an_index_takes_no_name_of_the_program() -> None:
    text = "x: (B, M); W: (N, M, M); l: (); z = x; repeat k in N { z = l z W[k] }; ||z||^2"
    assert "z[k+1] = l z[k] W[k]" in str(md.diff(text, "W"))


@pytest.mark.parametrize("name", PROGRAMS)
def test_text_is_as_long_for_any_number_of_layers(name: str) -> None:
    deep = PROGRAMS[name]
    lengths = {
        len(str(md.diff(deep.program(layers), deep.wrt.split()[0]))) for layers in (300, 900)
    }
    assert len(lengths) == 1
