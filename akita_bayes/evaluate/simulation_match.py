"""Compares how a model predicts a simulation with how it predicts the measured maps of its data.

Intervals that are fitted to simulated variants contain the true effect of real ones as often as
they say if the model errs on the simulation as it does on the measured maps. Without the true
effects, three numbers of held-out windows show differences, for each target and stratum of distance
(pixels of the same distance have one mean, so distance alone gives 0 in all of them):

    slope     change of the measurement per unit of the prediction; noise of the measurement does
              not change it. It falls where the simulation has other sites than the model learned.
    spread    standard deviation of the prediction. It grows with the density of the sites and with
              their strength.
    r         Pearson's correlation, which noise lowers; reported and not judged.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.data.records import dataset
from akita_bayes.evaluate import strata as strata_
from akita_bayes.models import predict
from akita_bayes.models.protocol import Model
from akita_bayes.numerics.moments import Moments

RATIO = 1.25
"""Largest ratio of a number on the simulation to that on the data, or of the data to it."""

STRATA = 4


class Agreement(NamedTuple):
    """Holds how a model agrees with the measured maps of a split. [T, D] each.

    Attributes:
        slope: Change of the measurement per unit of the prediction.
        spread: Standard deviation of the prediction.
        r: Pearson's correlation.
    """

    slope: NDArray[np.float64]
    spread: NDArray[np.float64]
    r: NDArray[np.float64]


class Match(NamedTuple):
    """Holds the agreement of a model with its data and with a simulation.

    Attributes:
        data: Agreement with the data.
        simulation: Agreement with the simulation.
        strata: Names of the strata of distance. [D].
    """

    data: Agreement
    simulation: Agreement
    strata: list[str]

    def ratios(self) -> dict[str, NDArray[np.float64]]:
        """Returns simulation / data for `slope` and `spread`. [T, D] each."""
        pairs = zip(self.simulation[:2], self.data[:2], strict=True)
        return dict(zip(("slope", "spread"), (a / b for a, b in pairs), strict=True))

    def failures(self) -> list[str]:
        """Returns the assumptions that do not hold, one sentence each."""
        ratios = {name: np.median(values, axis=1) for name, values in self.ratios().items()}
        slope, spread = (float(_farthest(values)) for values in ratios.values())
        failed = []
        if not 1 / RATIO <= slope <= RATIO:
            failed.append(
                f"measured maps change by {slope:.2f} times as much per unit of the prediction as "
                "in the data: the simulation has other sites or another extrusion than the model "
                "learned; change `physics.site`, `physics.midpoint` or `physics.processivity`"
            )
        if not 1 / RATIO <= spread <= RATIO:
            failed.append(
                f"predictions vary {spread:.2f} times as much as on the data: the density or the "
                "strength of sites differs; change `landscape` or `physics.stall`"
            )
        return failed

    def check(self, simulation: str | Path) -> None:
        """Refuses a simulation on which the model errs differently.

        Raises:
            DataError: An assumption does not hold; names it.
        """
        if failed := self.failures():
            raise errors.DataError(
                f"{simulation}: does not match the data, so intervals fitted to it need not hold. "
                f"{'. '.join(text[0].upper() + text[1:] for text in failed)}."
            )


def compare(
    model: Model, data_dir: str | Path, simulation: str | Path, *, split: str = "valid"
) -> Match:
    """Compares a model's predictions of a split of its data with those of a simulation.

    Args:
        model: What `load_model` returns, with one head.
        data_dir: Data directory of measured maps.
        simulation: Folder of `akita_simulate.py`.
        split: Split of both that the model was not trained on.

    Raises:
        DataError: A folder or the split is missing, or its records are damaged.
        SpecError: The model has other windows or targets than a folder.
    """
    head = predict.one_head(model, None)
    geometry = model.spec.geometry(head)
    assert geometry.diagonal_offset is not None
    strata = strata_.log_spaced(geometry.bins, geometry.diagonal_offset, STRATA)
    size = predict.batch_size(model.spec.model.seq_length)
    splits = [dataset.open_split(path, split, batch_size=size) for path in (data_dir, simulation)]
    for opened in splits:
        model.spec.check_statistics(opened.statistics.to_json(), head)
    data, simulated = (_agreement(model, opened, strata) for opened in splits)
    return Match(data, simulated, strata.labels(geometry.bin_width))


def _agreement(model: Model, split: dataset.Split, strata: strata_.Strata) -> Agreement:
    moments: list[Moments] = []
    for batch in split.batches():
        maps = predict.predict(model, batch["sequence"].numpy())
        target, mask = batch["target"].numpy(), batch["mask"].numpy()
        shares = [
            Moments.of(target[:, pixels], maps[:, pixels], mask[:, pixels])
            for pixels in (strata.index == stratum for stratum in range(strata.count))
        ]
        moments = [a.merge(b) for a, b in zip(moments, shares, strict=True)] if moments else shares
    # [6, T] of each stratum -> [6, T, D].
    count, _, _, truth, prediction, product = np.stack([m.values for m in moments], axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Agreement(
            product / prediction, np.sqrt(prediction / count), product / np.sqrt(truth * prediction)
        )


def _farthest(ratios: NDArray[np.float64]) -> np.float64:
    """Returns the ratio that differs most from 1."""
    values: NDArray[np.float64] = ratios.ravel()
    return np.float64(values[np.abs(np.log(values)).argmax()])
