import json
import os
import re
from pathlib import Path

import cooler
import h5py
import numpy as np
import pytest

from akita_bayes import dna, triangle
from akita_bayes.cli import akita_predict
from akita_bayes.data import genome
from akita_bayes.data.map_files import map_coolers
from akita_bayes.models import build, predict, recalibration, zoo
from tests import outputs, tiny

L, POOL, CROP = tiny.SEQ_LENGTH, tiny.POOL, tiny.CROP


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("predict")
    (folder / "params.json").write_text(json.dumps(tiny.spec_json()))
    build.build(zoo.parse_spec(tiny.spec_json())).save(folder / "model.keras")
    random = np.random.default_rng(0)
    letters = {
        name: "".join(random.choice(list("ACGT"), size))
        for name, size in (("chr1", 1000), ("chr2", 500))
    }
    genome.write_fasta(folder / "genome.fa", letters)
    (folder / "regions.bed").write_text("chr1\t64\t320\nchr2\t0\t16\nchr1\t300\t700\n")
    return folder


def run(folder, out, *options):
    arguments = ["params.json", "model.keras", "regions.bed"]
    paths = [str(folder / name) for name in arguments]
    return akita_predict.main([*paths, "-f", str(folder / "genome.fa"), "-o", str(out), *options])


def naive(folder, chrom, start, **options):
    model = build.keras.models.load_model(folder / "model.keras", compile=False)
    with genome.Genome(folder / "genome.fa") as opened:
        x = dna.to_one_hot(opened.padded(chrom, start, start + L))[None]
    return predict.predict(model, x, **options)[0]


@pytest.mark.parametrize("options", [{}, {"rc": True, "shifts": (0, 3)}])
def test_windows_are_predicted_where_they_say(folder, tmp_path, options):
    extra = ["--rc", "--shifts", "0,3"] if options else []
    assert run(folder, tmp_path, "--batch_size", "2", *extra) == 0
    with h5py.File(tmp_path / "predict.h5") as file:
        assert file["region"][()].tolist() == [0, 1, 2, 2, 2, 2]
        assert file["start"][()].tolist()[:3] == [64, 0, 256]
        for at in range(len(file["start"])):
            chrom, start = file["chrom"].asstr()[at], int(file["start"][at])
            expected = naive(folder, chrom, start, **options)
            np.testing.assert_allclose(file["preds"][at], expected, atol=1e-5)
            assert file["bin_start"][at, 0] == start + CROP * POOL
            assert file["bin_end"][at, -1] == start + L - CROP * POOL
        assert bool(file.attrs["rc"]) is bool(options)


@pytest.mark.slow
def test_workers_predict_the_same_bytes(folder, tmp_path):
    options = ["--batch_size", "2"]
    assert run(folder, tmp_path / "one", *options) == 0
    assert run(folder, tmp_path / "two", "--workers", "2", *options) == 0
    serial, parallel = (outputs.files_of(tmp_path / name) for name in ("one", "two"))
    assert serial == parallel
    assert list(serial) == ["predict.h5"]


def test_coolers_hold_the_predicted_maps(folder, tmp_path):
    assert run(folder, tmp_path, "--cool") == 0
    predicted = cooler.Cooler(str(tmp_path / "hic_1.cool"))
    assert predicted.binsize == POOL
    first = CROP * POOL
    window = f"chr2:{first}-{first + tiny.BINS * POOL}"
    matrix = predicted.matrix(balance=False).fetch(window)
    expected = naive(folder, "chr2", 0)[:, 1]
    rows, columns = triangle.indices(tiny.BINS, tiny.OFFSET)
    np.testing.assert_allclose(matrix[rows, columns], expected, atol=1e-5)


def test_targets_name_the_coolers(folder, tmp_path):
    (tmp_path / "targets.txt").write_text(
        "index\tidentifier\tfile\n0\tliver\ta.cool\n1\tbrain\tb.cool\n"
    )
    arguments = ["--cool", "mcool", "-t", str(tmp_path / "targets.txt")]
    assert run(folder, tmp_path / "out", *arguments) == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    view = ["chrom.sizes", "higlass.json"]
    assert names == ["brain.mcool", *view, "liver.mcool", "predict.h5", "provenance.json"]


def test_maps_come_in_a_unit_with_their_spread_and_features(folder, tmp_path):
    options = ["--cool", "mcool", "--unit", "oe", "--assembly", "toy1", "--features"]
    assert run(folder, tmp_path, *options, "--draws", "2") == 0
    names = {path.name for path in tmp_path.iterdir()}
    for target in ("hic_0", "hic_1"):
        ends = ("mcool", "sd.mcool", "insulation.bw", "boundaries.bed", "dots.bedpe")
        assert names >= {f"{target}.{end}" for end in ends}
    contacts = cooler.Cooler(f"{tmp_path}/hic_1.mcool::/resolutions/{POOL}")
    assert contacts.info["genome-assembly"] == "toy1"
    metadata = map_coolers.metadata_of(contacts.uri)
    assert metadata["unit"] == "observed / expected"
    assert metadata["model"] == str(folder / "model.keras")
    first = CROP * POOL
    matrix = contacts.matrix().fetch(f"chr2:{first}-{first + tiny.BINS * POOL}")
    rows, columns = triangle.indices(tiny.BINS, tiny.OFFSET)
    expected = np.exp(naive(folder, "chr2", 0)[:, 1])
    np.testing.assert_allclose(matrix[rows, columns], expected, rtol=1e-4)
    view = json.loads((tmp_path / "higlass.json").read_text())
    assert len(view["views"]) == 4


def test_a_chromosome_by_its_name_is_stitched(folder, tmp_path):
    paths = [str(folder / name) for name in ("params.json", "model.keras")]
    arguments = [*paths, "chr2", "-f", str(folder / "genome.fa"), "-o", str(tmp_path), "--cool"]
    assert akita_predict.main(arguments) == 0
    with h5py.File(tmp_path / "predict.h5") as file:
        assert len(file["start"]) > 1
    bins = cooler.Cooler(str(tmp_path / "hic_0.cool")).bins().fetch("chr2")
    first, last = CROP, (500 - CROP * POOL) // POOL
    assert np.flatnonzero(np.isfinite(bins["weight"])).tolist() == list(range(first, last))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--unit", "oe"), "--unit, --expected, --assembly and --features describe coolers"),
        (("--cool", "--unit", "observed"), "--unit observed and --expected TABLE belong together"),
    ],
)
def test_options_of_coolers_that_do_not_fit_are_refused(folder, capsys, options, message):
    with pytest.raises(SystemExit) as stopped:
        run(folder, folder / "unused", *options)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_draws_bring_how_sure_the_model_is(folder, tmp_path):
    assert run(folder, tmp_path, "--draws", "2") == 0
    with h5py.File(tmp_path / "predict.h5") as file:
        assert file["epistemic_sd"].shape == file["preds"].shape
        assert not file["epistemic_sd"][()].any()  # a model without a posterior


@pytest.mark.slow
def test_members_of_an_ensemble_are_averaged_or_drawn_and_recalibrated(folder, tmp_path):
    runs = [tmp_path / "a", tmp_path / "b"]
    for run in runs:
        run.mkdir()
        build.build(zoo.parse_spec(tiny.spec_json())).save(run / recalibration.WEIGHTS)
    fitted = recalibration.Recalibration(
        (2, 12), ((3.0,), (5.0,)), ((2.0,), (4.0,)), ((0.1,), (0.2,)), 2
    )
    recalibration.save(runs, "hic", fitted)
    paths = [str(folder / "params.json"), str(runs[0]), str(folder / "regions.bed")]
    paths += ["-f", str(folder / "genome.fa"), "--ensemble", str(runs[1])]
    assert akita_predict.main([*paths, "-o", str(tmp_path / "mean")]) == 0
    assert akita_predict.main([*paths, "-o", str(tmp_path / "drawn"), "--draws", "8"]) == 0
    models = [build.keras.models.load_model(run / "model_best.keras") for run in runs]
    with genome.Genome(folder / "genome.fa") as opened:
        x = dna.to_one_hot(opened.padded("chr1", 64, 64 + L))[None]
    members = np.stack([predict.predict(model, x)[0] for model in models])
    for name in ("mean", "drawn"):
        with h5py.File(tmp_path / name / "predict.h5") as file:
            np.testing.assert_allclose(file["preds"][0], members.mean(0), atol=1e-5)
    with h5py.File(tmp_path / "drawn" / "predict.h5") as file:
        spread = members.std(0, ddof=1) * [3.0, 5.0]
        np.testing.assert_allclose(file["epistemic_sd"][0], spread, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(file["aleatoric_sd"][0, 0], [0.2, 0.8], rtol=1e-5)


@pytest.mark.parametrize(
    ("option", "bound"),
    [
        (("--draws", "-2"), "of at least 0"),
        (("--stride", "0"), "of at least 1"),
        (("--seed", "2147483648"), "below 2,147,483,648"),
    ],
    ids=str,
)
def test_a_number_that_cannot_be_is_refused_before_any_work(folder, capsys, option, bound):
    paths = [str(folder / name) for name in ("params.json", "model.keras", "params.json")]
    with pytest.raises(SystemExit) as stopped:
        akita_predict.main([*paths, "-f", str(folder / "genome.fa"), *option])
    assert stopped.value.code == 2
    (error,) = capsys.readouterr().err.strip().splitlines()
    assert f"'{option[1]}' is not a whole number {bound}" in error


@pytest.mark.parametrize(
    ("bed", "options", "message"),
    [
        ("chr1\t0\t9\nchr9\t0\t10\n", [], "no chromosome 'chr9'"),
        ("chr9\t0\t10\n", [], "no chromosome in common with the genome: it has chr9"),
        ("chr1\t900\t1001\n", [], "chr1:900-1,001 leaves chr1, which has 1,000 bases"),
        ("", [], "has no regions; give at least one line"),
        ("chr1\t0\t900\n", ["--stride", "17"], "a stride of 17 bp is not a multiple"),
        ("chr1\t3\t259\n", ["--cool"], "starts off the grid of 16-bp bins"),
        ("chr1\t0\t9\n", ["--head", "human"], 'no head "human" but hic'),
        ("chr1\t0\t9\n", ["--draws", "2", "--rc"], "cannot be combined with --rc or --shifts"),
        ("chr1\t0\t9\n", ["--shifts", f"{-L}"], f"a shift of {-L} leaves nothing of a window"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(folder, tmp_path, capsys, bed, options, message):
    (tmp_path / "bad.bed").write_text(bed)
    paths = [*(str(folder / name) for name in ("params.json", "model.keras"))]
    paths += [str(tmp_path / "bad.bed"), "-f", str(folder / "genome.fa")]
    assert akita_predict.main([*paths, "-o", str(tmp_path / "out"), *options]) == 2
    stderr_lines = capsys.readouterr().err.strip().splitlines()
    assert message in stderr_lines[-1]
    assert stderr_lines[-1].startswith("error: ")
    assert "--cool" in options or not (tmp_path / "out").exists()


def test_results_do_not_go_into_a_model(folder, tmp_path, capsys):
    (tmp_path / "model_best.keras").touch()
    assert run(folder, tmp_path) == 2
    assert "holds a model; choose another -o." in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["model_best.keras"]


def test_chromosomes_may_be_named_otherwise_than_in_the_genome(folder, tmp_path, caplog):
    paths = [str(folder / name) for name in ("params.json", "model.keras")]
    predictions = []
    for name in ("1", "chr1"):
        bed = tmp_path / f"{name}.bed"
        bed.write_text(f"{name}\t64\t80\n")
        out = tmp_path / f"out_{name}"
        fasta = str(folder / "genome.fa")
        caplog.clear()
        assert akita_predict.main([*paths, str(bed), "-f", fasta, "-o", str(out)]) == 0
        assert ("reading 1 as chr1." in caplog.text) is (name == "1")
        with h5py.File(out / "predict.h5") as file:
            assert file["chrom"].asstr()[0] == "chr1"
            predictions.append(file["preds"][()])
    np.testing.assert_array_equal(*predictions)


def test_regions_may_come_from_a_pipe(folder, tmp_path):
    paths = [str(folder / name) for name in ("params.json", "model.keras")]
    end, begin = os.pipe()
    os.write(begin, (folder / "regions.bed").read_bytes())
    os.close(begin)
    fasta = ["-f", str(folder / "genome.fa"), "-o", str(tmp_path)]
    assert akita_predict.main([*paths, f"/dev/fd/{end}", *fasta]) == 0
    os.close(end)
    with h5py.File(tmp_path / "predict.h5") as file:
        assert file["start"][()].tolist()[:3] == [64, 0, 256]


def test_names_for_coolers_without_coolers_are_refused(folder, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        run(folder, tmp_path / "out", "-t", str(folder / "params.json"))
    assert stopped.value.code == 2
    assert "of --cool and --plot; give one of them" in capsys.readouterr().err


def test_names_that_do_not_fit_are_told_before_any_window(folder, tmp_path, capsys):
    (tmp_path / "targets.txt").write_text("identifier\tfile\na\ta.cool\n")
    with open(tmp_path / "targets.txt", "a") as table:
        table.writelines(f"t{k}\tt{k}.cool\n" for k in range(9))
    out = tmp_path / "out"
    assert run(folder, out, "--cool", "-t", str(tmp_path / "targets.txt")) == 2
    stderr = capsys.readouterr().err
    assert "10 targets, but head hic has" in stderr
    assert "Predicting" not in stderr
    assert not out.exists()


@pytest.mark.slow
def test_a_data_directory_gives_basenjis_preds(folder, tmp_path):
    data = tiny.write_data(tmp_path / "data")
    paths = [str(folder / "params.json"), str(folder / "model.keras"), str(data)]
    options = ["--rc", "--shifts", "1,0"]
    assert akita_predict.main([*paths, "-o", str(tmp_path / "test"), *options]) == 0
    assert akita_predict.main([*paths, "-o", str(tmp_path / "v"), "--split", "valid"]) == 0
    assert akita_predict.main([*paths, "-o", str(tmp_path / "t"), "--tfr", "test-1.tfr"]) == 0
    model = build.keras.models.load_model(folder / "model.keras", compile=False)
    maps = {}
    for name in ("test", "v", "t"):
        with h5py.File(tmp_path / name / "preds.h5") as file:
            assert list(file) == ["preds"]
            maps[name] = file["preds"][:]
            assert maps[name].dtype == np.float16
    x = tiny.one_hot(7, seed=2)
    expected = predict.predict(model, x, rc=True, shifts=(1, 0))
    np.testing.assert_allclose(maps["test"], expected, rtol=2e-3, atol=1e-3)
    np.testing.assert_allclose(maps["t"], predict.predict(model, x[6:]), rtol=2e-3, atol=1e-3)
    assert maps["v"].shape == (6, tiny.PIXELS, 2)


@pytest.mark.parametrize(
    ("where", "options", "message"),
    [
        ("data", ["--cool"], "--cool, --stride, --draws and --plot need regions"),
        ("data", ["--split", "a", "--tfr", "b"], "--tfr and --split both choose the records"),
        ("bed", ["--split", "valid"], "--split and --tfr need a data directory"),
        ("bed", [], "regions need a genome; give -f genome.fa"),
    ],
)
def test_options_of_the_other_input_are_refused(folder, tmp_path, capsys, where, options, message):
    (tmp_path / "data").mkdir()
    source = tmp_path / "data" if where == "data" else folder / "regions.bed"
    paths = [str(folder / "params.json"), str(folder / "model.keras"), str(source)]
    with pytest.raises(SystemExit) as stopped:
        akita_predict.main([*paths, *options])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_a_run_names_its_coolers(folder, tmp_path):
    (tmp_path / "run").mkdir()
    model = build.keras.models.load_model(folder / "model.keras", compile=False)
    model.save(tmp_path / "run" / "model_best.keras")
    data = {"head": "hic", "targets": [["HFF/1", "x"], ["GM", "y"]]}
    (tmp_path / "run" / "provenance.json").write_text(json.dumps({"data": [data]}))
    paths = [str(folder / "params.json"), str(tmp_path / "run"), str(folder / "regions.bed")]
    fasta = ["-f", str(folder / "genome.fa"), "-o", str(tmp_path / "out"), "--cool"]
    assert akita_predict.main([*paths, *fasta]) == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["GM.cool", "HFF%2F1.cool", "predict.h5", "provenance.json"]


def test_a_run_and_a_region_as_text_are_enough(folder, tmp_path, capsys):
    """Without params.json and without a BED file; the figure is drawn."""
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    (run_dir / "params.json").write_text((folder / "params.json").read_text())
    model = build.keras.models.load_model(folder / "model.keras", compile=False)
    model.save(run_dir / "model_best.keras")
    fasta = ["-f", str(folder / "genome.fa")]
    words = ["--batch_size", "2", str(run_dir), "1:300-700", *fasta]
    assert akita_predict.main([*words, "-o", str(tmp_path / "a"), "--plot"]) == 0
    stdout = capsys.readouterr().out
    assert "4 windows" in stdout
    (path,) = re.findall(r"Drawn: (\S+\.png), and 3 more in", stdout)
    assert Path(path) in (tmp_path / "a").glob("chr1_*.png")
    (folder / "one.bed").write_text("chr1\t300\t700\n")
    full = [str(run_dir / "params.json"), str(run_dir), str(folder / "one.bed"), *fasta]
    assert akita_predict.main([*full, "-o", str(tmp_path / "b")]) == 0
    with h5py.File(tmp_path / "a/predict.h5") as text, h5py.File(tmp_path / "b/predict.h5") as bed:
        np.testing.assert_array_equal(text["preds"], bed["preds"])
        assert text["start"][:].tolist() == bed["start"][:].tolist()
    assert len(list((tmp_path / "a").glob("chr1_*.png"))) == 4


def test_a_region_of_another_genome_is_refused(folder, tmp_path, capsys):
    paths = [str(folder / "params.json"), str(folder / "model.keras"), "chr9:300-700"]
    fasta = ["-f", str(folder / "genome.fa"), "-o", str(tmp_path / "out")]
    assert akita_predict.main([*paths, *fasta]) == 2
    assert 'the genome has no chromosome "chr9"' in capsys.readouterr().err
