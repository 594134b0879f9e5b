"""Layers from the activity of a sequence to data, p(measurement | t), fitted with the mechanism.

The processes are those of `bins` and `read_outs`, under their names in a spec.
"""

from typing import Any

from akita_bayes.mechanisms.declarations import Measurement
from akita_bayes.regulation.layers.bins import Bins, MonotoneBins, SoftmaxBins, SplineBins
from akita_bayes.regulation.layers.measurement_process import MeasurementProcess
from akita_bayes.regulation.layers.read_outs import (
    GaussianNoise,
    OutlierNoise,
    PoissonCounts,
    SkewedNoise,
)

PROCESSES: dict[str, type[MeasurementProcess]] = {
    process.kind: process
    for process in (
        SoftmaxBins,
        MonotoneBins,
        SplineBins,
        GaussianNoise,
        SkewedNoise,
        OutlierNoise,
        PoissonCounts,
    )
}


def process(
    spec: Measurement, columns: int, *, origin: float = 0.0, unit: float = 1.0, **kwargs: Any
) -> MeasurementProcess:
    """Builds the layer that a spec declares, for a table with this number of columns.

    Args:
        spec: Declared measurement.
        columns: Bins of the table, or 1 for a single read-out.
        origin: Origin of a continuous read-out (`GaussianNoise`).
        unit: Unit of a continuous read-out.
        **kwargs: Arguments of every Keras layer.
    """
    kind = PROCESSES[spec.kind]
    if issubclass(kind, GaussianNoise):
        kwargs |= {"origin": origin, "unit": unit, "slope": spec.slope, "absolute": spec.absolute}
    if issubclass(kind, Bins):
        kwargs |= {"overdispersed": spec.overdispersed}
    return kind(columns=columns, hidden=spec.hidden, read_out=spec.read_out, **kwargs)
