"""Pages of docs/ do what they say: their blocks are run in their order, on small data."""

import contextlib
import gzip
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pyBigWig
import pytest

from akita_bayes import regions
from akita_bayes.cli import akita_calibrate, akita_simulate, akita_test, akita_train, mpra_simulate
from akita_bayes.data import genome
from documentation import gallery
from tests import tiny
from tests.documentation import page_blocks

LAC = 'lac, "runs/lac/data", seed=1'
SAMPLING = "starts=1, optima=1, chains=2, burn_in=6, most_draws=5, replicates=0"
YEAST_COOLER = "scer_w303_g1_2kb_SRR8769554.cool"


class Page(NamedTuple):
    """How a page is run: what lies in the folder, and what is made smaller."""

    set_up: Callable[[Path, Any], Mapping[str, Any]]
    small: Mapping[str, str] = {}
    code: Mapping[str, str] = {}


def _tiny(folder: Path, request) -> dict[str, Any]:
    """Data, a run, a genome and variants of windows of 256 bases."""
    shutil.copytree(request.getfixturevalue("tiny_workspace"), folder, dirs_exist_ok=True)
    return {"x": tiny.one_hot(2), "sequences": ["ACGTA" * 15] * 2}


def _simulated(folder: Path, request) -> dict[str, Any]:
    """Simulated maps with a known truth, and a network after one epoch."""
    shutil.copytree(request.getfixturevalue("simulated_workspace"), folder, dirs_exist_ok=True)
    with genome.Genome(folder / "genome.fa") as letters:
        text = letters.fetch(regions.Region("chr1", 0, 32_768))
    import akita_bayes as ab

    x = np.eye(4, dtype="float32")[["ACGT".index(base) for base in text]][None]
    return {"letters": text, "x": x, "bins": 56, "model": ab.load_model("RUN")}


def _nothing(folder: Path, request) -> dict[str, Any]:
    with genome.Genome(request.getfixturevalue("simulated_workspace") / "genome.fa") as letters:
        return {"letters": letters.fetch(regions.Region("chr1", 0, 32_768))}


def _yeast(folder: Path, request) -> dict[str, Any]:
    """The genome and a map of budding yeast."""
    data = request.getfixturevalue("real_data")
    (folder / "sacCer3.2bit").symlink_to(data / "genome/yeast/sacCer3.2bit")
    (folder / YEAST_COOLER).symlink_to(data / "hic" / YEAST_COOLER)
    (folder / "targets.txt").write_text(f"identifier\tfile\nW303\t{YEAST_COOLER}\n")
    (folder / "genes.bed").write_text("chrII\t478000\t481000\tGENE1\t0\t+\n")
    return {}


def _readme(folder: Path, request) -> dict[str, Any]:
    names = _tiny(folder, request)
    _yeast(folder, request)
    return names


def _fitted(folder: Path, request) -> dict[str, Any]:
    """Also simulated reads of the lac promoter, an accuracy and a fit."""
    names = _tiny(folder, request)
    model = "models/json/lac_thermodynamic.json"
    small = page_blocks.FITS["mpra_simulate"].split()
    assert mpra_simulate.main([model, "-o", "runs/lac/data", *small]) == 0
    assert akita_test.main(["RUN", "DATA", "-o", "test"]) == 0
    from akita_bayes.cli import mpra_fit

    assert mpra_fit.main([model, "runs/lac/data", "-o", "fit", "--starts", "1"]) == 0
    return names


PAGES: dict[str, Page] = {
    "README.md": Page(
        _readme,
        {**page_blocks.FITS, "akita_scd": "--draws 2"},
        {
            '"models/json/akita_tiny.json"': '"params.json"',
            '"data/simulated"': '"DATA"',
            "chr2:120,000-140,000": "chr2:120,000-120,150",
            "chr2:127,000-129,000": "chr2:127,000-127,050",
        },
    ),
    "docs/architecture.md": Page(
        _fitted,
        code={
            "chr2:130,000-130,200": "chr2:130,000-130,100",
            f"{LAC}\n)": f"{LAC}, {SAMPLING})",
            f"{LAC})": f"{LAC}, starts=1)",
        },
    ),
    "docs/data.md": Page(_yeast),
    "docs/fine_tuning.md": Page(_tiny, {"akita_train": "--epochs 1 --restore RUN"}),
    "docs/first_map.md": Page(_yeast),
    "docs/gallery.md": Page(
        _yeast,
        {"akita_train": "--epochs 1", "akita_calibrate": "--draws 2", "akita_sat": "-l 10"},
    ),
    "docs/own_data.md": Page(
        _yeast,
        {
            "akita_data": "--stride_train 64000",
            "akita_train": "--epochs 1",
            "akita_calibrate": "--draws 2",
            "akita_scd": "--draws 2 --null 2",
        },
    ),
    "docs/read_interval.md": Page(_yeast),
    "docs/report.md": Page(_fitted, {"akita_scd": "--draws 2"}),
    "docs/scaling.md": Page(_tiny, {"akita_scd": "--workers 2"}),
    "docs/serving.md": Page(_tiny),
    "docs/share.md": Page(_yeast),
    "docs/simulator.md": Page(
        _nothing, {"akita_simulate": "--preset tiny", "akita_train": "--epochs 1"}
    ),
    "docs/uncertainty.md": Page(
        _simulated,
        {
            "akita_simulate": "--preset tiny",
            "akita_train": "--epochs 1",
            "akita_calibrate": "--draws 2",
        },
        {"draws=64": "draws=4", "draws=32": "draws=4"},
    ),
    "docs/variants.md": Page(
        _simulated,
        {
            "akita_scd": "--draws 2 --null 2 --stats SCD --workers 1",
            "akita_sat": "-l 4 --method ism",
            "akita_calibrate": "--draws 2 --variants 2",
        },
        {"draws=64": "draws=2", "chr2:100,000-100,200": "chr2:100,000-100,004"},
    ),
    "docs/walks.md": Page(_yeast, {**page_blocks.FITS, "akita_train": "--epochs 1"}),
}
"""Pages whose blocks are run here, each in a folder of its own."""
SIGNATURES = ("docs/api.md",)
"""Pages whose Python blocks are signatures of functions."""
FAST = ("docs/read_interval.md",)
"""Pages that take seconds."""


@pytest.fixture(scope="module")
def tiny_workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    tiny.write_data(folder / "DATA")
    spec = tiny.spec_json(swa={"start": 0, "snapshots": 2, "swag_rank": 2, "swag_draws": 4})
    (folder / "params.json").write_text(json.dumps(spec))
    random = np.random.default_rng(0)
    letters = {chrom: "".join(random.choice(list("ACGT"), 140_000)) for chrom in ("chr1", "chr2")}
    genome.write_fasta(folder / "genome.fa", letters)
    _write_variants(folder, letters["chr2"])
    gene = 'chr2\tx\tgene\t120100\t120400\t.\t+\t.\tgene_id "G1"; gene_name "ABC";\n'
    with gzip.open(folder / "genes.gtf.gz", "wt") as file:
        file.write(gene)
    with pyBigWig.open(str(folder / "ctcf.bw"), "w") as track:
        track.addHeader([("chr1", 140_000), ("chr2", 140_000)])
        track.addEntries("chr2", [120_000], values=[1.0], span=500, step=500)
    with contextlib.chdir(folder):
        assert akita_train.main(["params.json", "DATA", "-o", "RUN", "--epochs", "2"]) == 0
    return folder


def _write_variants(folder: Path, chr2: str) -> None:
    """A VCF, plain and compressed, and a BED of sites."""
    lines = ["##fileformat=VCFv4.2", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"]
    for number, position in enumerate((120_000, 120_300, 125_000)):
        ref = chr2[position - 1]
        alt = "A" if ref != "A" else "C"
        lines.append(f"chr2\t{position}\tv{number}\t{ref}\t{alt}\t.\t.\t.")
    text = "\n".join(lines) + "\n"
    (folder / "variants.vcf").write_text(text)
    with gzip.open(folder / "variants.vcf.gz", "wt") as file:
        file.write(text)
    (folder / "sites.bed").write_text("chr2\t120000\t120010\n")


@pytest.fixture(scope="module")
def simulated_workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    with contextlib.chdir(folder):
        arguments = ["--preset", "tiny", "--no_coolers", "-o", "DATA"]
        assert akita_simulate.main(arguments) == 0
        assert akita_train.main(["akita_tiny", "DATA", "-o", "RUN", "--epochs", "1"]) == 0
        assert akita_calibrate.main(["RUN", "DATA", "--draws", "2"]) == 0
        shutil.copy("DATA/genome.fa", "genome.fa")
        with genome.Genome("genome.fa") as letters:
            chr2 = letters.fetch(regions.Region("chr2", 0, 200_000))
        _write_variants(folder, chr2)
    return folder


def _run(page: str, tmp_path: Path, request, monkeypatch) -> page_blocks.Follower:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{page_blocks.ROOT / 'bin'}:{os.environ['PATH']}")
    settings = PAGES[page]
    (tmp_path / "models").symlink_to(page_blocks.ROOT / "models")
    follower = page_blocks.Follower(
        settings.small, settings.code, settings.set_up(tmp_path, request)
    )
    follower.follow(page_blocks.blocks(page))
    return follower


@pytest.mark.parametrize(
    "page", [p if p in FAST else pytest.param(p, marks=pytest.mark.slow) for p in PAGES]
)
@pytest.mark.filterwarnings("ignore")
def test_the_blocks_of_a_page_run(page, tmp_path, request, monkeypatch):
    follower = _run(page, tmp_path, request, monkeypatch)
    if page == "docs/gallery.md":
        paths = [path for step in gallery.STEPS for path in step.figures.values()]
        # The scanned region is shorter here.
        missing = [path for path in paths if not Path(path).is_file() and "sat/" not in path]
        assert missing == []
    assert not follower.unused, "the page no longer holds this text"
    commands = [
        words for block in page_blocks.blocks(page) for words in block.commands if not block.reason
    ]
    assert len(follower.ran) >= len(commands)


def test_the_gallery_has_every_figure_of_its_page():
    page = (page_blocks.ROOT / "docs/gallery.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"images/gallery/(\w+)\.png", page))
    assert shown == {name for step in gallery.STEPS for name in step.figures}
    images = list(gallery.IMAGES.glob("*.png"))
    assert {path.stem for path in images} == shown
    assert sum(path.stat().st_size for path in images) < 1_500_000
    for path in images:
        assert plt.imread(path).std() > 0.03, path


def test_a_follower_runs_lines_and_fails_with_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    follower = page_blocks.Follower(code={"1 + 1": "2 + 2"})
    run = page_blocks.Block("x.md", 1, "bash", "echo a > a.txt\nakita_download\n", "", "")
    skipped = run._replace(code="exit 1\n", reason="needs a network")
    python = run._replace(language="python", code="value = 1 + 1\n")
    saved = run._replace(language="json", code="{}\n", before="save as `b.json`")
    follower.follow([run, skipped, python, saved])
    assert (tmp_path / "a.txt").read_text() == "a\n"
    assert (tmp_path / "b.json").read_text() == "{}\n"
    assert follower.namespace["value"] == 4
    assert follower.ran == ["echo a > a.txt", "akita_download"]
    assert not follower.unused
    for code in ("false\n", "akita_download nothing_of_this_name\n"):
        with pytest.raises(AssertionError, match=r"x\.md"):
            follower.follow([run._replace(code=code)])
