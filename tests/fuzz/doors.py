"""The files that the package reads, each with the call that reads it."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pysam

from akita_bayes import regions
from akita_bayes.data import assembly, genome, noise_table
from akita_bayes.data.contacts import contact_file, contact_formats
from akita_bayes.data.preparation import data_directory, data_plan, recorded_sources, targets
from akita_bayes.data.records import statistics, tfrecord
from akita_bayes.files import output_directory
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.models import build, export, load, recalibration, swag, weights, zoo
from akita_bayes.regulation.assay import assay_files
from akita_bayes.regulation.fits import fitted_mechanism
from akita_bayes.regulation.model import likelihood
from akita_bayes.regulation.results import fit_files
from akita_bayes.simulate import design_json, designs
from akita_bayes.training.run_files import checkpoint
from akita_bayes.variants import genes
from akita_bayes.variants.alleles import records
from akita_bayes.variants.saturation import scan_files
from akita_bayes.variants.saturation.region_scan import Scan
from akita_bayes.variants.scores import background, score_table
from tests import coolers, hic_files, mechanism_json, tiny, two_bit_files

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
    _assay(folder / "assay.tsv", 20)
    two_bit_files.write(folder / "genome.2bit", {"chr1": LETTERS, "chr2": "NNacgt" * 9})
    (folder / "packed.fa.gz").write_bytes(gzip.compress((folder / "genome.fa").read_bytes()))
    counts = {"chr1": np.triu(random.integers(0, 9, (50, 50)))}
    vectors = {"KR": {"chr1": random.random(50)}}
    hic_files.write(folder / "map.hic", {"chr1": 1000}, 20, counts, vectors)
    noise = random.random((2, tiny.TARGETS, tiny.BINS - tiny.OFFSET))
    pixels = np.ones(noise[0].shape, np.int64)
    noise_table.write(folder, noise_table.NoiseTable(*noise, pixels, tiny.OFFSET, "replicates"))
    options = coolers.options(folder / "world")
    record = data_directory._record(options, data_plan.plan(options))
    (folder / "world" / recorded_sources.FILE_NAME).write_text(json.dumps(record))
    design_json.write(folder, designs.Design(), seed=3, version="0.2.0")
    _write_fit(folder / "fit")


def _write_fit(folder):
    """Writes what `fit_files.read` needs, with arbitrary values."""
    folder.mkdir()
    spec = mechanism_json.TWO_SITES | {"measurement": {"kind": "bins", "hidden": 4}}
    (folder / fit_files.PARAMS).write_text(json.dumps(spec))
    table = assay_files.read(_assay(folder / "assay.tsv", spec["sequence_length"]))
    parameters = likelihood.Likelihood(mechanism_spec.parse(spec), table).parameters
    fit = fitted_mechanism.FittedMechanism(
        parameters,
        np.zeros(parameters.size),
        np.eye(parameters.size),
        table.frequencies(),
        np.arange(3, dtype=np.uint64),
    )
    np.savez_compressed(folder / fit_files.ARRAYS, **fit_files._arrays(fit))


def _assay(path, length):
    """Writes the reads of 40 sequences in two bins."""
    rows = [f"{LETTERS[at : at + length]}\t{at}\t9\n" for at in range(40)]
    path.write_text("sequence\tct_0\tct_1\n" + "".join(rows))
    return path


def _load_pair(path):
    return load.load_model((path.parent / "params.json", path))


def _load_saved(path):
    return load.load_model(path.parents[1])


def _fasta(path):
    return _genome(path.parent / "genome.fa")


def _genome(path):
    with genome.Genome(path) as opened:
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


def _noise(path):
    return noise_table.read(
        path.parent, targets=tiny.TARGETS, bins=tiny.BINS, diagonal_offset=tiny.OFFSET
    )


def _fit(path):
    fit = fit_files.read(path.parent)
    return fit.energies, fit.predict([LETTERS[: fit.mechanism.sequence_length]])


def _cooler(path):
    with genome.Genome(path.parent / "genome.fa") as opened:
        contacts = contact_formats.open_contacts(
            contact_file.Source(contact_formats.locate(str(path))), assembly.of(opened.sizes)
        )
    contacts.inspect()
    region = regions.Region("chr1", 0, 8000)
    return contacts.counts(region), contacts.weights(region)


def _hic(path):
    contacts = contact_formats.open_contacts(
        contact_file.Source(contact_formats.locate(str(path)), "KR"), assembly.of({"chr1": 1000})
    )
    contacts.inspect()
    region = regions.Region("chr1", 0, 400)
    return contacts.counts(region), contacts.weights(region)


DOORS = {
    "hic": Door("map.hic", _hic),
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
    "two_bit": Door("genome.2bit", _genome),
    "fasta_gz": Door("packed.fa.gz", _genome),
    "noise": Door("noise.tsv", _noise),
    "options": Door("world/options.json", lambda path: recorded_sources.read(path.parent)),
    "simulation": Door("simulation.json", lambda path: design_json.read(path.parent)),
    "fit": Door("fit/fit.npz", _fit),
    "vcf": Door("variants.vcf", _variants),
    "vcf_gz": Door("variants.vcf.gz", _variants),
    "bcf": Door("variants.bcf", _variants),
}
