"""The long commands on small inputs, each with what two runs of it must have in common."""

import json
import shutil
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pandas as pd

from akita_bayes.data import genome
from akita_bayes.models import build, fingerprint, weights, zoo
from tests import coolers, tiny
from tests.outputs import contents

MECHANISM = {
    "kind": "thermodynamic",
    "name": "toy",
    "sequence_length": 4,
    "wild_type": "ACGT",
    "energies": {"a": {"site": [0, 4]}},
    "states": {"off": {}, "on": {"energies": ["a"], "activity": 1}},
    "measurement": {"kind": "bins", "hidden": 4},
    "truth": {"a": {"constant": 0.0}},
}


class Command(NamedTuple):
    """A command line without -o.

    Attributes:
        line: Words, relative to the folder of the inputs.
        again: Options with which a stopped run is started again.
        omitted: Patterns of files with dates or with the order of threads in them.
    """

    line: str
    again: str = ""
    omitted: tuple[str, ...] = ()


_OF_MPRA = ("*.png",)
COMMANDS = {
    "data": Command(
        "akita_data world/genome.fa world/targets.txt -l 3200 -v 0.1 -t 0.1 --as_obsexp",
        "--restart",
    ),
    "train": Command(
        "akita_train params.json data --devices cpu --epochs 3 --checkpoint_steps 1 "
        "--no_tensorboard",
        "--resume",
        ("checkpoint/*",),
    ),
    "distill": Command(
        "akita_distill params.json data --teacher run,second --devices cpu --epochs 2 --mutated 1 "
        "--checkpoint_steps 1 --no_tensorboard",
        "--resume",
        ("checkpoint/*",),
    ),
    "test": Command("akita_test params.json run data --save"),
    "predict": Command("akita_predict params.json run regions.bed -f genome.fa --cool"),
    "scd": Command("akita_scd params.json run variants.vcf -f genome.fa --null 2 -m 2"),
    "sat": Command("akita_sat params.json run bases.bed -f genome.fa"),
    "calibrate": Command("akita_calibrate run data --draws 2"),
    "export": Command(
        "akita_export params.json run", "", ("saved_model.pb", "fingerprint.pb", "variables/*")
    ),
    "simulate": Command("akita_simulate --preset tiny -p 1 --genome_mb 0.2 --no_coolers"),
    "mpra_simulate": Command("mpra_simulate toy.json --sequences 200"),
    "mpra_fit": Command("mpra_fit toy.json assay.csv", "", _OF_MPRA),
    "mpra_compare": Command("mpra_compare toy.json assay.csv", "", _OF_MPRA),
    "mpra_posterior": Command(
        "mpra_posterior toy.json assay.csv --burn_in 20 --most_draws 50 --bootstrap 2 --chains 2",
        "",
        _OF_MPRA,
    ),
}


def write_inputs(folder):
    """Writes the inputs of all commands into a folder."""
    (folder / "params.json").write_text(json.dumps(tiny.spec_json()))
    for name in ("second", "run"):
        (folder / name).mkdir()
        model = build.build(zoo.parse_spec(tiny.spec_json()))
        model.save(folder / name / "model_best.keras")
        shutil.copy(folder / "params.json", folder / name)
    weights.save_weights(model, folder / "model.h5", format="basenji")
    tiny.write_data(folder / "data", train=8, valid=4, test=4)
    letters = "".join(np.random.default_rng(0).choice(list("ACGT"), 4000))
    genome.write_fasta(folder / "genome.fa", {"chr1": letters})
    genome.Genome(folder / "genome.fa").__exit__(None, None, None)  # writes the index
    changed = {"A": "C", "C": "G", "G": "T", "T": "A"}
    lines = [
        f"chr1\t{at}\t.\t{letters[at - 1]}\t{changed[letters[at - 1]]}\t.\t.\t."
        for at in range(500, 3500, 20)
    ]
    header = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    (folder / "variants.vcf").write_text(header + "\n".join(lines) + "\n")
    (folder / "regions.bed").write_text("chr1\t300\t3300\n")
    (folder / "bases.bed").write_text("chr1\t500\t510\nchr1\t900\t910\n")
    (folder / "world").mkdir()
    coolers.world(folder / "world")
    (folder / "toy.json").write_text(json.dumps(MECHANISM))
    random = np.random.default_rng(3)
    rows = {"".join(random.choice(list("ACGT"), 4)) for _ in range(60)}
    counts = [f"{row},{random.poisson(9)},{random.poisson(5)}\n" for row in sorted(rows)]
    (folder / "assay.csv").write_text("sequence,ct_0,ct_1\n" + "".join(counts))


def results(command, out):
    """What a directory of results must have in common with that of an uninterrupted run."""
    compared = {
        name: content
        for name, content in contents(out).items()
        if not any(fnmatch(name, pattern) for pattern in command.omitted)
    }
    compared |= {
        name: timeless(out / name) for name in compared if Path(name).suffix in (".json", ".tsv")
    }
    # The archive holds times; its weights count.
    compared |= {
        name: fingerprint.fingerprint(out / name) for name in compared if name[-6:] == ".keras"
    }
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    return {**compared, "": sorted(name for name in names if not name.startswith("checkpoint/"))}


def timeless(path):
    """Content of a JSON file or a table without the wall times in it."""
    if path.suffix == ".tsv":
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        return table.drop(columns="seconds", errors="ignore").to_csv(sep="\t")

    def without_seconds(pairs):
        return {key: value for key, value in pairs if key != "seconds"}

    return json.loads(path.read_text(), object_pairs_hook=without_seconds)


def damaged(out):
    """Files under a final name that cannot be read, after a command was killed."""
    wrong = []
    for path in (path for path in Path(out).rglob("*") if ".partial." not in str(path)):
        try:
            if path.suffix == ".json":
                json.loads(path.read_text())
            elif path.suffix == ".npz":
                with np.load(path) as arrays:
                    [arrays[name] for name in arrays.files]
            elif path.suffix in (".h5", ".cool"):
                with h5py.File(path) as file:
                    len(file)
        except Exception as error:  # whatever a reader of a damaged file raises
            wrong.append(f"{path.name}: {error}")
    return wrong
