"""A mechanism as a `keras.Sequential` whose layers are its physics.

thermodynamic  BindingEnergies -> BoltzmannStates -> Activity -> MeasurementProcess (bins that are
               relative: RelativeActivity in place of Activity)
kinetic        TransitionRates -> KingAltman      -> Activity -> MeasurementProcess
"""

import keras
import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.layers import kinetic, measurement, thermodynamic
from akita_bayes.regulation.model import gauge
from akita_bayes.regulation.model import parameters as layout


def build(
    mechanism: mechanism_spec.Mechanism, *, bins: int = 1, origin: float = 0.0, unit: float = 1.0
) -> keras.Sequential:
    """The network of a mechanism. [B, L, 4] one-hot -> [B, M], the measurement's parameters.

    Args:
        mechanism: What is declared.
        bins: Number of bins of the measurement; 1 for a single read-out.
        origin: Of a continuous read-out (`measurement.GaussianNoise`).
        unit: Of a continuous read-out.
    """
    model = keras.Sequential(name=mechanism.name)
    model.add(keras.Input((mechanism.sequence_length, 4)))
    for layer in _mechanism_layers(mechanism):
        model.add(layer)
    spec = mechanism.measurement
    model.add(measurement.process(spec, bins, origin=origin, unit=unit, name="measurement"))
    return model


def _mechanism_layers(mechanism: mechanism_spec.Mechanism) -> list[keras.layers.Layer]:
    names = list(mechanism.terms)
    terms = mechanism.terms.values()
    sites = [term.site for term in terms]
    if isinstance(mechanism, mechanism_spec.Thermodynamic):
        return [
            thermodynamic.BindingEnergies(
                sites,
                names,
                neighbours=[term.neighbours for term in terms],
                fixed=[term.value for term in terms],
                name="energies",
            ),
            thermodynamic.BoltzmannStates(mechanism.occupancy.tolist(), name="states"),
            _activity(mechanism),
        ]
    fixed = [None if term.value is None else float(np.log(term.value)) for term in terms]
    return [
        kinetic.TransitionRates(sites, names, fixed=fixed, name="rates"),
        kinetic.KingAltman(
            len(mechanism.species), mechanism.edges, fluxes=True, name="occupancies"
        ),
        thermodynamic.Activity(
            [float(name in mechanism.product) for name in names], name="activity"
        ),
    ]


def _activity(mechanism: mechanism_spec.Thermodynamic) -> keras.layers.Layer:
    if mechanism.measurement.relative:
        return thermodynamic.RelativeActivity(mechanism.levels, name="activity")
    levels = [state.activity for state in mechanism.states.values()]
    return thermodynamic.Activity(levels, name="activity")


def assign(
    model: keras.Sequential,
    parameters: layout.Parameters,
    theta: NDArray[np.float64],
    library: str | None = None,
) -> None:
    """Sets the weights of a network from theta [D], for one library (the first when None)."""
    library = parameters.libraries[0] if library is None else library
    mechanism = parameters.mechanism
    first = model.layers[0]
    for i, name in enumerate(mechanism.terms):
        values = parameters.term(theta, name)
        constants = (
            first.constants
            if isinstance(mechanism, mechanism_spec.Thermodynamic)
            else first.log_rates
        )
        constants[i].assign(values.potential[library])
        if values.matrix is not None:
            first.matrices[i].assign(values.matrix)
        if values.pairs is not None:
            first.pairs[i].assign(values.pairs)
    seen = model.get_layer("activity")
    if isinstance(seen, thermodynamic.RelativeActivity):
        wild_type = dna.to_one_hot(parameters.wild_type)[None].astype("float32")
        probabilities = model.get_layer("states")(first(wild_type))
        seen.reference.assign(thermodynamic.log_odds(probabilities, seen.activities)[0])
    for name, weight in getattr(seen, "log_activities", {}).items():
        weight.assign(theta[parameters.find(name, "log_activity").start])
    process = model.get_layer("measurement")
    for name, value in parameters.weights(theta, library).items():
        process.weights_by_name[name].assign(value)


def read(model: keras.Sequential, parameters: layout.Parameters) -> NDArray[np.float64]:
    """Theta [D] of a network's weights, in any gauge; every library gets the same constants."""
    mechanism = parameters.mechanism
    first = model.layers[0]
    wild_type = dna.to_one_hot(parameters.wild_type)[None].astype("float32")
    at_wild_type = np.asarray(first(wild_type), float)[0]
    matrices, others = {}, {}
    for i, (name, term) in enumerate(mechanism.terms.items()):
        if term.site is None:
            continue
        pairs = np.asarray(first.pairs[i], float) if term.neighbours else None
        values = layout.TermValues(np.asarray(first.matrices[i], float), pairs, {}, {})
        values = gauge.fix(values, np.full((term.width, 4), 0.25))
        matrices[name] = np.asarray(values.matrix)
        if values.pairs is not None:
            contrasts = np.einsum(
                "wab,ai,bj->wij", values.pairs, layout.CONTRASTS, layout.CONTRASTS
            )
            others[f"{name}.pairs"] = contrasts
    for name, weight in getattr(model.get_layer("activity"), "log_activities", {}).items():
        others[f"{name}.log_activity"] = np.asarray(weight)
    process = model.get_layer("measurement")
    for block in parameters.blocks:
        if block.owner == "measurement":
            others[block.name] = np.asarray(process.weights_by_name[block.part])
    constants = dict(zip(mechanism.terms, at_wild_type, strict=True))
    return parameters.pack(matrices, constants, others=others)
