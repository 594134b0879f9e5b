"""Which weights of a cooler are used, and in which direction."""

import cooler
import h5py
import numpy as np
import pytest

from akita_bayes import errors, regions
from akita_bayes.data.contacts import balancing
from tests import coolers as world

REGION = regions.Region("chr1", 2000, 12_000)
ROWS = slice(10, 60)
VECTOR = np.random.default_rng(7).uniform(0.5, 2.0, 330)
VECTOR[[20, 30]] = np.nan, 0.0


@pytest.fixture
def path(tmp_path):
    """A cooler with a column KR instead of its weights."""
    path = world.write(tmp_path / "a.cool")
    with h5py.File(path, "r+") as file:
        del file["bins/weight"]
        file["bins/KR"] = VECTOR
    return path


def generated_by(path, program):
    with h5py.File(path, "r+") as file:
        file.attrs["generated-by"] = program


def inverse():
    return (1 / np.where(VECTOR == 0, np.nan, VECTOR))[ROWS]


def test_vectors_of_hic2cool_divide_since_its_version_0_5(path, caplog):
    generated_by(path, "hic2cool-0.8.3")
    with caplog.at_level("INFO"):
        opened = world.contacts(path, weight="KR")
    assert "was written by hic2cool-0.8.3, whose column KR divides counts" in caplog.text
    np.testing.assert_array_equal(opened.weights(REGION), inverse())
    balanced, counts = opened.maps(REGION)
    expected = counts * np.outer(inverse(), inverse())
    np.testing.assert_allclose(balanced, expected, rtol=1e-12)
    generated_by(path, "hic2cool-0.4.2")
    with h5py.File(path, "r+") as file:
        file["bins/KR"][30] = 1.0
    opened = world.contacts(path, weight="KR")
    multiplied = np.where(np.arange(330) == 30, 1.0, VECTOR)[ROWS]
    np.testing.assert_array_equal(opened.weights(REGION), multiplied)


def test_an_attribute_or_an_option_says_that_weights_divide(path):
    with pytest.raises(errors.DataError, match=r'whether its column "KR" divides or multiplies'):
        world.contacts(path, weight="KR")
    opened = world.contacts(path, weight="KR", divisive=True)
    np.testing.assert_array_equal(opened.weights(REGION), inverse())
    with h5py.File(path, "r+") as file:
        file["bins/KR"].attrs["divisive_weights"] = True
    np.testing.assert_array_equal(world.contacts(path, weight="KR").weights(REGION), inverse())
    generated_by(path, "hic2cool-0.4.2")
    np.testing.assert_array_equal(world.contacts(path, weight="KR").weights(REGION), inverse())


def test_a_column_is_chosen_by_its_name(path):
    with pytest.raises(
        errors.DataError, match=r'no weights "weight", only KR; name one with --weight, or NONE'
    ):
        world.contacts(path)
    with pytest.raises(errors.DataError, match=r'no weights "VC", only KR'):
        world.contacts(path, weight="VC")
    raw = world.contacts(path, weight="NONE")
    np.testing.assert_array_equal(raw.weights(REGION), np.ones(50))
    balanced, counts = raw.maps(REGION)
    np.testing.assert_array_equal(balanced, counts)
    with h5py.File(path, "r+") as file:
        file["bins/other"] = np.full(330, 0.5)
    opened = world.contacts(path, weight="other")
    np.testing.assert_array_equal(opened.weights(REGION), np.full(50, 0.5))


@pytest.mark.filterwarnings("ignore:Iteration limit reached")
def test_weights_are_computed_as_cooler_does_and_the_file_stays_as_it_is(tmp_path, caplog):
    sizes = {"chr1": 40_000, "chr2": 24_000}
    path = world.write(tmp_path / "a.cool", sizes=sizes)
    with h5py.File(path, "r+") as file:
        del file["bins/weight"]
    with pytest.raises(
        errors.DataError, match=r"no balancing weights; run `cooler balance .* or give --balance"
    ):
        world.contacts(path, sizes)
    content = path.read_bytes()
    with caplog.at_level("INFO"):
        opened = world.contacts(path, sizes, balance=True)
        weights = opened.weights(REGION)
        opened.inspect()
    assert "has no balancing weights; computing them for this run" in caplog.text
    assert path.read_bytes() == content
    folder = tmp_path / "work"
    folder.mkdir()
    stored = balancing.computed(str(path), folder)
    (saved,) = folder.iterdir()
    np.testing.assert_array_equal(np.load(saved), stored)
    saved.write_bytes(b"")
    np.save(saved, np.full(320, 0.25))
    assert balancing.computed(str(path), folder)[0] == 0.25
    copy = tmp_path / "b.cool"
    copy.write_bytes(content)
    cooler.balance_cooler(cooler.Cooler(str(copy)), store=True)
    expected = cooler.Cooler(str(copy)).bins()["weight"][:].to_numpy()
    np.testing.assert_array_equal(weights, expected[ROWS])
    np.testing.assert_array_equal(stored, expected)
    balanced, counts = opened.maps(REGION)
    np.testing.assert_allclose(balanced, counts * np.outer(weights, weights), rtol=1e-12)
    # A cooler with weights keeps them.
    np.testing.assert_array_equal(
        world.contacts(copy, sizes, balance=True).weights(REGION), expected[ROWS]
    )


def test_a_map_without_contacts_cannot_be_balanced(tmp_path):
    sizes = {"chr1": 4000}
    path = world.write(tmp_path / "a.cool", sizes=sizes, depth=0.2)
    with h5py.File(path, "r+") as file:
        del file["bins/weight"]
    with pytest.raises(errors.DataError, match="no bin has enough contacts to be balanced"):
        world.contacts(path, sizes, balance=True).weights(regions.Region("chr1", 0, 4000))
