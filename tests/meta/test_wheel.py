"""An installed wheel works in an empty directory, without the clone."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import akita_bayes

NEEDED = ("akita_bayes", "bin", "models", "setup.py", "pyproject.toml", "README.md", "LICENSE")
NEEDED += ("MANIFEST.in", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "constraints.txt", "data")

PROGRAM = """
import akita_bayes as ab
from akita_bayes.models import shipped
print(ab.__file__)
print(ab.load_spec("akita_tiny").model.seq_length)
print(ab.load_spec("lac_thermodynamic").name)
print(*shipped.model_names())
"""

BUILD = "from setuptools import build_meta; build_meta.build_{kind}('dist')"


def build(kind: str, source: Path) -> Path:
    """Builds an "sdist" or a "wheel" of a source tree by the hooks of PEP 517."""
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BUILD.format(kind=kind)],
        cwd=source,
        check=True,
        capture_output=True,
        timeout=300,
    )
    (path,) = (source / "dist").iterdir()
    return path


@pytest.fixture(scope="module")
def installed(repository, tmp_path_factory):
    """Builds the sdist, a wheel from the sdist, and installs the wheel in an empty folder."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in NEEDED:
        path = repository / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=ignored)
        else:
            shutil.copy(path, source / name)
    sdist = build("sdist", source)
    shutil.unpack_archive(sdist, folder / "unpacked")
    (tree,) = (folder / "unpacked").iterdir()
    wheel = build("wheel", tree)
    site = folder / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def run(installed: Path, tmp_path: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_specs_and_models_are_found_by_their_bare_names(installed, tmp_path, repository):
    path, length, mechanism, *names = run(installed, tmp_path, "-c", PROGRAM).splitlines()
    assert Path(path).is_relative_to(installed)
    assert (length, mechanism) == ("32768", "lac")
    shipped = sorted(path.name for path in (repository / "models/pretrained").glob("*"))
    assert " ".join(names).split() == shipped


def test_the_wheel_holds_every_file_that_the_package_reads(installed, repository):
    for pattern in ("models/json/*.json", "models/pretrained/*/*"):
        for path in repository.glob(pattern):
            name = path.relative_to(repository / "models")
            assert (installed / "akita_bayes/model_zoo" / name).read_bytes() == path.read_bytes()
    files = [path for path in (repository / "akita_bayes").rglob("*") if path.is_file()]
    for path in files:
        if "__pycache__" not in path.parts:
            assert (installed / path.relative_to(repository)).is_file(), path


def test_commands_run_and_know_their_version(installed, tmp_path):
    assert "akita_predict" in run(installed, tmp_path, "-m", "akita_bayes")
    fixture = Path(__file__).parents[1] / "fixtures/version_0_1/run"
    run(installed, tmp_path, "-m", "akita_bayes", "akita_report", str(fixture), "-o", "run.html")
    assert "Training of run" in (tmp_path / "run.html").read_text("utf-8")
    assert "lac: " in run(installed, tmp_path, "-m", "akita_bayes", "akita_download")
    (entries,) = installed.glob("*.dist-info/entry_points.txt")
    scripts = {path.stem for path in repository_scripts()}
    assert scripts <= {line.split(" = ")[0] for line in entries.read_text().splitlines()}


def repository_scripts() -> list[Path]:
    return list((Path(__file__).parents[2] / "bin").glob("*.py"))


def test_other_recipes_name_the_same_version_and_libraries(repository):
    setup = (repository / "setup.py").read_text("utf-8")
    required = setup[setup.index("install_requires") : setup.index("extras_require")]
    libraries = re.findall(r'"([\w-]+)(?:\[\w+\])?(>=[^";]+)[^"]*"', required)
    recipe = (repository / "conda" / "meta.yaml").read_text("utf-8")
    run_section = recipe[recipe.index("  run:") : recipe.index("\ntest:")]
    expected = [f"    - {name.lower()} {versions}" for name, versions in libraries]
    assert len(expected) > 10
    assert run_section.splitlines()[2:] == expected
    assert f'version: "{akita_bayes.__version__}"' in recipe
    citation = (repository / "CITATION.cff").read_text("utf-8")
    assert f"version: {akita_bayes.__version__}\n" in citation
