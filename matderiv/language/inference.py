"""Kinds and sizes of a program: declarations, statements, and the sizes left at the end.

Sizes that nothing fixes get fresh names, in the order in which inputs appear in the
text; so the answer never depends on the order of inference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from matderiv.errors import NameResolutionError, ParseError
from matderiv.language.alphabet import default_rank
from matderiv.language.building import Declaration
from matderiv.language.checker import Checker, kind_of_rank
from matderiv.language.expressions import Expressions, Variable
from matderiv.language.finishing import Step, typed_program
from matderiv.language.formulas import Formula, check_elementwise
from matderiv.language.functions import function_table
from matderiv.language.letters import refuse_greek_number
from matderiv.language.sizes import Size, fixed, is_known, unknown
from matderiv.language.symbols import Symbols
from matderiv.language.syntax import Span, Syntax, post_order
from matderiv.language.typed import TypedProgram
from matderiv.tensor.dims import Dim

__all__ = ["Given", "infer"]

Given = tuple[tuple[Dim, ...] | None, frozenset[str]]
"""A shape given from outside the text (None: attributes alone), and attributes."""

_DEEPEST = 8  # loops in loops
_SQUARE = frozenset(("symmetric", "posdef", "diagonal", "orthogonal", "lower", "upper"))


def infer(
    program: Syntax,
    symbols: Symbols,
    checker: Checker,
    given: Mapping[str, Given],
    spelling: Mapping[str, str],
) -> TypedProgram:
    """Return the typed program of a syntax tree."""
    return _Statements(symbols, checker, spelling).program(program, given)


class _Statements(Expressions):
    def program(self, program: Syntax, given: Mapping[str, Given]) -> TypedProgram:
        """Declarations first, wherever they stand; then a where clause; then the rest."""
        blocks = program.args
        for block in blocks:
            for statement in self._flat(block):
                if statement.op == "declaration":
                    self._declare(statement.value)
        self._declare_given(given)
        self._check_dimensions()
        for attributes in self.variables.values():
            self._fit(attributes)
        steps: list[Step] = []
        clause = self._clause(blocks[1]) if len(blocks) > 1 else []
        output = self._statements(blocks[0], clause, steps)
        self._settle()
        return typed_program(self, steps, output)

    def _flat(self, block: Syntax) -> Iterable[Syntax]:
        stack = [block]
        while stack:
            node = stack.pop()
            yield node
            if node.op in ("block", "repetition"):
                stack.extend(reversed(node.args))

    # ---- declarations ------------------------------------------------------------

    def _declare(self, declaration: Declaration) -> None:
        for name, span in declaration.names:
            if name in self.symbols.functions:
                continue
            rank = {"scalar": 0, "vector": 1, "matrix": 2}.get(declaration.kind)
            if declaration.sizes is not None:
                size = tuple(map(fixed, declaration.sizes))
            else:
                rank = default_rank(name) if rank is None else rank
                size = tuple(unknown() for _ in range(rank))
            self.variables[name] = Variable(
                kind_of_rank(len(size)), size, set(declaration.attributes), True, span
            )

    def _declare_given(self, given: Mapping[str, Given]) -> None:
        for name, (dims, attributes) in given.items():
            variable = self.variables.get(name)
            size = None if dims is None else tuple(map(fixed, dims))
            if variable is None:
                if size is None:
                    size = tuple(unknown() for _ in range(default_rank(name)))
                variable = Variable(kind_of_rank(len(size)), size, declared=dims is not None)
                self.variables[name] = variable
            elif size is not None:
                fits = len(size) == len(variable.size)
                if not fits or not all(map(self.check.equate, size, variable.size)):
                    self.check.fail(f"{name} is declared with two shapes", variable.span or (0, 1))
            variable.attributes |= attributes

    def _check_dimensions(self) -> None:
        for name, span in self.symbols.dimensions.items():
            if self.symbols.is_variable(name) or name in self.symbols.functions:
                place = span or self.symbols.declared.get(name) or self.symbols.assigned.get(name)
                self.check.fail(
                    f"{name} is both a dimension and a variable",
                    place or (0, 1),
                    error=NameResolutionError,
                )

    def _fit(self, variable: Variable) -> None:
        """Refuse attributes that a shape cannot have."""
        if "stochastic" in variable.attributes and variable.kind == "scalar":
            self.check.fail("stochastic is for rows that sum to 1", variable.span or (0, 1))
        if "posdef" in variable.attributes:
            variable.attributes.add("symmetric")
        square = variable.attributes & _SQUARE
        if not square:
            return
        if variable.kind != "matrix" or not self.check.equate(*variable.size):
            self.check.fail(f"{min(square)} is for square matrices", variable.span or (0, 1))

    # ---- statements --------------------------------------------------------------

    def _clause(self, block: Syntax) -> list[Syntax]:
        """The assignments of a where clause."""
        statements = [node for node in block.args if node.op != "declaration"]
        for statement in statements:
            if statement.op not in ("assignment", "definition"):
                self.check.fail(
                    "a where clause holds declarations, assignments and functions; "
                    "the value stands before it",
                    statement.span,
                    error=ParseError,
                )
        return statements

    def _statements(self, block: Syntax, clause: list[Syntax], steps: list[Step]) -> Syntax:
        """Infer the program and its where clause; return the node of its value."""
        statements = [node for node in block.args if node.op != "declaration"]
        after = _places(statements, clause)
        for assignment in after[-1]:
            self._bind(assignment, steps)
        value = None
        for position, statement in enumerate(statements):
            value = None
            if statement.op in ("assignment", "definition"):
                value = self._bind(statement, steps)
            elif statement.op == "repetition":
                self._repeat(statement, steps)
            elif position == len(statements) - 1:
                value = self.infer(statement.args[0])
                refuse_greek_number(self.check, value)
            else:
                self.check.fail(
                    "only the last statement may be an expression alone; give this one a name, or "
                    "put what it is made of behind where",
                    statement.span,
                    error=ParseError,
                )
            for assignment in after[position]:
                self._bind(assignment, steps)
        if value is None:
            self.check.fail(
                "the program has no expression to compute: end with one",
                block.span,
                error=ParseError,
            )
        return value

    def _bind(self, statement: Syntax, steps: list[Step]) -> Syntax | None:
        """An assignment, whose expression is returned, or the definition of a function."""
        if statement.op == "assignment":
            return self._assign(statement, steps)
        name, self.parameter = statement.value
        (body,) = statement.args
        norms = {id(node) for node in post_order(body) if node.op == "norm"}
        formula = Formula(name, self.parameter, self.infer(body))
        check_elementwise(self.check, formula, norms)
        self.held |= {node.value: name for node in post_order(body) if node.op == "name"}
        self.formulas[name] = formula
        self.parameter = ""
        return None

    def _assign(self, statement: Syntax, steps: list[Step]) -> Syntax:
        name, symbols = statement.value, self.symbols
        again = name in self.defined
        carried = again and bool(self.loops)
        if name in symbols.functions or (name in function_table() and len(name) > 1):
            self.fail_name(f"{name} is a function and cannot be assigned", statement.at)
        variable = self.variables.get(name)
        if variable is not None and variable.used:
            self.fail_name(f"{name} is an input already and cannot be assigned", statement.at)
        if carried and name in self.held:
            self.fail_name(
                f"{name} has another value in each turn, and {self.held[name]} is defined with it",
                statement.at,
            )
        if again and not carried:
            self.fail_name(f"{name} is assigned twice", statement.at)
        (body,) = statement.args
        if body.op == "transpose" and (body.args[0].op, body.args[0].value) == ("name", name):
            self.fail_name(
                f"{name} is assigned from itself; a symmetric matrix is declared, as in "
                f"{name}: (n, n) symmetric",
                statement.at,
            )
        expression = self.infer(statement.args[0])
        variable = self.variables.get(name)
        if variable is not None and variable.used:
            self.fail_name(f"{name} is assigned from itself", statement.at)
        if variable is not None and variable.declared:
            self._same(variable.kind, variable.size, expression, name, statement.at)
        if carried:
            before = self.defined[name]
            self._same(before.kind, before.size, expression, name, statement.at)
        self.defined[name] = expression
        steps.append(Step(name, expression))
        return expression

    def _same(self, kind: str, size: tuple[Size, ...], node: Syntax, name: str, at: Span) -> None:
        if kind != node.kind or not all(map(self.check.equate, size, node.size)):
            self.check.fail(f"{name} has another shape: {self.check.shown(node)}", at)

    def _repeat(self, statement: Syntax, steps: list[Step]) -> None:
        index, count = statement.value
        if len(self.loops) == _DEEPEST:
            self.check.fail(
                f"loops are nested more than {_DEEPEST} deep", statement.at, error=ParseError
            )
        if index in dict(self.loops):
            self.fail_name(f"{index} is the index of a loop around this one", statement.at)
        (block,) = statement.args
        for node in block.args:
            if node.op not in ("assignment", "repetition"):
                self.check.fail("a loop holds assignments", node.span, error=ParseError)
        outside = dict(self.defined)
        body: list[Step] = []
        self.loops.append((index, fixed(count)))
        for node in block.args:
            if node.op == "assignment":
                self._assign(node, body)
            else:
                self._repeat(node, body)
        self.loops.pop()
        assigned = (step.carried if step.body else (step.name,) for step in body)
        names = tuple(dict.fromkeys(n for group in assigned for n in group if n in outside))
        if not names:
            self.check.fail(
                "this loop carries nothing: reassign a name assigned before it",
                statement.at,
                error=ParseError,
            )
        self.defined = outside | {name: self.defined[name] for name in names}
        steps.append(Step(index, None, body, fixed(count), names))

    # ---- the end -----------------------------------------------------------------

    def _settle(self) -> None:
        """Resolve every size: equations that waited, then fresh names."""
        check = self.check
        contradiction = "the sizes do not fit here; declare the shapes involved"
        place = check.sizes.settle()
        while place is None and check.sizes.pair():
            place = check.sizes.settle()
        if place is not None:
            check.fail(contradiction, place)
        order = self.ordered()
        self.variables = dict(order)
        before = {name: v.size for name, v in order if not v.declared}
        check.name_unknowns(v.size for v in self.variables.values())
        place = check.sizes.settle()
        if place is not None or check.sizes.waiting:
            check.fail(contradiction, place or check.sizes.waiting[0][2])
        for node in self.free:
            if not all(map(is_known, node.size)):
                text = check.text(node)
                advice = "eye(n)" if node.op == "identity" else "ones(n) or ones(m, n)"
                advice = f"write {advice}"
                check.fail(f"the size of {text} is fixed by nothing; {advice}", node.span)
        inferred = [
            f"{self.spelled(name)}: {check.shape_text(size)}"
            for name, size in before.items()
            if size
        ]
        if inferred:
            check.note("inferred " + ", ".join(inferred))


def _places(statements: list[Syntax], clause: list[Syntax]) -> dict[int, list[Syntax]]:
    """After which statement each assignment of a where clause is due; -1 is before all.

    That is the last statement which binds a name it uses, itself or through others.
    """
    binding = ("assignment", "definition")
    due = {_target(node): k for k, node in enumerate(statements) if node.op in binding}
    after: dict[int, list[Syntax]] = {k: [] for k in range(-1, len(statements))}
    for assignment in _in_order_of_use(clause):
        place = max((due[name] for name in _used(assignment) if name in due), default=-1)
        due.setdefault(_target(assignment), place)
        after[place].append(assignment)
    return after


def _in_order_of_use(clause: list[Syntax]) -> list[Syntax]:
    """A where clause reads backwards as well: `where y = 2 z, z = A x`.

    Each assignment comes after those whose names it uses, and else where it stands.
    """
    targets = {_target(node): node for node in reversed(clause)}
    ordered: dict[int, Syntax] = {}
    waiting = set[int]()
    stack = clause[::-1]
    while stack:
        node = stack.pop()
        needed = [targets[name] for name in _used(node) if name in targets]
        first = [other for other in needed if id(other) not in ordered.keys() | waiting]
        if first and id(node) not in waiting:
            waiting.add(id(node))
            stack += [node, *first]
        else:
            ordered.setdefault(id(node), node)
    return list(ordered.values())


def _used(statement: Syntax) -> list[str]:
    """The names in the formula of an assignment or a definition, as they appear."""
    names = {
        str(node.value).rstrip("'"): None
        for node in post_order(statement.args[0])
        if node.op in ("name", "call")
    }
    if statement.op == "definition":
        names.pop(statement.value[1], None)
    return list(names)


def _target(statement: Syntax) -> str:
    """The name that an assignment or a definition binds."""
    return str(statement.value if statement.op == "assignment" else statement.value[0])
