"""What scores become as files, whatever the variants are."""

import tracemalloc

import h5py
import numpy as np
import pysam
import pytest

from akita_bayes import errors
from akita_bayes.variants import writers
from akita_bayes.variants.alleles import records
from akita_bayes.variants.scores import score_table

TARGETS = writers.Targets(["HFF", "GM"], ["fibroblasts", "lymphoblasts"])


def rows(*variants):
    """Scores 0, 1, ... of rows, the same for both targets."""
    count = len(variants)
    values = np.repeat(np.arange(count, dtype=np.float32)[:, None], 2, axis=1)
    pixels = np.zeros((count, 3), np.int32)
    window = [("chr1", 0, 9)] * count
    return score_table.Scored(list(variants), [""] * count, pixels, window, {"SCD": values}, {})


def variant(record, position=0, ref="A", alt="C", name="."):
    return records.Variant(record, 1, "chr1", position, name, ref, alt, "SNV")


def write_h5(path, scored):
    writers.write_h5(path, scored, TARGETS, {})


def write_table(path, scored):
    writers.write_table(path, scored, TARGETS)


def write_part(path, scored):
    score_table.save(path, scored, "identity")


@pytest.mark.parametrize("write", [write_h5, write_table, write_part])
@pytest.mark.parametrize("column", ["ref", "alt", "name"])
def test_one_long_allele_is_paid_for_once(tmp_path, write, column):
    long = "ACGT" * 100_000
    scored = rows(*(variant(0, **{column: long}), *(variant(i) for i in range(1, 200))))
    tracemalloc.start()
    write(tmp_path / "out", scored)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10 * len(long)
    assert (tmp_path / "out").stat().st_size < 2 * len(long)


def test_alleles_are_read_as_bytes(tmp_path):
    write_h5(tmp_path / "scd.h5", rows(variant(0, name="rs1"), variant(1, ref="ACGT", alt="<DEL>")))
    with h5py.File(tmp_path / "scd.h5") as file:
        assert [text.decode() for text in file["snp"]] == ["rs1", "."]
        assert [text.decode() for text in file["ref"]] == ["A", "ACGT"]
        assert file["alt"][:].tolist() == [b"C", b"<DEL>"]


def test_an_earlier_scoring_is_left_out(write_vcf, tmp_path):
    source = write_vcf("chr1 5 T C END=5", "chr1 9 A C", "chr1 12 G *,A")
    old = rows(variant(0), variant(1), variant(2), variant(2))
    old = old._replace(statistics={("SCD", "sd"): old.values["SCD"]}, flags=["padded"] * 4)
    writers.write_vcf(tmp_path / "old.vcf", source, old, {"version": "1", "genome_digest": "x"})
    new = rows(variant(1))._replace(values={"SCD": np.full((1, 2), 7, np.float32)})
    writers.write_vcf(tmp_path / "new.vcf", tmp_path / "old.vcf", new, {"version": "2"})
    text = (tmp_path / "new.vcf").read_text()
    assert text.count("ID=AKITA_SCD,") == 1
    assert "AKITA_SCD_SD" not in text
    assert "##akita_bayes_version=2\n" in text
    assert "##akita_bayes_version=1" not in text
    assert "genome_digest" not in text
    info = [line.split("\t")[7] for line in text.splitlines() if line[0] != "#"]
    assert info == ["END=5", "AKITA_SCD=7", "."]
    with pysam.VariantFile(str(tmp_path / "new.vcf")) as file:
        assert [record.info.get("AKITA_SCD") for record in file] == [None, (7.0,), None]


FAR = 2**29  # bases that a .tbi index holds


@pytest.mark.parametrize(
    ("last", "suffix"),
    [
        (f"chr1 {FAR} T C", ".tbi"),
        (f"chr1 {FAR + 1} T C", ".csi"),
        (f"chr1 {FAR} TA T", ".csi"),
        (f"chr1 9 T <DEL> END={FAR}", ".tbi"),
        (f"chr1 9 T <DEL> END={FAR + 1}", ".csi"),
        (f"chr1 9 T <DEL> SVLEN=-{FAR}", ".csi"),
        (f"chr1 9 T <DEL> END={2**31 + 1}", ".csi"),
    ],
)
def test_the_index_holds_every_position(write_vcf, tmp_path, last, suffix):
    source = write_vcf("chr1 5 T C", last)
    path = tmp_path / "out.vcf.gz"
    stale = tmp_path / ("out.vcf.gz.csi" if suffix == ".tbi" else "out.vcf.gz.tbi")
    stale.write_text("of another file")
    writers.write_vcf(path, source, rows(variant(0), variant(1)), {})
    assert (tmp_path / f"out.vcf.gz{suffix}").exists()
    assert not stale.exists()
    position = int(last.split()[1])
    with pysam.VariantFile(str(path)) as file:
        (record,) = file.fetch("chr1", position - 1, position)
    assert (record.pos, record.info["AKITA_SCD"]) == (position, (1.0,))


def test_no_index_is_left_of_a_file_that_was_sorted(write_vcf, tmp_path):
    path, lines = tmp_path / "out.vcf.gz", ("chr1 5 T C", "chr1 9 A C")
    for number, order in enumerate((lines, lines[::-1])):
        source = write_vcf(*order, name=f"{number}.vcf")
        writers.write_vcf(path, source, rows(variant(0), variant(1)), {})
        assert (tmp_path / "out.vcf.gz.tbi").exists() == (order == lines)


def test_a_file_that_htslib_cannot_index_has_none(write_vcf, tmp_path, caplog):
    path = tmp_path / "out.vcf.gz"
    source = write_vcf("chr1 0 N <DEL> END=4", f"chr1 5 T <DEL> END={'9' * 30}")
    before = pysam.get_verbosity()
    writers.write_vcf(path, source, rows(variant(0), variant(1)), {})
    assert "out.vcf.gz: has no index, since htslib cannot make it" in caplog.text
    assert [file.name for file in tmp_path.glob("out*")] == ["out.vcf.gz"]
    assert pysam.get_verbosity() == before


@pytest.mark.parametrize("name", ["out.vcf", "out.vcf.gz"])
def test_rows_without_a_record_leave_an_older_file_as_it_was(write_vcf, tmp_path, name):
    (tmp_path / name).write_text("good")
    source = write_vcf("chr1 5 T C")
    with pytest.raises(errors.VariantError, match="fewer records than were scored"):
        writers.write_vcf(tmp_path / name, source, rows(variant(0), variant(1)), {})
    assert (tmp_path / name).read_text() == "good"
    assert {path.name for path in tmp_path.iterdir()} == {name, source.name}


def test_the_reasons_of_all_rows_are_listed_once(tmp_path, monkeypatch):
    """A list of all reasons for every record would make the time quadratic."""
    count, listed = 300, []
    genuine = score_table.Scored.reasons.fget
    (tmp_path / "toy.vcf").write_text(
        "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        + "".join(f"chr1\t{row + 1}\t.\tA\tC\t.\t.\t.\n" for row in range(count))
    )
    scored = rows(*(variant(row, position=row)._replace(reason="no map") for row in range(count)))
    monkeypatch.setattr(
        score_table.Scored, "reasons", property(lambda own: listed.append(1) or genuine(own))
    )
    writers.write_vcf(tmp_path / "out.vcf", tmp_path / "toy.vcf", scored, {})
    assert len(listed) == 1
    assert (tmp_path / "out.vcf").read_text().count("AKITA_REASON=no_map") == count
