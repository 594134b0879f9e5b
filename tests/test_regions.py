import gzip

import pytest

from akita_bayes import errors, regions

Region = regions.Region


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("chr1:1,000-2,000", Region("chr1", 1000, 2000)),
        (" 11:0-1 ", Region("11", 0, 1)),
        ("HLA-A*01:5-6", Region("HLA-A*01", 5, 6)),
    ],
)
def test_a_region_is_read_with_or_without_commas(text: str, region: regions.Region):
    assert regions.parse(text) == region


@pytest.mark.parametrize("text", ["chr1", "chr1:5", "chr1:5-", "chr1:-5-9", "chr1:a-b", ":1-2", ""])
def test_what_is_no_region_is_refused(text: str):
    with pytest.raises(errors.DataError, match="is no region; write chrom:start-end"):
        regions.parse(text)


@pytest.mark.parametrize("text", ["chr1:5-5", "chr1:9-5"])
def test_an_empty_region_is_refused(text: str):
    with pytest.raises(errors.DataError, match="ends at or before its start"):
        regions.parse(text)


def test_a_region_prints_as_it_is_read():
    region = Region("chr1", 1_000_000, 2_048_576)
    assert str(region) == "chr1:1,000,000-2,048,576"
    assert regions.parse(str(region)) == region
    assert region.width == 1_048_576


@pytest.mark.parametrize(
    ("other", "shared"),
    [
        (Region("chr1", 0, 10), False),
        (Region("chr1", 0, 11), True),
        (Region("chr1", 19, 30), True),
        (Region("chr1", 20, 30), False),
        (Region("chr2", 10, 20), False),
        (Region("chr1", 12, 13), True),
    ],
)
def test_half_open_intervals_that_touch_do_not_overlap(other: regions.Region, shared: bool):
    region = Region("chr1", 10, 20)
    assert region.overlaps(other) is shared
    assert other.overlaps(region) is shared


def test_bed_lines_are_regions_with_their_further_columns(tmp_path):
    path = tmp_path / "x.bed"
    path.write_text("#header\ntrack name=x\n\nchr1\t0\t10\ttrain\t5\nchr2 3 4\n")
    assert list(regions.read_bed(path)) == [
        (Region("chr1", 0, 10), ["train", "5"]),
        (Region("chr2", 3, 4), []),
    ]


@pytest.mark.parametrize("line", ["chr1\t5", "chr1\tx\t9", "chr1\t9\t9", "chr1\t-1\t9"])
def test_a_bad_bed_line_is_named(tmp_path, line: str):
    path = tmp_path / "x.bed"
    path.write_text(f"chr1\t0\t10\n{line}\n")
    with pytest.raises(errors.DataError, match=rf"^{path}, line 2: "):
        list(regions.read_bed(path))
    with pytest.raises(errors.DataError, match="no such BED file"):
        list(regions.read_bed(tmp_path / "absent.bed"))


def test_a_compressed_bed_is_named(tmp_path):
    path = tmp_path / "x.bed.gz"
    path.write_bytes(gzip.compress(b"chr1\t0\t10\n"))
    with pytest.raises(errors.DataError, match=rf"^{path}: not a text file; a compressed BED"):
        list(regions.read_bed(path))
