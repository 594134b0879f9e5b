"""A mechanism as a `keras.Sequential` with one layer per step of its physics.

thermodynamic  BindingEnergies -> BoltzmannStates -> Activity -> MeasurementProcess (bins that are
               relative: RelativeActivity in place of Activity)
kinetic        TransitionRates -> KingAltman      -> Activity -> MeasurementProcess
"""

import keras
import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna
from akita_bayes.mechanisms import declarations, mechanism_spec
from akita_bayes.regulation.layers import kinetic, measurement, thermodynamic
from akita_bayes.regulation.model import gauge
from akita_bayes.regulation.model import parameters as layout


def build(
    mechanism: mechanism_spec.Mechanism, *, bins: int = 1, origin: float = 0.0, unit: float = 1.0
) -> keras.Sequential:
    """Builds the network of a mechanism. [B, L, 4] one-hot -> [B, M] measurement parameters.

    Args:
        mechanism: Declared mechanism.
        bins: Number of bins of the measurement; 1 for a single read-out.
        origin: Origin of a continuous read-out (`measurement.GaussianNoise`).
        unit: Unit of a continuous read-out.
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
                fixed=[_shared_value(term) for term in terms],
                name="energies",
            ),
            thermodynamic.BoltzmannStates(mechanism.occupancy.tolist(), name="states"),
            _activity(mechanism),
        ]
    values = [_shared_value(term) for term in terms]
    fixed = [None if value is None else float(np.log(value)) for value in values]
    return [
        kinetic.TransitionRates(sites, names, fixed=fixed, name="rates"),
        kinetic.KingAltman(
            len(mechanism.species), mechanism.edges, fluxes=True, name="occupancies"
        ),
        thermodynamic.Activity(
            [float(name in mechanism.product) for name in names], name="activity"
        ),
    ]


def _shared_value(term: declarations.Term) -> float | None:
    """Returns the constant that no library fits; `assign` sets the values of a library."""
    return None if isinstance(term.value, dict) else term.value


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
    term_layer = model.layers[0]
    for i, name in enumerate(mechanism.terms):
        values = parameters.term(theta, name)
        constants = (
            term_layer.constants
            if isinstance(mechanism, mechanism_spec.Thermodynamic)
            else term_layer.log_rates
        )
        constants[i].assign(values.potential[library])
        if values.matrix is not None:
            term_layer.matrices[i].assign(values.matrix)
        if values.pairs is not None:
            term_layer.pairs[i].assign(values.pairs)
    activity_layer = model.get_layer("activity")
    if isinstance(activity_layer, thermodynamic.RelativeActivity):
        wild_type = dna.to_one_hot(parameters.wild_type)[None].astype("float32")
        probabilities = model.get_layer("states")(term_layer(wild_type))
        activity_layer.reference.assign(
            thermodynamic.log_odds(probabilities, activity_layer.activities)[0]
        )
    for name, weight in getattr(activity_layer, "log_activities", {}).items():
        weight.assign(theta[parameters.find(name, "log_activity").start])
    process = model.get_layer("measurement")
    for name, value in parameters.weights(theta, library).items():
        process.weights_by_name[name].assign(value)


def read(model: keras.Sequential, parameters: layout.Parameters) -> NDArray[np.float64]:
    """Reads theta [D] from weights in any gauge; all libraries get the same constants."""
    mechanism = parameters.mechanism
    term_layer = model.layers[0]
    wild_type = dna.to_one_hot(parameters.wild_type)[None].astype("float32")
    at_wild_type = np.asarray(term_layer(wild_type), float)[0]
    matrices, block_values = {}, {}
    for i, (name, term) in enumerate(mechanism.terms.items()):
        if term.site is None:
            continue
        pairs = np.asarray(term_layer.pairs[i], float) if term.neighbours else None
        values = layout.TermValues(np.asarray(term_layer.matrices[i], float), pairs, {}, {})
        values = gauge.fix(values, np.full((term.width, 4), 0.25))
        matrices[name] = np.asarray(values.matrix)
        if values.pairs is not None:
            contrasts = np.einsum(
                "wab,ai,bj->wij", values.pairs, layout.CONTRASTS, layout.CONTRASTS
            )
            block_values[f"{name}.pairs"] = contrasts
    for name, weight in getattr(model.get_layer("activity"), "log_activities", {}).items():
        block_values[f"{name}.log_activity"] = np.asarray(weight)
    process = model.get_layer("measurement")
    for block in parameters.blocks:
        if block.owner == "measurement":
            block_values[block.name] = np.asarray(process.weights_by_name[block.part])
    constants = dict(zip(mechanism.terms, at_wild_type, strict=True))
    return parameters.pack(matrices, constants, block_values=block_values)
