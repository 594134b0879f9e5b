"""Reads specs of networks and mechanisms; a network may use every block of this package."""

from pathlib import Path
from typing import Any

from akita_bayes import errors, files
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.models import shipped
from akita_bayes.specs import spec


def vocabulary() -> spec.Vocabulary:
    """Returns every block that a spec may use, by name."""
    from akita_bayes import blocks

    return blocks.registry.words()


def load_spec(path: str | Path) -> "spec.Spec | mechanism_spec.Mechanism":
    """Reads the JSON spec of a network, or of a regulatory mechanism.

    Args:
        path: A JSON file, or the bare name of a shipped spec, such as "akita_tiny". The key "model"
            marks a network, in Basenji's schema with old spellings included; "states" or "species"
            mark a mechanism.

    Returns:
        A frozen spec that holds every default; `print` it to see them.

    Raises:
        DataError: The file is missing or is not JSON.
        SpecError: A key is unknown, a type is wrong, or numbers disagree; the error names the JSON
            path.
    """
    path = shipped.spec_path(path)
    raw = files.read_json(path)
    if isinstance(raw, dict) and "model" not in raw and {"kind", "states", "species"} & set(raw):
        return mechanism_spec.load(path)
    return spec.load(path, vocabulary())


def parse_spec(raw: Any) -> spec.Spec:
    """Validates the spec of a network that was read from JSON.

    Raises:
        SpecError: As `load_spec`.
    """
    return spec.parse(raw, vocabulary())


def load_network(path: str | Path) -> spec.Spec:
    """Reads the JSON spec of a network; refuses a mechanism.

    Raises:
        DataError: As `load_spec`.
        SpecError: As `load_spec`, or the file holds a mechanism.
    """
    loaded = load_spec(path)
    if not isinstance(loaded, spec.Spec):
        raise errors.SpecError(f"{path}: is a mechanism, not a network; mpra_fit.py takes it.")
    return loaded
