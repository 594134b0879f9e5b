"""Errors that the user can correct.

Commands print the message of such an error as one line and exit with 2. Any other exception is a
defect of this package and keeps its traceback.
"""

import difflib
from collections.abc import Iterable


class AkitaBayesError(ValueError):
    """Reports an input that the user can correct; the message says what, where and how."""


class SpecError(AkitaBayesError):
    """Reports a JSON spec that does not describe a model; starts with the JSON path."""


class DataError(AkitaBayesError):
    """Reports a data directory, record, genome, cooler or table with wrong or missing content."""


class VariantError(AkitaBayesError):
    """Reports a variant file or record that cannot be scored."""


class RunError(AkitaBayesError):
    """Reports an output directory, checkpoint or device that does not allow what was requested."""


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Returns ' Did you mean "x"?' for the nearest candidate, or '' when none is near."""
    matches = difflib.get_close_matches(word, list(candidates), n=1, cutoff=0.55)
    return f' Did you mean "{matches[0]}"?' if matches else ""
