"""Compares how a model predicts a simulation with how it predicts the measured maps of its data.

Intervals that are fitted to simulated variants contain the true effect of real ones as often as
they say if the model errs on the simulation as it does on the measured maps. True effects are not
known there, but three numbers of held-out windows show differences, for each target and stratum of
distance:

    slope     change of the measurement per unit of the prediction. Noise of the measurement does
              not change it. Where extrusion reaches less far or stalls less often than in the data,
              the slope is smaller, and so are the effects: intervals would be too narrow.
    spread    standard deviation of the prediction. It is smaller where the model finds fewer or
              weaker sites, as with another motif.
    r         Pearson's correlation, which depends on noise; reported and not judged.

`benchmarks.simulation_transfer` tries simulations with one wrong assumption each.
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

RATIO = 1.15
"""Largest ratio of a number on the simulation to that on the data, or of the data to it.

Of the geometric mean over targets, in every stratum. Two simulations of the very design of the data
reached 1.06 and 1.15.
"""

STRATA = 4
_LEAST_RATIO = 1e-6


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
        causes = {
            "slope": "measured maps change {:.2f} times as much per unit of the prediction as in "
            "the data ({}): extrusion or the motif differs; change `physics.processivity`, "
            "`physics.stall` or `physics.site`",
            "spread": "predictions vary {:.2f} times as much as on the data ({}): the motif, the "
            "occupancy or the density of sites differs; change `physics.site`, "
            "`physics.midpoint` or `landscape`",
        }
        sentences = []
        for name, ratios in self.ratios().items():
            ratio, stratum = worst(ratios)
            if not 1 / RATIO <= ratio <= RATIO:
                sentences.append(causes[name].format(ratio, self.strata[stratum]))
        return sentences

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


def worst(ratios: NDArray[np.float64]) -> tuple[float, int]:
    """Returns the geometric mean over targets that differs most from 1, and its stratum. [T, D]."""
    logarithms = np.log(np.maximum(ratios, _LEAST_RATIO))  # a slope can be 0 or less
    by_stratum = np.exp(np.mean(logarithms, axis=0))
    stratum = int(np.abs(np.log(by_stratum)).argmax())
    return float(by_stratum[stratum]), stratum


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
