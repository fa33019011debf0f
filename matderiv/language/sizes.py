"""Unification of sizes.

A size is kept as `coefficient · product of atoms`; an atom is a name or an `Unknown`.
Names and integers are rigid, unknowns are bound as equations come in.  An equation
between products that does not yet determine anything waits until the end.

>>> sizes = Sizes()
>>> n, u = fixed("n"), unknown()
>>> sizes.equate(u, n), show(u), sizes.equate(n, fixed("m"))
(True, 'n', False)
"""

from __future__ import annotations

from matderiv.language.syntax import Span
from matderiv.tensor.dims import Composite, Dim, dim_text, multiply_dims

__all__ = ["Size", "Sizes", "Unknown", "as_dim", "fixed", "is_known", "product", "show", "unknown"]


class Unknown:
    """A size that equations may bind."""

    __slots__ = ("bound",)

    def __init__(self) -> None:
        self.bound: Size | None = None


Size = tuple[int, tuple["str | Unknown", ...]]
ONE: Size = (1, ())


def unknown() -> Size:
    return 1, (Unknown(),)


def fixed(dim: Dim) -> Size:
    if isinstance(dim, Composite):
        return dim.coefficient, dim.names
    return (dim, ()) if isinstance(dim, int) else (1, (dim,))


def product(*sizes: Size) -> Size:
    coefficient, atoms = 1, list[str | Unknown]()
    for number, more in sizes:
        coefficient *= number
        atoms += more
    return coefficient, tuple(atoms)


def resolve(size: Size) -> Size:
    """The size with every bound unknown replaced."""
    number, atoms = size
    for atom in atoms:
        if not isinstance(atom, str) and atom.bound is not None:
            break
    else:
        return size
    done: list[str | Unknown] = []
    stack = list(reversed(atoms))
    while stack:
        atom = stack.pop()
        if isinstance(atom, str) or atom.bound is None:
            done.append(atom)
        else:
            inner = resolve_link(atom)
            number *= inner[0]
            stack.extend(reversed(inner[1]))
    return number, tuple(done)


def resolve_link(atom: Unknown) -> Size:
    """What an unknown is bound to, with chains of unknowns shortened."""
    chain = [atom]
    assert atom.bound is not None
    size = atom.bound
    while size[0] == 1 and len(size[1]) == 1:
        following = size[1][0]
        if isinstance(following, str) or following.bound is None:
            break
        chain.append(following)
        size = following.bound
    for link in chain:
        link.bound = size
    return size


def is_known(size: Size) -> bool:
    return all(isinstance(atom, str) for atom in resolve(size)[1])


def as_dim(size: Size) -> Dim:
    """The size as a dimension; all unknowns must be bound."""
    number, atoms = resolve(size)
    return multiply_dims(number, *(atom for atom in atoms if isinstance(atom, str)))


def show(size: Size) -> str:
    """A size for a message; an unknown one is `?`."""
    number, atoms = resolve(size)
    return dim_text(
        multiply_dims(number, *(atom if isinstance(atom, str) else "?" for atom in atoms))
    )


class Sizes:
    """The equations between sizes met so far."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Size, Size, Span]] = []

    def equate(self, left: Size, right: Size, place: Span = (0, 1)) -> bool:
        """Make two sizes equal; False where they cannot be.  `place` is for `settle`."""
        answer = self._equate(left, right)
        if answer is None:
            self.waiting.append((left, right, place))
            return True
        return answer

    def settle(self) -> Span | None:
        """Retry what waits until nothing changes; return the place of a contradiction."""
        while self.waiting:
            before = len(self.waiting)
            waiting, self.waiting = self.waiting, []
            for left, right, place in waiting:
                if not self.equate(left, right, place):
                    return place
            if len(self.waiting) == before:
                break
        return None

    def pair(self) -> bool:
        """Take the factors of two products that wait for each other to be equal, one by one.

        So vec(X) + vec(Y) is a sum of what has one shape, and (A ⊗ B) vec(X) is vec(B X A').
        """
        for left, right, place in self.waiting:
            (a, first), (b, second) = resolve(left), resolve(right)
            if a == b and len(first) == len(second):
                for one, other in zip(first, second, strict=True):
                    self.equate((1, (one,)), (1, (other,)), place)
                return True
        return False

    def _equate(self, left: Size, right: Size) -> bool | None:
        """True, False, or None: not determined yet."""
        (a, first), (b, second) = resolve(left), resolve(right)
        if (a, first) == (b, second):
            return True
        rest = list(second)
        mine = []
        for atom in first:
            if atom in rest:
                rest.remove(atom)
            else:
                mine.append(atom)
        theirs = rest
        if not mine and not theirs:
            return a == b
        for number, atoms, other, others in ((a, mine, b, theirs), (b, theirs, a, mine)):
            if len(atoms) == 1 and isinstance(atoms[0], Unknown):
                if other % number:
                    continue
                atoms[0].bound = (other // number, tuple(others))
                return True
        if not any(isinstance(atom, Unknown) for atom in (*mine, *theirs)):
            return False
        if not theirs and b == 1 and a == 1 and all(isinstance(x, Unknown) for x in mine):
            return self._all_one(mine)
        if not mine and a == 1 and b == 1 and all(isinstance(x, Unknown) for x in theirs):
            return self._all_one(theirs)
        return None

    def _all_one(self, atoms: list[str | Unknown]) -> bool:
        for atom in atoms:
            assert isinstance(atom, Unknown)
            atom.bound = ONE
        return True
