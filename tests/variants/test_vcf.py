import pysam
import pytest

from akita_bayes import errors
from akita_bayes.variants import vcf


@pytest.mark.parametrize(
    ("text", "message"), [("hello\n", "cannot be read as VCF"), ("", "cannot be read as VCF")]
)
def test_refuses_what_is_no_vcf(tmp_path, text, message):
    path = tmp_path / "x.vcf"
    path.write_text(text)
    with pytest.raises(errors.VariantError, match=message), vcf.opened(path):
        pass
    with (
        pytest.raises(errors.VariantError, match="no such variant file"),
        vcf.opened(tmp_path / "none.vcf"),
    ):
        pass


def test_completes_a_file_without_column_names(tmp_path):
    path = tmp_path / "basenji.vcf"
    path.write_text("##fileformat=VCFv4.2\nchr1\t5\ta\tT\tC\t.\t.\nchr2\t5\tb\tG\tA\n")
    before = pysam.get_verbosity()
    with vcf.opened(path) as file:
        read = [(number, record.id, record.alts) for number, record in vcf.numbered(path, file)]
    assert read == [(0, "a", ("C",)), (1, "b", ("A",))]
    assert pysam.get_verbosity() == before


def test_names_the_malformed_record(write_vcf):
    path = write_vcf("chr1 5 T C", "chr1 x T C")
    with (
        vcf.opened(path) as file,
        pytest.raises(errors.VariantError, match="record 2 is malformed"),
    ):
        list(vcf.numbered(path, file))
