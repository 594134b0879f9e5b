"""Loads the ensemble that teaches a student, and refuses one that predicts something else."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.data.preparation import targets
from akita_bayes.data.records import statistics as statistics_
from akita_bayes.models import build, fingerprint, load, network_draws, posterior, shipped
from akita_bayes.models.ensemble import Ensemble
from akita_bayes.origins.training_regions import TrainingRegions


@dataclasses.dataclass(frozen=True)
class Teacher:
    """Predicts mean and spread of sequences: the ensemble of some runs, with all their draws.

    Attributes:
        runs: Run directories.
        model: Ensemble of these runs.
        head: Name of the head that teaches.
        draws: Number of draws: of SWAG or of a posterior layer, dealt to the members in turn.
        seed: Seed of the draws.
    """

    runs: tuple[Path, ...]
    model: Ensemble
    head: str
    draws: int
    seed: int

    def predict(self, x: NDArray[np.uint8]) -> posterior.Posterior:
        """Returns mean and spread of the draws, not recalibrated. [B, L] -> [B, P, T]."""
        return posterior.sample_posterior(
            self.model,
            x,
            draws=self.draws,
            seed=self.seed,
            head=self.head,
            quantiles=(),
            recalibrated=False,
        )

    def noise(self) -> NDArray[np.float32] | None:
        """Returns the observation noise that the members state, or None. [P or 1, T]."""
        return posterior.Sampler(self.model, head=self.head, seed=self.seed).aleatoric_sd()

    def digests(self) -> list[dict[str, str]]:
        """Returns name and SHA-256 of every run; it covers spec, weights and SWAG draws."""
        return [
            {"name": run.name, "sha256": fingerprint.model_digest(member)}
            for run, member in zip(self.runs, self.model.members, strict=True)
        ]

    def training_regions(self) -> TrainingRegions | None:
        """Returns the regions from which at least one member learned; None without a record."""
        recorded = [member.training_regions.get(self.head) for member in self.model.members]
        return TrainingRegions.union([regions for regions in recorded if regions is not None])


def load_teacher(
    sources: Sequence[str | Path],
    data_dir: str | Path,
    *,
    head: str | int | None = None,
    draws: int = 64,
    seed: int = 0,
) -> Teacher:
    """Loads the ensemble of some runs, for a student of the targets of a data directory.

    Args:
        sources: Run directories, or names of shipped models.
        data_dir: Data directory with the windows that the teacher labels.
        head: Head of several.
        draws: Most draws; a posterior with fewer gives each of them once.
        seed: Seed of the draws.

    Raises:
        DataError: The data directory cannot be read.
        RunError: A source is not a run, predicts other targets, bins or windows than the data have,
            or all of them together have one draw, which has no spread.
        SpecError: A run has several heads, and `head` is None, or does not have this one.
    """
    statistics = statistics_.read(data_dir)
    runs = tuple(shipped.model_path(source) for source in sources)
    members: list[build.Network] = []
    names: list[str] = []
    for run in runs:
        member = load.load_model(run)
        if not isinstance(member, build.Network):
            raise errors.RunError(
                f"{run}: is an exported model, which states no spread; give the run directory of "
                "its training."
            )
        members.append(member)
        names.append(member.spec.head(head).name)
        _check_geometry(run, member, names[-1], statistics, Path(data_dir))
        _check_targets(run, names[-1], statistics, Path(data_dir))
    for run, name in zip(runs, names, strict=True):
        if name != names[0]:
            raise errors.RunError(
                f"{run}: its head is called {name}, that of {runs[0]} {names[0]}; choose runs "
                "with heads of one name."
            )
    model = Ensemble(tuple(members))
    useful = network_draws.useful_draws(model, draws, names[0])
    if useful < 2:
        raise errors.RunError(
            f"{', '.join(map(str, runs))}: one draw has no spread that a student could learn; give "
            "several runs, or one with a posterior, such as SWAG, and at least 2 draws."
        )
    return Teacher(runs, model, names[0], useful, seed)


def _check_geometry(
    run: Path,
    member: build.Network,
    head: str,
    statistics: statistics_.Statistics,
    data_dir: Path,
) -> None:
    for difference in member.spec.disagreements(statistics.to_json(), head):
        raise errors.RunError(
            f"{run}: cannot teach a student of {data_dir}: its {difference.key} is "
            f"{difference.of_model}, that of the data {difference.of_data}; give runs that were "
            "trained on targets, bins and windows like these."
        )


def _check_targets(
    run: Path, head: str, statistics: statistics_.Statistics, data_dir: Path
) -> None:
    """Refuses a run whose targets have other identifiers, where both are recorded."""
    recorded = targets.of_head(run, head, statistics.num_targets)
    path = data_dir / targets.FILE_NAME
    if recorded is None or not path.is_file():
        return
    of_run = [label.identifier for label in recorded]
    of_data = [label.identifier for label in targets.labels(path)]
    if of_run != of_data:
        raise errors.RunError(
            f"{run}: cannot teach a student of {data_dir}: its targets are {', '.join(of_run)}, "
            f"those of the data {', '.join(of_data)}; give runs of the same targets in this order."
        )
