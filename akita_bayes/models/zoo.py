"""Reading a spec of any kind, with every block of this package as its vocabulary."""

from pathlib import Path
from typing import Any

from akita_bayes import errors, files
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.specs import spec


def vocabulary() -> spec.Vocabulary:
    """Every block that a spec may use, by name."""
    from akita_bayes import blocks

    return blocks.registry.words()


def load_spec(path: str | Path) -> "spec.Spec | mechanism_spec.Mechanism":
    """Reads the JSON spec of a network, or of a regulatory mechanism.

    Args:
        path: A JSON file. With the key "model" it is a network's, in Basenji's schema, old
            spellings included; with "states" or "species" a mechanism's.

    Returns:
        A frozen value with every default resolved; `print` it to see them.

    Raises:
        DataError: The file is missing or is no JSON.
        SpecError: An unknown key, a wrong type or numbers that disagree; names the JSON path.
    """
    raw = files.read_json(path)
    if isinstance(raw, dict) and "model" not in raw and {"kind", "states", "species"} & set(raw):
        return mechanism_spec.load(path)
    return spec.load(path, vocabulary())


def parse_spec(raw: Any) -> spec.Spec:
    """Validates the spec of a network, as read from JSON.

    Raises:
        SpecError: As `load_spec`.
    """
    return spec.parse(raw, vocabulary())


def load_network(path: str | Path) -> spec.Spec:
    """As `load_spec`, where only a network will do.

    Raises:
        SpecError: The file holds a mechanism.
    """
    loaded = load_spec(path)
    if not isinstance(loaded, spec.Spec):
        raise errors.SpecError(f"{path}: is a mechanism, not a network; mpra_fit.py takes it.")
    return loaded
