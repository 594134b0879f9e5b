"""Opens a file of contacts by its format, and chooses one of its resolutions."""

from pathlib import Path

from akita_bayes import errors
from akita_bayes.data import assembly
from akita_bayes.data.contacts import contact_file, cooler_files, coolers, hic_files


def open_contacts(
    source: contact_file.Source, genome: assembly.Assembly, *, folder: Path | None = None
) -> contact_file.ContactFile:
    """Opens a cooler or a .hic file of one resolution.

    Args:
        source: A source that `locate` returned.
        genome: The genome.
        folder: Folder in which processes of one run share weights that were computed.

    Raises:
        DataError: The file cannot be read, lacks its weights, or does not fit the genome.
    """
    if hic_files.is_hic(contact_file.path_of(source.uri)):
        return hic_files.HicContacts(source, genome)
    return coolers.Contacts(source, genome, folder=folder)


def locate(uri: str, width: int | None = None) -> str:
    """Returns the URI of one resolution of a file.

    Args:
        uri: Path of a cooler or a .hic file; a group after `::` is the resolution.
        width: Bases per bin that the user asks for; None for the only resolution.

    Raises:
        DataError: The file cannot be read, has several resolutions and none is asked for, or lacks
            the one that is.
    """
    path, _, group = uri.partition("::")
    if hic_files.is_hic(Path(path)):
        return _locate_hic(path, group, width)
    if group:
        return uri
    groups = cooler_files.widths(Path(path))
    if "/" in groups or not groups:
        return uri
    if width is None and len(groups) > 1:
        listed = ", ".join(_width(groups[name]) for name in _by_width(groups))
        raise errors.DataError(
            f"{path}: holds several resolutions ({listed} bases); choose one with -w, or write "
            f"the one to use, as {path}::{_by_width(groups)[0]}."
        )
    fitting = [name for name in groups if width is None or groups[name] == width]
    if not fitting:
        listed = ", ".join(_width(groups[name]) for name in _by_width(groups))
        raise errors.DataError(
            f"{path}: has no bins of {width:,} bases, only of {listed}; choose one with -w."
        )
    return f"{path}::{fitting[0]}"


def bin_width(uri: str) -> int:
    """Returns the bin width of a file of one resolution, in bases.

    Raises:
        DataError: The file cannot be read, has several resolutions, or its bins vary in width.
    """
    located = locate(uri)
    if hic_files.is_hic(contact_file.path_of(located)):
        return int(located.rpartition("/")[2])
    return int(cooler_files.open_cooler(located).binsize)


def _locate_hic(path: str, group: str, width: int | None) -> str:
    available = hic_files.widths(Path(path))
    text = group.strip("/").removeprefix("resolutions/")
    if group and not text.isdecimal():
        raise errors.DataError(
            f'{path}: "::{group}" is not a resolution of a .hic file; expected '
            f"::/resolutions/{available[0]}."
        )
    if not group and width is None and len(available) > 1:
        listed = ", ".join(f"{width:,}" for width in available)
        raise errors.DataError(
            f"{path}: holds several resolutions ({listed} bases); choose one with -w."
        )
    chosen_width = int(text) if group else width or available[0]
    if chosen_width not in available:
        listed = ", ".join(f"{width:,}" for width in available)
        raise errors.DataError(
            f"{path}: has no bins of {chosen_width:,} bases, only of {listed}; choose one with -w."
        )
    return f"{path}::/resolutions/{chosen_width}"


def _by_width(groups: dict[str, int | None]) -> list[str]:
    return sorted(groups, key=lambda name: groups[name] or 0)


def _width(width: int | None) -> str:
    return "varying" if width is None else f"{width:,}"
