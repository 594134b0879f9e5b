"""What `data_directory.make` writes, and how it goes on after it was stopped."""

import dataclasses
import json

import cooler
import h5py
import numpy as np
import pytest

from akita_bayes import errors, regions, workers
from akita_bayes.data import genome
from akita_bayes.data.contacts import cooler_files, coolers, reference_target
from akita_bayes.data.preparation import data_directory, data_options, targets
from akita_bayes.data.records import dataset, statistics
from akita_bayes.workers import local_processes
from tests import coolers as world
from tests.coolers import TRANSFORM, make, records_of


def test_every_record_holds_its_sequence_and_the_recipes_targets(data_folder):
    folder, summary = data_folder
    records = records_of(folder / "out")
    assert len(records) == sum(summary.written.values()) > 40
    clrs = [cooler.Cooler(str(folder / name)) for name in ("a.cool", "b.cool")]
    with genome.Genome(folder / "genome.fa") as opened:
        for (_, region), record in records.items():
            np.testing.assert_array_equal(record.sequence, opened.index(region))
            for index, clr in enumerate(clrs):
                twin = reference_target.target(clr, region, TRANSFORM, clip=2.0)
                np.testing.assert_allclose(record.target[:, index], twin.values, atol=2e-3)
                valid = clr.bins().fetch(tuple(region))["weight"].notna().to_numpy()[2:14]
                pixels = [valid[i] and valid[j] for i in range(12) for j in range(i + 2, 12)]
                np.testing.assert_array_equal(record.mask[:, index], pixels)


def test_counts_are_what_the_files_hold(data_folder):
    folder, summary = data_folder
    layout = statistics.read(folder / "out")
    assert dict(layout.seqs) == summary.written
    assert set(summary.written) == {"train", "valid", "test"}
    for split in summary.written:
        opened = dataset.open_split(folder / "out", split, batch_size=4)
        written_regions = [
            regions.parse(text.decode()) for batch in opened for text in batch["region"].numpy()
        ]
        assert written_regions == opened.regions()
        assert len(written_regions) == layout.seqs[split]
    assert summary.windows == sum(summary.written.values()) + sum(summary.dropped.values())


def test_the_summary_describes_the_values(data_folder):
    folder, summary = data_folder
    assert json.loads((folder / "out" / "summary.json").read_text()) == summary._asdict()
    records = records_of(folder / "out").values()
    target = np.stack([record.target[:, 0] for record in records]).astype(float)
    mask = np.stack([record.mask[:, 0] for record in records])
    about = summary.targets["A"]
    assert about["masked"] == pytest.approx(1 - mask.mean(), abs=1e-6)
    assert about["least"] == target[mask].min()
    assert about["largest"] == target[mask].max()
    for share, value in about["quantiles"].items():
        assert value == pytest.approx(np.quantile(target[mask], float(share)), abs=1e-3)


@pytest.mark.slow
def test_two_processes_make_the_same_files(data_folder):
    folder, _ = data_folder
    make(folder, "parallel", cluster=workers.Cluster(2))
    for path in sorted((folder / "out").rglob("*")):
        if path.is_file():
            twin = folder / "parallel" / path.relative_to(folder / "out")
            assert twin.read_bytes() == path.read_bytes(), path.name
    assert not (folder / "parallel" / data_directory.WORK).exists()


def test_blocks_share_one_read(data_folder, monkeypatch):
    folder, summary = data_folder
    reads = []
    fetch = coolers.Contacts.counts
    monkeypatch.setattr(
        coolers.Contacts, "counts", lambda self, r: reads.append(r) or fetch(self, r)
    )
    make(folder, "counted")
    assert len(reads) < summary.windows
    assert max(region.width for region in reads) <= 6 * TRANSFORM.seq_length


class Stopped(Exception):
    pass


@pytest.mark.parametrize("stage", ["contacts", "records"])
def test_a_stopped_run_continues_where_it_was(data_folder, monkeypatch, stage):
    folder, _ = data_folder
    name = f"stopped_{stage}"
    module, function = {
        "contacts": (data_directory.window_blocks, "compute"),
        "records": (data_directory.shards.tfrecord, "write_records"),
    }[stage]
    calls = []
    genuine = getattr(module, function)

    def stopping(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 3:
            raise Stopped
        return genuine(*arguments, **options)

    monkeypatch.setattr(module, function, stopping)
    with pytest.raises(Stopped):
        make(folder, name)
    assert not (folder / name / "statistics.json").exists()
    with pytest.raises(errors.RunError, match="not empty; choose another -o, or continue it"):
        make(folder, name)
    with pytest.raises(errors.RunError, match=r"of other inputs \(seqs_per_tfr 8 and 5\)"):
        make(folder, name, seqs_per_tfr=5, restart=True)
    done = len(calls) - 1
    calls.clear()
    calls.extend([None] * 10)
    make(folder, name, restart=True)
    total = len(list((folder / "out" / "tfrecords").iterdir()))
    if stage == "records":
        assert len(calls) - 10 <= total - done
    for path in (folder / "out" / "tfrecords").iterdir():
        assert (folder / name / "tfrecords" / path.name).read_bytes() == path.read_bytes()


def expected_table(path, factor):
    rows = [f"{chrom}\t{factor / (1 + d)}" for chrom in ("chr1", "chr2") for d in range(100)]
    path.write_text("\n".join(["chrom\tbalanced.avg", *rows]) + "\n")


def threshold(folder, options):
    options["unmappable"] = [options["unmappable"][0]._replace(threshold=0.6)]


def midpoints(folder, options):
    options["unmappable"] = [options["unmappable"][0]._replace(midpoints=True)]


def no_unmappable(folder, options):
    options["unmappable"] = []


def other_unmappable(folder, options):
    (folder / "umap.bed").write_text("chr1\t0\t9000\n")


def other_blacklist(folder, options):
    (folder / "black.bed").write_text("chr1\t0\t9000\n")


def other_expected(folder, options):
    expected_table(folder / "b.expected", 0.75)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (threshold, "unmappable"),
        (midpoints, "unmappable"),
        (no_unmappable, "unmappable"),
        (other_unmappable, "unmappable"),
        (other_blacklist, "blacklist_file"),
        (other_expected, "expected_files"),
    ],
)
def test_a_stopped_run_does_not_continue_with_other_windows_or_inputs(
    tmp_path, monkeypatch, change, message
):
    """It would pair sequences with targets of the windows that it began with."""
    folder = world.world(tmp_path)
    (folder / "umap.bed").write_text("chr1\t0\t7000\n")
    (folder / "black.bed").write_text("chr1\t0\t100\n")
    for name in ("a", "b"):
        expected_table(folder / f"{name}.expected", 0.6)
    options = {
        "transform": dataclasses.replace(TRANSFORM, global_obsexp=True),
        "unmappable": [data_options.Unmappable(folder / "umap.bed")],
        "blacklist": folder / "black.bed",
    }

    def stop(*arguments, **rest):
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(data_directory.shards, "write", stop)
        with pytest.raises(Stopped):
            make(folder, **options)
    change(folder, options)
    with pytest.raises(errors.RunError, match=rf"of other inputs \(.*{message}"):
        make(folder, **options, restart=True)


def test_a_finished_directory_stays_as_it_is(data_folder, monkeypatch, caplog):
    folder, summary = data_folder

    def compute(*arguments):
        raise Stopped

    monkeypatch.setattr(data_directory.window_blocks, "compute", compute)
    before = {path: path.stat().st_mtime_ns for path in (folder / "out" / "tfrecords").iterdir()}
    with caplog.at_level("INFO"):
        assert make(folder, restart=True) == summary
    assert "is finished; nothing is left to do" in caplog.text
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert not (folder / "out" / data_directory.WORK).exists()
    with pytest.raises(errors.RunError, match=r"of other inputs \(seed 44 and 45\)"):
        make(folder, restart=True, seed=45)


def test_windows_as_they_are_and_why_some_are_dropped(tmp_path):
    folder = world.world(tmp_path)
    world.write(folder / "b.cool", sizes={"chr1": 40_000, "chr3": 2000}, seed=2)
    weights = world.weights(world.SIZES, 1)
    weights[100:109] = np.nan
    pixels = world.pixels(world.SIZES, 1)
    pixels = pixels[(pixels["bin1_id"] < 120) | (pixels["bin1_id"] > 160)]
    cooler_files.write_cooler(folder / "a.cool", world.SIZES, world.BIN, pixels, weights=weights)
    (folder / "windows.bed").write_text(
        "chr1\t0\t3200\ttest\n"
        "chr1\t8000\t11200\n"
        "chr1\t15100\t18300\n"
        "chr1\t19200\t22400\n"
        "chr1\t26000\t29200\n"
        "chr1\t38000\t41200\n"
        "chr2\t0\t3200\n"
        "chr7\t0\t3200\n"
    )
    summary = make(folder, layout=None, windows=folder / "windows.bed")
    assert summary.written == {"test": 1, "train": 1}
    lines = [line.split("\t") for line in (folder / "out" / "dropped.tsv").read_text().splitlines()]
    assert lines[0] == ["chrom", "start", "end", "split", "reason", "detail"]
    reasons = {(chrom, start): (reason, detail) for chrom, start, _, _, reason, detail in lines[1:]}
    assert reasons == {
        ("chr1", "15100"): ("not aligned to bins", "bins have 200 bases"),
        ("chr1", "19200"): ("more than half of the bins filtered", "A: 56%"),
        ("chr1", "26000"): ("too sparse", "A: median of diagonal 2 is 0"),
        ("chr1", "38000"): ("runs off the chromosome's end", "chr1 has 40,000 bases"),
        ("chr2", "0"): ("chromosome missing from cooler", "B"),
        ("chr7", "0"): ("chromosome missing from genome", ""),
    }
    assert summary.dropped == {reason: 1 for reason, _ in reasons.values()}


@pytest.mark.parametrize("chrom", ["chr1", "1"])
def test_blacklisted_bins_are_masked(data_folder, chrom):
    folder, _ = data_folder
    (folder / "blacklist.bed").write_text(f"chr1\t0\t1\n{chrom}\t1795\t2010\n")
    (folder / "one.bed").write_text("chr1\t800\t4000\n")
    name = f"blacklisted_{chrom}"
    make(
        folder,
        name,
        layout=None,
        windows=folder / "one.bed",
        blacklist=folder / "blacklist.bed",
        transform=dataclasses.replace(TRANSFORM, crop=0),
    )
    (record,) = records_of(folder / name).values()
    square = np.zeros((16, 16), bool)
    square[np.triu_indices(16, 2)] = record.mask[:, 0]
    assert not square[4:7].any()
    assert not square[:, 4:7].any()


def test_unmappable_windows_are_counted(data_folder):
    folder, summary = data_folder
    (folder / "umap.bed").write_text("chr1\t0\t40000\n")
    mapped = make(folder, "umap", unmappable=(data_options.Unmappable(folder / "umap.bed"),))
    assert mapped.windows == summary.windows
    assert mapped.dropped["unmappable"] > 0
    assert sum(statistics.read(folder / "umap").seqs.values()) == sum(mapped.written.values())


def test_unmappable_stretches_and_midpoints_go_together(data_folder):
    folder, summary = data_folder
    (folder / "left.bed").write_text("chr1\t0\t16000\n")
    (folder / "all.bed").write_text("1\t0\t40000\n")
    both = make(
        folder,
        "both",
        unmappable=[
            data_options.Unmappable(folder / "left.bed", threshold=0.9),
            data_options.Unmappable(folder / "all.bed", midpoints=True),
        ],
    )
    assert both.dropped["unmappable"] > 0
    assert both.dropped["unmappable midpoint"] > 0
    assert both.windows == summary.windows


def test_nothing_written_is_an_error(data_folder):
    folder, _ = data_folder
    (folder / "all.bed").write_text("chr1\t0\t40000\nchr2\t0\t24000\n")
    with pytest.raises(errors.DataError, match=r"no window was written of \d+ \(\d+ unmappable\)"):
        make(folder, "nothing", unmappable=(data_options.Unmappable(folder / "all.bed"),))
    assert (folder / "nothing" / "dropped.tsv").exists()
    assert not (folder / "nothing" / "statistics.json").exists()


def test_folds(data_folder):
    folder, _ = data_folder
    layout = dataclasses.replace(world.LAYOUT, folds=3, largest_contig=20_000)
    summary = make(folder, "folds", layout=layout)
    assert set(summary.written) == {"fold0", "fold1", "fold2"}
    assert dataset.open_split(folder / "folds", ("fold0", "fold2"), batch_size=2).records == (
        summary.written["fold0"] + summary.written["fold2"]
    )


def test_the_written_table_of_targets_makes_the_same_again(data_folder):
    folder, _ = data_folder
    assert targets.read(folder / "out" / "targets.txt")[0].uri == str(folder / "a.cool")


@pytest.mark.slow
def test_coolers_without_weights_are_balanced_before_the_workers_start(tmp_path, monkeypatch):
    folder = world.world(tmp_path)
    for name in ("a.cool", "b.cool"):
        with h5py.File(folder / name, "r+") as file:
            del file["bins/weight"]
    shared = []

    start = local_processes.LocalProcesses.__enter__

    def started(self):
        shared.extend((folder / "out" / data_directory.WORK).glob("weights-*.npy"))
        return start(self)

    monkeypatch.setattr(local_processes.LocalProcesses, "__enter__", started)
    make(folder, cluster=workers.Cluster(2), balance=True)
    assert len(shared) == 2
