"""Writes and reads TensorFlow SavedModels, which run without this package and without Keras."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes import errors, files
from akita_bayes.files import damage, output_directory
from akita_bayes.models import fingerprint, zoo
from akita_bayes.models.build import Network
from akita_bayes.models.protocol import Model
from akita_bayes.models.recalibration import Recalibration
from akita_bayes.models.saved_models import saved_graph
from akita_bayes.origins import provenance, training_regions
from akita_bayes.specs import spec as specs

PARAMS = "params.json"


def export(model: Model, path: str | Path) -> None:
    """Writes a model as a SavedModel directory, atomically; replaces an older SavedModel.

    `tf.saved_model.load(path)` returns a function of one-hot sequences [B, L, 4], float32 or uint8,
    of any B. `loaded(x)` and `loaded.serve(x)` return a tensor for one head, and a dict by head for
    several. The signature `serving_default` takes `sequence` and returns a dict by head. The
    directory holds the spec as `params.json`, and `provenance.json`.

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
        tf.saved_model.save(served, str(temporary), signatures=served.signature)
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

    @property
    def members(self) -> "tuple[Exported, ...]":
        """Returns this model, its own only member."""
        return (self,)

    def digest_parts(self) -> Iterator[bytes]:
        """Yields digests of its graph and variables; other files in the directory do not count."""
        for path in (self.path / "saved_model.pb", *sorted(self.path.glob("variables/*"))):
            yield files.digest(path).encode()

    def __call__(self, x: Any, training: bool = False) -> Any:
        """Returns predictions, or a dict of them by head. [B, L, 4] -> [B, P, T] or [B, N, T]."""
        if training:
            raise errors.RunError(f"{self.path}: a SavedModel cannot be trained; load its run.")
        return self._loaded.serve(x)


class _Served(tf.Module):
    """Holds the inference pass of a network, and the variables that it reads."""

    def __init__(self, model: Network):
        super().__init__()
        # tf.Module saves only variables that it reaches through its own attributes.
        self.kept = [variable.value for variable in model.variables]
        shape = (None, *model.input.shape[1:])

        @tf.function
        def serve(sequence: tf.Tensor) -> Any:
            return model(tf.cast(sequence, tf.float32), training=False)

        @tf.function
        def by_head(sequence: tf.Tensor) -> dict[str, tf.Tensor]:
            y = serve(sequence)
            return y if isinstance(y, dict) else {model.spec.head_names[0]: y}

        for dtype in (tf.float32, tf.uint8):
            serve.get_concrete_function(tf.TensorSpec(shape, dtype, name="sequence"))
        self.serve = self.__call__ = serve
        self.signature = by_head.get_concrete_function(
            tf.TensorSpec(shape, tf.float32, name="sequence")
        )
