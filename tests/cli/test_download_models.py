"""Published models: downloaded from a local server, checked, installed, and found by name."""

import base64
import hashlib
import http.server
import io
import json
import shutil
import tarfile
import threading

import numpy as np
import pytest

import akita_bayes as ab
from akita_bayes import errors, files
from akita_bayes.cli import akita_download
from akita_bayes.models import shipped
from tests import torch_files


class Server:
    """Serves bytes under names; a name may send an `x-goog-hash`, as Google's storage does."""

    def __init__(self):
        contents: dict[str, bytes] = {}
        hashes: dict[str, str] = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                content = contents[self.path]
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                if self.path in hashes:
                    self.send_header("x-goog-hash", f"crc32c=AAAAAA==,md5={hashes[self.path]}")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.contents, self.hashes = contents, hashes
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture(scope="module")
def server():
    served = Server()
    thread = threading.Thread(target=served.server.serve_forever, daemon=True)
    thread.start()
    yield served
    served.server.shutdown()
    thread.join()
    served.server.server_close()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(shipped.MODELS_VARIABLE, str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def write_manifest(tmp_path):
    def write(name, model, file_name, **entry):
        about = {"description": "a model", "licence": "MIT", "citation": "us", "model": model}
        about["files"] = [{"path": file_name, "bytes": None, "sha256": None, **entry}]
        path = tmp_path / "manifest.json"
        path.write_text(json.dumps({name: about}))
        return str(path)

    return write


def md5(content):
    return base64.b64encode(hashlib.md5(content).digest()).decode()


def test_the_layout_of_akita_v1_becomes_a_named_model(
    server, folder, parity, write_manifest, capsys
):
    """What Keras 2's `model.save` writes, with the state of its optimizer."""
    content = (parity / "tiny_v1_full_model.h5").read_bytes()
    server.contents["/model_best.h5"], server.hashes["/model_best.h5"] = content, md5(content)
    model = {"spec": str(parity / "tiny_v1.json"), "head": None}
    manifest = write_manifest("akita_v1", model, "model_best.h5", url=f"{server.url}/model_best.h5")
    with pytest.raises(
        errors.RunError, match=r"akita_v1: is not installed in .*; run akita_download.py"
    ):
        ab.load_model("akita_v1")
    assert akita_download.main(["akita_v1", "--manifest", manifest]) == 0
    assert 'ab.load_model("akita_v1")' in capsys.readouterr().out.replace("\n", "")
    numbers = np.load(parity / "tiny_v1_io.npz")
    # The reference computed y from these bases; float32 sums in another order differ by 1e-6.
    predicted = ab.predict(ab.load_model("akita_v1"), numbers["x"])
    np.testing.assert_allclose(predicted, numbers["y"], atol=1e-5 * numbers["y"].std() * 10)
    record = files.read_json(folder / "akita_v1" / "provenance.json")["published"]
    assert record == {
        "url": f"{server.url}/model_best.h5",
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    assert shipped.params_of("akita_v1") == folder / "akita_v1" / "params.json"


def test_a_file_that_differs_from_the_checksum_of_its_server_is_refused(
    server, folder, write_manifest, capsys
):
    server.contents["/a.h5"], server.hashes["/a.h5"] = b"damaged", md5(b"as published")
    model = {"spec": "akita_tiny", "head": None}
    manifest = write_manifest("akita_v1", model, "a.h5", url=f"{server.url}/a.h5")
    assert akita_download.main(["akita_v1", "--manifest", manifest]) == 2
    assert "but the server publishes" in capsys.readouterr().err.replace("\n", " ")
    assert not list(folder.rglob("*.h5"))


@pytest.fixture(scope="module")
def archive(repository):
    """An archive of AkitaPT's layout, with checkpoints of two cell types, two folds and a note."""
    content = (repository / "tests/fixtures/akita_pt/tiny.pth").read_bytes()
    packed = io.BytesIO()
    names = [
        f"models/finetuned/{organism}/{cells}/checkpoints/Akita_v2_{organism}_{cells}_"
        f"model{fold}_finetuned.pth"
        for organism, cells in (("human", "Krietenstein2019_HFF"), ("mouse", "Bonev2017_CN"))
        for fold in (0, 1)
    ]
    with tarfile.open(fileobj=packed, mode="w:gz") as files_:
        for name in (*names, "models/README.txt"):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            files_.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def test_checkpoints_of_akita_pt_are_chosen_by_name_and_predict_what_pytorch_does(
    server, folder, archive, repository, write_manifest
):
    name = "akita_pytorch_model_weights.tar.gz"
    server.contents[f"/{name}"] = archive
    checksum = f"md5:{hashlib.md5(archive).hexdigest()}"
    record = {"files": [{"key": name, "checksum": checksum}]}
    server.contents["/record"] = json.dumps(record).encode()
    fixture = repository / "tests" / "fixtures" / "akita_pt"
    model = {"spec": str(fixture / "spec.json"), "members": "*_model0_finetuned.pth"}
    addresses = {"url": f"{server.url}/{name}", "record": f"{server.url}/record"}
    manifest = write_manifest("akita_pt", model, name, **addresses)
    command = ["akita_pt", "--manifest", manifest]
    assert akita_download.main(command) == 0
    assert akita_download.main([*command, "--members", "*mouse*model1*"]) == 0
    expected = {
        "akita_pt_human_Krietenstein2019_HFF_0",
        "akita_pt_mouse_Bonev2017_CN_0",
        "akita_pt_mouse_Bonev2017_CN_1",
    }
    assert expected < set(shipped.model_names())
    numbers = np.load(fixture / "tiny.npz")
    sequence = np.eye(4, dtype="f4")[numbers["x"]]
    predicted = ab.predict(ab.load_model("akita_pt_mouse_Bonev2017_CN_1"), sequence)
    np.testing.assert_allclose(predicted, numbers["y"], atol=2e-5 * numbers["y"].std())
    # A record with another checksum refuses a new download.
    shutil.rmtree(folder)
    record["files"][0]["checksum"] = "md5:" + "0" * 32
    server.contents["/record"] = json.dumps(record).encode()
    assert akita_download.main(command) == 2
    assert not list(folder.rglob("*.gz"))


def test_a_pattern_without_checkpoint_lists_those_of_the_archive(
    server, folder, archive, repository, write_manifest, capsys
):
    server.contents["/a.tar.gz"] = archive
    spec = str(repository / "tests/fixtures/akita_pt/spec.json")
    model = {"spec": spec, "members": "*"}
    manifest = write_manifest("akita_pt", model, "a.tar.gz", url=f"{server.url}/a.tar.gz")
    assert akita_download.main(["akita_pt", "--manifest", manifest, "--members", "*rat*"]) == 2
    printed = capsys.readouterr().err.replace("\n", "")
    assert "Akita_v2_mouse_Bonev2017_CN_model1_finetuned.pth" in printed


def test_a_checkpoint_of_another_network_is_refused_by_name_of_its_layer(tmp_path, repository):
    state = {"lstm.weight_hh_l0": np.zeros((4, 4), "f4")}
    path = torch_files.write(tmp_path / "a.pth", state)
    spec = repository / "tests" / "fixtures" / "akita_pt" / "spec.json"
    with pytest.raises(errors.RunError, match=r"lstm is neither .* only AkitaPT is read"):
        ab.load_model((spec, path))


def test_members_belong_to_archives(capsys):
    assert akita_download.main(["lac", "--members", "*"]) == 2
    assert "--members does not apply to lac" in capsys.readouterr().err


def test_every_model_of_the_manifest_has_its_name_in_the_package():
    manifest = files.read_json(akita_download.MANIFEST)
    assert sorted(n for n, about in manifest.items() if "model" in about) == list(shipped.DOWNLOADS)
    for about in manifest.values():
        if "model" in about:
            spec = ab.load_spec(about["model"]["spec"])
            assert about["model"].get("head") in (None, *spec.head_names)
