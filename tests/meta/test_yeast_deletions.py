"""The comparison of deletions of known elements with random ones, on made-up scores and genomes."""

import numpy as np
import pytest

from akita_bayes import errors, regions
from akita_bayes.data import genome
from benchmarks import yeast_deletions


@pytest.fixture
def reference(tmp_path):
    random = np.random.default_rng(0)
    letters = "".join(random.choice(list("ACGT"), 200_000, p=[0.3, 0.2, 0.2, 0.3]))
    genome.write_fasta(tmp_path / "genome.fa", {"chrI": letters}, width=60)
    with genome.Genome(tmp_path / "genome.fa") as opened:
        yield opened


def test_p_values_are_uniform_without_an_effect_and_small_with_one():
    random = np.random.default_rng(1)
    p = []
    for _ in range(60):
        scores = np.exp(random.normal(size=(40, 1)) + random.normal(size=(40, 5)))
        p.append(yeast_deletions.permuted(scores)["p"])
    # The largest distance of 60 uniform values from the diagonal exceeds 0.21 in 1 % of cases.
    ranks = np.arange(1, 61) / 60
    assert np.abs(np.sort(p) - ranks).max() < 0.21
    scores[:, 0] *= 3
    answer = yeast_deletions.permuted(scores)
    assert answer["p"] <= 0.01
    assert answer["ratio_low"] < 3 < answer["ratio_high"]


def test_random_stretches_match_an_element_and_avoid_all(reference):
    elements = [
        yeast_deletions.Element("tRNA genes", regions.Region("chrI", start, start + 80))
        for start in range(50_000, 150_000, 500)
    ]
    stretches = yeast_deletions.Stretches(reference, elements)
    region = elements[7].region
    for same_gc in (False, True):
        random_regions = stretches.like(region, same_gc=same_gc)
        assert len(set(random_regions)) == yeast_deletions.RANDOM
        for random_region in random_regions:
            assert random_region.end - random_region.start == 80
            assert yeast_deletions.EDGE <= random_region.start < 200_000 - yeast_deletions.EDGE
            assert not any(
                random_region.start < e.region.end and e.region.start < random_region.end
                for e in elements
            )
            if same_gc:
                letters = reference.fetch(random_region)
                gc = sum(letters.count(base) for base in "GC") / 80
                assert stretches.gc(random_region) == pytest.approx(gc)
                assert abs(gc - stretches.gc(region)) <= yeast_deletions.GC_DIFFERENCE
    assert not stretches.usable(region._replace(start=10, end=90))


def test_a_table_of_another_release_is_refused(reference, tmp_path):
    path = tmp_path / "features.tab"
    rows = [
        f"S{i}\tORF\tVerified\tY{i}\t\t\tchromosome 1\t\t1\t{start}\t{start + 90}\tW"
        for i, start in enumerate(range(1000, 100_000, 1000))
    ]
    path.write_text("\n".join(rows) + "\n")
    with pytest.raises(errors.DataError, match="begin with ATG"):
        yeast_deletions.features(path, reference)


def test_deleted_letters_are_those_of_the_region(reference, tmp_path):
    from akita_bayes.variants.alleles import records

    deletions = [regions.Region("chrI", 60_000, 60_120), regions.Region("chrI", 70_000, 70_001)]
    yeast_deletions.write_vcf(tmp_path / "deletions.vcf", deletions, reference)
    rows = list(records.read(tmp_path / "deletions.vcf", reference))
    assert [(row.start, row.end) for row in rows] == [(60_000, 60_120), (70_000, 70_001)]
    assert [row.reason for row in rows] == ["", ""]
