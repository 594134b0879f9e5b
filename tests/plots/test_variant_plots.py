import numpy as np
import pytest

from akita_bayes import regions
from akita_bayes.plots import saturation_plots
from akita_bayes.plots import variant_plots as plots
from akita_bayes.variants import figure_data
from akita_bayes.variants import genes as gene_files
from akita_bayes.variants.alleles import bin_loci
from akita_bayes.variants.saturation import region_scan

BINS = 20


def window(**changes):
    random = np.random.default_rng(0)
    ref = random.normal(0, 0.3, (BINS, BINS))
    ref = ref + ref.T
    alt = ref.copy()
    alt[9:12] = alt[:, 9:12] = 0.5
    near = np.abs(np.subtract.outer(range(BINS), range(BINS))) < 2
    ref[near] = alt[near] = np.nan
    mask = ~near
    mask[4] = mask[:, 4] = False
    genes = [
        gene_files.GeneSpans("ABC", "+", [(2.0, 5.5)]),
        gene_files.GeneSpans("DEF", "-", [(3.0, 4.0), (8.0, 9.0)]),
    ]
    base = figure_data.FigureWindow(
        "chr1:1,000 DEL", regions.Region("chr1", 0, BINS * 2048),
        [bin_loci.Stretch(0.0, BINS, regions.Region("chr1", 0, BINS * 2048), 1)],
        ref, alt, mask, None, (9, 12), genes,
    )  # fmt: skip
    return base._replace(**changes)


def titles(figure):
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


def bars(figure):
    """The labels of the colour bars."""
    panels = [axes for axes in figure.axes if axes.images]
    return [child.get_ylabel() for axes in panels for child in axes.child_axes]


def test_maps_difference_and_tracks_are_those_given():
    data = window()
    figure = plots.figure(data, width=4)
    assert titles(figure) == ["REF", "ALT", "ALT - REF"]
    panels = [axes for axes in figure.axes if axes.get_title()]
    np.testing.assert_allclose(panels[0].images[0].get_array().filled(np.nan), data.ref)
    image = panels[2].images[0].get_array()
    assert image.mask[4].all()
    assert not image.mask[10, :4].any()
    np.testing.assert_allclose(image[10, 0], data.alt[10, 0] - data.ref[10, 0])
    tracks = next(axes for axes in figure.axes if "insulation" in axes.get_ylabel())
    ref, alt = (line.get_ydata() for line in tracks.lines)
    assert np.nanmax(np.abs(ref - alt)) > 0.05
    assert np.isnan(ref[:4]).all()
    names = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert {"ABC >", "DEF <"} <= names


def test_sd_gets_its_own_panel_and_genes_may_be_missing():
    sd = np.full((BINS, BINS), 0.1)
    figure = plots.figure(window(sd=sd, genes=[]), width=4)
    assert titles(figure)[-1] == "how unsure"
    assert "sd of ALT - REF over draws" in bars(figure)
    assert not any(text.get_text() == "ABC >" for axes in figure.axes for text in axes.texts)


def test_an_edit_without_effect_looks_empty_and_says_how_small_it_is():
    data = window()
    neutral = data._replace(alt=data.ref + 1e-4)
    figure = plots.figure(neutral, width=4)
    panels = [axes for axes in figure.axes if axes.get_title()]
    map_end, change_end = (axes.images[0].get_clim()[1] for axes in panels[1:3])
    assert change_end == pytest.approx(0.05 * map_end)
    assert "difference, at most 0.0001" in bars(figure)
    assert "grey: contacts that an allele lacks" in figure.get_supxlabel()


def test_genes_without_a_free_lane_are_counted():
    crowd = [gene_files.GeneSpans(f"GENE{n}", "+", [(5.0, 9.0)]) for n in range(plots.LANES + 4)]
    figure = plots.figure(window(genes=crowd), width=4)
    texts = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert "+4 not shown" in texts
    assert sum(text.startswith("GENE") for text in texts) == plots.LANES
    few = plots.figure(window(), width=4)
    assert not any("not shown" in text.get_text() for axes in few.axes for text in axes.texts)


def ticks(figure):
    axes = next(axes for axes in figure.axes if "insulation" in axes.get_ylabel())
    labels = [axes.xaxis.get_major_formatter()(at, k) for k, at in enumerate(axes.get_xticks())]
    return dict(zip(labels, axes.get_xticks(), strict=True))


def test_a_junction_has_the_positions_of_both_its_sides():
    """Ten bins of chr2 from right to left, then ten of chr1."""
    stretches = [
        bin_loci.Stretch(0.0, 10.0, regions.Region("chr2", 100_000, 120_480), -1),
        bin_loci.Stretch(10.0, 20.0, regions.Region("chr1", 40_000, 60_480), 1),
    ]
    labels = ticks(plots.figure(window(stretches=stretches), width=4))
    assert labels == {
        "chr2\n120 kb": 480,
        "chr2\n110 kb": 10_480,
        "chr2\n100 kb": 20_480,
        "chr1\n50 kb": 30_480,
        "chr1\n60 kb": 40_480,
    }
    plain = ticks(plots.figure(window(), width=4))
    assert plain["15 kb"] == 15_000


def test_a_gene_at_the_border_keeps_its_name():
    genes = [gene_files.GeneSpans("LONGNAME", "-", [(BINS - 0.5, float(BINS))])]
    figure = plots.figure(window(genes=genes), width=4)
    (text,) = [text for axes in figure.axes for text in axes.texts if "LONG" in text.get_text()]
    assert text.get_ha() == "right"
    assert text.get_position()[0] == BINS * 2048


@pytest.mark.parametrize("method", ["ism", "gradient", "deletion"])
def test_scans_are_drawn_by_their_method(tmp_path, method):
    letters = "ACGTACGTAC"
    values = {
        "ism": np.random.default_rng(1).normal(size=(10, 4, 1)),
        "gradient": np.eye(4)[[0, 1, 2, 3] * 2 + [0, 1]][..., None],
        "deletion": np.array([[1.0], [3.0]]),
    }[method]
    starts = np.array([0, 5]) if method == "deletion" else np.arange(10)
    scan = region_scan.Scan(
        regions.Region("chr1", 100, 110), letters, method, (3,), starts,
        5 if method == "deletion" else 1, {"SCD": values}, {},
    )  # fmt: skip
    figure = saturation_plots.figure(scan, "SCD")
    figure.savefig(tmp_path / "x.png")
    assert figure.get_suptitle() == "chr1:100-110, target 3"
    texts = [label.get_text() for label in figure.axes[method == "ism"].get_xticklabels()]
    assert texts
    assert all(text.isdigit() for text in texts)  # a base, not the middle of two
    if method == "ism":
        np.testing.assert_allclose(figure.axes[1].images[0].get_array(), values[..., 0].T)
    if method == "deletion":
        heights = [bar.get_height() for bar in figure.axes[0].patches]
        assert heights == [1.0] * 5 + [3.0] * 5
    else:
        assert len(figure.axes[0].patches) >= 10
