"""docs/lac.md and docs/own_promoter.md do what they say: their blocks are run, on less data.

Sizes are appended to the commands of the page, where they win over its own. Each block finds what
the blocks before it have written.
"""

import json
import re

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from akita_bayes.mechanisms import mechanism_spec, rate_laws
from tests.documentation import page_blocks

PAGES = ("docs/lac.md", "docs/own_promoter.md")


@pytest.fixture(scope="module")
def page(repository):
    """The text of both pages."""
    return "\n".join((repository / name).read_text(encoding="utf-8") for name in PAGES)


@pytest.fixture(scope="module")
def ran(repository, tmp_path_factory):
    """The folder in which the pages were followed, and the commands that they ran."""
    folder = tmp_path_factory.mktemp("lac")
    (folder / "models").symlink_to(repository / "models")
    follower = page_blocks.Follower(page_blocks.FITS)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in PAGES:
            follower.follow(page_blocks.blocks(name))
    return folder, follower.ran


@pytest.mark.slow
def test_every_command_is_shown_and_runs(ran):
    _, commands = ran
    shown = {command.split(".py")[0] for command in commands}
    assert shown >= {"mpra_simulate", "mpra_fit", "mpra_posterior", "mpra_compare"}


@pytest.mark.slow
def test_every_file_that_the_page_names_is_written(ran, page):
    folder, _ = ran
    paths = set(re.findall(r"`([\w/]+\.(?:tsv|txt|json|png|npz))`", page))
    written = {path.name for path in folder.rglob("runs/**/*") if path.is_file()}
    assert {name for name in paths if "/" not in name} <= written
    assert len(paths) > 10


@pytest.mark.slow
def test_figures_are_drawn_and_those_of_the_page_are_small(ran, page, repository):
    folder, _ = ran
    for path in folder.rglob("runs/**/*.png"):
        assert plt.imread(path).std() > 0.03, path
    shown = re.findall(r"!\[.*?\]\((.+?)\)", page)
    assert len(shown) >= 5
    for name in shown:
        assert (repository / "docs" / name).stat().st_size < 200_000, name


@pytest.mark.slow
def test_the_read_out_is_changed_where_the_page_changes_it(ran):
    folder, _ = ran
    changed = mechanism_spec.load(folder / "runs/lac/lac_log.json")
    assert changed.measurement.kind == "spline_bins"
    assert changed.measurement.read_out == "log_activity"
    assert [term.base_prior.sd for term in changed.terms.values() if term.site] == [5.0, 5.0]


@pytest.mark.slow
def test_assumptions_are_fitted_judged_and_united(ran):
    folder, _ = ran
    tables = {
        name: pd.read_csv(folder / f"runs/lac/assumed/{name}.tsv", sep="\t")
        for name in ("comparison", "constants", "ranges")
    }
    evidence = tables["comparison"].set_index("name")["log_evidence"]
    hidden = [name for name in evidence.index if evidence.isna()[name]]
    assert sorted(hidden) == ["lac", "lac, wide priors"]
    assert len(evidence) == 6
    assert set(tables["constants"].groupby("name").size()) == {6}
    for row in tables["ranges"].to_dict("records"):
        of_all = tables["constants"].query("name == @row['name']")
        assert of_all["lower"].min() <= row["lower"] < row["upper"] <= of_all["upper"].max()
        assert row["widest"] <= row["upper"] - row["lower"] + 1e-6  # of nine digits


@pytest.mark.slow
def test_the_sweep_has_the_columns_that_the_page_speaks_of(ran):
    folder, _ = ran
    table = pd.read_csv(folder / "runs/lac/design/design.tsv", sep="\t")
    assert list(table["reads"]) == [3000, 6000]
    assert table["interaction"].gt(0).all()


def test_the_excerpt_is_that_of_the_spec(repository):
    page_blocks_json = [b.code for b in page_blocks.blocks("docs/lac.md") if b.language == "json"]
    excerpt = json.loads(page_blocks_json[0])
    spec = json.loads((repository / "models/json/lac_thermodynamic.json").read_text())
    assert excerpt == {key: spec[key] for key in excerpt}
    assert set(excerpt) == {"energies", "states", "measurement", "gauge"}


def test_the_rate_laws_of_the_page_are_those_of_the_specs(page, repository):
    for name in ("lac_thermodynamic", "rnap_kinetic"):
        law = rate_laws.rate_law(
            mechanism_spec.load(repository / "models" / "json" / f"{name}.json")
        )
        assert law in page


def test_words_of_the_table_are_words_of_a_spec(page):
    """Each row of the table of further words is a mechanism's."""
    base = {
        "kind": "thermodynamic",
        "name": "x",
        "sequence_length": 8,
        "energies": {"a": {"site": [0, 4]}},
        "states": {"free": {}, "on": {"energies": ["a"], "activity": 1}},
    }
    rows = {
        '"neighbours": true': {"energies": {"a": {"site": [0, 4], "neighbours": True}}},
        '"activities": {"basal": {}}': {
            "activities": {"basal": {}},
            "states": {"free": {"activity": "basal"}, "on": {"energies": ["a"], "activity": 1}},
        },
        '"per_library": true': {
            "libraries": ["x", "y"],
            "energies": {"a": {"site": [0, 4], "per_library": True}},
        },
        '"leave_out": ["0"]': {"measurement": {"kind": "bins", "leave_out": ["0"]}},
        '"value": -2.5': {
            "energies": {"a": {"site": [0, 4]}, "b": {"value": -2.5}},
            "states": {"free": {}, "on": {"energies": ["a", "b", "b"], "activity": 1}},
        },
    }
    one_scale = {"libraries": ["x", "without_crp"], "measurement": {"kind": "gaussian"}}
    rows |= {
        '"value": {"without_crp": 30}': {
            **one_scale,
            "energies": {
                "a": {"site": [0, 4]},
                "b": {"per_library": True, "value": {"without_crp": 30}},
            },
            "states": {
                "free": {},
                "on": {"energies": ["a", "b"], "activity": 1},
                "b": {"energies": ["b"]},
            },
        },
        '"shared": true': {**one_scale, "measurement": {"kind": "gaussian", "shared": True}},
        '"overdispersed": true': {"measurement": {"kind": "bins", "overdispersed": True}},
        '"absolute": true': {"measurement": {"kind": "gaussian", "absolute": True}},
    }
    for words, change in rows.items():
        assert words in page
        mechanism_spec.parse({**base, **change})
