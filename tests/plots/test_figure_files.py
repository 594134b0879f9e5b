"""Figures become files under their names."""

import importlib
from pathlib import Path

import matplotlib.figure
import matplotlib.image
import pytest

from akita_bayes.cli import all_commands
from akita_bayes.plots import figure_files

WITH_FIGURES = (
    *("akita_calibrate", "akita_data", "akita_demo", "akita_predict", "akita_sat", "akita_scd"),
    *("akita_test", "akita_train"),
    *("mpra_compare", "mpra_fit", "mpra_posterior", "mpra_predict", "mpra_simulate"),
)


def test_each_figure_becomes_a_file_of_its_size(tmp_path):
    figures = {"a": matplotlib.figure.Figure((2, 1)), "b": matplotlib.figure.Figure((1, 1))}
    figure_files.write(figures, tmp_path / "new" / "folder", dpi=50)
    written = {
        path.name: matplotlib.image.imread(path).shape[:2]
        for path in (tmp_path / "new" / "folder").iterdir()
    }
    assert written == {"a.png": (50, 100), "b.png": (50, 50)}


@pytest.mark.parametrize(("ending", "first"), [("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_another_format_is_written_and_equal_figures_are_equal_files(tmp_path, ending, first):
    for folder in ("a", "b"):
        figure = matplotlib.figure.Figure((2, 1))
        figure.subplots().plot([0, 1], label="x")
        with figure_files.in_format(ending):
            figure_files.write({"line": figure}, tmp_path / folder)
            assert figure_files.file_name("line") == f"line.{ending}"
    contents = [(tmp_path / folder / f"line.{ending}").read_bytes() for folder in ("a", "b")]
    assert contents[0].startswith(first)
    assert contents[0] == contents[1]
    assert figure_files.paths(tmp_path / "a", "l*") == [tmp_path / "a" / f"line.{ending}"]
    assert figure_files.file_name("line") == "line.png"


def test_commands_that_write_figures_offer_all_formats():
    for name in WITH_FIGURES:
        parser = importlib.import_module(f"akita_bayes.cli.{name}")._parser()
        (action,) = [a for a in parser._actions if "--format" in a.option_strings]
        assert action.choices == figure_files.FORMATS, name
    folder = Path(figure_files.__file__).parents[1] / "cli"
    without_figures = set(all_commands.names()) - set(WITH_FIGURES)
    for name in without_figures:
        text = (folder / f"{name}.py").read_text(encoding="utf-8")
        assert "_plots" not in text, name
        assert "reports import" not in text, name


def test_all_figures_are_written_here(repository):
    folder = repository / "akita_bayes"
    writers = [path.name for path in folder.rglob("*.py") if ".savefig(" in path.read_text()]
    assert writers == ["figure_files.py"]
