import json
import re
import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest

from akita_bayes.cli import akita_data
from akita_bayes.data import genome
from akita_bayes.data.records import statistics, tfrecord
from tests import coolers as world


@pytest.fixture
def folder(cooler_world):
    return cooler_world


def run(folder, *options):
    return akita_data.main(world.command(folder, *options))


def test_the_whole_command(folder, capsys):
    assert run(folder, "--stride_train", "0.25", "-r", "16", "--plot", "2") == 0
    printed = capsys.readouterr().out
    summary = json.loads((folder / "out" / "summary.json").read_text())
    assert re.search(rf"written to train +│ {summary['written']['train']} ", printed)
    stats = statistics.read(folder / "out")
    assert (stats.pool_width, stats.crop_bp, stats.bins, stats.num_targets) == (200, 400, 12, 2)
    image = matplotlib.image.imread(folder / "out" / "windows.png")
    assert image.shape[0] > 500
    assert np.ptp(image) == 1
    assert akita_data.main(["--check", str(folder / "out"), "--sample_check", "4"]) == 0
    assert "largest difference" in capsys.readouterr().out


def test_a_directory_that_does_not_check_fails(folder, capsys):
    assert run(folder) == 0
    path = folder / "out" / "tfrecords" / "train-0.tfr"
    path.write_bytes(path.read_bytes()[:-20])
    assert akita_data.main(["--check", str(folder / "out")]) == 2
    assert "failed checks: train: records" in capsys.readouterr().err


def test_a_finished_directory_stays_as_it_is(folder, capsys, caplog):
    assert run(folder) == 0
    first = capsys.readouterr().out
    with caplog.at_level("INFO"):
        assert run(folder, "--restart") == 0
    assert "is finished; nothing is left to do" in caplog.text
    assert capsys.readouterr().out == first


@pytest.mark.slow
def test_the_script_with_two_processes_and_basenjis_letters(folder, repository):
    done = subprocess.run(
        [
            sys.executable,
            str(repository / "bin" / "akita_data.py"),
            *("--as_obsexp", "-l", "3200", "-c", "400", "-w", "200", "-d", "2", "-k", "1"),
            *("--local", "-p", "2", "-r", "8", "-v", "chr2", "-t", "", "--snap", "400"),
            *("--stride_train", "0.5", "-o", "out", "genome.fa", "targets.txt"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert dict(statistics.read(folder / "out").seqs) == {"train": 24, "valid": 7, "test": 0}
    assert "chr3 (2,000 bases) has no stretch as long as one window" in done.stderr


@pytest.mark.parametrize(
    ("preset", "bins", "pixels"), [("akita_v1", 448, 99681), ("akita_v2", 512, 130305)]
)
def test_presets(monkeypatch, tmp_path, preset, bins, pixels):
    genome.write_fasta(tmp_path / "genome.fa", {"chr1": "ACGT"})
    plan_options = {}

    def plan(options):
        plan_options.update(transform=options.transform, layout=options.layout, clip=options.clip)
        raise KeyboardInterrupt

    monkeypatch.setattr("akita_bayes.data.preparation.data_plan.plan", plan)
    monkeypatch.setattr("akita_bayes.data.preparation.targets.read", lambda *a, **k: [])
    command = [str(tmp_path / "genome.fa"), "targets.txt", "-o", "out", "--preset", preset]
    assert akita_data.main(command) == 130
    assert (plan_options["transform"].map_bins, plan_options["transform"].pixels) == (bins, pixels)
    assert plan_options["transform"].kernel_radius == 2
    assert plan_options["layout"].stride("train") == plan_options["transform"].seq_length // 4
    assert akita_data.main([*command, "--kernel_sigma", "0", "--clip", "1.5"]) == 130
    assert plan_options["transform"].kernel_sigma == 0
    assert plan_options["clip"] == 1.5


def test_lower_case_and_unknown_bases(folder):
    with genome.Genome(folder / "genome.fa") as opened:
        sequences = {name: opened.padded(name, 0, size) for name, size in opened.sizes.items()}
    (folder / "genome.fa.fai").unlink()
    mixed = {
        name: "N" * 500 + text[500:1000].lower() + text[1000:] for name, text in sequences.items()
    }
    genome.write_fasta(folder / "genome.fa", mixed)
    (folder / "windows.bed").write_text("chr1\t0\t3200\n")
    assert run(folder, "--windows", str(folder / "windows.bed")) == 0
    stats = statistics.read(folder / "out")
    (record,) = tfrecord.read_records(folder / "out" / "tfrecords" / "train-0.tfr", stats)
    assert (record.sequence[:500] == 4).all()
    expected = ["ACGT".index(letter) for letter in sequences["chr1"][500:3200]]
    np.testing.assert_array_equal(record.sequence[500:], expected)


def test_names_without_chr_are_mapped(folder, capsys):
    sizes = {name.removeprefix("chr"): size for name, size in world.SIZES.items()}
    world.write(folder / "a.cool", sizes=sizes, seed=1)
    assert run(folder) == 0
    assert akita_data.main(["--check", str(folder / "out")]) == 0


def test_only_windows(folder):
    assert run(folder, "--split_test") == 0
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        "contigs.bed",
        "sequences.bed",
    ]


def test_what_is_needed(capsys):
    with pytest.raises(SystemExit):
        akita_data.main(["genome.fa"])
    assert "needs genome.fa targets.txt -o DIR" in capsys.readouterr().err


def test_a_genome_wide_expectation(folder):
    for name in ("a", "b"):
        lines = [
            f"{chrom}\t{chrom}\t{distance}\t{0.6 / (1 + distance)}"
            for chrom in ("chr1", "chr2")
            for distance in range(100)
        ]
        table = "\n".join(["region1\tregion2\tdist\tbalanced.avg", *lines])
        (folder / f"{name}.expected").write_text(table + "\n")
    assert run(folder, "--global_obsexp") == 0
    summary = json.loads((folder / "out" / "summary.json").read_text())
    assert abs(summary["targets"]["A"]["quantiles"]["0.5"]) < 0.2
    assert akita_data.main(["--check", str(folder / "out")]) == 0


def test_gaps_limit_sample_and_unmappable_stretches(folder):
    beds = {
        "gaps": "chr1\t20000\t21000\n",
        "limit": "chr1\t0\t40000\n",
        "umap": "chr1\t0\t6000\n",
    }
    options = []
    for name, text in beds.items():
        (folder / f"{name}.bed").write_text(text)
        options += [f"--{name}", str(folder / f"{name}.bed")]
    assert run(folder, *options, "--sample", "0.5", "--stride_train", "0.5") == 0
    windows = [
        (chrom, int(start), int(end))
        for chrom, start, end, _ in map(
            str.split, (folder / "out" / "sequences.bed").read_text().splitlines()
        )
    ]
    assert windows
    for chrom, start, end in windows:
        assert chrom == "chr1"
        assert end <= 20_000 or start >= 21_000
        assert start >= 6000 - 0.3 * 3200


def test_help_shows_the_defaults_that_say_something(capsys):
    with pytest.raises(SystemExit):
        akita_data.main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "(default: 8388608)" in text
    assert "default: None" not in text
    assert "default: False" not in text
