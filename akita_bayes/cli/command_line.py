"""Parses the arguments of commands: help with an example, errors in one line, lines of Basenji."""

import argparse
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from akita_bayes.cli import messages
from akita_bayes.origins import stack

_NEGATIVE_LIST = re.compile(r"-\d+(,-?\d+)+")
_NUMBER = re.compile(r"-\d+|-\d*\.\d+")


def refuse(message: str) -> int:
    """Prints an error as one line on stderr and returns the exit status 2."""
    print("error: " + " ".join(message.split()), file=messages.STDERR)
    return 2


def parser(doc: str, example: str) -> argparse.ArgumentParser:
    """Returns a parser whose help shows defaults and ends with an example to copy."""
    parser = _Parser(
        description=doc.split("\n\n")[0],
        epilog=f"example:\n  {example}",
        formatter_class=_Help,
    )
    parser.add_argument(
        "--version", action=_Version, help="show the versions of this package and its libraries"
    )
    return parser


class _Version(argparse.Action):
    """Prints the versions of this package, of Python and of the libraries that decide numbers."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest=argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        print("\n".join(f"{name} {version}" for name, version in stack.versions().items()))
        parser.exit()


class _Parser(argparse.ArgumentParser):
    """Reports errors in one line, as `run` does, and reads command lines of Basenji."""

    def parse_known_args(  # type: ignore[override]  # theirs has an overload per namespace
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        typed = sys.argv[1:] if args is None else args
        words = self._with_params(self._rewritten(typed))
        # An unknown option is reported first: argparse would take its value for a positional
        # argument and complain about a missing file, as for 5 in "--unknown 5".
        if unknown := [word for word in self._options(words) if not self._is_known(word)]:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        options, rest = super().parse_known_args(words, namespace)
        options.command_line = [self.prog, *typed]  # for `provenance.json`
        return options, rest

    def _options(self, words: Sequence[str]) -> list[str]:
        """Returns the words that argparse would read as options."""
        before = words[: words.index("--")] if "--" in words else words
        return [
            word
            for word in before
            if len(word) > 1 and word[0] == "-" and " " not in word and not _NUMBER.fullmatch(word)
        ]

    def _is_known(self, word: str) -> bool:
        name, flags = word.partition("=")[0], self._option_string_actions
        if not word.startswith("--"):
            return word[:2] in flags
        return any(option.startswith(name) for option in flags)

    def _rewritten(self, words: Sequence[str]) -> list[str]:
        """Returns the words with values joined to their options where argparse would misread them.

        In `--shifts -1,0,1` argparse would read the list as an option. In `-m params.json`, where
        the value of -m is optional, it would read the file as the value.
        """
        rewritten: list[str] = []
        for word in words:
            previous = rewritten[-1] if rewritten else ""
            option = self._option_string_actions.get(previous)
            if option is not None and _NEGATIVE_LIST.fullmatch(word):
                rewritten[-1] = f"{previous}={word}"
                continue
            if option is not None and option.nargs == "?" and os.path.exists(word):
                try:
                    self._check_value(option, self._get_value(option, word))
                except argparse.ArgumentError:
                    rewritten[-1] = f"{previous}={option.const}"
            rewritten.append(word)
        return rewritten

    def _with_params(self, words: list[str]) -> list[str]:
        """Returns the words with the spec of a run before it, where the run is given without one.

        A command with the arguments `params model ...` also takes `RUN ...` or the name of a
        shipped model: both hold their params.json.
        """
        names = [action.dest for action in self._get_positional_actions()]
        if names[:2] != ["params", "model"]:
            return words
        first = self._first_positional(words)
        if first is None:
            return words
        from akita_bayes.models import shipped

        params = shipped.params_of(words[first])
        return words if params is None else [*words[:first], str(params), *words[first:]]

    def _first_positional(self, words: Sequence[str]) -> int | None:
        """Returns the index of the first word that is neither an option nor a value of one."""
        options = set(self._options(words))
        values = 0
        for index, word in enumerate(words):
            if word in options:
                values = self._values_of(word)
            elif values:
                values -= 1
            elif word != "--":
                return index
        return None

    def _values_of(self, word: str) -> int:
        """Returns the number of words after an option that are its values."""
        flags = self._option_string_actions
        if word.startswith("--"):
            matches = [flags[option] for option in flags if option.startswith(word)]
            action = flags.get(word) or (matches[0] if matches and "=" not in word else None)
        else:
            action = flags.get(word)  # in `-oDIR` the value is a part of the word
        if action is None or action.nargs == 0:
            return 0
        return action.nargs if isinstance(action.nargs, int) else 1

    def error(self, message: str) -> NoReturn:
        self.exit(refuse(f"{message.removesuffix('.')}; {self.prog} --help lists all options."))


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows defaults as the user would type them, and leaves out empty ones."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        default = action.default
        if default is None or default is False or default in ((), "", argparse.SUPPRESS):
            return action.help
        if isinstance(default, tuple):
            return f"{action.help} (default: {','.join(map(str, default))})"
        return super()._get_help_string(action)


def add_options(
    parser: argparse.ArgumentParser,
    options: Mapping[str, Mapping[str, Any]],
    *names: str,
    **changes: Any,
) -> None:
    """Adds options that several commands share to a parser.

    Args:
        parser: Parser of a command.
        options: Arguments of `add_argument` by option; `flag` is a second, short name.
        names: Options to add, in the order of the help text.
        changes: Arguments of `add_argument` that replace the common ones for all these options.
    """
    for name in names:
        settings = {**options[name], **changes}
        flags = [flag] if (flag := settings.pop("flag", None)) else []
        parser.add_argument(*flags, name, **settings)
