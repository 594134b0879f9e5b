import json
import os
import shutil
import signal
import subprocess
import sys

import h5py
import numpy as np
import pytest

from akita_bayes.cli import akita_scd
from akita_bayes.data import genome
from akita_bayes.models import build, zoo
from akita_bayes.numerics import colour_limits
from akita_bayes.plots import variant_plots as plots
from akita_bayes.variants.maps import saved_maps
from akita_bayes.variants.scored_files import record_plan
from akita_bayes.workers import local_processes
from tests import tiny

HEADER = (
    "##fileformat=VCFv4.2\n##contig=<ID=1>\n"
    '##INFO=<ID=END,Number=1,Type=Integer,Description="End">\n'
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scd")
    (folder / "params.json").write_text(json.dumps(tiny.spec_json()))
    build.build(zoo.parse_spec(tiny.spec_json())).save(folder / "model.keras")
    letters = "".join(np.random.default_rng(0).choice(list("ACGT"), 2000))
    genome.write_fasta(folder / "genome.fa", {"chr1": letters})
    substitutes = {"A": "C", "C": "G", "G": "T", "T": "A"}
    lines = [
        f"1\t{pos}\tv{pos}\t{letters[pos - 1]}\t{substitutes[letters[pos - 1]]}\t.\t.\t."
        for pos in (500, 700, 900)
    ]
    lines.insert(1, f"1\t600\tdel\t{letters[599]}\t<DEL>,*\t.\t.\tEND=660")
    (folder / "variants.vcf").write_text(HEADER + "\n".join(lines) + "\n")
    (folder / "targets.txt").write_text(
        "\tidentifier\tfile\tdescription\n0\tHFF\ta.cool\tfibroblasts\n1\tGM\tb.cool\tblood\n"
    )
    (folder / "genes.bed").write_text("chr1\t450\t560\tABC\t0\t+\n")
    return folder


def run(folder, out, *options):
    paths = [str(folder / name) for name in ("params.json", "model.keras", "variants.vcf")]
    return akita_scd.main([*paths, "-f", str(folder / "genome.fa"), "-o", str(out), *options])


def test_writes_everything(folder, tmp_path, capsys):
    options = ["--rc", "--shifts", "1,0", "--stats", "SCD,INS3", "-m", "2", "--bgzip"]
    files = ["-t", str(folder / "targets.txt"), "--genes", str(folder / "genes.bed")]
    assert run(folder, tmp_path, *options, *files) == 0
    with h5py.File(tmp_path / "scd.h5") as file:
        assert file["SCD"].shape == file["INS3"].shape == (5, 2)
        assert file["target_ids"][:].tolist() == [b"HFF", b"GM"]
        assert file["snp"][:].tolist() == [b"v500", b"del", b"del", b"v700", b"v900"]
        assert json.loads(file.attrs["options"])["shifts"] == [1, 0]
    assert len(list((tmp_path / "maps").glob("*.png"))) == 2
    assert (tmp_path / "variants.scored.vcf.gz.tbi").exists()
    assert (tmp_path / "scores.tsv").read_text().count("\n") == 6
    stdout = capsys.readouterr().out
    assert "4 of 5 alleles have scores" in stdout
    assert "1 without a score: ALT * stands for an overlapping deletion" in stdout


def test_maps_of_the_strongest_variants_are_saved(folder, tmp_path, capsys):
    assert run(folder, tmp_path, "--save_maps", "2", "-t", str(folder / "targets.txt")) == 0
    with saved_maps.opened(tmp_path) as maps:
        assert len(maps) == 2
        assert maps.frame.targets == ["HFF", "GM"]
        assert maps.read(0).title.startswith(("v", "del"))
    assert run(folder, tmp_path, "--save_maps", "all", "-t", str(folder / "targets.txt")) == 0
    with saved_maps.opened(tmp_path) as maps:
        assert sorted(maps.rows) == [0, 1, 3, 4]
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        run(folder, tmp_path, "--save_maps", "every")
    assert stopped.value.code == 2
    assert "'every' is not a whole number of at least 0, or all" in capsys.readouterr().err


@pytest.mark.slow
def test_processes_save_the_maps_once_all_parts_exist(folder, tmp_path):
    assert run(folder, tmp_path, "-p", "2", "--save_maps", "1") == 0
    with saved_maps.opened(tmp_path) as maps:
        assert len(maps) == 1


def test_reads_basenjis_command_line(folder, tmp_path):
    paths = [str(folder / name) for name in ("params.json", "model.keras", "variants.vcf")]
    fasta = ["-f", str(folder / "genome.fa")]
    line = [*fasta, "-o", str(tmp_path), "--rc", "--shifts", "-1,0,1", "--stats", "SCD", "-m"]
    assert akita_scd.main([*line, *paths]) == 0
    with h5py.File(tmp_path / "scd.h5") as file:
        assert json.loads(file.attrs["options"])["shifts"] == [-1, 0, 1]
    assert len(list((tmp_path / "maps").glob("*.png"))) == 4


def test_figures_name_targets_as_the_table_does(folder, tmp_path):
    assert run(folder, tmp_path, "--targets", "1", "--stats", "SCD", "-m", "1") == 0
    assert "\tSCD:1\n" in (tmp_path / "scores.tsv").read_text()
    (figure,) = (tmp_path / "maps").iterdir()
    assert figure.name.endswith("_target1.png")


@pytest.mark.slow
def test_figures_of_a_former_run_are_replaced(folder, tmp_path):
    for count in ("3", "1"):
        assert run(folder, tmp_path, "--stats", "SCD", "-m", count) == 0
    assert len(list((tmp_path / "maps").iterdir())) == 1


def test_inputs_are_no_output_directory(folder, tmp_path, capsys):
    for name, content in (("model_best.keras", "a model"), ("statistics.json", "training data")):
        out = tmp_path / content
        out.mkdir()
        (out / name).write_text("of another command")
        assert run(folder, out) == 2
        assert f"holds {content}; choose another -o." in capsys.readouterr().err
        assert [path.name for path in out.iterdir()] == [name]


def test_counts_swapped_alleles(folder, tmp_path, capsys):
    text = (folder / "variants.vcf").read_text()
    assert run(folder, tmp_path / "as_they_are") == 0
    assert "alleles_swapped" not in capsys.readouterr().out
    head, *cells = next(row for row in text.splitlines() if "\tv500\t" in row).split("\t")
    swapped = "\t".join([head, *cells[:2], cells[3], cells[2], *cells[4:]])
    (tmp_path / "variants.vcf").write_text(HEADER + swapped + "\n")
    paths = [
        str(directory / name)
        for directory, name in (
            (folder, "params.json"),
            (folder, "model.keras"),
            (tmp_path, "variants.vcf"),
        )
    ]
    options = ["-f", str(folder / "genome.fa"), "-o", str(tmp_path / "swapped")]
    assert akita_scd.main([*paths, *options]) == 0
    assert "1 scored from REF to ALT though the genome has ALT" in capsys.readouterr().out


def test_shards_region_targets_and_null(folder, tmp_path):
    assert (
        run(folder, tmp_path, "--shard", "1/1", "--targets", "1", "--region", "chr1:550-750") == 0
    )
    with h5py.File(tmp_path / "scd.h5") as file:
        assert file["SCD"].shape == (3, 1)
    second = build.build(zoo.parse_spec(tiny.spec_json()))
    second.save(folder / "other.keras")
    members = ["--ensemble", str(folder / "other.keras"), "--draws", "9"]
    assert run(folder, tmp_path / "both", *members) == 0
    with h5py.File(tmp_path / "both" / "scd.h5") as file:
        assert (file["SCD_sd"][0] > 0).all()
    assert run(folder, tmp_path / "null", "--null", "3", "--stats", "SCD") == 0
    assert (folder / "model.keras.null.h5").exists()
    with h5py.File(tmp_path / "null" / "scd.h5") as file:
        assert np.isfinite(file["SCD_quantile"][0]).all()


def test_help_says_how_a_region_counts(folder, tmp_path, capsys):
    with pytest.raises(SystemExit):
        akita_scd.main(["--help"])
    help_text = " ".join(capsys.readouterr().out.split())
    assert "chr1:1,000-2,000 is POS 1,001 to 2,000" in help_text
    assert run(folder, tmp_path, "--region", "chr1:500-700") == 0
    with h5py.File(tmp_path / "scd.h5") as file:
        assert file["pos"][:].tolist() == [600, 600, 700]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--stats", "SDC"], "is not a score"),
        (["--shard", "3/2"], "is not a valid shard"),
        (["--region", "chr1:5"], "is not a region"),
        (["--region", "chr9:5-9"], 'the genome has no chromosome "chr9"'),
        (["--shifts", "0,-256"], "a shift of -256 leaves nothing of a window of 256 bases"),
        (["--share_windows", "224"], "whose map covers 192; give at most 192"),
    ],
)
def test_refuses_in_one_line(folder, tmp_path, capsys, options, message):
    assert run(folder, tmp_path / "out", *options) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error:")
    assert message in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--batch_size", "-1"], "'-1' is not a whole number of at least 1"),
        (["-m", "-3"], "'-3' is not a whole number of at least 0"),
        (["--draws", "-3"], "'-3' is not a whole number of at least 0"),
        (["--genes", "genome.fa"], "--genes adds genes to the figures of -m; give -m too"),
        (["--roi", "genes.bed"], "--roi is only for the score ROI; add ROI to --stats"),
        (["--null", "2", "--seed", "-1"], "'-1' is not a whole number of at least 0"),
        (["--draws", "4", "--seed", "3000000000"], "'3000000000' is not a whole number below 2,1"),
        (["-m", "1", "--genes", "none.gtf"], "none.gtf: no such file"),
        (["-t", "none.txt"], "none.txt: no such file"),
    ],
)
def test_refuses_before_it_starts(folder, tmp_path, capsys, monkeypatch, options, message):
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as stopped:
        run(folder, tmp_path / "out", *options)
    assert stopped.value.code == 2
    (error,) = capsys.readouterr().err.strip().splitlines()
    assert message in error


def test_reads_genes_before_it_scores(folder, tmp_path, capsys):
    (tmp_path / "bad.gtf").write_text("chr1\tx\tgene\tone\n")
    assert run(folder, tmp_path / "out", "-m", "1", "--genes", str(tmp_path / "bad.gtf")) == 2
    assert "bad.gtf, line 1: is not a line of a GTF" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_help_does_not_load_tensorflow():
    code = (
        "import sys; from akita_bayes.cli import akita_scd, akita_sat\n"
        "for main in (akita_scd.main, akita_sat.main):\n"
        "    try: main(['--help'])\n"
        "    except SystemExit: pass\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "example:" in process.stdout


@pytest.fixture
def figures(monkeypatch):
    """Title, limits of the maps and labels of every figure that is drawn."""
    descriptions, original = [], plots.figure

    def figure(figure_data, **options):
        fig = original(figure_data, **options)
        panels = [axes for axes in fig.axes if axes.images]
        limits = [axes.images[0].get_clim() for axes in panels[:2]]
        descriptions.append(
            (figure_data.title, limits, [axes.get_xlabel() for axes in panels], figure_data)
        )
        return fig

    monkeypatch.setattr(plots, "figure", figure)
    return descriptions


@pytest.mark.slow
def test_figures_say_which_target_and_chromosome_they_are_of(folder, tmp_path, figures):
    assert run(folder, tmp_path, "--targets", "1", "--stats", "SCD", "-m", "1") == 0
    table = ["-t", str(folder / "targets.txt")]
    assert run(folder, tmp_path, "--targets", "1", "--stats", "SCD", "-m", "1", *table) == 0
    assert [description[0].rpartition(", ")[2] for description in figures] == [
        "target 1",
        "target GM",
    ]
    assert [description[2] for description in figures] == [["chr1"] * 3] * 2


@pytest.mark.slow
def test_l_is_the_least_scale_of_maps(folder, tmp_path, figures, caplog):
    for number, options in enumerate(([], ["-l", "50"], ["-l", "0.001"])):
        assert run(folder, tmp_path / str(number), "--stats", "SCD", "-m", "1", *options) == 0
    _, _, _, figure_data = figures[0]
    own = colour_limits.symmetric([figure_data.ref, figure_data.alt])
    for (_, limits, _, _), least in zip(figures, (0.1, 50, 0.001), strict=True):
        assert limits == [(-max(least, own), max(least, own))] * 2
    assert run(folder, tmp_path / "without", "-l", "0.5") == 0
    assert "-l: has no effect without -m" in caplog.text


OUTPUTS = ("scd.h5", "scores.tsv", "variants.scored.vcf")


def outputs(path):
    return {name: (path / name).read_bytes() for name in OUTPUTS}


@pytest.mark.slow
def test_workers_share_the_variants_and_one_may_be_killed(
    folder, tmp_path, capsys, monkeypatch, caplog
):
    """SIGKILL in the middle of the work changes no byte, and neither do the workers."""
    monkeypatch.setattr(record_plan, "PART", 1)
    options = ["--stats", "SCD", "--null", "2"]
    (folder / "model.keras.null.h5").unlink(missing_ok=True)
    assert run(folder, tmp_path / "one", *options) == 0
    (folder / "model.keras.null.h5").unlink()
    assign, pids, out = local_processes._Worker.assign, [], tmp_path / "two"

    def killed(self, number, message):
        assign(self, number, message)
        if list((out / "parts").glob("*.h5")) and not pids:
            pids.append(self._process.pid)
            os.kill(self._process.pid, signal.SIGKILL)

    monkeypatch.setattr(local_processes._Worker, "assign", killed)
    assert run(folder, out, "-p", "2", "-m", "1", *options) == 0
    assert "4 of 5 alleles have scores" in capsys.readouterr().out
    assert f"worker process {pids[0]} was killed by SIGKILL during part" in caplog.text
    assert outputs(out) == outputs(tmp_path / "one")
    assert sorted(path.name for path in (out / "parts").iterdir()) == [
        f"{part:06d}.h5" for part in range(5)
    ]
    assert len(list((out / "maps").glob("*.png"))) == 1


def test_what_a_worker_refuses_is_one_line(folder, tmp_path, capsys):
    assert run(folder, tmp_path / "out", "-p", "2", "--targets", "7") == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith("error:")] == [
        "error: targets (7,): the head has 2, counted from 0."
    ]
    with pytest.raises(SystemExit):
        run(folder, tmp_path / "out", "-p", "2", "--shard", "1/2")
    assert "--workers and --scheduler already share the variants; give them without --shard" in (
        capsys.readouterr().err
    )
    assert run(folder, tmp_path / "out", "-p", "2", "--scheduler", "tcp://127.0.0.1:1") == 2
    assert "--workers and --scheduler both name the workers" in capsys.readouterr().err


def of_directory(capsys, option, path):
    """The exit status and the output of --status and --join."""
    with pytest.raises(SystemExit) as exit_info:
        akita_scd.main([option, str(path)])
    return exit_info.value.code, capsys.readouterr()


def test_status_and_join_of_shards(folder, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    assert run(folder, tmp_path / "one") == 0
    assert of_directory(capsys, "--status", tmp_path / "one")[0] == 0
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "2")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "2")
    assert run(folder, out, "--shard", "auto") == 0
    stdout = " ".join(capsys.readouterr().out.split())
    assert "from this shard; 1 parts of other shards are missing." in stdout
    for option in ("--status", "--join"):
        status, captured = of_directory(capsys, option, out)
        assert status == 3
        assert "missing: 0." in captured.out
    assert not (out / "scd.h5").exists()
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "1")
    assert run(folder, out, "--shard", "auto") == 0
    assert outputs(out) == outputs(tmp_path / "one")
    for name in OUTPUTS:
        (out / name).unlink()
    capsys.readouterr()
    status, captured = of_directory(capsys, "--status", out)
    assert (status, captured.out) == (
        0,
        f"{out}: 2 of 2 parts are finished; --join writes the outputs.\n",
    )
    assert of_directory(capsys, "--join", out)[0] == 0
    assert outputs(out) == outputs(tmp_path / "one")


def test_status_and_join_refuse_other_directories(folder, tmp_path, capsys):
    status, captured = of_directory(capsys, "--status", tmp_path)
    assert (status, captured.err) == (
        2,
        f"error: {tmp_path}: holds no scores; give the -o of the command that writes them.\n",
    )
    vcf = tmp_path / "variants.vcf"
    shutil.copy(folder / "variants.vcf", vcf)
    paths = [str(folder / "params.json"), str(folder / "model.keras"), str(vcf)]
    out = tmp_path / "out"
    options = ["-f", str(folder / "genome.fa"), "-o", str(out)]
    assert akita_scd.main([*paths, *options]) == 0
    vcf.write_text(vcf.read_text() + "1\t950\tnew\tA\tC\t.\t.\t.\n")
    status, captured = of_directory(capsys, "--join", out)
    assert status == 2
    assert f"{vcf}: is not the file that was scored into {out}; put it back." in captured.err


def test_a_run_names_its_targets(folder, tmp_path):
    """The table of the data that a model was trained on names columns, unless -t does."""
    (tmp_path / "run").mkdir()
    shutil.copy(folder / "model.keras", tmp_path / "run" / "model_best.keras")
    data = {"head": "hic", "targets": [["HFF", "fibroblasts"], ["GM", "blood"]]}
    record = tmp_path / "run" / "provenance.json"
    record.write_text(json.dumps({"data": [data]}))
    paths = [folder / "params.json", tmp_path / "run", folder / "variants.vcf"]
    line = [*map(str, paths), "-f", str(folder / "genome.fa"), "--stats", "SCD"]
    assert akita_scd.main([*line, "-o", str(tmp_path / "named"), "--targets", "1"]) == 0
    with h5py.File(tmp_path / "named" / "scd.h5") as file:
        assert file["target_ids"][:].tolist() == [b"GM"]
        assert file["target_labels"][:].tolist() == [b"blood"]
    assert "\tSCD:GM\n" in (tmp_path / "named" / "scores.tsv").read_text()
    record.write_text(json.dumps({"data": [{**data, "head": "mouse"}]}))
    assert akita_scd.main([*line, "-o", str(tmp_path / "numbers")]) == 0
    with h5py.File(tmp_path / "numbers" / "scd.h5") as file:
        assert file["target_ids"][:].tolist() == [b"0", b"1"]


def test_a_table_of_labels_alone_names_targets_as_in_basenji(folder, tmp_path):
    (tmp_path / "labels.txt").write_text("\tidentifier\tdescription\n0\tA\ta\n1\tB\tb\n")
    assert run(folder, tmp_path / "out", "-t", str(tmp_path / "labels.txt")) == 0
    with h5py.File(tmp_path / "out" / "scd.h5") as file:
        assert file["target_ids"][:].tolist() == [b"A", b"B"]


def test_variants_as_text_are_scored_as_in_a_file(folder, tmp_path, capsys):
    lines = (folder / "variants.vcf").read_text().splitlines()
    _, pos, _, ref, alt, *_ = next(line for line in lines if "v700" in line).split("\t")
    paths = [str(folder / "params.json"), str(folder / "model.keras")]
    texts = [f"1:{pos}:{ref}:{alt}", "chr1:600-660:DEL"]
    fasta = ["-f", str(folder / "genome.fa"), "--stats", "SCD"]
    assert akita_scd.main([*paths, *texts, *fasta, "-o", str(tmp_path / "text")]) == 0
    assert run(folder, tmp_path / "file", "--stats", "SCD") == 0
    with h5py.File(tmp_path / "text/scd.h5") as text, h5py.File(tmp_path / "file/scd.h5") as file:
        names = file["snp"][:].tolist()
        rows = [names.index(b"v700"), names.index(b"del")]
        np.testing.assert_allclose(text["SCD"][:], file["SCD"][:][rows], rtol=1e-5)
    assert (tmp_path / "text" / "variants.scored.vcf").exists()
    # A second call of the same variants goes on from the first one.
    assert akita_scd.main([*paths, *texts, *fasta, "-o", str(tmp_path / "text")]) == 0
    assert akita_scd.main([*paths, texts[0], *fasta, "-o", str(tmp_path / "text")]) == 2
    assert "holds scores of other inputs" in capsys.readouterr().err


def test_a_file_and_text_are_not_mixed(folder, capsys):
    paths = [str(folder / name) for name in ("params.json", "model.keras", "variants.vcf")]
    with pytest.raises(SystemExit):
        akita_scd.main([*paths, "chr1:600-660:DEL", "-f", str(folder / "genome.fa")])
    assert "give one file, or variants as text" in capsys.readouterr().err
