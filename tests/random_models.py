"""Networks whose weights are all away from their starting values, as fixtures."""

import numpy as np
import pytest


def randomised(spec, seed=0):
    """A network whose weights and statistics are all away from their starting values."""
    from akita_bayes.models import build, zoo

    model = build.build(zoo.parse_spec(spec))
    random = np.random.default_rng(seed)
    for variable in model.variables:
        if "seed" in variable.path:
            continue
        values = variable.numpy()
        if "moving_variance" in variable.path:
            values = random.uniform(0.5, 1.5, values.shape)
        elif "gamma" in variable.path:
            values = random.normal(0.6, 0.2, values.shape)
        elif values.ndim < 2:
            values = random.normal(0, 0.2, values.shape)
        else:
            values = random.normal(0, np.sqrt(2 / np.prod(values.shape[:-1])), values.shape)
        variable.assign(values)
    return model


@pytest.fixture(scope="session")
def randomise():
    return randomised


@pytest.fixture(scope="session")
def small_model():
    """12 bins of 16 bases: computed in batches."""
    from tests import tiny

    return randomised(tiny.spec_json())


@pytest.fixture(scope="session")
def latent_model():
    """The same with a Gaussian latent before the pairs."""
    from tests import tiny

    spec = tiny.spec_json(loss="elbo")
    latent = {"name": "normal_latent", "units": 5, "initial_scale": 0.5}
    spec["model"]["head_hic"].insert(0, latent)
    return randomised(spec, seed=4)


def strip_spec(**first):
    """128 bins of 8 bases, a dilated trunk and head: computed in tiles and strips."""
    return {
        "train": {"batch_size": 2},
        "model": {
            "seq_length": 1024,
            "diagonal_offset": 2,
            "augment_rc": True,
            "augment_shift": 2,
            "activation": "relu",
            "norm_type": "batch",
            "bn_momentum": 0.9,
            "trunk": [
                {"name": "conv_block", "filters": 8, "kernel_size": 7, "pool_size": 2},
                {
                    "name": "conv_tower",
                    "filters_init": 8,
                    "kernel_size": 5,
                    "pool_size": 2,
                    "repeat": 2,
                },
                {"name": "dilated_residual", "filters": 6, "rate_mult": 2.0, "repeat": 2},
                {"name": "conv_block", "filters": 6, "kernel_size": 3, **first},
            ],
            "head_hic": [
                {"name": "one_to_two", "operation": "mean"},
                {"name": "concat_dist_2d"},
                {"name": "conv_block_2d", "filters": 6, "kernel_size": 3},
                {"name": "symmetrize_2d"},
                {
                    "name": "dilated_residual_2d",
                    "filters": 4,
                    "kernel_size": 3,
                    "rate_mult": 2.0,
                    "repeat": 2,
                    "dropout": 0.1,
                },
                {"name": "cropping_2d", "cropping": 8},
                {"name": "upper_tri", "diagonal_offset": 2},
                {"name": "final", "units": 2, "activation": "linear"},
            ],
        },
    }


@pytest.fixture(name="strip_spec", scope="session")
def give_strip_spec():
    return strip_spec


@pytest.fixture(scope="session")
def strip_model():
    return randomised(strip_spec(), seed=5)


@pytest.fixture(scope="session")
def strip_latent_model():
    """A head whose first convolution sees negative numbers, so it is not separable."""
    spec = strip_spec()
    spec["train"]["loss"] = "elbo"
    latent = {"name": "normal_latent", "units": 5, "initial_scale": 0.5}
    spec["model"]["head_hic"].insert(0, latent)
    return randomised(spec, seed=6)
