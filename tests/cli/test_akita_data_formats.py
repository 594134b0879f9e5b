"""`akita_data.py` on every kind of file that people have."""

import json
import os
import re

import cooler
import h5py
import numpy as np
import pytest

from akita_bayes.cli import akita_data
from akita_bayes.data import genome
from tests import coolers as world
from tests import hic_files
from tests.data.contacts import test_hic_files as hic


@pytest.fixture
def folder(cooler_world):
    return cooler_world


def run(folder, *options, out="out"):
    command = world.command(folder, *options)
    command[command.index("-o") + 1] = str(folder / out)
    return akita_data.main(command)


def table(folder, file, columns="", values=""):
    (folder / "targets.txt").write_text(f"identifier\tfile{columns}\nA\t{file}{values}\n")


def same_records(folder, first, second):
    pair = [world.records_of(folder / name) for name in (first, second)]
    assert len(pair[0]) > 15
    assert set(pair[0]) == set(pair[1])
    for key, record in pair[0].items():
        twin = pair[1][key]
        for name in ("sequence", "target", "mask"):
            assert getattr(record, name).tobytes() == getattr(twin, name).tobytes(), (key, name)


def checks(folder, out="out"):
    return akita_data.main(["--check", str(folder / out)]) == 0


def sequence(size, seed):
    return "".join(np.random.default_rng(seed).choice(list("ACGT"), size))


@pytest.fixture
def juicer(tmp_path):
    """A genome, and the same map as a cooler and as .hic files."""
    sequences = {name: sequence(size, 1) for name, size in hic.GENOME.sizes.items()}
    genome.write_fasta(tmp_path / "genome.fa", sequences)
    vector = hic.vectors()["KR"]
    hic.write_cooler(tmp_path / "a.cool", vector)
    for version in (8, 9):
        hic_files.write(
            tmp_path / f"v{version}.hic",
            hic.SIZES,
            200,
            hic.triangles(),
            hic.vectors(),
            version=version,
        )
    hic.write_hictkpy(tmp_path / "hictkpy.hic", [200, 400])
    return tmp_path


def test_hic_files_give_the_records_of_the_cooler(juicer):
    table(juicer, "a.cool", "\tweight\tdivisive", "\tKR\tyes")
    assert run(juicer, out="cooler") == 0
    for version in (8, 9):
        table(juicer, f"v{version}.hic")
        assert run(juicer, "--norm", "KR", "-w", "200", out=f"v{version}") == 0
        same_records(juicer, "cooler", f"v{version}")
        assert checks(juicer, f"v{version}")
    table(juicer, "a.cool")
    assert run(juicer, "--weight", "NONE", out="raw") == 0
    table(juicer, "hictkpy.hic")
    assert run(juicer, "--norm", "NONE", "-w", "200", out="hictkpy") == 0
    same_records(juicer, "raw", "hictkpy")
    assert checks(juicer, "hictkpy")
    assert "v8.hic::/resolutions/200" in (juicer / "v8" / "targets.txt").read_text()


def test_an_mcool_is_read_at_the_bin_width(folder, capsys):
    cooler.zoomify_cooler(
        str(folder / "a.cool"),
        str(folder / "a.mcool"),
        [200, 400],
        chunksize=100_000,
    )
    table(folder, "a.mcool")
    assert run(folder) == 2
    assert "several resolutions (200, 400 bases); choose one with -w" in capsys.readouterr().err
    assert run(folder, "-w", "400", "-l", "6400", "--weight", "NONE") == 0
    assert json.loads((folder / "out" / "statistics.json").read_text())["pool_width"] == 400
    assert checks(folder)


@pytest.mark.slow
def test_a_cooler_without_weights_is_balanced_for_the_run(folder, capsys):
    table(folder, "a.cool")
    with h5py.File(folder / "a.cool", "r+") as file:
        del file["bins/weight"]
    content = (folder / "a.cool").read_bytes()
    assert run(folder, "--balance", "-p", "2") == 0
    assert (folder / "a.cool").read_bytes() == content
    assert not list((folder / "out").rglob("weights*"))
    assert checks(folder)


def test_a_dry_run_prints_what_would_be_made_and_writes_nothing(folder, capsys):
    before = sorted(folder.rglob("*"))
    assert run(folder, "--dry_run") == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert not (folder / "out").exists()
    assert sorted(folder.rglob("*")) == before
    assert run(folder) == 0
    assert " ".join(capsys.readouterr().out.split()).startswith(printed)
    summary = json.loads((folder / "out" / "summary.json").read_text())
    match = re.search(r"(\d+) windows of 3200 bases|(\d+) windows of 3,200 bases", printed)
    count = int(next(filter(None, match.groups())))
    assert count == sum(summary["written"].values())
    assert f"train {summary['written']['train']}, valid" in printed
    masked = float(re.search(r"2 targets, (.*)% of pixels masked", printed)[1])
    expected = np.mean([target["masked"] for target in summary["targets"].values()])
    assert masked == pytest.approx(100 * expected, abs=0.06)


def test_names_of_a_table_and_numerals(folder, tmp_path, capsys):
    with genome.Genome(folder / "genome.fa") as opened:
        letters = {name: opened.padded(name, 0, size) for name, size in opened.sizes.items()}
    (folder / "genome.fa.fai").unlink()
    names = dict(zip(letters, ("chrI", "chrII", "chrIII"), strict=True))
    genome.write_fasta(folder / "genome.fa", {names[name]: text for name, text in letters.items()})
    assert run(folder, "-v", "chr2", "-t", "", out="numerals") == 0
    lines = (folder / "numerals" / "sequences.bed").read_text().splitlines()
    assert {line.split("\t")[0] for line in lines if line.endswith("valid")} == {"chrII"}
    (folder / "names.txt").write_text("chr1 chrII\nchr2 chrI\n")
    assert run(folder, "--chromosomes", str(folder / "names.txt"), out="table") == 2
    assert "chr1 has 40,000 bases, but chrII of the genome has 24,000" in capsys.readouterr().err
    (folder / "names.txt").write_text("chr1 chrI\n")
    assert run(folder, "--chromosomes", str(folder / "names.txt"), out="table") == 0
    assert checks(folder, "table")


def test_windows_cross_the_origin_of_a_circular_chromosome(folder, capsys):
    size = 23_930  # 119 bins and one of 130 bases
    sizes = {"plasmid": size}
    text = sequence(size, 3)
    genome.write_fasta(folder / "genome.fa", {"plasmid": text})
    world.write(folder / "a.cool", sizes=sizes, seed=1)
    table(folder, "a.cool")
    command = ["--circular", "-v", "", "-t", "", "--stride_train", "0.25"]
    assert run(folder, *command) == 0
    assert json.loads((folder / "out" / "statistics.json").read_text())["circular"] == sizes
    records = world.records_of(folder / "out")
    across = {region: record for (_, region), record in records.items() if region.end > size}
    assert len(across) >= 3
    for region, record in across.items():
        assert region.start < size
        doubled = text + text
        expected = ["ACGT".index(letter) for letter in doubled[region.start : region.end]]
        assert record.sequence.tolist() == expected
    bed = [line.split("\t") for line in (folder / "out" / "sequences.bed").read_text().splitlines()]
    assert {int(end) for _, _, end, _ in bed if int(end) > size} == {r.end for r in across}
    assert checks(folder)
    # The windows may be given back as a BED file.
    again = ["--circular=plasmid", "--windows", str(folder / "out" / "sequences.bed")]
    assert run(folder, *again, out="again") == 0
    assert world.records_of(folder / "again").keys() == records.keys()
    assert run(folder, *again[1:], out="linear") == 0
    dropped = (folder / "linear" / "dropped.tsv").read_text()
    assert dropped.count("runs off the chromosome's end") == len(across)


def test_splits_of_a_circular_chromosome_are_a_window_apart_across_its_origin(folder):
    size = 40_070
    genome.write_fasta(folder / "genome.fa", {"c": sequence(size, 3)})
    world.write(folder / "a.cool", sizes={"c": size}, seed=1)
    table(folder, "a.cool")
    options = ["--circular", "-v", "0.2", "-t", "0.2", "--stride_train", "0.25"]
    assert run(folder, *options) == 0
    owner = {}
    records = world.records_of(folder / "out")
    assert {split for split, _ in records} == {"train", "valid", "test"}
    assert any(region.end > size for _, region in records)
    for split, region in records:
        # One window is 16 bins: widened by almost that, no bin has two owners.
        for number in range(region.start // 200, region.end // 200 + 15):
            assert owner.setdefault(number % 200, split) == split
    assert checks(folder)


def test_a_circle_is_named_where_the_genome_has_several(folder, capsys):
    assert run(folder, "--circular") == 2
    assert "has 3 chromosomes; name those that are circular" in capsys.readouterr().err
    assert run(folder, "--circular=chr7") == 2
    assert "no chromosome 'chr7'" in capsys.readouterr().err


def test_a_shallow_map_is_told_with_a_wider_bin(folder, capsys, caplog):
    world.write(folder / "a.cool", depth=3.0, seed=1)
    table(folder, "a.cool")
    with caplog.at_level("INFO"):
        assert run(folder, "--dry_run") == 0
    assert "A: too shallow for bins of 200 bases" in caplog.text


YEAST = [
    *("-l", "128000", "-w", "2000", "-c", "8000", "--as_obsexp", "-k", "1"),
    *("--stride_train", "16000", "--stride_test", "32000"),
    *("-v", "chr9,chr3", "-t", "chr11,chr2,chr14"),
]


def test_real_yeast_needs_no_preparation(real_data, tmp_path, capsys, caplog):
    """Names, ends and lengths of map and genome differ."""
    file = real_data / "hic" / "scer_w303_g1_2kb_SRR8769554.cool"
    (tmp_path / "targets.txt").write_text(f"identifier\tfile\nA\t{file}\n")
    paths = [str(real_data / "genome" / "yeast" / "sacCer3.2bit"), str(tmp_path / "targets.txt")]
    with caplog.at_level("INFO"):
        assert akita_data.main([*paths, *YEAST, "--dry_run"]) == 0
    assert capsys.readouterr().out.startswith(
        "560 windows of 128 kb from 16 chromosomes (train 484, valid 16, test 60), 1 target, 6.2% "
    )
    assert "4 of 17 chromosomes end before those of the genome (chrXII by 6,177 bases" in (
        caplog.text
    )
    assert "reading chr1 as chrI, and 15 more alike" in caplog.text
    assert "too shallow for bins of 2 kb" in caplog.text


def test_a_real_bacterium_is_a_circle(real_data, tmp_path, capsys):
    folder = real_data / "genome" / "ecoli"
    (tmp_path / "targets.txt").write_text(
        f"identifier\tfile\nA\t{folder / 'ecoli_SRX3451210_9897.cool'}\n"
    )
    paths = [str(folder / "GCF_000005845.2.fna.gz"), str(tmp_path / "targets.txt")]
    options = ["-l", "158352", "--as_obsexp", "-k", "1", "--circular", "-o", str(tmp_path / "out")]
    assert akita_data.main([*paths, *options]) == 0
    assert "deep enough" not in capsys.readouterr().out
    lines = (tmp_path / "out" / "sequences.bed").read_text().splitlines()
    assert sum(int(line.split("\t")[2]) > 4_641_652 for line in lines) == 1
    assert checks(tmp_path)


def test_windows_may_come_from_a_pipe(folder):
    """A pipe, as `<(...)`, can be read once."""
    reading, writing = os.pipe()
    os.write(writing, b"chr1\t0\t3200\ttest\nchr1\t8000\t11200\n")
    os.close(writing)
    assert run(folder, "--windows", f"/dev/fd/{reading}") == 0
    os.close(reading)
    records = world.records_of(folder / "out")
    assert sorted((split, region.start) for split, region in records) == [
        ("test", 0),
        ("train", 8000),
    ]
