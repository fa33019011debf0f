"""Names: of shared parts, of the user's values, in each dialect, and never twice."""

from __future__ import annotations

import pytest

import matderiv as md
from matderiv.language import lower, read
from matderiv.notation import present, present_joint
from matderiv.tensor.arena import Arena
from matderiv.tensor.evaluate import evaluate
from matderiv.tensor.nodes import Node
from tests.notation.reading import SIZES, assert_reads_back, draw, read_back, variables


def lines(text: str) -> list[str]:
    return text.splitlines()


def test_a_heavy_shared_part_is_named() -> None:
    """(uses - 1)(weight - 1) > 3"""
    arena = Arena()
    A, x = arena.variable("A", ("n", "n")), arena.variable("x", ("n",))
    softmax = arena.apply("softmax", arena.einsum("ij,j->i", A, x))
    outer = arena.einsum("i,j->ij", softmax, softmax)
    node = arena.einsum("i->ii", softmax) - outer
    assert lines(present(node).text()) == ["diag(T₀) - T₀ T₀ᵀ", "where T₀ = softmax(A x)"]
    assert present(node).weight == len(["diag", "T", "-", "T", "T", "'"]) + 2 + 3
    assert_reads_back(node)


def test_a_light_shared_part_is_not_named() -> None:
    arena = Arena()
    x = arena.variable("x", ("n",))
    tanh = arena.map("tanh", x)
    node = arena.einsum("i,j->ij", tanh, tanh)
    assert present(node).text() == "tanh(x) tanh(x)ᵀ"


def test_generated_names_avoid_the_program() -> None:
    arena = Arena()
    A, T = arena.variable("A", ("n", "n")), arena.variable("T0", ("n",))
    shared = arena.map("tanh", arena.einsum("ij,j->i", A, T) + T)
    node = arena.einsum("i,j->ij", shared, shared)
    assert lines(present(node).text()) == ["T₁ T₁ᵀ", "where T₁ = tanh(A T0 + T0)"]
    assert lines(present(node, taken=["T_1"]).text())[0] == "T₂ T₂ᵀ"
    assert_reads_back(node)


def test_user_names_are_kept_and_defined_in_order() -> None:
    lowered = lower(read("z = A x\nh = tanh(z)\nh' h + z' z"), Arena())
    text = present(lowered.root).text("ascii")
    assert text.endswith(" where z = A x; h = tanh(z)")


def test_a_name_below_is_printed_only_if_it_is_used() -> None:
    lowered = lower(read("z = A x\nu = B x\nz' z"), Arena())
    assert present(lowered.root).text("ascii") == "z' z where z = A x"


def test_cotangent_names_read_back() -> None:
    """δz1 is delta_z1 in ascii, a name of the language."""
    arena = Arena()
    W, g = arena.variable("W", ("m", "n")), arena.variable("g", ("m",))
    delta = arena.name("δz1", arena.einsum("ij,i->j", W, g))
    node = arena.einsum("i,j->ij", delta, delta)
    presentation = present(node)
    assert lines(presentation.text()) == ["δz1 δz1ᵀ", "where δz1 = Wᵀ g"]
    assert presentation.text("ascii") == "delta_z1 delta_z1' where delta_z1 = W' g"
    assert r"\delta_{z_{1}}" in presentation.text("latex")
    assert_reads_back(node)


def test_two_values_of_one_name_are_told_apart() -> None:
    arena = Arena()
    A, x = arena.variable("A", ("n", "n")), arena.variable("x", ("n",))
    first = arena.name("z", arena.einsum("ij,j->i", A, x))
    second = arena.name("z", arena.einsum("ij,j->i", A, first))
    node = arena.einsum("i,j->ij", first, second)
    assert present(node).text("ascii") == "z z_2' where z = A x; z_2 = A z"
    assert_reads_back(node)


def test_joint_presentations_share_names() -> None:
    lowered = lower(read("tanh(A x + b)"), Arena())
    arena, value = lowered.root.arena, lowered.root
    left = arena.einsum("i,j->ij", value, value)
    right = arena.einsum("i,ij->j", value, lowered.variables["A"])
    joint = present_joint({"x": left, "y": right})
    assert lines(joint.text()) == ["x = T₀ T₀ᵀ", "y = Aᵀ T₀", "where T₀ = tanh(A x + b)"]


def test_a_deep_value_is_cut_by_names() -> None:
    """No recursion: 2,000 functions of functions print and read back."""
    arena = Arena()
    node: Node = arena.variable("x", ())
    for _ in range(2000):
        node = arena.map("cos", node)
    values = draw(variables(node))
    text = present(node).text("ascii")
    assert read_back(text, values) == evaluate([node], values, SIZES)[0]


def test_row_is_printed_as_a_row() -> None:
    lowered = lower(read("x' A"), Arena())
    assert lowered.row
    assert present(lowered.root, row=True).text("ascii") == "x' A"
    assert present(lowered.root, row=False).text("ascii") == "A' x"


def test_abstract_functions_print_in_every_dialect() -> None:
    source = "h = phi(W x)\no = V h\nD(l, o) h' where phi: elementwise, l: scalar function"
    program = read("l(o, y) + phi(z)' phi'(z) where phi: elementwise, l: scalar function")
    assert program.output.kind == "scalar"
    root = lower(read(source), Arena()).root
    presentation = present(root)
    assert lines(presentation.text())[0] == "∂l/∂o hᵀ"
    assert presentation.text("ascii").startswith(
        "D(l, o) h' where l: scalar function; phi: elementwise; h = phi(W x)"
    )
    assert r"\frac{\partial l}{\partial o} h^{\top}" in presentation.text("latex")


@pytest.mark.parametrize(
    ("source", "wrt"),
    [
        ("sum(G .* (softmax(Q K'/sqrt(d) + M) V)) where Q, K: (n, d), M: (n, n)", ["Q", "K", "M"]),
        ("1/2 ||V - tanh(W x + b)||^2 + sum(b)", ["W", "b", "x"]),
        ("logdet(X Y + Z)", ["X", "Y", "Z"]),
        ("log(det(A + B)) where A, B: (n, n) symmetric", ["A", "B"]),
        ("a' inv(A + B) b", ["A", "B", "a"]),
    ],
)
def test_no_value_is_written_out_twice(source: str, wrt: list[str]) -> None:
    """A derivative that others are made of is said by the name that they know it by."""
    derivatives = md.diff(source, wrt)
    joint = present_joint({name: d.node for name, d in derivatives.items()})
    below = [line.term for line in joint.where]
    assert not [line.term for line in joint.lines if line.term in below]
