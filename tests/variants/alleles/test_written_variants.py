import pytest

from akita_bayes import errors
from akita_bayes.variants.alleles import records, written_variants


@pytest.mark.parametrize(
    "text", ["chr1:5:T:C", "1:5:t:c", "chr1-5-T-C", "chr1:5T>C", "chr1:5:T>C", " chr1:5:T:C "]
)
def test_every_form_of_letters_is_the_same_variant(text, toy_genome):
    (row,) = written_variants.read([text], toy_genome)
    assert (row.chrom, row.start, row.end, row.kind) == ("chr1", 4, 5, "SNV")
    assert row.alt.upper() == "C"
    assert not row.reason


def test_an_event_has_the_bases_of_its_region(toy_genome):
    """chr1:4-12 are bases 4 to 11 counted from 0, as in BED."""
    for kind in ("DEL", "DUP", "INV"):
        (row,) = written_variants.read([f"chr1:4-12:{kind}"], toy_genome)
        assert (row.kind, row.start, row.end, row.reason) == (kind, 4, 12, "")


def test_a_wrong_reference_is_a_reason_as_in_a_file(toy_genome):
    (row,) = written_variants.read(["chr1:5:G:C"], toy_genome)
    assert row.reason


def test_thousands_may_be_separated(toy_genome):
    assert written_variants._columns("chr2:1,727,912:C:A")[:5] == [
        *("chr2", "1727912", "chr2:1727912:C:A", "C", "A")
    ]
    assert written_variants._columns("HLA-A*01:01:3,000-4,000:DEL")[:2] == ["HLA-A*01:01", "3000"]


@pytest.mark.parametrize("text", ["chr1:5", "chr1:5:T", "chr1:5-90", "chr1:5-90:CNV", "file.vcf"])
def test_other_texts_are_refused(text, toy_genome):
    assert not written_variants.is_variant(text)
    with pytest.raises(errors.VariantError, match=r"is not a variant; expected CHROM:POS:REF:ALT"):
        list(written_variants.read([text], toy_genome))


def test_a_file_of_written_variants_gives_the_same_rows(toy_genome, tmp_path):
    texts = ["chr1:5:T:C", "chr2:3-9:DEL", "chr1:2:C:CAA"]
    written_variants.write_vcf(texts, tmp_path / "v.vcf")
    assert list(records.read(tmp_path / "v.vcf", toy_genome)) == list(
        written_variants.read(texts, toy_genome)
    )
