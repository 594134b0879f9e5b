import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

import akita_bayes
from akita_bayes.cli import akita_predict, all_commands


def test_every_command_is_listed_with_its_purpose(repository, capsys):
    assert all_commands.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    scripts = sorted(path.stem for path in (repository / "bin").glob("*.py"))
    assert [line.split()[0] for line in lines] == scripts
    assert all(len(line.split()) > 3 and line.endswith(".") for line in lines)


def test_a_command_runs_by_its_name(capsys):
    with pytest.raises(SystemExit) as stopped:
        all_commands.main(["akita_predict", "--help"])
    assert stopped.value.code == 0
    assert "example:\n  akita_predict.py" in capsys.readouterr().out


def test_an_unknown_command_is_refused_with_the_nearest(capsys):
    assert all_commands.main(["akita_predcit"]) == 2
    assert 'Did you mean "akita_predict"?' in capsys.readouterr().err


def test_the_module_is_a_command(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "akita_bayes", "akita_scd", "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        check=True,
    )
    versions = dict(line.split() for line in done.stdout.splitlines())
    assert versions["akita_bayes"] == akita_bayes.__version__
    assert versions["numpy"] == np.__version__
    assert re.fullmatch(r"2\.\d+\.\d+", versions["tensorflow"])


def test_the_version_comes_before_missing_arguments(capsys):
    with pytest.raises(SystemExit) as stopped:
        akita_predict.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith(f"akita_bayes {akita_bayes.__version__}\n")


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_options_and_commands(tmp_path, capsys):
    assert all_commands.main(["--completion", "bash"]) == 0
    script = tmp_path / "completion.sh"
    script.write_text(capsys.readouterr().out)
    done = subprocess.run(
        ["bash", "-c", f"source {script}; complete -p akita_scd akita_scd.py mpra_fit.py"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert len(done.stdout.splitlines()) == 3
    assert "--targets_file" in script.read_text()
