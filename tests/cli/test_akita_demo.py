"""`akita_demo.py`: one call makes data, a model, its accuracy, a SavedModel and figures."""

import json
import re
import types

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import akita_bayes as ab
from akita_bayes.cli import akita_calibrate, akita_demo, akita_scd
from akita_bayes.data.records import dataset
from akita_bayes.variants import interval_files
from akita_bayes.variants.intervals import score_intervals
from tests import rounding
from tests.outputs import files_of
from tests.report import page_reader

NULL = 4
"""Random variants of each stratum; a background of 19 takes 13 seconds more."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "demo"
    options = ["-o", str(out), "--preset", "tiny", "--epochs", "1", "-p", "1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(akita_demo, "_NULL", NULL)
        patch.setattr(akita_demo, "_KNOWN", 2)
        patch.setattr(akita_demo, "_SCORE_DRAWS", 2)
        assert akita_demo.main(options) == 0
    return out


@pytest.mark.slow
def test_what_is_exported_predicts_what_was_trained(demo):
    batch = next(iter(dataset.open_split(demo / "data", "test", batch_size=3).batches()))
    x = batch["sequence"].numpy()
    expected = ab.predict(ab.load_model(demo / "run"), x)
    served = tf.saved_model.load(str(demo / "saved_model"))(tf.constant(x, tf.float32)).numpy()
    limit = rounding.INFERENCE * expected.std()
    np.testing.assert_allclose(served, expected, rtol=0, atol=limit)


@pytest.mark.slow
def test_accuracy_is_that_of_the_run_on_held_out_windows(demo):
    metrics = json.loads((demo / "test" / "metrics.json").read_text())
    assert metrics["windows"] == ab.data.open_split(demo / "data", "test", batch_size=1).records
    for key in ("model", "distance_only", "against_truth", "ceiling"):
        assert key in metrics


@pytest.mark.slow
def test_the_run_is_calibrated_and_the_figure_shows_how_sure_it_is(demo):
    import matplotlib.image

    after = json.loads((demo / "calibration" / "calibration.json").read_text())["after"]
    assert 0.8 < after["overall"]["coverage_90%"]["estimate"] < 0.97
    x = np.eye(4, dtype=np.float32)[np.random.default_rng(0).integers(0, 4, (1, 32768))]
    assert ab.sample_posterior(ab.load_model(demo / "run"), x, draws=2).sd.min() > 0
    height, width = matplotlib.image.imread(demo / "maps.png").shape[:2]
    assert width > 1.8 * height  # two rows of four columns


@pytest.mark.slow
def test_figures_are_drawn(demo):
    import matplotlib.image

    for name in ("maps.png", "triangles.png"):
        pixels = matplotlib.image.imread(demo / name)[..., :3]
        # maps hold red and blue, not an empty page
        assert ((pixels[..., 0] > pixels[..., 2] + 0.3).mean()) > 0.005
        assert ((pixels[..., 2] > pixels[..., 0] + 0.3).mean()) > 0.005


@pytest.mark.slow
def test_the_report_shows_the_variants_and_their_maps(demo):
    document = page_reader.read(demo / "report.html")
    scored = pd.read_csv(demo / "variants" / "scores.tsv", sep="\t")
    columns = {column["name"]: column for column in document.data["tables"][0]["columns"]}
    assert columns["SCD:alpha"]["values"] == scored["SCD:alpha"].tolist()
    assert columns["SCD_ci_high:beta"]["shown"]
    assert len(document.data["maps"]) == 2 * 10  # two targets of ten variants
    assert len(document.data["maps"][0]["layers"]) == 4


@pytest.mark.slow
def test_variants_have_intervals_and_p_values_beside_their_truth(demo):
    rows = pd.read_csv(demo / "variants" / "effects.tsv", sep="\t")
    scored = pd.read_csv(demo / "variants" / "scores.tsv", sep="\t")
    assert len(rows) == 2 * len(scored) == 30
    assert set(rows["target"]) == {"alpha", "beta"}
    for target, group in rows.groupby("target"):
        for column, name in (
            ("score", "SCD"),
            ("ci_low", "SCD_ci_low"),
            ("p_value", "SCD_p_value"),
        ):
            np.testing.assert_allclose(group[column], scored[f"{name}:{target}"], rtol=1e-4)
    assert (rows["ci_low"] <= rows["score"]).all()
    assert (rows["score"] <= rows["ci_high"]).all()
    steps = rows["p_value"] * (NULL + 1)
    np.testing.assert_allclose(steps, steps.round(), atol=1e-3)
    neutral = rows["kind"].str.startswith("neutral")
    assert rows["truth"][neutral].max() < 0.5 < rows["truth"][~neutral].median()
    fitted = json.loads((demo / "calibration" / "variant_intervals.json").read_text())
    assert list(fitted["scores"]) == ["SCD"]
    assert fitted["scores"]["SCD"]["level"] == 0.9
    assert fitted["fitted_to"]["genome"] == "genome.fa"


@pytest.mark.slow
def test_a_user_fits_the_same_kind_of_intervals(demo, tmp_path, capsys, monkeypatch):
    """What `akita_calibrate.py --variants` writes is what `akita_scd.py` then applies."""
    run, data = str(demo / "run"), str(demo / "data")
    more = ["--variants", "2", "--stats", "SCD,MSE", "--level", "0.8", "--draws", "2"]
    calls = []
    calibrate_scores = score_intervals.calibrate_scores
    monkeypatch.setattr(
        score_intervals,
        "calibrate_scores",
        lambda *a, **k: calls.append(calibrate_scores(*a, **k)) or calls[-1],
    )
    assert akita_calibrate.main([run, data, "-o", str(tmp_path / "fit"), *more]) == 0
    score_intervals.write(calls[0], tmp_path / "library")
    written, expected = (files_of(tmp_path / name) for name in ("library", "fit"))
    assert written == expected
    stdout = capsys.readouterr().out
    assert "inside their 80 % interval" in stdout
    rows = pd.read_csv(tmp_path / "fit" / "variant_intervals.tsv", sep="\t")
    assert len(rows) == 30 * 2 * 2
    inside = (rows["ci_low"] <= rows["truth"]) & (rows["truth"] <= rows["ci_high"])
    shares = inside.groupby(rows["name"]).mean()
    (shown,) = re.findall(r"│ all +│ +30 +│ (0\.\d{3}|1\.000) +│ (0\.\d{3}|1\.000) ", stdout)
    np.testing.assert_allclose([float(x) for x in shown], shares[["SCD", "MSE"]], atol=6e-4)

    path = tmp_path / "fit" / "variant_intervals.json"
    widenings = interval_files.load(path).widenings
    assert {name: row.level for name, row in widenings.items()} == {"SCD": 0.8, "MSE": 0.8}
    options = ["--draws", "2"] if widenings["SCD"].of_draws else []
    arguments = [*(str(demo / "run" / "params.json"), run, str(demo / "data" / "variants.vcf"))]
    arguments += ["-f", str(demo / "data" / "genome.fa"), "-o", str(tmp_path / "scd")]
    assert akita_scd.main([*arguments, "--stats", "MSE", "--intervals", str(path), *options]) == 0
    table = pd.read_csv(tmp_path / "scd" / "scores.tsv", sep="\t")
    sd = table["MSE_sd:alpha"] if options else np.zeros(len(table))
    low, high = widenings["MSE"].interval(table["MSE:alpha"].to_numpy(), np.asarray(sd))
    np.testing.assert_allclose(table["MSE_ci_low:alpha"], low, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(table["MSE_ci_high:alpha"], high, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--stats", "SSD"],
            "SSD: has values below 0, and only scores of 0 or more have intervals",
        ),
        (["--level", "1"], "the level of intervals must be between 0 and 1; got 1.0"),
        (["--split", "valid"], 'intervals fitted on "valid" cannot be judged on it'),
    ],
)
@pytest.mark.slow
def test_refuses_variants_that_cannot_calibrate(demo, tmp_path, capsys, options, message):
    arguments = [str(demo / "run"), str(demo / "data"), "-o", str(tmp_path / "fit")]
    assert akita_calibrate.main([*arguments, "--variants", "2", *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "fit").exists()


@pytest.mark.slow
def test_a_former_demo_is_replaced_and_nothing_else(demo, tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("x")
    assert akita_demo.main(["-o", str(tmp_path)]) == 2
    assert "not empty, and does not hold a demo; choose another -o." in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").read_text() == "x"

    (demo / "notes.txt").write_text("mine")
    akita_demo._clear(demo)
    assert [path.name for path in demo.iterdir()] == ["notes.txt"]


def test_the_table_says_how_good_it_is(tmp_path, capsys):
    """Beside the model: truth, ceiling, replicates at half and at full depth, distance alone."""
    from akita_bayes.evaluate import comparison
    from akita_bayes.evaluate.accuracy import Report

    rng = np.random.default_rng(0)

    def scores(r):
        accumulator = comparison.Comparison(1, rank=False, strata=None)
        y = rng.normal(size=(20_000, 1))
        noise = rng.normal(size=y.shape) * np.sqrt(1 / r**2 - 1)
        accumulator.update(y, y + noise, np.ones_like(y, bool))
        return accumulator.scores()

    report = Report(
        model=scores(0.8),
        baseline=scores(0.1),
        truth=scores(0.9),
        ceiling={"target_truth_pearson": [0.95], "replicate_pearson": [0.85]},
        windows=(["chr1:0-10"], np.ones((1, 1))),
        diagonal_offset=2,
        strata=[],
        by_distance=np.ones((0, 1)),
        truth_by_distance=None,
        insulation=None,
        examples=[],
        scatter=[],
    )
    belief = types.SimpleNamespace(after={"overall": {"coverage_90%": {"estimate": 0.91}}})
    akita_demo._show(tmp_path, report, belief, 1e-6, 100.0)
    stdout = capsys.readouterr().out
    shown = [float(x) for x in re.findall(r"│ +(0\.\d{3}) │", stdout)]
    np.testing.assert_allclose(shown, [0.9, 0.8, 0.95, 0.85, 0.919, 0.1, 0.91], atol=0.02)
    assert "1.7 minutes" in stdout
