"""What a directory of results holds, without the times that HDF5 keeps."""

import h5py

from akita_bayes.origins import provenance


def _content(path):
    """The bytes of a file; of HDF5, whose objects carry times, every dataset and attribute."""
    if path.suffix not in (".h5", ".cool", ".mcool"):
        return path.read_bytes()
    values = {}
    with h5py.File(path) as file:
        values[""] = sorted(
            (key, str(value)) for key, value in file.attrs.items() if key != "creation-date"
        )
        file.visititems(
            lambda name, item: values.update(
                {
                    name: (
                        repr(item[()].tolist()) if isinstance(item, h5py.Dataset) else None,
                        sorted((key, str(value)) for key, value in item.attrs.items()),
                    )
                }
            )
        )
    return values


def contents(out):
    """The content of every file below a directory, without the record of the command line."""
    paths = [path for path in out.rglob("*") if path.is_file() and path.name != provenance.FILE]
    return {str(path.relative_to(out)): _content(path) for path in paths}


def files_of(out):
    """The bytes of every file in a directory, without the record of the command line."""
    paths = [path for path in out.iterdir() if path.name != provenance.FILE]
    return {path.name: path.read_bytes() for path in paths}
