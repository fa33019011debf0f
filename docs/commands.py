"""Make docs/commands.md from the declarations: `python docs/commands.py`.

The tests ask that it is fresh, and run the examples.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from matderiv.commands import COMMANDS
from matderiv.commands.command import Command, Option

TARGET = Path(__file__).parent / "commands.md"
HEAD = """# Commands

`matderiv COMMAND EXPR wrt NAME … [OPTION …]`. EXPR is a formula, a file, or `-` for standard input; `wrt x y` asks for two derivatives that share what they can, `wrt x then y` for a mixed one. `matderiv --help` and `matderiv COMMAND --help` say what this page says.

Exit status: 0, 1 for a failed check or a claim that is not right, 2 for bad input or usage. On a terminal there is colour, unless `NO_COLOR` is set, and a bar where work takes long; in a file or a pipe there is plain text.
"""
REPL = """
A line is a statement or a formula; a line that ends in an operator, a comma or an open bracket goes on in the next. Commands apply to the program so far, `wrt W` is short for `diff … wrt W`. Arrow keys go back in history, which is kept in `~/.local/state/matderiv`; Tab completes names, functions and options where Python has `readline`.

```text
matderiv> X: (n, d)
matderiv> h = tanh(X w)
h: (n,)
matderiv> ||h -
     ...> y||^2
‖h - y‖²
where h = tanh(X w)
inferred w: (d), y: (n)
matderiv> wrt w --format ascii
2 X' ((h - y) .* (1 - h.^2)) where h = tanh(X w)
matderiv> verify wrt y equals 2 (h - y)
off by a sign: the claim is minus the derivative
∂f/∂y = 2 (y - h)
where h = tanh(X w)
```
"""
COMPLETION = """
```sh
matderiv completion bash > ~/.local/share/bash-completion/completions/matderiv
matderiv completion zsh > ~/.zfunc/_matderiv    # with fpath+=~/.zfunc before compinit
matderiv completion fish > ~/.config/fish/completions/matderiv.fish
```
"""
MORE = {"repl": REPL, "completion": COMPLETION}


def page() -> str:
    parts = [HEAD, _table(("command", "what it does"), _summaries())]
    parts += [_section(command) for command in COMMANDS.values()]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _summaries() -> Iterator[tuple[str, str]]:
    for name, command in COMMANDS.items():
        yield f"[{name}](#{name})", command.summary


def _section(command: Command) -> str:
    examples = "\n".join(f"matderiv {example}" for example in command.examples)
    parts = [
        f"## {command.name}",
        f"`matderiv {command.name} {command.words}`: {command.summary}.",
        f"```sh\n{examples}\n```",
    ]
    if command.options:
        parts.append(_table(("option", ""), map(_row, command.options)))
    if command.name in MORE:
        parts.append(MORE[command.name].strip())
    return "\n\n".join(parts)


def _row(option: Option) -> tuple[str, str]:
    flags = ", ".join(option.flags)
    settings = option.settings
    value = settings.get("metavar", "")
    if choices := settings.get("choices"):
        return f"`{flags}`", f"{settings['help']}: {', '.join(f'`{c}`' for c in choices)}"
    return f"`{flags} {value}`".replace(" `", "`"), settings["help"]


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
