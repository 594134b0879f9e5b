"""Warns."""

from akita_bayes.data.preparation import data_plan


def log_shallow(plan: data_plan.Plan, *, seed: int = 0) -> None:
    """Logs."""
