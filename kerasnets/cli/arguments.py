"""Flags: how every command reads its command line, and the one line it answers to a mistake."""

import argparse
import dataclasses
import difflib
import inspect
import re
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import jsonargparse

from kerasnets.errors import InputError

_KINDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    type(None): "null",
    Any: "any value",
}
# A field and its text under "Attributes:", where the text may go on in deeper lines.
_ATTRIBUTE = re.compile(r"^    (\w+): (.+(?:\n {8}.+)*)", re.MULTILINE)
_METAVARS = {int: "N", int | None: "N", float: "X", float | None: "X", bool: "true|false", list[float] | None: "LIST"}


class _HelpFormatter(jsonargparse.DefaultHelpFormatter):
    """Help that says what a flag does and its default, and leaves Python's types out."""

    def _get_help_string(self, action: argparse.Action) -> str:
        # Without a value a flag is simply off, and a flag that takes no value has no default worth a word.
        default = action.default
        silent = action.nargs == 0 or default is None or default is False or default in ({}, argparse.SUPPRESS)
        return (action.help or "") + ("" if silent else " (default: %(default)s)")


def new_parser(command: str, usage: str, description: str, epilog: str = "") -> jsonargparse.ArgumentParser:
    """A parser that takes whole flag names only (an abbreviation is a mistake waiting for the next flag)."""
    return jsonargparse.ArgumentParser(
        prog=command,
        usage=usage,
        description=description,
        epilog=epilog,
        formatter_class=_HelpFormatter,
        exit_on_error=False,
        allow_abbrev=False,
        print_config=None,
    )


def field_helps(kind: type) -> dict[str, str]:
    """What each field of a dataclass is for, by name, as its docstring says under "Attributes:"."""
    return {name: " ".join(text.split()) for name, text in _ATTRIBUTE.findall(inspect.getdoc(kind))}


def add_fields(
    parser: jsonargparse.ArgumentParser, kind: type, defaults: Mapping[str, Any], metavars: Mapping[str, str]
) -> None:
    """Adds one flag for each field of a dataclass, with the help that its docstring gives.

    Args:
        parser: Takes the flags.
        kind: The dataclass.
        defaults: Of the flags; a field that is missing here has none.
        metavars: What stands for the value in the help, where the type does not say.
    """
    helps, hints = field_helps(kind), typing.get_type_hints(kind)
    for name in (field.name for field in dataclasses.fields(kind)):
        flag = {"type": hints[name], "default": defaults.get(name), "help": helps[name]}
        if typing.get_origin(hints[name]) is not typing.Literal:  # whose choices are shown in its place
            flag["metavar"] = metavars.get(name) or _METAVARS.get(hints[name], "NAME")
        parser.add_argument("--" + name.replace("_", "-"), **flag)


def parse(parser: jsonargparse.ArgumentParser, argv: Sequence[str]) -> jsonargparse.Namespace:
    """Reads a command line; ``--data-dir`` and ``--data_dir`` are the same flag.

    Raises:
        InputError: Something in it is unknown, missing or of the wrong kind; one line says what would be right.
        SystemExit: With code 0, after --help was printed.
    """
    try:
        return parser.parse_args(with_dashes(argv))
    except argparse.ArgumentError as error:
        raise InputError(_sentence(parser, str(error))) from None


def with_dashes(argv: Sequence[str]) -> list[str]:
    """Writes flag names with dashes; values, and a network option's name after the dot, stay as they are."""
    return [re.sub(r"^--[^=.]+", lambda flag: flag[0].replace("_", "-"), word) for word in argv]


def has_flag(argv: Sequence[str], flag: str) -> bool:
    """Whether a flag is among the words of a command line, as ``--flag``, ``--flag value`` or ``--flag=value``."""
    return any(word == flag or word.startswith(flag + "=") for word in with_dashes(argv))


def _sentence(parser: jsonargparse.ArgumentParser, message: str) -> str:
    """Turns jsonargparse's message (several lines, Python's type names) into one line for whoever typed the flag."""
    if match := re.match(r"unrecognized arguments: (\S+)", message, re.IGNORECASE):
        return _unknown(parser, match[1])
    if match := re.match(r"Option '(.+?)' is not accepted", message):
        return _unknown(parser, match[1], "setting")
    if match := re.match(r"(?:Problems parsing|Unexpected) config: (.*)", message, re.DOTALL):
        return f"--config must be a YAML file with one 'name: value' a line. Received: {_one_line(match[1])}."
    if match := re.search(r"Parser key \"config\": (.*?): '(.*)'", message):
        return f"--config must name a file that can be read. Received: {match[2]} ({match[1]})."
    if match := re.match(r"argument (--[\w.-]+).*?: expected", message):
        return f"{match[1]} needs a value: {_expected(parser, match[1])}. Received: none.{_example(parser, match[1])}"
    if match := re.match(r"the following arguments are required: (.*)", message, re.IGNORECASE):
        return f"{match[1]} must be given. Received: none. See {parser.prog} --help."
    if match := re.match(r'Parser key "([\w.]+)":', message):
        flag = _flag(parser, match[1])
        received = re.findall(r"(?:Got value|Given value): (.*)", message)
        if received:
            return f"{flag} must be {_expected(parser, flag)}. Received: {received[-1]}.{_example(parser, flag)}"
    return _one_line(message)


def _unknown(parser: jsonargparse.ArgumentParser, word: str, kind: str = "flag") -> str:
    word = word.partition("=")[0]
    if kind == "flag" and not word.startswith("-"):
        return f"Nothing more was expected. Received: {word!r}. See {parser.prog} --help."
    flags = [flag[2:] for action in parser._actions for flag in action.option_strings if flag.startswith("--")]
    known = flags if kind == "flag" else [flag.replace("-", "_") for flag in flags]
    near = difflib.get_close_matches(word.lstrip("-"), known, n=1, cutoff=0.6)
    dashes = "--" if kind == "flag" else ""
    remedy = f"Did you mean {dashes}{near[0]}?" if near else f"See {parser.prog} --help."
    return f"Unknown {kind} {word}{' in the file of --config' if kind == 'setting' else ''}. {remedy}"


def _action(parser: jsonargparse.ArgumentParser, flag: str) -> argparse.Action | None:
    return next((a for a in parser._actions if flag in (*a.option_strings, a.dest)), None)


def _flag(parser: jsonargparse.ArgumentParser, key: str) -> str:
    action = _action(parser, key)
    return action.option_strings[0] if action and action.option_strings else key


def _expected(parser: jsonargparse.ArgumentParser, flag: str) -> str:
    action = _action(parser, flag)
    return _kind(getattr(action, "_typehint", None) or getattr(action, "type", None) or str)


def _kind(hint: Any) -> str:
    """Says a type in words."""
    inner = [argument for argument in typing.get_args(hint) if argument is not type(None)]
    if typing.get_origin(hint) is typing.Literal:
        return "one of " + ", ".join(map(str, inner))
    if typing.get_origin(hint) is list:
        return "a list such as [0.5, 0.5]"
    if typing.get_origin(hint) is dict:
        return "names with values, such as {width: 200}"
    if inner:
        return " or ".join(map(_kind, inner)) + (" or null" if type(None) in typing.get_args(hint) else "")
    return _KINDS.get(hint, str(hint))


def _example(parser: jsonargparse.ArgumentParser, flag: str) -> str:
    default = getattr(_action(parser, flag), "default", None)
    given = not isinstance(default, bool) and isinstance(default, int | float | str) and default != ""
    return f" For example: {flag} {default}." if given and flag.startswith("--") else f" See {parser.prog} --help."


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().rstrip(".")
