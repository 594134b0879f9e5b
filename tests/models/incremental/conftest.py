"""The networks that predictions are compared on."""

from tests.random_models import (  # noqa: F401
    give_strip_spec,
    latent_model,
    randomise,
    small_model,
    strip_latent_model,
    strip_model,
)
