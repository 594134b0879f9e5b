"""A variant file into a directory: parts, shards, restarts, and every output."""

import json

import h5py
import numpy as np
import pandas as pd
import pysam
import pytest

from akita_bayes import errors, regions
from akita_bayes.data import genome
from akita_bayes.files import output_directory
from akita_bayes.models import export, fingerprint, load
from akita_bayes.variants import engine, writers
from akita_bayes.variants.alleles import records
from akita_bayes.variants.options import Options
from akita_bayes.variants.saturation import region_scan
from akita_bayes.variants.scored_files import record_plan, score_directory, scoring_shard
from akita_bayes.variants.scores import background, score_table
from tests import tiny
from tests.variants.conftest import LONG
from tests.variants.long import HEADER, line

CHR1 = LONG["chr1"]
LINES = [
    line(1000),
    line(1003, alt=f"C,{CHR1[1002]}TTG,*"),
    line(1500, ref=CHR1[1499:1506], alt=CHR1[1499]),
    line(1800, alt="<DEL>", info="SVTYPE=DEL;END=1850"),
    line(2400, alt="<INS>", info="SVTYPE=INS"),
    line(2500, alt=f"{CHR1[2499]}[chr2:900["),
    line(2700, chrom="chr2"),
]
OPTIONS = Options(scores=("SCD", "SSD"))
TARGETS = writers.Targets(["HFF", "GM"], ["fibroblasts", "lymphoblasts"])


@pytest.fixture
def vcf(write_vcf):
    return write_vcf(*LINES, header=HEADER)


@pytest.fixture(autouse=True)
def short_parts(monkeypatch):
    monkeypatch.setattr(record_plan, "PART", 2)


def run(model, vcf, fasta, out, **options):
    options = {"options": OPTIONS, "targets": TARGETS} | options
    return score_directory.score_file(model, vcf, fasta=fasta, out_dir=out, **options)


def contents(path):
    with h5py.File(path) as file:
        return {name: file[name][()] for name in file}, dict(file.attrs)


def test_hdf5_has_basenjis_names_and_more(small_model, vcf, long_genome, tmp_path):
    summary = run(small_model, vcf, long_genome, tmp_path / "out")
    assert (summary.rows, summary.scored, summary.complete) == (9, 7, True)
    assert sum(summary.reasons.values()) == 2
    datasets, about = contents(tmp_path / "out/scd.h5")
    assert datasets["snp"].tolist() == [b"."] * 9
    assert datasets["chr"].dtype.kind == "S"
    assert datasets["chr"].tolist() == [b"chr1"] * 8 + [b"chr2"]
    assert datasets["pos"].dtype == np.uint32
    assert datasets["pos"].tolist() == [1000, 1003, 1003, 1003, 1500, 1800, 2400, 2500, 2700]
    assert datasets["alt"].tolist()[1:4] == [b"C", f"{CHR1[1002]}TTG".encode(), b"*"]
    assert datasets["end"].tolist()[5] == 1850
    assert datasets["type"].tolist()[5:8] == [b"DEL", b"INS", b"BND"]
    assert datasets["target_ids"].tolist() == [b"HFF", b"GM"]
    assert datasets["target_labels"].tolist() == [b"fibroblasts", b"lymphoblasts"]
    assert datasets["SCD"].dtype == np.float32
    assert datasets["SCD"].shape == (9, 2)
    unscored = datasets["reason"] != b""
    assert unscored.tolist() == [False] * 3 + [True] + [False] * 2 + [True] + [False] * 2
    assert np.isnan(datasets["SCD"][unscored]).all()
    assert np.isfinite(datasets["SCD"][~unscored]).all()
    assert datasets["pixels"][5, 1] > 0
    assert len(about["model_digest"]) == len(about["genome_digest"]) == 64
    assert json.loads(about["options"])["scores"] == ["SCD", "SSD"]


def test_the_table_says_the_same(small_model, vcf, long_genome, tmp_path):
    run(small_model, vcf, long_genome, tmp_path)
    datasets, _ = contents(tmp_path / "scd.h5")
    table = pd.read_csv(tmp_path / "scores.tsv", sep="\t", keep_default_na=False, na_values=["NA"])
    assert len(table) == 9
    np.testing.assert_allclose(table["SCD:GM"], datasets["SCD"][:, 1], rtol=1e-6)
    assert table["alt"].tolist() == [alt.decode() for alt in datasets["alt"]]
    assert (table["reason"] != "").tolist() == (datasets["reason"] != b"").tolist()


@pytest.mark.parametrize("compress", [False, True])
def test_the_variant_file_comes_back_annotated(small_model, vcf, long_genome, tmp_path, compress):
    run(small_model, vcf, long_genome, tmp_path, compress=compress)
    datasets, _ = contents(tmp_path / "scd.h5")
    name = "toy.scored.vcf.gz" if compress else "toy.scored.vcf"
    with pysam.VariantFile(str(tmp_path / name)) as file, pysam.VariantFile(str(vcf)) as source:
        assert file.header.info["AKITA_SCD"].number == "A"
        assert "sqrt(sum (B - A)^2)" in file.header.info["AKITA_SCD"].description
        row = 0
        for annotated, original in zip(file, source, strict=True):
            assert str(annotated).split("\t")[:5] == str(original).split("\t")[:5]
            for allele, _ in enumerate(annotated.alts):
                expected = datasets["SCD"][row].mean()
                values = annotated.info.get("AKITA_SCD", [None] * len(annotated.alts))
                if np.isfinite(expected):
                    assert values[allele] == pytest.approx(expected, rel=1e-5)
                else:
                    assert values[allele] is None
                    assert annotated.info["AKITA_REASON"][allele] != "."
                row += 1
        assert row == 9
    if compress:
        with pysam.TabixFile(str(tmp_path / name)) as index:
            assert len(list(index.fetch("chr2"))) == 1


@pytest.mark.parametrize(
    ("lines", "region"),
    [
        ((line(2000), line(1000), line(2500)), "chr1:1-1500"),
        ((line(1000), line(1500).replace("chr1", "1", 1), line(2000)), None),
    ],
)
def test_an_index_needs_the_whole_file_sorted_by_its_own_names(
    small_model, write_vcf, long_genome, tmp_path, lines, region
):
    header = HEADER.replace("##contig", "##contig=<ID=1>\n##contig", 1)
    vcf = write_vcf(*lines, header=header, name="mixed.vcf")
    parsed_region = None if region is None else regions.parse(region)
    run(small_model, vcf, long_genome, tmp_path, region=parsed_region, compress=True)
    with pysam.VariantFile(str(tmp_path / "mixed.scored.vcf.gz")) as file:
        assert len(list(file)) == 3
    assert not (tmp_path / "mixed.scored.vcf.gz.tbi").exists()


def test_a_shard_may_have_nothing_to_do(small_model, vcf, long_genome, tmp_path):
    summary = run(small_model, vcf, long_genome, tmp_path, shard=score_directory.Shard(9, 10))
    assert (summary.rows, summary.scored, summary.complete) == (9, 0, False)
    assert not (tmp_path / "scd.h5").exists()


def test_a_summary_counts_the_parts_of_its_shard(small_model, vcf, long_genome, tmp_path):
    counts = []
    for number in (0, 2, 1):
        summary = run(
            small_model, vcf, long_genome, tmp_path, shard=score_directory.Shard(number, 3)
        )
        counts.append((summary.scored, sum(summary.reasons.values()), summary.missing))
    assert counts == [(3, 1, 3), (2, 0, 2), (7, 2, 0)]  # of 4, 2 and all 9 alleles


def test_the_variants_are_not_overwritten_through_a_link(small_model, vcf, long_genome, tmp_path):
    """A link elsewhere to the input is replaced; the input itself, under another name, is not."""
    out = tmp_path / "out"
    out.mkdir()
    text = vcf.rename(out / "toy.scored.vcf").read_text()
    vcf.symlink_to(out / "toy.scored.vcf")
    with pytest.raises(errors.VariantError, match="would be overwritten"):
        run(small_model, vcf, long_genome, out)
    assert not (out / "parts").exists()
    again = tmp_path / "again"
    again.mkdir()
    (again / "toy.scored.vcf").symlink_to(vcf)
    run(small_model, vcf, long_genome, again)
    assert not (again / "toy.scored.vcf").is_symlink()
    assert vcf.read_text() == text


def test_names_are_those_of_the_heads_targets(small_model, vcf, long_genome, tmp_path):
    with pytest.raises(errors.VariantError, match="1 targets are named, but the head has 2"):
        run(small_model, vcf, long_genome, tmp_path, targets=writers.Targets(["HFF"], ["one"]))
    assert not list(tmp_path.glob("parts/*"))


def test_one_score_may_stand_by_itself(small_model, vcf, long_genome):
    settings = {"fasta": long_genome, "targets": (0,)}
    table = engine.score_variants(small_model, vcf, scores="SCD", **settings)
    pd.testing.assert_frame_equal(
        table, engine.score_variants(small_model, vcf, scores=("SCD",), **settings)
    )
    scan = region_scan.saturation(small_model, "chr1:2,000-2,002", scores="mse", **settings)
    assert list(scan.values) == ["MSE"]


def test_a_damaged_background_is_named(small_model, vcf, long_genome, tmp_path):
    (tmp_path / "null.h5").write_bytes(b"no HDF5")
    with pytest.raises(errors.DataError, match="damaged or not a background"):
        run(small_model, vcf, long_genome, tmp_path, null=2)


def test_shards_and_restarts_give_the_same_file(
    small_model, vcf, long_genome, tmp_path, monkeypatch
):
    run(small_model, vcf, long_genome, tmp_path / "one")
    for number in (2, 0, 1):
        shard = score_directory.Shard(number, 3)
        summary = run(small_model, vcf, long_genome, tmp_path / "three", shard=shard)
        assert summary.complete is (number == 1)
    whole, sharded = ((tmp_path / name / "scd.h5").read_bytes() for name in ("one", "three"))
    assert whole == sharded
    files = [(tmp_path / name / "scores.tsv").read_text() for name in ("one", "three")]
    assert files[0] == files[1]

    scored = []
    original = engine.Engine.score

    def interrupted(self, rows, **keywords):
        if len(scored) == 2:
            raise KeyboardInterrupt
        scored.append(rows)
        return original(self, rows, **keywords)

    monkeypatch.setattr(engine.Engine, "score", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(small_model, vcf, long_genome, tmp_path / "again")
    assert not (tmp_path / "again/scd.h5").exists()
    monkeypatch.setattr(engine.Engine, "score", original)
    done = {path: path.stat().st_mtime_ns for path in (tmp_path / "again/parts").iterdir()}
    assert len(done) == 2
    run(small_model, vcf, long_genome, tmp_path / "again")
    assert all(path.stat().st_mtime_ns == time for path, time in done.items())
    assert (tmp_path / "again/scd.h5").read_bytes() == whole


def test_a_directory_is_of_one_set_of_inputs(small_model, vcf, write_vcf, long_genome, tmp_path):
    out = tmp_path / "out"
    run(small_model, vcf, long_genome, out, options=Options(scores=("SCD",)))
    bytes_by_path = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(
        errors.RunError, match=r"other inputs \(options: scores SCD and MSE\); choose"
    ):
        run(small_model, vcf, long_genome, out, options=Options(scores=("MSE",)))
    second_vcf = write_vcf(*LINES[:2], header=HEADER, name="other.vcf")
    region = regions.parse("chr1:1-1500")
    with pytest.raises(
        errors.RunError,
        match=r"\(options: scores SCD and SCD,SSD, variants, region none and chr1:1-1,500\);",
    ):
        run(small_model, second_vcf, long_genome, out, region=region)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == bytes_by_path
    run(small_model, vcf, long_genome, out, options=Options(scores=("SCD",)))
    (out / output_directory.INPUTS).unlink()
    with pytest.raises(errors.RunError, match="holds scores of unknown inputs; choose"):
        run(small_model, vcf, long_genome, out, options=Options(scores=("SCD",)))


def test_a_run_without_results_binds_nobody(small_model, vcf, long_genome, tmp_path, monkeypatch):
    def fails(self, rows, **keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr(engine.Engine, "score", fails)
    with pytest.raises(KeyboardInterrupt):
        run(small_model, vcf, long_genome, tmp_path, options=Options(scores=("SCD",)))
    monkeypatch.undo()
    run(small_model, vcf, long_genome, tmp_path, options=Options(scores=("MSE",)))
    assert "MSE" in contents(tmp_path / "scd.h5")[0]


@pytest.mark.parametrize(
    ("rows", "size"), [(0, 4), (3, 4), (64, 4), (300, 5), (1000, 16), (4096, 64), (10**6, 64)]
)
def test_the_size_of_parts_depends_on_the_file_alone(monkeypatch, rows, size):
    monkeypatch.setattr(record_plan, "PART", 64)
    assert record_plan.part_size(rows) == size
    assert record_plan.parts(rows, size) >= min(60, rows // 4)


def test_other_shards_go_on_with_the_same_parts(
    small_model, vcf, long_genome, tmp_path, monkeypatch
):
    monkeypatch.setattr(record_plan, "PART", 64)
    run(small_model, vcf, long_genome, tmp_path / "out", shard=score_directory.Shard(1, 3))
    (part,) = (tmp_path / "out/parts").iterdir()
    time = part.stat().st_mtime_ns
    assert run(small_model, vcf, long_genome, tmp_path / "out").complete
    assert len(list((tmp_path / "out/parts").iterdir())) == 3
    assert part.stat().st_mtime_ns == time
    run(small_model, vcf, long_genome, tmp_path / "one")
    whole, resumed = ((tmp_path / name / "scores.tsv").read_text() for name in ("one", "out"))
    assert whole == resumed


def test_a_part_survives_writing_and_reading(small_model, vcf, long_genome, tmp_path):
    with genome.Genome(long_genome) as opened:
        scorer = engine.Engine(small_model, opened, OPTIONS)
        scored = scorer.score(records.read(vcf, opened))
    score_table.save(tmp_path / "part.h5", scored, "id")
    back = score_table.load(tmp_path / "part.h5", "id")
    assert back.variants == scored.variants
    assert back.flags == scored.flags
    assert back.window == scored.window
    np.testing.assert_array_equal(back.values["SCD"], scored.values["SCD"])
    assert score_table.load(tmp_path / "part.h5", "other") is None
    assert score_table.load(tmp_path / "none.h5", "id") is None


def test_nothing_scored_is_an_error_that_says_why(small_model, write_vcf, long_genome, tmp_path):
    path = write_vcf("chr9 5 A C", "chr8 5 A C", header=HEADER)
    with pytest.raises(errors.VariantError, match=r"none of 2 alleles.*not in the genome"):
        run(small_model, path, long_genome, tmp_path)
    assert (tmp_path / "scores.tsv").exists()


@pytest.mark.parametrize("compress", [False, True])
def test_a_file_without_records_gives_outputs_without_rows(
    small_model, write_vcf, long_genome, tmp_path, caplog, compress
):
    vcf = write_vcf(header=HEADER)
    summary = run(small_model, vcf, long_genome, tmp_path / "out", compress=compress)
    assert (summary.rows, summary.scored, summary.complete) == (0, 0, True)
    assert "toy.vcf: holds no record to score; the outputs have no rows." in caplog.text
    datasets, _ = contents(tmp_path / "out/scd.h5")
    assert datasets["SCD"].shape == (0, 2)
    assert len(datasets["target_ids"]) == 2
    assert len(pd.read_csv(tmp_path / "out/scores.tsv", sep="\t")) == 0
    name = "toy.scored.vcf.gz" if compress else "toy.scored.vcf"
    with pysam.VariantFile(str(tmp_path / "out" / name)) as file:
        assert "AKITA_SCD" in file.header.info
        assert list(file) == []


def test_chromosomes_of_other_names_are_told(small_model, write_vcf, long_genome, tmp_path, caplog):
    header = HEADER.replace("##contig", "##contig=<ID=1>\n##contig=<ID=2>\n##contig", 1)
    rows = [line(1000).replace("chr1", "1", 1), line(2700, chrom="chr2").replace("chr2", "2", 1)]
    with caplog.at_level("INFO"):
        run(small_model, write_vcf(*rows, header=header), long_genome, tmp_path)
    assert "toy.vcf: chromosomes have other names" in caplog.text
    assert "reading 1 as chr1, and 1 more alike." in caplog.text


def test_one_draw_is_said_to_give_no_spread(small_model, vcf, long_genome, tmp_path, caplog):
    run(small_model, vcf, long_genome, tmp_path, options=Options(scores=("SCD",), draws=4))
    assert "The model has only 1 of the 4 requested draws." in caplog.text
    assert "One draw gives no spread of scores; give draws of 2 or more" in caplog.text


@pytest.mark.parametrize(("text", "shard"), [("1/4", (0, 4)), ("4/4", (3, 4))])
def test_reads_shards(text, shard):
    assert scoring_shard.parse_shard(text) == shard


@pytest.mark.parametrize("text", ["0/4", "5/4", "x", "1/", "2"])
def test_refuses_wrong_shards(text):
    with pytest.raises(errors.VariantError, match="expected i/n"):
        scoring_shard.parse_shard(text)


def test_a_background_is_computed_once(small_model, vcf, long_genome, tmp_path, monkeypatch):
    (tmp_path / "roi.bed").write_text("chr1\t990\t1010\n")
    options = Options(scores=("SCD", "ROI"), roi=str(tmp_path / "roi.bed"))
    settings = {"options": options, "null": 4, "null_path": tmp_path / "model.null.h5"}
    run(small_model, vcf, long_genome, tmp_path / "a", **settings)
    first, _ = contents(tmp_path / "a/scd.h5")
    monkeypatch.setattr(background, "sample", lambda *_, **__: pytest.fail("sampled again"))
    run(small_model, vcf, long_genome, tmp_path / "b", **settings)
    again, _ = contents(tmp_path / "b/scd.h5")
    np.testing.assert_array_equal(first["SCD_quantile"], again["SCD_quantile"])
    assert np.isfinite(first["SCD_quantile"][first["reason"] == b""]).all()
    assert np.isfinite(first["ROI"][0]).all()
    assert np.isnan(first["ROI_quantile"]).all()


def test_a_background_inside_an_exported_model_leaves_it_the_same_model(
    small_model, vcf, long_genome, tmp_path, monkeypatch
):
    saved = tmp_path / "saved"
    export.export(small_model, saved)
    null_path = saved / "null.h5"
    run(load.load_model(saved), vcf, long_genome, tmp_path / "a", null=2, null_path=null_path)
    assert null_path.is_file()
    monkeypatch.setattr(engine.Engine, "score", lambda *_, **__: pytest.fail("scored again"))
    run(load.load_model(saved), vcf, long_genome, tmp_path / "a", null=2, null_path=null_path)


@pytest.mark.slow
def test_a_digest_is_of_what_predicts(small_model, randomise, tmp_path):
    saved, second = tmp_path / "saved", tmp_path / "other"
    export.export(small_model, saved)
    before = fingerprint.model_digest(load.load_model(saved))
    (saved / "calibration").mkdir()
    (saved / "calibration" / "coverage.png").write_bytes(b"a figure")
    assert fingerprint.model_digest(load.load_model(saved)) == before
    export.export(randomise(tiny.spec_json(), seed=9), second)
    assert fingerprint.model_digest(load.load_model(second)) != before


def test_swag_draws_are_a_part_of_a_model(small_model, monkeypatch):
    plain = fingerprint.model_digest(small_model)
    digests = {plain}
    for value in (1, 2):
        monkeypatch.setattr(small_model, "swag_draws", np.full((2, 3), value, np.float32))
        digests.add(fingerprint.model_digest(small_model))
    assert len(digests) == 3
