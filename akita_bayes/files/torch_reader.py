"""Reads the tensors of a PyTorch checkpoint without PyTorch, and without running its pickle.

`torch.save` writes a ZIP archive: `NAME/data.pkl` is a pickle of the state, and `NAME/data/KEY`
holds the bytes of each storage. A pickle names functions that its reader calls. This reader knows
three of them, has its own versions of these, and refuses every other name before it is imported.
"""

import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.files import damage

_LARGEST_PICKLE = 16 << 20  # bytes; that of 1.5 million parameters in 400 tensors has 50 kB
_STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}

_KIND = "a checkpoint of PyTorch"
_ADVICE = "download it again"


class _Storage(NamedTuple):
    """Describes a type of storage."""

    dtype: str


# A pickle may also set attributes of what it names: these callables have none.


class _Tensor:
    """Makes the array of a tensor, a view of its storage."""

    __slots__ = ()

    def __call__(
        self, storage: NDArray[Any], offset: int, shape: Any, strides: Any, *_: Any
    ) -> NDArray[Any]:
        shape, strides = tuple(map(int, shape)), tuple(map(int, strides))
        if len(shape) != len(strides) or min((offset, *shape, *strides)) < 0:
            raise ValueError(f"a tensor of shape {shape} and strides {strides}")
        last = offset + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
        if 0 not in shape and (last >= len(storage) or math.prod(shape) > len(storage)):
            raise ValueError(f"a tensor of shape {shape} in a storage of {len(storage):,} numbers")
        # NumPy counts strides in bytes, PyTorch in numbers.
        steps = [step * storage.itemsize for step in strides]
        return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps, writeable=False)


class _Parameter:
    """Makes the array of a parameter, that of its tensor."""

    __slots__ = ()

    def __call__(self, data: NDArray[Any], *_: Any) -> NDArray[Any]:
        return data


def is_checkpoint(path: str | Path) -> bool:
    """Returns True for an archive that `torch.save` wrote."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return _pickle_name(archive) is not None


def read(
    path: str | Path, *, error: type[errors.AkitaBayesError] = errors.DataError
) -> dict[str, NDArray[Any]]:
    """Reads the state of a module: names and arrays, in the order of the file.

    Args:
        path: What `torch.save(model.state_dict(), path)` wrote, since PyTorch 1.6. A dict that
            holds it under `state_dict` or `model_state_dict` is read too.
        error: Class of the errors.

    Raises:
        AkitaBayesError: The file is damaged, is not such a checkpoint, or names a function or a
            class that a state does not need, as a whole model does.
    """
    path = Path(path)
    with damage.explained(path, _KIND, _ADVICE, error=error), zipfile.ZipFile(path) as archive:
        damage.check_archive(archive, path)
        name = _pickle_name(archive)
        if name is None:
            raise ValueError("it has no data.pkl")
        folder = name.removesuffix("data.pkl")
        if _byte_order(archive, folder) != b"little":
            raise ValueError("its numbers are big-endian")
        if archive.getinfo(name).file_size > _LARGEST_PICKLE:
            raise ValueError(f"its data.pkl has more than {_LARGEST_PICKLE:,} bytes")
        with archive.open(name) as content:
            state = _Reader(content, archive, folder, path, error).load()
    return _arrays(state, path, error)


class _Reader(pickle.Unpickler):
    """Unpickles tensors as arrays; every name that a state does not need is an error."""

    def __init__(
        self,
        content: IO[bytes],
        archive: zipfile.ZipFile,
        folder: str,
        path: Path,
        error: type[errors.AkitaBayesError],
    ):
        super().__init__(content)
        self._archive, self._folder = archive, folder
        self._path, self._error = path, error
        self._contents: dict[str, bytes] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Returns this reader's version of a name; called instead of an import."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor()
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _Parameter()
        if module == "torch" and name in _STORAGES:
            return _Storage(_STORAGES[name])
        raise self._error(
            f"{self._path}: names {module}.{name}, which weights do not need; it would run in "
            "PyTorch, and is not run here. Save the weights alone, by "
            "torch.save(model.state_dict(), path)."
        )

    def persistent_load(self, pid: Any) -> NDArray[Any]:
        """Returns the numbers of a storage: ('storage', type, key, device, length)."""
        _, storage, key, _, length = pid
        dtype = np.dtype(storage.dtype)
        member = self._archive.getinfo(f"{self._folder}data/{key}")
        if member.file_size != length * dtype.itemsize:
            raise ValueError(f"storage {key} has {member.file_size:,} bytes for {length:,} numbers")
        if member.filename not in self._contents:
            self._contents[member.filename] = self._archive.read(member)
        return np.frombuffer(self._contents[member.filename], dtype)


def _arrays(state: Any, path: Path, error: type[errors.AkitaBayesError]) -> dict[str, NDArray[Any]]:
    """Returns the state without what is not an array of numbers."""
    for key in ("state_dict", "model_state_dict"):
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    if not isinstance(state, Mapping) or not all(
        isinstance(name, str) and isinstance(array, np.ndarray) for name, array in state.items()
    ):
        raise error(
            f"{path}: does not hold the weights of a model by name; save them by "
            "torch.save(model.state_dict(), path)."
        )
    return dict(state)


def _pickle_name(archive: zipfile.ZipFile) -> str | None:
    """Returns the name of the pickle, in the only folder at the root of the archive."""
    names = [
        name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")
    ]
    return names[0] if len(names) == 1 else None


def _byte_order(archive: zipfile.ZipFile, folder: str) -> bytes:
    """Returns the byte order; archives before PyTorch 2.1 do not state it."""
    name = f"{folder}byteorder"
    if name not in archive.namelist():
        return b"little"
    with archive.open(name) as content:
        return content.read(16)
