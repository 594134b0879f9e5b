"""Writes and reads TensorFlow SavedModels, which run without this package and without Keras."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes import dna, errors, files
from akita_bayes.files import damage, output_directory
from akita_bayes.models import fingerprint, zoo
from akita_bayes.models.build import Network
from akita_bayes.models.passes import inference
from akita_bayes.models.protocol import Model
from akita_bayes.models.recalibration import Recalibration
from akita_bayes.models.saved_models import saved_graph
from akita_bayes.origins import provenance, training_regions
from akita_bayes.specs import spec as specs

PARAMS = "params.json"

INDEX_SIGNATURE = "serving_index"
"""Signature of a SavedModel that takes uint8 indices."""


def export(model: Model, path: str | Path) -> None:
    """Writes a model as a SavedModel directory, atomically; replaces an older SavedModel.

    `tf.saved_model.load(path)` returns a function of any number B of sequences: one-hot rows
    [B, L, 4], float32 or uint8, or uint8 indices [B, L], 0..3 for A, C, G and T and 4 for N.
    `loaded(x)` and `loaded.serve(x)` return a tensor for one head, and a dict by head for several.
    The signatures `serving_default` (float32 rows) and `serving_index` (uint8 indices) take
    `sequence` and return a dict by head. They compute the inference pass in float32. The directory
    holds the spec as `params.json`, and `provenance.json`.

    Args:
        model: Network from `build` or `load_model`, or a SavedModel from `load_model`.
        path: Name of the directory.

    Raises:
        RunError: The model is not a network, `path` holds something else than a SavedModel, or
            another process writes to it.
    """
    path = Path(path)
    if not isinstance(model, Exported | Network):
        raise errors.RunError(f"export: a network can be exported, not {type(model).__name__}.")
    with (
        output_directory.claim(path, kind="saved_model", content="own"),
        files.atomic(path, directory=True) as temporary,
    ):
        if isinstance(model, Exported):
            ignored = shutil.ignore_patterns(f"{output_directory.LOCK}*")
            shutil.copytree(model.path, temporary, dirs_exist_ok=True, ignore=ignored)
            return
        served = _Served(model)
        tf.saved_model.save(served, str(temporary), signatures=served.signatures())
        (temporary / PARAMS).write_text(specs.dumps(model.spec), encoding="utf-8")
        training_regions.write(temporary, model.training_regions)
        record = provenance.record(inputs=fingerprint.described(model))
        provenance.write(temporary, record | saved_graph.record(temporary))


def is_exported(path: Path) -> bool:
    """Returns True for a directory that holds a SavedModel."""
    return (path / "saved_model.pb").is_file()


class Exported:
    """Runs a SavedModel in `predict`; it has neither layers nor gradients.

    Attributes:
        path: The directory.
        spec: Spec of the model.
        recalibrations: Empty.
        swag_draws: None.
        training_regions: Head -> regions from which it learned; empty where they are not recorded.

    Args:
        path: The directory.
        trust: True to open a SavedModel that another program may have written, and that may read
            and write files.

    Raises:
        RunError: The directory is damaged or incomplete, or needs trust.
    """

    def __init__(self, path: str | Path, *, trust: bool = False):
        self.path = Path(path)
        if not (self.path / PARAMS).is_file():
            raise errors.RunError(f"{path}: has no {PARAMS}; export it with akita_export.py.")
        if not trust:
            saved_graph.check(self.path)
        self.spec = zoo.load_network(self.path / PARAMS)
        self.recalibrations: Mapping[str, Recalibration] = {}
        self.swag_draws: NDArray[np.float32] | None = None
        self.training_regions: Mapping[str, training_regions.TrainingRegions] = (
            training_regions.read(self.path)
        )
        advice = "copy it again, or export the model again"
        with damage.explained(self.path, "a SavedModel", advice, error=errors.RunError):
            self._loaded = tf.saved_model.load(str(self.path))
            if not callable(getattr(self._loaded, "serve", None)):
                raise ValueError("it has no function serve")
        # Exports of 0.1 take one-hot rows only.
        self._reads_index = INDEX_SIGNATURE in getattr(self._loaded, "signatures", ())

    @property
    def members(self) -> "tuple[Exported, ...]":
        """Returns this model, its own only member."""
        return (self,)

    def digest_parts(self) -> Iterator[bytes]:
        """Yields digests of its graph and variables; other files in the directory do not count."""
        for path in (self.path / "saved_model.pb", *sorted(self.path.glob("variables/*"))):
            yield files.digest(path).encode()

    def __call__(self, x: Any, training: bool = False) -> Any:
        """Returns predictions, or a dict of them by head; takes one-hot rows or uint8 indices.

        [B, L, 4] or [B, L] -> [B, P, T] or [B, N, T].
        """
        if training:
            raise errors.RunError(f"{self.path}: a SavedModel cannot be trained; load its run.")
        if x.ndim == 2 and not self._reads_index:
            x = dna.index_to_one_hot(x)
        return self._loaded.serve(x)


class _Served(tf.Module):
    """Holds the inference pass of a network, and the variables that it reads."""

    def __init__(self, model: Network):
        super().__init__()
        # tf.Module saves only variables that it reaches through its own attributes.
        self.kept = [variable.value for variable in model.variables]
        self._heads = model.spec.head_names
        length = int(model.input.shape[1])
        part = inference.InferencePass(inference.forward_network(model, self._heads))
        rows = tf.TensorSpec((None, length, 4), tf.float32, name="sequence")
        index = tf.TensorSpec((None, length), tf.uint8, name="sequence")

        @tf.function(autograph=False)
        def compute(sequence: tf.Tensor) -> dict[str, tf.Tensor]:
            return part.sequences(_checked(sequence))

        # Graphs of the pass take longest to trace. TensorFlow traces a `tf.function` again for each
        # caller and while it saves; it uses these two as they are.
        of_rows, of_index = (compute.get_concrete_function(kind) for kind in (rows, index))

        @tf.function(autograph=False)
        def serve(sequence: tf.Tensor) -> Any:
            if len(sequence.shape) == 3:
                y = of_rows(tf.cast(sequence, tf.float32))
            else:
                y = of_index(sequence)
            return y if len(self._heads) > 1 else y[self._heads[0]]

        byte_rows = tf.TensorSpec(rows.shape, tf.uint8, name="sequence")
        for specification in (rows, byte_rows, index):
            serve.get_concrete_function(specification)
        self.serve = self.__call__ = serve
        self._of_rows, self._of_index = of_rows, of_index

    def signatures(self) -> dict[str, Any]:
        """Returns the signatures by name; each returns a dict by head."""
        return {"serving_default": self._of_rows, INDEX_SIGNATURE: self._of_index}


def _checked(sequence: tf.Tensor) -> tf.Tensor:
    """Checks shape and indices when the graph runs; servers feed a graph without checking them."""
    sequence = tf.ensure_shape(sequence, sequence.shape)
    if len(sequence.shape) == 3:
        return sequence
    message = "sequence: holds an index above 4; give 0..3 for A, C, G and T, and 4 for N."
    valid = tf.reduce_max(sequence) <= tf.constant(dna.UNKNOWN, tf.uint8)
    # (The check of `tf.debugging` would add functions to the graph.)
    check = tf.raw_ops.Assert(condition=valid, data=[message])
    with tf.control_dependencies([check]):
        return tf.identity(sequence)
