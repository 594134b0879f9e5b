"""Serves all commands: quiet start-up, progress bars, and errors in one line with exit 2."""

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
from typing import Any

import rich.console
import rich.progress

from akita_bayes import errors
from akita_bayes.cli import command_record, messages
from akita_bayes.cli.command_line import add_options as add_options
from akita_bayes.cli.command_line import parser as parser
from akita_bayes.cli.command_line import refuse
from akita_bayes.files import damage, output_directory, replacement
from akita_bayes.origins import provenance
from akita_bayes.plots import figure_files
from akita_bayes.specs import seeds

_HDF5_NAME = re.compile(r"name = '([^']*)'")

_OF_PROCESS = (errno.EMFILE, errno.ENFILE)
_OF_DISK = (errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP, errno.ESTALE)

# Names of files and of inputs may contain brackets, which rich reads as markup.
stderr = rich.console.Console(file=messages.STDERR, markup=False)
stdout = rich.console.Console(markup=False)


def run(
    command: Callable[[], str | os.PathLike[str] | None],
    *,
    options: argparse.Namespace | None = None,
    out: str | None = None,
    kind: str | None = None,
    claims: str | None = None,
    own_record: bool = False,
) -> int:
    """Runs a command and returns its exit status.

    The status is 0 on success, 2 with one line on stderr for an error that the user can fix, and
    130 on Ctrl-C. Any other exception is a defect of this package and keeps its traceback.

    Args:
        command: The call that does the work; it may return the folder of its results, if that is
            not `out`.
        options: Parsed options of a command that writes results; `provenance.json` records their
            inputs and seed in the folder of the results. None to record nothing.
        out: Output directory; the command stops at once when a file is in its place.
        kind: One of `output_directory.KINDS`; the command stops at once when the output directory
            holds another kind of results. The library call locks the directory.
        claims: The same, for a command that locks the directory here until it ends.
        own_record: True when the library call writes `provenance.json`.
    """
    quiet()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("akita_bayes").setLevel(logging.INFO)
    try:
        if out is not None:
            _check_no_file_at(out)
        if out is not None and kind is not None:
            output_directory.check(out, kind=kind)
        words = () if options is None else options.command_line
        figure_format = getattr(options, "figure_format", figure_files.FORMATS[0])
        with (
            _claimed(out, claims),
            provenance.command(words),
            figure_files.in_format(figure_format),
        ):
            folder = command() or out
            if options is not None and folder is not None and not own_record:
                command_record.write(options, folder)
    except errors.AkitaBayesError as error:
        return refuse(str(error))
    except FileNotFoundError as error:
        return refuse(f"{_named(error)}: no such file or directory.")
    except PermissionError as error:
        return refuse(f"{_named(error)}: permission denied.")
    except (FileExistsError, NotADirectoryError) as error:
        name = error.filename2 or _named(error)
        return refuse(f"{name}: a file is where a directory is needed; choose another name.")
    except IsADirectoryError as error:
        name = error.filename2 or _named(error)
        return refuse(f"{name}: a directory is where a file is needed; choose another name.")
    # TensorFlow's errors have no base class that is available before TensorFlow is imported.
    except Exception as error:
        name = _file_of(error)
        if isinstance(error, OSError) and error.errno in _OF_DISK:
            return refuse(f"{_named(error)}: {error.strerror}; choose another file or -o.")
        if isinstance(error, OSError) and damage.number_of(error) in _OF_PROCESS:
            return refuse(
                f"{_named(error)}: too many files are open; raise the limit, as with "
                "`ulimit -n 4096`, and run again."
            )
        if not _disk_full(error):
            raise
        where = f" while writing {name}" if name else ""
        return refuse(f"the disk is full{where}; free some space and run again.")
    except KeyboardInterrupt:
        return 130
    return 0


def quiet() -> None:
    """Hides TensorFlow's start-up messages, in a command and in each process that it starts."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, _QuietTensorFlow())
    warnings.filterwarnings("ignore", category=FutureWarning, message=".*np.object.*")
    logging.getLogger("tensorflow").addFilter(_is_news)


def _claimed(out: str | None, kind: str | None) -> contextlib.AbstractContextManager[Any]:
    if out is None or kind is None:
        return contextlib.nullcontext()
    return output_directory.claim(out, kind=kind)


def _check_no_file_at(out: str) -> None:
    """Raises NotADirectoryError when some part of a directory's path is a file."""
    path = os.path.abspath(out)
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    if not os.path.isdir(path):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), out)


def _file_of(error: Exception) -> str:
    """Returns the final name of the file in an error of the system or HDF5; "" without a file."""
    hdf5_name = _HDF5_NAME.search(str(error))
    name = getattr(error, "filename", None) or (hdf5_name[1] if hdf5_name else "")
    return replacement.final_path(name)


def _named(error: Exception) -> str:
    """Returns the final name of the file in an error; "a file" when it names none."""
    return _file_of(error) or "a file"


def _is_news(record: logging.LogRecord) -> bool:
    """Returns False for TensorFlow's advice to trace less; each ensemble member needs a trace."""
    return "triggered tf.function retracing" not in record.getMessage()


def _disk_full(error: Exception) -> bool:
    """Returns True for an error of the system, HDF5 or TensorFlow about a full disk."""
    if isinstance(error, OSError):
        return damage.number_of(error) in damage.DISK_FULL
    from_tensorflow = type(error).__module__.startswith("tensorflow.")
    return from_tensorflow and any(os.strerror(code) in str(error) for code in damage.DISK_FULL)


class _QuietTensorFlow(importlib.abc.MetaPathFinder):
    """Hides the messages of TensorFlow's libraries while they load.

    They write "I0000 ... oneDNN custom operations are on" and more to the file descriptor for any
    value of TF_CPP_MIN_LOG_LEVEL. Later messages, and messages of Python, still appear.
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
    """Sends all output to a file descriptor, also that of C++ libraries, to the null device."""
    saved = os.dup(descriptor)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), descriptor)
        yield
    finally:
        os.dup2(saved, descriptor)
        os.close(saved)


def count(number: int, noun: str) -> str:
    """Returns a number and its noun, such as "1 window" and "1,200 windows"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def say(text: str) -> None:
    """Prints a sentence to stdout as it is: without markup, colours, or breaks at the width."""
    stdout.print(text, markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def progress(description: str, total: int | None = None) -> Iterator[Callable[..., None]]:
    """Shows a bar with counts and time left on stderr; yields `advance(steps=1, **fields)`."""
    bar = rich.progress.Progress(
        rich.progress.TextColumn("{task.description}", markup=False),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeElapsedColumn(),
        rich.progress.TimeRemainingColumn(),
        rich.progress.TextColumn("{task.fields[note]}", markup=False),
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
    """Returns the path of an existing file; an argparse type."""
    if os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"{text}: a directory is where a file is needed")
    if not os.path.exists(text):
        raise argparse.ArgumentTypeError(f"{text}: no such file")
    if not os.path.isfile(text):
        raise argparse.ArgumentTypeError(f"{text}: a pipe can be read only once; give a file")
    return text


def spec_file(text: str) -> str:
    """Returns the path of a JSON spec, given by its path or bare name; an argparse type."""
    from akita_bayes.models import shipped

    try:
        return existing_file(str(shipped.spec_path(text)))
    except errors.DataError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def model_source(text: str) -> str:
    """Returns the path of a trained model, given by its path or bare name; an argparse type."""
    from akita_bayes.models import shipped

    try:
        return existing_path(str(shipped.model_path(text)))
    except errors.RunError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def model_name(text: str) -> str:
    """Returns the path or bare name of an existing trained model as it is; an argparse type."""
    model_source(text)
    return text


def existing_path(text: str) -> str:
    """Returns the path of an existing file or directory; an argparse type."""
    if not os.path.exists(text):
        raise argparse.ArgumentTypeError(f"{text}: no such file or directory")
    return text


def existing_directory(text: str) -> str:
    """Returns the path of an existing directory; an argparse type."""
    if not os.path.isdir(existing_path(text)):
        raise argparse.ArgumentTypeError(f"{text}: a file is where a directory is needed")
    return text


def readable(text: str) -> str:
    """Returns the path of an existing file or pipe, such as `<(...)`; an argparse type."""
    return text if os.path.exists(text) and not os.path.isdir(text) else existing_file(text)


def integers(text: str) -> tuple[int, ...]:
    """Returns comma-separated integers, as Basenji writes shifts; an argparse type."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a comma-separated list of integers"
        ) from None


def whole_number(text: str) -> int:
    """Returns a whole number of at least 0; an argparse type."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def seed(text: str) -> int:
    """Returns a seed, a whole number that fits into int32; an argparse type."""
    value = whole_number(text)
    if value >= seeds.SEEDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number below {seeds.SEEDS:,}")
    return value


def positive_integer(text: str) -> int:
    """Returns a whole number of at least 1; an argparse type."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def positive_number(text: str) -> float:
    """Returns a finite number above 0; an argparse type."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def share(text: str) -> float:
    """Returns a number above 0 and up to 1; an argparse type."""
    value = positive_number(text)
    if value > 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share, above 0 and up to 1")
    return value


def words(text: str) -> tuple[str, ...]:
    """Returns comma-separated words; an argparse type."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
