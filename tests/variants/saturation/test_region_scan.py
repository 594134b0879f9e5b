import h5py
import numpy as np
import pyBigWig
import pytest
import tensorflow as tf

import akita_bayes as ab
from akita_bayes import dna, errors, regions
from akita_bayes.models import export, load, predict
from akita_bayes.variants.saturation import gradients, region_scan, scan_files, scan_names
from tests import tiny
from tests.variants.conftest import LONG

CHR1 = LONG["chr1"]
REGION = regions.Region("chr1", 2000, 2012)
START = (2006 - 128 + 8) // 16 * 16


def scan(model, fasta, **options):
    return ab.saturation(model, REGION, fasta=fasta, **options)


def naive_scd(model, letters):
    """sqrt(sum of squares) against the reference window, by the plain network. [T]."""
    ref, alt = (
        predict.predict(model, dna.to_one_hot(text[START : START + 256])[None])[0].astype(float)
        for text in (CHR1, letters)
    )
    return np.sqrt(((alt - ref) ** 2).sum(axis=0))


def test_every_base_change_equals_the_naive_twin(small_model, long_genome):
    scanned = scan(small_model, long_genome, scores=("SCD", "SSD"))
    assert scanned.letters == CHR1[2000:2012]
    assert scanned.targets == (0, 1)
    values = scanned.values["SCD"]
    assert values.shape == (12, 4, 2)
    for position in range(12):
        for number, base in enumerate("ACGT"):
            letters = CHR1[: 2000 + position] + base + CHR1[2001 + position :]
            np.testing.assert_allclose(
                values[position, number], naive_scd(small_model, letters), rtol=1e-3, atol=1e-5
            )
            if base == scanned.letters[position]:
                np.testing.assert_array_equal(values[position, number], 0)
    np.testing.assert_allclose(scanned.track("SCD"), values.sum(1) / 3)


def test_deletions_and_shuffles_slide(small_model, long_genome):
    scanned = scan(small_model, long_genome, method="deletion", width=6, step=3)
    assert scanned.starts.tolist() == [0, 3, 6]
    assert scanned.values["SCD"].shape == (3, 2)
    assert (scanned.values["SCD"] > 0).all()
    track = scanned.track("SCD")
    np.testing.assert_allclose(track[4], scanned.values["SCD"][:2].mean(0), rtol=1e-6)
    np.testing.assert_allclose(track[11], scanned.values["SCD"][2], rtol=1e-6)

    scanned = scan(small_model, long_genome, method="shuffle", width=6, step=6, repeats=2, seed=5)
    expected = []
    for start in (0, 6):
        generator = np.random.default_rng([5, 2000 + start])
        piece = list(CHR1[2000 + start : 2006 + start])
        shuffled = ["".join(generator.permutation(piece)) for _ in range(2)]
        expected.append(
            np.mean(
                [
                    naive_scd(small_model, CHR1[: 2000 + start] + s + CHR1[2006 + start :])
                    for s in shuffled
                ],
                axis=0,
            )
        )
    np.testing.assert_allclose(scanned.values["SCD"], expected, rtol=1e-3, atol=1e-5)


def strength(model, one_hot):
    maps = model(tf.constant(one_hot[None], tf.float32), training=False).numpy()[0]
    return np.sqrt((maps.astype(float) ** 2).sum(axis=0))


@pytest.mark.slow
def test_integrated_gradients_add_up(strip_model, long_genome):
    start = (2006 - 512 + 4) // 8 * 8
    x = dna.to_one_hot(CHR1[start : start + 1024]).astype(np.float32)
    x0 = x.copy()
    x0[2000 - start : 2012 - start] = 0
    scanned = scan(strip_model, long_genome, method="integrated", steps=100)
    expected = strength(strip_model, x) - strength(strip_model, x0)
    np.testing.assert_allclose(scanned.values["SSD"].sum((0, 1)), expected, rtol=0.02, atol=5e-4)
    assert (scanned.values["SSD"][dna.to_one_hot(scanned.letters) == 0] == 0).all()


def test_gradient_is_the_slope(strip_model, long_genome):
    scanned = scan(strip_model, long_genome, method="gradient")
    start = (2006 - 512 + 4) // 8 * 8
    x = dna.to_one_hot(CHR1[start : start + 1024]).astype(np.float32)
    position = int(np.abs(scanned.track("SSD")).max(axis=1).argmax())
    step = np.zeros_like(x)
    step[2000 - start + position] = 1e-2 * x[2000 - start + position]
    slope = (strength(strip_model, x + step) - strength(strip_model, x - step)) / 2e-2
    np.testing.assert_allclose(scanned.track("SSD")[position], slope, rtol=0.05, atol=1e-4)


@pytest.mark.parametrize("method", region_scan.METHODS)
def test_targets_are_known_by_their_numbers(small_model, long_genome, method):
    both = scan(small_model, long_genome, method=method, width=6, steps=2)
    turned = scan(small_model, long_genome, method=method, width=6, steps=2, targets=(1, 0))
    assert (both.targets, turned.targets) == ((0, 1), (1, 0))
    (name,) = both.values
    np.testing.assert_allclose(
        turned.values[name], both.values[name][..., ::-1], rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("method", region_scan.METHODS)
def test_draws_give_every_method_an_sd(latent_model, long_genome, method):
    scanned = scan(latent_model, long_genome, method=method, draws=3, width=6, repeats=2, steps=3)
    (name,) = scanned.values
    assert scanned.sd[name].shape == scanned.values[name].shape
    assert np.isfinite(scanned.sd[name]).all()
    assert scanned.sd[name].max() > 0


def test_gradients_are_compiled_once(randomise, long_genome):
    """Of 17 points the last batch is smaller; strands, shifts, targets and draws share a trace."""
    model = randomise(tiny.spec_json(), seed=3)
    for draws in (0, 2):
        for targets in ((0, 1), (1,)):
            options = {"steps": 17, "draws": draws, "targets": targets}
            scan(model, long_genome, method="integrated", rc=True, shifts=(0, 1), **options)
    compiled = gradients._graphs(model, "hic")
    assert compiled.mean.experimental_get_tracing_count() == 1
    assert compiled.draw.experimental_get_tracing_count() == 1


def test_a_map_of_zeros_has_no_slope(randomise, long_genome):
    model = randomise(tiny.spec_json())
    final = [layer for layer in model.layers if layer.weights][-1]
    final.set_weights([0 * weights for weights in final.get_weights()])
    scanned = scan(model, long_genome, method="gradient")
    np.testing.assert_array_equal(scanned.values["SSD"], np.zeros((12, 4, 2)))


def test_both_strands_are_averaged_in_gradients(small_model, long_genome, tmp_path):
    from akita_bayes.data import genome

    path = tmp_path / "mirrored.fa"
    genome.write_fasta(path, {"chr1": dna.reverse_complement(CHR1)})
    size = len(CHR1)
    centred = regions.Region("chr1", 2002, 2010)  # its window mirrors onto itself
    turned = regions.Region("chr1", size - centred.end, size - centred.start)
    forward = ab.saturation(small_model, centred, fasta=long_genome, method="gradient", rc=True)
    reverse = ab.saturation(small_model, turned, fasta=path, method="gradient", rc=True)
    np.testing.assert_allclose(
        reverse.values["SSD"][::-1, ::-1], forward.values["SSD"], rtol=1e-3, atol=1e-6
    )


def test_unknown_bases_have_no_value(small_model, tmp_path):
    from akita_bayes.data import genome

    path = tmp_path / "n.fa"
    genome.write_fasta(path, {"chr1": CHR1[:2003] + "N" + CHR1[2004:]})
    scanned = ab.saturation(small_model, REGION, fasta=path)
    assert np.isnan(scanned.values["SCD"][3]).all()
    assert np.isfinite(np.delete(scanned.values["SCD"], 3, axis=0)).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "ims"}, 'Did you mean "ism"'),
        ({"method": "deletion", "width": 13}, "do not fit"),
        ({"scores": ("SCE",)}, "is not a score"),
        ({"seed": 2**31}, "seed must be at least 0 and below 2,147,483,648"),
        ({"seed": -1}, "seed must be at least 0"),
    ],
)
def test_refuses(small_model, long_genome, options, message):
    with pytest.raises(errors.VariantError, match=message):
        scan(small_model, long_genome, **options)


def test_refuses_a_region_wider_than_the_map(small_model, long_genome):
    with pytest.raises(errors.VariantError, match="wider than the 192 bases"):
        ab.saturation(small_model, "chr1:1,000-1,200", fasta=long_genome)


def test_refuses_gradients_where_there_are_none(small_model, long_genome, tmp_path, monkeypatch):
    export.export(small_model, tmp_path / "saved")
    with pytest.raises(errors.VariantError, match="need the network itself"):
        scan(load.load_model(tmp_path / "saved"), long_genome, method="gradient")
    monkeypatch.setattr(small_model, "swag_draws", np.zeros((2, 3), np.float32))
    with pytest.raises(errors.VariantError, match="no SWAG draws"):
        scan(small_model, long_genome, method="gradient", draws=2)


def test_files_hold_what_was_scanned(small_model, long_genome, tmp_path):
    later = regions.Region("chr1", 2100, 2105)
    scans = [
        ab.saturation(small_model, region, fasta=long_genome, method=method)
        for region in (later, REGION)
        for method in ("ism", "gradient")
    ]
    scan_files.write_h5(tmp_path / "sat.h5", scans, {"seed": 3})
    with h5py.File(tmp_path / "sat.h5") as file:
        assert sorted(file) == ["chr1:2000-2012", "chr1:2100-2105"]
        group = file["chr1:2000-2012/ism"]
        assert (group.attrs["chr"], group.attrs["start"], group.attrs["end"]) == REGION
        np.testing.assert_array_equal(group["seqs"][:], dna.to_one_hot(CHR1[2000:2012]))
        np.testing.assert_array_equal(group["SCD"][:], scans[2].values["SCD"])
        assert file.attrs["seed"] == 3
    ism = [scans[0], scans[2]]
    scan_files.write_bedgraph(tmp_path / "t.bedgraph", ism, "SCD", 1)
    rows = [line.split("\t") for line in (tmp_path / "t.bedgraph").read_text().splitlines()]
    assert [int(row[1]) for row in rows] == [*range(2000, 2012), *range(2100, 2105)]
    scan_files.write_bigwig(tmp_path / "t.bw", ism, "SCD", 1, {"chr1": 4096, "chr2": 3072})
    expected = np.concatenate([scans[2].track("SCD")[:, 1], scans[0].track("SCD")[:, 1]])
    np.testing.assert_allclose([float(row[3]) for row in rows], expected, rtol=1e-5)
    with pyBigWig.open(str(tmp_path / "t.bw")) as file:
        np.testing.assert_allclose(file.values("chr1", 2000, 2012), expected[:12], rtol=1e-5)
        assert np.isnan(file.values("chr1", 2012, 2100)).all()


def test_regions_are_named_by_what_files_can_hold():
    assert scan_names.group_name(REGION) == "chr1:2000-2012"
    assert scan_names.file_name(REGION) == "chr1_2000-2012"
    slashed = regions.Region("a/b:c", 1, 2)
    assert scan_names.group_name(slashed) == "a%2Fb%3Ac:1-2"
    assert scan_names.file_name(slashed) == "a%2Fb%3Ac_1-2"


@pytest.mark.parametrize("method", ["ism", "deletion", "integrated"])
def test_a_scan_survives_writing_and_reading(latent_model, long_genome, tmp_path, method):
    options = {"scores": ("SSD", "SCD"), "width": 6, "steps": 2, "draws": 2, "targets": (1,)}
    scanned = scan(latent_model, long_genome, method=method, **options)
    scan_files.save(tmp_path / "part.h5", scanned, "id")
    back = scan_files.load(tmp_path / "part.h5", "id")
    assert back[:4] == scanned[:4]
    assert back.width == scanned.width
    assert back.starts.tolist() == scanned.starts.tolist()
    for loaded, saved in ((back.values, scanned.values), (back.sd, scanned.sd)):
        assert list(loaded) == list(saved)
        for name, values in loaded.items():
            np.testing.assert_array_equal(values, saved[name])
    assert scan_files.load(tmp_path / "part.h5", "other") is None
    assert scan_files.load(tmp_path / "none.h5", "id") is None
