"""The first answers need neither TensorFlow Probability nor cooltools, not even installed."""

import os
import subprocess
import sys

PROGRAM = """
import importlib.metadata, sys
from pathlib import Path

BLOCKED = ("tensorflow_probability", "tf_keras", "cooltools")

sys.modules.update(dict.fromkeys(BLOCKED))  # an import of None is that of a missing module
version = importlib.metadata.version

def without(name):
    if name == "tensorflow-probability":
        raise importlib.metadata.PackageNotFoundError(name)
    return version(name)

importlib.metadata.version = without

import numpy as np
import akita_bayes as ab
from akita_bayes.data import genome
from tests import tiny

folder = Path(sys.argv[1])
data = tiny.write_data(folder / "data", train=4, valid=4, test=4)
raw = tiny.spec_json(train_epochs_max=1)
run = folder / "run"
from akita_bayes.models import zoo
ab.fit(zoo.parse_spec(raw), data, out_dir=run, devices="cpu", tensorboard=False)
model = ab.load_model(run)
assert np.isfinite(ab.predict(model, tiny.one_hot(2))).all()
letters = "".join(np.random.default_rng(0).choice(list("ACGT"), 1000))
genome.write_fasta(folder / "genome.fa", {"chr1": letters})
maps = ab.predict_variant(model, "chr1:500-520:DEL", fasta=folder / "genome.fa")
assert np.isfinite(maps.difference).any()
raw["model"]["head_hic"].insert(0, {"name": "normal_latent", "units": 3})
try:
    ab.build(zoo.parse_spec(raw | {"train": raw["train"] | {"loss": "elbo"}}))
except ValueError as error:
    assert 'pip install "tensorflow-probability[tf]"' in str(error), error
else:
    raise AssertionError("a posterior was built without its library")

from akita_bayes.cli import akita_data, akita_predict
from tests import coolers
world = coolers.world(folder / "world")
coolers.make(world, "checked")
assert akita_data.main(["--check", str(world / "checked")]) == 0
arguments = [str(run), "chr1:0-500", "-f", str(folder / "genome.fa"), "--cool", "--features"]
assert akita_predict.main([*arguments, "-o", str(folder / "features")]) == 2
assert not any(sys.modules[name] for name in BLOCKED)
"""


def test_training_prediction_and_variants_without_the_library(tmp_path, repository):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=900,
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
    )
    assert done.returncode == 0, done.stderr
    assert "not compared: cooltools is not installed" in " ".join(done.stdout.split())
    assert "--features needs the package cooltools; install it by pip install" in done.stderr
    provenance = (tmp_path / "run" / "provenance.json").read_text(encoding="utf-8")
    assert '"tensorflow-probability": "not installed"' in provenance
