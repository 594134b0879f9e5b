"""Breakends as events: types, coordinates, sequences and scores of their symbolic twins."""

import h5py
import numpy as np
import pytest

from akita_bayes import dna, regions
from akita_bayes.data import genome
from akita_bayes.variants import engine
from akita_bayes.variants.alleles import breakend_events, derivative, inversions, records
from akita_bayes.variants.options import Options
from akita_bayes.variants.scored_files import record_plan, score_directory
from akita_bayes.variants.scores import score_table
from tests.variants.conftest import LONG
from tests.variants.long import CHR1, HEADER, columns, score, substitute

NAMED = HEADER.replace(
    "#CHROM",
    "".join(
        f'##INFO=<ID={name},Number=.,Type=String,Description="Names">\n'
        for name in ("MATEID", "PARID", "EVENT")
    )
    + "#CHROM",
)
FLAGS = ("SCD", "SSD", "INS4", "IMPACT")
A, B = 2000, 2060  # last base before the event and its last base, from 1


@pytest.fixture
def write(tmp_path):
    """Writes lines `pos alt [info [id]]`; `t` in ALT stands for the genome's base at pos."""

    def write(*lines, name="bnd.vcf", chrom="chr1"):
        path = tmp_path / name
        path.write_text(NAMED + "".join(record(line, chrom) for line in lines))
        return path

    return write


def record(line, chrom="chr1"):
    pos, alt, info, name, *_ = (*line.split(), ".", ".")[:4] if len(line.split()) > 2 else (
        *line.split(), ".", "."
    )  # fmt: skip
    base = LONG[chrom][int(pos) - 1]
    return f"{chrom}\t{pos}\t{name}\t{base}\t{alt.replace('t', base)}\t.\tPASS\t{info}\n"


@pytest.fixture
def opened(long_genome):
    with genome.Genome(long_genome) as fasta:
        yield fasta


def four(a=A, b=B, shift=0, gap=0, infos=(".",) * 4):
    """W, U, V and X of an inversion of a + 1 .. b, whose right end lies `gap` further apart."""
    c, d = a + 1 + shift, b + 1 + gap
    lines = (f"{a} t]chr1:{b}]", f"{b} t]chr1:{a}]", f"{c} [chr1:{d}[t", f"{d} [chr1:{c}[t")
    return [f"{line} {info}" for line, info in zip(lines, infos, strict=True)]


def summary_of(rows):
    return [(row.kind, row.start, row.end, row.flags) for row in rows]


def spelled(row, opened):
    return derivative.letters(derivative.edited(row, opened.sizes), opened.padded)


INV = ("INV", A, B, ("breakend_event",))
DEL = ("DEL", A, B, ("breakend_event",))
DUP = ("DUP", A, B, ("breakend_event",))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([f"{A} t[chr1:{B + 1}["], [DEL]),
        ([f"{B + 1} ]chr1:{A}]t"], [DEL]),
        ([f"{A} t[chr1:{B + 1}[", f"{B + 1} ]chr1:{A}]t"], [DEL] * 2),
        ([f"{A + 1} ]chr1:{B}]t"], [DUP]),
        ([f"{B} t[chr1:{A + 1}["], [DUP]),
        ([f"{B} t[chr1:{A + 1}[", f"{A + 1} ]chr1:{B}]t"], [DUP] * 2),
        (four(), [INV] * 4),
        (four()[::-1], [INV] * 4),
        (four()[::2], [INV] * 2),
        (four()[1:3], [INV] * 2),
        (four() + four(), [INV] * 8),
    ],
)
def test_breakends_are_their_event(write, opened, lines, expected):
    rows = list(records.read(write(*lines), opened))
    assert summary_of(rows) == expected
    assert {row.inversion for row in rows} == {None}
    assert not any(row.reason for row in rows)


def test_scores_equal_those_of_the_symbolic_twin(small_model, write, long_genome):
    """To all digits, for W, V, U and X, and for both mates of a deletion and a duplication."""
    symbols = [f"{A} <{kind}> SVTYPE={kind};END={B}" for kind in ("DEL", "DUP", "INV")]
    ends = [
        [f"{A} t[chr1:{B + 1}[", f"{B + 1} ]chr1:{A}]t"],
        [f"{A + 1} ]chr1:{B}]t", f"{B} t[chr1:{A + 1}["],
        four(),
    ]
    twins = score(small_model, write(*symbols), long_genome, scores=FLAGS)
    lines = [line for group in ends for line in group]
    table = score(small_model, write(*lines, name="b.vcf"), long_genome, scores=FLAGS)
    numbers = [0] * 2 + [1] * 2 + [2] * 4
    assert table["type"].tolist() == ["DEL"] * 2 + ["DUP"] * 2 + ["INV"] * 4
    assert (table["flags"] == "breakend_event").all()
    assert table["pos"].tolist() == [int(line.split()[0]) for line in lines]
    for name in FLAGS:
        expected = columns(twins, name)[numbers]
        assert (np.abs(expected) > 0).all(), name
        np.testing.assert_array_equal(columns(table, name), expected)
    counts = ["start", "end", "window", "pixels_compared", "pixels_lost", "pixels_gained"]
    assert table[counts].equals(twins[counts].iloc[numbers].reset_index(drop=True))


LETTERS = "GATTACA"


@pytest.mark.parametrize("indexes", [(0, 1), (0,), (1,)])
@pytest.mark.parametrize("letters", ["", LETTERS])
def test_letters_in_a_deletion_and_a_duplication_are_applied(write, opened, letters, indexes):
    lines = [f"{A} t{letters}[chr1:{B + 1}[", f"{B + 1} ]chr1:{A}]{letters}t"]
    copies = [f"{A + 1} ]chr1:{B}]{letters}t", f"{B} t{letters}[chr1:{A + 1}["]
    for kind, both, expected in (
        ("DEL", lines, CHR1[:A] + letters + CHR1[B:]),
        ("DUP", copies, CHR1[:B] + letters + CHR1[A:]),
    ):
        path = write(*(both[i] for i in indexes), name=f"{kind}.vcf")
        for row in records.read(path, opened):
            assert (row.kind, row.inserted) == (kind, letters)
            assert spelled(row, opened) == expected


def test_letters_alone_in_a_junction_are_an_insertion(write, opened):
    lines = [f"{A} t{LETTERS}[chr1:{A + 1}[", f"{A + 1} ]chr1:{A}]{LETTERS}t"]
    for row in records.read(write(*lines), opened):
        assert (row.kind, row.start, row.end, row.inserted) == ("INS", A, A, LETTERS)
        assert spelled(row, opened) == CHR1[:A] + LETTERS + CHR1[A:]


def test_a_junction_that_the_genome_has_stays_a_breakend(write, opened):
    (row,) = records.read(write(f"{A} t[chr1:{A + 1}["), opened)
    assert (row.kind, row.flags) == ("BND", ())


@pytest.mark.parametrize("before", ["", "GATTC"])
@pytest.mark.parametrize("after", ["", "CCATG"])
@pytest.mark.parametrize("shift", [0, 5, -4])
@pytest.mark.parametrize("gap", [0, 9, -7])
def test_letters_gaps_and_overlaps_of_an_inversion_are_applied(
    write, opened, before, after, shift, gap
):
    c, d = A + 1 + shift, B + 1 + gap  # from 1
    other_before, other_after = dna.reverse_complement(before), dna.reverse_complement(after)
    path = write(
        f"{A} t{before}]chr1:{B}]",
        f"{B} t{other_before}]chr1:{A}]",
        f"{c} [chr1:{d}[{other_after}t",
        f"{d} [chr1:{c}[{after}t",
    )
    rows = list(records.read(path, opened))
    turned = dna.reverse_complement(CHR1[c - 1 : B])
    expected = CHR1[:A] + before + turned + after + CHR1[d - 1 :]
    flags = ("breakend_event",) if shift == gap == 0 else ("breakend_event", "inexact_inversion")
    assert summary_of(rows) == [("INV", A, d - 1, flags)] * 4
    for row in rows:
        assert spelled(row, opened) == expected
        assert row.put == len(expected) - len(CHR1) + (d - 1 - A)


def test_an_inexact_inversion_is_scored(small_model, write, opened, tmp_path):
    """All four rows alike, and saved as they are."""
    lines = four(shift=3, gap=5)
    rows = list(records.read(write(*lines), opened))
    scored = engine.Engine(small_model, opened, Options(scores=FLAGS)).score(rows)
    assert scored.reasons == [""] * 4
    assert set(scored.flags) == {"breakend_event,inexact_inversion"}
    score_table.save(tmp_path / "part.h5", scored, "x")
    assert score_table.load(tmp_path / "part.h5", "x").variants == rows
    with h5py.File(tmp_path / "part.h5", "a") as file:  # as parts were before there were events
        del file["variant/inversion"]
    older = score_table.load(tmp_path / "part.h5", "x").variants
    assert older == [row._replace(inversion=None) for row in rows]
    for name in FLAGS:
        assert (scored.values[name] == scored.values[name][0]).all()
        assert (np.abs(scored.values[name]) > 0).all()


def test_mates_that_homology_moves_are_one_junction(tmp_path, write):
    """As Manta writes them: each record as far left as its own base can lie."""
    unit = CHR1[1990:1996]
    letters = CHR1[:2060] + dna.reverse_complement(unit) + CHR1[2066:]
    genome.write_fasta(tmp_path / "g.fa", {"chr1": letters, "chr2": LONG["chr2"]})
    with genome.Genome(tmp_path / "g.fa") as opened:
        base = [letters[p - 1] for p in (1990, 2060, 1991, 2061)]
        path = tmp_path / "m.vcf"
        ends = [
            (1990, f"{base[0]}]chr1:2066]"),  # LEFT joins 1990 to 2066 ...
            (2060, f"{base[1]}]chr1:1996]"),  # ... or 1996 to 2060
            (1991, f"[chr1:2067[{base[2]}"),
            (2061, f"[chr1:1997[{base[3]}"),
        ]
        lines = (f"chr1\t{p}\t.\t{letters[p - 1]}\t{alt}\t.\t.\t.\n" for p, alt in ends)
        path.write_text(NAMED + "".join(lines))
        rows = list(records.read(path, opened))
        assert summary_of(rows) == [("INV", 1990, 2066, ("breakend_event",))] * 4


@pytest.mark.parametrize("lines", [four()[:1], four()[:2], four()[2:], four()[3:]])
def test_a_lone_end_of_an_inversion_stays_a_junction(small_model, write, long_genome, lines):
    path = write(*lines)
    table = score(small_model, path, long_genome)
    assert (table["type"] == "BND").all()
    assert (table["flags"] == "unpaired_inversion_junction").all()
    assert (columns(table, "SCD") > 0).all()
    with genome.Genome(long_genome) as opened:
        for row in records.read(path, opened):
            assert (row.start, row.end) == (row.position, row.position + 1)


NEAR = four(shift=4, gap=3)[2:]


@pytest.mark.parametrize(
    ("lines", "flags"),
    [
        # three ends: the exact one
        ([*four(), *NEAR], ["breakend_event"] * 4 + ["unpaired_inversion_junction"] * 2),
        # two inexact ones: none
        (
            [*four()[:2], *NEAR, *four(shift=5, gap=1)[2:]],
            ["ambiguous_breakend_event"] * 6,
        ),
    ],
    ids=["exact", "ambiguous"],
)
def test_of_three_ends_the_exact_ones_are_a_pair(write, opened, lines, flags):
    rows = list(records.read(write(*lines), opened))
    assert [",".join(row.flags) for row in rows] == flags
    assert all((row.kind == "INV") == ("breakend_event" in row.flags) for row in rows)


def test_of_three_ends_those_of_one_event_are_a_pair(write, opened):
    event_lines = [*four(infos=("EVENT=e",) * 4)[:2], *(line[:-1] + "EVENT=e" for line in NEAR)]
    rows = list(records.read(write(*event_lines, *four()[2:]), opened))
    pair = ("INV", A, B + 3, ("breakend_event", "inexact_inversion"))
    assert summary_of(rows[:4]) == [pair] * 4
    assert {(row.kind, row.flags) for row in rows[4:]} == {
        ("BND", ("unpaired_inversion_junction",))
    }


def test_a_junction_of_two_events_is_part_of_each(write, opened):
    """As in a file of two samples; the same junctions without EVENT are a third."""
    first, second = four(infos=("EVENT=e",) * 4), four(gap=3, infos=("EVENT=f",) * 4)
    rows = list(records.read(write(*first, *second, *four()), opened))
    inexact = ("INV", A, B + 3, ("breakend_event", "inexact_inversion"))
    assert summary_of(rows) == [INV] * 4 + [inexact] * 4 + [INV] * 4


def test_events_of_one_junction_each_do_not_make_it_ambiguous(write, opened):
    """GRIDSS may call a junction twice."""
    left = [f"{line[:-2]} EVENT={name}" for name in "ab" for line in four()[:2]]
    rows = list(records.read(write(*left, *four()[2:]), opened))
    assert summary_of(rows) == [INV] * 6


def test_records_of_one_id_are_not_all_compared(write, opened):
    lines = [f"{A} t[chr1:{B + 1 + i}[ MATEID=x x" for i in range(breakend_events.NAMESAKES + 1)]
    rows = list(records.read(write(*lines), opened))
    assert [row.end for row in rows] == [B + i for i in range(breakend_events.NAMESAKES + 1)]
    rows = list(records.read(write(*lines[1:], name="few.vcf"), opened))
    assert {row.end for row in rows} == {B + 1}


def test_an_event_joins_ends_however_far_apart(write, opened):
    lines = four(shift=30, gap=200, infos=("EVENT=x",) * 4)
    rows = list(records.read(write(*lines), opened))
    assert summary_of(rows) == [("INV", A, B + 200, ("breakend_event", "inexact_inversion"))] * 4
    alone = [line.replace("EVENT=x", ".") for line in lines]
    rows = list(records.read(write(*alone, name="alone.vcf"), opened))
    assert {row.flags for row in rows} == {("unpaired_inversion_junction",)}


def test_gridss_names_each_junction_an_event_and_mates_by_parid(write, opened):
    infos = ("EVENT=g1;PARID=g1h", "EVENT=g1;PARID=g1o", "EVENT=g2;PARID=g2h", "EVENT=g2;PARID=g2o")
    names = ("g1o", "g1h", "g2o", "g2h")
    lines = [f"{x} {n}" for x, n in zip(four(infos=infos), names, strict=True)]
    assert summary_of(records.read(write(*lines), opened)) == [INV] * 4


@pytest.mark.parametrize("key", ["MATEID", "PARID"])
def test_imprecise_mates_are_one_junction(write, opened, key):
    """Their places differ: the first record's hold, for both."""
    lines = [f"{A} t[chr1:{B + 1}[ {key}=b a", f"{B + 5} ]chr1:{A - 3}]t {key}=a b"]
    assert summary_of(records.read(write(*lines), opened)) == [DEL] * 2
    apart = [line.split(f" {key}")[0] for line in lines]
    rows = list(records.read(write(*apart, name="apart.vcf"), opened))
    assert [(row.start, row.end) for row in rows] == [(A, B), (A - 3, B + 4)]


def test_mates_of_several_alts(write, opened):
    base = CHR1[A - 1]
    lines = [
        f"{A} t[chr1:{B + 1}[,t]chr1:{B}],{substitute(base)} MATEID=d,u,. a",
        f"{B + 1} ]chr1:{A}]t MATEID=a d",
        f"{B} t]chr1:{A}] MATEID=a u",
        f"{A + 1} [chr1:{B + 1}[t . v",
    ]
    rows = list(records.read(write(*lines), opened))
    assert summary_of(rows) == [DEL, INV, ("SNV", A - 1, A, ()), DEL, INV, INV]
    assert [(row.record, row.allele) for row in rows] == [
        (0, 1), (0, 2), (0, 3), (1, 1), (2, 1), (3, 1)
    ]  # fmt: skip


def test_an_event_of_more_than_one_event_stays_junctions(write, opened):
    lines = [
        f"{A} t[chr1:{B + 1}[ EVENT=t",
        f"{A + 1} ]chr1:{B + 100}]t EVENT=t",
        f"{A - 300} t[chr1:{A - 250}[ EVENT=s",
        f"{A - 300} t[chr2:250[ EVENT=s",
        f"{A - 500} t]chr1:{A - 400}] EVENT=u",
        f"{A - 500} t]chr2:40] EVENT=u",
    ]
    rows = list(records.read(write(*lines), opened))
    flag = ("complex_breakend_event",)
    assert {row.kind for row in rows} == {"BND"}
    assert [row.flags for row in rows] == [flag, flag, flag, (), flag, ()]


def test_an_inversion_beside_others_in_its_event(write, opened):
    lines = [*four(infos=("EVENT=t",) * 4), f"{A - 300} t[chr1:{A - 250}[ EVENT=t"]
    rows = list(records.read(write(*lines), opened))
    assert summary_of(rows[:4]) == [INV] * 4
    assert (rows[4].kind, rows[4].flags) == ("BND", ("complex_breakend_event",))


def test_translocations_stay_junctions(write, opened):
    lines = [f"{A} t[chr2:900[", f"{A + 1} ]chr2:899]t", f"{A} t]chr2:900]", f"{A} [chr2:900[t"]
    rows = list(records.read(write(*lines), opened))
    assert summary_of(rows) == [
        ("BND", row.position, row.position + 1, ()) for row in rows
    ]  # fmt: skip


@pytest.mark.parametrize("line", range(4))
def test_a_region_does_not_hide_the_rest_of_an_event(write, opened, line):
    lines = four()
    row_alone = lines[line]
    position = int(row_alone.split()[0])
    region = regions.Region("chr1", position - 1, position)
    (row,) = records.read(write(*lines), opened, region=region)
    assert summary_of([row]) == [INV]
    assert row.record == line


def test_records_may_lie_anywhere_in_the_file(write, opened):
    ends = four()
    between = [f"{p} {substitute(CHR1[p - 1])}" for p in range(100, 160)]
    lines = [ends[3], *between, ends[0], *between, ends[1], ends[2]]
    rows = [row for row in records.read(write(*lines), opened) if row.kind != "SNV"]
    assert summary_of(rows) == [INV] * 4


def test_a_row_without_score_keeps_its_reason_and_hinders_no_other(write, opened):
    lines = four()
    wrong = lines[1].replace("t]", f"{substitute(CHR1[B - 1])}]")
    rows = list(records.read(write(lines[0], wrong, *lines[2:]), opened))
    assert "changes the REF base" in rows[1].reason
    assert summary_of([rows[0], *rows[2:]]) == [INV] * 3


def test_basenjis_window_shows_letters_only(small_model, write, long_genome):
    lines = [*four(), f"{A} t[chr1:{B + 1}[", f"{A} {substitute(CHR1[A - 1])}"]
    table = score(small_model, write(*lines), long_genome, window="basenji")
    assert table["reason"].tolist() == [
        *["Basenji's window shows alleles given by their letters only"] * 5,
        "",
    ]


@pytest.mark.parametrize("letters", ["", "GATTC"])
def test_an_event_too_large_for_the_window_is_scored_by_its_junctions(
    small_model, write, long_genome, opened, letters
):
    """As breakends to which no others belong are."""
    a, b = 1200, 2800
    back = dna.reverse_complement(letters)
    lines = [
        *(f"{a} t{letters}]chr1:{b}]", f"{b} t{back}]chr1:{a}]"),
        *(f"{a + 1} [chr1:{b + 1}[{back}t", f"{b + 1} [chr1:{a + 1}[{letters}t"),
        *(f"{a} t{letters}[chr1:{b + 1}[", f"{b} t{letters}[chr1:{a + 1}["),
    ]
    table = score(small_model, write(*lines), long_genome, scores=FLAGS)
    assert (table["flags"] == "event_beyond_window").all()
    assert (table["type"] == "BND").all()
    assert table["start"].tolist() == [int(line.split()[0]) - 1 for line in lines]
    for row, line in enumerate(lines):
        (parsed,) = records.read(write(line, name=f"{row}.vcf"), opened)
        alone = breakend_events.as_junction(parsed) if parsed.kind != "BND" else parsed
        scored = engine.Engine(small_model, opened, Options(scores=FLAGS)).score([alone])
        for name in FLAGS:
            np.testing.assert_array_equal(columns(table, name)[row], scored.values[name][0])
    symbol = score(
        small_model, write(f"{a} <INV> END={b}", name="s.vcf"), long_genome, scores=FLAGS
    )
    assert "two thirds of the window" in symbol["reason"][0]


def test_shards_and_the_background_see_the_same_events(
    small_model, write, long_genome, tmp_path, monkeypatch
):
    monkeypatch.setattr(record_plan, "PART", 1)
    lines = [*four(), f"{A} t[chr1:{B + 1}[", f"{A} t]chr1:3500]"]
    path = write(*lines)
    whole = score_directory.score_file(
        small_model, path, fasta=long_genome, out_dir=tmp_path / "whole", null=4
    )
    for shard in (2, 0, 1):
        summary = score_directory.score_file(
            small_model,
            path,
            fasta=long_genome,
            out_dir=tmp_path / "shards",
            shard=score_directory.Shard(shard, 3),
            null=4,
            null_path=tmp_path / "whole" / "null.h5",
        )
    assert summary.complete
    assert summary.results.variants == whole.results.variants
    assert [row.kind for row in whole.results.variants] == ["INV"] * 4 + ["DEL", "BND"]
    for name, value in whole.results.values.items():
        np.testing.assert_array_equal(summary.results.values[name], value)
    for key, value in whole.results.statistics.items():
        np.testing.assert_array_equal(summary.results.statistics[key], value)
    assert np.isfinite(whole.results.statistics["SCD", "quantile"]).all()


@pytest.mark.parametrize(
    ("spread", "most"),
    [("scattered", 2), ("crowded", 20), ("one base", 5), ("concentric", 2 * inversions.TOLERANCE)],
)
def test_an_end_is_compared_with_few_others(opened, monkeypatch, spread, most):
    """However the ends of 16,000 breakends lie: never with all."""
    compared = []
    within = inversions._within

    def counted(*arguments):
        for number in within(*arguments):
            compared.append(number)
            yield number

    def breakends(count):
        random = np.random.default_rng(0)
        for number in range(count):
            low, high = (int(base) for base in random.integers(0, 900, 2))
            if spread == "scattered":
                low, high = 1_000 * low + 10_000 * (number // 2), 10_000 * (number // 2) + 5_000
            elif spread == "concentric":
                low, high = number // 2, 10 * count - number // 2
            elif spread == "one base":
                low, high = 0, number
            after = bool(number % 2)
            row = records.Variant(
                number, 1, "chr1", low, ".", "N", "N", "BND", low, low + 1, "A",
                records.Breakend("chr1", 2_200 + high, not after, after),
            )  # fmt: skip
            yield breakend_events.Breakend(row, {}, 1)

    monkeypatch.setattr(inversions, "_within", counted)
    assert len(breakend_events.recognised(breakends(16_000), opened)) == 16_000
    assert len(compared) <= most * 16_000
