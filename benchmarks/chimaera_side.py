"""The side of Chimaera in `benchmarks.against_chimaera`; imports Chimaera from PYTHONPATH.

It runs in the environment of Chimaera, so it imports nothing of this package. It makes Chimaera's
data from a cooler and a FASTA file, trains the autoencoder of maps and then the encoder of DNA,
keeps the weights that were best on the validation chromosomes, and predicts maps.

Chimaera is used as it is, but for five things that are changed while it runs:

1. It needs one function of TensorFlow, which a module of that name gives here.
2. It puts every batch on a GPU; without one, batches stay where they are.
3. Its regular sample leaves out the last four and a half fragments of each chromosome, most of a
   chromosome of yeast. Here it goes on to the end of the map, and whole chromosomes validate.
4. Training ends when its time is over, of which the autoencoder begins epochs in the first quarter;
   the best weights stay in memory instead of in files.
5. On request, the encoder of DNA computes in bfloat16 and with channels last, three times as fast
   on a processor. Its weights, their updates, and the other parts stay in float32.
"""

import copy
import importlib.machinery
import json
import sys
import time
import types
from pathlib import Path
from typing import Any

import numpy as np

PARTS = ("dna_encoder", "hic_encoder", "hic_decoder")


class OutOfTime(Exception):
    """Ends a training."""


def main(folder: Path) -> None:
    """Trains and predicts as `request.json` in the folder says; writes `maps.npz` and a report."""
    _replace_tensorflow()
    import torch

    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    torch.manual_seed(request["seed"])
    np.random.seed(request["seed"])  # noqa: NPY002  Chimaera draws from this global state.
    torch.set_num_threads(request["threads"])
    if not torch.cuda.is_available():
        torch.Tensor.cuda = lambda self, *_, **__: self
    dataset = _dataset(request, folder)
    arrays = _measured(dataset)
    np.savez_compressed(folder / "measured.npz", **arrays)
    if not request["minutes"]:
        return
    model, history = _train(dataset, request, folder)
    arrays |= _denoised(model, request["test"])
    arrays["predicted"] = _predict(model, request)
    np.savez_compressed(folder / "maps.npz", **arrays)
    report = {
        **history,
        "fragments": {
            "train": len(dataset.train_sample),
            "valid": len(dataset.val_sample),
            "test": len(dataset.test_sample),
        },
        "own_metric": _own_metric(model),
        "parameters": {
            name: sum(parameter.numel() for parameter in getattr(model, name).model.parameters())
            for name in PARTS
        },
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
    }
    (folder / "report.json").write_text(json.dumps(report), encoding="utf-8")


def _replace_tensorflow() -> None:
    """Registers modules that give `to_categorical` for the five letters of DNA alone."""
    for name in ("tensorflow", "tensorflow.keras", "tensorflow.keras.utils"):
        module = types.ModuleType(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None)
        sys.modules[name] = module
    letters = np.eye(5, dtype=np.float32)
    vars(sys.modules["tensorflow.keras.utils"])["to_categorical"] = lambda index: letters[
        np.asarray(index)
    ]


def _dataset(request: dict[str, Any], folder: Path) -> Any:
    """Makes Chimaera's data of all chromosomes that it takes."""
    from chimaera import dataset as theirs
    from chimaera import preprocess

    length = request["fragment_length"]
    path = str(folder / "maps")
    preprocess.preprocess(
        [request["cooler"]], path, length, chroms=request["chromosomes"], rewrite=True
    )

    class Dataset(theirs.Dataset):
        """Samples up to the end of each map, and validates on whole chromosomes."""

        def _make_regular_sample(self, check: str | None = None) -> list[tuple[str, int, int]]:
            sample = []
            for name in self.chromnames:
                if (name in held_out) == (check == "train"):
                    continue
                # A map starts half a fragment behind the start of its chromosome. The training
                # sample is moved by up to a fragment, so its last fragment needs another one.
                end = length // 2 + self.HIC[name].shape[1] * self.resolution
                last = end - length * (2 if check == "train" else 1)
                for start in range(length // 2, last + 1, length):
                    fragment = (name, start - self.offset, start + length + self.offset)
                    columns = self._corresp_map_for_a_dna(*fragment[1:])
                    if self._check_nan(name, *columns):
                        sample.append(fragment)
            return sample

        def _make_samples(self, val_fraction: float = 0.0) -> tuple[Any, Any, Any]:
            rest = self._make_regular_sample("not-train")
            validates = [fragment for fragment in rest if fragment[0] in request["valid"]]
            tests = [fragment for fragment in rest if fragment[0] in request["test"]]
            return self._make_regular_sample("train"), validates, tests

    held_out = {*request["valid"], *request["test"]}
    return Dataset(
        hic_data_path=f"{path}__len={length}",
        genome=request["fasta"],
        test_regions=";".join([*request["valid"], *request["test"]]),
        plot_samples=False,
        show=False,
        **request["dataset"],
    )


def _measured(dataset: Any) -> dict[str, Any]:
    """Returns measured stripes and masks of the held-out chromosomes. [h, columns] each."""
    arrays = {}
    for name in {fragment[0] for fragment in (*dataset.val_sample, *dataset.test_sample)}:
        arrays[f"measured_{name}"] = dataset.HIC[name][..., 0].astype(np.float32)
        arrays[f"interpolated_{name}"] = dataset.MASKS[name][..., 0] > 0
    return arrays


def _train(dataset: Any, request: dict[str, Any], folder: Path) -> tuple[Any, dict[str, Any]]:
    """Trains both parts, and returns the model with the best weights and the history."""
    from chimaera import data_utils, trainer

    class Model(trainer.ModelContainer):
        """Keeps the best weights in memory and ends in time."""

        best: Any = None

        def save(self, update_dna_encoder: bool = False) -> None:
            pass

        def on_epoch_end(
            self, train_history: Any, val_history: Any, epoch: int, use_raw_maps: bool, metric: str
        ) -> None:
            scores = val_history[metric]
            if scores[-1] == max(scores):
                self.best = copy.deepcopy(self.dna_encoder.model.state_dict())
            if time.monotonic() > end:
                raise OutOfTime

        def dna_to_hic(self, x: Any, verbose: int = 0) -> Any:
            # Without this, empty batches follow the last one.
            if isinstance(x, data_utils.DNALoader):
                x = data_utils.DNAPredictGenerator(x, batch_size=self.batch_size)
            return super().dna_to_hic(x, verbose)

    model = Model(data=dataset, saving_dir=str(folder / "weights"), **request["model"])
    if request["bfloat16"]:
        _compute_in_bfloat16(model.dna_encoder.model)
    started, cpu = time.monotonic(), time.process_time()
    end = started + 60 * request["minutes"]
    shifts = request["shifts"]
    epochs = 0
    while epochs < request["autoencoder_epochs"] and time.monotonic() < (3 * started + end) / 4:
        model.train_hic_autoencoder(epochs=1, shifts=shifts)
        epochs += 1
    autoencoder = time.monotonic() - started, time.process_time() - cpu
    try:
        model.train_dna_encoder(epochs=request["dna_epochs"], shifts=shifts)
    except OutOfTime:
        print("the time of the training is over")
    model.dna_encoder.model.load_state_dict(model.best)
    validated = [float(score) for score in model.val_history["pearson"]]
    return model, {
        "autoencoder": {
            "epochs": epochs,
            "seconds": autoencoder[0],
            "cpu_seconds": autoencoder[1],
        },
        "dna_encoder": {
            "passes": len(validated),
            "epochs": len(validated) / shifts,
            "best_pass": int(np.argmax(validated)) + 1,
            "valid_pearson": validated,
            "train_pearson": [float(score) for score in model.train_history["pearson"]],
            "train_loss": [float(score) for score in model.train_history["loss"]],
            "valid_loss": [float(score) for score in model.val_history["loss"]],
            "seconds": time.monotonic() - started - autoencoder[0],
            "cpu_seconds": time.process_time() - cpu - autoencoder[1],
        },
    }


def _compute_in_bfloat16(network: Any) -> None:
    """Lets an encoder of DNA compute in bfloat16, with its convolutions in two dimensions."""
    import torch
    from chimaera import models

    functional = torch.nn.functional

    def convolve(block: Any, x: Any) -> Any:
        if x.dim() == 3:
            x = x.unsqueeze(2).contiguous(memory_format=torch.channels_last)
        layer, norm = block.conv, block.bn
        kernel = layer.weight.unsqueeze(2).contiguous(memory_format=torch.channels_last)
        x = functional.conv2d(
            x,
            kernel,
            layer.bias,
            padding=(0, layer.padding[0]),
            dilation=(1, layer.dilation[0]),
        )
        # Its normalisation never tracks statistics: every batch uses its own, also in prediction.
        x = functional.batch_norm(x, None, None, norm.weight, norm.bias, True, 0.0, norm.eps)
        # The maximum before and after ReLU are the same; it is cheaper after the maximum.
        x = functional.max_pool2d(x, (1, 2)) if block.downsample else x
        return block.dropout(functional.relu(x))

    forward = network.forward

    def mixed(x: Any) -> list[Any]:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return [latent.float() for latent in forward(x)]

    models.ConvBlock.forward = convolve
    network.forward = mixed


def _denoised(model: Any, names: list[str]) -> dict[str, Any]:
    """Returns the test maps after the autoencoder, joined; NaN where none was sampled."""
    dataset = model.data
    model.denoise_samples()
    arrays = {
        name: np.full(dataset.HIC[name].shape[:2], np.nan, np.float32)
        for name in names
        if name in dataset.HIC
    }
    for fragment, table in zip(dataset.test_sample, dataset.y_test_denoised, strict=True):
        start, end = dataset._corresp_map_for_a_dna(*fragment[1:])
        arrays[fragment[0]][:, start:end] = table[..., 0]
    return {f"denoised_{name}": table for name, table in arrays.items()}


def _predict(model: Any, request: dict[str, Any]) -> np.ndarray:
    """Returns maps of the mean of both strands around every centre. [shifts, windows, h, w]."""
    from chimaera import data_utils

    half = model.data.dna_len // 2
    maps = []
    for shift in request["prediction_shifts_bp"]:
        fragments = [
            (name, centre + shift - half, centre + shift + half)
            for name, centre in request["centres"]
        ]
        loader = data_utils.DNALoader(model.data, fragments, edge_policy="empty")
        maps.append(model.predict(loader, strand="both")[..., 0])
    return np.stack(maps).astype(np.float32)


def _own_metric(model: Any) -> dict[str, float]:
    """Returns what `score` computes on its own test fragments, by its defaults for both strands.

    Autoencoded maps are the truth of its default; `raw` takes measured maps with a small blur.
    `pooled` is Pearson's r over all pixels, `by_fragment` its mean over fragments.
    """
    from chimaera import plot_utils, train_utils

    scores: list[float] = []
    compute = train_utils.calculate_metric_numpy

    def recorded(*arguments: Any) -> Any:
        answer = compute(*arguments)
        scores.append(float(np.nanmean(answer[0])))
        return answer

    predictions: dict[tuple[Any, ...], Any] = {}
    predict = model.predict

    def once(loader: Any, strand: str = "both") -> Any:
        key = tuple(loader.regions)
        if key not in predictions:
            predictions[key] = predict(loader, strand=strand)
        return predictions[key].copy()

    model.predict = once
    train_utils.calculate_metric_numpy = recorded
    plot_utils.plot_score_basic = lambda *_: None
    for raw in (False, True):
        for by_fragment in (False, True):
            model.score(distance=None, per_fragment=by_fragment, raw_maps=raw)
    train_utils.calculate_metric_numpy = compute
    model.predict = predict
    # Each call computes the score first and then that of a control.
    names = ("pooled", "by_fragment", "raw_pooled", "raw_by_fragment")
    return dict(zip(names, scores[::2], strict=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
