"""What `check.check` finds right and wrong in a data directory."""

import dataclasses
import shutil

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.data.contacts import reference_target
from akita_bayes.data.preparation import check
from akita_bayes.data.records import statistics, tfrecord
from tests import coolers as world
from tests.coolers import TRANSFORM, make, records_of

ALL = 1000
"""More records than a directory of `coolers.world` has."""


def test_a_right_directory_checks(data_folder):
    folder, _ = data_folder
    findings = check.check(folder / "out")
    assert [finding for finding in findings if not finding.passed] == []
    assert {finding.check for finding in findings} == {
        "train: records",
        "valid: records",
        "test: records",
        "splits apart",
        "sequence against FASTA",
        "A against cooler",
        "A: mask against cooler",
        "B against cooler",
        "B: mask against cooler",
    }


def spoil_count(out):
    layout = statistics.read(out)
    seqs = {**layout.seqs, "train": layout.seqs["train"] + 1}
    statistics.write(out, dataclasses.replace(layout, seqs=seqs))


def rewrite(out, change, split="test"):
    layout = statistics.read(out)
    path = next((out / "tfrecords").glob(f"{split}-0.tfr"))
    records = [change(record) for record in tfrecord.read_records(path, layout)]
    tfrecord.write_records(path, records)


def spoil_target(out):
    rewrite(out, lambda r: r._replace(target=r.target + np.float16(0.125)))


def spoil_mask(out):
    rewrite(out, lambda r: r._replace(mask=np.roll(r.mask, 1, axis=0)))


def spoil_all_masks(out):
    rewrite(out, lambda r: r._replace(mask=np.zeros_like(r.mask)))


def spoil_sequence(out):
    rewrite(out, lambda r: r._replace(sequence=3 - np.minimum(r.sequence, 3)))


def spoil_split(out):
    layout = statistics.read(out)
    (path,) = (out / "tfrecords").glob("train-0.tfr")
    record = next(tfrecord.read_records(path, layout))
    rewrite(out, lambda r: r._replace(region=record.region))


def spoil_file(out):
    path = out / "tfrecords" / "test-0.tfr"
    path.write_bytes(path.read_bytes()[:-9])


@pytest.mark.parametrize(
    ("spoil", "wrong", "sample"),
    [
        (spoil_count, "train: records", 1),
        (spoil_target, "A against cooler", ALL),
        (spoil_mask, "A: mask against cooler", ALL),
        (spoil_all_masks, "B: mask against cooler", ALL),
        (spoil_sequence, "sequence against FASTA", ALL),
        (spoil_split, "splits apart", 1),
        (spoil_file, "test: records", 1),
    ],
)
def test_a_wrong_directory_does_not(data_folder, tmp_path, spoil, wrong, sample):
    """Records that are recomputed take the time, so only checks against sources take all."""
    folder, _ = data_folder
    out = tmp_path / "copy"
    shutil.copytree(folder / "out", out)
    spoil(out)
    findings = check.check(out, sample=sample)
    assert wrong in {finding.check for finding in findings if not finding.passed}


def test_a_recomputed_value_that_is_no_number_is_no_agreement(data_folder, monkeypatch):
    folder, _ = data_folder
    genuine = reference_target.from_maps

    def spoilt(*arguments, **options):
        twin = genuine(*arguments, **options)
        twin.values[np.flatnonzero(twin.mask)[0]] = np.nan
        return twin

    monkeypatch.setattr(reference_target, "from_maps", spoilt)
    wrong = {finding.check: finding.result for finding in check.check(folder / "out", sample=1)}
    assert "largest difference inf" in wrong["A against cooler"]


@pytest.mark.parametrize("content", ["{}", "[]", '{"transform": {"bins": 3}}'])
def test_options_of_another_program_are_told(data_folder, tmp_path, content):
    folder, _ = data_folder
    shutil.copytree(folder / "out", tmp_path / "copy")
    path = tmp_path / "copy" / "options.json"
    path.write_text(content)
    with pytest.raises(errors.DataError, match=r"options\.json: does not name the sources of"):
        check.check(tmp_path / "copy")


def test_a_check_recomputes_something(data_folder):
    folder, _ = data_folder
    with pytest.raises(errors.DataError, match="expected at least 1 record"):
        check.check(folder / "out", sample=0)


def test_empty_pixels_without_a_clip_check(tmp_path):
    """Their logarithm is infinite, and smoothing would spread it."""
    folder = world.world(tmp_path)
    for name in ("a", "b"):
        world.write(folder / f"{name}.cool", seed=3, depth=2.0)
    summary = make(
        folder,
        clip=None,
        transform=dataclasses.replace(TRANSFORM, kernel_sigma=1.0, kernel_width=5),
    )
    assert sum(summary.written.values()) > 0
    records = records_of(folder / "out").values()
    findings = check.check(folder / "out", sample=len(records))
    assert [finding for finding in findings if not finding.passed] == []


def test_pixels_in_several_rows_give_the_same_targets(tmp_path, caplog):
    """Many multi-resolution files hold one pixel in several rows: cooler's readers sum them."""
    folder = world.world(tmp_path)
    make(folder, "whole")
    for name, seed in (("a", 1), ("b", 2)):
        world.write_pixels(
            folder / f"{name}.cool",
            world.split_pixels(world.pixels(world.SIZES, seed)),
            values=world.weights(world.SIZES, seed),
        )
    make(folder)
    whole, split = records_of(folder / "whole"), records_of(folder / "out")
    assert whole.keys() == split.keys()
    assert len(whole) > 20
    for key, record in whole.items():
        np.testing.assert_array_equal(split[key].target, record.target)
        np.testing.assert_array_equal(split[key].mask, record.mask)
    findings = check.check(folder / "out")
    assert [finding for finding in findings if not finding.passed] == []


def test_a_directory_made_of_counts_that_are_no_numbers_is_one_sentence(data_folder, tmp_path):
    """As cooltools stops on an assertion at NaN."""
    folder, _ = data_folder
    shutil.copytree(folder, tmp_path / "world")
    out = tmp_path / "world" / "out"
    options = (out / "options.json").read_text()
    (out / "options.json").write_text(options.replace(f"{folder}/", f"{tmp_path}/world/"))
    table = world.pixels(world.SIZES, 1).astype({"count": float})
    table["count"] = np.where(table["bin2_id"] - table["bin1_id"] == 3, np.nan, table["count"])
    world.write_pixels(tmp_path / "world" / "a.cool", table, dtype=float)
    with pytest.raises(errors.DataError, match=r"a\.cool: the count of the pixel of .* is nan; co"):
        check.check(out)


def test_basenjis_own_directories_can_be_checked(real_data):
    findings = check.check(real_data / "hg38_tiny")
    by_name = {finding.check: finding for finding in findings}
    assert by_name["test: records"].passed
    assert by_name["test: records"].result.startswith("10 in 3 files, statistics.json says 10")
    assert by_name["against sources"].result == "not compared: there is no options.json"
    assert by_name["against sources"].passed is None
