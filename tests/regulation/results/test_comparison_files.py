import numpy as np
import pandas as pd

from akita_bayes.cli import mpra_compare
from akita_bayes.regulation.compare import ranking
from akita_bayes.regulation.results import comparison_files
from tests.outputs import files_of


def test_a_notebook_writes_the_files_of_the_command(
    two_sites, experiment, arbitrary_fit, tmp_path, monkeypatch
):
    table = experiment(two_sites(), sequences=60, reads=600).table
    fits = [arbitrary_fit(two_sites(name=name), table, seed) for seed, name in enumerate("xyz")]
    judged = [ranking.Judged(fit, np.full(6, -1.0), None, None, None) for fit in fits]
    ranked = pd.DataFrame(
        {
            "name": ["x", "y", "z"],
            "log_likelihood": [-6.0, -7.0, -40.0],
            "behind": [0.0, 1.0, 34.0],
            "behind_lower": [0.0, -2.0, 30.0],
            "behind_upper": [0.0, 4.0, 38.0],
            "log_evidence": [-10.0, -12.0, -50.0],
        }
    )
    comparison = comparison_files.collect(ranked, judged)
    assert comparison.supported == ["x", "y"]
    assert list(comparison.constants["mechanism"].unique()) == ["x", "y", "z"]
    lower = comparison.constants.query("name == 'ab' and mechanism != 'z'")["lower"].min()
    assert comparison.ranges.set_index("name").loc["ab", "lower"] == lower

    monkeypatch.setattr(ranking, "compare", lambda *_, **__: (ranked, judged))
    (tmp_path / "spec.json").write_text(two_sites().model_dump_json(by_alias=True))
    rows = pd.DataFrame(table.libraries[0].observed.astype(int)).add_prefix("ct_")
    rows.insert(0, "seq", table.libraries[0].sequences)
    rows.to_csv(tmp_path / "data.csv", index=False)
    arguments = [tmp_path / "spec.json", tmp_path / "data.csv", "-o", tmp_path / "command"]
    assert mpra_compare.main([*map(str, arguments)]) == 0
    comparison_files.write(comparison, tmp_path / "notebook")
    written, of_command = (files_of(tmp_path / name) for name in ("notebook", "command"))
    assert written == of_command
    tables = ("comparison.tsv", "constants.tsv", "ranges.tsv")
    assert set(written) == {*tables, "comparison.png", "ranges.png"}
