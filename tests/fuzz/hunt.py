"""Run the laws on a program; shrink one that breaks a law."""

from __future__ import annotations

import random
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from tests.fuzz.grow import grow
from tests.fuzz.oracles import LAWS, Case, Disagreement
from tests.fuzz.trees import Input, Loop, Program, Tree

__all__ = ["Failure", "hunt", "shrink"]

Law = Callable[[Case], None]


@dataclass
class Failure:
    """A program that breaks a law, and how."""

    seed: int
    law: str
    kind: str
    message: str
    program: Program
    wrt: str | None
    trace: str = ""

    def __str__(self) -> str:
        values = "\n".join(
            f"  {name} = {np.asarray(entry.value).tolist()}"
            for name, entry in self.program.inputs.items()
        )
        return (
            f"seed {self.seed} breaks {self.law} by {self.wrt} ({self.kind})\n"
            f"{self.program.text()}\n{values}\n{self.message}\n{self.trace}"
        )


def hunt(seed: int, *, every: bool = False, skipped: list[str] | None = None) -> Failure | None:
    """The first law that the program of a seed breaks; `every` applies all of them."""
    program = grow(seed)
    names = sorted(program.inputs)
    wrt = random.Random(seed).choice(names) if names else None
    case = Case(program, wrt)
    failure = None
    for number, (law, share) in enumerate(LAWS.items()):
        if every or (seed + number) % share == 0:
            failure = failure or broken(law, case, seed)
    if skipped is not None:
        skipped += case.skipped
    return failure


def broken(law: Law, case: Case, seed: int) -> Failure | None:
    """How a case breaks a law, if it does."""
    if case.wrt is None and law.__name__ not in ("value_is_the_meaning", "shapes_are_as_declared"):
        return None
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            law(case)
    except Exception as error:
        kind = str(error).split(":")[0] if isinstance(error, Disagreement) else repr(type(error))
        trace = "" if isinstance(error, Disagreement) else traceback.format_exc(limit=-4)
        return Failure(
            seed, law.__name__, kind.split("'")[0], str(error), case.program, case.wrt, trace
        )
    return None


# ----- shrinking --------------------------------------------------------------------------
def shrink(failure: Failure, steps: int = 400) -> Failure:
    """A smaller program that breaks the same law in the same way."""
    law = next(law for law in LAWS if law.__name__ == failure.law)
    while steps:
        for candidate in _smaller(failure.program):
            steps -= 1
            if not steps:
                break
            if _weight(candidate) >= _weight(failure.program) or not _finite(candidate):
                continue
            wrt = failure.wrt if failure.wrt in candidate.inputs else None
            for name in [wrt] if wrt else sorted(candidate.inputs):
                found = broken(law, Case(candidate, name), failure.seed)
                if found is not None and found.kind == failure.kind:
                    failure = found
                    break
            else:
                continue
            break
        else:
            return failure
    return failure


def _weight(program: Program) -> int:
    trees = [program.output]
    for _, body in program.statements:
        trees.append(body.start if isinstance(body, Loop) else body)
    return sum(1 + bool(part.args) for tree in trees for part in tree.walk()) + 2 * len(trees)


def _finite(program: Program) -> bool:
    with np.errstate(all="ignore"):
        try:
            return bool(np.all(np.isfinite(program.value(program.values()))))
        except np.linalg.LinAlgError:
            return False


def _smaller(program: Program) -> Iterator[Program]:
    """Programs one step simpler, the boldest steps first."""
    for part in list(program.output.walk())[1:]:
        yield replace(program, output=part).used()
    for place, (name, body) in enumerate(program.statements):
        if isinstance(body, Tree):
            yield _without(program, place, name, body).used()
            yield replace(program, statements=program.statements[:place], output=body).used()
    for place, tree in _trees(program):
        for part in tree.walk():
            for new in _simpler(part, program):
                yield _with_tree(new[1], place, tree.replaced(part, new[0])).used()


def _trees(program: Program) -> list[tuple[int, Tree]]:
    found = [(-1, program.output)]
    for place, (_, body) in enumerate(program.statements):
        if isinstance(body, Tree):
            found.append((place, body))
    return found


def _simpler(part: Tree, program: Program) -> Iterator[tuple[Tree, Program]]:
    """What may stand in the place of a part: one of its own parts, or a new input."""
    for inner in list(part.walk())[1:]:
        if inner.type == part.type:
            yield inner, program
    if part.args and all(isinstance(dim, str | int) for dim in part.type.dims):
        kind = part.type.kind
        if kind == "row":
            return
        letter = {"scalar": "θ", "vector": "g", "matrix": "E"}.get(kind)
        if letter is None:
            return
        name = next(f"{letter}{k}" for k in range(99) if f"{letter}{k}" not in program.inputs)
        shape = tuple(d if isinstance(d, int) else program.sizes[d] for d in part.type.dims)
        value = np.asarray(np.random.default_rng(5).uniform(0.3, 1.5, size=shape))
        inputs = {**program.inputs, name: Input(part.type, value)}
        yield Tree(part.type, name, "a", name=name), replace(program, inputs=inputs)


def _with_tree(program: Program, place: int, tree: Tree) -> Program:
    if place < 0:
        return replace(program, output=tree)
    statements = list(program.statements)
    statements[place] = statements[place][0], tree
    return replace(program, statements=tuple(statements))


def _without(program: Program, place: int, name: str, body: Tree) -> Program:
    """An assignment written out where its name stands."""

    def inlined(tree: Tree) -> Tree:
        for part in list(tree.walk()):
            if part.name == name:
                tree = tree.replaced(part, body)
        return tree

    statements: list[tuple[str, Tree | Loop]] = []
    for index, (other, tree) in enumerate(program.statements):
        if index == place:
            continue
        if isinstance(tree, Loop):
            statements.append((other, replace(tree, start=inlined(tree.start))))
        else:
            statements.append((other, inlined(tree)))
    return replace(program, statements=tuple(statements), output=inlined(program.output))
