"""Which bars open and which close.

`|x|` and `||x||` open and close with the same sign, so a search pairs them: between
two brackets and commas, at each bar, close if the innermost open pair matches, else
open a norm, else open an absolute value; the first balanced reading is taken.  Where
the spacing speaks for another balanced reading (`||x ||y|| z||`) both are shown and
the text is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from matderiv.errors import ParseError
from matderiv.language.tokens import Notes, Token, make, span_of

__all__ = ["COMPARISON", "pair_bars"]

_BACKTRACKS = 20_000
_OPERAND_ENDS = "NAME NUMBER TRANSPOSE INVERSE SUFFIX RPAR RSQB RANGLE CLOSENORM CLOSEABS"
_OPERAND_STARTS = "NAME NUMBER CALL FUNCTION LPAR LANGLE MINUS OPENNORM OPENABS BAR"
_ENDS, _STARTS = frozenset(_OPERAND_ENDS.split()), frozenset(_OPERAND_STARTS.split())
COMPARISON = (
    "comparisons are not read: step(x) is 1 where x > 0, else 0; a case is a product with it, "
    "or max(x, y), min(x, y)"
)
_OPENERS = {
    "LPAR": "RPAR",
    "LSQB": "RSQB",
    "LANGLE": "RANGLE",
    "OPENNORM": "CLOSENORM",
    "OPENABS": "CLOSEABS",
}
_CLOSERS = {closer: opener for opener, closer in _OPENERS.items()}


@dataclass(slots=True)
class _Bar:
    """A bar: its index among the tokens and what stands around it.

    ends    an operand ends before it; None where another bar does
    opens   an operand or a bar begins after it
    twin    the next bar touches it, so that both can be one sign ‖
    looks   "open" or "close" where the spaces around it say so
    """

    index: int
    sign: str
    ends: bool | None
    opens: bool
    suffix: bool
    twin: bool
    looks: str


Decision = tuple[int, str]  # the number of bars, and OPENNORM, CLOSENORM, OPENABS or CLOSEABS


def pair_bars(tokens: list[Token], source: str, notes: Notes) -> list[Token]:
    """Return the tokens with every bar decided and all brackets matched."""
    if not any(token.type == "BAR" for token in tokens):
        _match(tokens)
        return tokens
    decided: dict[int, Decision] = {}
    for level in _levels(tokens, source):
        readings = _readings(level, tokens, source, notes)
        position = 0
        for count, kind in readings:
            decided[level[position].index] = count, kind
            position += count
    made, skip = [], False
    for index, token in enumerate(tokens):
        if skip:
            skip = False
        elif index in decided:
            count, kind = decided[index]
            end = span_of(tokens[index + count - 1])[1]
            made.append(make(kind, "‖" if "NORM" in kind else "|", span_of(token)[0], end))
            skip = count == 2
        else:
            made.append(token)
    _match(made)
    return made


def _levels(tokens: list[Token], source: str) -> list[list[_Bar]]:
    """The bars, grouped by the brackets and commas between which they pair."""
    levels: list[list[_Bar]] = []
    stack: list[list[_Bar]] = [[]]
    for index, token in enumerate(tokens):
        kind = token.type
        if kind == "BAR":
            stack[-1].append(_look(tokens, index, source))
        elif kind in _OPENERS:
            stack.append([])
        elif kind in _CLOSERS and len(stack) > 1:
            levels.append(stack.pop())
        elif kind == "COMMA":
            levels.append(stack.pop())
            stack.append([])
    return [level for level in levels + stack if level]


def _look(tokens: list[Token], index: int, source: str) -> _Bar:
    token = tokens[index]
    before = tokens[index - 1].type if index else ""
    after = tokens[index + 1].type if index + 1 < len(tokens) else ""
    start, end = span_of(token)
    twin = after == "BAR" and token == tokens[index + 1] and span_of(tokens[index + 1])[0] == end
    left = start == 0 or source[start - 1] in " \t\n([{,"
    right = end >= len(source) or source[end] in " \t\n)]},"
    return _Bar(
        index=index,
        sign="‖" if token in "‖∥" else "|",
        ends=None if before == "BAR" else before in _ENDS,
        opens=after in _STARTS,
        suffix=after == "SUFFIX",
        twin=twin and token not in "‖∥",
        looks="" if left == right else "open" if left else "close",
    )


def _search(bars: list[_Bar], spacing: bool) -> list[Decision] | None:
    """The first balanced reading, or None; `spacing` demands that spaces be heeded."""
    # A state: the next bar, whether an operand just ended, the open pairs (linked).
    decisions: list[Decision] = []
    choices: list[tuple[int, bool, Any, int, int]] = []
    position, ended, option = 0, False, 0
    top: Any = None
    backtracks = 0
    while True:
        if position == len(bars):
            if top is None:
                return decisions
            option = 4
        if position < len(bars):
            bar = bars[position]
            ends = ended if bar.ends is None else bar.ends
        while option < 4:
            kind, count = _option(bars, position, ends, top, option, spacing)
            option += 1
            if count:
                choices.append((position, ended, top, option, len(decisions)))
                decisions.append((count, kind))
                position, ended = position + count, kind.startswith("CLOSE")
                top = top[1] if ended else (kind[4:], top)
                option = 0
                break
        else:
            backtracks += 1
            if not choices:
                return None
            if backtracks > _BACKTRACKS:
                raise ParseError(
                    "the bars do not pair up in any short way; use norm(…) and abs(…)",
                    span=(0, 1),
                )
            position, ended, top, option, length = choices.pop()
            del decisions[length:]


def _option(
    bars: list[_Bar], position: int, ends: bool, top: Any, option: int, spacing: bool
) -> tuple[str, int]:
    """The kind of one of the four options here, and how many bars it takes; 0 if none."""
    bar = bars[position]
    norm = option in (0, 2)
    count = 1
    if norm and bar.sign == "|":
        if not bar.twin:
            return "", 0
        count = 2
    elif not norm and bar.sign == "‖":
        return "", 0
    last = bars[position + count - 1]
    closing = option < 2
    looks = bar.looks if count == 1 else (bar.looks or last.looks)
    if spacing and looks and looks != ("close" if closing else "open"):
        return "", 0
    shape = "NORM" if norm else "ABS"
    if closing:
        fits = ends and top is not None and top[0] == shape and (norm or not last.suffix)
        return ("CLOSE" + shape, count) if fits else ("", 0)
    return ("OPEN" + shape, count) if last.opens else ("", 0)


def _readings(bars: list[_Bar], tokens: list[Token], source: str, notes: Notes) -> list[Decision]:
    reading = _search(bars, spacing=False)
    if reading is None:
        raise _unpaired(bars, tokens)
    if _contradicts(bars, reading):
        other = _search(bars, spacing=True)
        if other is not None and other != reading:
            texts = [_spaced(bars, choice, tokens, source) for choice in (reading, other)]
            raise ParseError(
                f"these bars have two readings: {texts[0]} and {texts[1]}; use norm(…)",
                span=(span_of(tokens[bars[0].index])[0], span_of(tokens[bars[-1].index])[1]),
            )
    if _juxtaposes(bars, reading):
        notes.append(f"the bars are read as {_spaced(bars, reading, tokens, source)}")
    return reading


def _contradicts(bars: list[_Bar], reading: list[Decision]) -> bool:
    position = 0
    for count, kind in reading:
        looks = bars[position].looks or bars[position + count - 1].looks
        if looks and not kind.startswith(looks.upper()):
            return True
        position += count
    return False


def _juxtaposes(bars: list[_Bar], reading: list[Decision]) -> bool:
    """Whether a bar opens a factor directly after an operand, without a space."""
    position, ended = 0, False
    for count, kind in reading:
        bar = bars[position]
        ends = ended if bar.ends is None else bar.ends
        ended = kind.startswith("CLOSE")
        if not ended and ends and bar.looks != "open":
            return True
        position += count
    return False


def _spaced(bars: list[_Bar], reading: list[Decision], tokens: list[Token], source: str) -> str:
    """The text between the outermost bars with spaces that show a reading."""
    first = span_of(tokens[bars[0].index])[0]
    parts, position, cursor = [], 0, first
    for count, kind in reading:
        start = span_of(tokens[bars[position].index])[0]
        end = span_of(tokens[bars[position + count - 1].index])[1]
        parts.append(
            source[cursor:start].strip()
            if kind.startswith("CLOSE")
            else source[cursor:start].strip() + " "
        )
        parts.append(source[start:end] + (" " if kind.startswith("CLOSE") else ""))
        position, cursor = position + count, end
    text = " ".join("".join(parts).split())
    return text if len(text) < 80 else text[:79] + "…"


def _unpaired(bars: list[_Bar], tokens: list[Token]) -> ParseError:
    """Blame the last bar that a greedy reading leaves open."""
    stack: list[tuple[str, _Bar, int]] = []
    position, ended = 0, False
    while position < len(bars):
        bar = bars[position]
        count = 2 if bar.twin else 1
        shape = "norm" if bar.twin or bar.sign == "‖" else "absolute value"
        ends = ended if bar.ends is None else bar.ends
        if ends and stack and stack[-1][0] == shape:
            stack.pop()
            ended = True
        else:
            stack.append((shape, bar, count))
            ended = False
        position += count
    if not stack:
        stack.append(("norm", bars[0], 1))
    shape, bar, count = stack[-1]
    place = span_of(tokens[bar.index])[0], span_of(tokens[bar.index + count - 1])[1]
    for before, last in pairwise([bars[0], *bars]):
        if last.suffix and last.sign == "|" and not before.twin:
            return ParseError(
                "|x| is the absolute value, which has no subscript; a norm is written ||x||_1",
                span=span_of(tokens[last.index + 1]),
            )
    sign = "||" if shape == "norm" else "|"
    article = "a norm is" if shape == "norm" else "an absolute value is"
    return ParseError(f"'{sign}': {article} opened here and never closed", span=place)


def _match(tokens: list[Token]) -> None:
    """Refuse brackets and decided bars that do not pair."""
    stack: list[Token] = []
    for token in tokens:
        if token.type in _OPENERS:
            stack.append(token)
        elif token.type in _CLOSERS:
            if not stack or stack[-1].type != _CLOSERS[token.type]:
                if token.type == "RANGLE":
                    raise ParseError(COMPARISON, span=span_of(token))
                blamed = stack[-1] if stack else token
                state = "is never closed" if stack else "closes what was never opened"
                raise ParseError(f"'{_sign(blamed)}' {state}", span=span_of(blamed))
            stack.pop()
    if stack:
        blamed = stack[-1]
        if blamed.type == "LANGLE":
            end = span_of(tokens[-1])[1]
            raise ParseError(
                f"'<' opens an inner product <x, w>, which is never closed; {COMPARISON}",
                span=(end, end + 1),
            )
        raise ParseError(f"'{_sign(blamed)}' is never closed", span=span_of(blamed))


def _sign(token: Token) -> str:
    return "||" if "NORM" in token.type else str(token)
