"""Checkpoints of PyTorch: numbers are read, and nothing that a pickle names is run."""

import io
import os
import pickle

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.files import torch_reader
from tests import torch_files

STATE = {
    "conv.weight": np.arange(24, dtype="f4").reshape(2, 3, 4),
    "norm.running_var": np.array([0.5, 2.0], "f8"),
    "norm.num_batches_tracked": np.array(7, "i8"),
    "half": np.array([[1.5]], "f2"),
}


def test_arrays_keep_names_order_types_and_shapes(tmp_path):
    read = torch_reader.read(torch_files.write(tmp_path / "a.pth", STATE))
    assert list(read) == list(STATE)
    for name, array in STATE.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


def test_a_transposed_tensor_is_read_by_its_strides(tmp_path):
    array = np.arange(6, dtype="f4").reshape(2, 3)
    entry = torch_files.text("w") + torch_files.tensor(0, array, shape=(3, 2), strides=(1, 3))
    content = b"\x80\x02" + torch_files.ordered_dict() + b"(" + entry + b"u."
    path = torch_files.write(tmp_path / "a.pth", {"w": array}, pickle=content)
    np.testing.assert_array_equal(torch_reader.read(path)["w"], array.T)


def test_a_file_of_pytorch_itself(repository):
    """`torch.save` of PyTorch wrote it, with the metadata of `state_dict` (see its folder)."""
    read = torch_reader.read(repository / "tests/fixtures/akita_pt/tiny.pth")
    assert read["conv_block_1.conv.weight"].shape == (6, 4, 15)
    assert read["conv_block_1.batch_norm.num_batches_tracked"] == 0


class Hostile:
    """Runs a command of the shell when it is unpickled."""

    def __init__(self, command: str):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("protocol", range(6))
def test_a_hostile_pickle_is_refused_and_not_run(tmp_path, protocol):
    marker = tmp_path / "was_run"
    content = pickle.dumps({"w": Hostile(f"touch {marker}")}, protocol)
    path = torch_files.write(tmp_path / "a.pth", STATE, pickle=content)
    with pytest.raises(errors.DataError, match=r"system, which weights do not need"):
        torch_reader.read(path)
    assert not marker.exists()
    pickle.load(io.BytesIO(content))  # The pickle is what it claims to be.
    assert marker.exists()


@pytest.mark.parametrize(
    "module_and_name",
    [
        ("builtins", "eval"),
        ("torch.serialization", "load"),
        ("collections", "OrderedDict.fromkeys"),
        ("torch._utils", "_rebuild_tensor_v2.__call__"),
        ("akita.model", "SeqNN"),
        ("numpy", "load"),
    ],
)
def test_no_other_name_is_looked_up(tmp_path, module_and_name):
    content = b"\x80\x04" + b"".join(map(torch_files.text, module_and_name)) + b"\x93."
    path = torch_files.write(tmp_path / "a.pth", STATE, pickle=content)
    with pytest.raises(errors.DataError, match="which weights do not need"):
        torch_reader.read(path)


def test_the_reader_s_own_callables_have_no_attributes_to_set(tmp_path):
    """BUILD with two dicts sets attributes; `__code__` of a function could be one of them."""
    target = torch_files.global_named("torch._utils", "_rebuild_tensor_v2")
    slots = b"N}" + torch_files.text("__doc__") + torch_files.text("changed") + b"s\x86b."
    path = torch_files.write(tmp_path / "a.pth", STATE, pickle=b"\x80\x02" + target + slots)
    with pytest.raises(errors.DataError, match="damaged or not a checkpoint"):
        torch_reader.read(path)


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [((5, 5), (5, 1), 0), ((24,), (1,), 1), ((2,), (-1,), 3), ((100,), (0,), 0), ((2, 2), (1,), 0)],
)
def test_a_tensor_beyond_its_storage_is_refused(tmp_path, shape, strides, offset):
    array = STATE["conv.weight"]
    entry = torch_files.text("w") + torch_files.tensor(
        0, array, shape=shape, strides=strides, offset=offset
    )
    content = b"\x80\x02" + torch_files.ordered_dict() + b"(" + entry + b"u."
    path = torch_files.write(tmp_path / "a.pth", {"w": array}, pickle=content)
    with pytest.raises(errors.DataError, match="a tensor of shape"):
        torch_reader.read(path)


def test_damaged_files_and_other_contents_are_refused(tmp_path):
    path = torch_files.write(tmp_path / "a.pth", STATE)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(errors.DataError, match="damaged or not a checkpoint of PyTorch"):
        torch_reader.read(path)
    assert not torch_reader.is_checkpoint(path)
    numbers = torch_files.write(tmp_path / "b.pth", STATE, pickle=pickle.dumps({"lr": 0.1}))
    with pytest.raises(errors.DataError, match="does not hold the weights of a model by name"):
        torch_reader.read(numbers)
