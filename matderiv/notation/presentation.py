"""A derivative on the page: its headline, and the lines that name its parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from matderiv.notation.dialects import dialect as dialect_of
from matderiv.notation.entries import lift_entries
from matderiv.notation.forms import transpose
from matderiv.notation.layers import layers_of
from matderiv.notation.lift import Lifter, lift_all
from matderiv.notation.names import fresh_names
from matderiv.notation.render import Equation, Span, render_lines
from matderiv.notation.signs import agree
from matderiv.notation.terms import Call, Einsum, Partial, Symbol, Term, walk
from matderiv.tensor.nodes import Node, Variable
from matderiv.tensor.traverse import reachable

__all__ = ["JointPresentation", "Line", "Presentation", "present", "present_joint", "present_term"]


@dataclass(frozen=True)
class Line:
    """A value in matrix notation, and by its entries where no matrix notation says it."""

    name: str
    term: Term
    indices: tuple[str, ...] = ()
    entry: Term | None = None
    layer: tuple[str, ...] = ()
    span: Span | None = None

    @property
    def is_matrix_form(self) -> bool:
        return self.entry is None

    def equation(self, by_entries: bool) -> Equation:
        if by_entries and self.entry is not None:
            return Equation(self.name, self.layer + self.indices, self.entry, self.span)
        return Equation(self.name, self.layer, self.term, self.span)


@dataclass(frozen=True)
class JointPresentation:
    """Several values whose lines below are shared.

    >>> from matderiv.tensor.arena import Arena
    >>> arena = Arena()
    >>> A, x = arena.variable("A", ("n", "n")), arena.variable("x", ("n",))
    >>> values = {"x": arena.einsum("ij,j->i", A, x), "A": arena.einsum("i,j->ij", x, x)}
    >>> joint = present_joint(values)
    >>> print(joint.text("ascii"))
    x = A x
    A = x x'
    """

    lines: tuple[Line, ...]
    where: tuple[Line, ...]
    names: Mapping[str, str]
    taken: frozenset[str] = frozenset()

    def text(self, dialect: str = "unicode") -> str:
        """Unicode, ascii, latex, mathml; or "index", the entries in unicode.

        Ascii is input again; it writes what no matrix notation says with einsum.
        """
        if dialect == "index":
            dialect = "unicode"
        by_entries = dialect != "ascii"
        return render_lines(
            [line.equation(by_entries) for line in self.lines],
            [line.equation(by_entries) for line in self.where],
            dialect_of(dialect, self.taken),
            self.names,
            self.declarations if dialect == "ascii" else {},
        )

    @property
    def declarations(self) -> dict[str, str]:
        """Each abstract function that is printed -> what a text declares it to be."""
        return {
            part.function: part.declaration
            for line in (*self.lines, *self.where)
            for part in walk(line.term)
            if isinstance(part, Call | Partial) and part.declaration
        }


@dataclass(frozen=True)
class Presentation:
    """One value: `headline`, the lines below it, its weight and its text.

    >>> from matderiv.tensor.arena import Arena
    >>> arena = Arena()
    >>> X, w = arena.variable("X", ("n", "d")), arena.variable("w", ("d",))
    >>> y = arena.variable("y", ("n",))
    >>> residual = arena.einsum("ij,j->i", X, w) - y
    >>> gradient = present(2 * arena.einsum("ij,i->j", X, residual))
    >>> gradient.text("unicode"), gradient.text("ascii"), gradient.weight
    ('2 Xᵀ(X w - y)', "2 X' (X w - y)", 7)
    """

    joint: JointPresentation

    @property
    def line(self) -> Line:
        return self.joint.lines[0]

    @property
    def headline(self) -> Term:
        """The term printed: in matrix notation, else the entry at `line.indices`."""
        return self.line.term if self.line.entry is None else self.line.entry

    @property
    def is_matrix_form(self) -> bool:
        return self.line.is_matrix_form

    @property
    def where(self) -> tuple[tuple[str, Term], ...]:
        names = self.joint.names
        return tuple((names.get(line.name, line.name), line.term) for line in self.joint.where)

    @property
    def weight(self) -> int:
        """Tokens of the headline, and of each line that was made up for it, plus 2."""
        head = self.headline.weight + (len(self.line.indices) + 1 if self.line.indices else 0)
        generated = [line for line in self.joint.where if line.name.startswith("#")]
        return head + sum(2 + line.term.weight for line in generated)

    def text(self, dialect: str = "unicode") -> str:
        return self.joint.text(dialect)


def present(root: Node, *, row: bool = False, taken: Iterable[str] = ()) -> Presentation:
    """How to print a value; `row` turns a vector, `taken` are names not to be given anew."""
    return Presentation(_present({"": root}, {""} if row else set(), taken))


def present_joint(
    roots: Mapping[str, Node], *, rows: Iterable[str] = (), taken: Iterable[str] = ()
) -> JointPresentation:
    """How to print several values that share the lines below them."""
    return _present(roots, set(rows), taken)


def present_entries(
    root: Node, *, explicit: bool = True, taken: Iterable[str] = ()
) -> Presentation:
    """A value in index notation throughout; `explicit` writes every sum as Σ.

    >>> from matderiv.tensor.arena import Arena
    >>> arena = Arena()
    >>> h, g = arena.variable("h", ("b", "i")), arena.variable("g", ("b", "k"))
    >>> print(present_entries(arena.einsum("bi,bk->ik", h, g)).text())
    [i,j] = Σ_k h[k,i] g[k,j]
    """
    layers = layers_of([root], taken)
    node = root if layers is None else layers.roots[0]
    lifter = lift_all([node], layers)
    indices, entry = lift_entries(node, lifter, explicit=explicit)
    line = Line("", lifter.definition(node), indices, entry)
    if layers is not None and (head := layers.heads[0]) is not None:
        line = replace(line, layer=head.indices, span=head.span)
    return Presentation(_finish([line], lifter, [root], taken))


def present_term(term: Term, root: Node, lifter: Lifter, taken: Iterable[str] = ()) -> Presentation:
    """A term made of the lifted parts of a value, with the lines that name them."""
    return Presentation(_finish([Line("", term)], lifter, [root], taken))


def _present(roots: Mapping[str, Node], rows: set[str], taken: Iterable[str]) -> JointPresentation:
    layers = layers_of(list(roots.values()), taken)
    nodes = list(roots.values()) if layers is None else layers.roots
    lifter = lift_all(nodes, layers)
    lines = []
    for place, (name, root) in enumerate(zip(roots, nodes, strict=True)):
        term = lifter.definition(root) if len(nodes) == 1 else lifter.headline(root)
        line = _line(name, root, transpose(term) if name in rows else term, lifter)
        if layers is not None and (head := layers.heads[place]) is not None:
            line = replace(line, layer=head.indices, span=head.span)
        lines.append(line)
    return _finish(lines, lifter, roots.values(), taken)


def _line(name: str, node: Node, term: Term, lifter: Lifter) -> Line:
    if not any(isinstance(part, Einsum) for part in walk(term)):
        return Line(name, term)
    indices, entry = lift_entries(node, lifter, term=lifter.definition(node))
    return Line(name, term, indices, entry)


def _definitions(name: str, lifter: Lifter) -> Iterator[tuple[int, Line]]:
    """The lines that say what a name is, each with its place among all lines."""
    if lifter.layers is not None:
        for indices, node, span, place in lifter.layers.lines.get(name, ()):
            line = _line(name, node, lifter.definition(node), lifter)
            yield place, replace(line, layer=indices, span=span)
    if name in lifter.nodes:
        node = lifter.nodes[name]
        line = _line(name, node, lifter.definition(node), lifter)
        yield node.id, replace(line, layer=lifter.indices.get(name, ()))


def _finish(
    lines: list[Line], lifter: Lifter, roots: Iterable[Node], taken: Iterable[str]
) -> JointPresentation:
    """Add the lines of every name that is printed, definitions before uses."""
    below: dict[str, list[tuple[int, Line]]] = {}
    pending = list(lines)
    while pending:
        line = pending.pop()
        for term in (line.term, line.entry):
            for part in walk(term) if term is not None else ():
                if not isinstance(part, Symbol) or part.name in below:
                    continue
                found = list(_definitions(part.name, lifter))
                if found:
                    below[part.name] = found
                    pending += [line for _, line in found]
    numbered = [item for found in below.values() for item in found]
    where = [line for _, line in sorted(numbered, key=lambda item: item[0])]
    used = {str(dim) for node in reachable(roots) for dim in node.shape}
    used |= {node.name for node in reachable(roots) if isinstance(node, Variable)}
    used |= set(taken)
    names = fresh_names([line.name for line in where], used)
    lines, where = _agreed(lines, where)
    return JointPresentation(tuple(lines), tuple(where), names, frozenset(used))


def _agreed(*groups: list[Line]) -> list[list[Line]]:
    """The lines with every difference the same way round in all of them."""
    lines = [line for group in groups for line in group]
    terms = iter(agree([line.term for line in lines]))
    entries = iter(agree([line.entry for line in lines if line.entry is not None]))
    return [
        [replace(line, term=next(terms), entry=line.entry and next(entries)) for line in group]
        for group in groups
    ]
