"""Kinds and sizes of expressions, from the leaves up.

Kinds need no search: every name has one (declared, assigned, or by its first letter).
Only sizes are unified.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from matderiv.errors import NameResolutionError, ParseError
from matderiv.language.alphabet import default_rank
from matderiv.language.checker import SCALAR, Checker, Shape, kind_of_rank
from matderiv.language.formulas import Formula
from matderiv.language.functions import function_table, spellings
from matderiv.language.indexing import entry
from matderiv.language.literals import literal_value
from matderiv.language.operators import OPERATORS
from matderiv.language.refusals import refuse_ambiguous
from matderiv.language.sizes import Size, fixed, unknown
from matderiv.language.symbols import Symbols, size_of
from matderiv.language.syntax import Span, Syntax, post_order
from matderiv.limits import tick

__all__ = ["Expressions", "Variable"]

_TORCH_OPTIONS = {"dim": "axis", "keepdim": "keepdims"}
_WORDS = {"einsum": 0, "norm": 1}  # the argument that is a quoted text, or a word: norm(X, "fro")
_NAMES_OF_ARGUMENTS = {"norm": ("ord", "p")}  # norm(x, ord=1)


@dataclass
class Variable:
    """An input while its sizes are being inferred."""

    kind: str
    size: tuple[Size, ...]
    attributes: set[str] = field(default_factory=set)
    declared: bool = False
    span: Span | None = None
    used: bool = False


class Expressions:
    """What is known of a program's names, and the inference of its expressions."""

    def __init__(self, symbols: Symbols, checker: Checker, spelling: Mapping[str, str]) -> None:
        self.symbols = symbols
        self.check = checker
        self.spelling = spelling
        self.variables: dict[str, Variable] = {}
        self.defined: dict[str, Syntax] = {}
        self.nodes: list[Syntax] = []  # every expression node, arguments first
        self.free: list[Syntax] = []  # I and vector(c): sized by their context
        self.loops: list[tuple[str, Size]] = []  # around the statement, the outermost first
        self.calls: dict[str, list[Syntax]] = {}
        self.formulas: dict[str, Formula] = {}
        self.parameter = ""  # of the formula that is being inferred
        self.held: dict[str, str] = {}  # each assigned name in a formula, and whose it is
        checker.shapes = lambda: [variable.size for _, variable in self.ordered()]

    def ordered(self) -> list[tuple[str, Variable]]:
        """The variables that stand in the text, in order of appearance."""
        present = ((name, v) for name, v in self.variables.items() if v.used or v.span)
        return sorted(present, key=lambda item: item[1].span or (0, 0))

    def infer(self, root: Syntax) -> Syntax:
        """Set the kind, size and meaning of every node of an expression."""
        for node in post_order(root):
            tick()
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
        if name == self.parameter:
            node.op, node.value = "parameter", None
            return SCALAR
        definition = self.defined.get(name)
        if definition is not None:
            return definition.kind, definition.size
        if name in symbols.assigned and name not in self.variables:
            self.fail_name(
                f"{self.spelled(name)} is used before it is assigned; behind where the order is "
                "free",
                node.at,
            )
        if name in symbols.loops:
            self.fail_name(f"the loop's {name} stands in [ ] only", node.at)
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
        stated = size_of(name, self.symbols)
        if stated is not None:
            return self._of_stated_size(node, name, fixed(stated))
        if name == "π" and name not in self.symbols.bold:
            node.op, node.value = "constant", "π"
            return SCALAR
        if name == "𝟏":
            self._fill_with_one(node)
            self.free.append(node)
            return "vector", (unknown(),)
        return None

    def _of_stated_size(self, node: Syntax, name: str, size: Size) -> Shape:
        """I_n and 𝟏_n."""
        is_identity = name[0] == "I"
        what = "the identity" if is_identity else "the vector of ones"
        self.check.note(f"{self.spelled(name)} is {what} of size {self.check.size_text(size)}")
        if is_identity:
            node.op, node.value = "identity", None
            return "matrix", (size, size)
        self._fill_with_one(node)
        return "vector", (size,)

    def _fill_with_one(self, node: Syntax) -> None:
        one = Syntax("number", (), node.span, value=1)
        one.kind, one.size = SCALAR
        node.op, node.args, node.value = "fill", (one,), None
        self.nodes.append(one)

    def _input(self, node: Syntax, name: str) -> Shape:
        variable = self.variables.get(name)
        if variable is None:
            base = name[1:]
            if len(name) > 1 and name[0] == "d" and base[0].isalpha():
                shape = self._differential_shape(base)
            else:
                rank = self._rank(name)
                shape = kind_of_rank(rank), tuple(unknown() for _ in range(rank))
            variable = self.variables[name] = Variable(*shape)
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
            rank = self._rank(base)
            variable = Variable(kind_of_rank(rank), tuple(unknown() for _ in range(rank)))
            self.variables[base] = variable
        return variable.kind, variable.size

    def _rank(self, name: str) -> int:
        """The rank of an undeclared name; θ in bold is a vector."""
        return 1 if name in self.symbols.bold else default_rank(name)

    def spelled(self, name: str) -> str:
        return self.spelling.get(name, name)

    def fail_name(self, message: str, at: Span) -> NoReturn:
        self.check.fail(message, at, error=NameResolutionError)

    # ---- indices and calls -------------------------------------------------------

    def _entry(self, node: Syntax) -> Shape:
        return entry(self.check, node, self.loops)

    def _keyword(self, node: Syntax) -> Shape:
        return SCALAR

    def _method(self, node: Syntax) -> Shape:
        self._refuse_module(node)
        return self._call(node)

    def _refuse_module(self, node: Syntax) -> None:
        """F.softmax(x), as PyTorch has it: an argument too many, and F is no array."""
        receiver, *rest = (argument for argument in node.args if argument.op != "keyword")
        function = function_table().get(spellings().get(node.value, node.value))
        if function is None or receiver.op != "input" or receiver.value[1] == "declared":
            return
        axis = function.positional_axis and bool(rest) and literal_value(rest[-1]) is not None
        if function.least <= len(rest) - axis == function.most and not receiver.bracketed:
            name = self.check.text(receiver)
            call = self.check.source[node.at[0] : node.span[1]].lstrip(".")
            self.check.fail(
                f"{name} is an array here, and {node.value} gets one too many; "
                "functions stand without the name of their module",
                receiver.span,
                hint=call,
                error=ParseError,
            )

    def _call(self, node: Syntax) -> Shape:
        name = node.value
        known_as = self.symbols.functions.get(name.rstrip("'"))
        if known_as == "formula":
            return self._formula(node)
        if known_as is not None:
            return self._abstract(node)
        if name == "D":
            return self._abstract_derivative(node)
        # A method comes as it is spelled.
        known = {**spellings(), "t": "transpose"}
        function = function_table()[known.get(name, name)]
        options = {}
        arguments = []
        for argument in node.args:
            if argument.op != "keyword":
                arguments.append(argument)
                continue
            if argument.value in _NAMES_OF_ARGUMENTS.get(function.name, ()):
                arguments.append(argument.args[0])
                continue
            keyword = _TORCH_OPTIONS.get(argument.value, argument.value)
            if keyword not in function.options:
                taken = f"; it takes {', '.join(function.options)}" if function.options else ""
                self.check.fail(
                    f"{name} takes no {argument.value}{taken}", argument.at, error=ParseError
                )
            options[keyword] = self._option_value(argument.args[0])
        if len(arguments) == function.most + 1 and function.positional_axis:
            options["axis"] = self._option_value(arguments.pop())
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
        value = literal_value(node)
        if value is None:
            self.check.fail("the value of an option is a literal", node.span, error=ParseError)
        return value

    def _refuse_count(self, node: Syntax, least: int, most: int, count: int) -> None:
        wanted = str(least) if least == most else f"{least} to {most}"
        plural = "argument" if wanted == "1" else "arguments"
        end = node.span[1]
        place = (end - 1, end) if count < least else node.args[most].span
        got = "none" if count == 0 else str(count)
        self.check.fail(f"{node.value} takes {wanted} {plural}, got {got}", place, error=ParseError)

    def _formula(self, node: Syntax) -> Shape:
        """f(x), for f(t) = …: the formula at x."""
        name = node.value.rstrip("'")
        if name != node.value:
            self.check.fail(
                f"{name} is given by a formula: define the function that is its derivative too",
                node.at,
                error=ParseError,
            )
        if name not in self.formulas:
            self.fail_name(f"{name} is used before it is defined", node.at)
        if len(node.args) != 1:
            self._refuse_count(node, 1, 1, len(node.args))
        (argument,) = node.args
        if argument.op in ("keyword", "string", "option"):
            self.check.fail(f"{name} takes one expression", argument.span, error=ParseError)
        node.op, node.value = "formula", name
        return argument.kind, argument.size

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
        """D(l(o, y), o): the derivative of l by its argument o.

        D(l, o) is short for it where l is called with o elsewhere, or has one argument.
        """
        form = "a derivative is written D(l(o, y), o), l an abstract function and o its argument"
        if len(node.args) < 2:
            self.check.fail(form, node.at, error=ParseError)
        head, *slots_by = node.args
        texts = [self._written(by) for by in slots_by]
        if head.op == "call" and not any(_orders(head)):
            name, arguments = head.value[0], head.args
        elif head.op == "string" and head.value in self.symbols.functions:
            name, arguments = head.value, self._called_with(head.value, slots_by)
        else:
            self.check.fail(form, node.at, error=ParseError)
        known = [self._written(argument) for argument in arguments]
        if not all(text in known for text in texts):
            self.check.fail(form, node.at)
        slots = tuple(sorted(known.index(text) for text in texts))
        node.op, node.args = "call", arguments
        if self.symbols.functions[name] == "elementwise":
            node.value = name, tuple(slots.count(k) for k in range(len(arguments)))
            if head.op == "call":
                return head.kind, head.size
            if len(arguments) == 1:
                return arguments[0].kind, arguments[0].size
            return self.check.broadcast(arguments[0], arguments[1], name, node.at)
        node.value = name, ("slots", *slots)
        sizes = tuple(size for slot in slots for size in arguments[slot].size)
        kind = arguments[slots[0]].kind if len(slots) == 1 else kind_of_rank(len(sizes))
        return kind, sizes

    def _called_with(self, name: str, slots_by: Sequence[Syntax]) -> tuple[Syntax, ...]:
        """The arguments of a call elsewhere that has all of `slots_by`, else these alone."""
        texts = [self._written(by) for by in slots_by]
        for call in self.calls.get(name, []):
            known = [self._written(argument) for argument in call.args]
            if all(text in known for text in texts):
                return call.args
        return (slots_by[0],)

    def _written(self, node: Syntax) -> str:
        return "".join(self.check.source[slice(*node.span)].split())


def _orders(call: Syntax) -> tuple[object, ...]:
    """How often a call of an abstract function is differentiated already."""
    return tuple(call.value[1])
