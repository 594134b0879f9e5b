"""Makes `models/pretrained/akita_yeast` from public data: trains, tests, ships, and states numbers.

    python -m benchmarks.yeast_pretrained --data data/yeast -o runs/yeast     # or: make pretrained

Trains seed 0 of fold 0 of `benchmarks.yeast` (11 minutes on two free cores), fits the factors of
its intervals and the novelty of windows, and copies the files that a prediction needs. The numbers
of the card are those of this training. An interrupted training continues when the command is
repeated, and what is finished is not repeated.
"""

import argparse
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from akita_bayes import errors, files
from akita_bayes.data import assembly
from akita_bayes.data import genome as genomes
from akita_bayes.data.records import dataset
from akita_bayes.models.intervals import novelty
from akita_bayes.origins import training_regions
from benchmarks import yeast, yeast_data

MODEL = yeast.ROOT / "models" / "pretrained" / "akita_yeast"
FILES = ("model_best.keras", "params.json", "recalibration.json", "swag.npz", novelty.FILE)
HEAD = "hic"
LARGEST = 3_000_000
"""Most bytes of the model."""

_NUMBERS = re.compile(r"<!-- numbers -->.*?<!-- end of numbers -->", re.S)


def main(argv: Sequence[str] | None = None) -> None:
    """Runs what is missing, and replaces the shipped model."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, default=Path("data") / "yeast")
    parser.add_argument("-o", "--out_dir", type=Path, default=Path("runs/yeast"))
    parser.add_argument("--model", type=Path, default=MODEL, help="folder of the shipped model")
    options = parser.parse_args(argv)
    out = options.out_dir
    yeast.main(["--data", str(options.data), "-o", str(out), "--fold", "0", "--seed", "0"])
    result = files.read_json(yeast.RESULT)
    (row,) = (
        row
        for row in result["rows"]
        if (row["spec"], row["fold"], row["seeds"]) == (yeast.SPEC.stem, 0, [0])
    )
    run = out / f"{yeast.SPEC.stem}_fold0_seed0"
    sources = yeast_data.Sources.under(options.data)
    data = yeast_data.make(sources, 0, out)
    if not (run / novelty.FILE).is_file():
        measure_novelty(run, data)
    learned = learned_regions(data, sources.genome)
    ship(run, options.model, numbers(row, result["ceilings"]["0"]), learned)
    print(f"wrote {options.model}")


def measure_novelty(run: Path, data: Path) -> None:
    """Stores the statistics of the training windows in a run, as `akita_calibrate.py` does."""
    from akita_bayes.evaluate import novelty_statistics
    from akita_bayes.models import build, fingerprint, load, recalibration

    model = load.load_model(run)
    assert isinstance(model, build.Network)  # a run directory, and not an exported graph
    statistics = novelty_statistics.of_data(model, data, held_out_split="valid")
    novelty.save(run, statistics, fingerprint.fingerprint(run / recalibration.WEIGHTS))


def learned_regions(data: Path, genome: Path) -> training_regions.TrainingRegions:
    """Returns the training windows of a data directory as regions of the whole genome.

    The training read chromosomes that were cut to the lengths of the map (`yeast_data`). Users
    have whole chromosomes, and those lengths recognise their genome.
    """
    windows = dataset.open_split(data, "train", batch_size=1).regions()
    with genomes.Genome(genome) as opened:
        sizes = opened.sizes
    names = assembly.of(sizes).names((window.chrom for window in windows), str(data))
    windows = [window._replace(chrom=names[window.chrom]) for window in windows]
    return training_regions.TrainingRegions.of(windows, genome=genome.name, sizes=sizes)


def ship(run: Path, model: Path, sentences: str, learned: training_regions.TrainingRegions) -> None:
    """Copies a run to the folder of the shipped model, all files or none, and writes its card.

    Args:
        run: The run directory.
        model: The folder, which has a card with a place for numbers.
        sentences: The numbers of the card.
        learned: Regions on which the run was trained.

    Raises:
        RunError: The run lacks a file, or the model would have more than 3 MB.
    """
    missing = [name for name in FILES if not (run / name).is_file()]
    if missing:
        raise errors.RunError(f"{run}: has no {', '.join(missing)}; train it again.")
    card = (model / "README.md").read_text(encoding="utf-8")
    with files.atomic(model, directory=True) as temporary:
        for name in FILES:
            shutil.copyfile(run / name, temporary / name)
        files.write_json(temporary / "provenance.json", provenance(run))
        training_regions.write(temporary, {HEAD: learned})
        text = _NUMBERS.sub(f"<!-- numbers -->\n{sentences}\n<!-- end of numbers -->", card)
        (temporary / "README.md").write_text(text, encoding="utf-8")
        size = sum(path.stat().st_size for path in temporary.iterdir())
        if size > LARGEST:
            raise errors.RunError(f"{run}: has {size:,} bytes; expected at most {LARGEST:,}.")


def provenance(run: Path) -> dict[str, Any]:
    """Returns the record of a run without folders of this machine."""
    record = files.read_json(run / "provenance.json")
    data = [{key: entry[key] for key in ("head", "targets")} for entry in record["data"]]
    return {"akita_bayes": record["akita_bayes"], "versions": record["versions"], "data": data}


def numbers(row: Mapping[str, Any], limits: Mapping[str, Any]) -> str:
    """Returns the sentences of the card about accuracy."""
    low, high = row["pearsonr_95%"]
    strata = dict(zip(row["strata"], row["by_distance"], strict=True))
    first, last = next(iter(strata)), list(strata)[-1]
    windows = sorted(row["by_window"].values())
    stated = row["calibration"]["recalibrated"]
    names = ", ".join(yeast_data.FOLDS[0])
    return (
        f"On {row['windows']} windows of the test chromosomes ({names}): Pearson "
        f"{row['pearsonr']:.3f} ({low:.2f} to {high:.2f}), Spearman {row['spearmanr']:.3f}, MSE "
        f"{row['mse']:.4f};\nPearson of insulation {row['insulation']:.3f}. The measurement itself "
        f"allows {limits['test']['ceiling']:.3f} (split halves), the mean at each distance reaches "
        f"{row['distance_only']['pearsonr']:.3f},\na ridge regression on 4-mers "
        f"{limits['ridge']['map_r']:.3f}. By window, the median correlation is "
        f"{windows[len(windows) // 2]:.2f}; some windows are not predicted at all (lowest "
        f"{windows[0]:.2f}).\nPearson by distance falls from {strata[first]:.2f} ({first}) to "
        f"{strata[last]:.2f} ({last}). 90 % intervals cover {100 * stated['coverage_90%']:.0f} % "
        f"of measured pixels, 50 % intervals {100 * stated['coverage_50%']:.0f} %."
    )


if __name__ == "__main__":
    main()
