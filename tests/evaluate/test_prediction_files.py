"""One call of the library writes what `akita_predict.py` writes."""

import json

import h5py
import numpy as np
import pytest

from akita_bayes import errors, files
from akita_bayes.cli import akita_predict
from akita_bayes.data import genome
from akita_bayes.evaluate import map_outputs, prediction_files
from akita_bayes.models import build, load, zoo
from tests import outputs, tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("predict")
    (folder / "params.json").write_text(json.dumps(tiny.spec_json()))
    build.build(zoo.parse_spec(tiny.spec_json())).save(folder / "model.keras")
    letters = "".join(np.random.default_rng(0).choice(list("ACGT"), 1000))
    genome.write_fasta(folder / "genome.fa", {"chr1": letters})
    (folder / "regions.bed").write_text("chr1\t64\t320\nchr1\t300\t700\n")
    (folder / "targets.txt").write_text("\tidentifier\tfile\n0\tHFF/1\ta.cool\n1\tGM\tb.cool\n")
    return folder


def model_of(folder):
    return load.load_model((folder / "params.json", folder / "model.keras"))


def test_regions_are_written_as_by_the_command(folder, tmp_path):
    paths = [str(folder / name) for name in ("params.json", "model.keras", "regions.bed")]
    fasta = str(folder / "genome.fa")
    line = [*paths, "-f", fasta, "-o", str(tmp_path / "command"), "--rc", "--shifts", "0,3"]
    assert akita_predict.main([*line, "--cool", "-t", str(folder / "targets.txt")]) == 0
    written = prediction_files.predict_regions(
        model_of(folder),
        paths[2],
        fasta=fasta,
        out_dir=tmp_path / "library",
        coolers=map_outputs.Coolers(table=folder / "targets.txt"),
        attributes={"model": paths[1], "params_sha256": files.digest(paths[0])},
        targets={"hic": ["HFF/1", "GM"]},
        rc=True,
        shifts=(0, 3),
    )
    assert written.windows == 5
    assert [path.name for path in written.coolers["hic"]] == ["HFF%2F1.cool", "GM.cool"]
    command, library = (outputs.contents(tmp_path / name) for name in ("command", "library"))
    assert command["predict.h5"] == library["predict.h5"]
    assert command.keys() == library.keys()
    for path in written.coolers["hic"]:
        with (
            h5py.File(path) as own_file,
            h5py.File(tmp_path / "command" / path.name) as command_file,
        ):
            for name in ("bin1_id", "bin2_id", "count"):
                np.testing.assert_array_equal(
                    own_file["pixels"][name], command_file["pixels"][name]
                )


def test_a_split_is_written_as_by_the_command(folder, tmp_path):
    data = tiny.write_data(tmp_path / "data")
    paths = [str(folder / "params.json"), str(folder / "model.keras"), str(data)]
    assert akita_predict.main([*paths, "-o", str(tmp_path / "command"), "--rc"]) == 0
    written = prediction_files.predict_split(
        model_of(folder), data, out_dir=tmp_path / "library", rc=True
    )
    assert written.windows == 7
    command, library = (outputs.contents(tmp_path / name) for name in ("command", "library"))
    assert command == library


def test_draws_are_of_one_view():
    with pytest.raises(errors.SpecError, match="cannot be combined with --rc or --shifts"):
        prediction_files.PredictionSettings(draws=2, rc=True)
    with pytest.raises(TypeError, match=r'"strides" is not a keyword .*Did you mean "stride"'):
        prediction_files.predict_split(None, "data", out_dir="out", strides=3)
