"""How a function of the language is declared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from matderiv.language.checker import Checker, Shape
from matderiv.language.syntax import Syntax

__all__ = ["Function", "Options", "Rule"]

Options = Mapping[str, Any]
Rule = Callable[[Checker, Syntax, Options], Shape]


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function: how many arguments it takes, which options, and its shape rule.

    The rule may replace `node.op`, `node.args` and `node.value`; where it leaves them,
    the node is an "apply" of this function with its options.
    """

    name: str
    rule: Rule
    least: int = 1
    most: int = 1
    aliases: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    @property
    def positional_axis(self) -> bool:
        """Whether sum(X, 0) means sum(X, axis=0); max(x, 0) is of two arguments."""
        return "axis" in self.options and self.most == 1
