"""Two mechanisms as JSON declares them, and a way to change them."""

import copy

TWO_SITES = {
    "kind": "thermodynamic",
    "name": "two_sites",
    "sequence_length": 8,
    "energies": {"a": {"site": [0, 3]}, "b": {"site": [4, 8]}, "ab": {}},
    "states": {
        "free": {},
        "a": {"energies": ["a"]},
        "b": {"energies": ["b"], "activity": 1},
        "ab": {"energies": ["a", "b", "ab"], "activity": 1},
    },
}
CYCLE = {
    "kind": "kinetic",
    "name": "cycle",
    "sequence_length": 6,
    "species": ["unbound", "closed", "open"],
    "rates": {
        "k1": {"from": "unbound", "to": "closed", "site": [0, 6]},
        "k-1": {"from": "closed", "to": "unbound"},
        "k2": {"from": "closed", "to": "open"},
        "k-2": {"from": "open", "to": "closed", "value": 0},
        "k3": {"from": "open", "to": "unbound", "value": 1.0},
    },
    "product": ["k3"],
}


def changed(spec, **changes):
    """A copy with dotted keys set, or removed where the value is `...`; "__" stands for a dot."""
    spec = copy.deepcopy(spec)
    for path, value in changes.items():
        *folders, last = path.split("__")
        section = spec
        for folder in folders:
            section = section[folder]
        if value is ...:
            del section[last]
        else:
            section[last] = value
    return spec
