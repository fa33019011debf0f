"""Kinds and sizes of every expression of a program, in one pass.

Kinds need no search: every name has one (declared, assigned, or by its first letter),
so they are computed from the leaves up.  Only sizes are unified.  Sizes that nothing
fixes get fresh names at the end, in the order in which inputs appear in the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from matderiv.errors import NameResolutionError, ParseError
from matderiv.language.alphabet import default_rank
from matderiv.language.building import Declaration
from matderiv.language.checker import SCALAR, Checker, Shape, kind_of_rank
from matderiv.language.functions import function_table
from matderiv.language.indexing import entry
from matderiv.language.literals import literal_value
from matderiv.language.operators import OPERATORS
from matderiv.language.refusals import refuse_ambiguous
from matderiv.language.sizes import Size, as_dim, fixed, is_known, unknown
from matderiv.language.symbols import Symbols
from matderiv.language.syntax import Span, Syntax, post_order
from matderiv.language.typed import VALUED, Assignment, Input, Repeat, Typed, TypedProgram

__all__ = ["Given", "infer"]

Given = tuple[tuple[str | int, ...] | None, frozenset[str]]
"""A shape given from outside the text (None: attributes alone), and attributes."""

_SQUARE = frozenset(("symmetric", "posdef", "diagonal", "orthogonal", "lower", "upper"))
_TORCH_OPTIONS = {"dim": "axis", "keepdim": "keepdims"}
_WORDS = {"einsum": 0, "norm": 1}  # the argument that is a quoted text, or a word: norm(X, "fro")


@dataclass
class _Variable:
    """An input while its sizes are being inferred."""

    kind: str
    size: tuple[Size, ...]
    attributes: set[str] = field(default_factory=set)
    declared: bool = False
    span: Span | None = None
    used: bool = False


@dataclass
class _Step:
    """A statement while sizes are being inferred."""

    name: str
    expression: Syntax | None
    body: list[_Step] = field(default_factory=list)
    count: Size | None = None
    carried: tuple[str, ...] = ()


def infer(
    program: Syntax,
    source: str,
    symbols: Symbols,
    checker: Checker,
    given: Mapping[str, Given],
    spelling: Mapping[str, str],
) -> TypedProgram:
    return _Inference(source, symbols, checker, given, spelling).program(program)


class _Inference:
    def __init__(
        self,
        source: str,
        symbols: Symbols,
        checker: Checker,
        given: Mapping[str, Given],
        spelling: Mapping[str, str],
    ) -> None:
        self.source = source
        self.symbols = symbols
        self.check = checker
        self.given = given
        self.spelling = spelling
        self.variables: dict[str, _Variable] = {}
        self.defined: dict[str, Syntax] = {}
        self.nodes: list[Syntax] = []  # every expression node, arguments first
        self.free: list[Syntax] = []  # I and vector(c): sized by their context
        self.loop: tuple[str, Size] | None = None
        self.calls: dict[str, list[Syntax]] = {}
        checker.shapes = lambda: [variable.size for _, variable in self._ordered()]

    def program(self, program: Syntax) -> TypedProgram:
        blocks = program.args
        for block in blocks:
            for statement in self._flat(block):
                if statement.op == "declaration":
                    self._declare(statement.value)
        self._declare_given()
        self._check_dimensions()
        for attributes in self.variables.values():
            self._square(attributes)
        steps: list[_Step] = []
        if len(blocks) > 1:
            self._statements(blocks[1], steps, clause=True)
        output = self._statements(blocks[0], steps, clause=False)
        self._settle(steps)
        return self._typed(steps, output)

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
            self.variables[name] = _Variable(
                kind_of_rank(len(size)), size, set(declaration.attributes), True, span
            )

    def _declare_given(self) -> None:
        for name, (dims, attributes) in self.given.items():
            variable = self.variables.get(name)
            size = None if dims is None else tuple(map(fixed, dims))
            if variable is None:
                if size is None:
                    size = tuple(unknown() for _ in range(default_rank(name)))
                variable = _Variable(kind_of_rank(len(size)), size, declared=dims is not None)
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

    def _square(self, variable: _Variable) -> None:
        if "posdef" in variable.attributes:
            variable.attributes.add("symmetric")
        square = variable.attributes & _SQUARE
        if not square:
            return
        if variable.kind != "matrix" or not self.check.equate(*variable.size):
            self.check.fail(f"{min(square)} is for square matrices", variable.span or (0, 1))

    # ---- statements --------------------------------------------------------------

    def _statements(self, block: Syntax, steps: list[_Step], clause: bool) -> Syntax | None:
        """Infer a block; return the node of its value."""
        statements = [node for node in block.args if node.op != "declaration"]
        value = None
        for position, statement in enumerate(statements):
            last = position == len(statements) - 1
            if statement.op == "assignment":
                value = self._assign(statement, steps)
            elif statement.op == "repetition":
                self._repeat(statement, steps)
                value = None
            elif clause or not last:
                where = (
                    "a where clause holds declarations and assignments"
                    if clause
                    else (
                        "only the last statement may be an expression alone; give this one a name"
                    )
                )
                self.check.fail(where, statement.span, error=ParseError)
            else:
                value = self._expression(statement.args[0])
        if not clause and value is None:
            self.check.fail(
                "the program has no expression to compute: end with one",
                block.span,
                error=ParseError,
            )
        return value

    def _assign(self, statement: Syntax, steps: list[_Step]) -> Syntax:
        name, symbols = statement.value, self.symbols
        again = name in self.defined
        carried = again and self.loop is not None
        if name in symbols.functions or (name in function_table() and len(name) > 1):
            self._fail_name(f"{name} is a function and cannot be assigned", statement.at)
        variable = self.variables.get(name)
        if variable is not None and variable.used:
            self._fail_name(f"{name} is an input already and cannot be assigned", statement.at)
        if again and not carried:
            self._fail_name(f"{name} is assigned twice", statement.at)
        expression = self._expression(statement.args[0])
        variable = self.variables.get(name)
        if variable is not None and variable.used:
            self._fail_name(f"{name} is assigned from itself", statement.at)
        if variable is not None and variable.declared:
            self._same(variable.kind, variable.size, expression, name, statement.at)
        if carried:
            before = self.defined[name]
            self._same(before.kind, before.size, expression, name, statement.at)
        self.defined[name] = expression
        steps.append(_Step(name, expression))
        return expression

    def _same(self, kind: str, size: tuple[Size, ...], node: Syntax, name: str, at: Span) -> None:
        if kind != node.kind or not all(map(self.check.equate, size, node.size)):
            self.check.fail(f"{name} has another shape: {self.check.shown(node)}", at)

    def _repeat(self, statement: Syntax, steps: list[_Step]) -> None:
        index, count = statement.value
        if self.loop is not None:
            self.check.fail("a loop inside a loop is not read", statement.at, error=ParseError)
        (block,) = statement.args
        for node in block.args:
            if node.op != "assignment":
                self.check.fail("a loop holds assignments", node.span, error=ParseError)
        outside = dict(self.defined)
        body: list[_Step] = []
        self.loop = index, fixed(count)
        for node in block.args:
            self._assign(node, body)
        self.loop = None
        names = tuple(dict.fromkeys(step.name for step in body if step.name in outside))
        if not names:
            self.check.fail(
                "this loop carries nothing: reassign a name assigned before it",
                statement.at,
                error=ParseError,
            )
        self.defined = outside | {name: self.defined[name] for name in names}
        steps.append(_Step(index, None, body, fixed(count), names))

    def _fail_name(self, message: str, at: Span) -> None:
        self.check.fail(message, at, error=NameResolutionError)

    # ---- expressions -------------------------------------------------------------

    def _expression(self, root: Syntax) -> Syntax:
        for node in post_order(root):
            refuse_ambiguous(self.check, node)
            self.check.place = node.at
            node.kind, node.size = self._shape(node)
            self.nodes.append(node)
        return root

    def _shape(self, node: Syntax) -> Shape:
        rule = OPERATORS.get(node.op)
        if rule is not None:
            return rule(self.check, node)
        shape: Shape = getattr(self, "_" + node.op)(node)
        return shape

    def _number(self, node: Syntax) -> Shape:
        return SCALAR

    def _euler(self, node: Syntax) -> Shape:
        node.op, node.value = "constant", "e"
        return SCALAR

    def _option(self, node: Syntax) -> Shape:
        return SCALAR

    _string = _option

    def _name(self, node: Syntax) -> Shape:
        name, symbols = node.value, self.symbols
        definition = self.defined.get(name)
        if definition is not None:
            return definition.kind, definition.size
        if name in symbols.assigned and name not in self.variables:
            self._fail_name(f"{self._spelled(name)} is used before it is assigned", node.at)
        if (self.loop is not None and name == self.loop[0]) or name in symbols.loops:
            self._fail_name(f"the loop's {name} stands in [ ] only", node.at)
        if name not in self.variables:
            if name in symbols.dimensions:
                node.op = "dimension"
                return SCALAR
            special = self._special(node, name)
            if special is not None:
                return special
        return self._input(node, name)

    def _special(self, node: Syntax, name: str) -> Shape | None:
        if name == "I":
            size = unknown()
            node.op, node.value = "identity", None
            self.free.append(node)
            return "matrix", (size, size)
        if name == "π":
            node.op, node.value = "constant", "π"
            return SCALAR
        if name == "𝟏":
            one = Syntax("number", (), node.span, value=1)
            one.kind, one.size = SCALAR
            node.op, node.args, node.value = "fill", (one,), None
            self.nodes.append(one)
            self.free.append(node)
            return "vector", (unknown(),)
        return None

    def _input(self, node: Syntax, name: str) -> Shape:
        variable = self.variables.get(name)
        if variable is None:
            base = name[1:]
            if len(name) > 1 and name[0] == "d" and base[0].isalpha():
                shape = self._differential_shape(base)
            else:
                rank = default_rank(name)
                shape = kind_of_rank(rank), tuple(unknown() for _ in range(rank))
            variable = self.variables[name] = _Variable(*shape)
        origin = "declared" if variable.declared else "default"
        node.op, node.value = "input", (name, origin)
        variable.used = True
        if variable.span is None or node.span[0] < variable.span[0]:
            variable.span = node.span
        return variable.kind, variable.size

    def _differential_shape(self, base: str) -> Shape:
        definition = self.defined.get(base)
        if definition is not None:
            return definition.kind, definition.size
        variable = self.variables.get(base)
        if variable is None:
            rank = default_rank(base)
            variable = _Variable(kind_of_rank(rank), tuple(unknown() for _ in range(rank)))
            self.variables[base] = variable
        return variable.kind, variable.size

    def _spelled(self, name: str) -> str:
        return self.spelling.get(name, name)

    # ---- indices and calls -------------------------------------------------------

    def _entry(self, node: Syntax) -> Shape:
        return entry(self.check, node, self.loop)

    def _keyword(self, node: Syntax) -> Shape:
        return SCALAR

    def _method(self, node: Syntax) -> Shape:
        return self._call(node)

    def _call(self, node: Syntax) -> Shape:
        name = node.value
        if name.rstrip("'") in self.symbols.functions:
            return self._abstract(node)
        if name == "D":
            return self._abstract_derivative(node)
        function = function_table()[
            {"t": "transpose", "mm": "dot", "matmul": "dot"}.get(name, name)
        ]
        options = {}
        arguments = []
        for argument in node.args:
            if argument.op != "keyword":
                arguments.append(argument)
                continue
            keyword = _TORCH_OPTIONS.get(argument.value, argument.value)
            if keyword not in function.options:
                known = f"; it takes {', '.join(function.options)}" if function.options else ""
                self.check.fail(
                    f"{name} takes no {argument.value}{known}", argument.at, error=ParseError
                )
            options[keyword] = self._option_value(argument.args[0])
        if not function.least <= len(arguments) <= function.most:
            self._refuse_count(node, function.least, function.most, len(arguments))
        node.args, node.op = tuple(arguments), "apply"
        node.value = function.name
        for place, argument in enumerate(arguments):
            if argument.op in ("option", "string") and _WORDS.get(function.name) != place:
                self.check.fail(f"{argument.value} is no value", argument.span, error=ParseError)
        shape = function.rule(self.check, node, options)
        if node.op == "apply" and isinstance(node.value, str):
            node.value = (node.value, ())
        if node.op == "fill" and function.name in ("vector", "matrix"):
            self.free.append(node)
        return shape

    def _option_value(self, node: Syntax) -> Any:
        if node.op == "option":
            return {"True": True, "False": False}.get(node.value)
        return literal_value(node)

    def _refuse_count(self, node: Syntax, least: int, most: int, count: int) -> None:
        wanted = str(least) if least == most else f"{least} to {most}"
        plural = "argument" if wanted == "1" else "arguments"
        end = node.span[1]
        place = (end - 1, end) if count < least else node.args[most].span
        got = "none" if count == 0 else str(count)
        self.check.fail(f"{node.value} takes {wanted} {plural}, got {got}", place, error=ParseError)

    def _abstract(self, node: Syntax) -> Shape:
        """phi(z), phi'(z), l(o, y)."""
        name = node.value.rstrip("'")
        primes = len(node.value) - len(name)
        arguments = node.args
        bad = next((a for a in arguments if a.op in ("keyword", "string", "option")), None)
        if bad is not None or not arguments:
            self.check.fail(f"{name} takes expressions as arguments", node.at, error=ParseError)
        known = self.calls.setdefault(name, [])
        if known and len(known[0].args) != len(arguments):
            self.check.fail(
                f"{name} is called with {len(known[0].args)} and {len(arguments)} arguments",
                node.at,
            )
        known.append(node)
        if self.symbols.functions[name] == "scalar":
            if primes:
                self.check.fail(
                    f"the derivative of {name} by its argument o is written D({name}, o)", node.at
                )
            node.op, node.value = "call", (name, ())
            return SCALAR
        if len(arguments) > 2 or (primes and len(arguments) > 1):
            self.check.fail(f"{name} is elementwise, of one or two arguments", node.at)
        shape: Shape = arguments[0].kind, arguments[0].size
        if len(arguments) == 2:
            shape = self.check.broadcast(*arguments, name, node.at)
        node.op, node.value = "call", (name, (primes,) if len(arguments) == 1 else (0, 0))
        return shape

    def _abstract_derivative(self, node: Syntax) -> Shape:
        """D(l, o): the derivative of l by its argument o, where l was called with o."""
        form = "a derivative is written D(l, o), l a scalar function and o its argument"
        if len(node.args) < 2 or node.args[0].op != "string":
            self.check.fail(form, node.at, error=ParseError)
        name, slots_by = node.args[0].value, node.args[1:]
        if self.symbols.functions.get(name) != "scalar":
            self.check.fail(form, node.at, error=ParseError)
        texts = [self.check.text(by) for by in slots_by]
        arguments: tuple[Syntax, ...] = slots_by[:1]
        for call in self.calls.get(name, []):
            known = [self.check.text(argument) for argument in call.args]
            if all(text in known for text in texts):
                arguments = call.args
                break
        known = [self.check.text(argument) for argument in arguments]
        if not all(text in known for text in texts):
            self.check.fail(form, node.at)
        slots = tuple(sorted(known.index(text) for text in texts))
        node.op, node.args, node.value = "call", arguments, (name, ("slots", *slots))
        sizes = tuple(size for slot in slots for size in arguments[slot].size)
        kind = arguments[slots[0]].kind if len(slots) == 1 else kind_of_rank(len(sizes))
        return kind, sizes

    # ---- the end -----------------------------------------------------------------

    def _settle(self, steps: list[_Step]) -> None:
        """Resolve every size: equations that waited, then fresh names."""
        check = self.check
        contradiction = "the sizes do not fit here; declare the shapes involved"
        place = check.sizes.settle()
        if place is not None:
            check.fail(contradiction, place)
        order = self._ordered()
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
            f"{self._spelled(name)}: {check.shape_text(size)}"
            for name, size in before.items()
            if size
        ]
        if inferred:
            check.note("inferred " + ", ".join(inferred))

    def _ordered(self) -> list[tuple[str, _Variable]]:
        """The variables that stand in the text, in order of appearance."""
        present = ((name, v) for name, v in self.variables.items() if v.used or v.span)
        return sorted(present, key=lambda item: item[1].span or (0, 0))

    def _typed(self, steps: list[_Step], output: Syntax | None) -> TypedProgram:
        typed: dict[int, Typed] = {}
        for node in self.nodes:
            for arg in node.args:
                if id(arg) not in typed:  # made by a shape rule
                    typed[id(arg)] = self._leaf(arg)
            if node.op in ("keyword", "option", "string"):
                continue
            args = tuple(typed[id(arg)] for arg in node.args)
            typed[id(node)] = Typed(
                node.op,
                args,
                self._value(node),
                node.kind,
                tuple(map(as_dim, node.size)),
                node.span,
            )
        assert output is not None
        self._targets(typed.values())
        inputs = {
            name: Input(
                tuple(map(as_dim, variable.size)),
                frozenset(variable.attributes),
                variable.declared,
                variable.span,
                self._spelled(name),
            )
            for name, variable in self.variables.items()
        }
        return TypedProgram(
            self.source,
            {name: value for name, value in inputs.items() if name not in self.defined},
            dict(self.symbols.functions),
            tuple(self._statement(step, typed) for step in steps),
            typed[id(output)],
            tuple(map(self.check.finish, self.check.notes)),
        )

    def _leaf(self, node: Syntax) -> Typed:
        return Typed(node.op, (), node.value, node.kind, (), node.span)

    def _value(self, node: Syntax) -> Any:
        if node.op == "input":
            return node.value[0]
        if node.op == "apply" and node.value[0] == "commutation":
            return node.value[0], tuple((key, as_dim(size)) for key, size in node.value[1])
        return node.value if node.op in VALUED else None

    def _statement(self, step: _Step, typed: dict[int, Typed]) -> Assignment | Repeat:
        if step.expression is not None:
            return Assignment(step.name, typed[id(step.expression)])
        assert step.count is not None
        body = tuple(Assignment(inner.name, typed[id(inner.expression)]) for inner in step.body)
        return Repeat(step.name, as_dim(step.count), body, step.carried)

    def _targets(self, expressions: Iterable[Typed]) -> None:
        """The targets of a cross entropy are probabilities: their rows sum to 1."""
        for expression in expressions:
            if expression.op != "apply" or expression.value[0] != "cross_entropy":
                continue
            target = expression.args[1]
            attributes = self.variables[target.value].attributes if target.op == "input" else None
            if attributes is not None and "stochastic" not in attributes:
                attributes.add("stochastic")
                self.check.notes.append(f"the rows of {self._spelled(target.value)} sum to 1")
