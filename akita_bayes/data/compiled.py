"""Compiles loops with numba, and keeps the machine code on disk where a folder can be written.

numba cannot load a module with cached functions when it finds no folder for the cache. This
happens when the package is installed read-only and the user has no home folder, as in containers
and on some clusters. Loops are then compiled at every start, which takes seconds and gives the same
numbers.
"""

import functools
import logging
from collections.abc import Callable
from typing import Any, Literal, TypeVar, cast

import numba

_log = logging.getLogger(__name__)
_Function = TypeVar("_Function", bound=Callable[..., Any])
_NO_FOLDER = "no locator available"  # in the message of numba, which raises a plain RuntimeError


def njit(*, inline: Literal["never", "always"] = "never") -> Callable[[_Function], _Function]:
    """Returns a decorator that compiles a function, cached where a folder can be written.

    Args:
        inline: "always" to copy the function into its callers, as `numba.njit` takes it.
    """

    def decorate(function: _Function) -> _Function:
        try:
            return cast(_Function, numba.njit(cache=True, inline=inline)(function))
        except RuntimeError as error:
            if _NO_FOLDER not in str(error):
                raise
        _log_once()
        return cast(_Function, numba.njit(inline=inline)(function))

    return decorate


@functools.cache
def _log_once() -> None:
    _log.info(
        "compiled loops cannot be stored, so that each start takes some seconds longer; set "
        "NUMBA_CACHE_DIR to a folder that can be written."
    )
