"""A simulation on disk: records, truth, coolers, tables and the seed agree with each other."""

import dataclasses
import hashlib
import json

import cooler
import numpy as np
import pandas as pd
import pytest

from akita_bayes import dna, errors, regions, triangle
from akita_bayes.data import genome as genomes
from akita_bayes.data import noise_table
from akita_bayes.data.contacts import counts_to_targets as targets
from akita_bayes.data.records import statistics
from akita_bayes.simulate import chromatin, design_json, effects, sites
from akita_bayes.simulate.simulation_folder import simulation
from tests.simulate import folders


@pytest.fixture(scope="module")
def folder(tmp_path_factory, small_design):
    return simulation.simulate(
        tmp_path_factory.mktemp("simulation") / "sim", small_design, workers=1
    )


def test_records_are_windows_of_the_genome(folder, small_design):
    counts = statistics.read(folder).seqs
    listed = list(regions.read_bed(folder / "sequences.bed"))
    with genomes.Genome(folder / "genome.fa") as reader:
        for split in ("train", "valid", "test"):
            records = folders.records(folder, split)
            assert len(records) == counts[split]
            assert [r.region for r in records] == [r for r, more in listed if more == [split]]
            for record in records:
                assert (
                    dna.to_index(reader.fetch(record.region)).tolist() == record.sequence.tolist()
                )


def test_the_truth_is_that_of_the_letters(folder, small_design):
    with genomes.Genome(folder / "genome.fa") as reader:
        folders.check_truth(folder, reader, small_design)


def test_the_noise_of_replicates_is_that_of_the_data_around_the_truth(folder, small_design):
    records = folders.records(folder, "valid")
    bins = (small_design.seq_length - 2 * small_design.crop) // 512
    noise = noise_table.read(folder, targets=2, bins=bins, diagonal_offset=2)
    assert noise.method == "2 replicates"
    truth = np.load(folder / "truth" / "valid.npz")["truth"].astype(np.float64)
    error = np.stack([record.target for record in records]).astype(np.float64) - truth
    mask = np.stack([record.mask for record in records])
    distance = triangle.distances(bins, 2)
    for low, high in ((8, 16), (16, 32), (32, bins)):
        inside = (distance >= low) & (distance < high)
        stated = np.average(
            noise.variance[:, low - 2 : high - 2], weights=noise.pixels[:, low - 2 : high - 2]
        )
        # The data have few windows, and a bias of sparse counts that replicates do not show.
        assert stated == pytest.approx(np.mean(error[:, inside][mask[:, inside]] ** 2), rel=0.25)


def test_coolers_hold_the_counts_that_made_the_targets(folder, small_design):
    """The data's own procedure on the pooled cooler's counts gives the stored target and mask."""
    transform = chromatin.transform(64, 512, small_design.crop // 512)
    for cell, name in enumerate(small_design.cell_types):
        pooled = cooler.Cooler(str(folder / "coolers" / f"{name}.cool"))
        single = [cooler.Cooler(str(folder / "coolers" / f"{name}_rep{r}.cool")) for r in (1, 2)]
        for record in folders.records(folder, "valid"):
            counts = pooled.matrix(balance=False).fetch(tuple(record.region))
            parts = [
                replicate.matrix(balance=False).fetch(tuple(record.region)) for replicate in single
            ]
            np.testing.assert_array_equal(counts, parts[0] + parts[1])
            assert (parts[0] != parts[1]).any()
            weights = np.where(counts.diagonal() > 0, 1.0, np.nan)
            expected = targets.target(counts, weights, transform, clip=2.0)
            np.testing.assert_allclose(record.target[:, cell], expected.values, atol=2e-3)
            np.testing.assert_array_equal(record.mask[:, cell], expected.mask)


def test_balancing_the_coolers_changes_the_targets_little(folder, small_design):
    table = pd.read_csv(folder / "targets.txt", sep="\t", index_col=0)
    assert list(table["identifier"]) == list(small_design.cell_types)
    transform = chromatin.transform(64, 512, small_design.crop // 512)
    pooled = cooler.Cooler(str(folder / table["file"].iloc[0]))
    stored = np.load(folder / "truth" / "test.npz")["truth"][..., 0]
    direct, balanced, truth = [], [], []
    for number, record in enumerate(folders.records(folder, "test")):
        counts = pooled.matrix(balance=False).fetch(tuple(record.region))
        weights = pooled.bins()["weight"].fetch(tuple(record.region)).to_numpy()
        value = targets.target(counts, weights, transform, clip=2.0)
        both = value.mask & record.mask[:, 0]
        assert both.mean() > 0.95
        balanced.append(value.values[both])
        direct.append(record.target[both, 0])
        truth.append(stored[number][both])
    balanced, direct, truth = (np.concatenate(x).astype(float) for x in (balanced, direct, truth))
    r = {name: np.corrcoef(x, truth)[0, 1] for name, x in (("b", balanced), ("d", direct))}
    assert r["b"] > r["d"] - 0.015
    assert np.corrcoef(balanced, direct)[0, 1] > 0.95


def test_the_ceiling_is_what_the_data_allow(folder, small_design):
    ceiling = json.loads((folder / "truth" / "ceiling.json").read_text())
    assert set(ceiling) == {"valid", "test"}
    stored = np.load(folder / "truth" / "test.npz")["truth"]
    records = folders.records(folder, "test")
    for cell, name in enumerate(small_design.cell_types):
        assert ceiling["test"]["targets"][cell] == name
        pairs = [
            (record.target[record.mask[:, cell], cell], truth[record.mask[:, cell], cell])
            for record, truth in zip(records, stored, strict=True)
        ]
        target, truth = (
            np.concatenate(values).astype(float) for values in zip(*pairs, strict=True)
        )
        best = ceiling["test"]["target_truth_pearson"][cell]
        assert best == pytest.approx(np.corrcoef(target, truth)[0, 1], abs=1e-6)
        # two noisy halves agree less than their sum with the truth
        assert 0.2 < ceiling["test"]["replicate_pearson"][cell] < best < 1


def test_sites_are_listed_where_they_are(folder, small_design):
    table = pd.read_csv(folder / "sites.bed", sep="\t").rename(columns={"#chrom": "chrom"})
    with genomes.Genome(folder / "genome.fa") as reader:
        letters = reader.fetch(regions.Region("chr1", 0, reader.sizes["chr1"]))
    located = sites.find(letters, small_design.physics)
    own = table[table["chrom"] == "chr1"]
    assert own["start"].tolist() == located.start.tolist()
    assert (own["end"] - own["start"] == small_design.physics.site.width).all()
    assert own["strand"].map({"+": 1, "-": -1}).tolist() == located.strand.tolist()
    for cell, name in enumerate(small_design.cell_types):
        np.testing.assert_allclose(own[f"occupancy_{name}"], located.occupancy[:, cell], atol=1e-4)
    decoys = pd.read_csv(folder / "decoys.bed", sep="\t")
    assert set(decoys["name"]) == {"weak", "shuffled", "split"}


def test_the_seed_decides(folder, tmp_path, small_design):
    again = simulation.simulate(tmp_path / "same", small_design, workers=1, with_coolers=False)
    second = simulation.simulate(
        tmp_path / "other", small_design, workers=1, with_coolers=False, seed=1
    )
    for name in ("genome.fa", "sites.bed", "variants.vcf", "truth/ceiling.json"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()
        assert (second / name).read_bytes() != (folder / name).read_bytes()
    for first, two, three in zip(
        *(folders.records(f, "train") for f in (folder, again, second)), strict=True
    ):
        np.testing.assert_array_equal(first.target, two.target)
        assert (first.target != three.target).any()
    assert not (again / "coolers").exists()


def test_the_design_can_be_read_back(folder, small_design):
    assert design_json.read(folder) == small_design


def test_only_a_simulation_is_replaced(tmp_path, folder, small_design):
    (tmp_path / "precious").write_text("x")
    with pytest.raises(errors.RunError, match="choose another -o"):
        simulation.simulate(tmp_path, small_design, workers=1)
    assert (tmp_path / "precious").read_text() == "x"


def test_nothing_is_left_of_a_simulation_that_failed(tmp_path, small_design, monkeypatch):
    def fail(*arguments, **keywords):
        raise OSError("no space")

    monkeypatch.setattr(simulation.design_json, "write", fail)
    tiny = dataclasses.replace(small_design, genome_mb=0.14)
    with pytest.raises(OSError, match="no space"):
        simulation.simulate(tmp_path / "sim", tiny, workers=1, with_coolers=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"depth": 0.001}, "depth 0.001, .* too sparse; simulate more depth"),
        ({"unmappable": 0.7}, "unmappable 0.7: .* half of the bins filtered"),
    ],
)
def test_windows_that_cannot_be_measured_are_refused(tmp_path, small_design, change, says):
    barren = dataclasses.replace(small_design, genome_mb=0.14, **change)
    with pytest.raises(errors.DataError, match=says):
        simulation.simulate(tmp_path / "sim", barren, workers=1, with_coolers=False)
    assert not (tmp_path / "sim").exists()


def test_progress_reaches_its_total(tmp_path, small_design):
    reports = []

    def advance(steps=1, *, note="", total=None):
        reports.append((steps, total))

    tiny = dataclasses.replace(small_design, genome_mb=0.14)
    simulation.simulate(tmp_path / "sim", tiny, workers=1, with_coolers=False, advance=advance)
    assert sum(steps for steps, _ in reports) == next(total for _, total in reports if total)


def test_variants_of_a_simulation_are_read_from_its_folder(folder):
    table = pd.read_csv(folder / "variants.tsv", sep="\t")
    edits = list(effects.read(folder))
    assert [edit.kind for edit in edits] == table["kind"].tolist()
    assert [edit.start for edit in edits] == table["start"].tolist()


KINDS_OF_0_1 = {
    *("site_deletion", "site_inversion", "site_weakening", "neutral_substitution"),
    *("neutral_inversion", "stretch_deletion", "stretch_inversion", "stretch_duplication"),
}


def test_designs_without_a_measurement_give_the_bytes_of_version_0_1(folder):
    """Letters, counts, targets, truth and parameters; no number is near a rounding border."""
    digests = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()[:16]
        for name in ("genome.fa", "sites.bed", "decoys.bed", "sequences.bed")
    }
    edits = sorted(tuple(edit) for edit in effects.read(folder) if edit.kind in KINDS_OF_0_1)
    digests["edits"] = hashlib.sha256(repr(edits).encode()).hexdigest()[:16]
    assert digests == {
        "genome.fa": "a5cea1b2b28bd45a",
        "sites.bed": "1c37770c85f75c64",
        "decoys.bed": "f4f91d42a49eab48",
        "edits": "34c4a98cea0309c2",
        "sequences.bed": "299d7c4f58863260",
    }
    arrays = hashlib.sha256()
    for split in ("train", "valid", "test"):
        arrays.update(np.load(folder / "truth" / f"{split}.npz")["truth"].tobytes())
        for record in folders.records(folder, split):
            arrays.update(record.target.astype(np.float16).tobytes() + record.mask.tobytes())
    for name in ("alpha", "beta_rep2"):
        pixels = cooler.Cooler(str(folder / "coolers" / f"{name}.cool")).pixels()[:]
        arrays.update(pixels.to_numpy(np.int64).tobytes())
    assert arrays.hexdigest()[:16] == "1803ec9ef72ebc9c"
    design = json.loads((folder / "simulation.json").read_text())["design"]
    text = json.dumps(design, sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "1837f2f8e8438a7a"
