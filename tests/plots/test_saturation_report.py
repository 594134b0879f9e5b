"""One call of the library writes what `akita_sat.py` writes."""

import json

import numpy as np
import pytest

from akita_bayes.cli import akita_sat
from akita_bayes.data import genome
from akita_bayes.models import build, zoo
from akita_bayes.plots import saturation_report
from akita_bayes.variants.model_files import ModelFiles
from akita_bayes.variants.options import Options
from akita_bayes.variants.saturation import region_scan, scan_sites
from tests import outputs, tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    (folder / "params.json").write_text(json.dumps(tiny.spec_json()))
    build.build(zoo.parse_spec(tiny.spec_json())).save(folder / "model.keras")
    letters = "".join(np.random.default_rng(0).choice(list("ACGT"), 2000))
    genome.write_fasta(folder / "genome.fa", {"chr1": letters})
    alt = "A" if letters[499] != "A" else "C"
    (folder / "sites.vcf").write_text(
        "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        f"chr1\t500\t.\t{letters[499]}\t{alt}\t.\t.\t.\nchr1\t700\t.\tN\t*\t.\t.\t.\n"
    )
    (folder / "sites.bed").write_text("chr1\t500\t520\nchr1\t500\t520\nchr1\t700\t708\n")
    return folder


@pytest.mark.parametrize("name", ["sites.bed", "sites.vcf"])
def test_the_library_writes_what_the_command_writes(folder, tmp_path, name):
    paths = [str(folder / part) for part in ("params.json", "model.keras", name)]
    options = ["-f", str(folder / "genome.fa"), "-o", str(tmp_path / "command"), "-l", "4"]
    options += ["--method", "ism,deletion", "--width", "3", "--targets", "1"]
    assert akita_sat.main([*paths, *options]) == 0
    with genome.Genome(folder / "genome.fa") as opened:
        selection = scan_sites.select(folder / name, opened, scan_sites.Span(4))
    settings = region_scan.ScanSettings(
        region_scan.Sweep(width=3), Options(scores=("SCD",), targets=(1,))
    )
    scans = saturation_report.scan_regions(
        ModelFiles(paths[0], (paths[1],)).load(),
        selection,
        ["ism", "deletion"],
        fasta=folder / "genome.fa",
        out_dir=tmp_path / "library",
        settings=settings,
        style=saturation_report.Style(least=0.1 if name.endswith("vcf") else 0.0),
    )
    assert len(scans) == 4
    command, library = (
        outputs.contents(tmp_path / "command"),
        outputs.contents(tmp_path / "library"),
    )
    assert len([name for name in library if name.startswith("logos/")]) == 4
    assert ("sites.tsv" in library) is name.endswith("vcf")
    assert command == library
