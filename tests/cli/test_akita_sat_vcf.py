"""`akita_sat.py` on a VCF: the bases around each variant, on REF and on each ALT."""

import json

import h5py
import numpy as np
import pandas as pd
import pysam
import pytest

from akita_bayes.cli import akita_sat
from akita_bayes.data import genome
from akita_bayes.models import build, zoo
from akita_bayes.plots import saturation_plots as plots
from tests import tiny

LETTERS = "".join(np.random.default_rng(0).choice(list("ACGT"), 1000))
POS = 500  # counted from 1
OTHER = {"A": "C", "C": "G", "G": "T", "T": "A"}
SNV = (LETTERS[POS - 1], OTHER[LETTERS[POS - 1]])
DELETION = (LETTERS[POS - 1 : POS + 5], LETTERS[POS - 1])
INSERTION = (LETTERS[POS - 1], LETTERS[POS - 1] + "GATTACA" * 3)


def altered(ref, alt):
    """The chromosome that carries a variant, by text."""
    assert LETTERS[POS - 1 : POS - 1 + len(ref)] == ref
    return LETTERS[: POS - 1] + alt + LETTERS[POS - 1 + len(ref) :]


def vcf(path, *variants):
    lines = ["##fileformat=VCFv4.2", "##contig=<ID=chr1>"]
    lines.append("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO")
    lines += [f"chr1\t{pos}\t{name}\t{ref}\t{alt}\t.\t.\t." for pos, name, ref, alt in variants]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sat_vcf")
    (folder / "params.json").write_text(json.dumps(tiny.spec_json()))
    build.build(zoo.parse_spec(tiny.spec_json())).save(folder / "model.keras")
    genome.write_fasta(folder / "genome.fa", {"chr1": LETTERS})
    return folder


def run(folder, out, where, *options, fasta="genome.fa"):
    paths = [str(folder / "params.json"), str(folder / "model.keras"), str(where)]
    return akita_sat.main([*paths, "-f", str(folder / fasta), "-o", str(out), *options])


@pytest.mark.parametrize(
    ("ref", "alt", "group"),
    [
        (*SNV, f"chr1:496-504@500{SNV[0]}>{SNV[1]}"),
        pytest.param(
            *DELETION,
            f"chr1:496-504@500{DELETION[0]}>{DELETION[1]}",
            marks=pytest.mark.slow,
        ),
        pytest.param(*INSERTION, None, marks=pytest.mark.slow),
    ],
)
def test_an_alt_is_scanned_as_in_a_genome_that_has_it(folder, tmp_path, ref, alt, group):
    where = vcf(tmp_path / "variants.vcf", (POS, "rs1", ref, alt))
    options = ("-l", "8", "--method", "ism,gradient")
    assert run(folder, tmp_path / "vcf", where, *options) == 0
    genome.write_fasta(tmp_path / "alt.fa", {"chr1": altered(ref, alt)})
    (tmp_path / "site.bed").write_text("chr1\t496\t504\n")
    bed = tmp_path / "site.bed"
    assert run(folder, tmp_path / "ref", bed, *options) == 0
    assert run(folder, tmp_path / "alt", bed, *options, fasta=tmp_path / "alt.fa") == 0
    table = pd.read_csv(tmp_path / "vcf" / "sites.tsv", sep="\t", keep_default_na=False)
    assert list(table["sequence"]) == ["REF", "ALT"]
    assert list(table["snp"]) == ["rs1", "rs1"]
    assert table["group"][0] == "chr1:496-504"
    assert group is None or table["group"][1] == group
    with h5py.File(tmp_path / "vcf" / "sat.h5") as scans:
        assert set(scans) == set(table["group"])
        for name, twin in zip(table["group"], ("ref", "alt"), strict=True):
            with h5py.File(tmp_path / twin / "sat.h5") as expected:
                for dataset in ("ism/seqs", "ism/SCD", "gradient/SSD"):
                    np.testing.assert_array_equal(
                        scans[f"{name}/{dataset}"][:], expected[f"chr1:496-504/{dataset}"][:]
                    )
        # The base at POS is the last of the first half, as in Basenji.
        at = scans[f"{table['group'][0]}/ism/seqs"][3]
        assert "ACGT"[int(at.argmax())] == LETTERS[POS - 1]
        assert not np.array_equal(
            scans[f"{table['group'][1]}/ism/SCD"][:], scans["chr1:496-504/ism/SCD"][:]
        )


def test_two_hundred_bases_are_scanned_and_end_with_the_chromosome(folder, tmp_path):
    variants = [(pos, LETTERS[pos - 1], OTHER[LETTERS[pos - 1]]) for pos in (500, 950)]
    where = vcf(tmp_path / "v.vcf", *((pos, f"v{pos}", ref, alt) for pos, ref, alt in variants))
    options = ("--method", "deletion", "--width", "20")
    # a window of this model shows 192 bases, fewer than Basenji's 200
    assert run(folder, tmp_path / "wide", where, *options) == 2
    assert run(folder, tmp_path / "out", where, *options, "-l", "180") == 0
    with h5py.File(tmp_path / "out" / "sat.h5") as file:
        spans = {(int(g["deletion"].attrs["start"]), int(g["deletion"].attrs["end"]))
                  for g in file.values()}  # fmt: skip
    assert spans == {(410, 590), (860, 1000)}


def test_what_is_not_scanned_is_told(folder, tmp_path, capsys):
    ref, alt = SNV
    third = next(base for base in "ACGT" if base not in SNV)
    where = vcf(
        tmp_path / "variants.vcf",
        (POS, "many", ref, f"{alt},{third},*"),
        (POS, "wrong", f"{third}{third}{third}", "A"),
        (POS, "join", ref, f"{ref}]chr1:700]"),
    )
    assert run(folder, tmp_path / "out", where, "-l", "2", "--targets", "0") == 0
    assert "3 alleles are not scanned" in " ".join(capsys.readouterr().out.split())
    table = pd.read_csv(tmp_path / "out" / "sites.tsv", sep="\t", keep_default_na=False)
    assert list(zip(table["snp"], table["sequence"], table["group"] != "", strict=True)) == [
        ("many", "REF", True),
        ("many", "ALT", True),
        ("many", "ALT", True),
        ("many", "ALT", False),
        ("wrong", "ALT", False),
        ("join", "REF", True),
        ("join", "ALT", False),
    ]
    assert table["reason"].iloc[-1] == "a breakend has no place on one chromosome"
    with h5py.File(tmp_path / "out" / "sat.h5") as file:
        assert len(file) == 3
    tracks = (tmp_path / "out" / "tracks" / "ism_SCD_t0.bedgraph").read_text().splitlines()
    assert len(tracks) == 2  # of the genome alone
    assert len(list((tmp_path / "out" / "logos").glob("*.png"))) == 3


def test_a_packed_vcf_is_told_from_a_bed_by_its_content(folder, tmp_path, scanned_places):
    path = vcf(tmp_path / "variants.vcf", (POS, "rs1", *SNV))
    packed = tmp_path / "variants.gz"
    pysam.tabix_compress(str(path), str(packed))
    assert run(folder, tmp_path / "out", packed, "-l", "2", "--targets", "0") == 0
    assert scanned_places == [(499, 501), (499, 501)]


@pytest.fixture
def scanned_places(monkeypatch):
    from akita_bayes.variants.saturation import region_scan

    spans, original = [], region_scan.Scanner.scan

    def scan(self, region, method, **options):
        spans.append((region.start, region.end))
        return original(self, region, method, **options)

    monkeypatch.setattr(region_scan.Scanner, "scan", scan)
    return spans


def test_finished_alleles_are_not_scanned_again(folder, tmp_path, scanned_places):
    where = vcf(tmp_path / "v.vcf", (POS, "rs1", *SNV))
    for _ in range(2):
        assert run(folder, tmp_path / "out", where, "-l", "2", "--targets", "0") == 0
    assert len(scanned_places) == 2


def test_bases_up_and_down_of_the_middle(folder, tmp_path, scanned_places):
    (tmp_path / "r.bed").write_text("chr1\t500\t520\n")
    for number, options in enumerate((("-u", "3", "-d", "5"), ("-d", "4"))):
        out = tmp_path / str(number)
        assert run(folder, out, tmp_path / "r.bed", *options, "--targets", "0") == 0
    assert scanned_places == [(507, 515), (510, 514)]


def test_figures_have_basenjis_width_limit_and_the_names_of_targets(folder, tmp_path, monkeypatch):
    properties, original = [], plots.figure

    def figure(scan, name, **options):
        fig = original(scan, name, **options)
        clim = fig.axes[1].images[0].get_clim()
        properties.append((fig.get_suptitle(), fig.get_size_inches()[0], clim[1]))
        return fig

    monkeypatch.setattr(plots, "figure", figure)
    (tmp_path / "t.txt").write_text("\tidentifier\tdescription\n0\tHFF\ta\n1\tGM\tb\n")
    where = vcf(tmp_path / "v.vcf", (POS, "rs1", *SNV))
    options = ("-l", "2", "--targets", "1", "-t", str(tmp_path / "t.txt"))
    assert run(folder, tmp_path / "out", where, *options, "-w", "9", "-m", "70") == 0
    assert properties == [
        ("chr1:499-501, target GM", 9.0, 70.0),
        (f"chr1:499-501 with 500{SNV[0]}>{SNV[1]}, target GM", 9.0, 70.0),
    ]


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        ([], (), "has no variant to scan."),
        (
            [(POS, "x", SNV[0], "*")],
            (),
            "has no variant to scan; reason for the first: ALT * stands",
        ),
        ([(POS, "x", *SNV)], ("-u", "3"), "-u, -d: need a BED file of regions"),
    ],
)
def test_refuses_in_one_line(folder, tmp_path, capsys, lines, options, message):
    where = vcf(tmp_path / "v.vcf", *lines)
    assert run(folder, tmp_path / "out", where, *options) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()
