"""Describes a genome for other files: chromosome lengths, circles, and names in those files.

Files of one genome name its chromosomes differently. Two names are the same chromosome when they
are equal, differ by `chr` alone, are both names of the mitochondrial genome (M, MT, Mito), or when
the chromosomes of one side are numbered by Roman numerals without a gap (I, II, III, ...) and the
other by whole numbers. Chromosome X of an animal is therefore no number: its genome lacks I to IX.
If one file and the genome have a single chromosome each, these are the same. Where two chromosomes
of a file claim one chromosome of the genome, a table of names has to decide.
"""

import dataclasses
import functools
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from akita_bayes import errors, files, regions

_MITOCHONDRIAL = frozenset({"M", "MT", "MITO"})
_ROMAN = tuple(zip((50, 40, 10, 9, 5, 4, 1), ("L", "XL", "X", "IX", "V", "IV", "I"), strict=True))


_ENDINGS = (".gz", ".bgz", ".fa", ".fasta", ".fna", ".2bit")


def name_of(fasta: str | Path) -> str:
    """Returns the name of a genome from that of its file: hg38 of hg38.fa.gz."""
    name = Path(fasta).name
    while ending := next((end for end in _ENDINGS if name.lower().endswith(end)), None):
        name = name[: -len(ending)]
    return name


@dataclasses.dataclass(frozen=True)
class Assembly:
    """Describes a genome.

    Attributes:
        lengths: (chromosome, bases) of the genome.
        circular: Chromosomes whose last base is followed by their first.
        table: (name in other files, name in the genome), which precede all conventions.
    """

    lengths: tuple[tuple[str, int], ...]
    circular: tuple[str, ...] = ()
    table: tuple[tuple[str, str], ...] = ()

    @functools.cached_property
    def sizes(self) -> dict[str, int]:
        """Returns the bases of each chromosome."""
        return dict(self.lengths)

    def period(self, chrom: str, width: int) -> int | None:
        """Returns the number of bins around a circle; None for a linear chromosome.

        Bins behind the origin begin again at base 0. The last bin is rarely as long as the others;
        rounding shifts the bins behind the origin by at most half a bin against the sequence.
        """
        if chrom not in self.circular:
            return None
        return max(1, (self.sizes[chrom] + width // 2) // width)

    def periods(self, width: int) -> dict[str, int]:
        """Returns the period of each circular chromosome, in bases of whole bins."""
        return {
            chrom: bins * width
            for chrom in self.circular
            if (bins := self.period(chrom, width)) is not None
        }

    def names(
        self, chroms: Iterable[str], source: str, *, complete: bool = False
    ) -> dict[str, str]:
        """Returns the genome's name of each chromosome of a file that the genome has.

        Args:
            chroms: Chromosomes of the file.
            source: The file, for messages.
            complete: True when the file lists all of its chromosomes, so that a single one is the
                single chromosome of the genome.

        Raises:
            DataError: The file has chromosomes, and the genome has none of them; or two
                chromosomes of the file may be the same chromosome of the genome.
        """
        chroms = list(dict.fromkeys(chroms))
        matches = self._matches(chroms, source)
        if complete and not matches and len(chroms) == len(self.lengths) == 1:
            matches = {chroms[0]: self.lengths[0][0]}
        if chroms and not matches:
            raise errors.DataError(
                f"{source}: no chromosome in common with the genome: it has {_some(chroms)}, the "
                f"genome {_some(self.sizes)}; if they are the same, give --chromosomes a table of "
                "both names."
            )
        _tell_renamed(tuple(matches.items()), source)
        return matches

    def translate(self, chroms: Iterable[str], source: str) -> tuple[str, ...]:
        """Returns names with those of the genome where it has them, and others unchanged."""
        chroms = tuple(chroms)
        matches = self._matches(list(dict.fromkeys(chroms)), source)
        _tell_renamed(tuple(matches.items()), source)
        return tuple(matches.get(chrom, chrom) for chrom in chroms)

    def read_bed(self, path: str | Path) -> Iterator[tuple[regions.Region, list[str]]]:
        """Yields (region, further columns) of each BED line, with the genome's names.

        A chromosome that the genome lacks keeps its name.

        Raises:
            DataError: As `regions.read_bed` and `names`.
        """
        lines = list(regions.read_bed(path))
        own = self.names((region.chrom for region, _ in lines), str(path))
        for region, columns in lines:
            yield region._replace(chrom=own.get(region.chrom, region.chrom)), columns

    def _matches(self, chroms: list[str], source: str) -> dict[str, str]:
        matches = {chrom: own for chrom, own in self.table if chrom in chroms}
        for own in matches.values():
            _check_single(source, [chrom for chrom in matches if matches[chrom] == own], own)
        for chrom in chroms:
            if chrom in self.sizes and chrom not in matches and chrom not in matches.values():
                matches[chrom] = chrom
        # Names that are equal or in the table leave nothing to guess; the others may be rivals.
        assigned = set(matches.values())
        numbers = _roman(chroms)
        claims: dict[str, list[str]] = {}
        for chrom in chroms:
            if chrom in matches:
                continue
            keys = {_key(chrom), str(numbers.get(_key(chrom), ""))} - {""}
            candidates = {own for key in keys for own in self._names_of.get(key, ())} - assigned
            if len(candidates) > 1:
                raise _ambiguous(source, [chrom], sorted(candidates))
            for own in candidates:
                claims.setdefault(own, []).append(chrom)
        for own, rivals in claims.items():
            _check_single(source, rivals, own)
            matches[rivals[0]] = own
        return {chrom: matches[chrom] for chrom in chroms if chrom in matches}

    @functools.cached_property
    def _names_of(self) -> dict[str, set[str]]:
        """Returns the chromosomes of each name without `chr`; IV is also found as 4."""
        names: dict[str, set[str]] = {}
        numbers = _roman(self.sizes)
        for own in self.sizes:
            for key in {_key(own), str(numbers.get(_key(own), ""))} - {""}:
                names.setdefault(key, set()).add(own)
        return names


def of(
    sizes: Mapping[str, int],
    *,
    circular: tuple[str, ...] = (),
    table: tuple[tuple[str, str], ...] = (),
) -> Assembly:
    """Returns the assembly of chromosomes of these lengths."""
    return Assembly(tuple(sizes.items()), circular, table)


def read_table(path: str | Path, names: Collection[str]) -> tuple[tuple[str, str], ...]:
    """Reads a table of two columns: the name in other files, and the name in the genome.

    Args:
        path: Text with two columns, separated by blanks or tabs; lines that begin with # and blank
            lines are ignored.
        names: Chromosomes of the genome.

    Raises:
        DataError: A line has another number of columns, the genome lacks a chromosome, or a name
            stands in two lines with different chromosomes.
    """
    rows: dict[str, str] = {}
    for number, line in enumerate(files.lines(path, "table of chromosomes"), 1):
        columns = line.split("\t") if "\t" in line else line.split()
        if not line.strip() or line.startswith("#"):
            continue
        if len(columns) != 2:
            raise errors.DataError(
                f"{path}, line {number}: has {len(columns)} columns; expected the name in contact "
                "files and the name in the genome."
            )
        name, own = (column.strip() for column in columns)
        if own not in names:
            raise errors.DataError(
                f'{path}, line {number}: the genome has no chromosome "{own}".'
                + errors.did_you_mean(own, names)
            )
        if rows.setdefault(name, own) != own:
            raise errors.DataError(
                f'{path}, line {number}: "{name}" is also {rows[name]}; name it once.'
            )
    return tuple(rows.items())


def _key(chrom: str) -> str:
    """Returns what conventions leave of a name: chrM, MT and Mito are M."""
    bare = chrom[3:] if chrom[:3].lower() == "chr" else chrom
    return "M" if bare.upper() in _MITOCHONDRIAL else bare


def _roman(chroms: Iterable[str]) -> dict[str, int]:
    """Returns the number of each numeral, if I, II, ... are names without a gap.

    Of I, II, III and X, only the first three are numbers.
    """
    keys = {_key(chrom) for chrom in chroms}
    numbers: dict[str, int] = {}
    for number in itertools.count(1):
        name = numeral(number)
        if name not in keys:
            return numbers if len(numbers) > 1 else {}
        numbers[name] = number
    return numbers


def numeral(number: int) -> str:
    """Returns a number from 1 to 89 as a Roman numeral: 14 is XIV."""
    letters = ""
    for value, symbol in _ROMAN:
        letters += symbol * (number // value)
        number %= value
    return letters


def _check_single(source: str, rivals: list[str], own: str) -> None:
    if len(rivals) > 1:
        raise _ambiguous(source, rivals, [own])


def _ambiguous(source: str, chroms: list[str], names: list[str]) -> errors.DataError:
    return errors.DataError(
        f"{source}: {' and '.join(chroms[:3])} may be {' or '.join(names[:3])} of the genome; give "
        "--chromosomes a table that names one pair."
    )


@functools.lru_cache(maxsize=1024)
def _tell_renamed(matches: tuple[tuple[str, str], ...], source: str) -> None:
    """Logs other names of a file once in a process, however often the file is opened."""
    renamed = {chrom: own for chrom, own in matches if chrom != own}
    if renamed:
        regions.tell_renamed(renamed, source)


def _some(names: Iterable[str]) -> str:
    return ", ".join(itertools.islice(names, 4))
