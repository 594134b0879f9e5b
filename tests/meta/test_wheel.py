"""An installed wheel works in an empty directory, without the clone."""

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

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
    shutil.unpack_archive(sdist, folder / "unpacked", filter="data")
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
    scripts = {name for path in repository_scripts() for name in (path.stem, path.name)}
    assert scripts <= {line.split(" = ")[0] for line in entries.read_text().splitlines()}


def repository_scripts() -> list[Path]:
    return list((Path(__file__).parents[2] / "bin").glob("*.py"))


def requirements(setup: str) -> list[Requirement]:
    """Reads `install_requires` of a setup.py."""
    (values,) = [
        keyword.value
        for keyword in ast.walk(ast.parse(setup))
        if isinstance(keyword, ast.keyword) and keyword.arg == "install_requires"
    ]
    return [Requirement(text) for text in ast.literal_eval(values)]


def brought_by_extras(requirement: Requirement) -> set[str]:
    """Returns the libraries that pip installs for `name[extra]` in addition to `name`.

    Conda has no extras, so that a recipe has to name these libraries.
    """
    names = set()
    for extra in requirement.extras:
        for text in importlib.metadata.requires(requirement.name) or []:
            further = Requirement(text)
            if further.marker is None or further.marker.evaluate({"extra": ""}):
                continue  # needed without the extra as well
            if further.marker.evaluate({"extra": extra}):
                names.add(canonicalize_name(further.name))
    return names


def missing(setup: str, recipe: str) -> dict[str, str]:
    """Returns the requirements of a setup.py that a conda recipe does not name, and versions."""
    run_section = recipe[recipe.index("  run:") : recipe.index("\ntest:")]
    lines = [line.strip().removeprefix("- ").split(" ") for line in run_section.splitlines()[1:]]
    in_recipe = {canonicalize_name(name): SpecifierSet(versions) for name, versions in lines}
    needed = {
        canonicalize_name(requirement.name): requirement.specifier
        for requirement in requirements(setup)
    }
    wrong = {
        name: str(versions) for name, versions in needed.items() if in_recipe.get(name) != versions
    }
    extra = {name for requirement in requirements(setup) for name in brought_by_extras(requirement)}
    return wrong | dict.fromkeys(extra - set(in_recipe), "")


def test_the_conda_recipe_names_the_same_libraries(repository):
    setup = (repository / "setup.py").read_text("utf-8")
    recipe = (repository / "conda" / "meta.yaml").read_text("utf-8")
    assert len(requirements(setup)) > 10
    assert missing(setup, recipe) == {}
    without = re.sub(r"    - (tf-keras|rich) .+\n", "", recipe)
    assert missing(setup, without) == {"tf-keras": "", "rich": "<16,>=14.1"}
    older = recipe.replace("numpy >=1.26", "numpy >=1.24")
    assert missing(setup, older) == {"numpy": "<3,>=1.26"}


def test_recipes_and_the_table_name_the_python_that_the_package_needs(repository):
    setup = (repository / "setup.py").read_text("utf-8")
    needed = re.search(r'python_requires="(.+)"', setup)[1]
    recipe = (repository / "conda" / "meta.yaml").read_text("utf-8")
    assert recipe.count(f"    - python {needed}\n") == 2  # host and run
    docker = (repository / "Dockerfile").read_text("utf-8")
    image = re.search(r"^FROM python:(3\.\d+)-slim$", docker, re.M)[1]
    assert SpecifierSet(needed).contains(image)
    assert 'pip wheel --no-cache-dir -w /wheels -c constraints.txt ".[cooltools]"' in docker
    install = (repository / "docs" / "install.md").read_text("utf-8")
    tested = re.findall(r"^\| [^|]+ \| (3\.\d+) \| tested", install, re.M)
    assert image in tested
    classifiers = re.findall(r"Programming Language :: Python :: (3\.\d+)", setup)
    assert sorted(classifiers) == sorted(tested)


def test_every_requirement_and_extra_has_a_pinned_version(repository):
    lines = (repository / "constraints.txt").read_text("utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    pinned = {canonicalize_name(pin.name): str(pin.specifier).strip("=") for pin in pins}
    setup = (repository / "setup.py").read_text("utf-8")
    extra = re.search(r'"docs": (\[.+\]),', setup)[1]
    docs = [Requirement(text) for text in ast.literal_eval(extra)]
    assert {requirement.name for requirement in docs} == {"mkdocs", "mkdocs-material"}
    for requirement in [*requirements(setup), *docs]:
        if requirement.name != "setuptools":  # of the interpreter's own bundle
            assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), (
                requirement
            )


def test_other_recipes_name_the_same_version(repository):
    recipe = (repository / "conda" / "meta.yaml").read_text("utf-8")
    assert f'version: "{akita_bayes.__version__}"' in recipe
    citation = (repository / "CITATION.cff").read_text("utf-8")
    assert f"version: {akita_bayes.__version__}\n" in citation


def runtime_libraries(requirement: Requirement, names: set[str]) -> set[str]:
    """Adds the names of all libraries that pip installs for a requirement; returns the set."""
    name = canonicalize_name(requirement.name)
    if name in names:
        return names
    names.add(name)
    for text in importlib.metadata.requires(requirement.name) or []:
        further = Requirement(text)
        extras = ("", *requirement.extras)
        if not further.marker or any(further.marker.evaluate({"extra": e}) for e in extras):
            runtime_libraries(further, names)
    return names


def built_here(names: set[str]) -> set[str]:
    """Returns the libraries that pip built with a compiler; PyPI takes no wheel of plain linux."""
    wheels = {name: importlib.metadata.distribution(name).read_text("WHEEL") for name in names}
    return {
        name for name, text in wheels.items() if re.search(r"^Tag: .+-linux_", text or "", re.M)
    }


@pytest.mark.skipif(sys.platform != "linux", reason="the tag of local builds is that of Linux")
def test_the_package_is_installed_without_a_compiler(repository):
    setup = (repository / "setup.py").read_text("utf-8")
    names: set[str] = set()
    for requirement in requirements(setup):
        if not requirement.marker or requirement.marker.evaluate():
            runtime_libraries(requirement, names)
    assert {"tensorflow", "cooler", "h5py", "pybigwig"} <= names
    assert built_here(names) == set()
    assert built_here(runtime_libraries(Requirement("cooltools"), names)) == {"cooltools"}
