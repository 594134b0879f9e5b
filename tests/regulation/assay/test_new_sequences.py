"""Files of sequences to predict: FASTA, lines and tables."""

import gzip

import pytest

from akita_bayes import errors
from akita_bayes.regulation.assay import new_sequences

FORMS = {
    "fasta": ">one first\nACG\nu\n>two\nacgg\n>three\nACNT\n",
    "lines": "# a comment\nACGU\n\nacgg\nACNT\n",
    "table": "other,Seq\n1,ACGU\n2,acgg\n3,ACNT\n",
    "column": "seq\nACGU\nacgg\nACNT\n",
    "rna": "seq_rna\tlibrary\nACGU\ta\nacgg\tb\nACNT\tb\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_sequences(tmp_path, caplog, form):
    path = tmp_path / "sequences.txt"
    path.write_text(FORMS[form])
    read = new_sequences.read(path, length=4)
    assert read.sequences == ["ACGT", "ACGG"]
    assert read.names == (["one", "two"] if form == "fasta" else ["1", "2"])
    assert read.libraries == (["a", "b"] if form == "rna" else [])
    assert read.left_out == 1
    assert f"{path}: 1 of 3 rows have the letter N in their sequence and are left" in caplog.text


def test_an_archive_is_read(tmp_path):
    (tmp_path / "a.fa.gz").write_bytes(gzip.compress(FORMS["fasta"].encode()))
    assert new_sequences.read(tmp_path / "a.fa.gz", length=4).names == ["one", "two"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no sequences"),
        ("# nothing\n", "has no sequences"),
        ("seq,n\n", "has no sequences below its header"),
        ("name,dna\n1,ACGT\n", "no column sequence or seq or x; it has name, dna"),
        ("ACGT\nACG\n", r"sequence 2 has 3 bases, and the fitted mechanism has 4; give sequences"),
        (">a\nACGTA\n>b\nACGTA\n", r"sequence a has 5 bases, .* \(2 sequences have another length"),
        (">a\n>b\nACGT\n", 'the sequence "a" has no letters'),
        ("ACGT\nACRT\n", 'row 2 has the letter "R" at base 2'),
        ("ACGT\nACGU\n", "row 2 has the letter U and row 1 the letter T"),
        ("NNNN\nACGN\n", "all 2 sequences have the letter N"),
    ],
)
def test_what_cannot_be_predicted_is_refused(tmp_path, content, message):
    path = tmp_path / "sequences.txt"
    path.write_text(content)
    with pytest.raises(errors.DataError, match=message) as refusal:
        new_sequences.read(path, length=4)
    assert str(refusal.value).startswith(f"{path}: ")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(errors.DataError, match=r"absent\.fa: no such file of sequences"):
        new_sequences.read(tmp_path / "absent.fa", length=4)
