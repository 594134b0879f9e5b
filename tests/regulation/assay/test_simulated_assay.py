import dataclasses
import itertools
import json
import math

import numpy as np
import pytest

from akita_bayes import dna, errors
from akita_bayes.mechanisms import declarations, mechanism_spec
from akita_bayes.regulation.assay import assay_files as reader
from akita_bayes.regulation.assay import simulated_assay, simulated_assay_files

WILD = "ACGTACGTAC"


def thermodynamic(measurement="bins", **extra):
    return mechanism_spec.parse(
        {
            "kind": "thermodynamic",
            "name": "toy",
            "sequence_length": 10,
            "wild_type": WILD,
            "energies": {
                "a": {"site": [0, 4], "per_library": bool(extra.get("libraries"))},
                "b": {"site": [5, 10]},
                "ab": {},
            },
            "states": {
                "free": {},
                "a": {"energies": ["a"]},
                "b": {"energies": ["b"], "activity": 1},
                "ab": {"energies": ["a", "b", "ab"], "activity": 1},
            },
            "measurement": {"kind": measurement} if isinstance(measurement, str) else measurement,
            **extra,
        }
    )


def kinetic():
    return mechanism_spec.parse(
        {
            "kind": "kinetic",
            "name": "rnap",
            "sequence_length": 10,
            "wild_type": WILD,
            "species": ["unbound", "closed", "open"],
            "rates": {
                "k1": {"from": "unbound", "to": "closed", "site": [2, 6]},
                "k_1": {"from": "closed", "to": "unbound"},
                "k2": {"from": "closed", "to": "open"},
                "k3": {"from": "open", "to": "unbound", "value": 1.0},
            },
            "product": ["k3"],
            "measurement": {"kind": "bins"},
        }
    )


def test_mutants_differ_and_bases_mutate_at_the_rate_to_each_other_base_alike():
    index = simulated_assay.mutate("ACGT" * 20, 4000, 0.12, seed=1)
    assert len(np.unique(index, axis=0)) == len(index) == 4000
    wild = dna.to_index("ACGT" * 20)
    mutated = index != wild
    assert abs(mutated.mean() - 0.12) < 4 * math.sqrt(0.12 * 0.88 / index.size)
    step = (index[mutated].astype(int) - np.broadcast_to(wild, index.shape)[mutated]) % 4
    shares = np.bincount(step, minlength=4)[1:] / mutated.sum()
    np.testing.assert_allclose(shares, 1 / 3, atol=0.01)


def test_a_short_sequence_has_only_so_many_mutants():
    assert len(simulated_assay.mutate("AC", 100, 0.5)) == 16


def test_activity_of_a_sequence_is_boltzmanns_sum_over_states():
    mechanism = thermodynamic()
    truth = simulated_assay.draw_truth(mechanism, seed=3)
    sequence = "AGGTACCTAT"
    energy = {}
    for name, start in (("a", 0), ("b", 5)):
        energy[name] = truth.constants[name][""]
        for position, row in enumerate(truth.matrices[name]):
            base, wild = sequence[start + position], WILD[start + position]
            energy[name] += row["ACGT".index(base)] - row["ACGT".index(wild)]
    weight = {
        (a, b): math.exp(-a * energy["a"] - b * energy["b"] - a * b * truth.constants["ab"][""])
        for a, b in itertools.product((0, 1), repeat=2)
    }
    expected = (weight[0, 1] + weight[1, 1]) / sum(weight.values())
    activity = simulated_assay.activity(mechanism, truth, dna.to_index(sequence)[None])
    np.testing.assert_allclose(activity, expected, rtol=1e-12)


def test_kinetic_activity_is_the_rate_law_of_transcript_initiation():
    mechanism = kinetic()
    truth = simulated_assay.draw_truth(mechanism, seed=0)
    k1, k_1, k2, k3 = (math.exp(truth.constants[name][""]) for name in ("k1", "k_1", "k2", "k3"))
    assert k3 == 1.0
    matrix = truth.matrices["k1"]
    k1 *= math.exp(-(matrix[1, 0] - matrix[1, 3]))  # base 3: T to A
    expected = k3 * k1 * k2 / (k_1 * k3 + k2 * k3 + k1 * k3 + k1 * k2)
    activity = simulated_assay.activity(mechanism, truth, dna.to_index("ACGAACGTAC")[None])
    np.testing.assert_allclose(activity, expected, rtol=1e-12)


def test_gates_share_the_cells_evenly_and_reads_are_as_ordered():
    rng = np.random.default_rng(0)
    t = np.exp(rng.normal(-3, 1, 3000))
    design = simulated_assay.Design(
        sequences=3000, reads=60_000, bins=5, noise=0.3, contamination=0
    )
    counts, gates = simulated_assay.sort(t, design, rng)
    np.testing.assert_array_equal(counts.sum(0), 10_000)
    assert np.all(np.diff(gates) > 0)
    # Noise blurs but does not bias: the mean log activity of each bin lies between its gates.
    mean = (counts[:, 1:] * np.log(t + design.background)[:, None]).sum(0) / 10_000
    assert np.all(np.diff(mean) > 0)
    assert np.all(mean[1:-1] > gates[:-1] - 0.1)
    assert np.all(mean[1:-1] < gates[1:] + 0.1)
    unsorted = (counts[:, 0] * np.log(t)).sum() / 10_000
    assert abs(unsorted - np.log(t).mean()) < 0.05


def test_without_noise_each_sequence_falls_into_one_bin():
    rng = np.random.default_rng(0)
    t = np.exp(rng.normal(size=500))
    design = simulated_assay.Design(
        sequences=500, bins=4, unsorted=False, noise=1e-6, contamination=0
    )
    counts, _ = simulated_assay.sort(t, design, rng)
    # All cells of a sequence glow alike; only one that lies on a gate falls on both its sides.
    assert ((counts > 0).sum(1) > 1).sum() <= 3
    assert (counts.sum(1) > 0).sum() > 490


def test_contamination_puts_reads_of_any_bin_into_each():
    t = np.exp(np.linspace(-3, 3, 400))
    design = simulated_assay.Design(
        sequences=400, reads=400_000, bins=4, unsorted=False, noise=1e-3
    )
    counts, _ = simulated_assay.sort(t, design, np.random.default_rng(0))
    wrong = counts[:90, 1:].sum() / counts[:90].sum()
    np.testing.assert_allclose(wrong, 0.02 * 3 / 4, rtol=0.1)


@pytest.mark.parametrize("libraries", [[], ["low", "high"]])
def test_what_is_written_is_what_is_read(tmp_path, libraries):
    mechanism = thermodynamic(libraries=libraries)
    design = simulated_assay.Design(sequences=300, reads=3000, bins=3)
    simulated = simulated_assay.simulate(mechanism, design, seed=4)
    simulated_assay_files.write(simulated, mechanism, design, tmp_path / "out")
    table = reader.read(tmp_path / "out")
    assert table.names == simulated.table.names
    for mine, read in zip(simulated.table.libraries, table.libraries, strict=True):
        assert read.columns == mine.columns
        order = {sequence: row for row, sequence in enumerate(read.sequences)}
        rows = [order[sequence] for sequence in mine.sequences]
        np.testing.assert_array_equal(read.observed[rows], mine.observed)
    truth = json.loads((tmp_path / "out" / "truth.json").read_text())
    assert truth["constants"]["ab"] == simulated.truth.constants["ab"]
    assert mechanism_spec.load(tmp_path / "out" / "params.json") == mechanism


def test_libraries_have_their_own_potentials_and_share_the_rest():
    truth = simulated_assay.draw_truth(thermodynamic(libraries=["low", "high"]), seed=0)
    assert truth.constants["a"]["low"] != truth.constants["a"]["high"]
    assert truth.constants["b"]["low"] == truth.constants["b"]["high"]


def test_a_spec_with_a_truth_is_simulated_from_it():
    matrix = [[0, 1, 2, 3]] * 4
    mechanism = thermodynamic(truth={"a": {"matrix": matrix, "constant": -2.5}})
    truth = simulated_assay.draw_truth(mechanism, seed=0)
    np.testing.assert_allclose(truth.matrices["a"], [[-1.5, -0.5, 0.5, 1.5]] * 4)
    assert truth.constants["a"] == {"": -2.5}


def test_a_matrix_drawn_from_the_prior_prefers_the_wild_type():
    truth = simulated_assay.draw_truth(thermodynamic(), seed=1)
    best = truth.matrices["b"].argmin(1)
    np.testing.assert_array_equal(best, dna.to_index(WILD)[5:10])


@pytest.mark.parametrize("kind", ["gaussian", "skewed", "poisson"])
def test_read_outs_follow_the_activity_with_the_stated_noise(kind):
    design = simulated_assay.Design(sequences=3000, reads=3_000_000, noise=0.2, background=0.0)
    t = np.exp(np.random.default_rng(0).normal(-2, 1, 3000))
    declared = declarations.Measurement(kind=kind)
    y = simulated_assay.read_out(t, declared, design, np.random.default_rng(1))
    if kind == "poisson":
        mean = design.reads * t / t.sum()
        z = (y - mean) / np.sqrt(mean)
        assert abs(z.std() - 1) < 0.05
        return
    residual = (y - np.log(t)) / design.noise
    above, below = residual[residual > 0], residual[residual < 0]
    assert abs(np.sqrt((above**2).mean()) / (2 if kind == "skewed" else 1) - 1) < 0.06
    assert abs(np.sqrt((below**2).mean()) / (0.5 if kind == "skewed" else 1) - 1) < 0.06
    assert abs(len(above) / len(residual) - (0.8 if kind == "skewed" else 0.5)) < 0.03


@pytest.mark.parametrize("kind", ["gaussian", "skewed"])
def test_a_read_out_is_a_logarithm_of_the_declared_base(kind):
    design = simulated_assay.Design(sequences=200, noise=0.3)
    simulations = {
        base: simulated_assay.simulate(
            thermodynamic({"kind": kind} if base is None else {"kind": kind, "log_base": base}),
            design,
            seed=5,
        )
        for base in (None, "e", 2, 10)
    }
    natural = simulations["e"].table.libraries[0].observed
    for base, unit in ((None, 1.0), (2, math.log(2)), (10, math.log(10))):
        observed = simulations[base].table.libraries[0].observed
        np.testing.assert_allclose(observed * unit, natural, rtol=1e-12)
        weights = simulations[base].weights[""]
        assert weights["log_sd"] == pytest.approx(math.log(0.3 / unit))
        assert weights["log_background"] == pytest.approx(math.log(1e-3))
        assert weights.get("log_slope") == (0.0 if base is None else None)


def test_the_weights_of_a_read_out_are_written_beside_it(tmp_path):
    mechanism = thermodynamic({"kind": "skewed", "log_base": 2})
    design = simulated_assay.Design(sequences=50, noise=0.3, background=0.0)
    simulated = simulated_assay.simulate(mechanism, design)
    simulated_assay_files.write(simulated, mechanism, design, tmp_path / "out")
    truth = json.loads((tmp_path / "out" / "truth.json").read_text())
    expected = {"offset": 0.0, "log_sd": math.log(0.3 / math.log(2)), "log_skew": math.log(2)}
    assert truth["measurement"][""] == pytest.approx(expected, rel=1e-12)


def test_bins_are_simulated_only_as_a_fit_can_take_them():
    """Of monotone bins the first would be the unsorted sample, whose signal has no order."""
    design = simulated_assay.Design(sequences=100, reads=1000, bins=3)
    ordered = {"kind": "monotone_bins"}
    with pytest.raises(errors.SpecError, match=r'"monotone_bins" takes .* bin 0, the unsorted'):
        simulated_assay.simulate(thermodynamic(ordered), design)
    for declared, unsorted in (({**ordered, "leave_out": ["0"]}, True), (ordered, False)):
        changed = dataclasses.replace(design, unsorted=unsorted)
        simulated = simulated_assay.simulate(thermodynamic(declared), changed)
        assert simulated.table.libraries[0].columns == ("0", "1", "2", "3")[not unsorted :]
    absent = thermodynamic({"kind": "bins", "leave_out": ["4"]})
    message = (
        r'^measurement\.leave_out: the experiment has no bin "4"; its bins are 0 to 3\. Change'
    )
    with pytest.raises(errors.SpecError, match=message):
        simulated_assay.simulate(absent, design)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path):
    mechanism, design = thermodynamic(), simulated_assay.Design(sequences=200, reads=2000, bins=2)
    for name, seed in (("one", 7), ("two", 7), ("three", 8)):
        simulated_assay_files.write(
            simulated_assay.simulate(mechanism, design, seed=seed),
            mechanism,
            design,
            tmp_path / name,
        )
    first, repeated, different = (
        (tmp_path / name / "bin_1.txt.gz").read_bytes() for name in ("one", "two", "three")
    )
    assert first == repeated != different


def test_what_cannot_be_simulated_says_why():
    with pytest.raises(errors.DataError, match=r"mutation rate: 0\.9 is out of range"):
        simulated_assay.Design(mutation_rate=0.9)
    with pytest.raises(errors.SpecError, match="wild_type: is missing"):
        simulated_assay.simulate(thermodynamic(wild_type=None))
    spec = thermodynamic(truth={"ab": {"constant": -3.0}}).model_dump(mode="json")
    spec["energies"]["ab"]["value"] = -2.0
    message = r"^truth\.ab\.constant: ab has a value, which is simulated; drop one of them\.$"
    with pytest.raises(errors.SpecError, match=message):
        simulated_assay.simulate(mechanism_spec.parse(spec))
    with pytest.raises(errors.SpecError, match=r"truth\.aa: no term.*Did you mean"):
        thermodynamic(truth={"aa": {"constant": 1}})
    with pytest.raises(errors.SpecError, match=r"truth\.a\.matrix: has 1 positions, .* has 4"):
        thermodynamic(truth={"a": {"matrix": [[0, 0, 0, 0]]}})


@pytest.mark.parametrize("name", ["reads", "noise", "background", "sequences", "cells"])
def test_an_experiment_is_of_finite_numbers(name):
    with pytest.raises(errors.DataError, match=f"^{name}: inf is out of range; give .* to [^i]*$"):
        simulated_assay.Design(**{name: math.inf})


def test_a_truth_beyond_numbers_is_refused():
    spec = thermodynamic().model_dump(mode="json")
    spec["activities"], spec["states"]["ab"]["activity"] = {"on": {}}, "on"
    spec["truth"] = {"on": {"constant": 1000.0}}
    with pytest.raises(errors.SpecError, match=r"^truth: the activities are not finite"):
        simulated_assay.simulate(
            mechanism_spec.parse(spec), simulated_assay.Design(sequences=20, reads=100)
        )


def test_reads_of_one_molecule_share_its_bin():
    t = np.exp(np.linspace(-3, 3, 2000))

    def of_the_same_sequence(copies):
        design = simulated_assay.Design(
            sequences=2000, reads=6000, bins=5, unsorted=False, noise=2.0, copies=copies
        )
        counts, _ = simulated_assay.sort(t, design, np.random.default_rng(0))
        pairs = counts.sum(1) * (counts.sum(1) - 1)
        return counts.sum(), (counts * (counts - 1)).sum() / pairs.sum()

    reads, alone = of_the_same_sequence(1.0)
    amplified, copied = of_the_same_sequence(4.0)
    assert reads == 6000
    assert amplified == pytest.approx(6000, rel=0.1)
    # One molecule in four reads: of the reads beside a read, about three are its copies.
    assert alone < 0.5
    assert copied > 0.65
