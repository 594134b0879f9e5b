import pytest

from akita_bayes import errors
from akita_bayes.data.preparation import targets


def write(folder, text):
    path = folder / "targets.txt"
    path.write_text(text)
    return path


def test_basenjis_table(tmp_path):
    path = write(
        tmp_path,
        "index\tidentifier\tfile\tclip\tdescription\n"
        "0\tHFF\thff.cool\t2\tfibroblasts\n"
        "1\tESC\tsub/esc.mcool::/resolutions/2048\t\tstem cells\n",
    )
    first, second = targets.read(path, clip=3.0)
    assert first == targets.TargetFile(
        "HFF", str(tmp_path / "hff.cool"), 2.0, "fibroblasts", str(tmp_path / "hff.expected")
    )
    assert second.uri == f"{tmp_path}/sub/esc.mcool::/resolutions/2048"
    assert second.clip == 3.0
    written = tmp_path / "written" / "targets.txt"
    written.parent.mkdir()
    targets.write(written, [first, second])
    assert targets.read(written) == [
        first,
        second._replace(expected=str(tmp_path / "sub" / "esc.expected")),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a tab-separated table"),
        ("identifier,file\na,b\n", 'no column "identifier"'),
        ("identifier\tpath\na\tb\n", 'no column "file"'),
        ("identifier\tfile\n", "no target; add a line"),
        ("identifier\tfile\na\tb\na\tc\n", 'identifier "a" is used twice'),
        ("identifier\tfile\tclip\na\tb\tzwei\n", 'the clip of "a" is "zwei"'),
        ("identifier\tfile\tclip\na\tb\t-1\n", 'the clip of "a" is "-1"'),
        ("identifier\tfile\tclip\na\tb\tinf\n", 'the clip of "a" is "inf"'),
        ("identifier\tfile\tclip\na\tb\nc\n", "line 3: a target needs an identifier and a file"),
        ("identifier\tfile\na\t\n", "line 2: a target needs an identifier and a file"),
        ("identifier\tfile\n\tb\n", "line 2: a target needs an identifier and a file"),
        ("identifier\tfile\na\t.\n", "line 2: a target needs an identifier and a file"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, text, reason):
    with pytest.raises(errors.DataError, match=reason):
        targets.read(write(tmp_path, text))


@pytest.mark.parametrize("clip", [0.0, -1.0, float("nan"), float("inf")])
def test_a_default_clip_is_a_positive_number(tmp_path, clip):
    path = write(tmp_path, "identifier\tfile\na\tb\n")
    with pytest.raises(errors.DataError, match=r"--clip .*: expected a positive number"):
        targets.read(path, clip=clip)


def test_binary_and_missing_tables(tmp_path):
    path = tmp_path / "targets.txt"
    with pytest.raises(errors.DataError, match="no such table"):
        targets.read(path)
    path.write_bytes(b"\xff\xfe\x00\x01\x80")
    with pytest.raises(errors.DataError, match="not a tab-separated table"):
        targets.read(path)
