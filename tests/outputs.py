"""What a directory of results holds, without the times that HDF5 keeps."""

import h5py


def _content(path):
    """The bytes of a file; of HDF5, whose objects carry times, every dataset and attribute."""
    if path.suffix != ".h5":
        return path.read_bytes()
    values = {}
    with h5py.File(path) as file:
        values[""] = sorted((key, str(value)) for key, value in file.attrs.items())
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
    """The content of every file below a directory."""
    return {str(p.relative_to(out)): _content(p) for p in out.rglob("*") if p.is_file()}
