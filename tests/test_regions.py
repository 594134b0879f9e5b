import gzip
import os

import cooler.util
import pytest

from akita_bayes import errors, regions

Region = regions.Region


def bgzipped(content: bytes) -> bytes:
    """Several members and an empty last one, as bgzip writes them."""
    parts = (content[start : start + 1000] for start in range(0, len(content), 1000))
    return b"".join(map(gzip.compress, [*parts, b""]))


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("chr1:1,000-2,000", Region("chr1", 1000, 2000)),
        (" 11:0-1 ", Region("11", 0, 1)),
        ("HLA-A*01:5-6", Region("HLA-A*01", 5, 6)),
        ("HLA-A*01:01:01:01:8,000-10000", Region("HLA-A*01:01:01:01", 8000, 10000)),
        ("chr1:1-100:5-6", Region("chr1:1-100", 5, 6)),
    ],
)
def test_a_region_is_read_with_or_without_commas(text: str, region: regions.Region):
    assert regions.parse(text) == region


def test_a_region_is_what_cooler_reads():
    text = "chr1:1,000-2,000"
    assert tuple(regions.parse(text)) == cooler.util.parse_region_string(text)


@pytest.mark.parametrize(
    "text",
    ["chr1", "chr1:5", "chr1:5-", "chr1:-5-9", "chr1:a-b", "chr1:,-5", "chr1:1-,", ":1-2", ""],
)
def test_what_is_no_region_is_refused(text: str):
    with pytest.raises(errors.DataError, match="is not a region; expected chrom:start-end"):
        regions.parse(text)


@pytest.mark.parametrize("text", ["chr1:5-5", "chr1:9-5"])
def test_an_empty_region_is_refused(text: str):
    with pytest.raises(errors.DataError, match="ends at or before its start"):
        regions.parse(text)


GENOME = {"chr1": 500, "2": 50, "HLA-A*01:01:01:01": 90, "scaffold:1-100": 70, "chrUn:7": 30}


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("chr1:5-9", Region("chr1", 5, 9)),
        (" 1:5-9 ", Region("chr1", 5, 9)),
        ("chr2", Region("2", 0, 50)),
        ("HLA-A*01:01:01:01", Region("HLA-A*01:01:01:01", 0, 90)),
        ("HLA-A*01:01:01:01:5-9", Region("HLA-A*01:01:01:01", 5, 9)),
        ("scaffold:1-100", Region("scaffold:1-100", 0, 70)),
        ("scaffold:1-100:5-9", Region("scaffold:1-100", 5, 9)),
        ("chrUn:7", Region("chrUn:7", 0, 30)),
        ("chrUn:7:1-2", Region("chrUn:7", 1, 2)),
    ],
)
def test_a_region_in_the_names_of_a_genome(text, region):
    assert regions.parse_in(text, GENOME) == region


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("chr1:5", r'"chr1:5" is not a region; expected chrom:start-end, as chr1:1,000-2,000\.$'),
        ("chr1:9-5", r'"chr1:9-5" ends at or before its start; expected chrom:start-end\.$'),
        ("chr9:5-9", r'"chr9:5-9": the genome has no chromosome "chr9"\. Did you mean "chr1"\?$'),
        ("HLA-A*01:01:01", r'"HLA-A\*01:01:01" is not a region; expected'),
    ],
)
def test_a_region_that_a_genome_lacks_is_refused(text, reason):
    with pytest.raises(errors.DataError, match=reason):
        regions.parse_in(text, GENOME)


def test_a_name_that_is_also_an_interval_is_refused_with_both_spellings():
    genome = {"chr1": 500, "chr1:1-100": 70}
    with pytest.raises(
        errors.DataError,
        match='^"chr1:1-100" is the name of a chromosome and also an interval of chr1; write '
        r"chr1:1-100:0-70 for the chromosome, or chr1:01-100 for the interval\.$",
    ):
        regions.parse_in("chr1:1-100", genome)
    assert regions.parse_in("chr1:1-100:0-70", genome) == Region("chr1:1-100", 0, 70)
    assert regions.parse_in("chr1:01-100", genome) == Region("chr1", 1, 100)


def test_a_chromosome_may_be_called_track(tmp_path):
    path = tmp_path / "x.bed"
    path.write_text("track name=x\nbrowser position\ntrack_1\t0\t10\nbrowser2\t0\t5\n \n")
    names = [region.chrom for region, _ in regions.read_bed(path)]
    assert names == ["track_1", "browser2"]


def test_a_region_prints_as_it_is_read():
    region = Region("chr1", 1_000_000, 2_048_576)
    assert str(region) == "chr1:1,000,000-2,048,576"
    assert regions.parse(str(region)) == region
    assert region.width == 1_048_576


@pytest.mark.parametrize(
    ("second", "shared"),
    [
        (Region("chr1", 0, 10), False),
        (Region("chr1", 0, 11), True),
        (Region("chr1", 19, 30), True),
        (Region("chr1", 20, 30), False),
        (Region("chr2", 10, 20), False),
        (Region("chr1", 12, 13), True),
    ],
)
def test_half_open_intervals_that_touch_do_not_overlap(second: regions.Region, shared: bool):
    region = Region("chr1", 10, 20)
    assert region.overlaps(second) is shared
    assert second.overlaps(region) is shared


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


@pytest.mark.parametrize(
    ("chrom", "names", "own"),
    [
        ("chr1", {"chr1", "1"}, "chr1"),
        ("1", {"chr1"}, "chr1"),
        ("chr1", {"1"}, "1"),
        ("MT", {"chrM"}, "chrM"),
        ("chrM", {"MT"}, "MT"),
        ("chrMT", {"M"}, "M"),
        ("11", {"chr1"}, None),
    ],
)
def test_a_chromosome_under_the_name_that_a_genome_has_for_it(chrom, names, own):
    assert regions.own_name(chrom, names) == own


def test_bed_lines_come_under_the_names_of_the_genome(tmp_path, caplog):
    """Each by itself: a scaffold that both call the same does not keep the others from it."""
    path = tmp_path / "x.bed"
    path.write_text("1\t0\t10\ttrain\nGL000008.2\t3\t4\nchrUn\t1\t2\n")
    with caplog.at_level("INFO"):
        rows = list(regions.read_bed(path, names=["chr1", "GL000008.2"]))
    assert rows == [
        (Region("chr1", 0, 10), ["train"]),
        (Region("GL000008.2", 3, 4), []),
        (Region("chrUn", 1, 2), []),
    ]
    assert "reading 1 as chr1." in caplog.text


def test_a_bed_of_another_genome_is_refused(tmp_path):
    path = tmp_path / "x.bed"
    path.write_text("2L\t0\t10\n")
    with pytest.raises(errors.DataError, match=r"no chromosome in common .* it has 2L, .* chr1"):
        list(regions.read_bed(path, names=["chr1"]))
    path.write_text("# none\n")
    assert list(regions.read_bed(path, names=["chr1"])) == []


@pytest.mark.parametrize("pack", [gzip.compress, bgzipped, bytes])
@pytest.mark.parametrize("name", ["x.bed.gz", "x.bed"])
def test_a_compressed_bed_is_read_like_a_plain_one(tmp_path, pack, name):
    """Its first bytes tell, so that a name may be anything."""
    path = tmp_path / name
    path.write_bytes(pack(b"chr1\t0\t10\tx\r\n" * 9000))
    assert list(regions.read_bed(path)) == [(Region("chr1", 0, 10), ["x"])] * 9000


def test_a_pipe_is_read_once(tmp_path):
    for content in (b"chr1\t0\t10\n", gzip.compress(b"chr1\t0\t10\n")):
        end, begin = os.pipe()
        os.write(begin, content)
        os.close(begin)
        assert list(regions.read_bed(f"/dev/fd/{end}", names=["1"])) == [(Region("1", 0, 10), [])]
        os.close(end)


def test_what_is_no_text_is_named(tmp_path):
    path = tmp_path / "x.bed"
    path.write_bytes(b"\x89HDF\xff")
    with pytest.raises(errors.DataError, match=rf"^{path}: not a text, plain or gzipped; give a"):
        list(regions.read_bed(path))
    whole = gzip.compress(bytes(range(48, 58)) * 99)
    for cut in (whole[:-9], whole[:14], whole[:-8] + b"damaged!"):
        path.write_bytes(cut)
        with pytest.raises(errors.DataError, match=rf"^{path}: the archive is damaged or was cut"):
            list(regions.read_bed(path))


def test_a_header_line_is_told_from_a_region(tmp_path):
    path = tmp_path / "x.bed"
    path.write_text("chrom\tstart\tend\nchr1\t0\t10\n")
    with pytest.raises(errors.DataError, match=r"line 1: .* whole numbers, .* begin with #"):
        list(regions.read_bed(path))


def test_a_byte_order_mark_is_no_part_of_a_chromosome(tmp_path):
    path = tmp_path / "x.bed"
    path.write_bytes(b"\xef\xbb\xbfchr1\t0\t10\r\n")
    assert list(regions.read_bed(path)) == [(Region("chr1", 0, 10), [])]
