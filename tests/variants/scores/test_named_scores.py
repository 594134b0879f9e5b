import numpy as np
import pytest
from scipy import stats

from akita_bayes import errors
from akita_bayes.variants.scores import named_scores, pixels, structure, tracks

BINS, TARGETS, OFFSET = 40, 3, 2


def symmetric(rng):
    values = rng.normal(0, 0.5, (BINS, BINS, TARGETS)).astype(np.float32)
    return (values + values.transpose(1, 0, 2)) / 2


def whole_mask():
    return np.abs(np.subtract.outer(np.arange(BINS), np.arange(BINS))) >= OFFSET


@pytest.fixture
def maps():
    rng = np.random.default_rng(3)
    mask = whole_mask()
    mask[5] = mask[:, 5] = False
    return symmetric(rng), symmetric(rng), mask


NAMES = ("SCD", "SSD", "MSE", "PEARSON", "SPEARMAN", "INS4", "INS8", "INS16", "DI", "SSIM", "SCC")
NAMES += ("EIG", "IMPACT", "DECAY", "ROI")
KNOWN = {"site": (11, 13), "weights": np.linspace(0, 1, BINS)}
EVERY = [*named_scores.BY_NAME, "INS3"]


@pytest.mark.parametrize("name", EVERY)
def test_is_exactly_zero_for_equal_maps(maps, name):
    ref, _, mask = maps
    (score,) = named_scores.resolve([name])
    np.testing.assert_array_equal(score(ref, ref.copy(), mask, **KNOWN), np.zeros(TARGETS))
    flat = np.full_like(ref, 0.3)
    np.testing.assert_array_equal(score(flat, flat.copy(), mask, **KNOWN), np.zeros(TARGETS))


@pytest.mark.parametrize("name", EVERY)
def test_sees_a_change_and_only_where_it_may(maps, name):
    ref, alt, mask = maps
    (score,) = named_scores.resolve([name])
    value = score(ref, alt, mask, **KNOWN)
    assert value.dtype == np.float32
    assert value.shape == (TARGETS,)
    assert (np.abs(value) > 1e-4).all()
    if name != "SSD":
        assert (value > 0).all()
    noise = np.where(mask[..., None], alt, 77.0).astype(np.float32)
    np.testing.assert_array_equal(score(ref, noise, mask, **KNOWN), value)


@pytest.mark.parametrize("name", EVERY)
def test_swapping_alleles_mirrors(maps, name):
    ref, alt, mask = maps
    (score,) = named_scores.resolve([name])
    sign = -1 if name == "SSD" else 1
    forward, back = score(ref, alt, mask, **KNOWN), score(alt, ref, mask, **KNOWN)
    np.testing.assert_allclose(back, sign * forward, rtol=1e-6)


@pytest.mark.parametrize("name", EVERY)
def test_the_other_strand_leaves_scores_unchanged(maps, name):
    ref, alt, mask = maps
    (score,) = named_scores.resolve([name])
    mirrored = {"site": (BINS - 13, BINS - 11), "weights": KNOWN["weights"][::-1]}
    forward = score(ref, alt, mask, **KNOWN)
    turned = score(ref[::-1, ::-1], alt[::-1, ::-1], mask[::-1, ::-1], **mirrored)
    np.testing.assert_allclose(turned, forward, rtol=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_nothing_to_compare_is_nan_not_an_error(maps, name):
    ref, alt, mask = maps
    (score,) = named_scores.resolve([name])
    value = score(ref, alt, np.zeros_like(mask), **KNOWN)
    assert value.shape == (TARGETS,)
    assert (np.isnan(value) | (value == 0)).all()


@pytest.mark.parametrize("name", EVERY)
def test_a_target_is_scored_as_if_it_were_alone(maps, name):
    ref, alt, mask = maps
    (score,) = named_scores.resolve([name])
    alone = [score(ref[..., [t]], alt[..., [t]], mask, **KNOWN)[0] for t in range(TARGETS)]
    np.testing.assert_allclose(score(ref, alt, mask, **KNOWN), alone, rtol=1e-5)


@pytest.mark.parametrize("name", ["PEARSON", "SPEARMAN", "SCC"])
def test_a_constant_map_correlates_with_nothing_but_another(maps, name):
    ref, _, mask = maps
    flat = np.full_like(ref, 0.3)
    (score,) = named_scores.resolve([name])
    np.testing.assert_array_equal(score(ref, flat, mask), np.ones(TARGETS))
    np.testing.assert_array_equal(score(flat, ref, mask), np.ones(TARGETS))
    np.testing.assert_array_equal(score(flat, 2 * flat, mask), np.zeros(TARGETS))


def test_formulas_by_loops(maps):
    ref, alt, mask = maps
    pairs = [(i, j) for i in range(BINS) for j in range(i + 1, BINS) if mask[i, j]]
    a = np.array([ref[i, j] for i, j in pairs], float)
    b = np.array([alt[i, j] for i, j in pairs], float)
    np.testing.assert_allclose(pixels.scd(ref, alt, mask), np.sqrt(((b - a) ** 2).sum(0)))
    expected = np.sqrt((b**2).sum(0)) - np.sqrt((a**2).sum(0))
    np.testing.assert_allclose(pixels.ssd(ref, alt, mask), expected)
    np.testing.assert_allclose(pixels.mse(ref, alt, mask), ((b - a) ** 2).mean(0))
    for t in range(TARGETS):
        r = stats.pearsonr(a[:, t], b[:, t]).statistic
        np.testing.assert_allclose(pixels.pearson(ref, alt, mask)[t], 1 - r)
        rho = stats.spearmanr(a[:, t], b[:, t]).statistic
        np.testing.assert_allclose(pixels.spearman(ref, alt, mask)[t], 1 - rho)
    strata = {}
    for k, (i, j) in enumerate(pairs):
        strata.setdefault(j - i, []).append(k)
    total = weight = 0
    for members in strata.values():
        if len(members) >= 3:
            r = np.array([stats.pearsonr(a[members, t], b[members, t])[0] for t in range(TARGETS)])
            total, weight = total + len(members) * (1 - r), weight + len(members)
    np.testing.assert_allclose(structure.scc(ref, alt, mask), total / weight)


def test_impact_and_regions_by_loops(maps):
    ref, alt, mask = maps
    change = [abs(alt[i, j] - ref[i, j]) for i in (11, 12) for j in range(BINS) if mask[i, j]]
    np.testing.assert_allclose(
        pixels.impact(ref, alt, mask, site=(11, 13)), np.mean(change, axis=0), rtol=1e-6
    )
    weights = np.zeros(BINS)
    weights[[3, 5, 9]] = 2, 7, 1  # bin 5 is masked
    expected = np.zeros(TARGETS)
    for i, w in ((3, 2), (9, 1)):
        row = [(float(alt[i, j, 0]) - float(ref[i, j, 0])) ** 2 for j in range(BINS) if mask[i, j]]
        expected[0] += w * np.mean(row) / 3
    np.testing.assert_allclose(
        pixels.regional(ref, alt, mask, weights=weights)[0], expected[0], rtol=1e-6
    )
    single_pixel = np.zeros_like(mask)
    single_pixel[3, 9] = single_pixel[9, 3] = True
    square = (alt[3, 9].astype(float) - ref[3, 9]) ** 2
    np.testing.assert_allclose(pixels.regional(ref, alt, single_pixel, weights=weights / 8), square)


@pytest.mark.parametrize(
    ("deleted", "site", "rows"),
    [((11, 13), (11, 13), (10, 13)), ((0, 3), (0, 2), (3,)), ((37, 40), (38, 40), (36,))],
)
def test_the_impact_of_lost_bins_is_that_of_the_nearest_compared(maps, deleted, site, rows):
    ref, alt, mask = maps
    mask[slice(*deleted)] = mask[:, slice(*deleted)] = False
    change = [abs(alt[i, j] - ref[i, j]) for i in rows for j in range(BINS) if mask[i, j]]
    np.testing.assert_allclose(
        pixels.impact(ref, alt, mask, site=site), np.mean(change, axis=0), rtol=1e-6
    )


def test_decay_by_loops(maps):
    ref, alt, mask = maps
    mask[:10, 30:] = mask[30:, :10] = False
    mask[0, 39] = mask[39, 0] = True  # the only pixel at this distance
    squares = []
    for distance in range(BINS):
        pairs = [(i, i + distance) for i in range(BINS - distance) if mask[i, i + distance]]
        if pairs:
            change = np.mean([alt[pair].astype(float) - ref[pair] for pair in pairs], axis=0)
            squares.append(change**2)
    assert 20 < len(squares) < BINS - OFFSET
    np.testing.assert_allclose(tracks.decay_change(ref, alt, mask), np.mean(squares, axis=0))


def test_directionality_by_loops(maps):
    ref, alt, mask = maps
    squares = []
    for i in range(BINS):
        up = [j for j in range(max(i - 20, 0), i) if mask[i, j]]
        down = [j for j in range(i + 1, min(i + 21, BINS)) if mask[i, j]]
        if up and down:
            index = []
            for contacts in (np.exp(contact_map[i].astype(float)) for contact_map in (ref, alt)):
                a, b = contacts[up].mean(0), contacts[down].mean(0)
                index.append((b - a) * abs(b - a) / (a + b))
            squares.append((index[1] - index[0]) ** 2)
    assert len(squares) == BINS - 5  # bin 5, and two at either end
    np.testing.assert_allclose(
        tracks.directionality_change(ref, alt, mask), np.mean(squares, axis=0)
    )


def test_insulation_by_loops(maps):
    ref, _, mask = maps
    track = tracks.insulation(ref, mask, width=4)
    for border in (4, 6, 13, 20):
        diamond = [
            np.exp(ref[i, j].astype(float))
            for i in range(border - 4, border)
            for j in range(border, border + 4)
            if mask[i, j]
        ]
        np.testing.assert_allclose(track[border], np.log2(np.mean(diamond, axis=0)))
    assert np.isnan(track[:4]).all()
    assert np.isfinite(track[[4, 36]]).all()
    assert np.isnan(track[37:]).all()
    single_pixel = np.zeros_like(mask)
    single_pixel[18, 21] = single_pixel[21, 18] = True
    track = tracks.insulation(ref, single_pixel, width=4)
    np.testing.assert_allclose(track[20], ref[18, 21] / np.log(2), rtol=1e-6)
    assert np.isfinite(track[:, 0]).sum() == 3  # borders 19, 20 and 21 lie between the two bins


def test_a_lost_boundary_raises_insulation_score_where_it_was():
    mask = whole_mask()
    blocks = np.zeros((BINS, BINS, 1), np.float32)
    blocks[:12, 12:] = blocks[12:, :12] = -2
    track = tracks.insulation(blocks, mask, width=4)[:, 0]
    assert np.nanargmin(track) == 12
    change = tracks.insulation_change(blocks, np.zeros_like(blocks), mask, width=4)
    assert change[0] == pytest.approx(np.nanmean(track**2))


def test_directionality_points_away_from_a_boundary():
    mask = whole_mask()
    blocks = np.zeros((BINS, BINS, 1), np.float32)
    blocks[:12, 12:] = blocks[12:, :12] = -2
    track = tracks.directionality(blocks, mask, width=6)[:, 0]
    assert track[11] < 0 < track[12]


@pytest.mark.parametrize("mask", [np.ones((BINS, BINS), bool), whole_mask()])
def test_ssim_equals_scikit_image(mask):
    """Of maps that are 0 where they cannot be compared."""
    metrics = pytest.importorskip("skimage.metrics")
    rng = np.random.default_rng(5)
    ref, alt = symmetric(rng), symmetric(rng)
    span = np.ptp([ref[mask, 0], alt[mask, 0]])
    a, b = (np.where(mask, contact_map[..., 0].astype(float), 0) for contact_map in (ref, alt))
    _, full = metrics.structural_similarity(a, b, data_range=float(span), full=True)
    expected = 1 - full[np.triu(mask)].mean()
    np.testing.assert_allclose(structure.ssim(ref, alt, mask)[0], expected, rtol=1e-8)


def test_eigenvector_ignores_the_sign_that_lapack_chose():
    rng = np.random.default_rng(6)
    vector = rng.normal(size=BINS)
    ref = np.outer(vector, vector)[..., None]
    turned = -vector[np.arange(BINS)]
    alt = 3 * np.outer(turned, turned)[..., None]
    value = structure.eigenvector(ref, alt, np.ones((BINS, BINS), bool))
    np.testing.assert_allclose(value, 0, atol=1e-7)


@pytest.mark.parametrize("turn", [1, -1])
def test_eigenvectors_at_an_angle_are_its_chord_apart(turn):
    """The nearer of the two signs, and the eigenvalue of largest size, also a negative one."""
    ref, alt = np.zeros((2, BINS, BINS, 1))
    vectors = np.zeros((2, BINS))
    vectors[0, 3] = 1
    vectors[1, 3], vectors[1, 7] = turn * np.cos(1.2), np.sin(1.2)
    ref[..., 0] = 2 * np.outer(vectors[0], vectors[0])
    alt[..., 0] = -2 * np.outer(vectors[1], vectors[1])
    alt[9, 9] = 1
    value = structure.eigenvector(ref, alt, np.ones((BINS, BINS), bool))
    np.testing.assert_allclose(value, 2 * np.sin(0.6), rtol=1e-6)


def test_every_score_has_its_name():
    assert tuple(named_scores.BY_NAME) == NAMES
    assert [named_scores.BY_NAME[name].width for name in ("INS4", "INS16", "SCD")] == [4, 16, 0]


def test_unknown_scores_are_refused_by_name():
    with pytest.raises(errors.VariantError, match=r'"SCE".*Did you mean "SCD"'):
        named_scores.resolve(["SCE"])
    assert [score.name for score in named_scores.resolve(["scd", "ins10"])] == ["SCD", "INS10"]
    assert all(named_scores.describe(name) for name in named_scores.BY_NAME)
