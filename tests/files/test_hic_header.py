"""A damaged header of a .hic file is refused before hictk, which would compute without end."""

import struct

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.data.contacts import hic_files
from akita_bayes.files import hic_header
from tests import hic_files as written

START = len(b"HIC\0") + 4 + 8 + len(b"test\0")
"""First byte behind the version, the footer's position and the genome's name."""


@pytest.fixture(params=[8, 9])
def hic(request, tmp_path):
    counts = {"chr1": np.ones((50, 50), int)}
    vectors = {"KR": {"chr1": np.ones(50)}}
    path = tmp_path / "map.hic"
    return written.write(path, {"chr1": 1000}, 20, counts, vectors, version=request.param)


def fields(path):
    """Position and layout of each number in the header by its name."""
    version = path.read_bytes()[4]
    first = START + (16 if version == 9 else 0)
    names = len(b"All\0chr1\0") + 2 * (8 if version == 9 else 4)
    return {
        "footer": (8, "<q"),
        "attributes": (first, "<i"),
        "chromosomes": (first + 4, "<i"),
        "resolutions": (first + 8 + names, "<i"),
        "resolutions in fragments": (first + 16 + names, "<i"),
    } | ({"index": (START, "<q")} if version == 9 else {})


def test_a_whole_header_passes(hic):
    hic_header.check(hic)
    assert hic_files.widths(hic) == [20]


@pytest.mark.parametrize("value", [-1, (1 << 28) + 2])
@pytest.mark.parametrize("name", ["footer", "attributes", "chromosomes", "resolutions", "index"])
def test_a_number_that_does_not_fit_into_the_file_is_named(hic, name, value):
    if name not in fields(hic):
        name = "resolutions in fragments"
    position, layout = fields(hic)[name]
    content = bytearray(hic.read_bytes())
    struct.pack_into(layout, content, position, value)
    hic.write_bytes(content)
    with pytest.raises(errors.DataError, match=rf"map\.hic: damaged.*{name}"):
        hic_files.widths(hic)


def matrix_of(path):
    """Position of the bin width in the header of the matrix of chr1."""
    content = path.read_bytes()
    return content.index(struct.pack("<ii", 1, 1) + struct.pack("<i", 1) + b"BP\0") + 12 + 3 + 20


@pytest.mark.parametrize(
    ("field", "message"),
    [(0, "a bin width is 0"), (1, "a width of blocks is 0"), (2, "a number of columns of blocks")],
)
def test_widths_of_zero_are_refused_since_hictk_divides_by_them(hic, field, message):
    content = bytearray(hic.read_bytes())
    struct.pack_into("<i", content, matrix_of(hic) + 4 * field, 0)
    hic.write_bytes(content)
    with pytest.raises(errors.DataError, match=f"damaged.*{message}"):
        hic_files.widths(hic)


def test_a_resolution_of_zero_and_a_matrix_outside_of_the_file_are_refused(hic):
    content = bytearray(hic.read_bytes())
    position, layout = fields(hic)["resolutions"]
    struct.pack_into("<i", content, position + struct.calcsize(layout), 0)
    hic.write_bytes(content)
    with pytest.raises(ValueError, match="a resolution is 0"):
        hic_header.check(hic)
    struct.pack_into("<i", content, position + struct.calcsize(layout), 20)
    key = content.index(b"1_1\0")
    struct.pack_into("<q", content, key + 4, len(content) + 1)
    hic.write_bytes(content)
    with pytest.raises(ValueError, match="a matrix is said to begin at byte"):
        hic_header.check(hic)


def test_every_header_cut_short_is_refused(hic):
    content = hic.read_bytes()
    position, layout = fields(hic)["resolutions in fragments"]
    for end in range(4, position + struct.calcsize(layout)):
        hic.write_bytes(content[:end])
        with pytest.raises(ValueError, match=r"cut short|has no end|footer|index|claims|is 0"):
            hic_header.check(hic)
