"""Bad input to `akita_data.py` is one clear line, and leaves nothing half-written."""

import gzip
import os
import resource

import cooler
import h5py
import numpy as np
import pytest

from akita_bayes.cli import akita_data
from akita_bayes.data import genome
from tests import coolers as world


@pytest.fixture
def folder(cooler_world):
    return cooler_world


def run(folder, *options):
    return akita_data.main(world.command(folder, *options))


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


def blacklist_of_another_genome(folder):
    (folder / "black.bed").write_text("2L\t0\t9000\n")
    return ["-b", str(folder / "black.bed")]


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


def cut_blacklist(folder):
    (folder / "blacklist.bed.gz").write_bytes(gzip.compress(b"chr1\t0\t100\n" * 9)[:-9])
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


def options(*arguments):
    """What spoils nothing but gives these options."""

    def spoil(folder):
        return list(arguments)

    spoil.__name__ = "_".join(arguments)
    return spoil


def no_expected_table(folder):
    return ["--global_obsexp"]


def counts_that_are_no_numbers(folder):
    table = world.pixels(world.SIZES, 1).astype({"count": float})
    table["count"] = np.where(table["bin2_id"] - table["bin1_id"] == 3, np.nan, table["count"])
    world.write_pixels(folder / "a.cool", table, dtype=float)


def negative_weights(folder):
    values = np.where(np.arange(330) % 7 == 0, -0.1, 0.1)
    world.write_pixels(folder / "a.cool", world.pixels(world.SIZES, 1), values=values)


def unsorted_pixels(folder):
    table = world.pixels(world.SIZES, 1)
    world.write_pixels(folder / "a.cool", table.sample(frac=1, random_state=1))


def coolers_of_two_resolutions(folder):
    cooler.coarsen_cooler(str(folder / "a.cool"), str(folder / "b.cool"), 2, chunksize=100_000)
    with h5py.File(folder / "b.cool", "r+") as file:
        file["bins/weight"] = np.full(len(file["bins/start"]), 0.1)


def split_of_a_short_chromosome(folder):
    return ["-v", "chr3", "-t", "chr2"]


def windows_of_another_length(folder):
    (folder / "windows.bed").write_text("chr1\t0\t6400\n")
    return ["--windows", str(folder / "windows.bed")]


def everything_filtered(folder):
    world.write(folder / "a.cool", filtered=0.8)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (
            truncated_cooler,
            "b.cool: damaged or not a file of contacts ... make or download it again",
        ),
        (unbalanced_cooler, "a.cool: has no balancing weights; run `cooler balance"),
        (wrong_resolution, "a.cool: has bins of 200 bases, but --pool_width is 400"),
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
        (blacklist_of_another_genome, "no chromosome in common with the genome: it has 2L"),
        (every_chromosome_too_short, "no stretch of the genome is as long as one window of 80,000"),
        (share_and_chromosome, "must both be shares or both be lists of chromosomes"),
        (broken_length, "seq_length 3300 is not a multiple of the bin width 200"),
        (broken_crop, "crop 100 is not a multiple of the bin width 200"),
        (broken_stride, "stride_train 333 is not a multiple of snap 200"),
        (unknown_chromosome, "chromosome chr9 of split valid is not in the genome"),
        (too_many_folds, "2 contigs cannot make 5 folds"),
        (filled_directory, "not empty; choose another -o, or continue it with --restart"),
        (no_expected_table, "a.expected: no such table of expected contacts"),
        (
            counts_that_are_no_numbers,
            "a.cool: the count of the pixel of chr1:0-200 and chr1:600-800 is nan; counts must be",
        ),
        (negative_weights, "a.cool: the balancing weight of chr1:0-200 is -0.1; weights must be"),
        (unsorted_pixels, "a.cool: its pixels are not sorted by their first bin"),
        (coolers_of_two_resolutions, "b.cool: has bins of 400 bases, but "),
        (split_of_a_short_chromosome, "chr3 of split valid has no stretch as long as one window"),
        (windows_of_another_length, "chr1:0-6,400 has 6,400 bases, but seq_length is 3,200; leave"),
        (everything_filtered, "no window was written of"),
        (output_is_a_file, "out: a file is where a directory is needed; choose another name"),
        (occupied_and_only_windows, "out: not empty; choose another -o."),
        (cut_blacklist, "blacklist.bed.gz: the archive is damaged or was cut short"),
        (binary_gaps, "gaps.bed: not a text, plain or gzipped; give a BED file"),
        (binary_expected, "a.expected: the archive is damaged or was cut short"),
        (target_without_a_file, "targets.txt, line 3: a target needs an identifier and a file"),
        (index_of_an_older_genome, "genome.fa.fai: is older than genome.fa"),
        (
            options("--windows", "w.bed", "--limit", "l.bed", "--break", "9000"),
            "--windows already gives the windows; leave out --windows or --break, --limit",
        ),
        (options("--umap_t", "0.5"), "--umap_t is a threshold for the regions of --umap"),
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
    arguments = spoil(folder) or []
    try:
        status = run(folder, *arguments)
    except SystemExit as stopped:
        status = stopped.code
    assert status == 2
    lines = capsys.readouterr().err.strip().splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1
    assert all(part in errors[0] for part in reason.split(" ... "))
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
