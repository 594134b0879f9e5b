"""One call of the library writes what `akita_scd.py` writes."""

import json

import numpy as np
import pytest

from akita_bayes import keywords
from akita_bayes.cli import akita_scd
from akita_bayes.data import genome
from akita_bayes.models import build, zoo
from akita_bayes.plots.reports import variant_report
from akita_bayes.variants import engine, genes, writers
from akita_bayes.variants.model_files import ModelFiles
from akita_bayes.variants.options import Options
from akita_bayes.variants.scored_files import record_plan, score_directory
from akita_bayes.variants.scores import score_table
from tests import outputs, tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    (folder / "params.json").write_text(json.dumps(tiny.spec_json()))
    build.build(zoo.parse_spec(tiny.spec_json())).save(folder / "model.keras")
    letters = "".join(np.random.default_rng(0).choice(list("ACGT"), 2000))
    genome.write_fasta(folder / "genome.fa", {"chr1": letters})
    lines = ["##fileformat=VCFv4.2", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"]
    for pos in (500, 600, 700, 800, 900):
        alt = "A" if letters[pos - 1] != "A" else "C"
        lines.append(f"chr1\t{pos}\t.\t{letters[pos - 1]}\t{alt}\t.\t.\t.")
    (folder / "variants.vcf").write_text("\n".join(lines) + "\n")
    (folder / "genes.bed").write_text("chr1\t450\t560\tABC\t0\t+\n")
    (folder / "targets.txt").write_text(
        "\tidentifier\tfile\tdescription\n0\tHFF\ta.cool\tskin\n1\tGM\tb.cool\tblood\n"
    )
    return folder


def test_the_library_writes_what_the_command_writes(folder, tmp_path):
    paths = [str(folder / name) for name in ("params.json", "model.keras", "variants.vcf")]
    options = ["-f", str(folder / "genome.fa"), "-o", str(tmp_path / "command"), "-m", "2"]
    options += ["--genes", str(folder / "genes.bed"), "-t", str(folder / "targets.txt")]
    assert akita_scd.main([*paths, *options, "--stats", "SCD,INS3", "--null", "2"]) == 0
    model_files = ModelFiles(paths[0], (paths[1],), targets_file=folder / "targets.txt")
    model = model_files.load()
    summary = variant_report.score_file(
        model,
        paths[2],
        fasta=folder / "genome.fa",
        out_dir=tmp_path / "library",
        targets=writers.targets_of(model_files.labels(model)),
        figures=2,
        annotation=genes.read(folder / "genes.bed"),
        options=Options(scores=("SCD", "INS3")),
        null=2,
        null_path=folder / "model.keras.null.h5",
    )
    assert summary.scored == 5
    command, library = (
        outputs.contents(tmp_path / "command"),
        outputs.contents(tmp_path / "library"),
    )
    assert len([name for name in library if name.startswith("maps/")]) == 2
    assert command == library


def test_every_part_is_read_once_and_one_engine_serves_scores_and_figures(
    folder, tmp_path, monkeypatch
):
    loads, engines = [], []
    load, begin = score_table.load, engine.Engine.__init__

    def counted(path, identity):
        loads.append(path.name)
        return load(path, identity)

    def built(self, *arguments, **options):
        engines.append(self)
        begin(self, *arguments, **options)

    monkeypatch.setattr(record_plan, "PART", 2)
    monkeypatch.setattr(score_table, "load", counted)
    monkeypatch.setattr(engine.Engine, "__init__", built)
    model = ModelFiles(folder / "params.json", (folder / "model.keras",)).load()
    # The first shard reads no part, and the one that joins them reads all.
    for shard, parts_read in (((0, 2), 0), ((1, 2), 3), ((0, 1), 3)):
        del loads[:], engines[:]
        variant_report.score_file(
            model,
            folder / "variants.vcf",
            fasta=folder / "genome.fa",
            out_dir=tmp_path,
            shard=score_directory.Shard(*shard),
            figures=2,
        )
        assert sorted(loads) == [f"{part:06d}.h5" for part in range(parts_read)]
        assert len(engines) == 1
    assert len(list((tmp_path / "maps").iterdir())) == 2


def test_an_unknown_keyword_names_the_nearest(folder, tmp_path):
    with pytest.raises(TypeError, match=r'"figure" is not a keyword .*Did you mean "figures"'):
        variant_report.score_file(None, "v.vcf", fasta="g.fa", out_dir=tmp_path, figure=2)
    assert keywords.replaced(score_directory.FileSettings(), {"null": 3}).null == 3
