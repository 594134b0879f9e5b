import json

import h5py
import numpy as np
import pyBigWig
import pytest

from akita_bayes.cli import akita_sat
from akita_bayes.data import genome
from akita_bayes.models import build, export, load, zoo
from akita_bayes.origins import provenance
from akita_bayes.variants.saturation import region_scan
from tests import tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sat")
    (folder / "params.json").write_text(json.dumps(tiny.spec_json()))
    build.build(zoo.parse_spec(tiny.spec_json())).save(folder / "model.keras")
    letters = "".join(np.random.default_rng(0).choice(list("ACGT"), 1000))
    genome.write_fasta(folder / "genome.fa", {"chr1": letters})
    (folder / "regions.bed").write_text("chr1\t500\t520\nchr1\t300\t312\n")
    return folder


def run(folder, out, *options, bed="regions.bed"):
    paths = [str(folder / name) for name in ("params.json", "model.keras", bed)]
    return akita_sat.main([*paths, "-f", str(folder / "genome.fa"), "-o", str(out), *options])


def test_writes_every_region_by_every_method(folder, tmp_path):
    options = ["--method", "ism,gradient", "-l", "8", "--targets", "1", "--rc", "--shifts", "1,0"]
    assert run(folder, tmp_path, *options) == 0
    with h5py.File(tmp_path / "sat.h5") as file:
        assert file["chr1:506-514/ism/SCD"].shape == (8, 4, 1)
        assert file["chr1:302-310/gradient/SSD"].shape == (8, 4, 1)
        assert (file["chr1:506-514/ism"].attrs["start"], file["chr1:506-514/ism"].attrs["end"]) == (
            506,
            514,
        )
        assert file["chr1:302-310/gradient"].attrs["targets"].tolist() == [1]
        expected = file["chr1:506-514/ism/SCD"][:, :, 0].sum(1) / 3
        about = dict(file.attrs)
    with pyBigWig.open(str(tmp_path / "tracks" / "ism_SCD_t1.bw")) as track:
        np.testing.assert_allclose(track.values("chr1", 506, 514), expected, rtol=1e-5)
    assert sorted(path.name for path in (tmp_path / "logos").iterdir()) == [
        f"chr1_{span}_{label}_t1.png"
        for span in ("302-310", "506-514")
        for label in ("gradient_SSD", "ism_SCD")
    ]
    assert (tmp_path / "tracks" / "gradient_SSD_t1.bedgraph").exists()
    assert len(about["model_digest"]) == len(about["genome_digest"]) == 64
    decided = {"scores": ["SCD"], "head": None, "targets": [1], "rc": True, "shifts": [1, 0]}
    decided |= {"draws": 0, "seed": 0, "width": 20, "step": 10, "repeats": 3, "steps": 16}
    assert json.loads(about["options"]).items() >= decided.items()


def test_a_region_as_text_and_figures_in_another_format(folder, tmp_path, capsys):
    paths = [str(folder / name) for name in ("params.json", "model.keras")]
    genome_of = ["-f", str(folder / "genome.fa"), "-o", str(tmp_path)]
    assert akita_sat.main([*paths, "chr1:500-504", *genome_of, "--format", "svg"]) == 0
    with h5py.File(tmp_path / "sat.h5") as file:
        assert list(file) == ["chr1:500-504"]
    (first, *_) = (tmp_path / "logos").iterdir()
    assert first.suffix == ".svg"
    assert b"<svg" in first.read_bytes()
    assert akita_sat.main([*paths, "chr9:500-504", *genome_of]) == 2
    assert "chr9" in capsys.readouterr().err


@pytest.mark.slow
def test_workers_scan_the_same_bytes(folder, tmp_path):
    options = ["--method", "ism,deletion", "-l", "4", "--width", "2"]
    assert run(folder, tmp_path / "one", *options) == 0
    assert run(folder, tmp_path / "two", "--workers", "2", *options) == 0
    results = [path for path in sorted((tmp_path / "one").rglob("*")) if path.is_file()]
    for path in results:
        # HDF5 writes the time into parts, which keep their order; the record has the command line.
        if path.parent.name != "parts" and path.name != provenance.FILE:
            assert (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes() == (
                path.read_bytes()
            ), path.name
    assert len(results) > 8


def test_targets_keep_their_numbers(folder, tmp_path):
    assert run(folder, tmp_path / "all", "-l", "4") == 0
    assert run(folder, tmp_path / "one", "-l", "4", "--targets", "1") == 0
    for name in ("ism_SCD_t1.bedgraph", "ism_SCD_t1.bw"):
        single, both = (tmp_path / out / "tracks" / name for out in ("one", "all"))
        assert single.read_bytes() == both.read_bytes()
    assert not list((tmp_path / "one").rglob("*_t0*"))


def test_what_is_named_twice_is_scanned_once(folder, tmp_path, capsys):
    (tmp_path / "twice.bed").write_text(
        "chr1\t500\t520\tone\nchr1\t300\t312\nchr1\t500\t520\ttwo\nchr1\t502\t518\n"
    )
    options = ["--method", "ism,ism", "-l", "4"]
    assert run(folder, tmp_path / "out", *options, bed=tmp_path / "twice.bed") == 0
    with h5py.File(tmp_path / "out" / "sat.h5") as file:
        assert sorted(file) == ["chr1:304-308", "chr1:508-512"]
        assert [list(group) for group in file.values()] == [["ism"], ["ism"]]
    stdout = " ".join(capsys.readouterr().out.split())
    assert "4 lines name 2 regions; each is scanned once." in stdout
    assert "Written: 2 scans in" in stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--method", "ims"], "is not a method"),
        (["--method", ","], "--method: is empty; give at least one of ism"),
        (["--stats", "SDC"], "is not a score"),
        (["--stats", ","], "name at least one score of SCD"),
    ],
)
def test_refuses_in_one_line(folder, tmp_path, capsys, options, message):
    assert run(folder, tmp_path / "out", *options) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--steps", "16"], "--steps is only for the method integrated"),
        (["--repeats", "2", "--method", "deletion"], "--repeats is only for the method shuffle"),
        (
            ["--width", "8"],
            "--width is only for the method deletion or shuffle; add it to --method",
        ),
        (
            ["--step", "4", "--method", "gradient,integrated"],
            "--step is only for the method deletion",
        ),
        (
            ["--stats", "INS8", "--method", "gradient"],
            "gradients always use SSD; --stats is only for",
        ),
    ],
)
def test_an_option_of_another_method_is_refused(folder, tmp_path, capsys, options, message):
    with pytest.raises(SystemExit) as stopped:
        run(folder, tmp_path / "out", *options)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_help_says_what_a_sweep_is_unless_it_is_said(capsys):
    with pytest.raises(SystemExit):
        akita_sat.main(["--help"])
    help_text = " ".join(capsys.readouterr().out.split())
    sweep = region_scan.Sweep()
    assert f"bases of a deletion or shuffle ({sweep.width})" in help_text
    assert f"shuffles of each window ({sweep.repeats})" in help_text
    assert f"points of integrated gradients ({sweep.steps})" in help_text


@pytest.mark.parametrize(
    ("line", "options", "message"),
    [
        (
            "chr1 300 312",
            ["--width", "15"],
            "windows of 15 bases, 7 apart, do not fit into chr1:300",
        ),
        ("chr9 300 330", [], "no chromosome 'chr9'"),
        ("chr1 980 1010", [], "chr1:980-1,010 leaves chr1, which has 1,000 bases"),
    ],
)
def test_every_region_is_checked_before_the_model_is_loaded(
    folder, tmp_path, capsys, monkeypatch, line, options, message
):
    monkeypatch.setattr("akita_bayes.models.load.load_model", None)  # calling it is a TypeError
    bed = tmp_path / "last.bed"
    bed.write_text(f"chr1 500 520\n{line}\n")
    options = ["--method", "ism,deletion", *options]
    assert run(folder, tmp_path / "out", *options, bed=bed) == 2
    assert message in capsys.readouterr().err


def test_every_region_and_method_is_checked_before_any_scan(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(region_scan.Scanner, "scan", lambda *_, **__: pytest.fail("scanned"))
    wide = tmp_path / "wide.bed"
    wide.write_text("chr1 500 520\nchr1 300 500\n")
    assert run(folder, tmp_path / "out", bed=wide) == 2
    assert "chr1:300-500 is wider than the 192 bases" in capsys.readouterr().err
    export.export(load.load_model(folder / "model.keras"), tmp_path / "saved")
    arguments = [folder / "params.json", tmp_path / "saved", folder / "regions.bed"]
    options = ["-f", folder / "genome.fa", "-o", tmp_path / "out", "--method", "ism,gradient"]
    assert akita_sat.main(list(map(str, [*arguments, *options]))) == 2
    assert "gradients need the network itself" in capsys.readouterr().err
    assert run(folder, tmp_path / "out", "--method", "gradient", "--targets", "7") == 2
    assert "the head has 2, counted from 0" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_chromosomes_may_be_named_without_chr(folder, tmp_path):
    (tmp_path / "bare.bed").write_text("1\t500\t504\n")
    assert run(folder, tmp_path / "out", bed=tmp_path / "bare.bed") == 0
    with h5py.File(tmp_path / "out" / "sat.h5") as file:
        assert list(file) == ["chr1:500-504"]


def outputs(folder):
    """Every file but parts and the record of the command line, with its content."""
    omitted = {"parts", provenance.FILE}
    paths = [path for path in folder.rglob("*") if path.is_file() and not omitted & {*path.parts}]
    return {path.relative_to(folder): path.read_bytes() for path in paths}


@pytest.fixture
def scanned(monkeypatch):
    """What is scanned, as it is scanned; `scanned.stop` says before which scan to stop."""

    class Scanned(list):
        stop = None

    scans = Scanned()
    original = region_scan.Scanner.scan

    def scan(self, region, method, **keywords):
        if len(scans) == scans.stop:
            raise KeyboardInterrupt
        scans.append((region.start, method))
        return original(self, region, method, **keywords)

    monkeypatch.setattr(region_scan.Scanner, "scan", scan)
    return scans


def test_a_stopped_run_goes_on_behind_its_finished_scans(folder, tmp_path, scanned):
    options = ["-l", "4", "--method", "ism,deletion", "--width", "3"]
    assert run(folder, tmp_path / "whole", *options) == 0
    del scanned[:]
    scanned.stop = 3
    assert run(folder, tmp_path / "out", *options) == 130
    assert [str(path) for path in outputs(tmp_path / "out")] == ["inputs.json"]
    finished = sorted((tmp_path / "out" / "parts").iterdir())
    assert [path.name for path in finished] == [
        "chr1_304-308_ism.h5",
        "chr1_508-512_deletion.h5",
        "chr1_508-512_ism.h5",
    ]
    scanned.stop = None
    finished[0].write_bytes(b"damaged")
    assert run(folder, tmp_path / "out", *options) == 0
    assert scanned[3:] == [(304, "ism"), (304, "deletion")]
    assert outputs(tmp_path / "out") == outputs(tmp_path / "whole")


def test_scans_of_other_inputs_are_refused(folder, tmp_path, scanned, capsys):
    out, options = tmp_path / "out", ["-l", "2", "--targets", "0"]
    assert run(folder, out, *options) == 0
    assert run(folder, out, *options, "--method", "ism,gradient") == 0
    assert scanned == [(509, "ism"), (305, "ism"), (509, "gradient"), (305, "gradient")]
    before = outputs(out)
    for extra, difference in ((["--rc"], "rc False and True"), (["--seed", "2"], "seed 0 and 2")):
        del scanned[:]
        assert run(folder, out, *options, *extra) == 2
        assert (
            f"holds scans of other inputs (options: {difference}); choose another"
            in capsys.readouterr().err
        )
        assert scanned == []
    assert outputs(out) == before


def test_a_directory_of_variant_scores_is_refused(folder, tmp_path, capsys):
    (tmp_path / "inputs.json").write_text('{"of": {}, "rows_per_part": 1}')
    assert run(folder, tmp_path, "-l", "2") == 2
    assert "holds scores; choose another -o." in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["inputs.json"]


def test_all_finished_scans_are_in_the_outputs(folder, tmp_path):
    options = ["-l", "2", "--targets", "0"]
    for method in ("ism", "gradient"):
        assert run(folder, tmp_path / "one_by_one", *options, "--method", method) == 0
    (tmp_path / "first.bed").write_text("chr1\t500\t520\n")
    assert run(folder, tmp_path / "one_by_one", *options, bed=tmp_path / "first.bed") == 0
    assert run(folder, tmp_path / "at_once", *options, "--method", "ism,gradient") == 0
    with h5py.File(tmp_path / "one_by_one" / "sat.h5") as file:
        assert [list(group) for group in file.values()] == [["gradient", "ism"]] * 2
    one_by_one, expected = (outputs(tmp_path / name) for name in ("one_by_one", "at_once"))
    assert one_by_one.keys() == expected.keys()
    for path in expected:
        if path.suffix != ".h5":
            assert one_by_one[path] == expected[path]
