"""One table in many hands: tabs, commas or aligned blanks, quotes, an index, line ends, gzip."""

import gzip

import pytest

from akita_bayes import errors
from akita_bayes.regulation.assay import assay_files, delimited

COUNTS = {"ACGT": [2, 1], "ACGA": [4, 10]}
ALIKE = {
    "tabs": "ct\tct_0\tct_1\tseq\n3\t2\t1\tACGT\n14\t4\t10\tACGA\n",
    "commas": "ct,ct_0,ct_1,seq\n3,2,1,ACGT\n14,4,10,ACGA\n",
    "commas and a blank after each": "ct, ct_0, ct_1, seq\n3, 2, 1, ACGT\n14, 4, 10, ACGA\n",
    "blanks": "ct ct_0 ct_1 seq\n3 2 1 ACGT\n14 4 10 ACGA\n",
    "aligned": "   ct  ct_0  ct_1   seq\n    3     2     1  ACGT\n   14     4    10  ACGA\n",
    "trailing blanks": "ct  ct_0 ct_1 seq  \n3   2    1    ACGT \n14  4    10   ACGA\n",
    "tabs beside blanks": "ct \tct_0\tct_1\tseq\n 3\t2\t1\tACGT \n14\t4 \t10\tACGA\n",
    "another order": "seq ct_0 ct ct_1\nACGT 2 3 1\nACGA 4 14 10\n",
    "no total": "ct_0 ct_1 seq\n2 1 ACGT\n4 10 ACGA\n",
    "lower case": "ct_0 ct_1 seq\n2 1 acgt\n4 10 AcGa\n",
    "capitals": "CT CT_0 Ct_1 Seq\n3 2 1 ACGT\n14 4 10 ACGA\n",
    "RNA": "ct_0 ct_1 seq_rna\n2 1 ACGU\n4 10 acga\n",
    "line ends of Windows": "ct,ct_0,ct_1,seq\r\n3,2,1,ACGT\r\n14,4,10,ACGA\r\n\r\n",
    "line ends of old": "ct ct_0 ct_1 seq\r3 2 1 ACGT\r14 4 10 ACGA\r",
    "quotes of R": '"ct" "ct_0" "ct_1" "seq"\n"1" 3 2 1 "ACGT"\n"2" 14 4 10 "ACGA"\n',
    "quoted comma": 'note,ct_0,ct_1,seq\n"a, b",2,1,ACGT\nc d,4,10,"ACGA"\n',
    "index of pandas": ",ct,ct_0,ct_1,seq\n0,3,2,1,ACGT\n1,14,4,10,ACGA\n",
    "printed by pandas": "  ct_0 ct_1   seq\n0    2    1  ACGT\n1    4   10  ACGA\n",
    "comma at the end": "ct_0,ct_1,seq,\n2,1,ACGT,\n4,10,ACGA,\n",
    "comma at the end of rows": "ct_0,ct_1,seq\n2,1,ACGT,\n4,10,ACGA,\n",
    "comments": "# 2010, lac\n#\nct_0 ct_1 seq\n2 1 ACGT\n\n4 10 ACGA\n",
    "numbers with a point": "ct_0 ct_1 seq\n2.000 1.000 ACGT\n4.000 10.000 ACGA\n",
    "byte order mark": "\ufeffct_0,ct_1,seq\n2,1,ACGT\n4,10,ACGA\n",
}


def counts(path):
    (library,) = assay_files.read(path).libraries
    assert library.columns == ("0", "1")
    return {
        sequence: row.tolist()
        for sequence, row in zip(library.sequences, library.observed, strict=True)
    }


@pytest.mark.parametrize("name", ALIKE)
@pytest.mark.parametrize("packed", [False, True])
def test_a_table_is_the_same_however_it_is_written(tmp_path, name, packed):
    path = tmp_path / ("table.txt.gz" if packed else "table.txt")
    text = ALIKE[name].encode()
    path.write_bytes(gzip.compress(text) if packed else text)
    assert counts(path) == COUNTS


def test_cells_are_text_without_the_blanks_around_them(tmp_path):
    path = tmp_path / "table.txt"
    path.write_text(" bin  file\n  01  a b.txt\n".replace("a b", "a_b") + "NA   1.0\n")
    assert delimited.read(path) == (["bin", "file"], [["01", "a_b.txt"], ["NA", "1.0"]])


MIXED_ROW = "between its cells, and the header has {}; separate all rows as the header"
HEADER = "the header has different separators between its names; separate all columns by tabs"
REFUSED = {
    "ct_0 ct_1 seq\n1 2 ACGT\n1,2,ACGA\n": "row 2 has commas " + MIXED_ROW.format("blanks"),
    "ct_0 ct_1 seq\n1 2 ACGT\n1\t2\tACGA\n": "row 2 has tabs " + MIXED_ROW.format("blanks"),
    "ct_0 ct_1 seq\n1, 2, ACGT\n": "row 1 has commas " + MIXED_ROW.format("blanks"),
    "ct_0,ct_1,seq\n1 2 ACGT\n": "row 1 has blanks " + MIXED_ROW.format("commas"),
    "ct_0\tct_1\tseq\n1\t2\tACGA\n1  2  ACGT\n": "row 2 has blanks " + MIXED_ROW.format("tabs"),
    "ct_0 ct_1,seq\n1 2 ACGT\n": HEADER,
    "ct_0\tct_1 seq\n1\t2\tACGT\n": HEADER,
    "ct,ct_0 ct_1,seq\n3,1,ACGT\n": HEADER,
    "ct_0;ct_1;seq\n1;2;ACGT\n": "the columns are separated by semicolons; separate them by tabs",
    "ct_0,ct_1,seq\n1,2\n": "row 1 has 2 cells, and the header has 3; give every row a cell for",
    "ct_0,ct_1,seq\n1,2,ACGT,x\n1,2,ACGA\n": "row 1 has 4 cells, and the header has 3",
    "ct_0 ct_1 seq\n5 2 ACGT x\n3 2 ACGA x\n": "row 1 has 4 cells, and the header has 3",
    'ct_0,ct_1,seq\n1,2,ACGA\n1,2,"ACGT\n1,2,ACGA\n': "row 2 has a quotation mark that is not",
    'ct_0,ct_1,seq\n1,2,"ACGT\n1,2",ACGA\n': "row 1 has a quotation mark that is not closed",
    "# only a remark\n": "is empty",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_table_that_mixes_separators_is_refused(tmp_path, text):
    path = tmp_path / "table.txt"
    path.write_text(text)
    with pytest.raises(errors.DataError) as caught:
        assay_files.read(path)
    assert str(caught.value).startswith(f"{path}: {REFUSED[text].split(' ')[0]}")
    assert REFUSED[text] in str(caught.value)


def test_a_name_that_says_gzip_of_a_file_that_is_not_is_refused(tmp_path):
    path = tmp_path / "table.csv.gz"
    path.write_text(ALIKE["commas"])
    with pytest.raises(errors.DataError, match=r"its name ends in \.gz, but it is not compressed"):
        assay_files.read(path)
