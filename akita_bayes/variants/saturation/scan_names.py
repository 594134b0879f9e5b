"""Names scans in `sat.h5` and in the names of files."""

import urllib.parse

from akita_bayes import regions
from akita_bayes.files import safe_names


def group_name(region: regions.Region, allele: str = "") -> str:
    """Returns the name of a region, as `chr1:506-514`, or `chr1:506-514@510A>T` with an allele.

    Coordinates are those of a BED; characters that a name cannot hold are quoted as in URLs.
    """
    name = f"{urllib.parse.quote(region.chrom, safe='')}:{region.start}-{region.end}"
    return f"{name}@{urllib.parse.quote(allele, safe='>*')}" if allele else name


def file_name(region: regions.Region, allele: str = "") -> str:
    """Returns the group name with "_" for characters that have a meaning in commands or shells."""
    name = group_name(region, allele).translate({ord(sign): "_" for sign in ":>*"})
    return safe_names.limited(name)
