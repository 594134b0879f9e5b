"""Lists settings of training data by name, as options of `akita_data.py`."""

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    "akita_v1": {
        "seq_length": 1048576,
        "pool_width": 2048,
        "crop": 65536,
        "diagonal_offset": 2,
        "as_obsexp": True,
        "clip": 2.0,
        "kernel_sigma": 1.0,
        "kernel_width": 5,
        "stride_train": 262144,
        "stride_test": 524288,
    },
    "akita_v2": {
        "seq_length": 1310720,
        "pool_width": 2048,
        "crop": 131072,
        "diagonal_offset": 2,
        "as_obsexp": True,
        "kernel_sigma": 1.0,
        "kernel_width": 5,
        "stride_train": 327680,
        "stride_test": 655360,
        "folds": 8,
    },
    "akita_yeast": {
        "seq_length": 64_000,
        "pool_width": 2000,
        "crop": 8000,
        "diagonal_offset": 2,
        "as_obsexp": True,
        "kernel_sigma": 1.5,
        "stride_train": 4000,
        "stride_test": 32_000,
    },
}
"""Options of each preset; lengths are in bases."""
