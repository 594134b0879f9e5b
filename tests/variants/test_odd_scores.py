"""Odd records have the scores of the same alleles written plainly, and odd files all outputs."""

import h5py
import numpy as np
import pandas as pd
import pytest

from akita_bayes import errors, triangle
from akita_bayes.data import genome
from akita_bayes.variants import engine
from akita_bayes.variants.alleles import reasons, records
from akita_bayes.variants.options import Options
from akita_bayes.variants.scored_files import score_directory, scoring_shard
from akita_bayes.variants.scores import score_table
from tests.variants.long import CHR1, HEADER, columns, line, naive_maps, score, substitute

CODES = {"A": "R", "G": "R", "C": "Y", "T": "Y"}
NEW = "".join(substitute(base) for base in CHR1[2000:2006])
"""Letters that share neither end with the bases that they replace below."""


def symbol(name, pos, end, more=""):
    return line(pos, alt=f"<{name}>", info=f"END={end}{more}")


@pytest.mark.parametrize(
    ("odd", "plain"),
    [
        (symbol("CN0", 2000, 2040, ";SVTYPE=DEL"), symbol("DEL", 2000, 2040)),
        (symbol("CN2", 2000, 2040, ";SVTYPE=DUP"), symbol("DUP", 2000, 2040)),
        (f"chr1 2000 N {NEW} SVTYPE=INS", line(2000, alt=CHR1[1999] + NEW)),
        (
            f"chr1 2000 N {CHR1[2000:2060]} SVTYPE=INS",  # sixty bases twice
            line(2000, alt=CHR1[1999] + CHR1[2000:2060]),
        ),
        (
            f"chr1 2001 {CHR1[2000:2040]} N SVTYPE=DEL",
            line(2000, ref=CHR1[1999:2040], alt=CHR1[1999]),
        ),
        ("chr1 0 N <DEL> END=40", f"chr1 1 {CHR1[:41]} {CHR1[40]}"),
        (
            symbol("DEL", 2000, 2040, f";SVINSSEQ={NEW}"),
            line(2000, ref=CHR1[1999:2040], alt=CHR1[1999] + NEW),
        ),
    ],
)
def test_scores_are_those_of_the_plain_record(small_model, long_genome, write_vcf, odd, plain):
    table = score(small_model, write_vcf(odd, plain, header=HEADER), long_genome)
    assert table["reason"].tolist() == ["", ""]
    counted = table.filter(like="pixels").to_numpy()
    assert counted[0].tolist() == counted[1].tolist()
    first, second = columns(table, "SCD")
    assert (first > 0).all()
    np.testing.assert_array_equal(first, second)


def test_basenjis_window_takes_the_empty_allele_by_its_letters(small_model, long_genome, write_vcf):
    copy, base = CHR1[2000:2060], CHR1[1999]
    path = write_vcf(
        line(2000, alt=base + copy),
        f"chr1 2000 N {copy} SVTYPE=INS",
        f"chr1 2000 N N{copy} SVTYPE=INS",
        line(2000, ref=CHR1[1999:2040], alt=base),
        f"chr1 2001 {CHR1[2000:2040]} N SVTYPE=DEL",
        header=HEADER,
    )
    table = score(small_model, path, long_genome, window="basenji")
    plain, *odd = columns(table, "SCD")[:3]
    assert table["type"].tolist() == ["DUP", "DUP", "DUP", "DEL", "DEL"]
    assert (plain > 0).all()
    for values in odd:
        np.testing.assert_array_equal(values, plain)
    assert np.isfinite(columns(table, "SCD")).all()


@pytest.mark.parametrize("window", ["anchored", "basenji"])
def test_a_code_of_the_genome_is_scored_as_the_letter_of_ref(
    small_model, tmp_path, write_vcf, window
):
    """A substitution on a code has the score that it has in a genome of REF's letter."""
    pos = 1020  # a base that this model's pooling does not hide
    base = CHR1[pos - 1]
    tables = []
    for name, letter in (("plain", base), ("coded", CODES[base]), ("unknown", "N")):
        fasta = tmp_path / f"{name}.fa"
        genome.write_fasta(fasta, {"chr1": CHR1[: pos - 1] + letter + CHR1[pos:]})
        ref = "N" if letter == "N" else base
        deletion_ref = CHR1[pos - 3 : pos - 1] + ref + CHR1[pos : pos + 2]
        path = write_vcf(
            line(pos, ref=ref), line(pos - 2, ref=deletion_ref, alt=CHR1[pos - 3]), header=HEADER
        )
        tables.append(score(small_model, path, fasta, window=window))
    plain, coded, unknown = tables
    assert plain["flags"].tolist() == unknown["flags"].tolist() == ["", ""]
    assert coded["flags"].tolist() == ["ambiguous_reference"] * 2
    snv, deletion = range(2)
    values = [columns(table, "SCD") for table in (plain, coded, unknown)]
    np.testing.assert_array_equal(values[0][snv], values[1][snv])
    assert (values[0][snv] != values[2][snv]).all()
    # Among bases that a deletion takes, the model sees a code as an unknown base.
    np.testing.assert_array_equal(values[1][deletion], values[2][deletion])
    assert (values[0][deletion] != values[2][deletion]).all()


def test_letters_stand_between_the_copies(small_model, long_genome, write_vcf):
    path = write_vcf(symbol("DUP", 2000, 2040, f";SVINSSEQ={NEW}"), header=HEADER)
    with genome.Genome(long_genome) as opened:
        scorer = engine.Engine(small_model, opened, Options())
        (row,) = records.read(path, opened)
        start = scorer.windows.pair(row).frame.start
        ((aligned, _, alt),) = scorer.maps(row)
    edited = CHR1[:2040] + NEW + CHR1[2000:]
    offset = scorer.geometry.diagonal_offset
    expected = triangle.to_vector(naive_maps(small_model, edited, start), diagonal_offset=offset)
    assert aligned.mask.any()
    np.testing.assert_allclose(alt[aligned.mask], expected[aligned.mask], atol=1e-4)


def test_letters_in_place_of_a_deletion_are_no_substitution(small_model, long_genome, write_vcf):
    """As many letters as bases that are gone: a deletion all the same, whose contacts are lost."""
    letters = "".join(map(substitute, CHR1[2000:2040]))
    path = write_vcf(
        symbol("DEL", 2000, 2040, f";SVINSSEQ={letters}"),
        line(2000, ref=CHR1[1999:2040], alt=CHR1[1999] + letters),
        header=HEADER,
    )
    table = score(small_model, path, long_genome)
    assert table["type"].tolist() == ["DEL", "MNV"]
    assert (table["pixels_lost"] > 0).tolist() == [True, False]


BARE = (
    f"chr1\t1000\tB\xf6\t{CHR1[999]}\t{substitute(CHR1[999])}\nchr1\t0\tt\tN\t<DEL>\t.\t.\tEND=40\n"
)
LATIN = f'##INFO=<ID=D,Number=1,Type=String,Description="\xe4">\n{BARE}'.replace(
    "END", "D=\xf6;END"
)


@pytest.mark.parametrize("text", [BARE, LATIN], ids=["no header", "header"])
@pytest.mark.parametrize("compress", [False, True])
def test_odd_files_have_all_outputs(small_model, long_genome, tmp_path, text, compress):
    path, out = tmp_path / "odd.vcf", tmp_path / "out"
    path.write_bytes(text.encode("latin-1"))
    summary = score_directory.score_file(
        small_model,
        path,
        fasta=long_genome,
        out_dir=out,
        options=Options(scores=("SCD",)),
        compress=compress,
    )
    assert (summary.rows, summary.scored) == (2, 2)
    with h5py.File(out / "scd.h5") as file:
        assert [name.decode() for name in file["snp"]] == ["Bö", "t"]
        assert file["pos"][:].tolist() == [1000, 0]
    table = pd.read_csv(out / "scores.tsv", sep="\t", keep_default_na=False)
    assert table["id"].tolist() == ["Bö", "t"]
    assert table["detail"].tolist() == ["", ""]
    name = "odd.scored.vcf.gz" if compress else "odd.scored.vcf"
    assert (out / name).exists()
    if not compress:
        written = (out / name).read_bytes()
        assert b"\tB\xf6\t" in written
        assert (b"D=\xf6;END=40;AKITA_SCD=" in written) == (text == LATIN)


def test_outsized_numbers_reach_no_column(small_model, long_genome, write_vcf, tmp_path):
    path = write_vcf(
        line(1000),
        line(1000, alt="<DEL>", info="END=99999999999"),
        line(1000, alt="<DEL>", info="SVLEN=-99999999999"),
        "chr9 2147483647 N <DEL> END=99999999999",
        header=HEADER,
    )
    score_directory.score_file(
        small_model, path, fasta=long_genome, out_dir=tmp_path / "out", compress=True
    )
    with h5py.File(tmp_path / "out/scd.h5") as file:
        assert file["end"][:].tolist() == [1000, 0, 0, 0]
        assert file["reason"][:].tolist() == [
            reason.encode()
            for reason in ("", *[reasons.END_OUTSIDE] * 2, reasons.CHROMOSOME_UNKNOWN)
        ]


def test_two_sizes_are_refused_in_one_sentence(small_model, long_genome, write_vcf, tmp_path):
    path = write_vcf(
        symbol("DEL", 1000, 1500), symbol("DEL", 1000, 3500), line(1000), header=HEADER
    )
    summary = score_directory.score_file(
        small_model, path, fasta=long_genome, out_dir=tmp_path / "out"
    )
    assert summary.reasons == {reasons.TOO_LARGE: 2}


def test_parts_of_an_earlier_version_are_read(small_model, long_genome, write_vcf, tmp_path):
    """They have no detail."""
    with genome.Genome(long_genome) as opened:
        scorer = engine.Engine(small_model, opened, Options())
        scored = scorer.score(records.read(write_vcf(line(1000), header=HEADER), opened))
    score_table.save(tmp_path / "part.h5", scored, "id")
    with h5py.File(tmp_path / "part.h5", "a") as file:
        del file["variant/detail"]
    assert score_table.load(tmp_path / "part.h5", "id").variants == scored.variants


@pytest.mark.parametrize(
    ("bed", "message"),
    [
        ("chr1\t9\t19\ta\t0\t+\nchr1\t29\t39\tb\t0.0\t-\n", "column 5 are all 0, so ROI would"),
        ("chr1\t9\t19\ta\tnan\n", "the weight 'nan'; column 5 must be a number of at least 0"),
        ("chr1\t9\t19\ta\tinf\n", "the weight 'inf'; column 5 must be a number of at least 0"),
        ("chr1\t9\t19\ta\t-1\n", "the weight '-1'; column 5 must be a number of at least 0"),
        ("chr1\t9\t19\ta\t.\t+\n", r"the weight '\.'; column 5 must be a number of at least 0"),
        ("# nothing\n", "has no region; the ROI score needs a BED with at least one region"),
    ],
)
def test_weights_that_count_nothing_are_refused(small_model, long_genome, tmp_path, bed, message):
    (tmp_path / "roi.bed").write_text(bed)
    options = Options(scores=("ROI",), roi=str(tmp_path / "roi.bed"))
    with (
        genome.Genome(long_genome) as opened,
        pytest.raises(errors.VariantError, match=f"roi.bed: .*{message}"),
    ):
        engine.Engine(small_model, opened, options)


@pytest.mark.parametrize("text", ["²/²", "٣/٣", f"{'9' * 5000}/{'9' * 5001}", "-1/4"])
def test_a_shard_is_of_ascii_digits(text):
    with pytest.raises(errors.VariantError, match="is not a valid shard; expected i/n"):
        scoring_shard.parse_shard(text)
