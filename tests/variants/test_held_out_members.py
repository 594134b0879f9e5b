"""Tests that a variant is scored by members of an ensemble that did not learn from it."""

import keras
import numpy as np
import pandas as pd
import pytest

import akita_bayes as ab
from akita_bayes import errors, regions
from akita_bayes.data.genome import Genome
from akita_bayes.models import ensemble, zoo
from akita_bayes.origins import training_regions
from akita_bayes.variants import engine, variant_maps
from akita_bayes.variants.alleles import records
from akita_bayes.variants.options import Options
from akita_bayes.variants.saturation import region_scan
from tests import tiny
from tests.variants.long import CHR1, HEADER, line, substitute

HEAD = "hic"


def learned(*windows):
    return {
        HEAD: training_regions.TrainingRegions.of(
            [regions.Region("chr1", *window) for window in windows], sizes={"chr1": len(CHR1)}
        )
    }


@pytest.fixture(scope="module")
def members():
    """Three networks: the first learned from 1,000 to 2,000, the second from 2,000 to 3,000."""
    networks = []
    for seed in range(3):
        keras.utils.set_random_seed(seed)
        networks.append(ab.build(zoo.parse_spec(tiny.spec_json())))
    networks[0].training_regions = learned((1000, 2000), (3500, 3600))
    networks[1].training_regions = learned((2000, 3000), (3500, 3600))
    return tuple(networks)


def same(value):
    """Equal but for rounding, which depends on the windows that are computed together."""
    return pytest.approx(value, rel=1e-3)


def score(networks, path, fasta, **options):
    return engine.score_variants(
        ensemble.Ensemble(networks), path, fasta=fasta, scores="SCD", **options
    )


POSITIONS = (1500, 2500, 700, 3550)
"""Learned by the first member, by the second, by none, and by both; the third has no record."""


def test_members_that_learned_from_a_variant_do_not_score_it(members, write_vcf, long_genome):
    path = write_vcf(*map(line, POSITIONS), header=HEADER)
    table = score(members, path, long_genome)
    of_members = [score((member,), path, long_genome)["SCD:0"] for member in members[:2]]
    # The third member has no record, so it may have learned from every variant.
    assert table["SCD:0"][0] == same(of_members[1][0])
    assert table["SCD:0"][1] == same(of_members[0][1])
    both = score(members[:2], path, long_genome, members="all")
    assert table["SCD:0"][2] == same(both["SCD:0"][2])
    everyone = score(members, path, long_genome, members="all")
    assert table["SCD:0"][3] == same(everyone["SCD:0"][3])
    flag, learned_flag = training_regions.HELD_OUT_FLAG, training_regions.FLAG
    assert list(table["flags"]) == [flag, flag, flag, learned_flag]
    assert list(everyone["flags"]) == [learned_flag, learned_flag, "", learned_flag]


def test_draws_come_from_the_same_members(members, write_vcf, long_genome):
    path = write_vcf(*map(line, POSITIONS), header=HEADER)
    # Networks without a posterior give one draw each: of three members in all, one is left for
    # the first two variants, and two for the third.
    table = score(members, path, long_genome, draws=3)
    assert np.isnan(table["SCD_sd:0"][:2]).all()
    assert np.isfinite(table["SCD_sd:0"][2:]).all()
    pair = score(members[:2], path, long_genome, draws=2, members="all")
    columns = ["SCD:0", "SCD_sd:0", "SCD_draw_q05:0", "SCD_draw_q95:0"]
    pd.testing.assert_frame_equal(table.loc[[2], columns], pair.loc[[2], columns], rtol=1e-3)


def test_the_order_of_variants_changes_nothing(members, write_vcf, long_genome):
    lines = [line(position) for position in POSITIONS]
    forward = score(members, write_vcf(*lines, header=HEADER), long_genome, draws=3)
    path = write_vcf(*lines[::-1], name="reverse.vcf", header=HEADER)
    reverse = score(members, path, long_genome, draws=3)
    np.testing.assert_allclose(forward["SCD:0"], reverse["SCD:0"][::-1], rtol=1e-3)


def test_maps_come_from_the_held_out_member(members, write_vcf, long_genome):
    def maps(model, **options):
        text = f"chr1:1500:{CHR1[1499]}:{substitute(CHR1[1499])}"
        return variant_maps.predict_variant(model, text, fasta=long_genome, **options)

    of_ensemble, alone = maps(ensemble.Ensemble(members)), maps(members[1])
    np.testing.assert_array_equal(of_ensemble.difference, alone.difference)


def test_a_single_held_out_draw_saves_maps_without_spread(members, toy_scorer):
    scorer, variants = toy_scorer(ensemble.Ensemble(members), draws=3)
    saved = variant_maps.saved(scorer, variants[0], 0, "first")
    assert saved.sd is not None
    assert np.isnan(saved.sd).all()
    assert np.isfinite(saved.difference).any()


@pytest.fixture
def toy_scorer(write_vcf, long_genome):
    with Genome(long_genome) as letters:

        def make(model, **options):
            path = write_vcf(*map(line, POSITIONS), header=HEADER)
            scorer = engine.Engine(model, letters, Options(scores=("SCD",), **options))
            return scorer, list(records.read(path, letters))

        yield make


@pytest.mark.parametrize("method", ["gradient", "ism"])
def test_scans_use_the_held_out_member(members, long_genome, method):
    region = regions.Region("chr1", 1500, 1503)
    settings = region_scan.ScanSettings(region_scan.Sweep(), Options(scores=("SSD",)))
    with Genome(long_genome) as letters:
        of_ensemble, alone = (
            region_scan.Scanner(model, letters, settings).scan(region, method)
            for model in (ensemble.Ensemble(members), members[1])
        )
    np.testing.assert_array_equal(of_ensemble.values["SSD"], alone.values["SSD"])


def test_another_word_for_members_is_refused():
    with pytest.raises(errors.VariantError, match='members must be "held_out" or "all"'):
        Options(members="some")
