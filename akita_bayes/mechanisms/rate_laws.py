"""Activities of mechanisms in symbols."""

from akita_bayes.mechanisms import declarations, trees
from akita_bayes.mechanisms.mechanism_spec import Mechanism, Thermodynamic


def rate_law(mechanism: Mechanism) -> str:
    """Writes the activity in symbols, e.g. `t = (e^-rnap + ...) / (1 + e^-crp + ...)`."""
    if isinstance(mechanism, Thermodynamic):
        return _boltzmann_law(mechanism)
    terms = mechanism.terms
    laws = []
    for source in dict.fromkeys(terms[name].source for name in mechanism.product):
        laws.append(trees.rate_law(mechanism.species, mechanism.edges, list(terms), source))
    flux = " + ".join(f"{name} P_{terms[name].source}" for name in mechanism.product)
    return "\n".join([f"t = {flux}", *laws])


def _boltzmann_law(mechanism: Thermodynamic) -> str:
    def scaled(state: declarations.State) -> str:
        if state.activity == 1:
            return state.weight
        label = state.activity if isinstance(state.activity, str) else f"{state.activity:g}"
        return f"{label} {state.weight}"

    states = mechanism.states.values()
    active = [scaled(state) for state in states if state.activity != 0]
    numerator = active[0] if len(active) == 1 else f"({' + '.join(active)})"
    return f"t = {numerator} / ({' + '.join(state.weight for state in states)})"
