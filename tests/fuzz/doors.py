"""The files that the package reads, each with the call that reads it.

`python -m tests.fuzz.doors 2000 [door ...]` reads 2,000 damaged files at each door, in processes
of their own, and prints what went wrong.
"""

import collections
import json
import logging
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pysam

from akita_bayes import errors, regions
from akita_bayes.data import assembly, genome
from akita_bayes.data.contacts import contact_file, contact_formats
from akita_bayes.data.preparation import targets
from akita_bayes.data.records import statistics, tfrecord
from akita_bayes.files import output_directory
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.models import build, export, load, recalibration, swag, weights, zoo
from akita_bayes.regulation.assay import assay_files
from akita_bayes.training.run_files import checkpoint
from akita_bayes.variants import genes
from akita_bayes.variants.alleles import records
from akita_bayes.variants.saturation import scan_files
from akita_bayes.variants.saturation.region_scan import Scan
from akita_bayes.variants.scores import background, score_table
from tests import coolers, mechanism_json, tiny
from tests.fuzz import mutations

STUCK = 60  # seconds without progress after which a process is killed
LETTERS = "".join(np.random.default_rng(0).choice(list("ACGT"), 1000))


class Door(NamedTuple):
    """Reads one kind of file.

    Attributes:
        file: Path of the file that is damaged, in the folder of `sources`.
        read: Reads it; called with its path.
    """

    file: str
    read: Callable[[Path], Any]


def sources(folder):
    """Writes an undamaged file for every door."""
    spec = tiny.spec_json()
    (folder / "params.json").write_text(json.dumps(spec))
    network = build.build(zoo.parse_spec(spec))
    run = folder / "run"
    run.mkdir()
    network.save(run / recalibration.WEIGHTS)
    shutil.copy(run / recalibration.WEIGHTS, folder / "model.keras")
    weights.save_weights(network, folder / "keras2.h5", format="basenji")
    weights.save_weights(network, folder / "keras3.weights.h5")
    export.export(network, folder / "saved")
    random = np.random.default_rng(1)
    gaussian = swag.Swag(*(random.random(shape, np.float32) for shape in (9, 9, (3, 9))))
    swag.save(folder / "swag.npz", gaussian, random.random((4, 12), np.float32))
    arrays = {"weights": [random.random((2, 3)), random.random(4)]}
    checkpoint.write(folder, checkpoint.Checkpoint(arrays, {"epoch": 3, "rows": [{"loss": 1.0}]}))
    fitted = recalibration.Recalibration((2, 5, 9), ((1.0, 2.0),) * 2, ((1.0, 2.0),) * 2, None, 2)
    recalibration.save([run], "hic", fitted)
    tiny.write_data(folder / "data", train=3, valid=1, test=1)
    genome.write_fasta(folder / "genome.fa", {"chr1": LETTERS, "chr2": LETTERS[::-1]})
    (folder / "regions.bed").write_text("chr1\t20\t120\tgene\t0\t+\nchr2\t200\t260\tb\t1\t-\n")
    (folder / "genes.gtf").write_text('chr1\tx\tgene\t21\t90\t.\t+\t.\tgene_name "A";\n')
    pysam.tabix_compress(str(folder / "genes.gtf"), str(folder / "genes.gtf.gz"))
    rows = [f"chr1\t{at}\tv{at}\t{LETTERS[at - 1]}\t<DEL>\t.\t.\tEND={at + 9}" for at in (90, 170)]
    header = "##fileformat=VCFv4.2\n##contig=<ID=chr1>\n"
    header += '##ALT=<ID=DEL,Description="x">\n##INFO=<ID=END,Number=1,Type=Integer,Description="">'
    header += "\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    (folder / "variants.vcf").write_text(header + "\n".join(rows) + "\n")
    pysam.tabix_compress(str(folder / "variants.vcf"), str(folder / "variants.vcf.gz"))
    with (
        pysam.VariantFile(str(folder / "variants.vcf")) as plain,
        pysam.VariantFile(str(folder / "variants.bcf"), "wb", header=plain.header) as binary,
    ):
        for record in plain:
            binary.write(record)
    with genome.Genome(folder / "genome.fa") as opened:
        variants = list(records.read(folder / "variants.vcf", opened))
    count = len(variants)
    values = {"SCD": random.random((count, 2), np.float32)}
    spread = {("SCD", "sd"): random.random((count, 2), np.float32)}
    pixels = np.ones((count, 3), np.int64)
    window = [("chr1", 0, 256)] * count
    scored = score_table.Scored(variants, [""] * count, pixels, window, values, spread, {})
    score_table.save(folder / "000000.h5", scored, "identity")
    region = regions.Region("chr1", 100, 110)
    scores = {"SCD": random.random((10, 4, 2), np.float32)}
    scan = Scan(region, LETTERS[100:110], "ism", (0, 1), np.arange(10), 20, scores, {}, "")
    scan_files.save(folder / "scan.h5", scan, "identity")
    null = background.StoredNull(5, {"SCD": random.random((5, 2), np.float32)})
    background.add(folder / "null.h5", "identity", background.Stratum("DEL", 8, 0, 4), null)
    with output_directory.claim(folder / "scores", kind="scores", identity={"draws": 4}):
        (folder / "scores" / "scd.h5").write_bytes(b"")
    (folder / "world").mkdir()
    coolers.world(folder / "world")
    (folder / "mechanism.json").write_text(json.dumps(mechanism_json.TWO_SITES))
    (folder / "assay.tsv").write_text(
        "sequence\tct_0\tct_1\n" + "".join(f"{LETTERS[i : i + 20]}\t{i}\t9\n" for i in range(40))
    )


def _load_pair(path):
    return load.load_model((path.parent / "params.json", path))


def _load_saved(path):
    return load.load_model(path.parents[1])


def _fasta(path):
    with genome.Genome(path.parent / "genome.fa") as opened:
        return [opened.fetch(regions.Region(chrom, 0, 50)) for chrom in list(opened.sizes)[:3]]


def _variants(path):
    with genome.Genome(path.parent / "genome.fa") as opened:
        return list(records.read(path, opened))


def _records(path):
    return list(tfrecord.read_records(path, statistics.read(path.parent.parent)))


def _claim(path):
    with output_directory.claim(path.parent, kind="scores", identity={"draws": 4}):
        return path


def _recalibrations(path):
    loaded = recalibration.load([path.parent], ["hic"])
    return [factors.factors(tiny.PIXELS) for factors in loaded.values()]


def _cooler(path):
    with genome.Genome(path.parent / "genome.fa") as opened:
        contacts = contact_formats.open_contacts(
            contact_file.Source(contact_formats.locate(str(path))), assembly.of(opened.sizes)
        )
    contacts.inspect()
    region = regions.Region("chr1", 0, 8000)
    return contacts.counts(region), contacts.weights(region)


DOORS = {
    "cooler": Door("world/a.cool", _cooler),
    "target_table": Door("world/targets.txt", targets.read),
    "keras2": Door("keras2.h5", _load_pair),
    "keras3": Door("keras3.weights.h5", _load_pair),
    "keras": Door("model.keras", load.load_model),
    "savedmodel": Door("saved/saved_model.pb", lambda path: load.load_model(path.parent)),
    "savedmodel_weights": Door("saved/variables/variables.data-00000-of-00001", _load_saved),
    "savedmodel_index": Door("saved/variables/variables.index", _load_saved),
    "swag": Door("swag.npz", swag.load),
    "checkpoint": Door("checkpoint/state.npz", lambda path: checkpoint.read(path.parents[1])),
    "recalibration": Door("run/recalibration.json", _recalibrations),
    "score_part": Door("000000.h5", lambda path: score_table.load(path, "identity")),
    "scan_part": Door("scan.h5", lambda path: scan_files.load(path, "identity")),
    "scan_identity": Door("scan.h5", scan_files.identity),
    "background": Door("null.h5", lambda path: background._load(path)),
    "inputs": Door("scores/inputs.json", _claim),
    "statistics": Door("data/statistics.json", lambda path: statistics.read(path.parent)),
    "targets": Door("data/targets.txt", targets.labels),
    "tfrecord": Door("data/tfrecords/train-0.tfr", _records),
    "params": Door("params.json", zoo.load_network),
    "mechanism": Door("mechanism.json", mechanism_spec.load),
    "assay": Door("assay.tsv", assay_files.read),
    "bed": Door("regions.bed", lambda path: list(regions.read_bed(path))),
    "genes": Door("genes.gtf", genes.read),
    "genes_gz": Door("genes.gtf.gz", genes.read),
    "fasta": Door("genome.fa", _fasta),
    "fai": Door("genome.fa.fai", _fasta),
    "vcf": Door("variants.vcf", _variants),
    "vcf_gz": Door("variants.vcf.gz", _variants),
    "bcf": Door("variants.bcf", _variants),
}


def attempt(door, path, content, seed):
    """Reads one damaged file; returns "read", "refused", or the unexpected error and its place."""
    index = path.with_name("genome.fa.fai")
    damaged = mutations.mutant(content, seed)
    path.write_bytes(damaged)
    if door == "fasta":
        index.unlink(missing_ok=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            DOORS[door].read(path)
    except errors.AkitaBayesError:
        return "refused"
    except Exception as error:  # what a reader must never raise; the caller reports it
        places = [
            place
            for place in traceback.extract_tb(error.__traceback__)
            if "akita_bayes" in place.filename
        ]
        where = f"{Path(places[-1].filename).name}:{places[-1].lineno}" if places else "a library"
        return f"{type(error).__name__} in {where}: {error!s:.90}"
    return "read"


def fuzz(door, folder, seeds, notes=None):
    """Reads damaged files at a door; returns how often each outcome occurred."""
    logging.disable(logging.WARNING)
    path = folder / DOORS[door].file
    content = path.read_bytes()
    outcomes = collections.Counter()
    try:
        for seed in seeds:
            if notes is not None:
                notes.write_text(str(seed))
            start = time.monotonic()
            outcome = attempt(door, path, content, seed)
            outcomes[outcome if time.monotonic() - start < 20 else f"slow: {outcome}"] += 1
    finally:
        path.write_bytes(content)
        logging.disable(logging.NOTSET)
    return outcomes


def _child(door, folder, seeds, notes, queue):
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (12 << 30, resource.RLIM_INFINITY))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    queue.put(fuzz(door, folder, seeds, notes))


def _join(process, notes):
    """Waits for a process, and kills it when one file takes it longer than a minute."""
    last = None
    while process.is_alive():
        process.join(STUCK)
        current = notes.read_text() if notes.exists() else None
        if process.is_alive() and current is not None and current == last:
            process.kill()
            process.join()
        last = current


def main(words):
    """Reads many damaged files at each door, also past crashes of libraries."""
    count, doors = int(words[0]), words[1:] or list(DOORS)
    context = multiprocessing.get_context("spawn")
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources(folder)
        for door in doors:
            outcomes, seed, notes = collections.Counter(), 0, folder / "seed"
            content = (folder / DOORS[door].file).read_bytes()
            while seed < count:
                queue = context.SimpleQueue()
                seeds = range(seed, count)
                process = context.Process(target=_child, args=(door, folder, seeds, notes, queue))
                process.start()
                _join(process, notes)
                if process.exitcode == 0:
                    outcomes += queue.get()
                    break
                seed = int(notes.read_text()) + 1
                outcomes[f"crash or no end ({process.exitcode}) at seed {seed - 1}"] += 1
                (folder / DOORS[door].file).write_bytes(content)
            print(f"{door}: {json.dumps(dict(outcomes), indent=1)}", flush=True)
            failed |= bool(set(outcomes) - {"read", "refused"})
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
