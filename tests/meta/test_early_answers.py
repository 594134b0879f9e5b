"""Commands find missing files and wrong options before they import TensorFlow."""

import subprocess
import sys

import pytest

CASES = {
    "akita_calibrate": (
        "no_run data: argument run: no_run: no such file or directory, and no model of",
        "akita_yeast no_data: argument data_dir: no_data: no such file or directory",
    ),
    "akita_distill": (
        "akita_tiny no_data --teacher akita_yeast -o out: argument data_dir: no_data: no such file",
    ),
    "akita_export": (
        "akita_tiny no.keras -o out: argument model: no.keras: no such file or directory",
        "no.json akita_yeast -o out: argument params: no.json: no such file",
    ),
    "akita_predict": (
        "akita_tiny no.keras chr1:1-9 -f genome.fa: argument model: no.keras: no such file",
        "akita_yeast no.bed -f genome.fa: argument regions: no.bed: no such file",
        "akita_yeast chr1:1-9 -f no.fa: argument -f/--fasta: no.fa: no such file",
    ),
    "akita_sat": (
        "akita_yeast no.bed -f genome.fa -o out: argument regions: no.bed: no such file",
        'akita_yeast one.bed -f genome.fa -o out --stats NONE: "NONE" is not a score.',
    ),
    "akita_scd": (
        "akita_tiny no/run one.vcf -f genome.fa -o out: argument model: no/run: no such file or",
        "akita_yeast no.vcf -f genome.fa -o out: argument variants: no.vcf: no such file, and not "
        "a variant; write a variant as CHROM:POS:REF:ALT",
        'akita_yeast one.vcf -f genome.fa -o out --stats NONE: "NONE" is not a score.',
        'akita_yeast one.vcf -f genome.fa -o out --shard 9/2: "9/2" is not a valid shard',
    ),
    "akita_test": ("akita_yeast no_data -o out: argument data_dir: no_data: no such file or",),
    "akita_train": ("akita_tiny no_data -o out: argument data_dir: no_data: no such file or",),
    "mpra_fit": ("lac_additive no.csv -o out: argument data: no.csv: no such file or directory",),
    "mpra_posterior": ("lac_additive no.csv -o out: argument data: no.csv: no such file or",),
    "mpra_compare": ("lac_additive no.csv -o out: argument data: no.csv: no such file or",),
    "mpra_predict": ("no_fit no.fa -o out: argument fit: no_fit: no such file or directory",),
}

PROGRAM = """
import contextlib, importlib, io, sys

for name, lines in {cases}.items():
    command = importlib.import_module(f"akita_bayes.cli.{{name}}")
    for line in lines:
        words, _, expected = line.partition(": ")
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            try:
                status = command.main(words.split())
            except SystemExit as stop:
                status = stop.code
        said = " ".join(said.getvalue().split())
        assert status == 2 and said.startswith(f"error: {{expected}}"), (name, line, status, said)
        loaded = [module for module in ("tensorflow", "keras", "cooler", "matplotlib")
                  if module in sys.modules]
        assert not loaded, (name, line, loaded)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "genome.fa").write_text(">chr1\nACGTACGT\n")
    (tmp_path / "one.bed").write_text("chr1\t0\t4\n")
    header = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    (tmp_path / "one.vcf").write_text(f"{header}chr1\t2\t.\tC\tA\t.\t.\t.\n")
    (tmp_path / "data").mkdir()
    return tmp_path


def test_missing_files_and_wrong_options_are_told_before_tensorflow_is_imported(folder):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM.format(cases=CASES)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
