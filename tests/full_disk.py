"""A disk that is full after some bytes, by the limit of the system on the size of files."""

import contextlib
import resource


@contextlib.contextmanager
def disk_of(room):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
