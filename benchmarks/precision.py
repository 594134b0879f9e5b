"""Error of predictions and scores in bfloat16 against float32.

    python -m benchmarks.precision hg38_window.fa.gz sacCer3.2bit

Maps: Pearson correlation and root mean squared difference, relative to the standard deviation of
the float32 map. Scores: difference of the same variants, SNVs and deletions near the middle of one
window, relative to each score, and as root mean squares over variants and targets.
`scd_one_by_one` is the SCD of maps that are predicted separately in bfloat16, as a plain loop over
alleles would; the scores of the package propagate the change instead. Akita v1 and akita_tiny have
random weights, akita_yeast is the shipped model.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import environment, random_weights, run

RESULT = run.RESULTS / "precision.json"
SCORES = ("SCD", "SSD", "MSE", "PEARSON", "SPEARMAN", "INS4", "DI", "SSIM", "SCC", "EIG")
SNVS, DELETIONS = 10, (1, 20, 400)
MODELS = ("akita_v1", "akita_tiny", "akita_yeast")


def main(argv: Sequence[str] | None = None) -> None:
    """Measures and writes `results/precision.json`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("human", help="a real human sequence of a megabase or more")
    parser.add_argument("yeast", help="the yeast genome")
    parser.add_argument("--only", default=",".join(MODELS), help="models, comma-separated")
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args(argv)
    measurements = {}
    if options.result.is_file():
        measurements = json.loads(options.result.read_text(encoding="utf-8"))["measurements"]
    for name in options.only.split(","):
        fasta = options.yeast if name == "akita_yeast" else options.human
        measurements[name] = measure(name, fasta)
        print(name, json.dumps(measurements[name], indent=1), flush=True)
        run.write(options.result, {**environment.describe(), "measurements": measurements})


def measure(name: str, fasta: str) -> dict[str, Any]:
    """Compares one model in both precisions, on the first sequence of a file."""
    import keras

    import akita_bayes as ab
    from akita_bayes.data import genome

    with genome.Genome(fasta) as opened:
        chrom = next(iter(opened.sizes))
        letters = opened.padded(chrom, 0, opened.sizes[chrom]).upper()
    keras.utils.set_random_seed(0)
    if name in MODELS[:2]:
        model = ab.build(ab.load_spec(run.ROOT / "models" / "json" / f"{name}.json"))
        random_weights.assign(model)
    else:
        model = ab.load_model(name)
    with tempfile.TemporaryDirectory() as folder:
        genome.write_fasta(Path(folder) / "genome.fa", {"chr": letters})
        return {
            "maps": _maps(model, letters),
            **_scores(model, letters, Path(folder)),
        }


def _maps(model: Any, letters: str) -> dict[str, Any]:
    from akita_bayes import dna
    from akita_bayes.models import predict

    length = model.spec.model.seq_length
    starts = np.linspace(0, len(letters) - length, 1 if length > 500_000 else 6).astype(int)
    x = np.stack([dna.to_index(letters[start : start + length]) for start in starts])
    exact, half = (
        predict.predict(model, x, precision=precision) for precision in ("float32", "bfloat16")
    )
    pearson = [
        np.corrcoef(a[:, t], b[:, t])[0, 1]
        for a, b in zip(exact, half, strict=True)
        for t in range(exact.shape[-1])
    ]
    error = np.sqrt(((half - exact) ** 2).mean(1)) / exact.std(1)
    return {
        "windows": len(x),
        "pearson_lowest": float(np.min(pearson)),
        "relative_error_largest": float(error.max()),
    }


def _scores(model: Any, letters: str, folder: Path) -> dict[str, Any]:
    import akita_bayes as ab

    path, middle = folder / "variants.vcf", len(letters) // 2
    lines = ["##fileformat=VCFv4.2", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"]
    span = model.spec.geometry().bin_width * 8
    for position in np.linspace(middle - span, middle + span, SNVS).astype(int):
        ref = letters[position - 1]
        alt = "ACGT"["ACGT".index(ref) - 1] if ref in "ACGT" else "A"
        lines.append(f"chr\t{position}\tsnv\t{ref}\t{alt}\t.\t.\t.")
    for width in DELETIONS:
        ref = letters[middle - 1 : middle + width]
        lines.append(f"chr\t{middle}\tdel{width}\t{ref}\t{ref[0]}\t.\t.\t.")
    path.write_text("\n".join(lines) + "\n")
    tables = {
        precision: ab.score_variants(
            model,
            path,
            fasta=folder / "genome.fa",
            scores=SCORES,
            share_windows=span,
            precision=precision,
        )
        for precision in ("float32", "bfloat16")
    }
    exact, half = tables["float32"], tables["bfloat16"]
    summary: dict[str, Any] = {"variants": len(exact), "scores": {}}
    for score in SCORES:
        columns = [column for column in exact if column.startswith(f"{score}:")]
        a, b = (np.stack([table[column] for column in columns]) for table in (exact, half))
        finite = np.isfinite(a) & np.isfinite(b)  # DI of random maps divides by zero
        a, b = np.where(finite, a, 0), np.where(finite, b, 0)
        relative = np.where(finite, np.abs(b - a) / np.maximum(np.abs(a), 1e-30), np.nan)
        if not finite.any():
            continue
        summary["scores"][score] = {
            "rms_error_by_rms_score": float(np.sqrt(((b - a) ** 2).sum() / (a**2).sum())),
            "relative_error_median": float(np.nanmedian(relative)),
            "relative_error_largest_snv": float(np.nanmax(relative[:, :SNVS])),
            "relative_error_largest_deletion": float(np.nanmax(relative[:, SNVS:])),
        }
    summary["scd_one_by_one"] = _one_by_one(model, letters, span)
    return summary


def _one_by_one(model: Any, letters: str, span: int) -> dict[str, float]:
    """Compares the SCD of SNVs whose two maps are rounded separately."""
    from akita_bayes import dna
    from akita_bayes.models import predict

    length = model.spec.model.seq_length
    ref = dna.to_index(letters[len(letters) // 2 - length // 2 :][:length])
    alts = [ref.copy() for _ in range(3)]
    for number, alt in enumerate(alts):
        position = length // 2 + (number - 1) * span // 2
        alt[position] = (alt[position] + 1) % 4
    scores = []
    for precision in ("float32", "bfloat16"):
        maps = predict.predict(model, np.stack([ref, *alts]), precision=precision)
        scores.append(np.sqrt(((maps[1:] - maps[0]) ** 2).sum(1)))
    error = np.abs(scores[1] - scores[0]) / scores[0]
    return {"largest": float(error.max()), "median": float(np.median(error))}


if __name__ == "__main__":
    main()
