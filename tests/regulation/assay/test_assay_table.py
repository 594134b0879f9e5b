import gzip

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.regulation.assay import assay_files, assay_references, assay_table

SEQUENCES = ["ACGT", "ACGA", "TTTT", "ACGT"]
COUNTS = np.array([[1, 0, 2], [0, 3, 0], [4, 0, 0], [0, 1, 5]])
GROUPED = {"ACGT": [1, 1, 7], "ACGA": [0, 3, 0], "TTTT": [4, 0, 0]}


def grouped(library):
    return {
        sequence: row.tolist()
        for sequence, row in zip(library.sequences, library.observed, strict=True)
    }


def write_bins(folder, files, name="seq"):
    folder.mkdir(exist_ok=True)
    listing = ["bin\tfile"]
    for number, rows in files.items():
        lines = [f"ct\t{name}", *(f"{count}\t{sequence}" for count, sequence in rows)]
        with gzip.open(folder / f"bin_{number}.txt.gz", "wt") as handle:
            handle.write("\n".join(lines) + "\n")
        listing.append(f"{number}\tbin_{number}.txt")
    (folder / "files.txt").write_text("\n".join(listing) + "\n")
    return folder


def bins_of(sequences, counts):
    return {
        b: [(c, s) for s, c in zip(sequences, counts[:, b], strict=True) if c]
        for b in range(counts.shape[1])
    }


def wide(path, columns, rows, separator=","):
    lines = [separator.join(columns), *(separator.join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_file_per_bin(tmp_path):
    folder = write_bins(tmp_path / "assay", bins_of(SEQUENCES, COUNTS))
    (library,) = assay_files.read(folder).libraries
    assert grouped(library) == GROUPED
    assert library.columns == ("0", "1", "2")


@pytest.mark.parametrize("separator", [",", "\t", " "])
def test_a_wide_table(tmp_path, separator):
    rows = [[s, *c] for s, c in zip(SEQUENCES, COUNTS, strict=True)]
    path = wide(tmp_path / "t.csv", ["x", "ct_0", "ct_1", "ct_2"], rows, separator)
    (library,) = assay_files.read(path).libraries
    assert grouped(library) == GROUPED


def test_long_rows_of_several_libraries_without_a_header(tmp_path):
    rows = [("one", "B10", "ACGT"), ("one", "B2", "ACGA"), ("one", "B2", "ACGT")]
    rows += [("two", "B1", "AAAA"), ("two", "B2", "AAAC"), ("one", "B10", "ACGT")]
    path = tmp_path / "long.csv.gz"
    with gzip.open(path, "wt") as handle:
        handle.write("".join("\t".join(row) + "\n" for row in rows))
    table = assay_files.read(path)
    assert table.names == ("one", "two")
    first, second = table.libraries
    assert first.columns == ("B2", "B10")  # in the order of their numbers
    assert grouped(first) == {"ACGT": [1, 2], "ACGA": [1, 0]}
    assert second.columns == ("B1", "B2")
    assert table.select(["two"]).names == ("two",)
    with pytest.raises(errors.DataError, match='no library "tow"\\. Did you mean "two"'):
        table.select(["tow"])


def test_long_rows_with_a_count_need_no_header(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("one,B0,ACGT,3\none,B1,ACGA,2\none,B1,ACGT,1\n")
    (library,) = assay_files.read(path).libraries
    assert grouped(library) == {"ACGT": [3, 1], "ACGA": [0, 2]}


def test_long_rows_with_counts(tmp_path):
    rows = [[b, s, n] for b, s, n in [(0, "ACGT", 2), (1, "ACGT", 3), (1, "TTTT", 1)]]
    path = wide(tmp_path / "long.tsv", ["bin", "sequence", "count"], rows, "\t")
    (library,) = assay_files.read(path).libraries
    assert grouped(library) == {"ACGT": [2, 3], "TTTT": [0, 1]}


def test_read_outs_keep_their_replicates_and_counts_their_exposure(tmp_path):
    path = wide(tmp_path / "v.csv", ["seq", "value", "weight"], [["ACGT", 0.5, 2], ["ACGT", 1, 1]])
    (library,) = assay_files.read(path).libraries
    assert library.observed.tolist() == [[0.5], [1.0]]
    assert library.weight.tolist() == [2, 1]
    path = wide(tmp_path / "c.csv", ["seq", "count", "exposure"], [["ACGT", 5, 2.5]])
    (library,) = assay_files.read(path).libraries
    assert (library.columns, library.weight.tolist()) == (("count",), [2.5])


def test_a_directory_with_one_table_needs_no_listing(tmp_path):
    wide(tmp_path / "t.csv", ["seq", "ct_a", "ct_b"], [["ACGT", 1, 2]])
    assert assay_files.read(tmp_path).libraries[0].columns == ("a", "b")


BAD_COUNTS = [
    (["ACGT", "ACG"], [[1, 1], [1, 1]], "unequal length: row 2 has 3 bases, row 1 has 4"),
    (["ACGT", "ACNT"], [[1, 1], [1, 1]], 'row 2 has the letter "N" at base 2'),
    (["ACGT", "ACÄT"], [[1, 1], [1, 1]], 'row 2 has the letter "Ä" at base 2'),
    (["ACGT"], [[1, 0]], "bin 1 has zero counts"),
    (["ACGT"], [[3]], "one bin only"),
    (["ACGT"], [[1, -1]], "row 1: a count of -1"),
    (["ACGT"], [[1, 1e13]], "a count of 1e\\+13; counts are .* at most 1e\\+12"),
    (["ACGT"], [[1, 0.5]], "a count of 0.5"),
    ([], np.zeros((0, 2)), "has no sequences"),
]


@pytest.mark.parametrize(("sequences", "counts", "message"), BAD_COUNTS)
def test_counts_that_cannot_be_fitted_are_refused(sequences, counts, message):
    with pytest.raises(errors.DataError, match=message):
        assay_table.from_counts(sequences, np.array(counts))


def test_lower_case_letters_are_bases():
    assert assay_table.from_counts(["acGT"], np.array([[1, 1]])).sequences == ["ACGT"]


def test_letters_of_rna_are_those_of_dna():
    library = assay_table.from_counts(["acGU", "ACGA"], np.array([[1, 1], [2, 2]]))
    assert grouped(library) == {"ACGT": [1, 1], "ACGA": [2, 2]}
    with pytest.raises(errors.DataError) as caught:
        assay_table.from_counts(["ACGA", "ACGT", "ACGU"], np.ones((3, 2)))
    assert str(caught.value) == (
        "table: row 3 has the letter U and row 2 the letter T; write all sequences as RNA, or all "
        "as DNA."
    )


def test_the_table_of_a_splicing_assay(tmp_path):
    """MAVE-NN's MPSA: counts of two kinds that are no bins, a read-out y, and RNA letters."""
    rows = [["training", 28, 2, 0.0234, "GGAGUGAUG"], ["test", 315, 7, -0.588, "AGUGUGCAA"]]
    path = wide(tmp_path / "mpsa.csv", ["set", "tot_ct", "ex_ct", "y", "x"], rows)
    (library,) = assay_files.read(path).libraries
    assert (library.columns, library.observed.tolist()) == (("y",), [[0.0234], [-0.588]])
    assert library.sequences == ["GGAGTGATG", "AGTGTGCAA"]


def test_sequences_with_n_are_counted_and_left_out(tmp_path, caplog):
    rows = [["ACGT", 1, 2], ["ACnT", 5, 5], ["ACGA", 3, 4], ["NNNN", 7, 7]]
    path = wide(tmp_path / "t.csv", ["seq", "ct_0", "ct_1"], rows)
    assert grouped(assay_files.read(path).libraries[0]) == {"ACGT": [1, 2], "ACGA": [3, 4]}
    assert f"{path}: 2 of 4 rows have the letter N in their sequence and are left" in caplog.text
    folder = write_bins(tmp_path / "a", {0: [(3, "ACGT"), (1, "NCGT")], 1: [(12, "ACGA")]})
    assert grouped(assay_files.read(folder).libraries[0]) == {"ACGT": [3, 0], "ACGA": [0, 12]}
    assert "bin_0.txt.gz: 1 of 2 rows have the letter N" in caplog.text
    rows = [["ACNT", 1], ["ACGT", "x"]]
    refused(wide(path, ["seq", "value"], rows), "row 2, column value: 'x' is not a number")


SPLIT = [("ACGT", "training"), ("ACGA", "Test"), ("TTTT", "valid"), ("ACGT", "train")]


@pytest.mark.parametrize("column", ["set", "split"])
def test_the_split_of_a_table_is_used(tmp_path, caplog, column):
    caplog.set_level("INFO")
    rows = [[part, number, sequence] for number, (sequence, part) in enumerate(SPLIT)]
    table = assay_files.read(wide(tmp_path / "t.csv", [column, "y", "x"], rows))
    assert assay_table.sides(table, seed=5).tolist() == [0, 2, 1, 0]
    message = f"the split of column {column} is used: 2 training, 1 validation and 1 test rows."
    assert message in caplog.text
    parts = assay_table.split(table)
    assert [part.rows for part in parts] == [2, 1, 1]
    assert parts.test.libraries[0].sequences == ["ACGA"]


def test_the_split_of_counts_is_that_of_each_sequence(tmp_path):
    rows = [[part, sequence, 1, 2] for sequence, part in SPLIT]
    table = assay_files.read(wide(tmp_path / "t.csv", ["set", "seq", "ct_0", "ct_1"], rows))
    (library,) = table.libraries
    sides = dict(zip(library.sequences, assay_table.sides(table).tolist(), strict=True))
    assert sides == {"ACGT": 0, "ACGA": 2, "TTTT": 1}
    rows = [["one", bin_name, sequence, part] for sequence, part in SPLIT for bin_name in "ab"]
    path = wide(tmp_path / "l.csv", ["library", "bin", "seq", "set"], rows)
    (library,) = assay_files.read(path).libraries
    assert dict(zip(library.sequences, library.side.tolist(), strict=True)) == sides
    assert library.take(library.side == 2).side.tolist() == [2]


def test_a_split_that_cannot_be_used_is_refused(tmp_path, caplog):
    def table(parts, sequences=("ACGT", "ACGA", "TTTT")):
        rows = [[*row, 1.0] for row in zip(sequences, parts, strict=True)]
        return wide(tmp_path / "t.csv", ["seq", "set", "value"], rows)

    refused(table(["train", "half", "test"]), "row 2, column set: 'half' is not a part of a split")
    both = assay_files.read(table(["train", "test", "test"], ["ACGT", "ACGT", "AAAA"]))
    with pytest.raises(errors.DataError, match="sequence ACGT is in two parts of the split"):
        assay_table.sides(both)
    with pytest.raises(errors.DataError, match="its split has no training rows"):
        assay_table.sides(assay_files.read(table(["test"] * 3)))
    (all_fitted,) = assay_files.read(table(["train"] * 3)).libraries
    (some_fitted,) = assay_files.read(table(["train", "train", "test"])).libraries
    with pytest.raises(errors.DataError, match="its split has no test rows"):
        assay_table.sides(assay_table.Table((all_fitted, some_fitted)))
    counted = [["ACGT", "train", 1, 2], ["ACGT", "test", 1, 2]]
    path = wide(tmp_path / "c.csv", ["seq", "set", "ct_0", "ct_1"], counted)
    refused(path, "sequence ACGT is in two parts of the split")
    (library,) = assay_files.read(table(["plate 1", "plate 1", "plate 2"])).libraries
    assert library.side is None
    assert "column set names no parts of a split, and is ignored" in caplog.text
    (with_split,) = assay_files.read(table(["train", "test", "test"])).libraries
    both = assay_table.Table((with_split, library))
    with pytest.raises(errors.DataError, match="comes without a split, and another library"):
        assay_table.sides(both)


def test_a_split_of_training_rows_alone_holds_nothing_out(tmp_path):
    rows = [[sequence, "train", 1.0] for sequence in ("ACGT", "ACGA", "TTTT")]
    path = wide(tmp_path / "t.csv", ["seq", "set", "value"], rows)
    assert assay_table.sides(assay_files.read(path)).tolist() == [0, 0, 0]


def test_a_library_may_be_called_na(tmp_path):
    rows = [["NA", 1, 2, "ACGT"], ["None", 3, 4, "ACGA"]]
    path = wide(tmp_path / "t.csv", ["library", "ct_0", "ct_1", "seq"], rows)
    assert assay_files.read(path).names == ("NA", "None")


def test_files_of_bins_may_be_aligned_and_need_no_count(tmp_path):
    (tmp_path / "files.txt").write_text("bin  file\n  0  a.txt\n  1  b.txt\n")
    (tmp_path / "a.txt").write_text("   ct   seq\n    3  ACGT\n   12  ACGA\n")
    (tmp_path / "b.txt").write_text("seq\nACGT\nACGT\n")
    assert grouped(assay_files.read(tmp_path).libraries[0]) == {"ACGT": [3, 2], "ACGA": [12, 0]}
    (tmp_path / "b.txt").write_text("cts seq\n5 ACGT\n")
    with pytest.raises(
        errors.DataError, match=r"b\.txt: has no column count or ct; it has cts, seq"
    ):
        assay_files.read(tmp_path)


def test_a_bin_can_be_left_out_by_name():
    table = assay_table.Table((assay_table.from_counts(SEQUENCES, COUNTS),))
    (library,) = table.leave_out(["0"]).libraries
    assert library.columns == ("1", "2")
    assert grouped(library) == {"ACGT": [1, 7], "ACGA": [3, 0]}
    assert table.leave_out([]) is table
    with pytest.raises(errors.DataError, match='no bin "9"'):
        table.leave_out(["9"])
    with pytest.raises(errors.DataError, match="one bin only"):
        table.leave_out(["0", "1"])


def test_a_mechanism_uses_its_libraries_without_the_bins_that_it_leaves_out(two_sites):
    table = assay_table.Table(
        tuple(assay_table.from_counts(SEQUENCES, COUNTS, name=name) for name in ("one", "two"))
    )
    mechanism = two_sites(libraries=["two"], measurement={"leave_out": ["0"]})
    (library,) = table.used_by(mechanism).libraries
    assert (library.name, library.columns) == ("two", ("1", "2"))


def refused(path, message):
    with pytest.raises(errors.DataError, match=message) as caught:
        assay_files.read(path)
    assert str(path if path.is_file() else path.name).split("/")[-1] in str(caught.value)


def test_files_that_cannot_be_read_are_named(tmp_path):
    refused(tmp_path / "absent.csv", "no such file")
    refused(wide(tmp_path / "a.csv", ["seq", "n"], [["ACGT", 1]]), "neither a bin column, nor")
    refused(wide(tmp_path / "b.csv", ["dna", "ct_0"], [["ACGT", 1]]), "no column sequence or seq")
    refused(
        wide(tmp_path / "c.csv", ["seq", "ct_0", "ct_1"], [["ACGT", 1, "many"]]),
        "row 1, column ct_1: 'many' is not a number",
    )
    refused(
        wide(tmp_path / "e.csv", ["seq", "ct_0", "ct_1"], [["ACGT", "", 2]]),
        "row 1, column ct_0: is empty",
    )
    refused(
        wide(tmp_path / "d.csv", ["seq", "ct_0", "ct_1"], [["ACGT", 1, 2], ["", 1, 1]]),
        "row 2: seq is empty",
    )
    long = ["library", "bin", "seq"]
    refused(wide(tmp_path / "g.csv", long, [["a", "", "ACGT"]]), "row 1: bin is empty")
    refused(wide(tmp_path / "h.csv", long, [["", "B1", "ACGT"]]), "row 1: library is empty")
    refused(wide(tmp_path / "e.csv", ["seq", "value", "weight"], [["ACGT", 1, 0]]), "has weight 0")
    refused(wide(tmp_path / "i.csv", [*long, "n"], []), "has no sequences below its header")
    refused(wide(tmp_path / "j.csv", ["seq", "ct_0", "ct_0"], [["ACGT", 1, 2]]), "two columns ct_0")
    refused(wide(tmp_path / "k.csv", ["ct", "ct", "Seq"], [[1, 2, "ACGT"]]), "two columns ct")
    promoter = wide(tmp_path / "l.csv", ["promoter", "ct_0", "ct_1"], [["ACGT", 1, 2]])
    refused(promoter, "no column sequence or seq or x; it has promoter, ct_0, ct_1")
    refused(
        wide(tmp_path / "m.csv", long, [["a,b", 1, "ACGT"]], "\t"),
        "library: 'a,b' cannot name",
    )
    refused(wide(tmp_path / "n.csv", ["seq", "value"], [["ACGT", 1e200]]), "row 1, .* is too large")
    rows = [["one", 0, "ACGT", 1], ["one", 1, "ACGT", 1], ["two", 0, "ACGT", -1]]
    path = wide(tmp_path / "o.csv", [*long, "count"], rows)
    refused(path, 'library "two": row 3: a count of -1')
    rows[2][2:] = "ACRT", 1
    refused(wide(path, [*long, "count"], rows), 'library "two": row 3 has the letter "R"')
    rows[2][2] = "ACNT"
    refused(wide(path, [*long, "count"], rows), 'library "two": all 1 sequences have the letter N')
    whole = gzip.compress(b"seq,ct_0,ct_1\n" + b"ACGT,1,2\nACGA,3,4\n" * 99)
    (tmp_path / "p.csv.gz").write_bytes(whole[:-20])
    refused(tmp_path / "p.csv.gz", "the archive is damaged or was cut short")
    (tmp_path / "empty.csv").write_text("")
    refused(tmp_path / "empty.csv", "is empty")
    (tmp_path / "f.csv.gz").write_bytes(b"not gzip")
    refused(tmp_path / "f.csv.gz", "cannot be read")


def test_directories_that_cannot_be_read_are_named(tmp_path):
    folder = write_bins(tmp_path / "a", {0: [(1, "ACGT")], 1: [(1, "ACG")]})
    with pytest.raises(errors.DataError, match="unequal length"):
        assay_files.read(folder)
    folder = write_bins(tmp_path / "b", {0: [(1, "ACGT")], 1: []})
    with pytest.raises(errors.DataError, match="no sequences"):
        assay_files.read(folder)
    folder = write_bins(tmp_path / "d", {0: [(1, "ACGT")], 1: [(1, "ACGA"), (1, "")]})
    with pytest.raises(errors.DataError, match=r"bin_1\.txt\.gz: row 2: seq is empty"):
        assay_files.read(folder)
    folder = write_bins(tmp_path / "e", {0: [(1, "ACGT")], 1: [(1, "ACGA"), (-2, "ACGT")]})
    with pytest.raises(errors.DataError, match=r"bin_1\.txt\.gz: row 2: a count of -2"):
        assay_files.read(folder)
    folder = write_bins(tmp_path / "f", {0: [(1, "ACGT")], 1: [("many", "ACGA")]})
    with pytest.raises(errors.DataError, match=r"bin_1\.txt\.gz: row 1, column ct: 'many' is not"):
        assay_files.read(folder)
    (folder / "files.txt").write_text("bin\tfile\n")
    with pytest.raises(errors.DataError, match=r"files\.txt: names no bins"):
        assay_files.read(folder)
    (folder / "files.txt").write_text("bin\tfile\n0\tbin_0.txt\n0\tbin_1.txt\n")
    with pytest.raises(errors.DataError, match="bin 0 is named twice"):
        assay_files.read(folder)
    folder = tmp_path / "b"
    (folder / "bin_1.txt.gz").unlink()
    with pytest.raises(errors.DataError, match=r"bin_1\.txt: no such file, named in files\.txt"):
        assay_files.read(folder)
    (tmp_path / "c").mkdir()
    with pytest.raises(errors.DataError, match=r"no files\.txt and 0 tables"):
        assay_files.read(tmp_path / "c")


def test_labels_are_text_and_headers_may_begin_with_a_capital(tmp_path):
    folder = write_bins(tmp_path / "a", {0: [(1, "ACGT")], "1.0": [(1, "ACGA")]})
    assert assay_files.read(folder).libraries[0].columns == ("0", "1.0")
    rows = [["007", 0, "ACGT"], ["007", "1.0", "ACGA"]]
    (library,) = assay_files.read(
        wide(tmp_path / "t.csv", ["Library", "Bin", "Sequence"], rows)
    ).libraries
    assert (library.name, library.columns) == ("007", ("0", "1.0"))
    path = wide(tmp_path / "w.csv", ["Sequence", "ct_0", "ct_1"], [["ACGT", 1, 2]])
    assert grouped(assay_files.read(path).libraries[0]) == {"ACGT": [1, 2]}


def test_a_table_without_library_names_is_called_the_table():
    table = assay_table.Table((assay_table.from_counts(SEQUENCES, COUNTS),))
    with pytest.raises(errors.DataError, match=r"^the table: has one bin only"):
        table.leave_out(["0", "1"])
    with pytest.raises(errors.DataError, match=r'no library "one": its rows name none. Leave'):
        table.select(["one"])


def test_libraries_of_one_table_have_one_length_or_are_chosen():
    short = assay_table.from_counts(["ACGT"], np.ones((1, 2)), name="one")
    long = assay_table.from_counts(["ACGTA"], np.ones((1, 2)), name="two")
    table = assay_table.Table((short, long))
    with pytest.raises(errors.DataError, match=r'"one" has .* of 4 bases and library "two" of 5'):
        _ = table.sequence_length
    assert table.select(["two"]).sequence_length == 5


def random_table(seed=0, libraries=2, rows=400):
    rng = np.random.default_rng(seed)
    return assay_table.Table(
        tuple(
            assay_table.from_counts(
                ["".join(rng.choice(list("ACGT"), 5)) for _ in range(rows)],
                rng.integers(0, 3, (rows, 3)),
                name=f"library {i}",
            )
            for i in range(libraries)
        )
    )


def test_a_split_keeps_a_sequence_on_one_side_in_every_library():
    table = random_table()
    parts = assay_table.split(table, seed=3)
    sequences = [{s for library in part.libraries for s in library.sequences} for part in parts]
    assert not sequences[0] & sequences[1]
    assert not sequences[0] & sequences[2]
    assert not sequences[1] & sequences[2]
    total = sum(map(len, sequences))
    assert [round(len(s) / total, 2) for s in sequences] == [0.8, 0.1, 0.1]
    assert sum(part.rows for part in parts) == table.rows
    shared = set(table.libraries[0].sequences) & set(table.libraries[1].sequences)
    assert shared  # or the first three lines prove nothing


def test_a_split_is_a_function_of_its_seed():
    table = random_table()
    np.testing.assert_array_equal(
        assay_table.sides(table, seed=1), assay_table.sides(table, seed=1)
    )
    assert (assay_table.sides(table, seed=1) != assay_table.sides(table, seed=2)).any()


def test_too_few_sequences_to_split():
    with pytest.raises(errors.DataError, match=r"^the table has 3 sequences, too few"):
        assay_table.split(assay_table.Table((assay_table.from_counts(SEQUENCES, COUNTS),)))


def test_rows_are_taken_through_all_libraries():
    table = random_table(rows=50)
    first = len(table.libraries[0].index)
    subset = table.take(np.array([0, first - 1, first, first + 3]))
    assert subset.libraries[0].sequences == [table.libraries[0].sequences[i] for i in (0, -1)]
    assert subset.libraries[1].sequences == [table.libraries[1].sequences[i] for i in (0, 3)]


def test_the_wild_type_is_the_most_common_base():
    table = assay_table.Table((assay_table.from_counts(["ACGT", "ACGA", "TCGA"], np.ones((3, 2))),))
    assert table.wild_type() == "ACGA"
    np.testing.assert_allclose(table.frequencies()[0], [2 / 3, 0, 0, 1 / 3])


def test_the_lac_reads_are_those_of_the_experiment(real_data):
    table = assay_files.read(real_data / "lac")
    (library,) = table.libraries
    assert (table.rows, table.reads, len(library.columns)) == (50_518, 67_933, 10)
    assert table.wild_type()[1:27] == "ATTAATGTGAGTTAGCTCACTCATTA"
    joint = assay_files.read(real_data / "lac" / "sortseq_raw.csv.gz")
    assert {lib.name: len(lib.columns) for lib in joint.libraries} == {
        "crp-wt": 10, "full-wt": 10, "rnap-wt": 10, "full-500": 5, "full-150": 5
    }  # fmt: skip
    full = joint.select(["full-wt"]).libraries[0]
    assert full.sequences == library.sequences
    references = assay_references.matrices(real_data / "lac", {"crp": 26, "rnap": 41})
    assert {name: matrix.shape for name, matrix in references.items()} == {
        "crp": (26, 4), "rnap": (41, 4)
    }  # fmt: skip
