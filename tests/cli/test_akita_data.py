import gzip
import json
import os
import re
import resource
import shutil
import subprocess
import sys

import h5py
import matplotlib.image
import numpy as np
import pytest

from akita_bayes.cli import akita_data
from akita_bayes.data import genome, statistics
from tests import coolers as world


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return world.world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def folder(template, tmp_path):
    """A fresh copy: most tests spoil it."""
    copy = tmp_path / "world"
    shutil.copytree(template, copy)
    return copy


def run(folder, *options):
    return akita_data.main(
        [
            str(folder / "genome.fa"),
            str(folder / "targets.txt"),
            "-o",
            str(folder / "out"),
            *world.CLI,
            *options,
        ]
    )


def test_the_whole_command(folder, capsys):
    assert run(folder, "--stride_train", "0.25", "-r", "16", "--plot", "2") == 0
    printed = capsys.readouterr().out
    summary = json.loads((folder / "out" / "summary.json").read_text())
    assert re.search(rf"written to train +│ {summary['written']['train']} ", printed)
    found = statistics.read(folder / "out")
    assert (found.pool_width, found.crop_bp, found.bins, found.num_targets) == (200, 400, 12, 2)
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
    assert "not right: train: records" in capsys.readouterr().err


def test_a_finished_directory_stays_as_it_is(folder, capsys, caplog):
    assert run(folder) == 0
    first = capsys.readouterr().out
    with caplog.at_level("INFO"):
        assert run(folder, "--restart") == 0
    assert "is finished; nothing is left to do" in caplog.text
    assert capsys.readouterr().out == first


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
def test_presets(monkeypatch, preset, bins, pixels):
    seen = {}

    def make(fasta, targets, out, *, transform, layout, clip, **options):
        seen.update(transform=transform, layout=layout, clip=clip)
        raise KeyboardInterrupt

    monkeypatch.setattr("akita_bayes.data.directory.make", make)
    monkeypatch.setattr("akita_bayes.data.targets.read", lambda *a, **k: [])
    command = ["genome.fa", "targets.txt", "-o", "out", "--preset", preset]
    assert akita_data.main(command) == 130
    assert (seen["transform"].map_bins, seen["transform"].pixels) == (bins, pixels)
    assert seen["transform"].kernel_radius == 2
    assert seen["layout"].stride("train") == seen["transform"].seq_length // 4
    assert akita_data.main([*command, "--kernel_sigma", "0", "--clip", "1.5"]) == 130
    assert seen["transform"].kernel_sigma == 0
    assert seen["clip"] == 1.5


def truncated_cooler(folder):
    path = folder / "b.cool"
    path.write_bytes(path.read_bytes()[:20_000])


def unbalanced_cooler(folder):
    with h5py.File(folder / "a.cool", "r+") as file:
        del file["bins/weight"]


def wrong_resolution(folder):
    return ["-w", "400"]


def no_common_chromosome(folder):
    world.write(folder / "a.cool", sizes={"contig_1": 40_000})


def other_assembly(folder):
    world.write(folder / "a.cool", sizes={**world.SIZES, "chr1": 41_000})


def short_fasta(folder):
    (folder / "genome.fa.fai").unlink()
    with genome.Genome(folder / "genome.fa") as opened:
        sequences = {name: opened.padded(name, 0, 30_000) for name in opened.sizes}
    genome.write_fasta(folder / "genome.fa", sequences)


def empty_fasta(folder):
    (folder / "genome.fa").write_text("")


def two_sequences_of_one_name(folder):
    (folder / "genome.fa.fai").unlink()
    with open(folder / "genome.fa", "a") as file:
        file.write(">chr1\nACGT\n")


def duplicate_identifiers(folder):
    (folder / "targets.txt").write_text("identifier\tfile\nA\ta.cool\nA\tb.cool\n")


def unreadable_targets(folder):
    (folder / "targets.txt").write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff")


def missing_cooler(folder):
    (folder / "b.cool").unlink()


def empty_bed(folder):
    (folder / "windows.bed").write_text("")
    return ["--windows", str(folder / "windows.bed")]


def missing_blacklist(folder):
    return ["-b", str(folder / "absent.bed")]


def every_chromosome_too_short(folder):
    return ["-l", "80000", "--break", "80000"]


def share_and_chromosome(folder):
    return ["-v", "0.1", "-t", "chr2"]


def broken_length(folder):
    return ["-l", "3300"]


def broken_crop(folder):
    return ["-c", "100"]


def broken_stride(folder):
    return ["--stride_train", "333"]


def unknown_chromosome(folder):
    return ["-v", "chr9", "-t", "chr2"]


def too_many_folds(folder):
    return ["--folds", "5"]


def filled_directory(folder):
    (folder / "out").mkdir()
    (folder / "out" / "thesis.txt").write_text("years of work")


def output_is_a_file(folder):
    (folder / "out").write_text("years of work")


def occupied_and_only_windows(folder):
    filled_directory(folder)
    return ["--split_test"]


def gzipped_blacklist(folder):
    (folder / "blacklist.bed.gz").write_bytes(gzip.compress(b"chr1\t0\t100\n"))
    return ["-b", str(folder / "blacklist.bed.gz")]


def binary_gaps(folder):
    (folder / "gaps.bed").write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff")
    return ["-g", str(folder / "gaps.bed")]


def binary_expected(folder):
    for name in ("a", "b"):
        (folder / f"{name}.expected").write_bytes(b"\x1f\x8b\x08\x00\xff")
    return ["--global_obsexp"]


def target_without_a_file(folder):
    (folder / "targets.txt").write_text("identifier\tfile\nA\ta.cool\nB\n")


def index_of_an_older_genome(folder):
    os.utime(folder / "genome.fa.fai", (0, 0))


def options(*given):
    """What spoils nothing but gives these options."""

    def spoil(folder):
        return list(given)

    spoil.__name__ = "_".join(given)
    return spoil


def no_expected_table(folder):
    return ["--global_obsexp"]


def everything_filtered(folder):
    world.write(folder / "a.cool", filtered=0.8)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (truncated_cooler, "b.cool: damaged or cut short; make or download it again"),
        (unbalanced_cooler, "a.cool: has no balancing weights; run `cooler balance"),
        (wrong_resolution, "a.cool: has bins of 200 bases, --pool_width says 400"),
        (no_common_chromosome, "no chromosome in common with the genome: it has contig_1"),
        (other_assembly, "chr1 has 41,000 bases, but chr1 of the genome has 40,000"),
        (short_fasta, "chr1 has 40,000 bases, but chr1 of the genome has 30,000"),
        (empty_fasta, "genome.fa: the FASTA file is empty"),
        (two_sequences_of_one_name, "two sequences are called 'chr1'"),
        (duplicate_identifiers, 'the identifier "A" is used twice'),
        (unreadable_targets, "targets.txt: not a tab-separated table"),
        (missing_cooler, "b.cool: no such cooler"),
        (empty_bed, "windows.bed: holds no window"),
        (missing_blacklist, "absent.bed: no such BED file"),
        (every_chromosome_too_short, "no stretch of the genome is as long as one window of 80,000"),
        (share_and_chromosome, "must both be shares or both be lists of chromosomes"),
        (broken_length, "seq_length 3300 is not a multiple of the bin width 200"),
        (broken_crop, "crop 100 is not a multiple of the bin width 200"),
        (broken_stride, "stride_train 333 is not a multiple of snap 200"),
        (unknown_chromosome, "chromosome chr9 of split valid is not in the genome"),
        (too_many_folds, "2 contigs cannot make 5 folds"),
        (filled_directory, "not empty; choose another directory, or continue it with --restart"),
        (no_expected_table, "a.expected: no such table of expected contacts"),
        (everything_filtered, "no window was written of"),
        (output_is_a_file, "out: a file is where a directory is needed; choose another name"),
        (occupied_and_only_windows, "out: not empty; choose another directory."),
        (gzipped_blacklist, "blacklist.bed.gz: not a text file; a compressed BED file must be"),
        (binary_gaps, "gaps.bed: not a text file"),
        (binary_expected, "a.expected: not a tab-separated table"),
        (target_without_a_file, "targets.txt, line 3: a target needs an identifier and a file"),
        (index_of_an_older_genome, "genome.fa.fai: is older than genome.fa"),
        (options("-r", "0"), "'0' is not a whole number of at least 1"),
        (options("-p", "0"), "'0' is not a whole number of at least 1"),
        (options("-l", "0"), "'0' is not a whole number of at least 1"),
        (options("--kernel_width", "-3"), "'-3' is not a whole number of at least 1"),
        (options("--sample_check", "0"), "'0' is not a whole number of at least 1"),
        (options("--plot", "-1"), "'-1' is not a whole number of at least 0"),
        (options("--seed", "-1"), "'-1' is not a whole number of at least 0"),
        (options("-c", "-400"), "'-400' is not a whole number of at least 0"),
        (options("--stride_train", "-0.5"), "'-0.5' is not a number above 0"),
        (options("--stride_test", "0"), "'0' is not a number above 0"),
        (options("--clip", "0"), "'0' is not a number above 0"),
        (options("--clip", "-1"), "'-1' is not a number above 0"),
        (options("--clip", "two"), "'two' is not a number above 0"),
        (options("--sample", "nan"), "'nan' is not a number above 0"),
        (options("--sample", "7"), "'7' is not a share, above 0 and up to 1"),
        (options("--umap_t", "7"), "'7' is not a share, above 0 and up to 1"),
        (options("--umap_t", "0"), "'0' is not a number above 0"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(folder, capsys, spoil, reason):
    given = spoil(folder) or []
    try:
        status = run(folder, *given)
    except SystemExit as stopped:
        status = stopped.code
    assert status == 2
    lines = capsys.readouterr().err.strip().splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1
    assert reason in errors[0]
    assert not (folder / "out" / "statistics.json").exists()
    assert not list(folder.rglob("*.partial.*"))


@pytest.mark.parametrize("room", [2_000, 12_000, 30_000])
def test_a_full_disk_leaves_no_half_written_file(folder, capsys, room):
    """At any moment: writing options, blocks, records."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        status = run(folder, "--stride_train", "0.125")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert status == 2
    assert "the disk is full" in capsys.readouterr().err
    assert not list(folder.rglob("*.partial.*"))
    assert run(folder, "--stride_train", "0.125", "--restart") == 0
    assert akita_data.main(["--check", str(folder / "out")]) == 0


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
    from akita_bayes.data import tfrecord

    found = statistics.read(folder / "out")
    (record,) = tfrecord.read_records(folder / "out" / "tfrecords" / "train-0.tfr", found)
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
    places = [
        (chrom, int(start), int(end))
        for chrom, start, end, _ in map(
            str.split, (folder / "out" / "sequences.bed").read_text().splitlines()
        )
    ]
    assert places
    for chrom, start, end in places:
        assert chrom == "chr1"
        assert end <= 20_000 or start >= 21_000
        assert start >= 6000 - 0.3 * 3200


def test_help_shows_the_defaults_that_say_something(capsys):
    with pytest.raises(SystemExit):
        akita_data.main(["--help"])
    text = capsys.readouterr().out
    assert "(default: 8388608)" in text
    assert "default: None" not in text
    assert "default: False" not in text
