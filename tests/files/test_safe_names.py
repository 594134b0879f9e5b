import os

import pytest

from akita_bayes.files import replacement, safe_names

HOSTILE = [
    "../../evil",
    "/tmp/absolute",
    "..",
    ".",
    "",
    ".hidden",
    "a\\b",
    "a\nb",
    "a\0b",
    "C:evil",
    "é" * 300,
    "é" * 299,
    "K562",
    "k562",
    "k562_2",
    "%2E.",
]


def test_file_names_stay_in_their_folder_and_differ(tmp_path):
    names = safe_names.file_names(HOSTILE)
    assert len({name.casefold() for name in names}) == len(HOSTILE)
    for name in names:
        path = tmp_path / f"{name}.mcool"
        path.write_text(name)
        assert path.resolve().parent == tmp_path.resolve()
    assert len(os.listdir(tmp_path)) == len(HOSTILE)


def test_usual_names_are_kept():
    names = ["HFF", "K562 rep1", "K562/rep1", "a+b,c=(d)@e"]
    assert safe_names.file_names(names) == ["HFF", "K562 rep1", "K562%2Frep1", "a+b,c=(d)@e"]


@pytest.mark.parametrize("name", ["../x", "/x", ".x", "a/b", "a\nb", " ", "", "x" * 101, "a[0]"])
def test_faults_of_names(name):
    assert safe_names.fault(name)
    assert not safe_names.fault("fold 0-A.b_c+d")


def test_the_longest_name_leaves_room_for_a_temporary_name_and_an_ending(tmp_path):
    name = safe_names.limited("x" * 300)
    temporary = replacement._partial(tmp_path / f"{name}_999999.mcool.gz.tbi")
    assert len(temporary.name) == 255
    temporary.write_bytes(b"")
    match = replacement.TEMPORARY.match(temporary.name)
    assert match.end() == replacement.ADDED
    assert match[1] == temporary.name[1:33]
