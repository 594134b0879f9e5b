"""The journeys of docs/architecture.md: a small run passes through their steps, in their order."""

import json
import os
import re
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import akita_bayes as ab
from akita_bayes import regulation
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.models import build, zoo
from akita_bayes.regulation.assay import simulated_assay, simulated_assay_files
from akita_bayes.variants.scored_files import score_directory
from tests import tiny

PACKAGE = Path(ab.__file__).parent
MECHANISM = {
    "kind": "thermodynamic",
    "name": "toy",
    "sequence_length": 8,
    "wild_type": "ACGTACGT",
    "energies": {"a": {"site": [0, 4]}},
    "states": {
        "off": {"energies": [], "activity": 0},
        "on": {"energies": ["a"], "activity": 1},
    },
    "measurement": {"kind": "gaussian"},
}


def journeys(page: str) -> dict[str, list[tuple[str, str]]]:
    """Returns the steps of every journey of the page by the journey's title."""
    section = page.split("## Journeys")[1].split("\n## ")[0]
    titles = re.split(r"^### ", section, flags=re.MULTILINE)[1:]
    return {
        title.split("\n")[0]: re.findall(r"^\d+\. `([\w.]+)` -> `(\w+)`", title, re.MULTILINE)
        for title in titles
    }


def room(step: str) -> str:
    """Returns the folder of a step's module."""
    parts = step.split(".")
    for size in range(len(parts), 0, -1):
        if PACKAGE.joinpath(*parts[:size]).with_suffix(".py").is_file():
            return ".".join(parts[: size - 1])
    raise AssertionError(f"{step} is not a function of the package")


def traced(run) -> list[tuple[str, str]]:
    """Runs a function; returns what every function of the package gave, in the order of returns."""
    returned: list[tuple[str, str]] = []
    package = f"{PACKAGE}{os.sep}"

    def note(frame, event, value):
        # TensorFlow returns from millions of functions, so the common case comes first.
        if event != "return" or not frame.f_code.co_filename.startswith(package):
            return
        if value is not None:
            path = Path(frame.f_code.co_filename).relative_to(PACKAGE)
            module = ".".join(path.with_suffix("").parts)
            returned.append((f"{module}.{frame.f_code.co_qualname}", type(value).__name__))

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return returned


def train(folder: Path) -> None:
    data = tiny.write_data(folder / "data")
    params = folder / "params.json"
    params.write_text(json.dumps(tiny.spec_json(train_epochs_max=1)), encoding="utf-8")
    ab.fit(ab.load_spec(params), data, out_dir=folder / "run", seed=1, tensorboard=False)


def score(folder: Path) -> None:
    bases = np.random.default_rng(0).choice(list("ACGT"), 4096)
    (folder / "genome.fa").write_text(f">chr1\n{''.join(bases)}\n", encoding="utf-8")
    alt = "A" if bases[1999] != "A" else "C"
    lines = ("##fileformat=VCFv4.2", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO")
    rows = (
        f"chr1\t2000\tsnv\t{bases[1999]}\t{alt}",
        f"chr1\t2100\tdel\t{''.join(bases[2099:2110])}",
    )
    text = "\n".join([*lines, f"{rows[0]}\t.\t.\t.", f"{rows[1]}\t{bases[2099]}\t.\t.\t.", ""])
    (folder / "variants.vcf").write_text(text, encoding="utf-8")
    model = build.build(zoo.parse_spec(tiny.spec_json()))
    score_directory.score_file(
        model,
        folder / "variants.vcf",
        fasta=folder / "genome.fa",
        out_dir=folder / "scd",
    )


def sample(folder: Path) -> None:
    spec = folder / "toy.json"
    spec.write_text(json.dumps(MECHANISM), encoding="utf-8")
    design = simulated_assay.Design(sequences=200, mutation_rate=0.3)
    mechanism = mechanism_spec.load(spec)
    simulated = simulated_assay.simulate(mechanism, design, seed=1)
    simulated_assay_files.write(simulated, mechanism, design, folder / "data")
    regulation.sample_posterior(
        spec,
        folder / "data",
        seed=1,
        starts=1,
        optima=1,
        chains=2,
        burn_in=6,
        most_draws=5,
        replicates=0,
    )


RUNS = {
    "From parameters and records to a run directory": train,
    "From variants to a table": score,
    "From reads to a posterior": sample,
}


@pytest.fixture(scope="module")
def listed(repository):
    return journeys((repository / "docs" / "architecture.md").read_text(encoding="utf-8"))


def test_every_journey_of_the_page_is_walked(listed):
    assert set(listed) == set(RUNS)
    assert min(map(len, listed.values())) >= 5


@pytest.mark.parametrize("title", RUNS)
def test_no_step_goes_back_to_an_earlier_room(listed, title):
    rooms = [room(step) for step, _ in listed[title]]
    entered = [name for number, name in enumerate(rooms) if not number or rooms[number - 1] != name]
    assert len(entered) == len(set(entered)), entered


@pytest.mark.parametrize(
    "title",
    [
        pytest.param(title, marks=pytest.mark.slow) if RUNS[title] is sample else title
        for title in RUNS
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_run_takes_the_steps_of_the_page_in_their_order(listed, title, tmp_path):
    returned = traced(lambda: RUNS[title](tmp_path))
    first: dict[tuple[str, str], int] = {}
    for number, step in enumerate(returned):
        first.setdefault(step, number)
    assert [step for step in listed[title] if step not in first] == []
    order = [first[step] for step in listed[title]]
    assert order == sorted(order)
