"""Data of the yeast benchmark: genome, folds and windows.

The map is `scer_w303_g1_2kb_SRR8769554.cool`, budding yeast in G1 (W303) at 2 kb; the genome is
sacCer3. The cooler names chromosomes chr1 to chr16 and lacks empty bins at the ends of four of
them, so the genome is written as FASTA with these names and cut to these lengths.
"""

import struct
from pathlib import Path
from typing import NamedTuple

import cooler
import numpy as np

from akita_bayes import errors, files
from akita_bayes.data.contacts import counts_to_targets

COOLER = Path("hic") / "scer_w303_g1_2kb_SRR8769554.cool"
GENOME = Path("genome") / "yeast" / "sacCer3.2bit"
SECOND = Path("genome") / "yeast" / "yeast.10kb.v3.cool"

VALID = ("chr3", "chr8", "chr9")
"""Validation chromosomes of every fold; no fold tests on them, since settings were chosen here."""
FOLDS = (
    ("chr2", "chr11", "chr14"),
    ("chr5", "chr7", "chr10"),
    ("chr1", "chr15", "chr16"),
)
"""Test chromosomes of each fold, 2.3 to 2.4 Mb of 12 Mb."""

TRANSFORM = counts_to_targets.Transform(
    64_000, 2000, crop=8000, diagonal_offset=2, as_obsexp=True, kernel_sigma=1.5
)
STRIDE_TRAIN, STRIDE_TEST = 4000, 32_000
FASTA = "sacCer3.fa"

ROMAN = (
    *("I", "II", "III", "IV", "V", "VI", "VII", "VIII"),
    *("IX", "X", "XI", "XII", "XIII", "XIV", "XV", "XVI"),
)
"""Numbers of the chromosomes in the genome and in the second experiment."""

_SIGNATURE = 0x1A412743


class Sources(NamedTuple):
    """Paths of the inputs."""

    genome: Path
    cooler: Path
    second: Path

    @classmethod
    def under(cls, folder: Path) -> "Sources":
        """Returns the paths in a folder of public data, as `data/README.md` lays it out."""
        sources = cls(folder / GENOME, folder / COOLER, folder / SECOND)
        for path in sources:
            if not path.is_file():
                raise errors.DataError(f"{path}: no such file; see docs/real.md for its source.")
        return sources


def make(sources: Sources, fold: int, folder: Path) -> Path:
    """Writes the data directory of a fold by `akita_data.py`, unless it exists; returns it."""
    from akita_bayes.cli import akita_data

    data = folder / f"data_fold{fold}"
    if (data / "statistics.json").is_file():
        return data
    fasta = _write_genome(sources, folder)
    table = folder / "targets.txt"
    path = sources.cooler.resolve()
    with files.atomic(table) as temporary:
        temporary.write_text(f"index\tidentifier\tfile\tdescription\n0\tg1\t{path}\tW303 in G1\n")
    status = akita_data.main(
        [
            *(str(fasta), str(table), "-o", str(data)),
            *("-l", str(TRANSFORM.seq_length), "-w", str(TRANSFORM.pool_width)),
            *("-c", str(TRANSFORM.crop), "-d", str(TRANSFORM.diagonal_offset)),
            *("--as_obsexp", "-k", str(TRANSFORM.kernel_sigma)),
            *("--stride_train", str(STRIDE_TRAIN), "--stride_test", str(STRIDE_TEST)),
            *("-v", ",".join(VALID), "-t", ",".join(FOLDS[fold])),
        ]
    )
    if status:
        raise SystemExit(status)
    return data


def _write_genome(sources: Sources, folder: Path) -> Path:
    """Writes the chromosomes as FASTA, with the names and lengths of the cooler."""
    fasta = folder / FASTA
    if fasta.is_file():
        return fasta
    lengths = cooler.Cooler(str(sources.cooler)).chromsizes
    sequences = read_2bit(sources.genome)
    with files.atomic(fasta) as temporary, open(temporary, "w", encoding="ascii") as file:
        for number, roman in enumerate(ROMAN, 1):
            sequence = sequences[f"chr{roman}"][: int(lengths[f"chr{number}"])]
            rows = (sequence[start : start + 60] for start in range(0, len(sequence), 60))
            file.write(f">chr{number}\n" + "\n".join(rows) + "\n")
    return fasta


def read_2bit(path: Path) -> dict[str, str]:
    """Reads all sequences of a 2bit file, in capitals; blocks of unknown bases become N."""
    raw = path.read_bytes()
    signature, _, count, _ = struct.unpack_from("<4I", raw)
    if signature != _SIGNATURE:
        raise errors.DataError(f"{path}: is not a little-endian 2bit file.")
    sequences, position = {}, 16
    for _ in range(count):
        end = position + 1 + raw[position]
        name = raw[position + 1 : end].decode("ascii")
        sequences[name] = _sequence(raw, struct.unpack_from("<I", raw, end)[0])
        position = end + 4
    return sequences


def _sequence(raw: bytes, offset: int) -> str:
    """Decodes the record at `offset`: size, blocks of N, blocks in lower case, packed bases."""
    size, blocks = struct.unpack_from("<2I", raw, offset)
    starts = np.frombuffer(raw, "<u4", blocks, offset + 8)
    sizes = np.frombuffer(raw, "<u4", blocks, offset + 8 + 4 * blocks)
    offset += 8 + 8 * blocks
    (lower,) = struct.unpack_from("<I", raw, offset)
    offset += 4 + 8 * lower + 4
    packed = np.frombuffer(raw, np.uint8, (size + 3) // 4, offset)
    # Four bases per byte, the first in the highest bits; T C A G are 0 1 2 3.
    bases = (packed[:, None] >> np.array([6, 4, 2, 0], np.uint8)) & 3
    letters = np.frombuffer(b"TCAG", np.uint8)[bases.ravel()[:size]]
    for start, length in zip(starts, sizes, strict=True):
        letters[start : start + length] = ord("N")
    return letters.tobytes().decode("ascii")
