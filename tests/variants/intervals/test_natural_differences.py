"""Intervals are fitted to the differences of two individuals, whose maps were both measured."""

import dataclasses
import itertools

import numpy as np
import pytest

from akita_bayes import dna, errors, regions
from akita_bayes.data import genome as genomes
from akita_bayes.data import noise_table
from akita_bayes.data.records import statistics, tfrecord
from akita_bayes.models import build, ensemble, zoo
from akita_bayes.origins import training_regions
from akita_bayes.variants import interval_files
from akita_bayes.variants.intervals import measured_differences, natural_differences
from akita_bayes.variants.options import Options
from tests import tiny

WINDOWS = 30
LENGTH = WINDOWS * tiny.SEQ_LENGTH
NOISE = 0.02  # variance
SCORING = Options(scores=("SCD",))


def letters_of(seed):
    return "".join(np.random.default_rng(seed).choice(list("ACGT"), LENGTH))


LETTERS = {"chr1": letters_of(1), "chr2": letters_of(2)}
SPLITS = {"valid": "chr1", "test": "chr2"}


@pytest.fixture(scope="module")
def model():
    return build.build(zoo.parse_spec(tiny.spec_json()))


def edited(genotypes):
    """Edits of both haplotypes: chrom -> [(position, ref, alt, genotype)], three in a window."""
    edits = {}
    for chrom, letters in LETTERS.items():
        edits[chrom] = []
        for number in range(WINDOWS):
            if number % 10 == 9:  # a window without a difference
                continue
            for offset in (60, 120, 190):
                at = number * tiny.SEQ_LENGTH + offset
                ref = letters[at]
                edits[chrom].append((at, ref, "ACGT"[("ACGT".index(ref) + 2) % 4], next(genotypes)))
    return edits


def haplotypes(edits):
    """Letters of both haplotypes by chromosome."""
    both = []
    for side in (0, 2):
        letters = {chrom: list(text) for chrom, text in LETTERS.items()}
        for chrom, rows in edits.items():
            for at, _, alt, genotype in rows:
                if genotype[side] == "1":
                    letters[chrom][at] = alt
        both.append({chrom: "".join(text) for chrom, text in letters.items()})
    return both


def write_data(folder, maps, seed, noise=True):
    """A data directory whose targets are given maps with noise; windows in order."""
    random = np.random.default_rng(seed)
    counts = dict.fromkeys(SPLITS, WINDOWS)
    statistics.write(
        folder,
        statistics.Statistics(
            seq_length=tiny.SEQ_LENGTH,
            target_length=tiny.PIXELS,
            num_targets=tiny.TARGETS,
            pool_width=tiny.POOL,
            crop_bp=tiny.CROP * tiny.POOL,
            diagonal_offset=tiny.OFFSET,
            seq_1hot=True,
            seqs=counts,
        ),
    )
    for split, chrom in SPLITS.items():
        records = []
        for number in range(WINDOWS):
            start = number * tiny.SEQ_LENGTH
            region = regions.Region(chrom, start, start + tiny.SEQ_LENGTH)
            target = maps[chrom][number]
            target = target + random.normal(0, np.sqrt(NOISE), target.shape)
            mask = random.random(target.shape) > 0.05
            bases = dna.to_index(LETTERS[chrom][start : start + tiny.SEQ_LENGTH])
            records.append(tfrecord.Record(bases, target.astype(np.float16), mask, region))
        tfrecord.write_records(folder / "tfrecords" / f"{split}-0.tfr", records)
    if noise:
        shape = (tiny.TARGETS, tiny.BINS - tiny.OFFSET)
        table = noise_table.NoiseTable(
            np.full(shape, NOISE), np.zeros(shape), np.ones(shape, np.int64), tiny.OFFSET, "made"
        )
        noise_table.write(folder, table)
    return folder


def predicted(model, letters):
    """Predicted maps of all windows of every chromosome."""
    maps = {}
    for chrom, text in letters.items():
        windows = [text[s : s + tiny.SEQ_LENGTH] for s in range(0, LENGTH, tiny.SEQ_LENGTH)]
        one_hot = np.stack([dna.index_to_one_hot(dna.to_index(window)) for window in windows])
        maps[chrom] = model.predict(one_hot, verbose=0)
    return maps


def write_vcf(path, edits):
    lines = ["##fileformat=VCFv4.2", *(f"##contig=<ID={c},length={LENGTH}>" for c in LETTERS)]
    lines += ['##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    lines += ["#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tother"]
    for chrom, rows in edits.items():
        lines += [f"{chrom}\t{at + 1}\t.\t{r}\t{a}\t.\t.\t.\tGT\t{g}" for at, r, a, g in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def write_individuals(folder, model):
    """Data of two individuals; the second is heterozygous at two of three places.

    Returns the predicted maps of both.
    """
    genomes.write_fasta(folder / "genome.fa", LETTERS)
    edits = edited(itertools.cycle(("1|1", "0|1", "1|0")))
    write_vcf(folder / "other.vcf", edits)
    of_reference = predicted(model, LETTERS)
    first, second = (predicted(model, letters) for letters in haplotypes(edits))
    of_other = {chrom: (first[chrom] + second[chrom]) / 2 for chrom in LETTERS}
    # The true difference is larger than the predicted one by a factor of 4.
    true = {c: of_reference[c] + 4 * (of_other[c] - of_reference[c]) for c in LETTERS}
    write_data(folder / "data", of_reference, seed=3)
    write_data(folder / "other", true, seed=4)
    return of_reference, of_other


@pytest.fixture(scope="module")
def compared(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("natural")
    return folder, *write_individuals(folder, model)


def sources_of(folder, **changes):
    paths = {"data_dir": folder / "data", "other_dir": folder / "other"}
    return measured_differences.Sources.of_sample(
        **(paths | {name: changes.pop(name) for name in tuple(changes) if name in paths}),
        **(
            {
                "fasta": str(folder / "genome.fa"),
                "vcf": str(folder / "other.vcf"),
                "sample": "other",
            }
            | changes
        ),
    )


def calibrate(model, folder, scoring=SCORING, level=0.8, **changes):
    sources = sources_of(folder, **changes)
    return natural_differences.calibrate_scores(model, sources, scoring=scoring, level=level)


def masks(folder, split):
    stats = statistics.read(folder)
    records = tfrecord.read_records(folder / "tfrecords" / f"{split}-0.tfr", stats)
    return [(record.target.astype(np.float64), record.mask) for record in records]


def test_scores_are_those_of_both_haplotypes_on_pixels_measured_twice(model, compared):
    folder, of_reference, of_other = compared
    rows = calibrate(model, folder).tested
    assert len(rows) == 2 * 27 * tiny.TARGETS  # three windows of each chromosome do not differ
    for split, chrom in SPLITS.items():
        own, second_maps = masks(folder / "data", split), masks(folder / "other", split)
        for number in (0, 11, 28):
            (a, first), (b, second) = own[number], second_maps[number]
            mask = first & second
            change = of_other[chrom][number] - of_reference[chrom][number]
            at = number * tiny.SEQ_LENGTH
            of_window = rows[(rows["chrom"] == chrom) & (rows["pos"] == at + 1)]
            assert of_window["target"].tolist() == ["target0", "target1"]
            size = np.sqrt(np.sum(mask * change.astype(np.float64) ** 2, axis=0))
            np.testing.assert_allclose(of_window["score"], size, rtol=1e-3, atol=1e-5)
            square = np.sum(mask * ((b - a) ** 2 - 2 * NOISE), axis=0)
            np.testing.assert_allclose(of_window["square"], square, rtol=1e-6, atol=1e-6)
            np.testing.assert_allclose(of_window["measured"], np.sqrt(np.maximum(square, 0)))


def test_intervals_hold_the_true_difference_and_the_measured_squares(model, compared, tmp_path):
    folder, _, _ = compared
    intervals = calibrate(model, folder)
    rows = intervals.tested
    true = 4 * rows["score"]  # on few masked pixels
    assert rows["square"].between(rows["square_low"], rows["square_high"]).mean() > 0.7
    assert true.between(rows["ci_low"], rows["ci_high"]).mean() > 0.7
    genome = str(folder / "genome.fa")
    assert intervals.fitted_to == interval_files.fitted_to(model, SCORING, genome)
    # Each chromosome is tested with the intervals of the other.
    on_first = calibrate(model, folder, splits=("valid",), level=0.5).tested
    assert set(on_first["chrom"]) == {"chr1"}


def test_windows_that_only_one_individual_has_are_left_out(model, compared, tmp_path, caplog):
    folder, _, _ = compared
    later = tmp_path / "other"
    write_data(later, predicted(model, LETTERS), seed=5)
    stats = statistics.read(later)
    for split in SPLITS:
        path = later / "tfrecords" / f"{split}-0.tfr"
        records = list(tfrecord.read_records(path, stats))
        tfrecord.write_records(path, [*records[4:], records[2], records[0]])
    statistics.write(later, dataclasses.replace(stats, seqs=dict.fromkeys(SPLITS, WINDOWS - 2)))
    rows = calibrate(model, folder, other_dir=later).tested
    assert "valid: 2 windows of" in caplog.text
    assert caplog.text.count("Intervals are fitted to 50 windows") == 1
    expected = {n * tiny.SEQ_LENGTH + 1 for n in range(WINDOWS) if n % 10 != 9} - {
        n * tiny.SEQ_LENGTH + 1 for n in (1, 3)
    }
    assert set(rows["pos"]) == expected


def test_what_the_intervals_cannot_be_fitted_to_is_refused(model, compared, tmp_path):
    folder, _, _ = compared
    with pytest.raises(errors.VariantError, match="give intervals of SCD alone"):
        calibrate(model, folder, Options(scores=("SCD", "MSE")))
    for changes, says in (
        ({"members": "all"}, "no members = all; leave it at held_out"),
        ({"window": "basenji"}, "no window = basenji"),
        ({"targets": (1,)}, "no targets"),
    ):
        with pytest.raises(errors.VariantError, match=says):
            calibrate(model, folder, dataclasses.replace(SCORING, **changes))
    write_data(tmp_path / "silent", predicted(model, LETTERS), seed=5, noise=False)
    with pytest.raises(errors.DataError, match=r"silent: has no noise\.tsv"):
        calibrate(model, folder, other_dir=tmp_path / "silent")
    genomes.write_fasta(tmp_path / "wrong.fa", {"chr1": letters_of(7), "chr2": letters_of(8)})
    with pytest.raises(errors.DataError, match="REF"):
        calibrate(model, folder, fasta=str(tmp_path / "wrong.fa"))
    write_vcf(tmp_path / "none.vcf", {})
    with pytest.raises(errors.DataError, match="differ from those in"):
        calibrate(model, folder, fasta=str(tmp_path / "wrong.fa"), vcf=str(tmp_path / "none.vcf"))
    with pytest.raises(errors.DataError, match="no window of valid, test has variants of other"):
        calibrate(model, folder, vcf=str(tmp_path / "none.vcf"))
    with pytest.raises(errors.VariantError, match="need 39; measure more windows"):
        calibrate(model, folder, level=0.95)


def test_windows_from_which_the_model_learned_are_refused(compared):
    folder, _, _ = compared
    learned = build.build(zoo.parse_spec(tiny.spec_json()))
    window = regions.Region("chr2", 3000, 3300)
    learned.training_regions = {
        "hic": training_regions.TrainingRegions.of([window], sizes={"chr2": LENGTH})
    }
    with pytest.raises(errors.VariantError, match="chr2:2,816-3,072: every member of the model"):
        calibrate(learned, folder)
    assert len(calibrate(learned, folder, splits=("valid",), level=0.5).tested)


def test_a_member_predicts_only_windows_that_it_did_not_learn_from(compared):
    folder, _, _ = compared
    networks = []
    for chrom in SPLITS.values():
        networks.append(build.build(zoo.parse_spec(tiny.spec_json())))
        whole = regions.Region(chrom, 0, LENGTH)
        learned = training_regions.TrainingRegions.of([whole], sizes={chrom: LENGTH})
        networks[-1].training_regions = {"hic": learned}
    rows = calibrate(ensemble.Ensemble(networks), folder).tested
    for network, chrom in zip(networks, reversed(SPLITS.values()), strict=True):
        network.training_regions = {}
        alone = calibrate(network, folder).tested
        on_chromosome = rows["chrom"] == chrom
        scores = alone.loc[alone["chrom"] == chrom, "score"]
        np.testing.assert_allclose(rows.loc[on_chromosome, "score"], scores, rtol=1e-3)
        of_learned = alone.loc[alone["chrom"] != chrom, "score"]
        assert not np.allclose(rows.loc[~on_chromosome, "score"], of_learned, rtol=1e-2)
