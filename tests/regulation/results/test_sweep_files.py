import pandas as pd

from akita_bayes.cli import mpra_simulate
from akita_bayes.regulation.compare import experiment_design
from akita_bayes.regulation.results import sweep_files


def test_a_notebook_writes_the_files_of_the_command(two_sites, tmp_path, monkeypatch):
    table = pd.DataFrame(
        {
            "reads": [3000, 12000],
            "bins": 3,
            "mutation_rate": 0.4,
            "sequences": 600,
            "noise": 0.4,
            "bits": [0.5, 0.6],
            "ab": [1.23456789, 0.5],
        }
    )
    monkeypatch.setattr(experiment_design, "sweep", lambda *_, **__: table)
    (tmp_path / "spec.json").write_text(two_sites().model_dump_json(by_alias=True))
    arguments = [tmp_path / "spec.json", "-o", tmp_path / "command", "--design"]
    assert mpra_simulate.main([*map(str, arguments), "--reads", "3000,12000"]) == 0
    sweep_files.write(table, tmp_path / "notebook", unit="kT")
    for name in ("design.tsv", "design.png"):
        assert (tmp_path / "command" / name).read_bytes() == (
            tmp_path / "notebook" / name
        ).read_bytes()
    assert "1.23457" in (tmp_path / "notebook" / "design.tsv").read_text()
