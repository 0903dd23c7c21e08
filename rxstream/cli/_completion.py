"""`rxstream completion`: a script for the shell, made from the arguments of the command."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class _Option:
    names: Sequence[str]
    help: str
    takes_value: bool


@dataclass(frozen=True, slots=True)
class _Command:
    name: str
    help: str
    options: list[_Option] = field(default_factory=list[_Option])
    choices: list[str] = field(default_factory=list[str])
    """The words that its argument may be; none: any, such as a file."""


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script that completes commands, options and files in this shell."""
    commands = [*_commands(parser)]
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](commands, _options(parser))


def _commands(parser: argparse.ArgumentParser) -> Iterator[_Command]:
    for action in parser._actions:  # argparse has no public way to read it
        if action.option_strings:
            continue
        subparsers: Any = action
        helps: dict[str, str] = {choice.dest: choice.help or "" for choice in subparsers._get_subactions()}
        commands: dict[str, argparse.ArgumentParser] = subparsers.choices
        for name, inner in commands.items():
            choices = [str(word) for each in inner._actions if not each.option_strings for word in each.choices or ()]
            yield _Command(name, helps.get(name, ""), _options(inner), choices)


def _options(parser: argparse.ArgumentParser) -> list[_Option]:
    return [
        _Option(action.option_strings, (action.help or "").replace("%(default)s", str(action.default)), takes_value)
        for action in parser._actions
        if action.option_strings
        for takes_value in (action.nargs != 0,)
    ]


def _bash(commands: Sequence[_Command], options: Sequence[_Option]) -> str:
    """For bash 3.2 too, which macOS has. Where nothing is offered, bash offers files."""
    cases = "\n".join(f"        {each.name}) words='{_words(each)}' ;;" for each in commands)
    of_words = "|".join(each.name for each in commands if each.choices)
    with_value = "|".join(
        dict.fromkeys(name for each in commands for o in each.options if o.takes_value for name in o.names)
    )
    return f"""\
# bash completion of rxstream: eval "$(rxstream completion bash)"
_rxstream() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} words=
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        words='{_first_words(commands, options)}'
        COMPREPLY=($(compgen -W "$words" -- "$current"))
        return
    fi
    case $previous in
        {with_value}) return ;;
    esac
    case ${{COMP_WORDS[1]}} in
{cases}
    esac
    if [[ $current == -* || ${{COMP_WORDS[1]}} == @({of_words}) ]]; then
        COMPREPLY=($(compgen -W "$words" -- "$current"))
    fi
}}
complete -o default -F _rxstream rxstream
"""


def _zsh(commands: Sequence[_Command], options: Sequence[_Option]) -> str:
    named = "\n".join(f"        {_quoted(f'{_colons(each.name)}:{each.help}')}" for each in commands)
    cases = "\n".join(f"        {each.name}) {_zsh_arguments(each)} ;;" for each in commands)
    return f"""\
#compdef rxstream
# zsh completion of rxstream: eval "$(rxstream completion zsh)"
_rxstream() {{
    local -a commands
    commands=(
{named}
    )
    if (( CURRENT == 2 )); then
        _describe command commands
        compadd -- {" ".join(name for each in options for name in each.names)}
        return
    fi
    local command=$words[2]
    shift words
    (( CURRENT-- ))
    case $command in
{cases}
    esac
}}
compdef _rxstream rxstream
"""


def _zsh_arguments(command: _Command) -> str:
    lines = [
        _quoted(f"*{name}[{_brackets(option.help)}]{':value:_files' if option.takes_value else ''}")
        for option in command.options
        for name in option.names
    ]
    lines.append(_quoted(f"*: :({' '.join(command.choices)})" if command.choices else "*:file:_files"))
    return " ".join(["_arguments", *lines])


def _fish(commands: Sequence[_Command], options: Sequence[_Option]) -> str:
    lines = ["# fish completion of rxstream: rxstream completion fish | source"]
    for option in options:
        lines.append(f"complete -c rxstream -n __fish_use_subcommand {_fish_option(option)}")
    for command in commands:
        lines.append(
            f"complete -c rxstream -n __fish_use_subcommand -f -a {command.name} -d {_fish_quoted(command.help)}"
        )
        seen = f"complete -c rxstream -n '__fish_seen_subcommand_from {command.name}'"
        lines += [f"{seen} {_fish_option(option)}" for option in command.options]
        if command.choices:
            lines.append(f"{seen} -f -a {_fish_quoted(' '.join(command.choices))}")
    return "\n".join(lines) + "\n"


def _fish_option(option: _Option) -> str:
    names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
    return f"{names}{' -r' if option.takes_value else ''} -d {_fish_quoted(option.help)}"


def _words(command: _Command) -> str:
    return " ".join([*command.choices, *(name for option in command.options for name in option.names)])


def _first_words(commands: Sequence[_Command], options: Sequence[_Option]) -> str:
    return " ".join([*(each.name for each in commands), *(name for each in options for name in each.names)])


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _colons(text: str) -> str:
    return text.replace(":", "\\:")


def _brackets(text: str) -> str:
    return text.replace("[", "(").replace("]", ")").replace(":", "\\:")
