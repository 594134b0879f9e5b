"""The engine against a naive twin, and the properties that no bookkeeping error survives."""

import numpy as np
import pandas as pd
import pytest

import akita_bayes as ab
from akita_bayes import dna, errors, regions, triangle
from akita_bayes.data import genome
from akita_bayes.models import posterior, predict
from akita_bayes.models.incremental import member_windows
from akita_bayes.variants import engine, interval_files, variant_windows
from akita_bayes.variants.alleles import records
from akita_bayes.variants.options import Options
from akita_bayes.variants.scores import conformal
from tests import tiny
from tests.variants.long import (
    BINS,
    CHR1,
    CROP,
    HEADER,
    NAMES,
    K,
    L,
    W,
    columns,
    line,
    naive_maps,
    score,
    substitute,
)

VARIETY = [
    line(1000),
    line(1003, alt=f"{substitute(CHR1[1002])},{CHR1[1002]}TTG,*,<NON_REF>"),
    line(1500, ref=CHR1[1499:1506], alt=CHR1[1499]),
    line(1700, alt=CHR1[1699] + "ACGTACGTACGTACGTACGTACGTA"),
    line(1800, alt="<DEL>", info="SVTYPE=DEL;END=1850"),
    line(2000, alt="<DUP>", info="SVTYPE=DUP;END=2040"),
    line(2200, alt="<INV>", info="SVTYPE=INV;END=2260"),
    line(2400, alt="<INS>", info="SVTYPE=INS"),
    line(2500, alt=f"{CHR1[2499]}[chr2:900["),
    line(2500, alt=f"{CHR1[2499]}]chr2:900]"),
    line(2500, alt=f"]chr2:900]{CHR1[2499]}"),
    line(2500, alt=f"[chr2:900[{CHR1[2499]}"),
    line(2600, ref=CHR1[2599:2609], alt="TT"),
    line(3, alt=substitute(CHR1[2])),
    line(4090, alt=substitute(CHR1[4089])),
    line(3000, alt="<DEL>", info="SVTYPE=DEL;END=3400"),
    f"chr1 3500 {substitute(CHR1[3499])} {substitute(substitute(CHR1[3499]))}",
    line(1200, chrom="chr2"),
    line(1200, chrom="chr2"),
]


@pytest.fixture
def variety(write_vcf):
    return write_vcf(*VARIETY, header=HEADER)


def test_snv_scores_equal_the_naive_twin(small_model, write_vcf, long_genome):
    positions = (700, 1001, 2017, 3333)
    table = score(
        small_model, write_vcf(*map(line, positions), header=HEADER), long_genome, scores=NAMES
    )
    for row, position in enumerate(positions):
        start = ((position - 1 - L // 2) + W // 2) // W * W
        edited = CHR1[: position - 1] + substitute(CHR1[position - 1]) + CHR1[position:]
        ref, alt = naive_maps(small_model, CHR1, start), naive_maps(small_model, edited, start)
        pairs = [(i, j) for i in range(BINS) for j in range(i + K, BINS)]
        for target in range(2):
            a = np.array([ref[i, j, target] for i, j in pairs], float)
            b = np.array([alt[i, j, target] for i, j in pairs], float)
            expected = {
                "SCD": np.sqrt(((b - a) ** 2).sum()),
                "SSD": np.sqrt((b**2).sum()) - np.sqrt((a**2).sum()),
                "MSE": ((b - a) ** 2).mean(),
                "PEARSON": 1 - np.corrcoef(a, b)[0, 1],
            }
            for name, value in expected.items():
                np.testing.assert_allclose(
                    table[f"{name}:{target}"][row], value, rtol=1e-3, atol=1e-6
                )


@pytest.mark.parametrize("longer", ["reference", "alternative"])
def test_stitched_indels_equal_the_naive_twin(small_model, long_genome, longer):
    """Left of the event from one window, right of it from the other, across it their mean."""
    size, start = 37, 2000
    if longer == "reference":
        event = records.Variant(
            0, 1, "chr1", start, ".", "N", "<DEL>", "DEL", start, start + size, ""
        )
        changed = CHR1[:start] + CHR1[start + size :]
    else:
        put = "".join(np.random.default_rng(1).choice(list("ACGT"), size))
        event = records.Variant(0, 1, "chr1", start, ".", "N", "N", "INS", start, start, put)
        changed = CHR1[:start] + put + CHR1[start:]
    left = (start + size // 2 - L // 2 + W // 2) // W * W
    long, short = (CHR1, changed) if longer == "reference" else (changed, CHR1)
    once = naive_maps(small_model, long, left)
    first, last = naive_maps(small_model, short, left), naive_maps(small_model, short, left - size)
    with genome.Genome(long_genome) as opened:
        scorer = engine.Engine(small_model, opened, Options())
        ((aligned, ref, alt),) = scorer.maps(event)
    got_long, got_short = (ref, alt) if longer == "reference" else (alt, ref)
    rows, cols = triangle.indices(BINS, K)
    np.testing.assert_allclose(got_long[aligned.mask], once[rows, cols][aligned.mask], atol=1e-5)
    edge = np.arange(BINS) * W + left + CROP * W
    before, after = edge + W <= start, edge >= start + size
    steps = round(size / W)
    checked = 0
    for pixel, (i, j) in enumerate(zip(rows, cols, strict=True)):
        if before[j]:
            expected = first[i, j]
        elif after[i]:
            expected = last[i, j]
        elif before[i] and after[j]:
            if i + steps >= BINS or j - i - steps < K:
                continue
            expected = (first[i, j - steps] + last[i + steps, j]) / 2
        else:
            continue
        assert aligned.mask[pixel]
        np.testing.assert_allclose(got_short[pixel], expected, atol=1e-5)
        checked += 1
    assert checked > 25


def test_every_allele_gets_a_row(small_model, variety, long_genome):
    table = score(small_model, variety, long_genome, scores=NAMES)
    expected = [alt for text in VARIETY for alt in text.split()[3].split(",")]
    assert table["alt"].tolist() == expected
    reasons = dict(zip(table["alt"] + table["pos"].astype(str), table["reason"], strict=True))
    skipped = {key: value for key, value in reasons.items() if value}
    wrong = f"{substitute(substitute(CHR1[3499]))}3500"
    assert set(skipped) == {"*1003", "<NON_REF>1003", "<INS>2400", "<DEL>3000", wrong}
    assert "larger than" in skipped["<DEL>3000"]
    for name in NAMES:
        unscored = np.isnan(columns(table, name)).all(axis=1)
        assert (unscored == (table["reason"] != "")).all(), name
    changed = (columns(table, "SCD") > 0).all(axis=1)
    assert changed[table["type"].isin(["DEL", "DUP", "INV", "BND"]) & (table["reason"] == "")].all()
    padded = table["flags"].str.contains("padded")
    assert table["pos"][padded].tolist() == [3, 4090]
    duplicates = table[(table["chrom"] == "chr2") & (table["pos"] == 1200)]
    np.testing.assert_array_equal(columns(duplicates, "SCD")[0], columns(duplicates, "SCD")[1])


@pytest.mark.parametrize("model", ["small_model", "strip_model", "latent_model"])
def test_sharing_and_batches_change_nothing(model, variety, long_genome, request, monkeypatch):
    model = request.getfixturevalue(model)
    draws = 3 if any("latent" in layer.name for layer in model.layers) else 0
    with genome.Genome(long_genome) as opened:
        rows = list(records.read(variety, opened))
        options = Options(scores=("SCD", "SSD", "INS4"), draws=draws)
        with monkeypatch.context() as alone:
            shared_windows = member_windows.SharedWindows
            alone.setattr(shared_windows, "stream", lambda *_: pytest.fail("shared"))
            plain = engine.Engine(model, opened, options, share=False).score(rows)
        batches = [engine.Engine(model, opened, options, batch_size=b).score(rows) for b in (1, 3)]
    for name, value in plain.values.items():
        scale = np.nanstd(value)
        for shared in batches:
            np.testing.assert_allclose(shared.values[name], value, atol=1e-4 * scale, rtol=1e-3)
        np.testing.assert_allclose(
            batches[0].values[name], batches[1].values[name], rtol=1e-5, atol=1e-6 * scale
        )


def test_refuses_shifts_that_leave_nothing(small_model, long_genome):
    length = small_model.spec.model.seq_length
    with genome.Genome(long_genome) as opened:
        engine.Engine(small_model, opened, Options(shifts=(1 - length,)))
        for shift in (length, -length):
            with pytest.raises(errors.DataError, match="leaves nothing of a window"):
                engine.Engine(small_model, opened, Options(shifts=(0, shift)))


def test_refuses_insulation_wider_than_the_map(small_model, long_genome):
    half = small_model.spec.geometry(0).bins // 2
    with genome.Genome(long_genome) as opened:
        engine.Engine(small_model, opened, Options(scores=(f"INS{half}",)))
        with pytest.raises(errors.VariantError, match=f"the widest is INS{half}"):
            engine.Engine(small_model, opened, Options(scores=("SCD", f"INS{half + 1}")))
    with pytest.raises(errors.VariantError, match="at least one score of SCD"):
        Options(scores=())


def test_shifts_are_averaged_over_real_bases(small_model, long_genome, write_vcf):
    path = write_vcf(line(950), header=HEADER)
    table = score(small_model, path, long_genome, shifts=(0, 5, -5))
    start = (949 - L // 2 + W // 2) // W * W
    edited = CHR1[:949] + substitute(CHR1[949]) + CHR1[950:]
    ref, alt = (
        np.mean([naive_maps(small_model, letters, start - s) for s in (0, 5, -5)], axis=0)
        for letters in (CHR1, edited)
    )
    expected = np.sqrt(((alt - ref) ** 2).sum((0, 1)) / 2)
    # Rounding of the maps (1e-7) is far below an effect of 0.01; some SNVs have an effect of 0.
    assert (expected > 0.01).all()
    np.testing.assert_allclose(columns(table, "SCD")[0], expected, rtol=1e-4)


def test_common_random_numbers_cancel(latent_model, long_genome, write_vcf):
    path = write_vcf(line(1000), line(2000), header=HEADER)
    table = score(latent_model, path, long_genome, draws=40, seed=3)
    for target in range(2):
        sd, mcse = table[f"SCD_sd:{target}"], table[f"SCD_mcse:{target}"]
        np.testing.assert_allclose(mcse, sd / np.sqrt(40), rtol=1e-5)
        low, mean, high = (table[f"SCD{s}:{target}"] for s in ("_draw_q05", "", "_draw_q95"))
        assert (low < mean).all()
        assert (mean < high).all()
    with genome.Genome(long_genome) as opened:
        scorer = engine.Engine(latent_model, opened, Options(draws=40, seed=3))
        row = next(records.read(path, opened))
        refs, alts = zip(*[(ref, alt) for _, ref, alt in scorer.maps(row)], strict=True)
    start = (999 - L // 2 + W // 2) // W * W
    x = dna.to_one_hot(CHR1[start : start + L])[None]
    draws = [maps[0] for maps in posterior.draw(latent_model, x, draws=40, seed=3)]
    np.testing.assert_allclose(refs, draws, atol=1e-4)
    same = np.std([np.linalg.norm(b - a) for a, b in zip(refs, alts, strict=True)])
    apart = np.mean([np.linalg.norm(b - a) for a, b in zip(refs[:-1], alts[1:], strict=True)])
    assert same < apart / 3
    assert table["SCD_draw_exceeds_noise:0"][0] < 0.2


def test_fitted_intervals_stand_beside_quantiles(
    latent_model, long_genome, write_vcf, tmp_path, caplog
):
    path = write_vcf(line(1000), header=HEADER)
    widening = conformal.Widening(0.1, 0.5, starts=(), low=(-2.0,), high=(1.0,))
    interval_files.save(tmp_path / "i.json", {"SCD": widening})
    options = {"draws": 4, "scores": ("SCD", "SSD")}
    plain = score(latent_model, path, long_genome, **options)
    table = score(latent_model, path, long_genome, intervals=str(tmp_path / "i.json"), **options)
    low, high = widening.interval(plain["SCD:0"], plain["SCD_sd:0"])
    np.testing.assert_allclose(table["SCD_ci_low:0"], low, rtol=1e-5)
    np.testing.assert_allclose(table["SCD_ci_high:0"], high, rtol=1e-5)
    assert [name for name in table if "_ci_" in name] == [
        f"SCD_ci_{end}:{target}" for target in (0, 1) for end in ("low", "high")
    ]
    pd.testing.assert_frame_equal(table[list(plain)], plain)
    messages = [
        row.getMessage() for row in caplog.records if "quantiles of draws" in row.getMessage()
    ]
    assert [text.split(": the quantiles of draws are not")[0] for text in messages] == [
        "SCD, SSD",
        "SSD",
    ]


def test_fitted_intervals_need_draws(small_model, latent_model, long_genome, tmp_path, caplog):
    widening = conformal.Widening(0.1, 0.5, starts=(), low=(-2.0,), high=(1.0,))
    interval_files.save(tmp_path / "i.json", {"SCD": widening})
    path = str(tmp_path / "i.json")
    with genome.Genome(long_genome) as opened:
        for model, draws in ((latent_model, 0), (latent_model, 1), (small_model, 8)):
            with pytest.raises(errors.VariantError, match="give draws of 2 or more"):
                engine.Engine(model, opened, Options(draws=draws, intervals=path))
        engine.Engine(latent_model, opened, Options(draws=2, intervals=path))
        interval_files.save(tmp_path / "i.json", {"SCD": widening._replace(of_draws=False)})
        scorer = engine.Engine(small_model, opened, Options(intervals=path))
        assert {name: row.level for name, row in scorer.widened.items()} == {"SCD": 0.9}
        with pytest.raises(errors.VariantError, match="were fitted to scores without draws"):
            engine.Engine(latent_model, opened, Options(draws=2, intervals=path))
        with pytest.raises(errors.VariantError, match=r"i\.json: has no intervals for SSD, MSE\."):
            engine.Engine(small_model, opened, Options(scores=("SSD", "MSE"), intervals=path))
    assert "has only 1 of the 8 requested draws" in caplog.text


def test_regions_of_interest_weigh_bins(small_model, long_genome, write_vcf, tmp_path):
    bed = tmp_path / "roi.bed"
    bed.write_text("chr1\t960\t976\tx\t2\n1\t1040\t1056\ty\t1\nchr2\t0\t99\tz\t9\n")
    path = write_vcf(line(1000), header=HEADER)
    table = score(small_model, path, long_genome, scores=("ROI",), roi=str(bed))
    start = (999 - L // 2 + W // 2) // W * W
    edited = CHR1[:999] + substitute(CHR1[999]) + CHR1[1000:]
    ref, alt = (naive_maps(small_model, letters, start) for letters in (CHR1, edited))
    first = start + CROP * W
    mask = np.abs(np.subtract.outer(range(BINS), range(BINS))) >= K
    track = [((alt - ref)[i][mask[i]] ** 2).mean(0) for i in range(BINS)]
    i, j = (960 - first) // W, (1040 - first) // W
    expected = (2 * track[i] + track[j]) / 3
    np.testing.assert_allclose(columns(table, "ROI")[0], expected, rtol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": "centred"}, "window must be"),
        ({"window": "basenji", "share_windows": 64}, "centres every variant"),
        ({"draws": -1}, "0 or more"),
        ({"scores": ("ROI",)}, "needs a BED"),
        ({"scores": ("SCX",)}, "is not a score"),
        ({"targets": (0, 7)}, "the head has 2"),
    ],
)
def test_refuses_wrong_options(small_model, variety, long_genome, options, message):
    with pytest.raises(errors.VariantError, match=message):
        score(small_model, variety, long_genome, **options)


def test_targets_and_region_select(small_model, variety, long_genome):
    whole = score(small_model, variety, long_genome)
    selected = score(
        small_model, variety, long_genome, targets=(1,), region=regions.Region("chr1", 990, 1600)
    )
    assert [c for c in selected.columns if c.startswith("SCD")] == ["SCD:1"]
    same = whole[(whole["chrom"] == "chr1") & whole["pos"].between(991, 1600)]
    pd.testing.assert_series_equal(
        selected["SCD:1"], same["SCD:1"].reset_index(drop=True), rtol=1e-5
    )
    with genome.Genome(long_genome) as opened:
        rows = list(records.read(variety, opened))
    of_rows = score(
        small_model, rows, long_genome, targets=(1,), region=regions.Region("chr1", 990, 1600)
    )
    pd.testing.assert_series_equal(selected["SCD:1"], of_rows["SCD:1"])


def test_one_head_of_two_is_scored(randomise, long_genome, write_vcf):
    model = randomise(tiny.spec_json(heads=("near", ("far", 3))))
    table = score(model, write_vcf(line(950), header=HEADER), long_genome, head="far")
    start = (949 - L // 2 + W // 2) // W * W
    edited = CHR1[:949] + substitute(CHR1[949]) + CHR1[950:]
    x = np.stack([dna.to_one_hot(letters[start : start + L]) for letters in (CHR1, edited)])
    ref, alt = predict.predict(model, x, head="far")
    expected = np.linalg.norm(alt - ref, axis=0)
    assert columns(table, "SCD").shape == (1, 3)
    assert (expected > 0.01).all()
    np.testing.assert_allclose(columns(table, "SCD")[0], expected, rtol=1e-3)


def test_targets_come_in_the_order_asked_for(small_model, variety, long_genome):
    whole = score(small_model, variety, long_genome)
    turned = score(small_model, variety, long_genome, targets=(1, 0))
    assert [c for c in turned.columns if c.startswith("SCD")] == ["SCD:1", "SCD:0"]
    for name in ("SCD:0", "SCD:1"):
        pd.testing.assert_series_equal(turned[name], whole[name])


def test_batches_are_as_large_as_asked_for(small_model, variety, long_genome, monkeypatch):
    sizes = []
    original = member_windows.SharedWindows._batches

    def batches(self, tracks, randomness, size):
        sizes.append(size)
        return original(self, tracks, randomness, size)

    monkeypatch.setattr(member_windows.SharedWindows, "_batches", batches)
    score(small_model, variety, long_genome, batch_size=3)
    assert set(sizes) == {3}


def test_windows_are_shared_when_allowed(small_model, long_genome, write_vcf, windows_predicted):
    path = write_vcf(*(line(p) for p in range(2000, 2020)), header=HEADER)
    score(small_model, path, long_genome, share_windows=64)
    assert sum(windows_predicted) <= 20 + 2


def test_a_group_is_longer_while_its_reference_is_the_same(
    small_model, long_genome, write_vcf, windows_predicted
):
    """Its reference is predicted once; a group ends all the same, so that memory is bounded."""
    most = variant_windows.LONGEST * engine.GROUP
    positions = range(1994, 1994 + most + 10)
    path = write_vcf(*map(line, positions), header=HEADER)
    together = score(small_model, path, long_genome, start=1936, batch_size=1)
    assert windows_predicted == [most + 1, 10 + 1]
    apart = score(
        small_model, write_vcf(line(positions[-1]), header=HEADER), long_genome, start=1936
    )
    # Windows in batches of other sizes are rounded differently on some processors.
    effect = columns(apart, "SCD")[0]
    assert (effect > 0.01).all()
    np.testing.assert_allclose(columns(together, "SCD")[-1], effect, rtol=1e-4)


def test_real_snvs_and_their_mirror_image(parity, real_data):
    """Eight eQTL SNVs of hg38: REF is the genome's, and the swapped file mirrors the scores."""
    fasta = real_data / "sequence" / "hg38_1m.fa.gz"
    vcf = real_data / "sequence" / "eqtl.vcf"
    model = ab.load_model((parity / "tiny_v1.json", parity / "tiny_v1.h5"))
    names = ("SCD", "SSD", "INS4")
    table = score(model, vcf, fasta, scores=names)
    assert len(table) == 8
    assert (table["reason"] == "").all()
    with genome.Genome(fasta) as opened:
        rows = list(records.read(vcf, opened))
        for row, expected in zip(rows, table.index, strict=True):
            assert opened.padded("chr1", row.position, row.position + 1).upper() == row.ref
            edited = Edited(opened, row.position, row.alt)
            swapped = row._replace(ref=row.alt, alt=row.ref, inserted=row.ref)
            back = engine.Engine(model, edited, Options(scores=names)).score([swapped])
            for name in names:
                sign = -1 if name == "SSD" else 1
                np.testing.assert_allclose(
                    back.values[name][0],
                    sign * columns(table, name)[expected],
                    rtol=1e-3,
                    atol=1e-6,
                )


class Edited:
    """A genome with one base replaced."""

    def __init__(self, opened, position, base):
        self.sizes, self._opened, self._position, self._base = opened.sizes, opened, position, base
        self.to_reference = opened.to_reference

    def padded(self, chrom, start, end):
        letters = list(self._opened.padded(chrom, start, end))
        if start <= self._position < end:
            letters[self._position - start] = self._base
        return "".join(letters)
