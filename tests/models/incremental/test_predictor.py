"""Shared and partial computation against the plain network on every window."""

import tracemalloc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

import akita_bayes
from akita_bayes import dna, errors, triangle
from akita_bayes.models import posterior, predict, swag
from akita_bayes.models.ensemble import Ensemble
from akita_bayes.models.incremental import member_windows, predictor, tower_tiles
from akita_bayes.models.passes import find_head, head_rectangles, tower
from tests import tiny


def sequences(length, seed=0):
    """A reference; a changed base; two far ones; an insertion; an unrelated one; unknown bases."""
    random = np.random.default_rng(seed)
    ref = random.integers(0, 4, length).astype(np.uint8)
    snv, two, edge, unknown = (ref.copy() for _ in range(4))
    snv[length // 2] = (snv[length // 2] + 1) % 4
    two[[100, length - 90]] = (two[[100, length - 90]] + 2) % 4
    edge[0] = (edge[0] + 1) % 4
    unknown[300:350] = dna.UNKNOWN
    inserted = np.concatenate([ref[:500], [1, 2, 3], ref[500:-3]]).astype(np.uint8)
    unrelated = random.integers(0, 4, length).astype(np.uint8)
    return [ref, snv, two, edge, inserted, ref.copy(), unrelated, unknown]


def requests(indexes):
    return [
        predictor.Request(lambda shift, x=x: x, phase=3, base=0 if i else None)
        for i, x in enumerate(indexes)
    ]


STRIPS = [
    pytest.param(name, marks=pytest.mark.slow) for name in ("strip_model", "strip_latent_model")
]


def window_predictor(model, **options):
    return predictor.WindowPredictor(model, predictor.WindowOptions(**options))


def one_hot(indexes):
    return dna.index_to_one_hot(np.stack(indexes)).astype(np.float32)


@pytest.mark.parametrize("name", [*STRIPS, "small_model"])
@pytest.mark.parametrize("rc", [False, True])
def test_agrees_with_the_plain_network(name, rc, request, monkeypatch):
    monkeypatch.setattr(head_rectangles, "PATIENCE", 1)
    model = request.getfixturevalue(name)
    indexes = sequences(model.spec.model.seq_length) if name != "small_model" else [
        x[:256] for x in sequences(1024)
    ]  # fmt: skip
    expected = predict.predict(model, one_hot(indexes), rc=rc)
    for _ in range(2):  # an edit has a graph of its own the second time
        (maps,) = window_predictor(model, rc=rc)(requests(indexes))
        np.testing.assert_allclose(maps, expected, atol=1e-4 * expected.std())
        np.testing.assert_array_equal(maps[5], maps[0])


@pytest.mark.parametrize("name", ["strip_model", "strip_latent_model"])
@pytest.mark.slow
def test_changes_in_bfloat16_are_those_of_float32(name, request, monkeypatch):
    """Of an SNV, and of two far ones; the map itself is rounded, by 0.1 to 0.3 % of its sd.

    Pixels of the change are wrong by 1 to 4 % of its size, and its size by up to 1.2 %. Maps that
    are predicted one by one differ by 2.7 to 9 times as much as they should.
    """
    monkeypatch.setattr(head_rectangles, "PATIENCE", 1)
    model = request.getfixturevalue(name)
    indexes = sequences(1024)[:3]
    exact, half = (
        next(window_predictor(model, precision=precision)(requests(indexes)))
        for precision in ("float32", "bfloat16")
    )
    assert np.abs(half[0] - exact[0]).std() > 1e-4 * exact.std()
    changes, expected = half[1:] - half[0], exact[1:] - exact[0]
    size = np.linalg.norm(expected, axis=1)
    assert (np.linalg.norm(changes - expected, axis=1) < 0.06 * size).all()
    np.testing.assert_allclose(np.linalg.norm(changes, axis=1), size, rtol=0.02)
    apart = predict.predict(model, one_hot(indexes), precision="bfloat16")
    assert (np.linalg.norm(apart[1:] - apart[0], axis=1) > 2 * size).all()


def test_strands_and_shifts_follow_one_another(small_model):
    """Letters of the next are read after the last one's maps are made: memory is that of one."""
    model, events = small_model, []

    def letters(shift):
        events.append(shift)
        return sequences(256)[0]

    stranded_predictor = window_predictor(model, rc=True, shifts=(0, 1))
    original = stranded_predictor._members[0]._rest
    stranded_predictor._members[0]._rest = lambda *args: events.append("maps") or original(*args)
    try:
        next(stranded_predictor([predictor.Request(letters)] * 2))
    finally:
        stranded_predictor._members[0]._rest = original
    assert events == [0, 0, "maps", 0, 0, "maps", 1, 1, "maps", 1, 1, "maps"]


def test_strips_are_used_and_tell_an_edit_from_none(strip_model, monkeypatch):
    located = find_head.find(strip_model)
    assert located is not None
    assert located.track.shape[1:] == (128, 6)
    whole = []
    original = type(located.head).whole
    monkeypatch.setattr(
        type(located.head), "whole", lambda self, track: whole.append(1) or original(self, track)
    )
    indexes = sequences(1024)
    maps = next(window_predictor(strip_model)(requests(indexes[:2])))
    assert len(whole) == 1
    assert np.abs(maps[1] - maps[0]).max() > 1e-3


def test_overlapping_windows_share_tiles_on_both_strands(strip_model, monkeypatch):
    """Three bins on, all but the tiles at its ends are known, on the grid of either strand."""
    monkeypatch.setattr(tower_tiles, "TILE_BASES", 64)
    monkeypatch.delitem(strip_model.__dict__, "_compiled_graphs", raising=False)
    letters = np.random.default_rng(1).integers(0, 4, 1024 + 24).astype(np.uint8)
    stranded_predictor = window_predictor(strip_model, rc=True)
    tiles = stranded_predictor._members[0]._tower
    next(stranded_predictor([predictor.Request(lambda _: letters[:1024], phase=5)]))
    assert tiles.computed == 2 * 128
    next(stranded_predictor([predictor.Request(lambda _: letters[24:], phase=5 + 3)]))
    assert tiles.computed <= 2 * (128 + 4 * 8)


@pytest.mark.parametrize("unknown", [0.0, 0.25])
def test_tiles_add_up_to_the_tower_whatever_their_borders(strip_model, monkeypatch, unknown):
    monkeypatch.setattr(tower_tiles, "TILE_BASES", 64)
    tiles = tower_tiles.Tower(strip_model, unknown=unknown)
    assert tiles.bin_width == 8
    indexes = sequences(1024)
    table = tower.rows(unknown)
    expected = keras.Model(strip_model.input, tiles.cut)(table[np.stack(indexes)], training=False)
    for x, y in zip(indexes, expected.numpy(), strict=True):
        for phase in (0, 3, -5):
            np.testing.assert_allclose(tiles(x, phase), y, atol=1e-5)


def test_an_edit_recomputes_the_tiles_that_see_it(strip_model, monkeypatch):
    monkeypatch.setattr(tower_tiles, "TILE_BASES", 64)
    tiles = tower_tiles.Tower(strip_model)
    ref, snv, *_ = sequences(1024)
    tiles(ref)
    assert tiles.computed == 128
    tiles(snv)
    assert 8 <= tiles.computed - 128 <= 16
    tiles.computed = 0
    moved = np.concatenate([ref[64:], ref[:64]])  # the window eight bins on: the inside is known
    tiles(moved, phase=8)
    assert tiles.computed <= 32


def test_an_edit_near_a_known_sequence_recomputes_the_bins_that_see_it(strip_model):
    """A base is seen from at most 22 bases away: 3 to 7 bins of 8."""
    tiles = tower_tiles.Tower(strip_model)
    ref, snv, two, edge, *_ = sequences(1024)
    last = ref.copy()
    last[-1] = (last[-1] + 1) % 4
    ref_track = tiles(ref)
    for sequence, most in ((snv, 7), (edge, 4), (last, 4), (ref, 0), (two, 128)):
        tiles.computed = 0
        np.testing.assert_allclose(
            tiles.edited(sequence, 0, ref, ref_track), tiles(sequence), rtol=1e-6, atol=1e-6
        )
        tiles._kept.clear()
        tiles.computed = 0
        tiles.edited(sequence, 0, ref, ref_track)
        assert tiles.computed <= most


def test_draws_are_those_of_the_posterior(latent_model, strip_latent_model):
    for model, length, seed in (
        (latent_model, 256, {}),
        (strip_latent_model, 1024, {"seed": 7}),
    ):
        indexes = [x[:length] for x in sequences(1024)]
        draws = list(window_predictor(model, draws=3, **seed)(requests(indexes)))
        expected = list(posterior.draw(model, one_hot(indexes), draws=3, **seed))
        assert len(draws) == 3
        assert np.abs(draws[0] - draws[1]).max() > 1e-2
        for draw, expected_draw in zip(draws, expected, strict=True):
            np.testing.assert_allclose(draw, expected_draw, atol=1e-4 * expected_draw.std())


def test_members_of_an_ensemble_are_draws_or_are_averaged(small_model, randomise):
    second = randomise(tiny.spec_json(), seed=9)
    both = Ensemble((small_model, second))
    indexes = [x[:256] for x in sequences(1024)]
    draws = list(window_predictor(both, draws=8)(requests(indexes)))
    singles = [predict.predict(member, one_hot(indexes)) for member in (small_model, second)]
    assert len(draws) == 2
    for draw, single in zip(draws, singles, strict=True):
        np.testing.assert_allclose(draw, single, atol=1e-5)
    (mean,) = window_predictor(both)(requests(indexes))
    np.testing.assert_allclose(mean, np.mean(singles, axis=0), atol=1e-5)


def with_swag(model, count):
    """The same network with draws of its weights."""
    weights = swag.flatten(swag.drawn_variables(model))
    model.swag_draws = weights * np.linspace(0.8, 1.2, count, dtype=np.float32)[:, None]
    return model


def test_draws_of_a_latent_are_of_the_window_as_it_is(latent_model, randomise):
    """Its noise at a position would meet other bases on the other strand; drawn weights do not."""
    both = Ensemble((randomise(tiny.spec_json(), seed=9), latent_model))
    for model in (latent_model, both):
        with pytest.raises(errors.VariantError, match="leave rc"):
            window_predictor(model, draws=2, rc=True)
        window_predictor(model, rc=True)
    model = with_swag(randomise(tiny.spec_json(), seed=12), 3)
    indexes = [x[:256] for x in sequences(1024)][:2]
    turned = one_hot(indexes)[:, ::-1, ::-1]
    geometry = model.spec.geometry("hic")
    order = triangle.reverse_order(geometry.bins, geometry.diagonal_offset)
    draws = window_predictor(model, draws=3, rc=True)(requests(indexes))
    lanes = [list(posterior.draw(model, x, draws=3)) for x in (one_hot(indexes), turned)]
    for draw, forward, reverse in zip(draws, *lanes, strict=True):
        np.testing.assert_allclose(draw, (forward + reverse[:, order]) / 2, atol=1e-5)


def test_letters_become_floats_batch_by_batch(small_model, monkeypatch):
    """A base is a byte as a letter and 16 as floats: 64 windows are 16 kB, or 256 kB."""
    letters = [np.arange(256, dtype=np.uint8) % 4 for _ in range(64)]

    class Sampler:
        def __init__(self, *_, **__):
            pass

        def stream(self, batches, draws):
            for _ in range(draws):
                yield np.concatenate([batch.sum((1, 2)) for batch in batches])

    monkeypatch.setattr(posterior, "Sampler", Sampler)
    monkeypatch.setattr(predict, "forward", lambda _, x: {"hic": x.sum((1, 2))})
    whole = member_windows.WholeWindows(small_model, "hic", 0.0)
    windows = member_windows.Windows(letters, [0] * 64, [None] * 64)
    for draws in (0, 3):
        tracemalloc.start()
        outputs = list(whole.stream(windows, member_windows.Draws(0, draws), 2))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        np.testing.assert_array_equal(outputs, np.full((max(draws, 1), 64), 256))
        assert most < 64 * 256 * 16 / 4


def test_a_member_with_few_draws_gives_its_share_again(latent_model, randomise):
    """20 draws of weights take 32 turns beside a latent; 5 take 20 beside 20."""
    first, second = (
        with_swag(randomise(tiny.spec_json(), seed=seed), count)
        for seed, count in ((12, 20), (13, 5))
    )
    indexes = [x[:256] for x in sequences(1024)][:2]
    for members, count in (((first, latent_model), 64), ((first, second), 40)):
        both = Ensemble(members)
        draws = list(window_predictor(both, draws=64, seed=7)(requests(indexes)))
        expected = list(posterior.draw(both, one_hot(indexes), draws=64, seed=7))
        assert len(draws) == len(expected) == count
        for draw, expected_draw in zip(draws, expected, strict=True):
            np.testing.assert_allclose(draw, expected_draw, atol=1e-4 * expected_draw.std())
        for index, member in enumerate(members):
            turns = draws[index::2]
            available = len(turns) if member.swag_draws is None else len(member.swag_draws)
            assert len({float(maps[0, 0, 0]) for maps in turns}) == min(available, len(turns))


def test_shared_passes_follow_changed_weights(randomise):
    model = randomise(tiny.spec_json(), seed=2)
    indexes = [x[:256] for x in sequences(1024)]
    (before,) = window_predictor(model)(requests(indexes))
    kernel = next(w for w in model.weights if "kernel" in w.path)
    kernel.assign(kernel * 1.5)
    (after,) = window_predictor(model)(requests(indexes))
    np.testing.assert_allclose(after, predict.predict(model, one_hot(indexes)), atol=1e-5)
    assert np.abs(after - before).max() > 1e-3


def test_the_bins_of_an_edit_are_those_that_differ_by_more_than_rounding():
    """1 is the largest value, so 1e-7 is rounding; the track between the bins is the old one's."""
    asked = []

    class Head:
        def edited(self, values, track, lo, hi):
            asked.append((lo, hi))
            return track

    old = np.random.default_rng(0).uniform(0.5, 1, (1, 10, 2)).astype(np.float32)
    new = old + np.float32(1e-7)
    whole = head_rectangles.Computed((), old)
    assert member_windows._edited(Head(), old, whole, tf.constant(new)) is old
    new[0, 3, 1] += 0.01
    new[0, 6, 0] -= 0.01
    edited = member_windows._edited(Head(), old, whole, tf.constant(new))
    assert asked == [(3, 7)]
    expected = np.concatenate([old[:, :3], new[:, 3:7], old[:, 7:]], axis=1)
    np.testing.assert_array_equal(edited, expected)


def test_a_reference_is_kept_until_its_last_edit(strip_model, monkeypatch):
    """Three in turn, each with its edit: none is left when the next is computed."""
    references, most = [], []
    head = type(find_head.find(strip_model).head)
    original = head.whole

    def whole(self, track):
        most.append(sum(reference() is not None for reference in references))
        computed = original(self, track)
        references.append(weakref.ref(computed.values[0][0]))
        return computed

    monkeypatch.setattr(head, "whole", whole)
    ref, snv, two, edge, _, _, far, _ = sequences(1024)
    near = far.copy()
    near[500] = (near[500] + 1) % 4
    windows, bases = (ref, snv, far, near, two, edge), (None, 0, None, 2, None, 4)
    asked = [
        predictor.Request(lambda _, x=x: x, base=b) for x, b in zip(windows, bases, strict=True)
    ]
    (maps,) = window_predictor(strip_model)(asked)
    assert most == [0, 0, 0]
    expected = predict.predict(strip_model, one_hot(windows))
    np.testing.assert_allclose(maps, expected, atol=1e-4 * expected.std())


def test_an_edit_may_have_edits_of_its_own(strip_model):
    ref, snv, two, *_ = sequences(1024)
    windows, bases = (ref, snv, two, ref), (None, 0, 1, 0)
    asked = [
        predictor.Request(lambda _, x=x: x, base=b) for x, b in zip(windows, bases, strict=True)
    ]
    (maps,) = window_predictor(strip_model)(asked)
    expected = predict.predict(strip_model, one_hot(windows))
    np.testing.assert_allclose(maps, expected, atol=1e-4 * expected.std())


@pytest.mark.parametrize("seed", [7, 2**31 - 1])
def test_layers_behind_the_strips_draw_as_the_whole_network_does(randomise, strip_spec, seed):
    """One posterior layer before the pairs, one behind the triangle: each has its own noise."""
    spec = strip_spec()
    spec["train"]["loss"] = "elbo"
    head = spec["model"]["head_hic"]
    head.insert(0, {"name": "normal_latent", "units": 5, "initial_scale": 0.5})
    head.insert(-1, {"name": "dense_variational", "units": 4})
    model = randomise(spec, seed=8)
    indexes = sequences(1024)[:2]
    draws = list(window_predictor(model, draws=2, seed=seed)(requests(indexes)))
    expected = list(posterior.draw(model, one_hot(indexes), draws=2, seed=seed))
    assert np.abs(draws[0] - draws[1]).max() > 1e-2
    np.testing.assert_allclose(draws, expected, atol=1e-4 * np.std(expected))


@pytest.mark.parametrize("name", ["tiny_v1", "tiny_v2"])
def test_both_akitas_run_in_strips(parity, name, monkeypatch):
    """Also with squeeze and excitation, and the triangle, behind the last block."""
    monkeypatch.setattr(member_windows, "STRIP_BINS", 8)
    monkeypatch.setattr(head_rectangles, "PATIENCE", 0)
    model = akita_bayes.load_model((parity / f"{name}.json", parity / f"{name}.h5"), head=0)
    length = model.spec.model.seq_length
    indexes = [x[:length] for x in sequences(length)]
    located = find_head.find(model)
    assert located is not None
    assert located.track.shape[1] == 64
    (maps,) = window_predictor(model, head=0)(requests(indexes))
    expected = predict.predict(model, one_hot(indexes), head=0)
    np.testing.assert_allclose(maps, expected, atol=1e-4 * expected.std())


def test_what_is_no_number_differs_from_every_number():
    """So an edit whose features overflow is not taken for its reference."""
    old = np.ones((1, 4, 3), np.float32)
    new = old.copy()
    new[0, 1, 2], new[0, 3, 0] = np.nan, 2.0
    np.testing.assert_array_equal(member_windows._changed(old, new), [False, True, False, True])
    np.testing.assert_array_equal(member_windows._changed(new, old), [True] * 4)
