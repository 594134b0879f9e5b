"""Writes checkpoints as `torch.save(module.state_dict(), path)` does, without PyTorch."""

import struct
import zipfile
from pathlib import Path

import numpy as np

STORAGES = {"f4": "FloatStorage", "f8": "DoubleStorage", "f2": "HalfStorage", "i8": "LongStorage"}


def write(path: Path, state: dict[str, np.ndarray], *, pickle: bytes | None = None) -> Path:
    """Writes a state; `pickle` replaces the pickle of its names."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled(state) if pickle is None else pickle)
        archive.writestr("archive/byteorder", b"little")
        for number, array in enumerate(state.values()):
            archive.writestr(f"archive/data/{number}", np.ascontiguousarray(array).tobytes())
        archive.writestr("archive/version", b"3\n")
    return path


def pickled(state: dict[str, np.ndarray]) -> bytes:
    """Returns the pickle: OrderedDict of calls of torch._utils._rebuild_tensor_v2."""
    entries = b"".join(
        text(name) + tensor(number, array) for number, (name, array) in enumerate(state.items())
    )
    return b"\x80\x02" + ordered_dict() + b"(" + entries + b"u."


def tensor(key: int, array: np.ndarray, *, shape=None, strides=None, offset: int = 0) -> bytes:
    """Returns the opcodes of one tensor, whose shape and strides may be made up."""
    kind = global_named("torch", STORAGES[array.dtype.str[1:]])
    storage = b"(" + text("storage") + kind + text(str(key)) + text("cpu") + number(array.size)
    shape = array.shape if shape is None else shape
    strides = [s // array.itemsize for s in array.strides] if strides is None else strides
    return (
        global_named("torch._utils", "_rebuild_tensor_v2")
        + (b"(" + storage + b"tQ" + number(offset) + sizes(shape) + sizes(strides))
        + (b"\x89" + ordered_dict() + b"tR")
    )


def global_named(module: str, name: str) -> bytes:
    """Returns the opcode that asks for a function or class by name."""
    return f"c{module}\n{name}\n".encode()


def ordered_dict() -> bytes:
    """Returns the opcodes of an empty OrderedDict."""
    return global_named("collections", "OrderedDict") + b")R"


def sizes(values) -> bytes:
    """Returns the opcodes of a tuple of whole numbers."""
    return b"(" + b"".join(map(number, values)) + b"t"


def number(value: int) -> bytes:
    """Returns the opcode of a whole number."""
    return b"J" + struct.pack("<i", value)


def text(value: str) -> bytes:
    """Returns the opcode of a text."""
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
