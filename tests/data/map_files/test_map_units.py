import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.data.map_files import map_units


def expected_table(path, values=(9.0, 8.0, 4.0, 2.0, 1.0)):
    rows = [f"chr1\tchr1\t{d}\t{value}" for d, value in enumerate(values)]
    path.write_text("region1\tregion2\tdist\tbalanced.avg\n" + "\n".join(rows) + "\n")
    return str(path)


def test_units_are_functions_of_the_log_ratio(tmp_path):
    log_ratio, sd, distance = (
        np.log([2.0, 0.5, 1.0]),
        np.array([0.1, 0.2, 0.3]),
        np.array([2, 3, 4]),
    )
    table = expected_table(tmp_path / "e.tsv")
    cases = {
        map_units.Scale(): (log_ratio, sd),
        map_units.Scale("oe"): ([2, 0.5, 1], [0.2, 0.1, 0.3]),
        map_units.Scale("observed", table): ([8, 1, 1], [0.8, 0.2, 0.3]),
    }
    for scale, (values, sds) in cases.items():
        unit = scale.of_chromosome("chr1", bins=5, diagonal_offset=2, width=10)
        np.testing.assert_allclose(unit.values(log_ratio, distance), values)
        np.testing.assert_allclose(unit.sds(log_ratio, sd, distance), sds)


def test_only_observed_contacts_are_summed(tmp_path):
    table = expected_table(tmp_path / "e.tsv")
    scales = (map_units.Scale(), map_units.Scale("oe"), map_units.Scale("observed", table))
    assert [scale.is_additive for scale in scales] == [False, False, True]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("log2",), '"log2" is not a unit of maps; choose one of log_oe, oe, observed'),
        (("observed",), "give --unit observed together with --expected TABLE"),
        (("oe", "table.tsv"), "give --unit observed together with --expected TABLE"),
    ],
)
def test_a_unit_without_its_table_is_refused(arguments, message):
    with pytest.raises(errors.DataError, match=message):
        map_units.Scale(*arguments)


def test_a_table_of_another_chromosome_is_refused(tmp_path):
    scale = map_units.Scale("observed", expected_table(tmp_path / "e.tsv"))
    with pytest.raises(errors.DataError, match="has no region of chr2"):
        scale.of_chromosome("chr2", bins=5, diagonal_offset=2, width=10)
