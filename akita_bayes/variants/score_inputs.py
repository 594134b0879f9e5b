"""Records what scores depend on: model, genome, variants and options."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import akita_bayes
from akita_bayes import files
from akita_bayes.models import fingerprint
from akita_bayes.models.protocol import Model
from akita_bayes.origins import provenance as common
from akita_bayes.variants.options import Options


def provenance(
    model: Model | str, fasta: str | Path, options: Options, *, genome_digest: str | None = None
) -> dict[str, Any]:
    """Returns what scores depend on, for the identity of a directory and attributes of outputs.

    Args:
        model: The model, or what `fingerprint.model_digest` returns.
        fasta: The genome.
        options: Settings of the scores.
        genome_digest: SHA-256 of the genome, if it is known; None to compute it.
    """
    origin = {
        "version": akita_bayes.__version__,
        "model_digest": model if isinstance(model, str) else fingerprint.model_digest(model),
        "genome": os.path.basename(fasta),
        "genome_digest": genome_digest or files.digest(fasta),
    }
    settings = dataclasses.asdict(options)
    for name in ("roi", "intervals"):
        if settings[name] is not None:
            settings[f"{name}_digest"] = files.digest(settings[name])
    return {**origin, "options": json.dumps(settings, sort_keys=True)}


def origin_text(
    model: Model,
    fasta: str | Path | Mapping[str, str],
    options: Options,
    **inputs: str | Path | Mapping[str, str] | None,
) -> str:
    """Returns the origin of scores as one line, for headers of files (`origins.provenance`).

    Args:
        model: The model.
        fasta: The genome, or its entry `{"name", "sha256"}`.
        options: Settings of the scores.
        inputs: Further input files by name, or their entries.
    """
    described = fingerprint.described(model)
    further = {"roi": options.roi, "intervals": options.intervals, **inputs}
    return common.text(
        common.origin(
            seeds={"seed": options.seed}, inputs={**described, "genome": fasta, **further}
        )
    )


def identity(origin: dict[str, Any]) -> dict[str, Any]:
    """Returns the provenance as an identity of a directory: the genome counts by its digest."""
    inputs = {name: value for name, value in origin.items() if name != "genome"}
    return inputs | {"options": json.loads(origin["options"])}


def of_variants(
    origin: dict[str, Any], variants_digest: str, region: str | None, null: int
) -> dict[str, Any]:
    """Returns the identity of a directory of scores.

    Args:
        origin: What `provenance` returns.
        variants_digest: SHA-256 of the variant file.
        region: Region of the scored records, as text; None for all.
        null: Random variants per stratum of the background.
    """
    return {
        **identity(origin),
        "variants_digest": variants_digest,
        "region": region,
        "null": null,
    }


def digest_of(value: Any) -> str:
    """Computes the SHA-256 of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
