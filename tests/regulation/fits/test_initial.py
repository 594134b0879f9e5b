"""What has no beginning: data that say nothing, and mechanisms that read nothing."""

import dataclasses

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.assay import assay_table
from akita_bayes.regulation.fits import initial
from akita_bayes.regulation.model import parameters

ROWS = 60
INDEX = np.random.default_rng(0).integers(0, 4, (ROWS, 10)).astype(np.uint8)
NOISE = np.random.default_rng(1).normal(size=ROWS)


def table(observed, column="value"):
    columns = (column,) if observed.ndim == 1 else tuple(map(str, range(observed.shape[1])))
    observed = observed.reshape(ROWS, -1).astype(float)
    return assay_table.Table((assay_table.Library("", INDEX, observed, columns, np.ones(ROWS)),))


ALIKE = "the table: the measurement is the same for all 60 sequences"
SAY_NOTHING = [
    ("gaussian", table(np.full(ROWS, 3.0)), ALIKE),
    ("gaussian", table(np.full(ROWS, 0.1)), ALIKE),
    ("skewed", table(np.full(ROWS, 7.0), "count"), ALIKE),
    ("poisson", table(np.zeros(ROWS), "count"), ALIKE),
    ("poisson", table(np.full(ROWS, 7.0), "count"), ALIKE),
    ("bins", table(np.tile([1.0, 2.0], (ROWS, 1))), ALIKE),
    (
        "poisson",
        table(-np.arange(ROWS)),
        'value -1 is not a count, but .* "poisson"; declare another',
    ),
    ("poisson", table(np.abs(NOISE)), "value 0.345584 is not a count"),
]


@pytest.mark.parametrize(("kind", "data", "message"), SAY_NOTHING)
def test_measurements_that_say_nothing_are_refused(two_sites, kind, data, message):
    layout = parameters.Parameters.of(two_sites(measurement={"kind": kind}), data)
    with pytest.raises(errors.DataError, match=message):
        initial.additive(layout, data)


def test_the_least_difference_is_enough(two_sites):
    observed = np.full(ROWS, 0.1)
    observed[0] += 1e-9
    layout = parameters.Parameters.of(two_sites(measurement={"kind": "gaussian"}), table(observed))
    assert set(initial.additive(layout, table(observed))) == {"a", "b"}


def test_a_mechanism_without_a_site_is_not_fitted(two_sites):
    spec = two_sites(measurement={"kind": "gaussian"}).model_dump(mode="json", by_alias=True)
    for term in spec["energies"].values():
        term["site"] = None
    spec.pop("truth")
    layout = parameters.Parameters.of(mechanism_spec.parse(spec), table(NOISE))
    with pytest.raises(errors.SpecError, match="two_sites: no term has a site"):
        initial.additive(layout, table(NOISE))


def test_a_library_that_says_nothing_is_named_among_others(two_sites):
    (informative,), (silent,) = table(NOISE).libraries, table(np.ones(ROWS)).libraries
    both = assay_table.Table(
        (dataclasses.replace(informative, name="told"), dataclasses.replace(silent, name="silent"))
    )
    layout = parameters.Parameters.of(two_sites(measurement={"kind": "gaussian"}), both)
    with pytest.raises(errors.DataError, match='library "silent": the measurement is the same'):
        initial.additive(layout, both)
