import hashlib
import json

import pytest

from akita_bayes import files
from akita_bayes.cli import akita_download


@pytest.fixture
def manifest(tmp_path):
    source = tmp_path / "source.txt"
    source.write_text("contents")
    entry = {
        "path": "sub/file.txt",
        "url": source.as_uri(),
        "bytes": 8,
        "sha256": hashlib.sha256(b"contents").hexdigest(),
    }
    about = {"description": "a set", "licence": "MIT", "citation": "us", "files": [entry]}
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"some": about}))
    return path


def change(manifest, **values):
    content = json.loads(manifest.read_text())
    content["some"]["files"][0].update(values)
    manifest.write_text(json.dumps(content))


def run(manifest, name="some"):
    out = manifest.parent / "out"
    return akita_download.main([name, "-o", str(out), "--manifest", str(manifest)]), out


def test_a_file_is_fetched_checked_and_left_alone_next_time(manifest):
    status, out = run(manifest)
    assert status == 0
    path = out / "sub" / "file.txt"
    assert path.read_text() == "contents"
    change(manifest, url="file:///nowhere")
    assert run(manifest)[0] == 0
    path.write_text("damaged!")
    assert run(manifest)[0] == 2


def test_a_wrong_checksum_leaves_nothing(manifest, capsys):
    change(manifest, sha256="0" * 64)
    status, out = run(manifest)
    assert status == 2
    assert "the manifest has 000" in capsys.readouterr().err
    assert not list(out.rglob("*.txt"))


def test_an_unknown_checksum_is_printed(manifest, capsys):
    change(manifest, sha256=None)
    assert run(manifest)[0] == 0
    assert hashlib.sha256(b"contents").hexdigest() in capsys.readouterr().out.replace("\n", "")


def test_unknown_names_and_addresses(manifest, capsys):
    assert run(manifest, "same")[0] == 2
    assert 'Did you mean "some"?' in capsys.readouterr().err
    change(manifest, url="file:///nowhere")
    assert run(manifest)[0] == 2
    assert "cannot be reached" in capsys.readouterr().err


def test_the_list(capsys):
    assert akita_download.main([]) == 0
    printed = capsys.readouterr().out
    for name in ("lac", "akita_v1", "akita_v1_data", "akita_pt", "yeast"):
        assert f"{name}: " in printed


def test_the_manifest_is_pinned():
    for about in files.read_json(akita_download.MANIFEST).values():
        assert about["licence"] in ("MIT", "Apache-2.0")
        for entry in about["files"]:
            assert entry["url"].startswith("https://")
            if entry["sha256"] is None:
                # These servers publish checksums, with which the download is compared.
                bucket = "https://storage.googleapis.com/basenji_hic/"
                assert entry["url"].startswith((bucket, "https://zenodo.org/record/19599537/"))
            else:
                assert len(entry["sha256"]) == 64
                assert "/master/" not in entry["url"]


@pytest.mark.parametrize(
    ("name", "folder"), [("lac", "lac"), ("lac_libraries", "lac"), ("yeast", "hic")]
)
def test_checksums_are_those_of_the_real_files(real_data, name, folder):
    import gzip

    compared = 0
    for entry in files.read_json(akita_download.MANIFEST)[name]["files"]:
        plain = real_data / folder / entry["path"]
        packed = plain.with_name(plain.name + ".gz")
        if entry["path"] == "LICENSE" or not (plain.exists() or packed.exists()):
            continue
        content = plain.read_bytes() if plain.exists() else gzip.decompress(packed.read_bytes())
        assert hashlib.sha256(content).hexdigest() == entry["sha256"], entry["path"]
        assert len(content) == entry["bytes"]
        compared += 1
    assert compared == {"lac": 15, "lac_libraries": 1, "yeast": 1}[name]
