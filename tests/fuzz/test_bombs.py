"""Small files that would become gigabytes, read by a process that may take 1 GiB more."""

import gzip
import json
import subprocess
import sys
import zipfile
import zlib

import h5py
import numpy as np
import pysam
import pytest

from tests import tiny

READ = """
import json, resource, sys
from akita_bayes import errors, regions
from akita_bayes.data import genome
from akita_bayes.data.records import statistics, tfrecord
from akita_bayes.files import read_json
from akita_bayes.models import recalibration, swag, zoo
from akita_bayes.regulation.assay import delimited
from akita_bayes.variants import genes
from akita_bayes.variants.alleles import vcf
from akita_bayes.variants.scores import background

def vcf_lines(path):
    with vcf.opened(path) as lines:
        return list(lines)

readers = {
    "bed": lambda path: sum(1 for _ in regions.read_bed(path)), "gtf": genes.read,
    "csv": delimited.read, "vcf": vcf_lines, "npz": swag.load, "json": read_json,
    "tfr": lambda path: list(tfrecord.read_records(path, statistics.read("data"))),
    "h5": background._load, "spec": zoo.load_network, "fasta": genome.Genome,
}
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (1 << 30),) * 2)
outcomes = {}
for path in sys.argv[1:]:
    try:
        readers[path.split("_")[0]](path)
        outcomes[path] = "read"
    except errors.AkitaBayesError as error:
        outcomes[path] = str(error)
    except BaseException as error:
        outcomes[path] = f"defect {error!r}"
print(json.dumps(outcomes))
"""
SIZE = 48 << 20
LONG = b"x" * 1000  # long lines are quick to read up to the limit


def gzip_of(line):
    """As many members as make SIZE bytes of a line."""
    block = line * ((1 << 20) // len(line))
    return gzip.compress(block) * (SIZE >> 20)


def write_npz(path, claimed, blocks):
    """An archive with one array, whose header claims some number of values."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (claimed,)}
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("mean.npy", "w") as member,
    ):
        np.lib.format.write_array_header_1_0(member, header)
        for block in blocks:
            member.write(block)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bombs")
    tiny.write_data(folder / "data", train=1, valid=1, test=1)
    one_line = gzip.compress(b"x" * (1 << 20)) * (SIZE >> 20)
    contents = {
        "bed_lines.bed.gz": gzip_of(b"chr1\t0\t10\t" + LONG + b"\n"),
        "bed_line.bed.gz": one_line,
        "gtf_lines.gtf.gz": gzip_of(
            b'chr1\tx\tgene\t1\t9\t.\t+\t.\tgene_name "A"; ' + LONG + b"\n"
        ),
        "csv_lines.csv.gz": gzip_of(b"a," + LONG + b"\n"),
        "vcf_lines.vcf.gz": gzip_of(b"##x=" + LONG + b"\n"),
        "vcf_line.vcf.gz": one_line,
        "json_deep.json": b"[" * 100_000 + b"]" * 100_000,
        "json_nested.json": b'{"a":' * 900 + b"1" + b"}" * 900,
        "json_digits.json": b"[" + b"9" * 5000 + b"]",
        "spec_deep.json": b"[" * 100_000 + b"]" * 100_000,
    }
    stream = zlib.compressobj(9, strategy=zlib.Z_RLE)
    parts = [stream.compress(bytes(1 << 20)) for _ in range(SIZE >> 20)]
    contents["tfr_zeros.tfr"] = b"".join([*parts, stream.flush()])
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    letters = tmp_path_factory.mktemp("letters") / "genome.fa"
    letters.write_bytes(b">chr1\n" + b"N" * SIZE + b"\n")
    pysam.tabix_compress(str(letters), str(folder / "fasta_letters.fa.gz"))
    write_npz(folder / "npz_zeros.npz", SIZE // 4, [bytes(1 << 20)] * (SIZE >> 20))
    write_npz(folder / "npz_claim.npz", 1 << 40, [])
    with h5py.File(folder / "h5_claim.h5", "w") as file:
        file.create_dataset("identity/stratum/SCD", (1 << 40,), "f8", chunks=(1 << 20,))
    for key, value in {"repeat": 10**6, "pool_size": 0, "kernel_size": 0}.items():
        spec = tiny.spec_json()
        spec["model"]["trunk"] = [{"name": "conv_tower", "filters_init": 4, key: value}]
        (folder / f"spec_{key}.json").write_text(json.dumps(spec))
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    command = [sys.executable, "-c", READ, *names]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout.splitlines()[-1])


def test_bombs_are_refused(outcomes):
    assert {name for name, text in outcomes.items() if text.startswith(("read", "defect"))} == set()
    assert len(outcomes) == 18


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bed_line.bed.gz", "expected at most 200 times as many"),
        ("fasta_letters.fa.gz", "expected at most 200 times as many"),
        ("tfr_zeros.tfr", "expected at most 200 times as many"),
        ("npz_zeros.npz", "expected at most 200 times as many"),
        ("h5_claim.h5", "expand to 8,796,093,022,208 or more"),
        ("npz_claim.npz", "an array of shape (1099511627776,)"),
        ("spec_repeat.json", "has 1,000,007 blocks with all repeats; expected at most 1,000"),
        ("json_nested.json", "more than 100 lists or objects"),
    ],
)
def test_messages_state_the_limit(outcomes, name, message):
    assert message in outcomes[name]
