"""Each fault of a FASTA file or of its index is told as what it is."""

import os
import struct
import sys

import pysam
import pytest

from akita_bayes import errors, regions
from akita_bayes.data import fasta_index, genome
from tests import unprivileged

ADVICE = (
    " All lines of a sequence but its last must be as long as its first, and none may be blank; "
    "write the file again, as with `seqkit seq -w 60`."
)


def write(path, content):
    path.write_bytes(content)
    return path


def sequences(path):
    with genome.Genome(path) as opened:
        return {
            name: opened.fetch(regions.Region(name, 0, size)) for name, size in opened.sizes.items()
        }


def refusal(path):
    with pytest.raises(errors.DataError) as caught:
        genome.Genome(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "line", "text"),
    [
        (b">a\nAC\n>chr1 x\nACGTA\nAC\nACGTA\n", 5, "has 2 letters, the first line 5."),
        (b">chr1\nACGT\n\nACGT\n>chr2\nAC\n", 3, "is blank."),
        (b">chr1\n\nACGT\n", 2, "is blank."),
        (b">chr1\nACGT\nACGTA\n", 3, "has 5 letters, the first line 4."),
        (b">chr1\r\nACGT\r\nACGT\nAC\r\n", 3, r"ends with b'\n', the first line with b'\r\n'."),
        (b">chr1\nACGT\nACGT \nAC\n", 3, r"ends with b' \n', the first line with b'\n'."),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_lines_of_unequal_length_are_told_with_their_line(tmp_path, content, line, text, packed):
    path = write(tmp_path / "g.fa", content)
    if packed:
        pysam.tabix_compress(str(path), str(tmp_path / "g.fa.gz"))
        path = tmp_path / "g.fa.gz"
    message = f"{path}, line {line}: Different line length in sequence 'chr1': the line {text}"
    assert refusal(path) == message.removesuffix(".") + "." + ADVICE
    assert sorted(tmp_path.iterdir()) == sorted({tmp_path / "g.fa", path})


@pytest.mark.parametrize(
    "content",
    [
        b">chr1\nACGT\nACGT\nAC\n>chr2 text\nACGTAC\n",
        b">chr1\nACGT\nACGT\nAC\n\n\n>chr2\nACGTAC",
        b">chr1\r\nACGT\r\nACGT\r\nAC\r\n>chr2\r\nACGTAC\r\n\r\n",
        b"> chr1\nACGT \nACGT \nAC \n>chr2\nACGTAC\n",
        b">chr1 " + b"long " * 2000 + b"\nACGTACGTAC\n>chr2 " + b"x" * 9000 + b"\nACGTAC\n",
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_what_htslib_reads_is_read_at_first_and_again(tmp_path, content, packed):
    path = write(tmp_path / "g.fa", content)
    if packed:
        pysam.tabix_compress(str(path), str(tmp_path / "g.fa.gz"))
        path = tmp_path / "g.fa.gz"
    expected = {"chr1": "ACGTACGTAC", "chr2": "ACGTAC"}
    assert sequences(path) == expected
    assert sequences(path) == expected
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            b">chr1\nAC\x01GT\x00\n",
            'cannot be indexed as a FASTA: sequence "chr1" holds more than letters and ends of '
            "lines; check that it is a text file.",
        ),
        (
            b"\xef\xbb\xbf>chr1\nACGT\n",
            "begins with a byte order mark, which is invisible and not part of a FASTA; save the "
            "file again without it.",
        ),
        (b"@read\nACGT\n", 'not a FASTA file; its first line must start with ">".'),
    ],
)
def test_what_is_no_fasta_is_told(tmp_path, content, reason):
    path = write(tmp_path / "g.fa", content)
    assert refusal(path) == f"{path}: {reason}"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b">chr1", b">chr1\n"])
def test_a_sequence_without_letters_is_told(tmp_path, content):
    """The reason is that of htslib, whose versions word it differently, or give none."""
    path = write(tmp_path / "g.fa", content)
    sentence = refusal(path)
    assert sentence.startswith(f"{path}: cannot be indexed as a FASTA: ")
    assert sentence.endswith(("no reason.", "line 1.", "line 2.", "no sequence."))
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def pair(tmp_path):
    """A genome as plain text and compressed by bgzip, both with an index."""
    plain = tmp_path / "g.fa"
    genome.write_fasta(plain, {f"chr{n}": "ACGT" * 40_000 for n in range(1, 6)}, width=60)
    packed = tmp_path / "g.fa.gz"
    pysam.tabix_compress(str(plain), str(packed))
    genome.Genome(packed).close()
    return plain, packed


def lines_of(index):
    return index.read_text().splitlines(keepends=True)


def shortened(index):
    index.write_text("".join(lines_of(index)[:-2]))


def shifted(index):
    name, size, offset, letters, width = lines_of(index)[2].split("\t")
    line = "\t".join([name, size, str(int(offset) + 7), letters, width])
    index.write_text("".join([*lines_of(index)[:2], line, *lines_of(index)[3:]]))


def renamed(index):
    index.write_text(index.read_text().replace("chr2", "chr9"))


def longer(index):
    index.write_text(index.read_text().replace("160000", "160060"))


def beyond(index):
    index.write_text(index.read_text().replace("chr5\t160000", "chr5\t9000000"))


@pytest.mark.parametrize("spoil", [shortened, shifted, renamed, longer, beyond])
def test_an_index_of_another_file_is_told_as_such(pair, spoil):
    """Also when it is the newer one: letters of other places would be read without an error."""
    for path, names in zip(pair, ("g.fa.fai", "g.fa.gz.fai and g.fa.gz.gzi"), strict=True):
        index = path.with_name(path.name + ".fai")
        spoil(index)
        text = refusal(path)
        assert text.startswith(f'{index}: does not fit {path.name}: sequence "chr')
        assert text.endswith(
            f'" is not where the index says, or not the last one; remove {names} and run again.'
        )
        for name in names.split(" and "):
            (path.parent / name).unlink()
        assert len(sequences(path)) == 5


def test_an_index_that_is_none_is_told_as_such(pair):
    plain, packed = pair
    index, blocks = plain.with_name("g.fa.fai"), packed.with_name("g.fa.gz.gzi")
    for content, reason in (
        (b"", ": is empty, but g.fa is not; remove g.fa.fai and run again."),
        (b"chr1\t5\n", ", line 1: not a line of a FASTA index; remove g.fa.fai and run again."),
    ):
        index.write_bytes(content)
        assert refusal(plain) == f"{index}{reason}"
    whole = blocks.read_bytes()
    for content in (b"", whole[:-3]):
        blocks.write_bytes(content)
        assert refusal(packed) == (
            f"{blocks}: not an index of bgzip, or cut short; remove g.fa.gz.gzi and run again."
        )
    pairs = list(struct.iter_unpack("<QQ", whole[8:]))
    for address, start in ((5, 0), (0, 1000), (0, -1000)):
        moved = [struct.pack("<QQ", first + address, second + start) for first, second in pairs]
        blocks.write_bytes(whole[:8] + b"".join(moved))
        assert ": does not fit g.fa.gz" in refusal(packed)


def test_a_missing_index_of_blocks_is_made(pair):
    _, packed = pair
    packed.with_name("g.fa.gz.gzi").unlink()
    assert len(sequences(packed)) == 5
    assert packed.with_name("g.fa.gz.gzi").exists()


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    path = write(folder / "g.fa", b">chr1\nACGT\n")
    folder.chmod(0o555)
    code = f"from akita_bayes.data import genome; genome.Genome({str(path)!r})"
    try:
        finished = unprivileged.run([sys.executable, "-c", code])
    finally:
        folder.chmod(0o755)
    assert finished.stderr.strip().splitlines()[-1] == (
        f"akita_bayes.errors.DataError: {path}: has no index g.fa.fai, and its folder cannot be "
        "written (Permission denied); let its owner run `samtools faidx g.fa` there, or "
        "copy the file to a folder of yours."
    )
    assert list(folder.iterdir()) == [path]


def test_htslibs_words_are_heard_and_nothing_else_is_lost(tmp_path, capfd):
    path = write(tmp_path / "g.fa", b">chr1\nACGT\nA\nACGT\n")
    assert fasta_index.cause(path) == 'Format error, unexpected "A" at line 4'
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"
