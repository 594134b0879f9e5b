"""What every command shares: quiet start-up, progress, one clear line on bad input, exit 2."""

import argparse
import contextlib
import errno
import importlib.abc
import importlib.machinery
import logging
import math
import os
import re
import sys
import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import rich.console
import rich.progress

from akita_bayes import errors
from akita_bayes.specs import frozen

_NEGATIVE_LIST = re.compile(r"-\d+(,-?\d+)+")
_NUMBER = re.compile(r"-\d+|-\d*\.\d+")
_PARTIAL = re.compile(r"\.[0-9a-f]{16}\.partial\.")  # what `files.atomic` adds to a name
_HDF5_NAME = re.compile(r"name = '([^']*)'")
_INPUTS = {
    "a model": ("model_best.keras", "checkpoint", "saved_model.pb"),
    "a data directory": ("statistics.json", "simulation.json", "tfrecords"),
}
"""What tells a directory that commands read from one of results."""

stderr = rich.console.Console(stderr=True)
stdout = rich.console.Console()


def parser(doc: str, example: str) -> argparse.ArgumentParser:
    """A parser whose help shows defaults and ends with an example to copy."""
    return _Parser(
        description=doc.split("\n\n")[0],
        epilog=f"example:\n  {example}",
        formatter_class=_Help,
    )


class _Parser(argparse.ArgumentParser):
    """Refuses in one line, as `run` does, without repeating the usage; reads Basenji's lines."""

    def parse_known_args(  # type: ignore[override]  # theirs has an overload per namespace
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        words = self._told(sys.argv[1:] if args is None else args)
        # Else a word of an option that is not known would be taken for a file that is missing.
        if unknown := [word for word in self._options(words) if not self._is_known(word)]:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return super().parse_known_args(words, namespace)

    def _options(self, words: Sequence[str]) -> list[str]:
        """The words that argparse takes for options, as it tells them."""
        before = words[: words.index("--")] if "--" in words else words
        return [
            word
            for word in before
            if len(word) > 1 and word[0] == "-" and " " not in word and not _NUMBER.fullmatch(word)
        ]

    def _is_known(self, word: str) -> bool:
        name, known = word.partition("=")[0], self._option_string_actions
        if not word.startswith("--"):
            return word[:2] in known
        return any(option.startswith(name) for option in known)

    def _told(self, words: Sequence[str]) -> list[str]:
        """Words as argparse must be told them to take them as they are meant.

        In `--shifts -1,0,1` it would take the list for an option, and in `-m params.json`, where
        the value may be left out, the file for the value.
        """
        told: list[str] = []
        for word in words:
            before = told[-1] if told else ""
            option = self._option_string_actions.get(before)
            if option is not None and _NEGATIVE_LIST.fullmatch(word):
                told[-1] = f"{before}={word}"
                continue
            if option is not None and option.nargs == "?" and os.path.exists(word):
                try:
                    self._check_value(option, self._get_value(option, word))
                except argparse.ArgumentError:
                    told[-1] = f"{before}={option.const}"
            told.append(word)
        return told

    def error(self, message: str) -> NoReturn:
        self.exit(_refuse(f"{message.removesuffix('.')}; {self.prog} --help lists what it takes."))


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows defaults that say something, as they would be typed."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        default = action.default
        if default is None or default is False or default == () or default == argparse.SUPPRESS:
            return action.help
        if isinstance(default, tuple):
            return f"{action.help} (default: {','.join(map(str, default))})"
        return super()._get_help_string(action)


def run(command: Callable[[], None], *, out: str | None = None, apart: bool = False) -> int:
    """Runs a command's one library call; returns its exit status.

    An output directory that a file bars is told before any work is done; with `apart`, for results
    that stand alone, also one that is a model or data.
    0 on success; 2 with one line on stderr for an error that the user can mend; 130 on Ctrl-C.
    Anything else is a defect of this package and propagates with its traceback.
    """
    quiet()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("akita_bayes").setLevel(logging.INFO)
    try:
        if out is not None:
            _no_file_bars(out)
        if out is not None and apart:
            _no_input(out)
        command()
    except errors.AkitaBayesError as error:
        return _refuse(str(error))
    except FileNotFoundError as error:
        return _refuse(f"{error.filename}: no such file or directory.")
    except PermissionError as error:
        return _refuse(f"{_meant(error)}: permission denied.")
    except (FileExistsError, NotADirectoryError) as error:
        name = error.filename2 or _meant(error)
        return _refuse(f"{name}: a file is where a directory is needed; choose another name.")
    except IsADirectoryError as error:
        name = error.filename2 or _meant(error)
        return _refuse(f"{name}: a directory is where a file is needed; choose another name.")
    # TensorFlow's errors have no base class that can be named without importing it.
    except Exception as error:
        if not _disk_full(error):
            raise
        name = _meant(error)
        where = f" while writing {name}" if name else ""
        return _refuse(f"the disk is full{where}; free some space and run again.")
    except KeyboardInterrupt:
        return 130
    return 0


def quiet() -> None:
    """Keeps TensorFlow's start-up off the screen, in a command and in each process it starts."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, _QuietTensorFlow())
    warnings.filterwarnings("ignore", category=FutureWarning, message=".*np.object.*")
    logging.getLogger("tensorflow").addFilter(_is_news)


def _no_file_bars(out: str) -> None:
    """Raises what making the directory would: some part of its path is a file."""
    path = os.path.abspath(out)
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    if not os.path.isdir(path):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), out)


def _no_input(out: str) -> None:
    """Raises when a directory holds what commands read, which results would join or replace."""
    for what, names in _INPUTS.items():
        if any(os.path.exists(os.path.join(out, name)) for name in names):
            raise errors.RunError(f"{out}: is {what}; choose another directory for results.")


def _meant(error: Exception) -> str:
    """The file of a system's error, or of HDF5's, under its final name; "" for none."""
    named = _HDF5_NAME.search(str(error))
    name = getattr(error, "filename", None) or (named[1] if named else "")
    return _PARTIAL.sub("", str(name))


def _is_news(record: logging.LogRecord) -> bool:
    """False for TensorFlow's advice to trace less: members of an ensemble are traced one by one."""
    return "triggered tf.function retracing" not in record.getMessage()


def _disk_full(error: Exception) -> bool:
    """True when the system, HDF5 or TensorFlow says so, each in its way."""
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if isinstance(error, OSError):
        return error.errno in full or any(f"errno = {code}," in str(error) for code in full)
    from_tensorflow = type(error).__module__.startswith("tensorflow.")
    return from_tensorflow and any(os.strerror(code) in str(error) for code in full)


class _QuietTensorFlow(importlib.abc.MetaPathFinder):
    """Keeps what TensorFlow's libraries say while they load off the screen.

    They write "I0000 ... oneDNN custom operations are on" and more to the file descriptor, whatever
    TF_CPP_MIN_LOG_LEVEL says. Later messages, and Python's own, are untouched.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "tensorflow":
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def quietly(module: types.ModuleType) -> None:
                with _silenced(2):
                    execute(module)

            spec.loader.exec_module = quietly  # type: ignore[method-assign]
        return spec


@contextlib.contextmanager
def _silenced(descriptor: int) -> Iterator[None]:
    kept = os.dup(descriptor)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), descriptor)
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)


def _refuse(message: str) -> int:
    print("error: " + " ".join(message.split()), file=sys.stderr)
    return 2


@contextlib.contextmanager
def progress(description: str, total: int | None = None) -> Iterator[Callable[..., None]]:
    """Shows a bar with counts and time left on stderr; yields `advance(steps=1, **fields)`."""
    bar = rich.progress.Progress(
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeElapsedColumn(),
        rich.progress.TimeRemainingColumn(),
        rich.progress.TextColumn("{task.fields[note]}"),
        console=stderr,
    )
    with bar:
        task = bar.add_task(description, total=total, note="")

        def advance(steps: int = 1, *, note: str = "", total: int | None = None) -> None:
            if total is not None:
                bar.update(task, total=total)
            bar.update(task, advance=steps, note=note)

        yield advance


def existing_file(text: str) -> str:
    """An argparse type: a path to a file that is there."""
    if os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"{text}: a directory is where a file is needed")
    if not os.path.exists(text):
        raise argparse.ArgumentTypeError(f"{text}: no such file")
    if not os.path.isfile(text):
        raise argparse.ArgumentTypeError(f"{text}: a pipe can be read only once; give a file")
    return text


def readable(text: str) -> str:
    """An argparse type: a path to a file, or to a pipe as `<(...)` of a shell is, that is there."""
    return text if os.path.exists(text) and not os.path.isdir(text) else existing_file(text)


def integers(text: str) -> tuple[int, ...]:
    """An argparse type: comma-separated integers, Basenji's way of writing shifts."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a comma-separated list of integers"
        ) from None


def whole_number(text: str) -> int:
    """An argparse type: 0, 1, 2, ..."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def seed(text: str) -> int:
    """An argparse type: a whole number that draws, whose generators read int32, can start from."""
    value = whole_number(text)
    if value >= frozen.SEEDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number below {frozen.SEEDS:,}")
    return value


def positive_integer(text: str) -> int:
    """An argparse type: 1, 2, 3, ..."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def positive_number(text: str) -> float:
    """An argparse type: a finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def share(text: str) -> float:
    """An argparse type: a number above 0 and up to 1."""
    value = positive_number(text)
    if value > 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share, above 0 and up to 1")
    return value


def words(text: str) -> tuple[str, ...]:
    """An argparse type: comma-separated words."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def main_guard(main: Callable[[Sequence[str] | None], int]) -> None:
    """Exits the process with the status of `main`."""
    sys.exit(main(None))
