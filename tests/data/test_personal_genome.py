import numpy as np
import pysam
import pysam.bcftools
import pytest

from akita_bayes import errors, regions
from akita_bayes.data import genome, haplotype_edits, personal_genome
from tests.data import phased


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("personal")
    phased.write_genome(folder / "genome.fa")
    phased.write_vcf(folder / "phased.vcf")
    return folder


def personal(folder, number, sample="HG1"):
    return personal_genome.Personal(
        str(folder / "genome.fa"), str(folder / "phased.vcf"), sample, number
    )


@pytest.mark.parametrize("number", [1, 2])
def test_a_haplotype_reads_as_written_by_hand(folder, number):
    with personal_genome.opened(personal(folder, number)) as haplotype:
        for chrom in phased.REFERENCE:
            letters = phased.haplotype(number, chrom)
            assert haplotype.sizes[chrom] == len(letters)
            for start in range(len(letters)):
                for end in range(start, len(letters) + 1):
                    region = regions.Region(chrom, start, end)
                    assert haplotype.fetch(region) == letters[start:end], region
        assert haplotype.padded("chrX", -2, 10) == "NN" + phased.haplotype(number, "chrX") + "NN"
        assert haplotype.reference_sizes == {"chr1": 28, "chrX": 8}


def test_random_edits_agree_with_bcftools_and_with_a_replacement_from_right_to_left(tmp_path):
    """The naive twin replaces letters of a string, the last edit first, as edits do not overlap."""
    random = np.random.default_rng(0)
    letters = "".join(random.choice(list("ACGT"), 300))
    records, expected, position = [], [letters, letters], 0
    while position < 280:
        size = int(random.integers(1, 4))
        ref = letters[position : position + size]
        alt = ref[0] + "".join(random.choice(list("ACGT"), int(random.integers(0, 4))))
        if alt != ref:
            genotype = str(random.choice(["1|0", "0|1", "1|1"]))
            records.append(("chr1", position + 1, ref, alt, genotype))
        position += size + int(random.integers(0, 9))
    for _, pos, ref, alt, genotype in reversed(records):
        for number in (0, 1):
            if genotype.split("|")[number] == "1":
                text = expected[number]
                expected[number] = text[: pos - 1] + alt + text[pos - 1 + len(ref) :]
    phased.write_genome(tmp_path / "genome.fa", {"chr1": letters})
    phased.write_vcf(tmp_path / "phased.vcf", records, sizes={"chr1": 300})
    packed, fasta = str(tmp_path / "phased.vcf.gz"), str(tmp_path / "genome.fa")
    pysam.tabix_compress(str(tmp_path / "phased.vcf"), packed)
    pysam.tabix_index(packed, preset="vcf")
    for number in (1, 2):
        consensus = pysam.bcftools.consensus("-f", fasta, "-s", "HG1", "-H", str(number), packed)
        assert "".join(consensus.splitlines()[1:]) == expected[number - 1]
        with personal_genome.opened(personal(tmp_path, number)) as haplotype:
            assert not haplotype.edits.left_out
            size = haplotype.sizes["chr1"]
            assert haplotype.fetch(regions.Region("chr1", 0, size)) == expected[number - 1]
            for _ in range(200):
                start, end = sorted(random.integers(0, size + 1, 2).tolist())
                region = regions.Region("chr1", start, end)
                assert haplotype.fetch(region) == expected[number - 1][start:end]


def test_coordinates_go_to_the_haplotype_and_back(folder):
    with personal_genome.opened(personal(folder, 2)) as haplotype:
        # GG lies before base 4; bases 8 to 10 are deleted, so base 11 is at 11 + 2 - 3.
        positions = [haplotype.to_haplotype("chr1", base) for base in (3, 4, 7, 8, 10, 11, 27)]
        assert positions == [3, 6, 9, 10, 10, 10, 26]
        bases = [haplotype.to_reference("chr1", position) for position in (3, 4, 5, 6, 9, 10, 26)]
        assert bases == [3, 4, 4, 4, 7, 11, 27]
        letters, reference = phased.haplotype(2, "chr1"), phased.REFERENCE["chr1"]
        changed = {8, 9, 10, 18, 20}
        for base in set(range(28)) - changed:
            position = haplotype.to_haplotype("chr1", base)
            assert letters[position] == reference[base]
            assert haplotype.to_reference("chr1", position) == base


def test_sites_of_alleles(folder):
    Edit = haplotype_edits.Edit
    cases = [
        ((13, "C", "T"), personal_genome.Site(12, False, None)),
        ((3, "T", "TGG"), personal_genome.Site(3, True, None)),
        ((7, "TACG", "T"), personal_genome.Site(9, True, None)),
        ((18, "G", "T"), personal_genome.Site(17, True, None)),
        ((18, "G", "A"), personal_genome.Site(None, False, Edit(18, 19, "T"))),
        ((9, "C", "A"), personal_genome.Site(None, False, Edit(8, 11, ""))),
        ((3, "TA", "T"), personal_genome.Site(None, False, Edit(4, 4, "GG"))),
        ((4, "A", "C"), personal_genome.Site(6, False, None)),
    ]
    with personal_genome.opened(personal(folder, 2)) as haplotype:
        for (position, ref, alt), site in cases:
            assert haplotype.site("chr1", position, ref, alt) == site, (position, ref, alt)


def test_on_the_reference_a_region_keeps_its_length_and_its_middle(folder):
    letters = phased.haplotype(2, "chr1")
    with personal_genome.opened(personal(folder, 2), on_reference=True) as genome_:
        assert genome_.sizes == {"chr1": 28, "chrX": 8}
        for start, end in ((0, 8), (10, 22), (-4, 10), (18, 32)):
            middle = (start + end) // 2
            shift = genome_.shift("chr1", start, end)
            text = genome_.padded("chr1", start, end)
            assert len(text) == end - start
            assert shift == {4: 2, 16: -1, 3: 0, 25: -1}[middle]
            padded = "N" * 10 + letters + "N" * 10
            assert text == padded[start + shift + 10 : end + shift + 10]


def test_a_path_opens_the_genome_itself(folder):
    with personal_genome.opened(folder / "genome.fa") as opened:
        assert type(opened) is genome.Genome
        assert opened.described == {}
        assert opened.to_reference("chr1", 5) == 5


def test_a_third_haplotype_is_refused(folder):
    with pytest.raises(errors.DataError, match="haplotype 3: expected 1 or 2"):
        personal(folder, 3)
