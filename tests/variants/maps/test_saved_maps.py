"""Maps of variants in a file: the same numbers as `predict_variant`, one map in memory."""

import gc
import weakref

import h5py
import numpy as np
import pytest

import akita_bayes as ab
from akita_bayes import errors, regions, triangle
from akita_bayes.variants import score_directory, writers
from akita_bayes.variants.alleles import bin_loci
from akita_bayes.variants.maps import saved_maps
from akita_bayes.variants.options import Options
from tests import tiny
from tests.variants.conftest import LONG
from tests.variants.long import HEADER, line

CHR1 = LONG["chr1"]
LINES = [
    line(1000),
    line(1500, ref=CHR1[1499:1506], alt=CHR1[1499]),
    line(1800, alt="<DEL>", info="SVTYPE=DEL;END=1850"),
    line(2400, alt="<INS>", info="SVTYPE=INS"),  # cannot be scored
    line(2700, chrom="chr2"),
]
TARGETS = writers.Targets(["HFF", "GM"], ["skin", "blood"])
FRAME = saved_maps.Frame(tiny.BINS, tiny.POOL, tiny.OFFSET, ["HFF", "GM"], False)


@pytest.fixture
def vcf(write_vcf):
    return write_vcf(*LINES, header=HEADER)


def run(model, vcf, fasta, out, *, draws=0, **settings):
    options = Options(scores=("SCD",), draws=draws)
    return score_directory.score_file(
        model, vcf, fasta=fasta, out_dir=out, options=options, targets=TARGETS, **settings
    )


@pytest.mark.parametrize("draws", [0, 3])
def test_saved_maps_are_those_of_the_prediction(
    small_model, latent_model, vcf, long_genome, tmp_path, draws
):
    model = latent_model if draws else small_model
    summary = run(model, vcf, long_genome, tmp_path, draws=draws, maps=saved_maps.EVERY)
    strength = np.abs(summary.results.values["SCD"]).max(axis=1)
    with saved_maps.opened(tmp_path) as maps:
        assert maps.frame == FRAME._replace(spread=draws > 1)
        assert sorted(maps.rows) == [0, 1, 2, 4]
        assert maps.rows == sorted(maps.rows, key=lambda row: -strength[row])
        assert maps.attributes["version"] == ab.__version__
        assert len(maps.attributes["model_digest"]) == 64
        for number, row in enumerate(maps.rows):
            variant = summary.results.variants[row]
            expected = ab.predict_variant(model, variant, fasta=str(long_genome), draws=draws)
            saved = maps.read(number)
            assert (saved.region, saved.site) == (expected.region, expected.site)
            for name in saved_maps.LAYERS:
                matrix, pixels = getattr(expected, name), getattr(saved, name)
                if pixels is None:
                    assert matrix is None
                    continue
                expected_pixels = triangle.to_vector(matrix, diagonal_offset=tiny.OFFSET)
                if name == "sd":
                    expected_pixels[np.isnan(saved.difference)] = np.nan
                np.testing.assert_allclose(pixels, expected_pixels, rtol=1e-5, atol=1e-7)
                assert np.isfinite(pixels).any()
        deletion = maps.read(maps.rows.index(2))
        assert np.isnan(deletion.difference).any()
        assert [part.region.chrom for part in deletion.stretches] == ["chr1"]


def test_only_the_strongest_are_saved(small_model, vcf, long_genome, tmp_path):
    summary = run(small_model, vcf, long_genome, tmp_path, maps=2)
    strength = np.nan_to_num(summary.results.values["SCD"]).max(axis=1)
    with saved_maps.opened(tmp_path / saved_maps.FILE) as maps:
        assert maps.rows == np.argsort(-strength)[:2].tolist()


def test_a_finished_file_is_used_again_and_another_number_replaces_it(
    small_model, vcf, long_genome, tmp_path, monkeypatch
):
    run(small_model, vcf, long_genome, tmp_path, maps=2)
    path = tmp_path / saved_maps.FILE
    before = path.stat().st_mtime_ns
    run(small_model, vcf, long_genome, tmp_path, maps=2)
    assert path.stat().st_mtime_ns == before
    run(small_model, vcf, long_genome, tmp_path, maps=3)
    with saved_maps.opened(path) as maps:
        assert len(maps) == 3
    path.write_bytes(path.read_bytes()[:-100])
    run(small_model, vcf, long_genome, tmp_path, maps=3)
    with saved_maps.opened(path) as maps:
        assert len(maps) == 3


def variant_map(row):
    values = np.full((tiny.PIXELS, 2), row, np.float32)
    region = regions.Region("chr1", 0, tiny.BINS * tiny.POOL)
    stretch = bin_loci.Stretch(0.0, 12.0, region, 1)
    return saved_maps.SavedMap(row, f"v{row}", region, (5, 6), [stretch], *[values] * 3, None)


def test_one_map_is_in_memory_at_a_time(tmp_path):
    """Memory does not grow with the number of maps: the pixels of earlier ones are released."""
    alive = []

    def stream():
        for row in range(6):
            variant = variant_map(row)
            alive.append(weakref.ref(variant.reference))
            yield variant
            del variant
            gc.collect()
            assert sum(ref() is not None for ref in alive[:-1]) == 0

    saved_maps.write(tmp_path / "maps.h5", stream(), FRAME, count=6, attributes={})
    with saved_maps.opened(tmp_path) as maps:
        assert [float(maps.read(k).difference[0, 0]) for k in range(6)] == list(range(6))
        assert maps.read(3).stretches == variant_map(3).stretches


def test_an_interrupted_file_does_not_appear(tmp_path):
    def stream():
        yield variant_map(0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        saved_maps.write(tmp_path / "maps.h5", stream(), FRAME, count=2, attributes={})
    assert list(tmp_path.iterdir()) == []


def test_no_map_is_a_file_too(tmp_path):
    saved_maps.write(tmp_path / "maps.h5", [], FRAME, count=0, attributes={"options": {"a": 1}})
    with saved_maps.opened(tmp_path) as maps:
        assert len(maps) == 0
        assert maps.attributes["options"] == '{"a": 1}'


def test_missing_and_damaged_files_are_one_sentence(tmp_path):
    with (
        pytest.raises(errors.DataError, match=r"maps\.h5: no such file; save them again"),
        saved_maps.opened(tmp_path / "maps.h5"),
    ):
        pass
    path = tmp_path / "maps.h5"
    saved_maps.write(path, [variant_map(0)], FRAME, count=1, attributes={})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with (
        pytest.raises(errors.DataError, match="damaged or not maps of variants"),
        saved_maps.opened(path),
    ):
        pass
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        del file["difference"]
        file["difference"] = np.zeros((1, 3, 2), np.float32)
    with (
        pytest.raises(errors.DataError, match=r"difference has the shape \(1, 3, 2\)"),
        saved_maps.opened(path),
    ):
        pass


def test_bases_of_a_duplication_lie_in_the_frame_twice():
    parts = [
        bin_loci.Stretch(0.0, 6.0, regions.Region("chr1", 0, 96), 1),
        bin_loci.Stretch(6.0, 9.0, regions.Region("chr1", 48, 96), 1),
        bin_loci.Stretch(9.0, 12.0, regions.Region("chr1", 96, 144), -1),
    ]
    spans = bin_loci.spans(regions.Region("chr1", 64, 80), parts)
    assert spans == [(4.0, 5.0), (7.0, 8.0)]
    # The last stretch runs from right to left, so its first bin holds its last bases.
    assert bin_loci.spans(regions.Region("chr1", 128, 160), parts) == [(9.0, 10.0)]
    assert bin_loci.spans(regions.Region("chr2", 0, 9), parts) == []
