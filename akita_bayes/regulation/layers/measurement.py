"""From activity to data: p(measurement | t), fitted together with the mechanism.

The processes are those of `bins` and `read_outs`, by the names that a spec gives them.
"""

from typing import Any

from akita_bayes.mechanisms.declarations import Measurement
from akita_bayes.regulation.layers.bins import MonotoneBins, SoftmaxBins, SplineBins
from akita_bayes.regulation.layers.measurement_process import MeasurementProcess
from akita_bayes.regulation.layers.read_outs import GaussianNoise, PoissonCounts, SkewedNoise

PROCESSES: dict[str, type[MeasurementProcess]] = {
    process.kind: process
    for process in (
        SoftmaxBins,
        MonotoneBins,
        SplineBins,
        GaussianNoise,
        SkewedNoise,
        PoissonCounts,
    )
}


def process(
    spec: Measurement, columns: int, *, origin: float = 0.0, unit: float = 1.0, **kwargs: Any
) -> MeasurementProcess:
    """The layer that a spec declares, for a table with so many columns.

    Args:
        spec: What is declared.
        columns: Bins of the table, or 1 for a single read-out.
        origin: Of a continuous read-out (`GaussianNoise`).
        unit: Of a continuous read-out.
        **kwargs: Of every layer.
    """
    kind = PROCESSES[spec.kind]
    if issubclass(kind, GaussianNoise):
        kwargs |= {"origin": origin, "unit": unit, "slope": spec.slope}
    return kind(columns=columns, hidden=spec.hidden, read_out=spec.read_out, **kwargs)
