"""Lists the versions of this package and of the libraries that decide its numbers."""

import importlib.metadata
import platform

import akita_bayes

LIBRARIES = (
    "tensorflow",
    "keras",
    "tensorflow-probability",
    "numpy",
    "scipy",
    "pandas",
    "h5py",
    "pysam",
    "cooler",
    "cooltools",
)


def versions(libraries: tuple[str, ...] = LIBRARIES) -> dict[str, str]:
    """Returns the version of each library by its name, with this package and Python first.

    A library that is not installed has the version "not installed". Nothing is imported.
    """
    return {
        "akita_bayes": akita_bayes.__version__,
        "python": platform.python_version(),
        **{name: _version(name) for name in libraries},
    }


def _version(library: str) -> str:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
