"""What can go wrong, by whose hand it can be mended.

Every error below is the user's to mend: commands print its message as one line and exit with 2.
Any other exception is a defect of this package and keeps its traceback.
"""

import difflib
from collections.abc import Iterable


class AkitaBayesError(ValueError):
    """An input that the user can mend; the message says what, where, and what to do."""


class SpecError(AkitaBayesError):
    """A JSON spec that does not say a model. The message starts with the JSON path."""


class DataError(AkitaBayesError):
    """A data directory, record, genome, cooler or table that does not hold what it must."""


class VariantError(AkitaBayesError):
    """A variant file or record that cannot be scored."""


class RunError(AkitaBayesError):
    """A run directory, checkpoint or device that does not allow what was asked."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns ' Did you mean "x"?' for the nearest known word, or '' when none is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.55)
    return f' Did you mean "{near[0]}"?' if near else ""
