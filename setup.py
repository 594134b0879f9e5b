"""The one source of metadata. `pyproject.toml` holds tool settings only."""

import re
from pathlib import Path

import setuptools

ROOT = Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "(.+)"$', (ROOT / "akita_bayes" / "__init__.py").read_text("utf-8"), re.M
)[1]
DASK = ["distributed>=2025.1"]
# It has no wheels, so that pip builds it with a C compiler.
COOLTOOLS = ["cooltools>=0.7.1,<0.8"]
COMMANDS = sorted(path.stem for path in ROOT.glob("bin/*.py"))

setuptools.setup(
    name="akita_bayes",
    version=VERSION,
    description="Predict how DNA folds and regulates, and how sure the prediction is.",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    packages=[
        *setuptools.find_packages(include=["akita_bayes", "akita_bayes.*"]),
        "akita_bayes.model_zoo",
    ],
    # A wheel holds the specs and trained models inside the package; `models/shipped.py` finds them.
    package_dir={"akita_bayes.model_zoo": "models"},
    package_data={
        "akita_bayes": ["py.typed"],
        "akita_bayes.cli": ["*.json"],
        "akita_bayes.report": ["template/*"],
        "akita_bayes.model_zoo": ["json/*.json", "pretrained/*/*"],
    },
    install_requires=[
        "tensorflow>=2.18,<2.22",
        "keras>=3.10,<3.16",
        "tensorflow-probability[tf]>=0.25,<0.26",
        "numpy>=1.26,<3",
        "pandas>=2.2.2,<4",
        "scipy>=1.13,<2",
        "h5py>=3.12,<4",
        "pysam>=0.22,<0.25",
        "pyBigWig>=0.3.22,<0.4",
        "cooler>=0.10,<0.12",
        "hictkpy>=1.3,<2",
        "numba>=0.60,<0.70",
        "bioframe>=0.7,<0.9",
        "matplotlib>=3.8,<4",
        "logomaker>=0.8,<0.9",
        "pydantic>=2.7,<3",
        "rich>=14.1,<16",
        # tensorflow-probability imports distutils, which Python 3.12 no longer has.
        "setuptools>=75,<81; python_version >= '3.12'",
        "shtab>=1.7,<2",
        "tensorboard>=2.18,<2.22",
        "threadpoolctl>=3.5,<4",
    ],
    extras_require={
        "gpu": ["tensorflow[and-cuda]>=2.18,<2.22"],
        "cooltools": COOLTOOLS,
        "dask": DASK,
        "docs": ["mkdocs>=1.6,<2", "mkdocs-material>=9.5,<10"],
        "dev": [
            *COOLTOOLS,
            *DASK,
            "hypothesis>=6.100,<7",
            "jax[cpu]>=0.4.35,<0.11",
            "mypy>=1.10,<3",
            "pytest>=8.2,<10",
            "pytest-xdist>=3.6,<4",
            "ruff>=0.5,<0.18",
            "setuptools>=64,<81",
            "wheel>=0.43,<1",
        ],
    },
    entry_points={
        "console_scripts": [
            "akita_bayes = akita_bayes.cli.all_commands:main",
            # Under the names of Basenji's scripts too, so that old command lines work.
            *(
                f"{name}{ending} = akita_bayes.cli.{name}:main"
                for name in COMMANDS
                for ending in ("", ".py")
            ),
        ],
    },
    classifiers=[
        "License :: OSI Approved :: MIT License",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Bio-Informatics",
    ],
)
