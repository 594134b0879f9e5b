import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.variants.scores import conformal


def world(count, seed):
    """Scores over four decades that are off by a factor, most where the spread is large."""
    random = np.random.default_rng(seed)
    mean = 10.0 ** random.uniform(-3, 1, (count, 2))
    sd = mean * random.uniform(0, 0.5, mean.shape)
    truth = mean * np.exp(random.normal(0.2, 0.3 + sd / mean))
    return truth, mean, sd


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_intervals_hold_the_truth_as_often_as_they_say(level):
    widening = conformal.fit(*world(400, 0), level=level)
    truth, mean, sd = world(4000, 1)
    low, high = widening.interval(mean, sd)
    assert np.mean((low <= truth) & (truth <= high)) == pytest.approx(level, abs=0.05)
    assert (low >= 0).all()
    assert (low <= mean).all()
    assert (mean <= high).all()


def test_more_spread_gives_a_wider_interval():
    widening = conformal.fit(*world(400, 0))
    low, high = widening.interval(np.array([1.0, 1.0]), np.array([0.0, 0.5]))
    assert low[1] < low[0]
    assert high[1] > high[0]


def two_kinds(count, seed):
    """Weak effects are predicted to within a factor of ten, strong ones 1.5 times too low."""
    random = np.random.default_rng(seed)
    mean = np.concatenate([random.uniform(0.5, 1, count), random.uniform(5, 10, count)])
    error = np.concatenate([random.normal(0, 1.5, count), random.normal(0.4, 0.1, count)])
    return mean * np.exp(error), mean, np.zeros(2 * count)


def test_intervals_hold_for_weak_and_for_strong_effects_alike():
    """One factor for all would be too narrow for the former and too wide for the latter."""
    widening = conformal.fit(*two_kinds(2000, 0))
    assert len(widening.starts) + 1 == conformal.MOST
    truth, mean, sd = two_kinds(2000, 1)
    low, high = widening.interval(mean, sd)
    inside = (low <= truth) & (truth <= high)
    for kind in (mean < 2, mean > 2):
        assert 0.87 < inside[kind].mean() < 0.97
    assert np.median((high / mean)[mean < 2]) > 5
    assert np.median((high / mean)[mean > 2]) < 2


def test_few_known_scores_make_one_class():
    widening = conformal.fit(*two_kinds(conformal.CLASS - 1, 0))
    assert widening.starts == ()
    assert len(widening.low) == len(widening.high) == 1


@pytest.mark.parametrize(("count", "ranks"), [(20, [0, 19]), (39, [1, 37])])
def test_the_ends_lie_at_their_ranks(count, ranks):
    """Of 39 errors the second smallest and the second largest are the ends; of 20 the outermost."""
    mean = np.full(count, 1.0)
    wrong = np.linspace(-0.57, 0.57, count)
    widening = conformal.fit((mean + 1) * np.exp(wrong) - 1, mean, np.zeros(count))
    assert widening.floor == 1
    assert widening.spread == pytest.approx(np.median(np.abs(wrong)))
    ends = np.array(widening.interval(np.array(1.0), np.array(0.0)))
    np.testing.assert_allclose(np.log((ends + 1) / 2), wrong[ranks])


def ties(*groups):
    """Errors of +-0.5 around predictions of which many are equal: (score, how many) each."""
    mean = np.concatenate([np.full(count, score) for score, count in groups])
    error = np.random.default_rng(0).uniform(-0.5, 0.5, len(mean))
    return (mean + 1e-6) * np.exp(error), mean, np.zeros(len(mean))


@pytest.mark.parametrize(
    ("groups", "starts"),
    [
        ([(0.0, 600), *((1.0 + i / 400, 1) for i in range(400))], 3),  # at 5/8, 6/8 and 7/8
        ([(0.0, 500), (1.0, 500)], 1),  # at 4/8, between the two
        ([(2.0, 1000)], 0),
    ],
)
def test_equal_predictions_are_of_one_class(groups, starts):
    truth, mean, sd = ties(*groups)
    widening = conformal.fit(truth, mean, sd)
    assert len(widening.starts) == starts
    assert len(widening.low) == len(widening.high) == starts + 1
    kind = np.searchsorted(widening.starts, mean, side="right")
    assert np.bincount(kind, minlength=starts + 1).min() >= 19
    low, high = widening.interval(mean, sd)
    for k in range(starts + 1):
        assert np.mean(((low <= truth) & (truth <= high))[kind == k]) >= 0.9


@pytest.mark.parametrize(("level", "fewest"), [(0.9, 20), (0.95, 39), (0.99, 199)])
def test_a_level_needs_as_many_variants_as_have_a_rank_for_it(level, fewest):
    """2 / (1 - level) - 1; with fewer not even the outermost errors hold so much."""
    conformal.fit(*(values[:fewest, 0] for values in world(fewest, 0)), level=level)
    with pytest.raises(errors.VariantError, match=f"{fewest} variants with known scores"):
        conformal.fit(*(values[: fewest - 1, 0] for values in world(fewest, 0)), level=level)


def test_every_class_has_as_many_variants_as_its_level_needs():
    widening = conformal.fit(*(values[:, 0] for values in world(597, 0)), level=0.99)
    assert len(widening.low) == 3
    assert len(conformal.fit(*(values[:, 0] for values in world(596, 0)), level=0.99).low) == 2


def test_targets_of_one_variant_do_not_count_as_further_variants():
    """The outermost of 38 errors are the ends of level 0.9, for one target and for 4 equal ones."""
    columns = [column[:, :1] for column in world(38, 0)]
    repeated = [np.repeat(column, 4, axis=1) for column in columns]
    for truth, mean, sd in (columns, repeated):
        low, high = conformal.fit(truth, mean, sd).interval(mean, sd)
        assert (low <= (1 + 1e-9) * truth).all()
        assert (truth <= (1 + 1e-9) * high).all()
    with pytest.raises(errors.VariantError, match="20 variants with known scores"):
        conformal.fit(*(column[:10] for column in repeated))


def test_scores_in_rows_belong_to_the_variants_that_are_named():
    columns = world(38, 0)
    rows = [column.ravel() for column in columns]
    assert conformal.fit(*rows, variants=np.repeat(np.arange(38), 2)) == conformal.fit(*columns)
    assert conformal.fit(*rows) != conformal.fit(*columns)


def test_every_class_has_enough_variants_of_several_targets():
    """With 5 equal targets, 60 variants have 300 scores; 3 classes of 20 variants are enough."""
    columns = [np.repeat(column[:, :1], 5, axis=1) for column in world(60, 0)]
    assert len(conformal.fit(*columns).low) == 3
    assert len(conformal.fit(*columns, level=0.95).low) == 1


def test_refuses_what_teaches_nothing():
    truth, mean, sd = world(9, 0)
    with pytest.raises(errors.VariantError, match="20 variants with known scores"):
        conformal.fit(truth, mean, sd)
    with pytest.raises(errors.VariantError, match="0 or more"):
        conformal.fit(np.full(30, -1.0), np.ones(30), np.ones(30))
    with pytest.raises(errors.VariantError, match="0 or more"):
        conformal.fit(np.ones(30), np.linspace(-1, 1, 30), np.ones(30))
    for argument in range(3):
        broken = [np.ones(30) for _ in range(3)]
        broken[argument][7] = (np.nan, np.inf, np.nan)[argument]
        with pytest.raises(errors.VariantError, match="must be finite numbers"):
            conformal.fit(*broken)
    with pytest.raises(errors.VariantError, match="between 0 and 1; got 90"):
        conformal.fit(np.ones(30), np.ones(30), np.ones(30), level=90)
