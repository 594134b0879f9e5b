"""The range of seeds; without pydantic, so that commands parse their options at once."""

SEEDS = 2**31
"""Seeds of a spec or an option are 0 or more and below this, because draws take an int32."""
