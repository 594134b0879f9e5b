"""Figures become files under their names."""

import matplotlib.figure
import matplotlib.image

from akita_bayes.plots import figure_files


def test_each_figure_becomes_a_file_of_its_size(tmp_path):
    figures = {"a": matplotlib.figure.Figure((2, 1)), "b": matplotlib.figure.Figure((1, 1))}
    figure_files.write(figures, tmp_path / "new" / "folder", dpi=50)
    written = {
        path.name: matplotlib.image.imread(path).shape[:2]
        for path in (tmp_path / "new" / "folder").iterdir()
    }
    assert written == {"a.png": (50, 100), "b.png": (50, 50)}


def test_all_figures_are_written_here(repository):
    folder = repository / "akita_bayes" / "plots"
    writers = [path.name for path in folder.rglob("*.py") if ".savefig(" in path.read_text()]
    assert writers == ["figure_files.py"]
