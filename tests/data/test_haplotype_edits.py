import pysam
import pytest

from akita_bayes import errors
from akita_bayes.data import genome, haplotype_edits
from tests.data import phased

Edit = haplotype_edits.Edit


@pytest.fixture(scope="module")
def fasta(tmp_path_factory):
    return phased.write_genome(tmp_path_factory.mktemp("phased") / "genome.fa")


def read(path, fasta, sample="HG1"):
    with genome.Genome(fasta) as reference:
        return haplotype_edits.read(path, sample, reference)


def test_each_haplotype_gets_its_alleles(tmp_path, fasta):
    edits = read(phased.write_vcf(tmp_path / "a.vcf"), fasta)
    first, second = edits.haplotypes
    assert first["chr1"] == [
        *(Edit(1, 2, "T"), Edit(4, 4, "GG"), Edit(9, 10, "A"), Edit(18, 19, "C")),
    ]
    assert second["chr1"] == [
        *(Edit(4, 4, "GG"), Edit(8, 11, ""), Edit(18, 19, "T"), Edit(20, 21, "G")),
    ]
    assert first["chrX"] == second["chrX"] == [Edit(4, 5, "G")]


def test_what_was_not_applied_is_listed_with_its_reason(tmp_path, fasta):
    edits = read(phased.write_vcf(tmp_path / "a.vcf"), fasta)
    listed = [(row.pos, row.genotype, row.haplotype, row.reason) for row in edits.left_out]
    assert listed == [
        (10, "1|1", 2, haplotype_edits.OVERLAPS),
        (15, "0/1", 0, haplotype_edits.UNPHASED),
        (17, "0|1", 2, haplotype_edits.SYMBOLIC),
        (21, "./1", 0, haplotype_edits.NO_CALL),
    ]
    assert edits.counts[haplotype_edits.UNPHASED] == 1
    header, first, *_ = haplotype_edits.rows(edits)
    assert dict(zip(header, first, strict=True))["ref"] == "C"


def test_a_bcf_gives_the_same(tmp_path, fasta):
    path = phased.write_vcf(tmp_path / "a.vcf")
    binary = tmp_path / "a.bcf"
    with (
        pysam.VariantFile(str(path)) as source,
        pysam.VariantFile(str(binary), "wb", header=source.header) as copy,
    ):
        for record in source:
            copy.write(record)
    assert read(binary, fasta) == read(path, fasta)


def test_several_phase_sets_are_counted(tmp_path, fasta):
    records = [("chr1", 2, "C", "T", "1|0:2"), ("chr1", 6, "C", "T", "0|1:6")]
    assert read(phased.write_vcf(tmp_path / "a.vcf", records), fasta).phase_sets == {"chr1": 2}


@pytest.mark.parametrize(
    ("position", "ref", "alt", "edit"),
    [
        (5, "A", "G", Edit(5, 6, "G")),
        (5, "ACGT", "AGT", Edit(6, 7, "")),
        (5, "A", "ATT", Edit(6, 6, "TT")),
        (5, "AC", "GT", Edit(5, 7, "GT")),
        (5, "CACA", "CA", Edit(7, 9, "")),
    ],
)
def test_shared_ends_are_trimmed(position, ref, alt, edit):
    assert haplotype_edits.trimmed(position, ref, alt) == edit


@pytest.mark.parametrize(
    ("records", "sample", "message"),
    [
        (phased.RECORDS, "HG2", 'has no sample "HG2". Did you mean "HG1"?'),
        ([("chr1", 2, "G", "T", "1|0")], "HG1", r"chr1:2: REF is G, but the genome \S+ has C"),
        ([("chr1", 27, "GTA", "G", "1|0")], "HG1", "chr1:27: REF is GTA, but"),
        ([("chr1", 2, "C", "T", "0/1")], "HG1", "none of the 1 heterozygous genotypes of HG1"),
        (
            [("chr1", 6, "C", "T", "1|0"), ("chr1", 2, "C", "T", "1|0")],
            "HG1",
            "chr1:2: comes after a later position",
        ),
        ([("chr1", 2, "C", "T", "1|0|1")], "HG1", "the genotype has 3 alleles"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path, fasta, records, sample, message):
    path = phased.write_vcf(tmp_path / "a.vcf", records)
    with pytest.raises(errors.DataError, match=message):
        read(path, fasta, sample)


def test_a_file_of_another_kind_is_refused(tmp_path, fasta):
    (tmp_path / "a.vcf").write_text("chr1\t2\n")
    with pytest.raises(errors.DataError, match="cannot be read as a phased VCF or BCF"):
        read(tmp_path / "a.vcf", fasta)
