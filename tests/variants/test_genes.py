import gzip

import pytest

from akita_bayes import errors, regions
from akita_bayes.variants import genes

GTF = (
    "#!genome\n"
    'chr1\tx\tgene\t101\t200\t.\t+\t.\tgene_id "E1"; gene_name "ABC";\n'
    'chr1\tx\texon\t101\t120\t.\t+\t.\tgene_id "E1";\n'
    'chr2\tx\tgene\t1\t50\t.\t-\t.\tgene_id "E2";\n'
)


def test_reads_gtf_and_bed_packed_or_not(tmp_path):
    (tmp_path / "g.gtf").write_text(GTF)
    (tmp_path / "g.gtf.gz").write_bytes(gzip.compress(GTF.encode()))
    (tmp_path / "g.bed").write_text("chr1\t100\t200\tABC\t0\t+\nchr2\t0\t50\tE2\t0\t-\n")
    expected = [
        genes.Gene("ABC", regions.Region("chr1", 100, 200), "+"),
        genes.Gene("E2", regions.Region("chr2", 0, 50), "-"),
    ]
    for name in ("g.gtf", "g.gtf.gz", "g.bed"):
        assert genes.read(tmp_path / name) == expected
        packed = (tmp_path / name).read_bytes()
        for packed_name in ("g.bed.bgz", "g.packed") if name == "g.bed" else ("g.packed",):
            content = gzip.compress(packed[:50]) + gzip.compress(packed[50:])
            (tmp_path / packed_name).write_bytes(packed if name.endswith("gz") else content)
            assert genes.read(tmp_path / packed_name) == expected
    (tmp_path / "none.gtf").write_text("# none\n")
    assert genes.read(tmp_path / "none.gtf") == []


def test_names_the_wrong_line(tmp_path):
    (tmp_path / "g.gtf").write_text(GTF + "chr1 oops\n")
    with pytest.raises(errors.DataError, match="line 5: is not a line of a GTF"):
        genes.read(tmp_path / "g.gtf")
    (tmp_path / "g.bed").write_text("track x\nchr1\t0\tten\n")
    with pytest.raises(errors.DataError, match="line 2: is not a line of a BED"):
        genes.read(tmp_path / "g.bed")
    with pytest.raises(errors.DataError, match="no such file of genes"):
        genes.read(tmp_path / "none.gtf")
