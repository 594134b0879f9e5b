"""A second strain has other letters, their maps, and a VCF that says which letters differ."""

import numpy as np
import pytest

from akita_bayes import dna, errors
from akita_bayes.data import genome as genomes
from akita_bayes.data import noise_table, personal_genome
from akita_bayes.data.records import statistics
from akita_bayes.simulate import strains
from akita_bayes.simulate.simulation_folder import simulation
from tests.simulate import folders

SHARE = 0.01


@pytest.fixture(scope="module")
def folder(tmp_path_factory, small_design):
    return simulation.simulate(
        tmp_path_factory.mktemp("strain") / "sim",
        small_design,
        workers=1,
        with_coolers=False,
        strain=SHARE,
    )


@pytest.mark.parametrize("number", [1, 2])
def test_the_variants_give_the_letters_of_the_records(folder, number):
    strain = personal_genome.Personal(
        str(folder / "genome.fa"), str(folder / "strain.vcf"), strains.SAMPLE, number
    )
    shares = []
    with (
        personal_genome.opened(strain, on_reference=True) as haplotype,
        genomes.Genome(folder / "genome.fa") as reference,
    ):
        for split in ("valid", "test"):
            own = folders.records(folder, split)
            of_strain = folders.records(folder / strains.FOLDER, split)
            assert [r.region for r in own] == [r.region for r in of_strain]
            for a, b in zip(own, of_strain, strict=True):
                assert dna.to_index(haplotype.padded(*b.region)).tolist() == b.sequence.tolist()
                assert dna.to_index(reference.padded(*a.region)).tolist() == a.sequence.tolist()
                shares.append(np.mean(a.sequence != b.sequence))
    assert np.mean(shares) == pytest.approx(SHARE, rel=0.1)


def test_the_truth_of_a_strain_is_that_of_its_letters(folder, small_design):
    strain = personal_genome.Personal(
        str(folder / "genome.fa"), str(folder / "strain.vcf"), strains.SAMPLE, 1
    )
    with personal_genome.opened(strain) as reader:
        folders.check_truth(folder / strains.FOLDER, reader, small_design, count=2)


def test_the_experiment_on_a_strain_has_noise_of_its_own(folder):
    errors_of = []
    for path in (folder, folder / strains.FOLDER):
        truth = np.load(path / "truth" / "test.npz")["truth"].astype(np.float64)
        target = np.stack([r.target for r in folders.records(path, "test")]).astype(np.float64)
        errors_of.append((target - truth).ravel())
    assert abs(np.corrcoef(*errors_of)[0, 1]) < 0.1
    stats = statistics.read(folder / strains.FOLDER)
    assert set(stats.seqs) == {"valid", "test"}
    assert noise_table.read(folder / strains.FOLDER, targets=2, bins=56, diagonal_offset=2)


def test_the_reference_is_the_same_with_and_without_a_strain(folder, small_design, tmp_path):
    alone = simulation.simulate(tmp_path / "sim", small_design, workers=1, with_coolers=False)
    assert not (alone / strains.FOLDER).exists()
    for name in ("genome.fa", "noise.tsv", "tfrecords/test-0.tfr", "tfrecords/train-0.tfr"):
        assert (alone / name).read_bytes() == (folder / name).read_bytes()


def test_shares_outside_of_0_to_1_are_refused(small_design, tmp_path):
    with pytest.raises(errors.DataError, match=r"strain 1\.5 is not a share of bases"):
        simulation.simulate(tmp_path / "sim", small_design, strain=1.5)
    assert not (tmp_path / "sim").exists()
