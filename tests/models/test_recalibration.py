"""Recalibration factors: spread over pixels by distance, and kept with their run."""

import dataclasses
import threading

import keras
import numpy as np
import pytest

from akita_bayes import errors, files, triangle
from akita_bayes.models import recalibration, swag
from akita_bayes.models.intervals import map_error
from akita_bayes.numerics import map_features

FITTED = recalibration.Recalibration(
    edges=(2, 5, 24),
    epistemic=((1.0, 2.0), (0.5, 3.0)),
    aleatoric=((1.5, 2.5), (0.7, 0.9)),
    noise=None,
    diagonal_offset=2,
)


def test_every_pixel_has_the_factor_of_its_distance_and_target():
    near = triangle.distances(24, 2) < 5
    factors = FITTED.factors(triangle.length(24, 2))
    np.testing.assert_array_equal(factors.epistemic[:, 0], np.where(near, 1.0, 2.0))
    np.testing.assert_array_equal(factors.epistemic[:, 1], np.where(near, 0.5, 3.0))
    np.testing.assert_array_equal(factors.aleatoric[:, 0], np.float32(np.where(near, 1.5, 2.5)))
    assert FITTED.aleatoric_sd(triangle.length(24, 2)) is None


def test_a_distance_beyond_the_strata_has_the_factor_of_the_next_one():
    distance = triangle.distances(24, 2)
    fitted = dataclasses.replace(FITTED, edges=(4, 8, 16))
    factors = fitted.factors(triangle.length(24, 2))
    np.testing.assert_array_equal(factors.epistemic[:, 1], np.where(distance < 8, 0.5, 3.0))


def test_both_parts_are_scaled_and_noise_is_lent_only_to_a_model_without():
    pixels = triangle.length(24, 2)
    factors = FITTED.factors(pixels)
    spread, learned = np.full((4, pixels, 2), 2.0), np.full((1, 2), 3.0)
    lending = dataclasses.replace(FITTED, noise=((0.5, 0.5), (0.5, 0.5)))
    for fitted, model_noise, noise in (
        (FITTED, learned, 3.0),
        (lending, learned, 3.0),
        (lending, None, 0.5),
        (FITTED, None, 0.0),
    ):
        epistemic, aleatoric, _ = fitted.apply(spread, model_noise, mean=0 * spread, draws=4)
        np.testing.assert_allclose(epistemic, 2 * np.stack([factors.epistemic] * 4))
        np.testing.assert_allclose(aleatoric, noise * np.stack([factors.aleatoric] * 4))


MAP = map_error.MapError(
    epistemic=((2.0, 0.0), (1.0, 3.0)),
    constant=((0.0, 0.5), (0.3, 0.4)),
    noise=((0.1, 0.2), (0.3, 0.4)),
    slope=((-1.0, 0.0), (0.0, -2.0)),
    shapes=(map_error.Shape("value", ((-1.0, 1.0), (0.0, 2.0)), ((2.0, 1.0), (1.0, 1.0))),),
    draws=8,
)
BY_MOMENTS = dataclasses.replace(FITTED, noise=((9.0, 9.0), (9.0, 9.0)), map_error=MAP)


def test_the_error_of_the_map_and_the_noise_follow_their_formulas():
    pixels = triangle.length(24, 2)
    near = triangle.distances(24, 2) < 5
    mean = np.linspace(-2, 2, pixels)[:, None] * np.ones(2)
    spread = np.full((pixels, 2), 0.2)
    result = BY_MOMENTS.apply(spread, np.full((1, 2), 7.0), mean=mean, draws=4)
    shape = np.clip(1.5 - mean[:, 0] / 2, 1.0, 2.0)
    first = shape * np.where(near, 2 * 0.2 * np.sqrt(1.25), 0.5)
    second = np.sqrt(np.where(near, 0.05 + 0.09, 9 * 0.05 + 0.16))
    np.testing.assert_allclose(result.epistemic, np.stack([first, second], 1), rtol=1e-5)
    noise = [
        np.where(near, 0.1 * np.exp(-mean[:, 0] / 2), 0.2),
        np.where(near, 0.3, 0.4 * np.exp(-mean[:, 1])),
    ]
    np.testing.assert_allclose(result.aleatoric, np.stack(noise, 1), rtol=1e-5)
    # The width of an interval depends on both, so that neither has a default.
    with pytest.raises(TypeError, match="'mean' and 'draws'"):
        FITTED.apply(spread, None)


def test_intervals_of_few_draws_have_student_s_quantiles():
    spread = np.full((4, 2), 2.0)
    half = map_error.draws_half_width(spread, 3, 0.9)
    np.testing.assert_allclose(half, 2 * 2.91999 * np.sqrt(4 / 3), rtol=1e-5)
    np.testing.assert_array_equal(map_error.draws_half_width(spread, 1, 0.9), 0)
    # Without noise, the fit with 8 draws has the tails of 8 draws; 3 draws have more.
    quiet = dataclasses.replace(MAP, noise=((1e-9, 1e-9),) * 2)
    fitted = dataclasses.replace(BY_MOMENTS, map_error=quiet)
    spread, mean = np.full((triangle.length(24, 2), 2), 0.2), np.zeros((triangle.length(24, 2), 2))
    near = triangle.distances(24, 2) < 5
    for draws, ratio in ((8, 1.0), (3, 2.91999 / 1.89458)):
        result = fitted.apply(spread, None, mean=mean, draws=draws)
        width = result.half_width(0.9) / result.epistemic / 1.644854
        np.testing.assert_allclose(width[near, 0], ratio, rtol=2e-3)
        np.testing.assert_allclose(width[~near, 0], 1.0, rtol=1e-3)  # no part of draws


def test_the_error_of_the_map_survives_its_file_and_older_files_have_none(tmp_path):
    (run,) = runs(tmp_path, "a")
    path = recalibration.save([run], "hic", BY_MOMENTS)
    assert recalibration.load([run], ["hic"]) == {"hic": BY_MOMENTS}
    content = files.read_json(path)
    del content["heads"]["hic"]["map_error"]
    files.write_json(path, content)
    (fitted,) = recalibration.load([run], ["hic"]).values()
    assert fitted == dataclasses.replace(BY_MOMENTS, map_error=None)
    error = dataclasses.asdict(MAP)
    for damaged in (
        {"epistemic": [[1.0]]},
        {**error, "shapes": [["colour", [[0.0]], [[1.0]]]] * 2},
        {**error, "noise": [[0.1, 0.2], [0.3]]},
    ):
        content["heads"]["hic"]["map_error"] = damaged
        files.write_json(path, content)
        with pytest.raises(errors.DataError, match="not a recalibration"):
            recalibration.load([run], ["hic"])


def test_files_whose_error_depends_on_the_value_alone_still_load(tmp_path):
    (run,) = runs(tmp_path, "a")
    path = recalibration.save([run], "hic", BY_MOMENTS)
    content = files.read_json(path)
    error = content["heads"]["hic"]["map_error"]
    ((_, error["values"], error["shape"]),) = error.pop("shapes")
    files.write_json(path, content)
    assert recalibration.load([run], ["hic"]) == {"hic": BY_MOMENTS}


def test_shapes_of_features_multiply_and_noise_may_be_that_of_every_distance():
    pixels = triangle.length(24, 2)
    distance = triangle.distances(24, 2)
    mean = np.random.default_rng(0).normal(size=(3, pixels, 2))
    spread = np.full(mean.shape, 0.2)
    contrast = map_error.Shape("contrast", ((-2.0, 1.0),) * 2, ((0.5, 2.0),) * 2)
    noise = tuple(tuple(np.linspace(start, 1, 22).tolist()) for start in (0.1, 0.2))
    error = dataclasses.replace(MAP, noise=noise, slope=((0.0, 0.0),) * 2)
    plain, shaped = (
        dataclasses.replace(BY_MOMENTS, map_error=dataclasses.replace(error, shapes=shapes)).apply(
            spread, None, mean=mean, draws=8
        )
        for shapes in (MAP.shapes, (*MAP.shapes, contrast))
    )
    feature = map_features.compute("contrast", mean, spread, 2)
    factor = np.interp(feature, (-2.0, 1.0), (0.5, 2.0))
    np.testing.assert_allclose(shaped.epistemic, plain.epistemic * factor, rtol=1e-5)
    for target in range(2):
        expected = np.array(noise[target])[distance - 2]
        np.testing.assert_allclose(shaped.aleatoric[1, :, target], expected, rtol=1e-5)


OTHER = dataclasses.replace(FITTED, epistemic=((4.0, 4.0),))
TOGETHER = dataclasses.replace(FITTED, noise=((0.1, 0.2), (0.3, 0.4)))


def runs(folder, *names):
    """Run directories that hold so many different models."""
    directories = [folder / name for name in names]
    for number, run in enumerate(directories):
        run.mkdir()
        train(run, number)
    return directories


def train(run, value):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.set_weights([np.full((1, 1), value), np.zeros(1)])
    model.save(run / recalibration.WEIGHTS)


def test_factors_survive_their_file_and_a_damaged_one_is_named(tmp_path):
    (run,) = runs(tmp_path, "a")
    assert recalibration.load([run], ["hic"]) == {}
    recalibration.save([run], "hic", FITTED)
    assert recalibration.load([run], ["hic"]) == {"hic": FITTED}
    (run / recalibration.FILE).write_text('{"edges": [1]}')
    with pytest.raises(errors.DataError, match=r"akita_calibrate\.py again"):
        recalibration.load([run], ["hic"])


def test_each_head_keeps_its_own_factors(tmp_path):
    run = str(*runs(tmp_path, "a"))
    recalibration.save([run], "human", FITTED)
    recalibration.save([run], "mouse", OTHER)
    heads = ["human", "mouse", "rat"]
    assert recalibration.load([run], heads) == {"human": FITTED, "mouse": OTHER}
    recalibration.save([run], "mouse", TOGETHER)
    assert recalibration.load([run], heads) == {"human": FITTED, "mouse": TOGETHER}


def test_two_that_save_at_once_lose_nothing(tmp_path, monkeypatch):
    """Locks of two threads exclude each other as those of two processes do."""
    (run,) = runs(tmp_path, "a")
    read = recalibration._read
    second = threading.Thread(target=recalibration.save, args=([run], "mouse", OTHER))

    def read_slowly(path):
        content = read(path)
        if threading.current_thread() is not second:
            second.start()
            second.join(1)  # it ends within that time only if nothing makes it wait
        return content

    monkeypatch.setattr(recalibration, "_read", read_slowly)
    recalibration.save([run], "human", FITTED)
    second.join()
    monkeypatch.undo()
    loaded = recalibration.load([run], ["human", "mouse"])
    assert loaded == {"human": FITTED, "mouse": OTHER}


def test_a_run_that_was_trained_on_drops_its_factors_and_says_so(tmp_path, caplog):
    (run,) = runs(tmp_path, "a")
    heads = ["human", "mouse"]
    for head in heads:
        recalibration.save([run], head, FITTED)
    assert len(recalibration.load([run], heads)) == 2
    train(run, 0)  # the same weights, saved anew
    assert len(recalibration.load([run], heads)) == 2
    assert not caplog.text
    train(run, 7)
    recalibration.save([run], "mouse", OTHER)
    assert recalibration.load([run], heads) == {"mouse": OTHER}
    assert "the factors of human were not fitted to the weights that model_best" in caplog.text
    assert "run akita_calibrate.py again" in caplog.text


def draw(run, value):
    posterior = swag.Swag(*np.zeros((2, 3), np.float32), np.zeros((0, 3), np.float32))
    swag.save(run / swag.FILE, posterior, np.full((2, 3), value, np.float32))


def test_factors_are_also_of_the_swag_draws_of_each_run(tmp_path, caplog):
    a, b = runs(tmp_path, "a", "b")
    recalibration.save([a], "hic", OTHER)
    draw(a, 1)
    assert recalibration.load([a], ["hic"]) == {}  # of the weights without draws
    assert "that model_best.keras and swag.npz hold now" in caplog.text
    recalibration.save([a], "hic", FITTED)
    recalibration.save([a, b], "hic", TOGETHER)
    draw(a, 1)  # the same draws, saved anew
    assert recalibration.load([a], ["hic"]) == {"hic": FITTED}
    assert recalibration.load([b, a], ["hic"]) == {"hic": TOGETHER}
    draw(a, 2)
    assert recalibration.load([a], ["hic"]) == {}
    assert recalibration.load([a, b], ["hic"]) == {}
    (a / swag.FILE).unlink()
    assert recalibration.load([a], ["hic"]) == {}


def test_factors_that_do_not_say_of_which_weights_they_are_are_not_applied(tmp_path, caplog):
    (run,) = runs(tmp_path, "a")
    path = recalibration.save([run], "hic", FITTED)
    older = files.read_json(path)
    del older["weights"]
    files.write_json(path, older)
    assert recalibration.load([run], ["hic"]) == {}
    assert "or do not name their weights" in caplog.text


def test_an_ensemble_s_factors_are_of_exactly_these_members_in_any_order(tmp_path):
    a, b, c = runs(tmp_path, "a", "b", "c")
    recalibration.save([str(a)], "hic", FITTED)
    assert recalibration.save([a, b], "hic", TOGETHER) == a / recalibration.FILE
    assert recalibration.load([a], ["hic"]) == {"hic": FITTED}
    assert recalibration.load([a, b], ["hic"]) == {"hic": TOGETHER}
    assert recalibration.load([str(b), str(a)], ["hic"]) == {"hic": TOGETHER}
    assert recalibration.load([a, b, c], ["hic"]) == {}
    assert recalibration.load([a, c], ["hic"]) == {}
    train(b, 7)
    assert recalibration.load([a, b], ["hic"]) == {}


@pytest.mark.parametrize(("members", "share"), [(3, 0.71), (5, 0.79)])
def test_draws_of_few_members_state_narrow_intervals(members, share):
    """What docs/uncertainty.md says of draws that resemble each other, before calibration."""
    random = np.random.default_rng(0)
    centres = random.normal(0, 1, (50_000, members, 1))
    draws = (centres + random.normal(0, 0.3, (50_000, members, 8))).reshape(50_000, -1)
    half_width = map_error.draws_half_width(draws.std(axis=1, ddof=1), draws.shape[1], 0.9)
    of_new_member = random.normal(0, np.hypot(1, 0.3), 50_000)
    inside = np.abs(of_new_member - draws.mean(axis=1)) < half_width
    assert inside.mean() == pytest.approx(share, abs=0.01)
