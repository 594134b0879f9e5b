from akita_bayes.cli import akita_doctor
from tests import tiny


def test_data_and_runs_are_told_apart(tmp_path, repository, capsys):
    tiny.write_data(tmp_path / "data")
    run = repository / "tests/fixtures/version_0_1/run"
    assert akita_doctor.main([str(tmp_path / "data"), str(run)]) == 0
    printed = capsys.readouterr().out
    assert "split valid: 6 windows" in printed
    assert "model: 422 weights" in printed


def test_an_error_sets_the_exit_status(tmp_path, capsys):
    assert akita_doctor.main([str(tmp_path / "absent")]) == 1
    assert "no such directory; give a run" in capsys.readouterr().out.replace("\n", " ")
