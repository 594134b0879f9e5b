"""Writes docs/commands.md: every command with its arguments and options, from its parser."""

import argparse
import importlib

from akita_bayes.cli import all_commands
from documentation import markdown

_OPENING = """\
# Commands

<!-- generated: python -m documentation -->

This page is generated from the parsers of the commands; `COMMAND --help` shows the same. Every
command has `--help` and `--version`, ends with status 0 on success, and
with status 2 and one line on stderr for bad input. `-o` is always the output. Where a command
takes `params` and `model`, a run directory or the name of a
trained model that comes with the package stands for both: `akita_predict akita_yeast
chrII:450,000-514,000 -f sacCer3.2bit`.
Options of Basenji that have no effect here, or are refused, are on [another page](basenji.md).

"""


def page() -> str:
    """Returns the text of the page."""
    names = all_commands.names()
    lines = [f"- [{name}](#{name}): {all_commands.summary(name)}" for name in names]
    sections = [_section(name) for name in names]
    return _OPENING + "\n".join(lines) + "\n\n" + "\n".join(sections).rstrip() + "\n"


def _section(name: str) -> str:
    module = importlib.import_module(f"akita_bayes.cli.{name}")
    parser: argparse.ArgumentParser = module._parser()
    parser.prog = name
    positional: list[tuple[str, ...]] = []
    optional: list[tuple[str, ...]] = []
    for action in parser._actions:
        # --version has no destination either, as options that end the command have none.
        if action.help == argparse.SUPPRESS or {"-h", "--version"} & set(action.option_strings):
            continue
        text = _help(parser, action)
        if action.option_strings:
            flags = ", ".join(f"`{flag}`" for flag in action.option_strings)
            optional.append((f"{flags}{_value(action)}", f"{text}{_required(action)}"))
        else:
            positional.append((markdown.code(action.dest), text))
    example = (parser.epilog or "").partition("\n")[2].strip()
    parts = [f"## {name}\n\n{(module.__doc__ or '').strip()}\n"]
    if positional:
        parts.append(markdown.table(("argument", "meaning"), positional))
    if optional:
        parts.append(markdown.table(("option", "meaning"), optional))
    if example:
        parts.append(f"Example: `{example}`\n")
    return "\n".join(parts)


def _help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    """Returns the help of an option as `--help` prints it, with its default."""
    formatter = parser._get_formatter()
    return formatter._expand_help(action) if action.help else ""


def _value(action: argparse.Action) -> str:
    """Returns the value that an option takes; "" for a switch."""
    if action.nargs == 0:
        return ""
    if action.choices is not None:
        text = ", ".join(map(str, action.choices))
    else:
        text = str(action.metavar or action.dest.upper())
    return f" [`{text}`]" if action.nargs == "?" else f" `{text}`"


def _required(action: argparse.Action) -> str:
    return " (required)" if action.required else ""
